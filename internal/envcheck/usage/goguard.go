package usage

import (
	"go/ast"
	"go/token"
	"maps"
	"slices"
	"strings"
)

// goChecks is what a file does where a variable is missing.
type goChecks struct {
	*golangFile
	verdicts map[*ast.CallExpr]verdict
	guards   []goGuard
	names    map[string][]goName
}

// goGuard is code that runs only where the variable that a call reads is there.
type goGuard struct {
	key      string
	from, to token.Pos
}

// goName is a name that was assigned at a place: the value of a call, whether there was
// one (ok), or the error of its conversion (err).
type goName struct {
	at   token.Pos
	call *ast.CallExpr // nil: something else
	kind goNameKind
}

type goNameKind int

const (
	goValue goNameKind = iota
	goFound
	goError
)

// check reads the checks of a file.
func (g *golangFile) check() {
	c := &goChecks{golangFile: g, verdicts: map[*ast.CallExpr]verdict{}}
	c.names = map[string][]goName{}
	for _, d := range g.syntax.Decls {
		if d, ok := d.(*ast.GenDecl); ok {
			c.assigned(d)
		}
	}
	ofPackage := c.names
	for _, d := range g.syntax.Decls {
		if _, ok := d.(*ast.FuncDecl); ok {
			c.names = maps.Clone(ofPackage)
			c.assigned(d)
		}
		c.within(d, nil)
	}
	g.checks = c
}

// assigned notes the names of a declaration, in their order.
func (c *goChecks) assigned(n ast.Node) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			c.assign(n.Pos(), n.Lhs, n.Rhs)
		case *ast.ValueSpec:
			names := make([]ast.Expr, len(n.Names))
			for i, name := range n.Names {
				names[i] = name
			}
			c.assign(n.Pos(), names, n.Values)
		}
		return true
	})
}

// within reads the checks in a node, in a function of a type.
func (c *goChecks) within(n ast.Node, fn *ast.FuncType) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Body != nil {
				c.within(n.Body, n.Type)
			}
			return false
		case *ast.FuncLit:
			c.within(n.Body, n.Type)
			return false
		case *ast.BlockStmt:
			c.block(n.List, n.End(), fn)
		case *ast.CaseClause:
			c.block(n.Body, n.End(), fn)
		case *ast.SwitchStmt:
			if call, _ := c.value(n.Tag); call != nil {
				c.judge(call, checked)
			}
		case *ast.BinaryExpr:
			if n.Op != token.LAND && n.Op != token.LOR { // to go down those at each level would take quadratic time
				c.condition(n)
			}
		case *ast.CallExpr:
			if pkg, name := c.function(n.Fun); pkg == "cmp" && name == "Or" && len(n.Args) > 1 {
				for _, a := range n.Args[:len(n.Args)-1] {
					if call, _ := c.value(a); call != nil {
						c.judge(call, checked)
					}
				}
			}
		}
		return true
	})
}

// judge keeps the worst that happens.
func (c *goChecks) judge(call *ast.CallExpr, v verdict) {
	c.verdicts[call] = max(c.verdicts[call], v)
}

// reading is the call that reads a variable, in an expression that at most changes its
// letters or cuts spaces.
func (c *goChecks) reading(e ast.Expr) *ast.CallExpr {
	for range maxClimb {
		switch x := e.(type) {
		case *ast.ParenExpr:
			e = x.X
		case *ast.CallExpr:
			pkg, name := c.function(x.Fun)
			switch {
			case (pkg == "os" || pkg == "syscall") && (name == "Getenv" || name == "LookupEnv") && len(x.Args) == 1:
				return x
			case pkg == "strings" && len(x.Args) > 0:
				e = x.Args[0]
			default:
				return nil
			}
		default:
			return nil
		}
	}
	return nil
}

