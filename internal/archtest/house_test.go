package archtest

import (
	"go/ast"
	"slices"
	"strings"
)

// The bounds of "about 400" and "about 60" lines.
const (
	maxFileLines = 420
	maxFuncLines = 70
)

func shortFiles(files []file, report reporter) {
	for _, f := range files {
		if f.lines > maxFileLines {
			report("%s has %d lines; the limit is %d", f.name, f.lines, maxFileLines)
		}
		if f.test {
			continue // a table of cases may be long
		}
		for _, d := range f.syntax.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			from, to := f.fset.Position(fn.Pos()).Line, f.fset.Position(fn.End()).Line
			if n := to - from + 1; n > maxFuncLines {
				report("%s:%d: function %s has %d lines; the limit is %d", f.name, from, fn.Name.Name, n, maxFuncLines)
			}
		}
	}
}

func documented(files []file, report reporter) {
	says := map[string]bool{}
	for _, f := range production(files) {
		says[f.pkg] = says[f.pkg] || f.syntax.Doc != nil
	}
	for pkg, ok := range says {
		if !ok {
			report("package %s has no doc comment", pkg)
		}
	}
}

func noInit(files []file, report reporter) {
	for _, f := range production(files) {
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				report("%s:%d: func init; wire it in cmd/opsctl", f.name, f.fset.Position(fn.Pos()).Line)
			}
		}
	}
}

// Only main touches the process itself: its streams, its arguments, its exit.
func processLeftAlone(files []file, report reporter) {
	banned := map[string][]string{
		"fmt": {"Print", "Printf", "Println"},
		"os":  {"Stdout", "Stderr", "Stdin", "Args", "Exit"},
		"log": {"Print", "Printf", "Println", "Fatal", "Fatalf", "Fatalln"},
	}
	for _, f := range production(files) {
		if !within(f.pkg, "internal") || within(f.pkg, "internal/ui") {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if pkg, ok := sel.X.(*ast.Ident); ok && slices.Contains(banned[pkg.Name], sel.Sel.Name) {
				report("%s:%d: %s.%s; take a writer or report an event", f.name, f.fset.Position(n.Pos()).Line, pkg.Name, sel.Sel.Name)
			}
			return true
		})
	}
}

// The tree names nothing of the machine or the workshop it was made in.
func noForeignPaths(files []file, report reporter) {
	for _, f := range files {
		if f.pkg == "internal/archtest" {
			continue
		}
		for _, g := range f.syntax.Comments {
			for _, word := range []string{"/work/", "/root/"} {
				if strings.Contains(g.Text(), word) {
					report("%s:%d: a comment names %s", f.name, f.fset.Position(g.Pos()).Line, word)
				}
			}
		}
	}
}
