package usage

import (
	"strings"

	"github.com/opsctl/opsctl/internal/envcheck/usage/jslex"
)

const maxImport = 400 // tokens of an import

// readImport reads the import whose keyword is token i.
func (s *js) readImport(i int) {
	from := 0
	for j := i + 1; j < len(s.toks) && j < i+maxImport; j++ {
		if s.toks[j].Kind == jslex.Str {
			from = j
			break
		}
		if s.is(j, ";") || s.is(j, "=") {
			return
		}
	}
	if from == 0 || !s.is(from-1, "from") || s.is(i+1, "type") && !s.is(i+2, "from") && !s.is(i+2, ",") {
		return
	}
	module := s.lit(from)
	named := false
	for j := i + 1; j < from-1; j++ {
		switch {
		case s.is(j, "{"):
			named = true
		case s.is(j, "}"):
			named = false
		case !s.isIdent(j) || s.is(j-1, "as") || s.is(j, "as") || s.is(j, "type") && s.isIdent(j+1) && !s.is(j+1, "as"):
		default:
			at := j
			if s.is(j+1, "as") && s.isIdent(j+2) {
				at = j + 2
			}
			s.imported(module, s.text(j), at, named, j)
		}
		if s.is(j, "*") && s.is(j+1, "as") && s.isIdent(j+2) {
			s.imported(module, "*", j+2, false, j)
		}
	}
}

// imported notes what an imported name stands for; it is bound at a token.
func (s *js) imported(module, name string, at int, named bool, token int) {
	b := binding{kind: otherValue, at: at, from: 0, to: len(s.toks)}
	switch {
	case module == "process" || module == "node:process":
		if !named {
			b.kind = processObject
		} else if name == "env" {
			b.kind = envObject
		}
	case module == "bun" && named && name == "env":
		b.kind, b.form = envObject, "Bun.env"
	case strings.HasPrefix(module, "$env/dynamic/") && name == "env":
		b.kind, b.form = envObject, "$env/dynamic"
	case strings.HasPrefix(module, "$env/static/") && named:
		s.read(name, token, Use{Form: "$env/static"})
	case strings.HasPrefix(module, "astro:env/") && named && isUpper(name):
		s.read(name, token, Use{Form: formAstro})
	case module == "prisma/config" && named && name == "env", module == "astro:env/server" && name == "getSecret":
		s.wrappers = append(s.wrappers, wrapper{name: s.text(at)})
	}
	s.imports[s.text(at)] = module
	if b.kind != otherValue {
		s.bind(s.text(at), b)
	}
}

// wrapper is a function that reads the variable whose name is its argument.
type wrapper struct {
	name     string
	argument int
	lenient  bool // it gives something when the variable is missing
	exports  bool // it may be another file's, too
}

// code is a wrapper as a number. Of two functions of one name, the lenient one counts.
func (w wrapper) code() int {
	if w.lenient {
		return 2 * w.argument
	}
	return 2*w.argument + 1
}

// wrapper finds the function around a read whose name is its parameter, at token i.
func (s *js) wrapper(i int) bool {
	name := s.text(i)
	p := s.toks[i].Parent
	for range maxClimb {
		if open := s.paramsBefore(p, i); open >= 0 {
			if n := s.parameter(open, name); n >= 0 {
				fn := s.functionName(open)
				if fn != "" {
					s.wrappers = append(s.wrappers, wrapper{name: fn, argument: n, exports: true})
				}
				return fn != ""
			}
		}
		if p < 0 {
			return false
		}
		i, p = p, s.toks[p].Parent
	}
	return false
}

