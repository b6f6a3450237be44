package usage

import "github.com/opsctl/opsctl/internal/envcheck/usage/jslex"

// outcome is what a statement does to those behind it.
type outcome int

const (
	goesOn outcome = iota
	leaves         // return, continue or break
	fails          // throw, or an exit with an error
)

const (
	maxStatement = 600 // tokens, with brackets as one, of what is looked through for its end
	maxElse      = 20  // statements within statements without braces
)

// endsLine tells whether a statement without a semicolon ends before token i.
func (s *js) endsLine(i int) bool {
	if i <= 0 || i >= len(s.toks) || !s.toks[i].Newline {
		return i >= len(s.toks)
	}
	if t := &s.toks[i]; t.Kind == jslex.Punct {
		switch t.Text {
		case "!", "(", "[", "{", "}", ";", "++", "--", "~", "@":
		default:
			return false // an operator, or a bracket that closes
		}
	} else if s.is(i, "as") || s.is(i, "in") || s.is(i, "instanceof") || s.is(i, "satisfies") {
		return false
	}
	if t := &s.toks[i-1]; t.Kind == jslex.Punct {
		switch t.Text {
		case ")", "]", "}", ";", "++", "--", "!":
			return true
		}
		return false
	}
	return !s.isIdent(i-1) || !jslex.WantsOperand(s.text(i-1)) || s.is(i-1, "return") // nothing on the line of return is its value
}

// expressionEnd is the token behind the expression that begins at i, which ends at one
// of the operators, too.
func (s *js) expressionEnd(i int, operators ...string) int {
	start := i
	for n := 0; i < len(s.toks) && n < maxStatement; n++ {
		if i > start && s.endsLine(i) {
			return i
		}
		if s.toks[i].Kind == jslex.Punct {
			switch s.text(i) {
			case ",", ";", ")", "]", "}":
				return i
			}
			for _, op := range operators {
				if s.is(i, op) && (i > start || op == ":") {
					return i
				}
			}
		}
		i = s.next(i)
	}
	return min(i, len(s.toks))
}

// choice is the colon of a ? b : c whose question mark is token q, or -1.
func (s *js) choice(q int) int {
	depth := 0
	for i, n := q+1, 0; i < len(s.toks) && n < maxStatement; n++ {
		switch {
		case s.is(i, "?"):
			depth++
		case s.is(i, ":"):
			if depth--; depth < 0 {
				return i
			}
		case s.is(i, ";") || s.is(i, ",") || s.is(i, ")") || s.is(i, "]") || s.is(i, "}"):
			return -1
		}
		i = s.next(i)
	}
	return -1
}

// statementEnd is the token behind the statement that begins at i.
func (s *js) statementEnd(i, depth int) int {
	switch {
	case depth > maxElse:
		return i
	case s.is(i, "{"):
		return s.next(i)
	case (s.is(i, "if") || s.is(i, "while") || s.is(i, "for")) && s.is(i+1, "(") && s.closing(i+1) > 0:
		end := s.statementEnd(s.closing(i+1)+1, depth+1)
		if s.is(i, "if") && s.is(end, "else") {
			end = s.statementEnd(end+1, depth+1)
		}
		return end
	}
	start := i
	for n := 0; i < len(s.toks) && n < maxStatement; n++ {
		switch {
		case s.is(i, ";"):
			return i + 1
		case s.is(i, "}") || s.is(i, ")") || i > start && s.endsLine(i) || s.is(i, "else"):
			return i
		}
		i = s.next(i)
	}
	return min(i, len(s.toks))
}

// outcome is what the statements from token to token do, the last of them when those
// before it go on.
func (s *js) outcome(from, to int) outcome {
	if s.is(from, "{") && s.next(from) == to {
		from, to = from+1, to-1
	}
	for i, n := from, 0; i < to && n < maxStatement; n++ {
		if s.is(i, ";") {
			i++
			continue
		}
		switch {
		case s.failing(i):
			return fails
		case s.is(i, "return") && s.failing(i+1):
			return fails
		case s.is(i, "return") || s.is(i, "continue") || s.is(i, "break"):
			return leaves
		case s.is(i, "throw"): // redirect, as Remix and others have it
			return leaves
		}
		i = max(s.statementEnd(i, 0), i+1)
	}
	return goesOn
}

// failing tells whether what begins at a token ends in an error: throw, process.exit(1),
// or a call of a function that does nothing else.
func (s *js) failing(i int) bool {
	for n := 0; n < 3 && (s.is(i, "await") || s.is(i, "new")); n++ {
		i++
	}
	switch {
	case s.is(i, "throw"):
		return !s.is(i+1, "redirect") && !s.is(i+1, "notFound") && !s.is(i+1, "json")
	case s.is(i, "process") && s.is(i+1, ".") && s.is(i+2, "exitCode") && s.is(i+3, "="):
		return !s.is(i+4, "0")
	case s.is(i, "process") && s.is(i+1, ".") && (s.is(i+2, "exit") || s.is(i+2, "abort")):
		return !s.is(i+4, "0")
	case s.is(i, "Deno") && s.is(i+1, ".") && s.is(i+2, "exit"):
		return !s.is(i+4, "0")
	case s.is(i, "Promise") && s.is(i+1, ".") && s.is(i+2, "reject"):
		return true
	case s.is(i, "(") && s.is(i+1, "(") && s.is(i+2, ")") && s.is(i+3, "=>"): // (() => { throw … })()
		return s.outcome(i+4, s.next(i+4)) == fails
	case s.isIdent(i) && s.is(i+1, "("):
		return s.isFailure(s.text(i))
	}
	return false
}

// isFailure tells whether a function only fails, by its name or by what it does in
// this file.
func (s *js) isFailure(name string) bool {
	switch name {
	case "fail":
		return s.imports[name] != "@sveltejs/kit" // whose fail is the answer to a form
	case "die", "panic", "abort", "bail", "fatal", "throwError", "raise":
		return true
	}
	if s.failures == nil {
		s.failures = map[string]bool{}
		for i := range s.toks {
			if !s.is(i, "(") || !s.isParams(i) {
				continue
			}
			fn, body := s.functionName(i), s.closing(i)+1
			if s.is(body, ":") {
				never := s.is(body+1, "never")
				if body = s.typeEnd(body+1, true); never && fn != "" {
					s.failures[fn] = true
				}
			}
			if s.is(body, "=>") {
				body++
			}
			if fn != "" && s.is(body, "{") && !s.failures[fn] {
				s.failures[fn] = false // it may call itself
				s.failures[fn] = s.outcome(body, s.next(body)) == fails
			}
		}
	}
	return s.failures[name]
}
