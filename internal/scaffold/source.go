package scaffold

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/execx"
)

const (
	maxFile   = 32 << 20 // more is no file that somebody wrote, nor a lockfile
	maxSource = 1 << 20  // more is taken for generated, and not scanned
)

// optional reads a file that need not be there. Only regular files count, inside of
// the repository: a link to a device or out of it is none of its files.
func optional(fsys fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrInvalid):
		return nil, nil
	case err != nil:
		return nil, errs.Wrap(err, errs.CheckFailed, "read %s", name).WithHint("init reads nothing outside of the repository: put the file itself there")
	case !info.Mode().IsRegular():
		return nil, nil
	case info.Size() > maxFile:
		return nil, errs.New(errs.CheckFailed, "%s has %d MB, which is no file that init reads", name, info.Size()>>20)
	}
	src, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if src == nil {
		src = []byte{}
	}
	return src, nil
}

func isDir(fsys fs.FS, name string) bool {
	info, err := fs.Stat(fsys, name)
	return err == nil && info.IsDir()
}

func isFile(fsys fs.FS, name string) bool {
	info, err := fs.Stat(fsys, name)
	return err == nil && info.Mode().IsRegular()
}

// source is a file of code, or of styles and text that refer to others.
type source struct {
	fs    fs.FS
	name  string // in fs
	dir   string // of its package, seen from the app's folder
	shown string // seen from the app's folder
}

func (s source) read() ([]byte, error) { return optional(s.fs, s.name) }

var (
	codeFile = lazily(`\.(ts|tsx|js|jsx|mjs|cjs|mts|cts|go|py)$`)
	testFile = lazily(`\.(test|spec|stories)\.[a-z]+$|^(playwright|vitest|jest)\.config\.|_test\.go$|^test_.*\.py$|_test\.py$|^conftest\.py$`)
	spareDir = lazily(`^(node_modules|dist|build|out|coverage|test|tests|e2e|__tests__|vendor|venv|__pycache__|testdata)$`)
)

// sources are the files of the app, and of the packages of its workspace that it
// needs: without tests, what is built, what git ignores, and what init writes, so that
// every clone and every run sees the same.
func (d *detector) sources() ([]source, error) {
	if d.found != nil {
		return d.found, nil
	}
	units := []unit{{dir: ".", fs: d.app}}
	if d.Workspace != nil {
		for _, p := range d.Workspace.Needed {
			sub, err := fs.Sub(d.root, p.Dir)
			if err != nil {
				return nil, err
			}
			units = append(units, unit{dir: d.contextFile(p.Dir), fs: sub})
		}
	}
	d.found = []source{}
	for _, u := range units {
		err := fs.WalkDir(u.fs, ".", func(name string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			shown := path.Join(u.dir, name)
			hidden := name != "." && (strings.HasPrefix(e.Name(), ".") || d.ignored(shown))
			if e.IsDir() {
				if hidden || spareDir.MatchString(e.Name()) {
					return fs.SkipDir
				}
				return nil
			}
			code := codeFile.MatchString(name)
			if hidden || !e.Type().IsRegular() || testFile.MatchString(e.Name()) || !code && !styleFile.MatchString(name) || d.ours(shown) {
				return nil
			}
			if info, err := e.Info(); err != nil || info.Size() > maxSource {
				return err
			}
			d.found = append(d.found, source{u.fs, name, u.dir, shown})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return d.found, nil
}

// ours tells whether a file, seen from the app's folder, is one that init writes.
func (d *detector) ours(name string) bool {
	return d.written(name) || name == d.HealthFile() || name == d.LivezFile() || name == d.MigrateScript()
}

// ignored tells whether git ignores a file or folder, seen from the app's folder: it
// is not in another clone, so nothing may depend on it.
func (d *detector) ignored(name string) bool {
	return d.gitIgnored[path.Join(d.Dir, name)]
}

// gitTimeout is long for a list of ignored folders.
const gitTimeout = 20 * time.Second

// askGit asks git what it ignores by the repository's own rules, and which of the app's
// files with secrets it has; nothing where there is no git.
func askGit(ctx context.Context, repo, dir string) (ignored map[string]bool, secrets []string) {
	ctx, cancel := context.WithTimeout(ctx, gitTimeout)
	defer cancel()
	ignored = map[string]bool{}
	for _, name := range git(ctx, repo, "-c", "core.excludesFile=", "ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z") {
		ignored[strings.TrimSuffix(name, "/")] = true
	}
	secrets = git(ctx, filepath.Join(repo, filepath.FromSlash(dir)), "ls-files", "-z", "--", ".env", ".env.local", ".env.production", ".env.*.local")
	return ignored, secrets
}

// IgnoredByGit are notes about files of a plan that git ignores: they would be missing
// in every other clone, and behind in its CI.
func IgnoredByGit(ctx context.Context, s *Stack, plan []Change) []string {
	ctx, cancel := context.WithTimeout(ctx, gitTimeout)
	defer cancel()
	args := []string{"-c", "core.excludesFile=", "check-ignore", "--no-index", "--"}
	for _, c := range plan {
		if c.rendered != nil && c.Action != Obsolete {
			args = append(args, c.Path)
		}
	}
	var notes []string
	for name := range strings.SplitSeq(strings.Join(git(ctx, s.Repo, args...), ""), "\n") {
		if name != "" && !strings.Contains(name, ".env.") { // which the edit of .gitignore takes care of
			notes = append(notes, name+" is ignored by git, and so missing in every other clone: take it out of .gitignore, or remove the file")
		}
	}
	return notes
}

// git runs git, and returns what it lists.
func git(ctx context.Context, dir string, args ...string) []string {
	var out strings.Builder
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "GIT_") })
	if err := execx.Run(ctx, execx.Cmd{Path: "git", Dir: dir, Env: append(env, "GIT_OPTIONAL_LOCKS=0"), Stdout: &out, Args: args}); err != nil {
		return nil
	}
	return slices.DeleteFunc(strings.Split(out.String(), "\x00"), func(name string) bool { return name == "" })
}

var plainName = lazily(`^[A-Za-z0-9._@+()\[\]/-]+$`)

// checkNames refuses names of folders and files that would mean something else in a
// Dockerfile, a shell, or YAML, where they are written without quotes.
func (d *detector) checkNames() error {
	names := append([]string{
		d.Dir, d.Context, d.AppDir, d.Dist, d.PM.Program, d.Migrations.Dir, d.Migrations.Home, d.PrismaDir, d.Go.Main, d.HealthPath, d.BasePath,
	}, d.ManifestDirs...)
	names = append(append(names, d.ManifestFiles...), d.Python.Files...)
	for _, e := range d.Env {
		names = append(names, e.Name)
	}
	if d.Workspace != nil {
		names = append(names, d.Workspace.Members...)
	}
	for _, name := range names {
		if name != "" && !plainName.MatchString(name) {
			return errs.New(errs.CheckFailed, "the name %q has characters that cannot stand in a Dockerfile or a workflow", name).
				WithHint("rename it: letters, digits and . _ @ + - ( ) [ ] are fine")
		}
	}
	for _, dir := range []string{d.Dist, d.Migrations.Dir, d.PM.Program} {
		if !fs.ValidPath(dir) && dir != "" {
			return errs.New(errs.CheckFailed, "%q leads out of the app's folder, and so out of the image's build", dir).
				WithHint("keep it inside of the folder that holds package.json")
		}
	}
	return nil
}
