package envcheck

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opsctl/opsctl/internal/errs"
)

// TestRuleExamples runs what the documentation shows: each bad example is reported by
// its rule, at its level and line, and each good one is not, nor is anything else an
// error in it.
func TestRuleExamples(t *testing.T) {
	for _, r := range Rules() {
		t.Run(r.ID, func(t *testing.T) {
			for i, e := range r.Examples {
				if e.Scan {
					continue // see report.TestScanExamples
				}
				want := fmt.Sprintf("%s %s %s", e.Place(), r.ID, e.WantLevel(r))
				report, text := runExample(t, e, true)
				if !slices.ContainsFunc(report.Findings, func(f Finding) bool { return place1(f)+" "+f.Rule+" "+string(f.Level) == want }) {
					t.Errorf("example %d: the bad one is not reported as %q:\n%s", i, want, text)
				}
				report, text = runExample(t, e, false)
				if slices.ContainsFunc(report.Findings, func(f Finding) bool { return f.Rule == r.ID || f.Level == Error }) {
					t.Errorf("example %d: the good one is reported:\n%s", i, text)
				}
			}
		})
	}
}

// place1 is a finding's place as an example gives it.
func place1(f Finding) string {
	if f.File == ProcessName {
		return f.File
	}
	return f.File + ":" + strconv.Itoa(f.Line)
}

func runExample(t *testing.T, e Example, bad bool) (*Report, string) {
	t.Helper()
	r, err := e.Run(context.Background(), bad)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range r.Findings {
		if _, ok := FindRule(f.Rule); !ok {
			t.Errorf("the rule %s has no description", f.Rule)
		}
		fmt.Fprintf(&b, "%s:%d:%d %s %s %s | %s\n", f.File, f.Line, f.Col, f.Rule, f.Level, f.Message, f.Fix)
	}
	return r, b.String()
}

// TestRulesAreDescribed holds the descriptions to a form.
func TestRulesAreDescribed(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Rules() {
		switch {
		case seen[r.ID]:
			t.Errorf("%s is described twice", r.ID)
		case r.Level != Error && r.Level != Warning && r.Level != Info:
			t.Errorf("%s: level %q", r.ID, r.Level)
		case r.What == "" || strings.HasSuffix(r.What, ".") || strings.Contains(r.What, "\n"):
			t.Errorf("%s: What is one line without full stop: %q", r.ID, r.What)
		case !strings.HasSuffix(r.Why, ".") && !strings.HasSuffix(r.Why, ").") || !strings.HasSuffix(r.Fix, "."):
			t.Errorf("%s: Why and Fix are sentences", r.ID)
		case len(r.Examples) == 0:
			t.Errorf("%s has no example", r.ID)
		case !slices.ContainsFunc(r.Examples, func(e Example) bool { return e.WantLevel(r) == r.Level }):
			t.Errorf("%s: no example at its worst level", r.ID)
		}
		seen[r.ID] = true
	}
}

// TestEveryReportedRuleIsDescribed reads this package's source, and that of the packages
// below it, for the ids that are given to findings.
func TestEveryReportedRuleIsDescribed(t *testing.T) {
	reported := map[string]string{}
	err := filepath.WalkDir(".", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			return err
		}
		consts := constants(file)
		ast.Inspect(file, func(n ast.Node) bool {
			for _, id := range idsOf(n, consts) {
				reported[id] = fset.Position(n.Pos()).String()
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(reported) < 60 {
		t.Fatalf("only %d ids were found: the test looks in the wrong place", len(reported))
	}
	for id, where := range reported {
		if _, ok := FindRule(id); !ok {
			t.Errorf("%s: the rule %s has no description in rules*.go", where, id)
		}
	}
	for _, r := range Rules() {
		if reported[r.ID] == "" {
			t.Errorf("%s is described, but nothing reports it", r.ID)
		}
	}
}

// idsOf gives the rule ids that a piece of source reports: the field Rule of a Finding,
// rule of a verdict or a repair, and the argument of the methods that make a finding.
func idsOf(n ast.Node, consts map[string]string) []string {
	var exprs []ast.Expr
	switch n := n.(type) {
	case *ast.KeyValueExpr:
		if key, ok := n.Key.(*ast.Ident); ok && (key.Name == "Rule" || key.Name == "rule") {
			exprs = append(exprs, n.Value)
		}
	case *ast.AssignStmt:
		for i, left := range n.Lhs {
			if sel, ok := left.(*ast.SelectorExpr); ok && sel.Sel.Name == "Rule" && i < len(n.Rhs) {
				exprs = append(exprs, n.Rhs[i])
			}
		}
	case *ast.CallExpr:
		at := map[string]int{"at": 1, "line": 2, "report": 1}
		if sel, ok := n.Fun.(*ast.SelectorExpr); ok {
			if i, ok := at[sel.Sel.Name]; ok && i < len(n.Args) {
				exprs = append(exprs, n.Args[i])
			}
		}
	}
	var out []string
	for _, e := range exprs {
		id := literal(e)
		if name, ok := e.(*ast.Ident); ok {
			id = consts[name.Name]
		}
		if id != "" {
			out = append(out, id)
		}
	}
	return out
}

// literal is the text of a string literal.
func literal(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return ""
	}
	s, err := strconv.Unquote(lit.Value)
	if err != nil {
		return ""
	}
	return s
}

// constants are the texts that a file gives names to.
func constants(file *ast.File) map[string]string {
	out := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			for i, name := range spec.Names {
				if i < len(spec.Values) {
					out[name.Name] = literal(spec.Values[i])
				}
			}
		}
		return true
	})
	return out
}

func TestUnknownRule(t *testing.T) {
	for id, want := range map[string]string{"e-dolar": "E-DOLLAR", "local-hots": "local-host", "schema-typ": "schema-type"} {
		var e *errs.Error
		if err := UnknownRule(id); !errors.As(err, &e) || e.Code != errs.Usage || e.Hint != "did you mean "+want+"?" {
			t.Errorf("%s: %v, hint %q", id, err, e.Hint)
		}
	}
	if r, ok := FindRule("e-dollar"); !ok || r.ID != "E-DOLLAR" {
		t.Error("ids are found whatever the case")
	}
}
