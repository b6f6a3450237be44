package usage

import (
	"strings"

	"github.com/opsctl/opsctl/internal/envcheck/usage/jslex"
)

// value reads what is done with the environment, an expression from token to token.
func (s *js) value(start, end int) {
	form := s.form(start)
	switch {
	case (s.is(end, ".") || s.is(end, "?.")) && s.isIdent(end+1):
		s.dotted(start, end+1, form)
	case s.is(end, "?.") && s.is(end+1, "["):
		s.indexed(start, end+1, form)
	case s.is(end, "["):
		s.indexed(start, end, form)
	case s.is(start-1, "in") && s.lit(start-2) != "":
		s.readAt(s.lit(start-2), start-2, Use{Form: form, Optional: true}, start-2, end)
	case s.parses(start):
	case s.is(start-1, "=") && s.memberAssigned(start-2), s.is(start-1, "default"),
		s.is(start-1, "...") || s.is(start-1, "return") || s.is(start-1, "in") || s.is(start-1, "of"),
		s.is(s.parent(start), "(") && s.callee(s.parent(start)-1) && (s.is(start-1, "(") || s.is(start-1, ",")) && !s.checks(start, end),
		s.is(start-1, ":") && s.is(s.parent(start), "{") && !s.schemaOption(start):
		s.cannotKnow(Dynamic{Form: form, Whole: true, Client: s.client}, s.toks[start].Start)
	}
}

// memberAssigned tells whether a.b.c, of which token i is the last, is what a value is
// assigned to, and not a type.
func (s *js) memberAssigned(i int) bool {
	if !s.member(i) {
		return false
	}
	for n := 0; s.member(i) && n < maxClimb; n++ {
		i -= 2
	}
	return !s.is(i-1, ":") && !s.is(i-1, "|")
}

// form is how results name the object that is read.
func (s *js) form(start int) string {
	for i := start; i < len(s.toks) && i < start+6; i++ {
		switch s.text(i) {
		case "process":
			return "process.env"
		case "import":
			return "import.meta.env"
		case "Bun":
			return "Bun.env"
		}
		for _, b := range s.bindings[s.text(i)] {
			if b.form != "" {
				return b.form
			}
		}
	}
	return "process.env"
}

func (s *js) parent(i int) int { return s.toks[max(i, 0)].Parent }

// checks tells whether an argument is the condition of if or while.
func (s *js) checks(start, end int) bool {
	p := s.parent(start)
	if p < 1 || !s.is(p, "(") || !s.is(end, ")") && !s.is(end, "&&") && !s.is(end, "||") {
		return false
	}
	switch s.text(p - 1) {
	case "if", "while", "switch":
		return true
	case "Boolean":
		return s.is(end, ")")
	}
	return false
}

// dotted reads env.NAME.
func (s *js) dotted(start, name int, form string) {
	text := s.text(name)
	if text == "hasOwnProperty" && s.is(name+1, "(") {
		s.read(s.lit(name+2), name+2, Use{Form: form, Optional: true})
		return
	}
	if s.is(name+1, "(") || !isName(text) || s.writes(start, name+1) {
		return
	}
	u := s.context(start, name+1, form)
	u.Indirect = s.aliased(start)
	s.readAt(text, name, u, start, name+1)
}

// aliased tells whether an expression for the environment is a name of this file's own.
func (s *js) aliased(start int) bool {
	for s.is(start, "(") {
		start++
	}
	return !s.is(start, "process") && !s.is(start, "import") && !s.is(start, "Bun") && !s.global(start)
}

// indexed reads env["NAME"].
func (s *js) indexed(start, open int, form string) {
	closing := s.closing(open)
	if closing < 0 || s.writes(start, closing+1) {
		return
	}
	if closing == open+2 {
		name := s.lit(open + 1)
		constant := name == "" && s.isIdent(open+1)
		if constant {
			name = s.consts[s.text(open+1)]
		}
		if isName(name) {
			u := s.context(start, closing+1, form)
			u.Indirect = constant || s.aliased(start)
			s.readAt(name, open+1, u, start, closing+1)
			return
		}
		if s.isIdent(open + 1) {
			if s.listed(open+1, start, closing+1, form) {
				return
			}
			if s.wrapper(open + 1) {
				s.occurs(occurrence{start: start, end: closing + 1, wrapper: len(s.wrappers)})
			}
		}
	}
	s.cannotKnow(Dynamic{Form: form + "[...]", Client: s.client}, s.toks[start].Start)
}

