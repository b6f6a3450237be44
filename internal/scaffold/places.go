package scaffold

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
)

// Places are the folders of a repository that matter here. They are the same one for
// an app that is a repository of its own.
type Places struct {
	Repo    string // absolute; the outermost: where .git is, and all that init may write to
	Context string // the image's build context, relative to Repo: where the lockfile is
	Dir     string // the app's own folder, relative to Repo: where opsctl.yaml goes
}

// InContext is a path of the app's folder as the build context sees it.
func (p Places) InContext(name string) string { return path.Join(rel(p.Context, p.Dir), name) }

// Nested tells whether the app is a folder inside its build context.
func (p Places) Nested() bool { return p.Context != p.Dir }

// FromApp is a path in the repository as seen from the app's folder.
func (p Places) FromApp(name string) string { return rel(p.Dir, name) }

// ContextFromApp is the build context as seen from the app's folder.
func (p Places) ContextFromApp() string { return rel(p.Dir, p.Context) }

// RepoFromApp is the repository's root as seen from the app's folder.
func (p Places) RepoFromApp() string { return rel(p.Dir, ".") }

// rel is to as seen from another folder, both relative to the same root.
func rel(from, to string) string {
	r, err := filepath.Rel(filepath.FromSlash(from), filepath.FromSlash(to))
	if err != nil {
		return to // cannot be: both are relative
	}
	return filepath.ToSlash(r)
}

// findPlaces looks upwards from the app's folder for the workspace that it belongs to
// and for the repository.
func findPlaces(app string) (Places, error) {
	abs, err := realDir(app)
	if err != nil {
		return Places{}, err
	}
	context := abs
	dir := abs
	for ; ; dir = filepath.Dir(dir) {
		if dir != abs && context == abs && hasMember(dir, abs) {
			context = dir
		}
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil || dir == filepath.Dir(dir) {
			break
		}
	}
	repo := dir
	if dir == filepath.Dir(dir) || !within(dir, context) { // there is no git repository, or one inside the workspace
		repo = context
	}
	return Places{Repo: repo, Context: slashRel(repo, context), Dir: slashRel(repo, abs)}, nil
}

func within(dir, sub string) bool {
	return sub == dir || strings.HasPrefix(sub, strings.TrimSuffix(dir, string(filepath.Separator))+string(filepath.Separator))
}

func slashRel(from, to string) string {
	r, err := filepath.Rel(from, to)
	if err != nil {
		return "."
	}
	return filepath.ToSlash(r)
}

// hasMember tells whether dir is the root of a workspace that has the app as a member.
func hasMember(dir, app string) bool {
	fsys := os.DirFS(dir)
	globs, err := workspaceGlobs(fsys)
	if err != nil || len(globs) == 0 {
		return false
	}
	members, err := workspaceMembers(fsys, globs)
	return err == nil && slices.Contains(members, slashRel(dir, app))
}

// realDir is the folder, absolute and without symbolic links.
func realDir(dir string) (string, error) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", errs.Wrap(err, errs.NotFound, "open the repository").WithHint("name the folder of the app")
	case err != nil:
		return "", errs.Wrap(err, errs.Failure, "open the repository")
	case !info.IsDir():
		return "", errs.New(errs.Usage, "%s is not a folder", dir).WithHint("name the folder of the app")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(abs)
}
