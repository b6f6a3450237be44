package nextconfig

import (
	"fmt"
	"slices"
	"strings"
)

// declKind is how a name comes to be.
type declKind int

const (
	variable  declKind = iota // const, let or var with an initial value
	funcDecl                  // function name() {}
	parameter                 // of a function, or of catch
	imported                  // from another module
	other                     // a destructured variable, one without a value, a class
)

// decl is a declaration of a name.
type decl struct {
	name    string
	kind    declKind
	at      int  // the token of the name
	scope   span // the tokens in which it holds
	init    span // a variable's initial value
	typed   bool // declared as a NextConfig, in TypeScript
	doc     bool // or in a comment
	isConst bool
	fn      *function
}

// function is a function of any form.
type function struct {
	start  int  // the keyword, or where an arrow function's parameters begin
	name   int  // token of its name, or -1
	params span // tokens
	body   span // tokens: with the braces, or the expression of an arrow function
	block  bool // the body has braces
}

// maxDecls is how often a name is declared at most; looking a name up takes that long.
const maxDecls = 1000

// scopes finds functions, declarations and imports.
func (f *file) scopes() error {
	f.decls, f.changed = map[string][]*decl{}, map[*decl][]change{}
	for i := range f.toks {
		t := &f.toks[i]
		switch {
		case t.kind == punct && t.text == "(":
			f.readParams(i)
		case t.kind != ident || f.isName(i):
		case f.is(i+1, "=>"):
			f.addFunction(&function{start: i, name: -1, params: span{i, i + 1}}, i+2)
		case t.text == "function":
			f.readFunction(i)
		case t.text == "const" || t.text == "let" || t.text == "var":
			f.readVariables(i)
		case t.text == "class" && f.isIdent(i+1):
			f.declare(&decl{name: f.text(i + 1), kind: other, at: i + 1, scope: f.block(i)})
		case t.text == "import" && t.parent < 0 && !f.is(i+1, "(") && !f.is(i+1, "."):
			f.readImport(i)
		}
	}
	for name, ds := range f.decls {
		if len(ds) > maxDecls {
			return fmt.Errorf("it declares %s %d times: %w", name, len(ds), errBounds)
		}
	}
	return nil
}

func (f *file) declare(d *decl) { f.decls[d.name] = append(f.decls[d.name], d) }

// block is the innermost block around a token, which may be the whole file.
func (f *file) block(i int) span {
	for p := f.toks[i].parent; p >= 0; p = f.toks[p].parent {
		if f.is(p, "{") {
			return span{p, f.toks[p].match + 1}
		}
	}
	return span{-1, len(f.toks)}
}

func (f *file) readImport(i int) {
	end := f.exprEnd(i)
	for f.is(end, ",") { // import a, { b } from "c"
		end = f.exprEnd(end + 1)
	}
	for j := i + 1; j < end; j++ {
		if f.isIdent(j) && !f.is(j, "from") && !f.is(j+1, "as") {
			f.declare(&decl{name: f.text(j), kind: imported, at: j, scope: span{-1, len(f.toks)}})
		}
	}
	f.imports = append(f.imports, span{i, f.skipSemicolon(end)})
}

// skipSemicolon skips the semicolon that ends a statement. One in the next line is
// there for the statement that it begins.
func (f *file) skipSemicolon(i int) int {
	if f.is(i, ";") && !f.toks[i].newline {
		return i + 1
	}
	return i
}

func (f *file) readVariables(i int) {
	isConst, scope := f.is(i, "const"), f.block(i)
	for j := i + 1; j < len(f.toks); j++ {
		at := j
		d := &decl{name: f.text(at), kind: other, at: at, scope: scope, isConst: isConst}
		switch {
		case f.is(at, "{") || f.is(at, "["):
			j = f.toks[at].match + 1
			for k := at + 1; k < j; k++ {
				if f.isIdent(k) {
					f.declare(&decl{name: f.text(k), kind: other, at: k, scope: scope})
				}
			}
		case f.isIdent(at):
			f.declare(d)
			j++
		default:
			return
		}
		if f.is(j, "!") {
			j++
		}
		if f.is(j, ":") {
			end := f.skipType(j + 1)
			if end < 0 {
				return
			}
			d.typed, j = f.namesConfig(span{j, end}), end
		}
		if f.is(j, "=") {
			d.init = span{j + 1, f.exprEnd(j + 1)}
			if f.isIdent(at) {
				d.kind = variable
			}
			j = d.init.end
		}
		d.doc = f.docType(i)
		if !f.is(j, ",") {
			return
		}
	}
}

// readFunction reads the function whose keyword is token i.
func (f *file) readFunction(i int) {
	j := i + 1
	if f.is(j, "*") {
		j++
	}
	fn := &function{start: i, name: -1}
	if f.isIdent(j) {
		fn.name = j
		j++
	}
	if f.is(j, "<") {
		if j = f.skipAngles(j); j < 0 {
			return
		}
	}
	if !f.is(j, "(") {
		return
	}
	end := f.toks[j].match + 1
	fn.params = span{j, end}
	if f.is(end, ":") {
		end = f.skipType(end + 1)
	}
	if !f.is(end, "{") {
		return
	}
	f.addFunction(fn, end)
	if fn.name >= 0 && f.isStatement(i) {
		f.declare(&decl{name: f.text(fn.name), kind: funcDecl, at: fn.name, scope: f.block(i), fn: fn})
	}
}

// isStatement tells whether the function keyword at token i begins a declaration.
func (f *file) isStatement(i int) bool {
	if f.is(i-1, "async") {
		i--
	}
	if i == 0 || f.is(i-1, ";") || f.is(i-1, "{") || f.is(i-1, "}") || f.is(i-1, "export") || f.is(i-1, "default") {
		return true
	}
	return f.endsStatement(i)
}