// assign notes the names that a statement gives a value.
func (c *goChecks) assign(at token.Pos, to, from []ast.Expr) {
	note := func(e ast.Expr, call *ast.CallExpr, kind goNameKind) {
		if id, ok := e.(*ast.Ident); ok && id.Name != "_" && len(c.names[id.Name]) < maxBindings {
			c.names[id.Name] = append(c.names[id.Name], goName{at, call, kind})
		}
	}
	if len(to) != len(from) && (len(to) != 2 || len(from) != 1) {
		return
	}
	if len(to) == len(from) {
		for i, e := range to {
			note(e, c.reading(from[i]), goValue)
		}
		return
	}
	if call := c.reading(from[0]); call != nil { // v, ok := os.LookupEnv("X")
		note(to[0], call, goValue)
		note(to[1], call, goFound)
		return
	}
	var call *ast.CallExpr
	if conversion, ok := from[0].(*ast.CallExpr); ok && len(conversion.Args) > 0 { // n, err := strconv.Atoi(os.Getenv("X"))
		if call = c.reading(conversion.Args[0]); call == nil {
			call, _ = c.value(conversion.Args[0])
		}
	}
	note(to[0], nil, goValue)
	note(to[1], call, goError)
	if id, ok := to[1].(*ast.Ident); ok && id.Name == "_" && call != nil {
		c.judge(call, checked) // what cannot be converted is its zero value
	}
}

// value is the call whose result, or what is known of it, an expression is.
func (c *goChecks) value(e ast.Expr) (*ast.CallExpr, goNameKind) {
	if e == nil {
		return nil, 0
	}
	if call := c.reading(e); call != nil {
		return call, goValue
	}
	id, ok := e.(*ast.Ident)
	if !ok {
		return nil, 0
	}
	var last goName
	for _, n := range c.names[id.Name] {
		if n.at < e.Pos() {
			last = n
		}
	}
	return last.call, last.kind
}

// goFacts is what a condition says: where it is true, the variables of present are
// there; where one of absent is missing, it is true. Soft is a comparison with a value.
type goFacts struct {
	present, absent []*ast.CallExpr
	soft            bool
}

// condition reads a condition; what it looks at is checked.
func (c *goChecks) condition(e ast.Expr) goFacts {
	var f goFacts
	switch e := e.(type) {
	case *ast.ParenExpr:
		return c.condition(e.X)
	case *ast.UnaryExpr:
		if f = c.condition(e.X); e.Op == token.NOT {
			f.present, f.absent = f.absent, f.present
		}
	case *ast.Ident:
		if call, kind := c.value(e); call != nil && kind == goFound {
			f.present = append(f.present, call)
			c.judge(call, checked)
		}
	case *ast.BinaryExpr:
		switch e.Op {
		case token.LAND, token.LOR:
			a, b := c.condition(e.X), c.condition(e.Y)
			f.soft = a.soft || b.soft
			if f.present = append(a.present, b.present...); e.Op == token.LAND {
				f.absent = both(a.absent, b.absent)
			} else {
				f.present, f.absent = both(a.present, b.present), append(a.absent, b.absent...)
			}
		case token.EQL, token.NEQ, token.GTR, token.GEQ, token.LSS, token.LEQ:
			f = c.compared(e)
		}
	}
	return f
}

func both(a, b []*ast.CallExpr) []*ast.CallExpr {
	return slices.DeleteFunc(slices.Clone(a), func(x *ast.CallExpr) bool { return !slices.Contains(b, x) })
}

// compared reads v == "", len(v) > 0, err != nil.
func (c *goChecks) compared(e *ast.BinaryExpr) goFacts {
	var f goFacts
	x := e.X
	if l, ok := x.(*ast.CallExpr); ok && len(l.Args) == 1 {
		if id, ok := l.Fun.(*ast.Ident); ok && id.Name == "len" {
			x = l.Args[0]
		}
	}
	call, kind := c.value(x)
	if call == nil {
		return f
	}
	c.judge(call, checked)
	lit, isLit := e.Y.(*ast.BasicLit)
	empty := isLit && (lit.Value == `""` || lit.Value == "``" || lit.Value == "0")
	f.soft = !empty && kind == goValue
	present := e.Op == token.NEQ || e.Op == token.GTR
	if kind == goError || f.soft {
		present = e.Op == token.EQL
	}
	if present {
		f.present = append(f.present, call)
	} else {
		f.absent = append(f.absent, call)
	}
	return f
}

