package usage

import "github.com/opsctl/opsctl/internal/envcheck/usage/jslex"

// occurrence is an expression whose value is that of a variable.
type occurrence struct {
	name       string // "" when it is not known which
	start, end int
	uses       []int // the reads that it is, or that its name was made from
	wrapper    int   // 1 + the function whose parameter is the variable
	alias      bool  // a constant that was made from the read
	absent     bool  // Python: "X" not in os.environ
}

// guard is a piece of code that runs only where a variable is there.
type guard struct {
	name     string
	from, to int
}

// verdict is what the code around an occurrence does when the variable is missing.
type verdict int

const (
	unchecked verdict = iota
	checked           // it has a default, or the code does something else
	needed            // it ends in an error
)

// occurs keeps an occurrence for judge.
func (s *js) occurs(o occurrence) {
	o.start, o.end = s.converted(o.start, o.end)
	if len(s.found) < maxUses {
		s.found = append(s.found, o)
	}
}

// judgeAll looks at what is done where a variable is missing: a read whose absence ends
// in an error has no default, whatever it looks like; one that runs only behind a check
// of the same variable has one.
func (s *js) judgeAll() {
	s.aliases()
	verdicts := make([]verdict, len(s.found))
	for n := range s.found {
		verdicts[n] = s.judge(&s.found[n])
	}
	for n, o := range s.found {
		if !o.alias && o.wrapper == 0 && o.name != "" && verdicts[n] != needed && s.guarded(o) {
			s.mark(o, checked)
		}
		if (o.alias || o.wrapper > 0) && verdicts[n] == checked {
			s.mark(o, checked)
		}
	}
	for n, o := range s.found {
		if verdicts[n] == needed {
			s.mark(o, needed)
		}
	}
	for _, o := range s.failed {
		s.mark(o, needed)
	}
}

func (s *js) mark(o occurrence, v verdict) {
	if o.wrapper > 0 {
		s.wrappers[o.wrapper-1].lenient = v == checked
	}
	for _, n := range o.uses {
		s.uses[n].Optional, s.uses[n].Asserted = v == checked, v == needed
	}
}

func (s *js) guarded(o occurrence) bool {
	for _, g := range s.guards {
		if g.name == o.name && o.start >= g.from && o.start < g.to {
			return true
		}
	}
	return false
}

func (s *js) guard(o *occurrence, from, to int) {
	if o.name != "" && from < to && len(s.guards) < maxUses {
		s.guards = append(s.guards, guard{o.name, from, to})
	}
}

// condition is an expression that says whether a variable is there.
type condition struct {
	start, end int
	present    bool // it is true only where the variable is there; else it is true wherever it is missing
	soft       bool // it asks for a certain value
	seen       bool // it is a check at all, and not just the value
}

// judge finds the check that an occurrence is part of.
func (s *js) judge(o *occurrence) verdict {
	c := s.atom(o)
	for range maxClimb {
		left, right := s.text(c.start-1), s.text(c.end)
		switch {
		case right == "??=" || right == "||=":
			return checked
		case right == "??" || right == "||" && c.present:
			return s.fallback(o, c, left)
		case right == "&&" && !c.present && s.failing(c.end+1) && left != "&&":
			return needed
		}
		from, to, pure := s.joined(o, &c)
		if !pure {
			return checked
		}
		c.start, c.end = from, to
		if s.is(to, "?") {
			return s.chosen(o, c)
		}
		open := from - 1
		if !s.is(open, "(") || !s.is(to, ")") && !s.is(to, ",") {
			break
		}
		switch {
		case s.asserts(open - 1):
			if c.present {
				return needed
			}
			return checked
		case s.is(to, ","):
			return c.verdict()
		case (s.is(open-1, "if") || s.is(open-1, "while")) && !s.member(open-1):
			return s.branches(o, c, open-1)
		case s.is(open-1, "switch"):
			return checked
		case s.is(open-1, "Boolean"):
			c.start, c.end, c.seen = open-1, to+1, true
		case s.is(open-1, "isNaN"):
			c.start, c.end, c.seen, c.present = open-1, to+1, true, !c.present
			if s.member(open - 1) {
				c.start -= 2
			}
		case s.callee(open - 1):
			return c.verdict()
		default:
			c.start, c.end = open, to+1
		}
		s.negations(&c)
	}
	return c.verdict()
}

func (c condition) verdict() verdict {
	if c.seen {
		return checked
	}
	return unchecked
}

// asserts tells whether token i is a function that throws where its argument is false.
func (s *js) asserts(i int) bool {
	switch s.text(i) {
	case "assert", "invariant", "tinyInvariant", "ensure":
		return s.isIdent(i) && !s.member(i)
	case "ok":
		return s.member(i) && s.is(i-2, "assert")
	}
	return false
}