// writes tells whether what is done with a variable is to set or to remove it.
func (s *js) writes(start, end int) bool {
	return s.is(end, "=") || s.is(start-1, "delete")
}

// context looks at what is around a read: a default, a check, or the claim that the
// variable is there.
func (s *js) context(start, end int, form string) Use {
	u := Use{Form: form}
	for s.is(start-1, "(") && s.is(end, ")") && !s.callee(start-2) {
		start, end = start-1, end+1
	}
	if s.lenientParse(start) {
		u.Optional = true
	}
	if from, to := s.converted(start, end); from != start {
		switch s.text(to) {
		case "||", "&&", "?":
			u.Optional = true
		}
	}
	if c := (condition{start: start, end: end}); s.is(end, "as") {
		s.claimed(&c)
		switch s.text(c.end) {
		case "||", "??", "&&", "?":
			u.Optional = true
		}
	}
	switch s.text(end) {
	case "??", "||", "??=", "||=", "&&", "?", "?.", "===", "!==", "==", "!=":
		u.Optional = s.toks[end].Kind == jslex.Punct
	case "!":
		u.Asserted = !s.toks[end].Newline
	case "as":
		u.Asserted = s.is(end+1, "string") && !s.is(end+2, "|")
	}
	switch s.text(start - 1) {
	case "!", "typeof", "===", "!==", "==", "!=":
		u.Optional = true
	}
	// t3-env's schema, whose keys are uses of their own, says whether it may be missing.
	u.Optional = u.Optional || s.checks(start, end) || s.is(s.parent(start), "{") && s.schemaOption(s.parent(start))
	u.Asserted = u.Asserted && !u.Optional
	return u
}

// read adds a use at the token that holds the name.
func (s *js) read(name string, token int, u Use) {
	u.Name, u.Client = name, s.client
	s.use(u, s.offset(token))
}

// readAt adds a read whose value is the expression from start to end.
func (s *js) readAt(name string, token int, u Use, start, end int) {
	n := len(s.uses)
	if s.read(name, token, u); len(s.uses) > n {
		s.occurs(occurrence{name: name, start: start, end: end, uses: []int{n}})
	}
}

// converted is an expression with the conversions around it, such as Number(…).
func (s *js) converted(start, end int) (from, to int) {
	for range maxClimb {
		for s.is(start-1, "(") && s.is(end, ")") && !s.callee(start-2) {
			start, end = start-1, end+1
		}
		last := end
		if s.is(last, "!") && !s.toks[last].Newline {
			last++
		}
		if !s.is(start-1, "(") || !s.is(last, ")") && !s.is(last, ",") || s.closing(start-1) < last {
			break
		}
		fn := start - 2
		switch s.text(fn) {
		case "Number", "parseInt", "parseFloat", "BigInt":
		default:
			return start, end
		}
		if start, end = fn, s.closing(start-1)+1; s.member(fn) {
			start -= 2
		}
	}
	return start, end
}

// lenientParse tells whether a read is the argument of a schema that lets it be
// missing: z.string().optional().parse(process.env.X).
func (s *js) lenientParse(start int) bool {
	p := s.parent(start)
	if p < 2 || p != start-1 || !s.is(p, "(") || !s.member(p-1) || !s.is(p-1, "parse") && !s.is(p-1, "safeParse") {
		return false
	}
	for i, n := p-3, 0; i > 0 && n < maxType; n++ {
		switch {
		case s.is(i, ")") && s.toks[i].Match > 0:
			i = s.toks[i].Match - 1
		case s.is(i, "optional") || s.is(i, "default") || s.is(i, "catch") || s.is(i, "nullish"):
			return true
		case s.isIdent(i) && s.member(i):
			i -= 2
		default:
			return false
		}
	}
	return false
}

// offset is where the name itself begins, in quotes or without.
func (s *js) offset(token int) int {
	t := &s.toks[token]
	if t.Kind == jslex.Str || t.Kind == jslex.Opaque {
		return t.Start + 1
	}
	return t.Start
}