// block looks at the conditions among the statements of a block that ends at a place.
func (c *goChecks) block(list []ast.Stmt, end token.Pos, fn *ast.FuncType) {
	for i, s := range list {
		if s, ok := s.(*ast.IfStmt); ok {
			c.branches(s, list[i+1:], end, fn)
		}
	}
}

func (c *goChecks) branches(s *ast.IfStmt, rest []ast.Stmt, end token.Pos, fn *ast.FuncType) {
	facts := c.condition(s.Cond)
	body := goOutcome(s.Body.List, fn)
	otherwise := goesOn
	if e, ok := s.Else.(*ast.BlockStmt); ok {
		otherwise = goOutcome(e.List, fn)
	} else if s.Else == nil && body != goesOn {
		otherwise = goOutcome(rest, fn)
		if len(rest) == 1 && otherwise == fails && body == fails {
			otherwise = goesOn
		}
	}
	for _, call := range facts.present {
		c.guard(call, s.Body.Pos(), s.Body.End())
		if otherwise == fails && !facts.soft {
			c.judge(call, needed)
		}
	}
	for _, call := range facts.absent {
		if body == fails && !facts.soft && !c.guarded(call, s.Pos()) { // where it is there, and cannot be converted
			c.judge(call, needed)
		}
		if s.Else != nil {
			c.guard(call, s.Else.Pos(), s.Else.End())
		}
		if body != goesOn {
			c.guard(call, s.End(), end)
		}
	}
	if e, ok := s.Else.(*ast.IfStmt); ok {
		c.branches(e, rest, end, fn)
	}
}

func (c *goChecks) guard(call *ast.CallExpr, from, to token.Pos) {
	if len(c.guards) < maxUses {
		c.guards = append(c.guards, goGuard{goKey(call), from, to})
	}
}

// goKey is what a call is given as the name.
func goKey(call *ast.CallExpr) string {
	if id, ok := call.Args[0].(*ast.Ident); ok {
		return "." + id.Name
	}
	return goText(call.Args[0])
}

// verdict is what a call's result is used for.
func (c *goChecks) verdict(call *ast.CallExpr) verdict {
	v := c.verdicts[call]
	if v == unchecked && c.guarded(call, call.Pos()) {
		return checked
	}
	return v
}

func (c *goChecks) guarded(call *ast.CallExpr, at token.Pos) bool {
	return slices.ContainsFunc(c.guards, func(g goGuard) bool { return g.key == goKey(call) && at >= g.from && at < g.to })
}

// goOutcome is what the statements do to those behind them.
func goOutcome(list []ast.Stmt, fn *ast.FuncType) outcome {
	if len(list) == 0 {
		return goesOn
	}
	switch s := list[len(list)-1].(type) {
	case *ast.BranchStmt:
		return leaves
	case *ast.ReturnStmt:
		if fn == nil || fn.Results == nil || len(s.Results) == 0 {
			return leaves
		}
		kind, ok := fn.Results.List[len(fn.Results.List)-1].Type.(*ast.Ident)
		last, isIdent := s.Results[len(s.Results)-1].(*ast.Ident)
		if ok && kind.Name == "error" && (!isIdent || last.Name != "nil") && len(s.Results) == fn.Results.NumFields() {
			return fails
		}
		return leaves
	case *ast.ExprStmt:
		call, ok := s.X.(*ast.CallExpr)
		if !ok {
			return goesOn
		}
		switch fn := call.Fun.(type) {
		case *ast.Ident:
			switch fn.Name {
			case "panic", "die", "fatal", "fatalf", "fail", "exitf":
				return fails
			}
		case *ast.SelectorExpr:
			name := fn.Sel.Name
			switch {
			case name == "Exit" && len(call.Args) == 1:
				if lit, ok := call.Args[0].(*ast.BasicLit); ok && lit.Value == "0" {
					return leaves
				}
				return fails
			case strings.HasPrefix(name, "Fatal"), strings.HasPrefix(name, "Panic"):
				return fails
			case strings.HasPrefix(name, "Skip"):
				return leaves
			}
		}
	}
	return goesOn
}
