package scaffold

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/opsctl/opsctl/internal/errs"
)

// small is a repository with a fly.toml of its own.
func small(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	put(t, dir, "package.json", `{"name": "x", "dependencies": {"next": "16.4.6"}}`)
	put(t, dir, "package-lock.json", `{}`)
	put(t, dir, "app/page.js", ``)
	put(t, dir, "fly.toml", "app = mine\n")
	return dir
}

func content(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func outcome(t *testing.T, results []Result, path string) Outcome {
	t.Helper()
	for _, r := range results {
		if r.Path == path {
			return r.Outcome
		}
	}
	t.Fatalf("no result for %s", path)
	return ""
}

func TestApplyAsksAboutWhatDiffers(t *testing.T) {
	for _, answer := range []bool{true, false} {
		dir := small(t)
		stack, plan := mustPlan(t, dir)
		var asked []string
		results, err := Apply(t.Context(), stack, plan, ApplyOptions{Ask: func(_ context.Context, c Change) (bool, error) {
			asked = append(asked, c.Path)
			if !strings.Contains(c.Diff, "-app = mine\n") {
				t.Errorf("the diff is\n%s", c.Diff)
			}
			return answer, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		if len(asked) != 1 || asked[0] != "fly.toml" {
			t.Errorf("asked about %v", asked)
		}
		kept := content(t, dir, "fly.toml") == "app = mine\n"
		switch got := outcome(t, results, "fly.toml"); {
		case answer && (got != Overwritten || kept || content(t, dir, "fly.toml.orig") != "app = mine\n"):
			t.Errorf("yes: %s, kept %v", got, kept)
		case !answer && (got != Kept || !kept):
			t.Errorf("no: %s, kept %v", got, kept)
		}
	}
}

func TestApplyKeepsEveryOriginal(t *testing.T) {
	dir := small(t)
	for _, mine := range []string{"app = one\n", "app = two\n", "app = two\n", "app = three\n"} {
		put(t, dir, "fly.toml", mine)
		stack, plan := mustPlan(t, dir)
		if _, err := Apply(t.Context(), stack, plan, ApplyOptions{Force: true}); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"fly.toml.orig": "one", "fly.toml.orig.2": "two", "fly.toml.orig.3": "three"} {
		if got := content(t, dir, name); got != "app = "+want+"\n" {
			t.Errorf("%s is %q", name, got)
		}
	}
}

// The original may hold what others must not read: its copy is no more open than it
// was, and the file itself keeps its mode.
func TestApplyKeepsTheMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no file modes")
	}
	for _, mode := range []fs.FileMode{0o600, 0o640, 0o664, 0o755} {
		dir := small(t)
		if err := os.Chmod(filepath.Join(dir, "fly.toml"), mode); err != nil {
			t.Fatal(err)
		}
		stack, plan := mustPlan(t, dir)
		if _, err := Apply(t.Context(), stack, plan, ApplyOptions{Force: true}); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"fly.toml", "fly.toml.orig"} {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if got := info.Mode().Perm(); got != mode {
				t.Errorf("%s is %v, the original was %v", name, got, mode)
			}
		}
	}
}

func TestApplyRefusesWhatChangedSinceThePlan(t *testing.T) {
	dir := small(t)
	stack, plan := mustPlan(t, dir)
	put(t, dir, ".env.schema", "app = 'mine'\n")
	_, err := Apply(t.Context(), stack, plan, ApplyOptions{})
	if errs.CodeOf(err) != errs.Conflict {
		t.Errorf("got %v", err)
	}
	if content(t, dir, ".env.schema") != "app = 'mine'\n" {
		t.Error("the file that appeared meanwhile was overwritten")
	}
}

func TestApplyStopsWhenInterrupted(t *testing.T) {
	dir := small(t)
	stack, plan := mustPlan(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	results, err := Apply(ctx, stack, plan, ApplyOptions{Done: func(Result) { cancel() }})
	if !errors.Is(err, context.Canceled) || len(results) != 2 { // one file, and the record of it
		t.Errorf("%d results, %v", len(results), err)
	}
}

func TestLinksAreNotWrittenThrough(t *testing.T) {
	outside := t.TempDir()
	tests := []struct{ name, link, target, file string }{
		{"a folder outside", "docs", outside, "docs/deployment.md"},
		{"a file outside", "docker-compose.yml", filepath.Join(outside, "x"), "docker-compose.yml"},
		{"a file inside", "docker-compose.yml", "package.json", "docker-compose.yml"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := small(t)
			if err := os.Symlink(tt.target, filepath.Join(dir, tt.link)); err != nil {
				t.Skip(err)
			}
			stack, plan := mustPlan(t, dir)
			results, err := Apply(t.Context(), stack, plan, ApplyOptions{Force: true})
			if err != nil {
				t.Fatal(err)
			}
			if got := outcome(t, results, tt.file); got != Refused {
				t.Errorf("%s is %s", tt.file, got)
			}
			if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
				t.Errorf("written outside: %v %v", left, err)
			}
			if got := content(t, dir, "package.json"); !strings.HasPrefix(got, `{"name": "x"`) {
				t.Errorf("package.json became %q", got)
			}
		})
	}
}

