package usage

import (
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"maps"
	"path"
	"strconv"
	"strings"
)

// goFile is what the files of a package need to know of each other.
type goFile struct {
	dir, pkg string
	file     string
	structs  []goStruct
	roots    []goRoot
	viper    goViper
	consts   map[string]string // constants that hold a name
	wrappers map[string]int    // functions that read the variable of a parameter, as wrapper.code has them
	pending  []goPending
}

// goPending is a use by a constant, or a call, that another file may explain.
type goPending struct {
	use    Use
	name   string // constant
	callee string
	args   []Use // of a call: the texts among its arguments
	// dynamic is what it is when no file explains it.
	dynamic *Dynamic
}

// golangFile is a Go file being read.
type golangFile struct {
	*file
	syntax *ast.File
	base   int // what to take off a token.Pos for an offset
	pkgs   map[string]string
	dots   map[string]bool
	facts  goFile
	params []map[string]int // of the functions around, the innermost last
	funcs  []string
	checks *goChecks
	read   map[*ast.StructType]bool // those that belong to a type or a field
	// variables are the types of the names that are declared in the function being read.
	variables map[string]ast.Expr
}

// scanGo reads a Go file.
func (f *file) scanGo() {
	fset := token.NewFileSet()
	syntax, err := parser.ParseFile(fset, f.name, f.src, parser.SkipObjectResolution)
	if err != nil || syntax == nil {
		f.note(0, "does not parse as Go: its calls of os.Getenv are found by their text")
		f.goTokens()
		return
	}
	g := &golangFile{
		file: f, syntax: syntax, read: map[*ast.StructType]bool{}, variables: map[string]ast.Expr{}, base: fset.File(syntax.FileStart).Base(), pkgs: map[string]string{}, dots: map[string]bool{},
		facts: goFile{dir: path.Dir(f.name), file: f.name, pkg: syntax.Name.Name, consts: map[string]string{}, wrappers: map[string]int{}},
	}
	for _, imp := range syntax.Imports {
		p, _ := strconv.Unquote(imp.Path.Value)
		switch {
		case imp.Name == nil:
			g.pkgs[goBase(p)] = p
		case imp.Name.Name == ".":
			g.dots[p] = true
		default:
			g.pkgs[imp.Name.Name] = p
		}
	}
	for _, d := range syntax.Decls {
		g.constants(d)
		g.structs(d)
		if d, ok := d.(*ast.GenDecl); ok {
			g.variablesOf(d)
		}
	}
	ofPackage := g.variables
	g.check()
	for _, d := range syntax.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok {
			g.funcs = append(g.funcs, fn.Name.Name)
			g.params = append(g.params, paramsOf(fn.Type))
			g.variables = maps.Clone(ofPackage)
			g.variablesOf(fn)
			g.walk(fn)
			g.funcs, g.params = g.funcs[:len(g.funcs)-1], g.params[:len(g.params)-1]
			continue
		}
		g.walk(d)
	}
	f.golang = append(f.golang, g.facts)
}

// goBase is the name by which a package is known when its import gives none.
func goBase(p string) string {
	base := path.Base(p)
	if len(base) > 1 && base[0] == 'v' && strings.Trim(base[1:], "0123456789") == "" {
		base = path.Base(path.Dir(p))
	}
	return base
}

func paramsOf(t *ast.FuncType) map[string]int {
	out, n := map[string]int{}, 0
	for _, field := range t.Params.List {
		for _, name := range field.Names {
			out[name.Name] = n
			n++
		}
		if len(field.Names) == 0 {
			n++
		}
	}
	return out
}

// constants notes the constants of the package that hold a text.
func (g *golangFile) constants(d ast.Decl) {
	decl, ok := d.(*ast.GenDecl)
	if !ok || decl.Tok != token.CONST {
		return
	}
	for _, spec := range decl.Specs {
		v, ok := spec.(*ast.ValueSpec)
		if !ok {
			continue
		}
		for i, name := range v.Names {
			if i < len(v.Values) {
				if text := goText(v.Values[i]); isName(text) {
					g.facts.consts[name.Name] = text
				}
			}
		}
	}
}

func goText(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return ""
	}
	text, _ := strconv.Unquote(lit.Value)
	return text
}

// walk reads a declaration.
func (g *golangFile) walk(n ast.Node) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			g.call(n)
		case *ast.StructType:
			if !g.read[n] { // of no type with a name: nothing is known of its prefix
				g.facts.structs = append(g.facts.structs, g.structure("."+strconv.Itoa(int(n.Pos())), n))
			}
		case *ast.KeyValueExpr: // urfave/cli: EnvVars: []string{"X"}
			if key, ok := n.Key.(*ast.Ident); ok && (key.Name == "EnvVars" || key.Name == "EnvVar") {
				g.texts(n.Value, "cli")
			}
		case *ast.BasicLit:
			if text := goText(n); g.known[text] {
				g.mention(text, formMention, g.offset(n)+1)
			}
		case *ast.Ident:
			if g.known[n.Name] {
				g.mention(n.Name, formMention, g.offset(n))
			}
		}
		return true
	})
}

func (g *golangFile) offset(n ast.Node) int { return int(n.Pos()) - g.base }

