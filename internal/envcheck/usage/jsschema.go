package usage

import (
	"path"
	"strings"

	"github.com/opsctl/opsctl/internal/envcheck/usage/jslex"
)

// schemaCall reads the keys of an object that validates the environment, where a call
// or an option at token i says that it does.
func (s *js) schemaCall(i int) bool {
	switch s.text(i) {
	case "createEnv": // t3-env
		if open := s.argument(i, 0); s.is(open, "{") {
			for _, e := range s.members(open) {
				switch e.key {
				case "server", "client", "shared":
					s.schemaValue(e.value, 0)
				}
			}
			return true
		}
	case "cleanEnv", "customCleanEnv", "parseEnv": // envalid, znv
		if arg := s.argument(i, 1); arg > 0 {
			return s.schemaValue(arg, 0)
		}
	case "envsafe":
		if arg := s.argument(i, 0); arg > 0 {
			return s.schemaValue(arg, 0)
		}
	case "validationSchema": // NestJS
		return s.is(i+1, ":") && s.schemaValue(i+2, 0)
	case "envField": // the value of a key of Astro's schema
		if s.is(i-1, ":") && s.is(i+1, ".") && s.is(i+3, "(") {
			name, e := s.text(i-2), entry{value: i, end: s.next(i + 3)}
			s.read(name, i-2, Use{Form: formSchema, Optional: s.lenient(e)})
			if s.lenient(e) {
				s.defaults[formAstro+name] = true
			}
		}
	case "env": // of next.config, which takes the place of process.env.NAME in the bundle
		if base := path.Base(s.name); strings.HasPrefix(base, "next.config.") && s.is(i+1, ":") && s.is(i+2, "{") {
			for _, e := range s.members(i + 2) {
				if isName(e.key) {
					s.inlined[e.key] = true
					s.mention(e.key, formNextEnv, s.offset(e.at))
				}
			}
		}
	}
	return false
}

// defined reads the key of a bundler's definition: "process.env.NAME": value.
func (s *js) defined(key string) {
	for _, object := range []string{"process.env.", "import.meta.env."} {
		if name, ok := strings.CutPrefix(key, object); ok && isName(name) {
			s.inlined[name] = true
		}
	}
}

// argument is the token at which the n-th argument of the call of name i begins, or 0.
func (s *js) argument(i, n int) int {
	if !s.is(i+1, "(") {
		return 0
	}
	closing := s.closing(i + 1)
	for j := i + 2; j < closing; j = s.next(j) {
		if n == 0 {
			return j
		}
		if s.is(j, ",") {
			n--
		}
	}
	return 0
}

// entry is a member of an object literal.
type entry struct {
	key       string
	at, value int // tokens; value is at for { name }
	end       int
}

// members are the members of an object literal; that of ...x has the key "...".
func (s *js) members(open int) []entry {
	var out []entry
	closing := s.closing(open)
	for j := open + 1; j < closing; {
		end := j
		for end < closing && !s.is(end, ",") {
			end = s.next(end)
		}
		e := entry{key: s.lit(j), at: j, value: j, end: end}
		switch {
		case s.is(j, "..."):
			e.key, e.value = "...", j+1
		case s.isIdent(j):
			e.key = s.text(j)
		}
		if s.is(j+1, ":") {
			e.value = j + 2
		}
		out = append(out, e)
		j = end + 1
	}
	return out
}

const maxSchemas = 5 // schemas that are made from others

// schemaValue reads the keys of the schema that begins at a token: { X: … },
// z.object({ X: … }).extend({ … }), or the name of a constant that holds one.
func (s *js) schemaValue(i, depth int) bool {
	if depth > maxSchemas || i < 0 || i >= len(s.toks) {
		return false
	}
	if s.is(i, "{") {
		s.schemaKeys(i, depth)
		return true
	}
	if value, ok := s.objects[s.text(i)]; ok && s.isIdent(i) && value >= 0 && value != i && !s.is(i+1, "(") {
		if !s.is(value, "{") { // whose keys are read once anyway
			if s.schemas[value] {
				return true
			}
			s.schemas[value] = true
		}
		found := s.schemaValue(value, depth+1)
		if !s.is(i+1, ".") {
			return found
		}
		return s.chain(i+1, depth) || found
	}
	return s.chain(i, depth)
}

