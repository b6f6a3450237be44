package usage

import (
	"path"
	"strings"

	"github.com/opsctl/opsctl/internal/envcheck/usage/jslex"
)

// js is a JavaScript or TypeScript file being read.
type js struct {
	*file
	toks     []jslex.Token
	client   bool
	bindings map[string][]binding // what names stand for that are bound to the environment somewhere
	consts   map[string]string    // names of constants that hold a text; "" for a name declared twice
	objects  map[string]int       // names of constants to the token at which their value begins
	imports  map[string]string    // names to the module that they come from
	schemas  map[int]bool         // tokens at which a schema that has been read begins
	wrappers []wrapper
	found    []occurrence // of reads, for judgeAll
	picked   []occurrence // names that a pattern takes out of the environment
	guards   []guard
	failed   []occurrence    // without which the program ends
	configs  map[string]bool // what has the type ConfigService; made when first needed
	failures map[string]bool // functions that only fail; made when first needed
	blocks   []int           // the brace around each token, or -1; made when first needed
	done     map[int]bool    // tokens of environment objects that have been read as a pattern's value
}

// scanScript reads the scripts of a file.
func (f *file) scanScript() {
	if !f.mayUse() {
		return
	}
	s := &js{
		file: f, bindings: map[string][]binding{}, consts: map[string]string{}, objects: map[string]int{},
		imports: map[string]string{}, done: map[int]bool{}, schemas: map[int]bool{},
	}
	if f.lang == component {
		s.toks = componentTokens(f.src, path.Ext(f.name))
	} else {
		ext := path.Ext(f.name)
		var loose bool
		if s.toks, loose = jslex.Scan(f.src, ext != ".ts" && ext != ".mts" && ext != ".cts"); loose {
			f.notes = append(f.notes, Note{File: f.name, Message: "not all of it could be followed: uses may be missing"})
		}
	}
	s.directive()
	s.declarations()
	for i := range s.toks {
		s.at(i)
	}
	s.judgeAll()
	s.wrapped()
	s.mentions()
}

// mayUse tells, without reading tokens, whether a file can hold anything of interest.
func (f *file) mayUse() bool {
	return strings.Contains(f.src, "env") || strings.Contains(f.src, "Env") || strings.Contains(f.src, "nestjs/config") || f.hasKnown()
}

// hasKnown tells whether one of the names that are looked out for is a word of the text.
func (f *file) hasKnown() bool {
	if len(f.known) == 0 {
		return false
	}
	found := false
	words(f.src, func(word string, _ int) bool {
		found = f.known[word]
		return !found
	})
	return found
}

// words calls do for each word of a text until it returns false.
func words(text string, do func(word string, offset int) bool) {
	for i := 0; i < len(text); i++ {
		if !isWordByte(text[i]) {
			continue
		}
		start := i
		for i < len(text) && isWordByte(text[i]) {
			i++
		}
		if !do(text[start:i], start) {
			return
		}
	}
}

// directive looks for "use client" among the directives at the top.
func (s *js) directive() {
	for i := 0; i < len(s.toks) && s.toks[i].Kind == jslex.Str; i++ {
		if literal(s.toks[i]) == "use client" {
			s.client = true
		}
		if s.is(i+1, ";") {
			i++
		}
	}
}

// at reads what begins at a token, when that is a use.
func (s *js) at(i int) {
	t := &s.toks[i]
	switch {
	case t.Kind == jslex.Punct && t.Text == "{":
		s.pattern(i)
	case t.Kind == jslex.Str && s.is(i+1, ":"):
		s.defined(literal(*t))
	case t.Kind != jslex.Ident:
	case s.schemaCall(i):
	case (t.Text == "get" || t.Text == "getOrThrow") && s.member(i):
		s.nestConfig(i)
	case t.Text == "Deno" && s.is(i+1, ".") && s.is(i+2, "env") && !s.member(i):
		s.deno(i)
	default:
		if start, end := s.environment(i); end > 0 && !s.done[i] {
			s.value(start, end)
		}
	}
}

func (s *js) text(i int) string {
	if i < 0 || i >= len(s.toks) {
		return ""
	}
	return s.toks[i].Text
}

// is tells whether a token is the name or operator, and no string of the same text.
func (s *js) is(i int, text string) bool {
	return i >= 0 && i < len(s.toks) && s.toks[i].Text == text && (s.toks[i].Kind == jslex.Ident || s.toks[i].Kind == jslex.Punct)
}

