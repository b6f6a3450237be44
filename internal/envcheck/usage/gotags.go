package usage

import (
	"go/ast"
	"reflect"
	"strconv"
	"strings"
)

// goStruct is a struct that a library may fill from the environment.
type goStruct struct {
	name   string // "" when it is written in a field
	fields []goField
	tagged bool // a tag is about the environment
}

// goField is a field of such a struct.
type goField struct {
	use      Use    // whose name is without the prefix; none for a field without a tag
	name     string // of the field
	words    bool   // envconfig: split_words
	envs     bool   // it has envconfig's tags or none
	skipped  bool
	prefix   string // of the names in a struct
	pkg      string // the import path of the type's package; "" for this one
	kind     string // the name of the type
	inline   *goStruct
	many     bool // a slice or a map of the type
	embedded bool
}

// goRoot is a struct that a library is told to fill.
type goRoot struct {
	pkg, kind string // the import path of the type's package, "" for this one
	prefix    string
	envconfig bool
}

// structs reads the types of a declaration, and the variables that have one.
func (g *golangFile) structs(d ast.Decl) {
	decl, ok := d.(*ast.GenDecl)
	if !ok {
		return
	}
	for _, spec := range decl.Specs {
		if t, ok := spec.(*ast.TypeSpec); ok {
			if s, ok := t.Type.(*ast.StructType); ok {
				g.facts.structs = append(g.facts.structs, g.structure(t.Name.Name, s))
				g.read[s] = true
			}
		}
	}
}

// structure reads a struct.
func (g *golangFile) structure(name string, s *ast.StructType) goStruct {
	out := goStruct{name: name}
	if g.count > maxUses {
		return out
	}
	for _, field := range s.Fields.List {
		names := field.Names
		if len(names) == 0 {
			names = []*ast.Ident{nil}
		}
		for _, n := range names {
			f := g.field(n, field)
			out.tagged = out.tagged || f.use.Name != "" || f.prefix != "" || f.words || f.inline != nil && f.inline.tagged
			out.fields = append(out.fields, f)
		}
	}
	return out
}

// field reads a field, with its tag: env:"X,required", envPrefix:"DB_", envconfig:"X".
func (g *golangFile) field(name *ast.Ident, field *ast.Field) goField {
	g.count++
	f := goField{envs: true}
	g.fieldType(&f, field.Type)
	at := g.offset(field.Type)
	if f.embedded = name == nil; name != nil {
		f.name, at = name.Name, g.offset(name)
	}
	f.use = Use{File: g.name, Test: g.test, Lang: "go", Form: "tag envconfig"}
	f.use.Line, f.use.Col = g.position(at)
	if field.Tag == nil {
		return f
	}
	text, err := strconv.Unquote(field.Tag.Value)
	if err != nil {
		return f
	}
	tag := reflect.StructTag(text)
	g.mapped(tag, field.Tag)
	f.words = tag.Get("split_words") == "true"
	f.skipped = tag.Get("ignored") == "true" || tag.Get("env") == "-"
	for _, key := range []string{"envPrefix", "env-prefix"} {
		if p := tag.Get(key); isName(p) {
			f.prefix = p
		}
	}
	options := ""
	for _, key := range []string{"env", "envconfig"} {
		value, ok := tag.Lookup(key)
		if !ok {
			continue
		}
		var names string
		names, options, _ = strings.Cut(value, ",")
		f.envs = key == "envconfig"
		if _, p, ok := strings.Cut(options, "prefix="); ok && isName(p) { // env:", prefix=DB_"
			f.prefix = p
		}
		if key == "envconfig" {
			names = strings.ToUpper(names)
		}
		if !isUpper(names) {
			continue
		}
		f.use.Name, f.use.Form = names, "tag "+key
		at := g.offset(field.Tag)
		if n := strings.Index(field.Tag.Value, key+`:"`); n >= 0 {
			at += n + len(key) + 2
		}
		f.use.Line, f.use.Col = g.position(at)
	}
	for _, d := range []string{"envDefault", "default", "env-default"} {
		if _, has := tag.Lookup(d); has {
			f.use.Optional = true
		}
	}
	f.use.Optional = f.use.Optional || strings.Contains(options, "default=")
	f.use.Asserted = !f.use.Optional && (strings.Contains(options, "required") || strings.Contains(options, "notEmpty") ||
		tag.Get("required") == "true" || tag.Get("env-required") == "true")
	return f
}