// fallback looks at what stands for a missing variable, at ?? or ||.
func (s *js) fallback(o *occurrence, c condition, left string) verdict {
	if s.failing(c.end+1) && left != "||" && left != "??" && !c.soft {
		return needed
	}
	if o.wrapper > 0 && s.isIdent(c.end+1) && !s.is(c.end+2, "(") && !s.is(c.end+2, ".") && !s.hasOwnDefault(c.end+1) {
		return unchecked // the caller gives it
	}
	return checked
}

// hasOwnDefault tells whether the parameter whose name is at a token has a default.
func (s *js) hasOwnDefault(i int) bool {
	for j := i - 1; j > 0 && j > i-2*maxType; j-- {
		if s.is(j, s.text(i)) && s.is(s.parent(j), "(") && (s.is(j-1, ",") || s.is(j-1, "(")) {
			after := j + 1
			if s.is(after, ":") {
				after = s.typeEnd(after+1, false)
			}
			return s.is(after, "=")
		}
	}
	return false
}

// chosen looks at a ? b : c.
func (s *js) chosen(o *occurrence, c condition) verdict {
	colon := s.choice(c.end)
	if colon < 0 {
		return checked
	}
	missing := colon + 1
	if c.present {
		s.guard(o, c.end, colon)
	} else {
		s.guard(o, colon, s.expressionEnd(colon+1))
		missing = c.end + 1
	}
	if s.failing(missing) && !c.soft {
		return needed
	}
	return checked
}

// branches looks at the statement whose condition it is, at its keyword.
func (s *js) branches(o *occurrence, c condition, keyword int) verdict {
	body := c.end + 1
	end := s.statementEnd(body, 0)
	last := end
	_, block := s.block(keyword)
	absent := goesOn // what is done where the variable is missing
	if s.is(end, "else") {
		last = s.statementEnd(end+1, 0)
	}
	if c.present {
		s.guard(o, body, end)
		switch {
		case last > end:
			absent = s.outcome(end+1, last)
		case s.is(keyword, "if") && s.outcome(body, end) != goesOn:
			absent = s.outcome(end, block)
		}
	} else {
		absent = s.outcome(body, end)
		s.guard(o, end, last)
		if absent != goesOn && s.is(keyword, "if") {
			s.guard(o, last, block)
		}
	}
	if absent == fails && !c.soft {
		return needed
	}
	return checked
}

const maxOperands = 30 // of && and || in a condition that is followed

// joined widens a condition to the operands that && and || join it with. It is not pure
// when what is known of the variable does not hold for all of that.
func (s *js) joined(o *occurrence, c *condition) (from, to int, pure bool) {
	own := "&&"
	if !c.present {
		own = "||"
	}
	if s.is(c.end, own) { // the operands behind it are reached only where the variable is there
		stop := s.expressionEnd(c.end+1, "?", "??", ":", "=>")
		if c.present {
			stop = s.expressionEnd(c.end+1, "||", "?", "??", ":", "=>")
		}
		s.guard(o, c.end, stop)
	}
	pure = true
	n := 0
	for from = c.start; s.is(from-1, "&&") || s.is(from-1, "||"); n++ {
		if n > maxOperands {
			return from, c.end, false
		}
		c.seen = true
		before := s.operandStart(from - 2)
		pure = pure && (s.is(from-1, own) || s.isMode(before, from-1) || !c.present && from != c.start)
		from = before
	}
	for to = c.end; s.is(to, "&&") || s.is(to, "||"); n++ {
		if n > maxOperands {
			return from, to, false
		}
		c.seen = true
		after := s.expressionEnd(to+1, "&&", "||", "?", "??", ":", "=>")
		pure = pure && (s.is(to, own) || s.isMode(to+1, after) || !c.present && to != c.end)
		to = after
	}
	return from, to, pure
}

// isMode tells whether an operand is about the mode that the program runs in, which a
// check of production is limited to.
func (s *js) isMode(from, to int) bool {
	for i := from; i < to && i < from+12; i++ {
		if s.is(i, "NODE_ENV") || s.is(i, "isProd") || s.is(i, "isProduction") || s.is(i, "PROD") {
			return true
		}
	}
	return false
}

// operandStart is the first token of the operand of && or || that ends at token i.
func (s *js) operandStart(i int) int {
	for n := 0; i >= 0 && n < maxStatement; n++ {
		t := &s.toks[i]
		if t.Kind == jslex.Punct {
			switch t.Text {
			case ")", "]", "}":
				if t.Match >= 0 {
					if i = t.Match; !s.endsLine(i) {
						i--
						continue
					}
					return i
				}
				return i + 1
			case "&&", "||", "??", "?", ":", ",", ";", "(", "[", "{", "=", "=>":
				return i + 1
			}
		} else if s.is(i, "return") && !s.member(i) {
			return i + 1
		}
		if s.endsLine(i) {
			return i
		}
		i--
	}
	return i + 1
}
