package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/opsctl/opsctl/"

// file is one Go file of the module.
type file struct {
	name    string // slash-separated, relative to the module's root
	pkg     string // directory of the file, relative to the root: "internal/health"
	test    bool
	syntax  *ast.File
	fset    *token.FileSet
	lines   int
	imports []string // import paths; the module's own ones without its prefix
}

// sources reads the module's Go files below the given directories. Files
// that do not parse are the compiler's business and are left out.
func sources(t *testing.T) []file {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatal(err)
	}
	var out []file
	for _, dir := range []string{"cmd", "internal", "templates"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(p string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && (d.Name() == "testdata" || d.Name() == "node_modules"):
				return filepath.SkipDir
			case d.IsDir() || !strings.HasSuffix(p, ".go"):
				return nil
			}
			rel, err := filepath.Rel(root, p)
			if err != nil {
				return err
			}
			src, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			f, err := read(filepath.ToSlash(rel), src)
			if err != nil {
				t.Logf("left out: %v", err)
				return nil
			}
			out = append(out, f)
			return nil
		})
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	if len(out) < 20 {
		t.Fatalf("only %d files found: the test looks at the wrong place", len(out))
	}
	return out
}

func read(name string, src []byte) (file, error) {
	fset := token.NewFileSet()
	syntax, err := parser.ParseFile(fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return file{}, err
	}
	f := file{
		name: name, pkg: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), syntax: syntax, fset: fset,
		lines: fset.File(syntax.Pos()).LineCount(),
	}
	for _, im := range syntax.Imports {
		p, err := strconv.Unquote(im.Path.Value)
		if err != nil {
			return file{}, err
		}
		f.imports = append(f.imports, strings.TrimPrefix(p, module))
	}
	return f, nil
}

// production leaves out the tests, and this package, which is one.
func production(files []file) []file {
	return slices.DeleteFunc(slices.Clone(files), func(f file) bool { return f.test || f.pkg == "internal/archtest" })
}

// within says whether the package is dir or below it.
func within(pkg, dir string) bool { return pkg == dir || strings.HasPrefix(pkg, dir+"/") }

// own says whether an import is one of the module's packages.
func own(imp string) bool {
	return within(imp, "internal") || within(imp, "cmd") || within(imp, "templates")
}

// isStd says whether an import is of the standard library: its first element has no dot.
func isStd(imp string) bool {
	first, _, _ := strings.Cut(imp, "/")
	return !strings.Contains(first, ".") && !own(imp)
}