// chain reads the calls of an expression such as z.object({ … }).merge(other).
func (s *js) chain(i, depth int) bool {
	found := false
	for n := 0; i < len(s.toks) && n < maxType; n++ {
		switch {
		case s.isIdent(i) && (n == 0 || s.member(i)), s.is(i, "."):
			i++
		case s.is(i, "("):
			method := s.text(i - 1)
			if s.is(i+1, "{") && method != "refine" && method != "superRefine" && method != "transform" {
				s.schemaKeys(i+1, depth)
				found = true
			} else if method == "merge" || method == "and" || method == "extend" {
				found = s.schemaValue(i+1, depth+1) || found
			}
			if i = s.closing(i) + 1; i == 0 {
				return found
			}
		default:
			return found
		}
	}
	return found
}

// schemaKeys reads the keys of an object that validates the environment.
func (s *js) schemaKeys(open, depth int) {
	if s.schemas[open] {
		return
	}
	s.schemas[open] = true
	for _, e := range s.members(open) {
		switch {
		case e.key == "...":
			s.schemaValue(e.value, depth+1)
		case isName(e.key):
			lenient := s.lenient(e)
			s.read(e.key, e.at, Use{Form: formSchema, Optional: lenient})
			if lenient {
				s.defaults[formNest+e.key] = true
			}
		}
	}
}

// lenient tells whether the rule for a variable lets it be missing.
func (s *js) lenient(e entry) bool {
	for q := e.value; q < e.end && s.isMode(e.value, e.end); q++ { // in production it may be needed
		if s.is(q, "?") {
			colon := s.choice(q)
			return colon > 0 && s.lenient(entry{value: q + 1, end: colon}) && s.lenient(entry{value: colon + 1, end: e.end})
		}
	}
	for j := e.value; j < e.end; j++ {
		switch t := &s.toks[j]; {
		case t.Kind != jslex.Ident:
		case s.is(j+1, "(") && (t.Text == "optional" || t.Text == "Optional" || t.Text == "default" || t.Text == "catch" || t.Text == "nullish"):
			return true
		case s.is(j+1, ":") && (t.Text == "default" || t.Text == "devDefault" || t.Text == "optional" && s.is(j+2, "true")):
			return true
		}
	}
	return false
}

// parses tells whether the environment is an argument of a call that validates it, by
// a schema whose keys are known, and reads them.
func (s *js) parses(start int) bool {
	p := s.parent(start)
	if p < 1 || !s.is(p, "(") || !s.isIdent(p-1) {
		return false
	}
	name := p - 1
	switch s.text(name) {
	case "cleanEnv", "customCleanEnv", "parseEnv", "envsafe", "createEnv":
		return true
	case "parse", "safeParse", "parseAsync", "safeParseAsync", "validate", "validateSync", "validateAsync", "assert", "cast", "Parse", "Decode", "decode", "create", "mask":
	default:
		value, ok := s.objects[s.text(name)] // const Env = type({ … }); Env(process.env)
		return ok && value >= 0 && s.is(value, "type") && s.schemaValue(value, 0)
	}
	if s.is(name-1, ".") {
		if s.owner(name - 2) {
			return true
		}
	}
	first := p + 1 // v.parse(Schema, process.env)
	return first < start-1 && s.schemaValue(first, 0)
}

// owner reads the schema whose last token is i.
func (s *js) owner(i int) bool {
	found := false
	for n := 0; i >= 0 && n < maxType; n++ {
		switch {
		case s.is(i, ")") && s.toks[i].Match >= 0:
			open := s.toks[i].Match
			if s.is(open+1, "{") {
				s.schemaKeys(open+1, 0)
				found = true
			}
			i = open - 1
		case s.isIdent(i) && s.is(i-1, "."):
			i -= 2
		case s.isIdent(i):
			if value, ok := s.objects[s.text(i)]; ok && value >= 0 {
				found = s.schemaValue(value, 0) || found
			}
			return found
		default:
			return found
		}
	}
	return found
}

// schemaOption tells whether the environment is the value of an option by which t3-env
// is handed it.
func (s *js) schemaOption(start int) bool {
	switch s.text(start - 2) {
	case "runtimeEnv", "runtimeEnvStrict", "experimental__runtimeEnv", "processEnv":
		return true
	}
	return false
}