// fieldType reads what a field holds.
func (g *golangFile) fieldType(f *goField, e ast.Expr) {
	for range maxClimb {
		switch t := e.(type) {
		case *ast.StarExpr:
			e = t.X
		case *ast.ArrayType:
			f.many, e = true, t.Elt
		case *ast.MapType:
			f.many, e = true, t.Value
		case *ast.Ident:
			f.kind = t.Name
			return
		case *ast.SelectorExpr:
			if x, ok := t.X.(*ast.Ident); ok {
				f.pkg, f.kind = g.pkgs[x.Name], t.Sel.Name
			}
			return
		case *ast.StructType:
			s := g.structure("", t)
			g.read[t] = true
			f.inline = &s
			return
		default:
			return
		}
	}
}

// process reads the calls that fill a struct: env.ParseWithOptions(&c, env.Options{Prefix:
// "X_"}), envconfig.Process("x", &c).
func (g *golangFile) process(pkg, name string, c *ast.CallExpr) {
	switch {
	case strings.HasSuffix(pkg, "/envconfig") && (name == "Process" || name == "MustProcess") && len(c.Args) == 2:
		if prefix := goText(c.Args[0]); prefix != "" || isEmptyText(c.Args[0]) {
			g.root(c.Args[1], goRoot{prefix: prefix, envconfig: true})
		}
	case strings.Contains(pkg, "caarlos0/env") && name == "ParseWithOptions" && len(c.Args) == 2:
		g.root(c.Args[0], goRoot{prefix: optionPrefix(c.Args[1])})
	case strings.Contains(pkg, "caarlos0/env") && name == "Parse" && len(c.Args) == 1:
		g.root(c.Args[0], goRoot{})
	}
}

func isEmptyText(e ast.Expr) bool {
	lit, ok := e.(*ast.BasicLit)
	return ok && len(lit.Value) == 2
}

// optionPrefix is Prefix of env.Options{…}.
func optionPrefix(e ast.Expr) string {
	lit, ok := e.(*ast.CompositeLit)
	if !ok {
		return ""
	}
	for _, el := range lit.Elts {
		if kv, ok := el.(*ast.KeyValueExpr); ok {
			if key, ok := kv.Key.(*ast.Ident); ok && key.Name == "Prefix" {
				return goText(kv.Value)
			}
		}
	}
	return ""
}

// root notes the type of what is filled.
func (g *golangFile) root(e ast.Expr, r goRoot) {
	if u, ok := e.(*ast.UnaryExpr); ok {
		e = u.X
	}
	var t ast.Expr
	switch x := e.(type) {
	case *ast.Ident:
		t = g.variables[x.Name]
	case *ast.CompositeLit:
		t = x.Type
	}
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	switch t := t.(type) {
	case *ast.Ident:
		r.kind = t.Name
	case *ast.SelectorExpr:
		x, ok := t.X.(*ast.Ident)
		if !ok {
			return
		}
		r.pkg, r.kind = g.pkgs[x.Name], t.Sel.Name
	case *ast.StructType: // var c struct { … }
		s := g.structure("", t)
		g.read[t] = true
		r.kind = "." + strconv.Itoa(int(t.Pos()))
		s.name = r.kind
		g.facts.structs = append(g.facts.structs, s)
	default:
		return
	}
	g.facts.roots = append(g.facts.roots, r)
}

// variablesOf notes the types of the variables in a declaration.
func (g *golangFile) variablesOf(n ast.Node) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			for i, name := range n.Names {
				switch {
				case n.Type != nil:
					g.variables[name.Name] = n.Type
				case i < len(n.Values):
					g.variable(name, n.Values[i])
				}
			}
		case *ast.AssignStmt:
			for i, to := range n.Lhs {
				if name, ok := to.(*ast.Ident); ok && len(n.Lhs) == len(n.Rhs) {
					g.variable(name, n.Rhs[i])
				}
			}
		case *ast.Field:
			for _, name := range n.Names {
				g.variables[name.Name] = n.Type
			}
		}
		return true
	})
}

func (g *golangFile) variable(name *ast.Ident, value ast.Expr) {
	if u, ok := value.(*ast.UnaryExpr); ok {
		value = u.X
	}
	switch v := value.(type) {
	case *ast.CompositeLit:
		g.variables[name.Name] = v.Type
	case *ast.CallExpr:
		if fn, ok := v.Fun.(*ast.Ident); ok && fn.Name == "new" && len(v.Args) == 1 {
			g.variables[name.Name] = v.Args[0]
		}
	}
}