// readParams looks for a function whose parameters are in the brackets at token i: an
// arrow function, a method or a catch clause.
func (f *file) readParams(i int) {
	params := span{i, f.toks[i].match + 1}
	next := params.end
	if f.is(next, ":") {
		if next = f.skipType(next + 1); next < 0 {
			return
		}
	}
	switch {
	case f.is(next, "=>"):
		f.addFunction(&function{start: i, name: -1, params: params}, next+1)
	case f.is(next, "{") && f.isMethod(i-1):
		f.addFunction(&function{start: i, name: -1, params: params}, next)
	}
}

// isMethod tells whether token i can be the name of a method, or catch.
func (f *file) isMethod(i int) bool {
	if i < 0 {
		return false
	}
	switch f.text(i) {
	case "if", "for", "while", "switch", "with", "function":
		return false
	}
	return f.isIdent(i) || f.toks[i].kind == str || f.is(i, "]")
}

// addFunction completes a function whose body begins at token i. Every name in its
// parameters counts as a parameter: types and default values too, which no
// configuration is hidden by.
func (f *file) addFunction(fn *function, i int) {
	if i >= len(f.toks) {
		return
	}
	if fn.block = f.is(i, "{"); fn.block {
		fn.body = span{i, f.toks[i].match + 1}
	} else {
		fn.body = span{i, f.exprEnd(i)}
	}
	f.funcs = append(f.funcs, fn)
	for j := fn.params.start; j < fn.params.end; j++ {
		if f.isIdent(j) {
			f.declare(&decl{name: f.text(j), kind: parameter, at: j, scope: span{fn.params.start, fn.body.end}})
		}
	}
}

// functionIn is the function that an expression consists of, or nil.
func (f *file) functionIn(expr span) *function {
	start := expr.start
	if f.is(start, "async") && !f.is(start+1, "=>") {
		start++
	}
	for _, fn := range f.funcs {
		if fn.start == start && fn.body.end == expr.end {
			return fn
		}
	}
	return nil
}

// resolve finds the declaration that a name at token i means. It is nil when there is
// none, or two in the same place.
func (f *file) resolve(i int) *decl {
	var found *decl
	twice := false
	for _, d := range f.decls[f.text(i)] {
		if i < d.scope.start || i >= d.scope.end {
			continue
		}
		switch {
		case found == nil || d.scope.start > found.scope.start:
			found, twice = d, false
		case d.scope.start == found.scope.start && d.at != found.at:
			twice = twice || d.kind != parameter
		}
	}
	if twice {
		return nil
	}
	return found
}

// skipType is the index after the type that begins at token i, or -1.
func (f *file) skipType(i int) int {
	for i < len(f.toks) {
		for f.is(i, "|") || f.is(i, "&") || f.is(i, "keyof") || f.is(i, "typeof") || f.is(i, "readonly") || f.is(i, "asserts") {
			i++
		}
		switch {
		case f.is(i, "(") || f.is(i, "{") || f.is(i, "["):
			i = f.toks[i].match + 1
			if f.is(i, "=>") {
				i++
				continue
			}
		case i < len(f.toks) && f.toks[i].kind != punct:
			i++
		default:
			return -1
		}
		if i = f.skipTypeTail(i); i < 0 {
			return -1
		}
		if f.is(i, "is") && !f.toks[i].newline {
			i++
			continue
		}
		if !f.is(i, "|") && !f.is(i, "&") {
			return i
		}
	}
	return -1
}

// skipTypeTail skips members, type arguments and array brackets behind a type.
func (f *file) skipTypeTail(i int) int {
	for {
		switch {
		case f.is(i, ".") && f.isIdent(i+1):
			i += 2
		case f.is(i, "<"):
			if i = f.skipAngles(i); i < 0 {
				return -1
			}
		case f.is(i, "[") && !f.toks[i].newline, f.is(i, "(") && f.is(i-1, "import"):
			i = f.toks[i].match + 1
		default:
			return i
		}
	}
}

// skipAngles is the index after the type arguments that begin at token i, or -1.
func (f *file) skipAngles(i int) int {
	for depth := 0; i < len(f.toks); i++ {
		switch {
		case f.is(i, "<"):
			depth++
		case f.is(i, ">"):
			if depth--; depth == 0 {
				return i + 1
			}
		case f.is(i, "(") || f.is(i, "[") || f.is(i, "{"):
			i = f.toks[i].match
		case f.is(i, ";") || f.is(i, ")") || f.is(i, "]") || f.is(i, "}"):
			return -1
		}
	}
	return -1
}

// namesConfig tells whether a type is Next.js's own for a configuration.
func (f *file) namesConfig(typ span) bool {
	for i := typ.start; i < typ.end; i++ {
		if f.isIdent(i) && strings.Contains(f.text(i), "NextConfig") {
			return true
		}
	}
	return false
}

// docType tells whether a comment right before token i says that it is a NextConfig.
func (f *file) docType(i int) bool {
	for _, c := range f.commentsBefore(i) {
		if text := f.src[c.start:c.end]; strings.Contains(text, "@type") && strings.Contains(text, "NextConfig") {
			return true
		}
	}
	return false
}

// commentsBefore are the comments between token i and the one before it.
func (f *file) commentsBefore(i int) []span {
	from, to := 0, len(f.src)
	if i > 0 {
		from = f.toks[i-1].end
	}
	if i < len(f.toks) {
		to = f.toks[i].start
	}
	at := func(offset int) int {
		n, _ := slices.BinarySearchFunc(f.comments, offset, func(c span, o int) int { return c.start - o })
		return n
	}
	return f.comments[at(from):at(to)]
}
