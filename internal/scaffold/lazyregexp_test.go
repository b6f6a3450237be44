package scaffold

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A pattern that is wrong would end the first run that uses it: each is compiled here.
func TestLazyPatternsCompile(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	compiled := 0
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, src, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if fn, ok := call.Fun.(*ast.Ident); ok && fn.Name == "lazily" {
				compiled++
				if _, err := regexp.Compile(constant(t, call.Args[0])); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			return true
		})
		if !strings.HasSuffix(name, "_test.go") {
			for i, line := range strings.Split(string(src), "\n") {
				if (strings.HasPrefix(line, "var ") || strings.HasPrefix(line, "\t") && !strings.HasPrefix(line, "\t\t")) && strings.Contains(line, " = regexp.MustCompile(") {
					t.Errorf("%s:%d compiles its pattern whenever opsctl starts", name, i+1)
				}
			}
		}
	}
	if compiled < 50 {
		t.Errorf("only %d patterns were found: this tests nothing", compiled)
	}
}

// constant is the value of a string literal, or of some that are joined.
func constant(t *testing.T, e ast.Expr) string {
	t.Helper()
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		if err != nil {
			t.Fatal(err)
		}
		return s
	case *ast.BinaryExpr:
		return constant(t, e.X) + constant(t, e.Y)
	}
	t.Fatalf("the pattern is no constant: %T", e)
	return ""
}
