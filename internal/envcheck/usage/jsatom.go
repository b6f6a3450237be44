package usage

import (
	"slices"

	"github.com/opsctl/opsctl/internal/envcheck/usage/jslex"
)

// atom is the smallest condition that an occurrence is part of: X, !X, X === undefined,
// typeof X === "string", X?.length.
func (s *js) atom(o *occurrence) condition {
	c := condition{start: o.start, end: o.end, present: true}
	s.parentheses(&c)
	if s.is(c.end, "!") && !s.toks[c.end].Newline {
		c.end++
	}
	s.claimed(&c)
	for s.is(c.end, "?.") {
		c.seen = true
		for c.end < len(s.toks) && (s.is(c.end, "?.") || s.is(c.end, ".") || s.is(c.end, "(") || s.is(c.end, "[")) {
			if s.is(c.end, "?.") || s.is(c.end, ".") {
				c.end++
			}
			c.end = s.next(c.end)
		}
	}
	kind := s.is(c.start-1, "typeof")
	if kind {
		c.start--
	}
	s.compared(&c, kind)
	s.negations(&c)
	return c
}

// claimed widens a condition to the type that it is said to have: X as string.
func (s *js) claimed(c *condition) {
	if s.is(c.end, "as") || s.is(c.end, "satisfies") {
		c.end = s.expressionEnd(c.end+1, "??", "||", "&&", "?", "===", "!==", "==", "!=", "=>")
	}
	s.parentheses(c)
}

// parentheses widens a condition to those around it that are no call's.
func (s *js) parentheses(c *condition) {
	for s.is(c.start-1, "(") && s.is(c.end, ")") && !s.callee(c.start-2) {
		c.start, c.end = c.start-1, c.end+1
	}
}

// compared reads what a value is compared with.
func (s *js) compared(c *condition, kind bool) {
	comparison := func(i int) bool {
		return slices.Contains([]string{"===", "==", "!==", "!="}, s.text(i)) && s.toks[i].Kind == jslex.Punct
	}
	op, other := c.end, c.end+1
	switch {
	case op < len(s.toks) && comparison(op):
		c.end = s.expressionEnd(other, "&&", "||", "??", "?", ":", "=>")
	case c.start > 1 && comparison(c.start-1):
		op, other = c.start-1, c.start-2
		c.start = s.operandStart(other)
	case s.is(op, ">") || s.is(op, ">="):
		c.end, c.soft, c.seen = s.expressionEnd(other, "&&", "||", "??", "?", ":", "=>"), true, true
		return
	default:
		return
	}
	c.seen = true
	unequal := s.text(op)[0] == '!'
	empty := s.is(other, "undefined") || s.is(other, "null") || s.is(other, "void") || s.is(other, "0") && s.is(other-1, "void") || s.text(other) == `""` || s.text(other) == "''"
	switch {
	case kind && s.lit(other) == "undefined":
		empty = true
	case !empty && !kind:
		c.soft = true
	}
	c.present = unequal == empty
}

// negations reads the exclamation marks before a condition.
func (s *js) negations(c *condition) {
	for s.parentheses(c); s.is(c.start-1, "!"); s.parentheses(c) {
		c.start, c.present, c.seen = c.start-1, !c.present, true
	}
}

// aliases finds the places of the constants that were made from reads.
func (s *js) aliases() {
	type alias struct {
		occurrence
		at, to int
	}
	byName := map[string][]alias{}
	for _, o := range s.found {
		if at, to := s.assigned(o); at > 0 && len(byName[s.text(at)]) < maxClimb {
			byName[s.text(at)] = append(byName[s.text(at)], alias{o, at, to})
		}
	}
	for _, p := range s.picked {
		brace := s.parent(p.start)
		for n := 0; s.is(s.parent(brace), "{") && s.is(brace-1, ":") && n < maxClimb; n++ {
			brace = s.parent(brace) // a pattern within another
		}
		if _, to := s.block(brace); len(byName[s.text(p.start)]) < maxClimb {
			byName[s.text(p.start)] = append(byName[s.text(p.start)], alias{p, p.start, to})
		}
	}
	if len(byName) == 0 {
		return
	}
	for i := range s.toks {
		if !s.isIdent(i) || s.member(i) || s.is(i+1, ":") && (s.is(i-1, "{") || s.is(i-1, ",")) || s.is(i+1, "=>") {
			continue
		}
		for _, a := range byName[s.text(i)] {
			if i > a.at && i < a.to && i >= a.end {
				s.occurs(occurrence{name: a.name, start: i, end: i + 1, uses: a.uses, wrapper: a.wrapper, alias: true})
			}
		}
	}
}

// assigned is the constant that takes the value of an occurrence, and where it ends to
// hold. One with a default holds it only when that is nothing.
func (s *js) assigned(o occurrence) (at, to int) {
	start, end := o.start, o.end
	for s.is(start-1, "(") && s.is(end, ")") && !s.callee(start-2) {
		start, end = start-1, end+1
	}
	if s.is(end, "??") || s.is(end, "||") {
		if s.lit(end+1) != "" || !(s.text(end+1) == `""` || s.text(end+1) == "''" || s.is(end+1, "undefined") || s.is(end+1, "null")) {
			return 0, 0
		}
	} else if s.is(end, "&&") || s.is(end, "?") {
		return 0, 0
	}
	at = start - 2
	if !s.is(start-1, "=") || at < 1 {
		return 0, 0
	}
	for n := 0; n < 8 && at > 1 && !s.is(at-1, "const") && !s.is(at-1, "let") && !s.is(at-1, "var"); n++ {
		at-- // a type
	}
	if !s.is(at-1, "const") && !s.is(at-1, "let") && !s.is(at-1, "var") || !s.isIdent(at) {
		return 0, 0
	}
	_, to = s.block(at)
	return at, to
}