func TestNothingTemporaryIsLeft(t *testing.T) {
	dir := small(t)
	stack, plan := mustPlan(t, dir)
	if _, err := Apply(t.Context(), stack, plan, ApplyOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	if got := tree(t, dir); strings.Contains(got, ".tmp") {
		t.Errorf("left behind:\n%s", got)
	}
}

// .env.example follows the schema that is in force: the user's where it is kept, the
// rendered one where it was overwritten.
func TestExampleFollowsTheSchema(t *testing.T) {
	const mine = "# @defaultRequired=true\n# ---\n\n# @type=string\nMY_KEY=one\n"
	for _, force := range []bool{false, true} {
		dir := small(t)
		put(t, dir, ".env.schema", mine)
		stack, plan := mustPlan(t, dir)
		if _, err := Apply(t.Context(), stack, plan, ApplyOptions{Force: force}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(content(t, dir, ".env.example"), "MY_KEY"); got == force {
			t.Errorf("force %v: the example has the user's key: %v", force, got)
		}
	}
}

func TestBrokenSchemaStopsTheExampleAlone(t *testing.T) {
	for _, broken := range []string{
		"# @nonsense(((\nA=\n",
		"# @example=\" '\\\" #x\"\nA=\n", // no quoting that both readers understand
	} {
		dir := small(t)
		put(t, dir, ".env.schema", broken)
		stack, plan := mustPlan(t, dir)
		results, err := Apply(t.Context(), stack, plan, ApplyOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := outcome(t, results, ".env.example"); got != Refused {
			t.Errorf("%q: .env.example is %s", broken, got)
		}
		if got := outcome(t, results, "Dockerfile"); got != Created {
			t.Errorf("%q: Dockerfile is %s", broken, got)
		}
	}
}

func TestEditGitignore(t *testing.T) {
	tests := []struct{ name, outer, in, want string }{
		{"all is well", "", "node_modules\n.env\n.env.*\n!.env.example\n!.env.schema\n", "node_modules\n.env\n.env.*\n!.env.example\n!.env.schema\n"},
		{"create-next-app", "", "# env files\n.env*\n", "# env files\n.env*\n\n!.env.example\n!.env.schema\n"},
		{"nothing ignored, no newline at the end", "", "dist", "dist\n\n.env\n.env.local\n.env.production\n"},
		{"taken back", "", ".env*\n!.env\n", ".env*\n!.env\n\n.env\n!.env.example\n!.env.schema\n"},
		{"init's record is ignored", "", ".env\n.env.*\n!.env.schema\n!.env.example\n.opsctl/\n", ".env\n.env.*\n!.env.schema\n!.env.example\n.opsctl/\n\n!.opsctl/\n"},
		{"Windows", "", ".env*\r\n", ".env*\r\n\r\n!.env.example\r\n!.env.schema\r\n"},
		{"a workspace's root does it", ".env\n.env.*\n!.env.schema\n!.env.example\n", "dist\n", "dist\n"},
		{"a workspace's root ignores too much", ".env*\n", "dist\n", "dist\n\n!.env.example\n!.env.schema\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := string(editGitignore([]byte(tt.in), []byte(tt.outer), &Stack{Kind: NextJS}))
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if again := string(editGitignore([]byte(got), []byte(tt.outer), &Stack{Kind: NextJS})); again != got {
				t.Errorf("a second edit adds more: %q", again)
			}
		})
	}
	created := string(editGitignore(nil, nil, &Stack{Kind: NextJS, Dist: ".next"}))
	if again := string(editGitignore([]byte(created), nil, &Stack{Kind: NextJS, Dist: ".next"})); again != created {
		t.Errorf("the file that init creates is edited by the next run: %q", again)
	}
}

// Who cannot write is told where, not the name of a file that never was.
func TestCannotWriteNamesTheFolder(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want []string
	}{
		{"opsctl.yaml", &fs.PathError{Op: "openat", Path: ".opsctl.yaml.1a2b.tmp", Err: fs.ErrPermission}, []string{"cannot write opsctl.yaml: the folder repo: permission denied", "chmod u+w repo)"}},
		{"docs/a.md", &fs.PathError{Op: "openat", Path: "docs/.a.md.1a2b.tmp", Err: syscall.EROFS}, []string{"cannot write docs/a.md: the folder repo/docs: ", "read-only"}},
		{"docs/a.md", &os.LinkError{Op: "renameat", Old: "docs/.a.md.1a2b.tmp", New: "docs/a.md", Err: syscall.ENOSPC}, []string{"the folder repo/docs", "make room"}},
		{"docs/a.md", &fs.PathError{Op: "mkdirat", Path: "docs", Err: syscall.ENOTDIR}, []string{"the folder repo/docs", "run init again"}},
	}
	t.Chdir(t.TempDir())
	if err := os.Mkdir("repo", 0o700); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot("repo")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, tt := range tests {
		err := cannotWrite(root, tt.name, tt.err)
		text := err.Error() + "\n" + errs.HintOf(err)
		for _, want := range tt.want {
			if !strings.Contains(text, want) {
				t.Errorf("want %q in %q", want, text)
			}
		}
		if strings.Contains(text, ".tmp") || errs.CodeOf(err) != errs.Failure {
			t.Errorf("got %q", text)
		}
	}
}

func TestApplyInAReadOnlyFolder(t *testing.T) {
	dir := small(t)
	stack, plan := mustPlan(t, dir)
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) }) //nolint:gosec // its own folder again
	if f, err := os.Create(filepath.Join(dir, "probe")); err == nil {
		_ = f.Close()
		t.Skip("this user may write into a read-only folder")
	}
	_, err := Apply(t.Context(), stack, plan, ApplyOptions{})
	if err == nil || strings.Contains(err.Error(), ".tmp") || !strings.Contains(err.Error(), "cannot write opsctl.yaml: the folder "+dir+": ") {
		t.Errorf("got %v", err)
	}
}

func TestForesee(t *testing.T) {
	dir := small(t)
	before := tree(t, dir)
	_, plan := mustPlan(t, dir)
	for force, want := range map[bool]Outcome{false: Kept, true: WouldOverwrite} {
		results := Foresee(plan, ApplyOptions{Force: force})
		if got := outcome(t, results, "fly.toml"); got != want {
			t.Errorf("force %v: fly.toml is %s", force, got)
		}
		if got := outcome(t, results, "Dockerfile"); got != WouldCreate {
			t.Errorf("force %v: Dockerfile is %s", force, got)
		}
	}
	if tree(t, dir) != before {
		t.Error("something was written")
	}
}