// paramsBefore is the parenthesis of the parameters of the function whose body is the
// braces p, or the expression before token i; -1 when there is none.
func (s *js) paramsBefore(p, i int) int {
	const near = 20
	end := p - 1
	if !s.is(p, "{") {
		for end = i; end > p && end > i-near && !s.is(end, "=>"); end-- {
			if s.is(end, ";") || s.is(end, ",") {
				return -1
			}
		}
		if !s.is(end, "=>") {
			return -1
		}
	}
	for j := end; j > 0 && j > end-near; j-- {
		if open := s.toks[j].Match; s.is(j, ")") && open >= 0 && s.isParams(open) {
			return open
		}
		if s.is(j, ";") || s.is(j, "{") {
			return -1
		}
	}
	return -1
}

// parameter is the index of the parameter of that name, or -1.
func (s *js) parameter(open int, name string) int {
	n := 0
	for j := open + 1; j < s.closing(open); j = s.next(j) {
		switch {
		case s.is(j, ","):
			n++
		case s.is(j, name) && (s.is(j-1, "(") || s.is(j-1, ",")):
			return n
		}
	}
	return -1
}

// functionName is the name of the function whose parameters a parenthesis opens.
func (s *js) functionName(open int) string {
	i := s.typesBefore(open) - 1
	if s.is(i, "async") || s.is(i, "function") {
		i--
	}
	if s.is(i, "async") {
		i--
	}
	if s.is(i, "=") || s.is(i, ":") {
		i--
	}
	if !s.isIdent(i) || s.is(i, "function") || s.is(i, "return") {
		return ""
	}
	return s.text(i)
}

// typesBefore is the token at which the type parameters before a parenthesis begin, or
// the parenthesis.
func (s *js) typesBefore(open int) int {
	if !s.is(open-1, ">") {
		return open
	}
	depth := 0
	for i := open - 1; i > 0 && i > open-maxType; i-- {
		switch {
		case s.is(i, ">"):
			depth++
		case s.is(i, "<"):
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return open
}

// call is a call of an imported function that may read the variables it is given.
type call struct {
	callee string
	args   []Use // one for each of its first arguments; without a name when it is no text
}

// wrapped reads the calls of functions that read the environment.
func (s *js) wrapped() {
	own := map[string]wrapper{}
	for _, w := range s.wrappers {
		if own[w.name] = w; w.exports {
			keepLeast(s.collected.wrappers, map[string]int{w.name: w.code()})
		}
	}
	for i := range s.toks {
		t := &s.toks[i]
		if t.Kind != jslex.Ident {
			continue
		}
		w, ok := own[t.Text]
		module := s.imports[t.Text]
		if !ok && (module == "" || !strings.Contains(strings.ToLower(t.Text), "env")) {
			continue
		}
		open := i + 1
		if s.is(open, "<") && s.is(open+2, ">") {
			open += 3
		}
		if !s.is(open, "(") {
			continue
		}
		if ok {
			arg := s.argument(open-1, w.argument)
			if name := s.lit(arg); arg > 0 && isName(name) {
				s.read(name, arg, Use{Form: t.Text + "()", Optional: w.lenient || s.is(arg+1, ",") && !s.is(arg+2, ")")})
			}
			continue
		}
		c := call{callee: t.Text}
		for n := range 2 {
			u := Use{Form: t.Text + "()", File: s.name, Test: s.test, Client: s.client, Lang: langName(s.lang, s.name)}
			if arg := s.argument(open-1, n); arg > 0 && isUpper(s.lit(arg)) {
				u.Name, u.Optional = s.lit(arg), s.is(arg+1, ",") && !s.is(arg+2, ")")
				u.Line, u.Col = s.position(s.offset(arg))
			}
			c.args = append(c.args, u)
		}
		if s.count++; s.count <= maxUses {
			s.calls = append(s.calls, c)
		}
	}
}

// resolveCalls adds the uses by functions of other files.
func (c *collected) resolveCalls() {
	for _, call := range c.calls {
		code, ok := c.wrappers[call.callee]
		if n := code / 2; ok && n < len(call.args) && call.args[n].Name != "" {
			u := call.args[n]
			u.Optional = u.Optional || code%2 == 0
			c.uses = append(c.uses, u)
		}
	}
}
