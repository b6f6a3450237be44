package usage

import (
	"strings"

	"github.com/opsctl/opsctl/internal/envcheck/usage/jslex"
)

// bindingKind is what a name stands for.
type bindingKind int

const (
	otherValue bindingKind = iota // a declaration that hides one of the others
	envObject                     // the whole environment
	processObject
)

// binding is a declaration of a name, from token to token.
type binding struct {
	kind         bindingKind
	at, from, to int
	form         string // how results name the object, when not process.env
}

const (
	maxBindings = 200 // declarations of one name
	maxType     = 60  // tokens of a type
	maxClimb    = 20  // patterns within patterns
	maxArrow    = 300 // tokens of an arrow function without braces
)

func (s *js) bind(name string, b binding) {
	if len(s.bindings[name]) < maxBindings {
		s.bindings[name] = append(s.bindings[name], b)
	}
}

// bound tells whether the name at a token stands for the kind of object, by the
// innermost declaration around it.
func (s *js) bound(i int, kind bindingKind) bool {
	var found *binding
	list := s.bindings[s.toks[i].Text]
	for n := range list {
		if b := &list[n]; i >= b.from && i < b.to && (found == nil || b.from >= found.from) {
			found = b
		}
	}
	return found != nil && found.kind == kind && found.at != i
}

// declarations finds the names that stand for the environment, and constants.
func (s *js) declarations() {
	for i := range s.toks {
		t := &s.toks[i]
		switch {
		case t.Kind != jslex.Ident || s.member(i):
		case t.Text == "import" && !s.is(i+1, "(") && !s.is(i+1, "."):
			s.readImport(i)
		case t.Text == "const" || t.Text == "let" || t.Text == "var":
			s.readVariables(i)
		case s.is(t.Parent, "(") && (s.is(i-1, "(") || s.is(i-1, ",")):
			s.readParameter(i)
		}
	}
	if len(s.bindings) == 0 {
		return
	}
	for i := range s.toks {
		list, ok := s.bindings[s.toks[i].Text]
		if !ok || s.toks[i].Kind != jslex.Ident || s.member(i) {
			continue
		}
		from, to := s.declared(i)
		known := false
		for _, b := range list {
			known = known || b.at == i
		}
		if to > 0 && !known {
			s.bind(s.toks[i].Text, binding{kind: otherValue, at: i, from: from, to: to})
		}
	}
}

// block is the braces around a token, or the whole file.
func (s *js) block(i int) (from, to int) {
	if s.blocks == nil {
		s.blocks = make([]int, len(s.toks))
		for j := range s.toks {
			p := s.toks[j].Parent
			switch {
			case p < 0 || s.is(p, "{"):
				s.blocks[j] = p
			default:
				s.blocks[j] = s.blocks[p]
			}
		}
	}
	p := s.blocks[i]
	if p < 0 || s.toks[p].Match < 0 {
		return 0, len(s.toks)
	}
	return p, s.toks[p].Match
}

// readVariables reads the declaration whose keyword is token i.
func (s *js) readVariables(i int) {
	from, to := s.block(i)
	for j := i + 1; j < len(s.toks); {
		at := j
		if !s.isIdent(at) && !s.is(at, "{") {
			return
		}
		if j = s.next(j); s.is(j, "!") {
			j++
		}
		if s.isProcessEnvType(j) && s.isIdent(at) {
			s.bind(s.text(at), binding{kind: envObject, at: at, from: from, to: to})
		}
		if s.is(j, ":") {
			j = s.typeEnd(j+1, false)
		}
		if !s.is(j, "=") {
			return
		}
		j++
		if s.isIdent(at) {
			s.readConstant(at, j)
			if kind := s.objectAt(j); kind != otherValue {
				s.bind(s.text(at), binding{kind: kind, at: at, from: from, to: to})
			}
		} else {
			s.readPattern(at, j, from, to)
		}
		for depth := 0; j < len(s.toks) && depth < maxType; depth++ { // the end of the value, when it is short
			if s.is(j, ",") || s.is(j, ";") {
				break
			}
			j = s.next(j)
		}
		if !s.is(j, ",") {
			return
		}
		j++
	}
}

