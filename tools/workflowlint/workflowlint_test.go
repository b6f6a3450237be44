// Package workflowlint runs actionlint over every GitHub workflow of the golden files.
// It is a module of its own, so that what the linter needs is not what opsctl needs.
package workflowlint

import (
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhysd/actionlint"
	"golang.org/x/tools/txtar"
)

const golden = "../../internal/scaffold/testdata/golden"

// Without shellcheck and pyflakes, which are programs that need not be here.
func lint(t *testing.T, name string, src []byte) []*actionlint.Error {
	t.Helper()
	linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{Shellcheck: "", Pyflakes: ""})
	if err != nil {
		t.Fatal(err)
	}
	findings, err := linter.Lint(name, src, nil)
	if err != nil {
		t.Fatal(err)
	}
	return findings
}

func TestRenderedWorkflows(t *testing.T) {
	archives, err := filepath.Glob(filepath.Join(golden, "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, archive := range archives {
		a, err := txtar.ParseFile(archive)
		if err != nil {
			t.Fatal(err)
		}
		shape := strings.TrimSuffix(filepath.Base(archive), ".txtar")
		for _, f := range a.Files {
			if !strings.Contains(f.Name, ".github/workflows/") {
				continue
			}
			checked++
			t.Run(shape+"/"+filepath.Base(f.Name), func(t *testing.T) {
				for _, found := range lint(t, f.Name, f.Data) {
					t.Errorf("%s:%d:%d: %s (%s)", f.Name, found.Line, found.Column, found.Message, found.Kind)
				}
			})
		}
	}
	if checked == 0 {
		t.Fatalf("no workflow in %d archives of %s: the test looks at the wrong place", len(archives), golden)
	}
	t.Logf("%d workflows in %d archives", checked, len(archives))
}

// What the linter is here for, it finds.
func TestItFindsMistakes(t *testing.T) {
	for _, tt := range []struct{ name, src, want string }{
		{"an event's text in a script", "on: pull_request\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: echo ${{ github.event.pull_request.title }}\n", "untrusted"},
		{"a job that is not there", "on: push\njobs:\n  a:\n    needs: [b]\n    runs-on: ubuntu-24.04\n    steps: [{run: x}]\n", "needs"},
		{"a key that is not known", "on: push\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    stepz: []\n", "section is missing"},
		{"no expression", "on: push\njobs:\n  a:\n    if: ${{ github.nonsense }}\n    runs-on: ubuntu-24.04\n    steps: [{run: x}]\n", "not defined"},
	} {
		found := lint(t, "x.yml", []byte(tt.src))
		if len(found) == 0 || !strings.Contains(found[0].Message, tt.want) {
			t.Errorf("%s: %v", tt.name, found)
		}
	}
}