// function is the package and the name of what is called: "os" and "Getenv".
func (g *golangFile) function(e ast.Expr) (pkg, name string) {
	switch e := e.(type) {
	case *ast.SelectorExpr:
		if x, ok := e.X.(*ast.Ident); ok {
			return g.pkgs[x.Name], e.Sel.Name
		}
		return "", e.Sel.Name
	case *ast.Ident:
		for p := range g.dots {
			if p == "os" || p == "syscall" {
				if e.Name == "Getenv" || e.Name == "LookupEnv" || e.Name == "ExpandEnv" || e.Name == "Environ" {
					return p, e.Name
				}
			}
		}
		return "", e.Name
	}
	return "", ""
}

func (g *golangFile) call(c *ast.CallExpr) {
	pkg, name := g.function(c.Fun)
	if pkg != "os" && pkg != "syscall" {
		g.process(pkg, name, c)
		g.viper(pkg, name, c)
		switch {
		case name == "BindEnv" && len(c.Args) > 1:
			for _, a := range c.Args[1:] {
				g.texts(a, "viper")
			}
		case name == "EnvVars" && strings.Contains(pkg, "urfave/cli"):
			for _, a := range c.Args {
				g.texts(a, "cli")
			}
		case pkg == "" && len(c.Args) > 0:
			g.maybeWrapper(c)
		}
		return
	}
	switch {
	case name == "Environ":
		d := Dynamic{Form: pkg + ".Environ", Whole: true}
		g.cannotKnow(d, g.offset(c))
	case len(c.Args) == 0:
	case name == "ExpandEnv":
		g.expand(c.Args[0])
	case name == "Getenv" || name == "LookupEnv":
		form := pkg + "." + name
		g.lookup(c, Use{Form: form, Optional: name == "LookupEnv"})
	}
}

// lookup reads a call whose first argument is the name.
func (g *golangFile) lookup(c *ast.CallExpr, u Use) {
	switch g.checks.verdict(c) {
	case checked:
		u.Optional = true
	case needed:
		u.Optional, u.Asserted = false, true
	case unchecked:
	}
	arg := c.Args[0]
	at := g.offset(arg)
	if text := goText(arg); isName(text) {
		u.Name = text
		g.use(u, at+1)
		return
	}
	d := Dynamic{Form: u.Form + "(...)", File: g.name, Test: g.test}
	d.Line, d.Col = g.position(g.offset(c))
	id, ok := arg.(*ast.Ident)
	if !ok {
		g.cannotKnow(d, g.offset(c))
		return
	}
	if len(g.params) > 0 {
		if n, ok := g.params[len(g.params)-1][id.Name]; ok {
			g.facts.wrappers[g.funcs[len(g.funcs)-1]] = wrapper{argument: n, lenient: u.Optional}.code()
			g.cannotKnow(d, g.offset(c))
			return
		}
	}
	u.File, u.Test, u.Lang = g.name, g.test, "go"
	u.Line, u.Col = g.position(at)
	g.pend(goPending{use: u, name: id.Name, dynamic: &d})
}

func (g *golangFile) pend(p goPending) {
	if g.count++; g.count <= maxUses {
		g.facts.pending = append(g.facts.pending, p)
	}
}

// maybeWrapper keeps a call with names among its arguments: its function may read them.
func (g *golangFile) maybeWrapper(c *ast.CallExpr) {
	_, name := g.function(c.Fun)
	if name == "" { // a function literal, or one of a type with parameters
		return
	}
	p := goPending{callee: name}
	found := false
	for i, a := range c.Args {
		u := Use{Name: goText(a), File: g.name, Test: g.test, Lang: langName(golang, ""), Form: name + "()", Optional: i+1 < len(c.Args)}
		if i > 3 || !isUpper(u.Name) {
			u.Name = ""
		} else {
			u.Line, u.Col = g.position(g.offset(a) + 1)
			found = true
		}
		p.args = append(p.args, u)
	}
	if found {
		g.pend(p)
	}
}

// texts takes every text in an expression for a name.
func (g *golangFile) texts(e ast.Expr, form string) {
	ast.Inspect(e, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok {
			if text := goText(lit); isName(text) {
				g.use(Use{Name: text, Form: form, Optional: true}, g.offset(lit)+1)
			}
		}
		return true
	})
}

// expand reads the names in os.ExpandEnv("$X ${Y}").
func (g *golangFile) expand(e ast.Expr) {
	text := goText(e)
	if text == "" {
		g.cannotKnow(Dynamic{Form: "os.ExpandEnv(...)"}, g.offset(e))
		return
	}
	references(text, func(name string, at int) { // at is right where the text has no escapes
		g.use(Use{Name: name, Form: "os.ExpandEnv"}, min(g.offset(e)+1+at, int(e.End())-g.base))
	})
}

// goTokens finds calls in a file that does not parse.
func (f *file) goTokens() {
	var s scanner.Scanner
	fset := token.NewFileSet()
	src := []byte(f.src)
	tf := fset.AddFile(f.name, -1, len(src))
	s.Init(tf, src, nil, 0)
	var last [4]string
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			return
		}
		text := lit
		if text == "" {
			text = tok.String()
		}
		if tok == token.STRING && last[0] == "os" && last[1] == "." && (last[2] == "Getenv" || last[2] == "LookupEnv") && last[3] == "(" {
			name, _ := strconv.Unquote(lit)
			f.use(Use{Name: name, Form: "os." + last[2], Optional: last[2] == "LookupEnv"}, tf.Offset(pos)+1)
		}
		last = [4]string{last[1], last[2], last[3], text}
	}
}