// readConstant notes what a constant holds: a text, or where its value begins.
func (s *js) readConstant(at, value int) {
	name := s.text(at)
	if _, again := s.objects[name]; again {
		s.consts[name], s.objects[name] = "", -1
		return
	}
	s.objects[name] = value
	text := s.lit(value)
	if after := value + 1; text != "" && s.is(at-1, "const") &&
		(after >= len(s.toks) || s.toks[after].Newline || s.is(after, ";") || s.is(after, ",") || s.is(after, "as")) {
		s.consts[name] = text
	}
}

// objectAt tells whether the value that begins at a token is the environment, or process.
func (s *js) objectAt(i int) bindingKind {
	if !s.is(i, "(") && !s.isIdent(i) {
		return otherValue
	}
	if _, end := s.wholeAt(i); end > 0 {
		return envObject
	}
	if s.is(i, "loadEnv") && s.is(i+1, "(") && s.imports["loadEnv"] == "vite" {
		return envObject
	}
	if s.isProcess(i) && !s.is(s.next(i), ".") {
		return processObject
	}
	return otherValue
}

// wholeAt is the environment when the value that begins at token i is all of it.
func (s *js) wholeAt(i int) (name, end int) {
	name = i
	for n := 0; s.is(name, "(") && n < maxClimb; n++ {
		name++
	}
	if name >= len(s.toks) || s.toks[name].Kind != jslex.Ident {
		return 0, 0
	}
	if s.global(name) && s.is(name+1, ".") {
		name += 2
	}
	if !s.isIdent(name) {
		return 0, 0
	}
	start, end := s.environment(name)
	if end == 0 || start != i || s.is(end, ".") || s.is(end, "?.") || s.is(end, "[") || s.is(end, "(") {
		return 0, 0
	}
	return name, end
}

// isProcess tells whether process, or require("process"), is at a token.
func (s *js) isProcess(i int) bool {
	if s.is(i, "require") && s.is(i+1, "(") {
		module := s.lit(i + 2)
		return module == "process" || module == "node:process"
	}
	return s.is(i, "process") && !s.is(i+1, "[") && !s.is(i+1, "?.")
}

// readPattern binds the names of a pattern that take the environment, or what is left
// of it.
func (s *js) readPattern(open, value, from, to int) {
	closing := s.closing(open)
	_, end := s.wholeAt(value)
	fromProcess := end == 0 && s.isProcess(value) && (!s.is(value+1, ".") || s.is(value, "require"))
	if closing < 0 || end == 0 && !fromProcess {
		return
	}
	for j := open + 1; j < closing; j = s.next(j) {
		switch {
		case s.is(j, "...") && s.isIdent(j+1) && end > 0:
			s.bind(s.text(j+1), binding{kind: envObject, at: j + 1, from: from, to: to})
		case !fromProcess || !s.is(j, "env") || s.is(j-1, ":"):
		case s.is(j+1, ":") && s.isIdent(j+2):
			s.bind(s.text(j+2), binding{kind: envObject, at: j + 2, from: from, to: to})
		case !s.is(j+1, ":"):
			s.bind("env", binding{kind: envObject, at: j, from: from, to: to})
		}
	}
}

// isProcessEnvType tells whether a type annotation says that a value is the environment.
func (s *js) isProcessEnvType(i int) bool {
	if s.is(i, "?") {
		i++
	}
	return s.is(i, ":") && s.is(i+1, "NodeJS") && s.is(i+2, ".") && s.is(i+3, "ProcessEnv")
}