// pattern reads { A, B: b, C = "c", ...rest } = process.env at its brace.
func (s *js) pattern(open int) {
	closing := s.closing(open)
	if closing < 0 {
		return
	}
	after := closing + 1
	if s.is(after, ":") {
		after = s.typeEnd(after+1, false)
	}
	if !s.is(after, "=") {
		return
	}
	if name, end := s.wholeAt(after + 1); end > 0 {
		s.done[name] = true
		s.entries(open, closing, s.form(after+1))
		return
	}
	if !s.isProcess(after+1) && !(s.is(after+1, "import") && s.is(after+3, "meta")) {
		return
	}
	for j := open + 1; j < closing; j = s.next(j) {
		if s.is(j, "env") && s.is(j+1, ":") && s.closing(j+2) > 0 && s.is(j+2, "{") {
			s.entries(j+2, s.closing(j+2), "process.env")
		}
	}
}

// entries reads the keys of a pattern.
func (s *js) entries(open, closing int, form string) {
	for j := open + 1; j < closing; {
		end, fallback := j, false
		for end < closing && !s.is(end, ",") {
			fallback = fallback || s.is(end, "=")
			end = s.next(end)
		}
		name := s.lit(j)
		if s.isIdent(j) {
			name = s.text(j)
		}
		switch {
		case s.is(j, "..."):
			s.cannotKnow(Dynamic{Form: form, Whole: true, Client: s.client}, s.toks[j].Start)
		case s.is(j, "["):
			s.cannotKnow(Dynamic{Form: form + "[...]", Client: s.client}, s.toks[j].Start)
		case name != "":
			n := len(s.uses)
			s.read(name, j, Use{Form: "{} = " + form, Optional: fallback, Indirect: true})
			local := j
			if s.is(j+1, ":") {
				local = j + 2
			}
			if len(s.uses) > n && s.isIdent(local) && !fallback && len(s.picked) < maxUses {
				s.picked = append(s.picked, occurrence{name: name, start: local, end: local + 1, uses: []int{n}})
			}
		}
		j = end + 1
	}
}

// deno reads Deno.env.get("NAME").
func (s *js) deno(i int) {
	if !s.is(i+3, ".") || !s.is(i+5, "(") {
		return
	}
	switch method, name := s.text(i+4), s.lit(i+6); {
	case method == "toObject":
		s.cannotKnow(Dynamic{Form: "Deno.env", Whole: true}, s.toks[i].Start)
	case method != "get" && method != "has":
	case isName(name):
		u := s.context(i, s.next(i+5), "Deno.env")
		u.Optional = u.Optional || method == "has"
		s.read(name, i+6, u)
	default:
		s.cannotKnow(Dynamic{Form: "Deno.env"}, s.toks[i].Start)
	}
}

// nestConfig reads config.get("NAME") of NestJS, whose configuration is the environment.
func (s *js) nestConfig(i int) {
	open := i + 1
	for n := 0; s.is(i+1, "<") && !s.is(open, "(") && n < maxClimb; n++ { // get<string>("NAME")
		open++
	}
	name := s.lit(open + 1)
	if !s.is(open, "(") || !isUpper(name) || !strings.Contains(s.src, "@nestjs/config") || !s.isConfig(s.text(i-2)) {
		return
	}
	start := i - 2
	if s.member(start) && s.is(start-2, "this") {
		start -= 2
	}
	u := s.context(start, s.next(open), formNest)
	u.Optional = u.Optional || s.is(open+2, ",") && !s.is(open+3, "{") && !s.is(open+3, ")") // { infer: true } is none
	u.Asserted = !u.Optional && (u.Asserted || s.is(i, "getOrThrow"))
	s.readAt(name, open+1, u, start, s.next(open))
}

// isConfig tells whether a name is that of NestJS's ConfigService, by itself or by its type.
func (s *js) isConfig(name string) bool {
	if strings.HasSuffix(strings.TrimSuffix(strings.ToLower(name), "service"), "config") {
		return true
	}
	if s.configs == nil {
		s.configs = map[string]bool{}
		for i := range s.toks {
			if s.is(i, "ConfigService") && s.is(i-1, ":") && s.isIdent(i-2) {
				s.configs[s.text(i-2)] = true
			}
		}
	}
	return s.configs[name]
}
