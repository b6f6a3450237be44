package dockerlint

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

const golden = "../../internal/scaffold/testdata/golden"

// Every Dockerfile that init writes into the shapes of the golden files, with the
// .dockerignore that it writes beside it, passes every check of BuildKit.
func TestRenderedDockerfiles(t *testing.T) {
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
		for _, f := range dockerfiles(a) {
			checked++
			shape := strings.TrimSuffix(filepath.Base(archive), ".txtar")
			t.Run(shape+"/"+f.Name, func(t *testing.T) {
				findings, err := Lint(t.Context(), f.Data, ignoreOf(a, f.Name))
				if err != nil {
					t.Fatal(err)
				}
				for _, found := range findings {
					t.Errorf("%s: %s:%d: %s: %s\n%s", filepath.Base(archive), f.Name, found.Line, found.Rule, found.Detail, lineOf(f.Data, found.Line))
				}
			})
		}
	}
	if checked == 0 {
		t.Fatalf("no Dockerfile in %d archives of %s: the test looks at the wrong place", len(archives), golden)
	}
	t.Logf("%d Dockerfiles in %d archives", checked, len(archives))
}

// dockerfiles are the files named Dockerfile, Dockerfile.something or something.Dockerfile.
func dockerfiles(a *txtar.Archive) []txtar.File {
	return slices.DeleteFunc(slices.Clone(a.Files), func(f txtar.File) bool {
		base := path.Base(f.Name)
		return base != "Dockerfile" && !strings.HasPrefix(base, "Dockerfile.") && !strings.HasSuffix(base, ".Dockerfile") ||
			strings.HasSuffix(base, ".dockerignore")
	})
}

// ignoreOf is the ignore file that a build with this Dockerfile uses: the one of
// its own, or else the context's. The context is the repository's root.
func ignoreOf(a *txtar.Archive, dockerfile string) []byte {
	for _, name := range []string{dockerfile + ".dockerignore", ".dockerignore"} {
		for _, f := range a.Files {
			if f.Name == name {
				return f.Data
			}
		}
	}
	return nil
}

func lineOf(text []byte, n int) string {
	lines := strings.Split(string(text), "\n")
	if n < 1 || n > len(lines) {
		return ""
	}
	return fmt.Sprintf("%5d | %s", n, lines[n-1])
}