func (s *js) isIdent(i int) bool { return i >= 0 && i < len(s.toks) && s.toks[i].Kind == jslex.Ident }

// member tells whether a name is that of a member: what is before it is a dot.
func (s *js) member(i int) bool { return s.is(i-1, ".") || s.is(i-1, "?.") }

// literal is the text of a string, or of a template without expressions; "" when it
// is another token or has escapes.
func literal(t jslex.Token) string {
	n := len(t.Text)
	if n < 2 || t.Kind != jslex.Str && (t.Kind != jslex.Opaque || t.Text[0] != '`' || t.Text[n-1] != '`') || strings.IndexByte(t.Text, '\\') >= 0 {
		return ""
	}
	return t.Text[1 : n-1]
}

// lit is literal of a token by its index.
func (s *js) lit(i int) string {
	if i < 0 || i >= len(s.toks) {
		return ""
	}
	return literal(s.toks[i])
}

// closing is the token that closes the bracket, or -1.
func (s *js) closing(i int) int {
	if i < 0 || i >= len(s.toks) || s.toks[i].Match <= i {
		return -1
	}
	return s.toks[i].Match
}

// next is the token behind i; brackets count as one.
func (s *js) next(i int) int {
	if end := s.closing(i); end >= 0 {
		return end + 1
	}
	return i + 1
}

// environment finds an expression for the whole environment whose name is token i,
// such as process.env, import.meta.env or a variable that holds one, with the
// parentheses around it. end is 0 where there is none.
func (s *js) environment(i int) (start, end int) {
	t := &s.toks[i]
	if s.member(i) && !s.global(i-2) {
		return 0, 0
	}
	switch {
	case t.Text == "import" && s.is(i+1, ".") && s.is(i+2, "meta"):
		start, end = s.outward(i, i+3)
	case t.Text == "process" || t.Text == "Bun" || s.bound(i, processObject):
		start, end = s.outward(i, i+1)
	case s.bound(i, envObject):
		if s.is(i+1, ":") && !s.is(i-1, "?") && s.is(s.toks[i].Parent, "{") || s.declares(i) {
			return 0, 0 // a key or a parameter of that name
		}
		return s.outward(i, i+1)
	default:
		return 0, 0
	}
	switch {
	case (s.is(end, ".") || s.is(end, "?.")) && s.is(end+1, "env"):
		end += 2
	case s.is(end, "[") && s.lit(end+1) == "env" && s.is(end+2, "]"):
		end += 3
	default:
		return 0, 0
	}
	return s.outward(start, end)
}

// global tells whether a token is the object that holds process.
func (s *js) global(i int) bool {
	switch s.text(i) {
	case "globalThis", "global", "window", "self":
		return s.isIdent(i) && !s.member(i)
	}
	return false
}

// outward widens an expression by the object it hangs on and the parentheses around
// it, which may hold a type: (process.env as any).
func (s *js) outward(start, end int) (from, to int) {
	if s.member(start) && s.global(start-2) {
		start -= 2
	}
	for s.is(start-1, "(") && !s.callee(start-2) {
		closing := s.closing(start - 1)
		if closing < end || closing != end && !s.is(end, "as") && !s.is(end, "satisfies") && !s.is(end, "!") {
			break
		}
		start, end = start-1, closing+1
	}
	if s.is(end, "!") && (s.is(end+1, ".") || s.is(end+1, "[")) {
		end++
	}
	return start, end
}

// callee tells whether a parenthesis behind the token is that of a call.
func (s *js) callee(i int) bool {
	if s.isIdent(i) {
		switch s.text(i) {
		case "return", "typeof", "case", "await", "void", "delete", "in", "of", "yield", "else", "do", "default", "throw":
			return s.member(i)
		}
		return true
	}
	return s.is(i, ")") || s.is(i, "]") || s.is(i, "?.") || s.is(i, ">")
}

// mentions counts the names that are looked out for where they stand in code.
func (s *js) mentions() {
	if len(s.known) == 0 {
		return
	}
	for i, t := range s.toks {
		name := t.Text
		if t.Kind != jslex.Ident {
			name = literal(t)
		}
		if s.known[name] {
			s.mention(name, formMention, s.offset(i))
		}
	}
}