// readParameter binds a parameter that is the environment by its type or its default.
func (s *js) readParameter(i int) {
	j := i + 1
	switch {
	case s.isProcessEnvType(j):
	case s.is(j, ":"):
		if j = s.typeEnd(j+1, false); !s.is(j, "=") || s.objectAt(j+1) != envObject {
			return
		}
	case s.is(j, "="):
		if s.objectAt(j+1) != envObject {
			return
		}
	default:
		return
	}
	if p := s.toks[i].Parent; s.isParams(p) {
		from, to := s.paramScope(p)
		s.bind(s.text(i), binding{kind: envObject, at: i, from: from, to: to})
	}
}

// typeEnd is the token behind the type that begins at token i.
func (s *js) typeEnd(i int, arrowEnds bool) int {
	depth := 0
	for n := 0; i < len(s.toks) && n < maxType; n++ {
		t := &s.toks[i]
		glued := n == 0 || s.is(i-1, "|") || s.is(i-1, "&") || s.is(i-1, "<") || s.is(i-1, ",") || s.is(i-1, "=>") || s.is(i-1, ".")
		if t.Newline && !glued && depth == 0 && !s.is(i, "|") && !s.is(i, "&") && !s.is(i, "=") {
			return i
		}
		if t.Kind == jslex.Punct {
			switch t.Text {
			case "<":
				depth++
			case ">":
				depth--
			case "=>":
				if arrowEnds {
					return i
				}
			case "=", ",", ";":
				if depth <= 0 {
					return i
				}
			case ")", "]", "}":
				return i
			case "{":
				if !glued {
					return i
				}
			}
		}
		i = s.next(i)
	}
	return i
}

// isParams tells whether the parenthesis opens the parameters of a function.
func (s *js) isParams(p int) bool {
	after := s.closing(p) + 1
	if after <= 0 || s.is(p-1, "?") {
		return false
	}
	if s.is(after, ":") {
		after = s.typeEnd(after+1, true)
	}
	if s.is(after, "=>") {
		return true
	}
	switch s.text(p - 1) {
	case "if", "for", "while", "switch", "with", "return", "await":
		return false
	}
	return s.is(after, "{") && p > 0 && (s.toks[p-1].Kind != jslex.Punct || strings.Contains(">]*", s.text(p-1)))
}

// paramScope is where the parameters that a parenthesis opens hold.
func (s *js) paramScope(p int) (from, to int) {
	after := s.closing(p) + 1
	if s.is(after, ":") {
		after = s.typeEnd(after+1, true)
	}
	if s.is(after, "=>") {
		return p, s.arrowEnd(after + 1)
	}
	return p, max(after, s.closing(after)) + 1
}

// arrowEnd is the end of the body of an arrow function that begins at a token.
func (s *js) arrowEnd(i int) int {
	if end := s.closing(i); s.is(i, "{") && end > 0 {
		return end + 1
	}
	for n := 0; i < len(s.toks) && n < maxArrow; n++ {
		if s.toks[i].Kind == jslex.Punct {
			switch s.text(i) {
			case ",", ";", ")", "]", "}":
				return i
			}
		}
		i = s.next(i)
	}
	return i
}

// declared is where the declaration of a name at token i holds; to is 0 when it
// declares nothing.
func (s *js) declared(i int) (from, to int) {
	switch s.text(i - 1) {
	case "const", "let", "var", "function", "class":
		return s.block(i)
	}
	if s.is(i+1, "=>") {
		return i, s.arrowEnd(i + 2)
	}
	inner, p := i, s.toks[i].Parent
	for range maxClimb {
		if p < 0 {
			return 0, 0
		}
		before := p - 1
		switch {
		case s.is(p, "("):
			if (s.is(inner-1, "(") || s.is(inner-1, ",") || s.is(inner-1, "...")) && s.isParams(p) {
				return s.paramScope(p)
			}
			return 0, 0
		case inner == i && s.is(i+1, ":"): // a key
			return 0, 0
		case s.is(before, "const") || s.is(before, "let") || s.is(before, "var"):
			return s.block(p)
		}
		inner, p = p, s.toks[p].Parent
	}
	return 0, 0
}

// declares tells whether the name at a token is declared there.
func (s *js) declares(i int) bool {
	_, to := s.declared(i)
	return to > 0
}
