package scaffold

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/diff"
	"golang.org/x/tools/txtar"

	"github.com/opsctl/opsctl/examples"
)

var update = flag.Bool("update", false, "write the golden files")

var opts = Options{Environments: []Environment{{Name: "production", Platform: "fly", Region: "fra", Instances: 2}}, Version: "0.1.0"}

// shape is a repository to run init in. The first lines of its archive may say where
// (dir: apps/web) and for what (platform: fly, render).
type shape struct {
	repo, dir string
	opts      Options
}

// shapes extracts every repository of testdata/shapes, and the example.
func shapes(t *testing.T) map[string]shape {
	t.Helper()
	files, err := filepath.Glob("testdata/shapes/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no shapes: %v", err)
	}
	all := map[string]shape{}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sh := shape{repo: repo(t, archive), opts: opts}
		sh.dir = sh.repo
		for line := range strings.Lines(string(archive.Comment)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			switch key {
			case "dir":
				sh.dir = filepath.Join(sh.repo, value)
			case "platform":
				sh.opts.Environments = onPlatforms(strings.Split(value, ", "))
			}
		}
		all[strings.TrimSuffix(filepath.Base(file), ".txtar")] = sh
	}
	erp := filepath.Join(t.TempDir(), "erp")
	if err := examples.Write(erp, examples.ERP()); err != nil {
		t.Fatal(err)
	}
	all["example-erp"] = shape{erp, erp, opts}
	return all
}

func onPlatforms(platforms []string) []Environment {
	regions := map[string]string{"fly": "fra", "render": "frankfurt", "railway": "europe-west4-drams3a"}
	var list []Environment
	for i, p := range platforms {
		list = append(list, Environment{Name: []string{"production", "staging", p}[i], Platform: p, Region: regions[p], Instances: max(1, 2-i)})
	}
	return list
}

func repo(t *testing.T, archive *txtar.Archive) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range archive.Files {
		put(t, dir, f.Name, string(f.Data))
	}
	return dir
}

func put(t *testing.T, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestGolden renders every shape and compares the explanation, the notes, the plan
// and every file with testdata/golden; -update writes them.
func TestGolden(t *testing.T) {
	for name, sh := range shapes(t) {
		t.Run(name, func(t *testing.T) {
			stack, plan := planOf(t, sh)
			got := goldenText(stack, plan)
			file := filepath.Join("testdata", "golden", name+".txtar")
			if *update {
				if err := os.WriteFile(file, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("differs; run with -update when it should:\n%s", diff.Diff("want", want, "got", got))
			}
		})
	}
}

func mustPlan(t *testing.T, dir string) (*Stack, []Change) {
	t.Helper()
	return planOf(t, shape{dir, dir, opts})
}

func planOf(t *testing.T, sh shape) (*Stack, []Change) {
	t.Helper()
	stack, err := Detect(t.Context(), sh.dir, DetectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := Plan(stack, sh.opts)
	if err != nil {
		t.Fatal(err)
	}
	return stack, plan
}

func goldenText(s *Stack, plan []Change) []byte {
	var head bytes.Buffer
	for _, r := range s.Reasons {
		where := r.File
		if r.Line > 0 {
			where = fmt.Sprintf("%s:%d", r.File, r.Line)
		}
		fmt.Fprintf(&head, "%s | %s | %s | %s\n", r.What, r.Value, where, r.Why)
	}
	a := &txtar.Archive{Files: []txtar.File{{Name: "EXPLAIN", Data: head.Bytes()}}}
	var notes, actions bytes.Buffer
	for _, n := range s.Notes {
		fmt.Fprintln(&notes, n)
	}
	for _, c := range plan {
		fmt.Fprintln(&actions, strings.TrimSpace(fmt.Sprintf("%-8s %s  %s", c.Action, c.Path, c.Why)))
	}
	a.Files = append(a.Files, txtar.File{Name: "NOTES", Data: notes.Bytes()}, txtar.File{Name: "PLAN", Data: actions.Bytes()})
	for _, c := range plan {
		data := c.New
		if c.Action == Edit {
			data = []byte(c.Diff)
		}
		if c.Action != Refuse && c.Action != Same {
			a.Files = append(a.Files, txtar.File{Name: c.Path, Data: data})
		}
	}
	return txtar.Format(a)
}

func TestASecondRunChangesNothing(t *testing.T) {
	for name, sh := range shapes(t) {
		t.Run(name, func(t *testing.T) {
			stack, plan := planOf(t, sh)
			if _, err := Apply(t.Context(), stack, plan, ApplyOptions{}); err != nil {
				t.Fatal(err)
			}
			before := tree(t, sh.repo)
			stack, plan = planOf(t, sh)
			for _, c := range Behind(plan) {
				if c.Action != Refuse {
					t.Errorf("%s is behind right after: %s", c.Path, c.Action)
				}
			}
			results, err := Apply(t.Context(), stack, plan, ApplyOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range results {
				if r.Outcome != Unchanged && r.Outcome != Refused && r.Outcome != Kept {
					t.Errorf("%s is %s:\n%s", r.Path, r.Outcome, r.Diff)
				}
			}
			if after := tree(t, sh.repo); after != before {
				t.Errorf("the tree changed:\n%s", diff.Diff("before", []byte(before), "after", []byte(after)))
			}
		})
	}
}

// tree is every file's name, time and content.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, path))
		fmt.Fprintf(&b, "%s %s %q\n", path, info.ModTime(), data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What the issue asks of every Dockerfile, as far as it can be read off the text.
func TestDockerfileHolds(t *testing.T) {
	for name, sh := range shapes(t) {
		t.Run(name, func(t *testing.T) {
			_, plan := planOf(t, sh)
			i := slices.IndexFunc(plan, func(c Change) bool { return path.Base(c.Path) == "Dockerfile" })
			if i < 0 {
				return // the repository's own is kept
			}
			text := string(plan[i].New)
			for _, want := range []string{`(?m)^FROM (node|golang|python):[\d.]+-(alpine|slim) AS`, `(?m)^USER 1001:1001$`, `(?m)^HEALTHCHECK `, `--mount=type=cache`, `--gid 1001`, `AS runner`} {
				if !regexp.MustCompile(want).MatchString(text) {
					t.Errorf("no %s in\n%s", want, text)
				}
			}
			for _, not := range []string{`(?m)^# ?syntax=`, `<<`, `corepack`, `:latest`, `(?m)^(ARG|ENV) .*(SECRET|TOKEN|PASSWORD|DATABASE_URL)`, `(?m)[ \t]+$`, `\n\n\n\n`, `\n\n\n(?:[^#]|$)`} {
				if m := regexp.MustCompile(not).FindString(text); m != "" {
					t.Errorf("%q in\n%s", m, text)
				}
			}
		})
	}
}
