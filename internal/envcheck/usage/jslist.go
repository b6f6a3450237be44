package usage

import "github.com/opsctl/opsctl/internal/envcheck/usage/jslex"

// listed reads process.env[k] where k, at token i, runs over a list of names:
// for (const k of ["A", "B"]), NAMES.forEach((k) => …).
func (s *js) listed(i, start, end int, form string) bool {
	list, decl := s.listAround(i)
	if s.isIdent(list) {
		value, ok := s.objects[s.text(list)]
		if !ok {
			return false
		}
		list = value
	}
	closing := s.closing(list)
	if !s.is(list, "[") || closing < 0 {
		return false
	}
	for j := list + 1; j < closing; j++ {
		if s.toks[j].Kind != jslex.Str && !s.is(j, ",") || s.toks[j].Kind == jslex.Str && !isName(s.lit(j)) {
			return false
		}
	}
	o := occurrence{start: start, end: end}
	u := s.context(start, end, form+"[...]")
	u.Indirect = true
	for j := list + 1; j < closing; j++ {
		n := len(s.uses)
		if s.toks[j].Kind != jslex.Str {
			continue
		}
		if s.read(s.lit(j), j, u); len(s.uses) > n {
			o.uses = append(o.uses, n)
		}
	}
	s.occurs(o)
	if decl > 0 { // const missing = NAMES.filter((k) => !process.env[k]); if (missing.length) throw …
		_, to := s.block(decl)
		for j := end; j < to; j++ {
			if s.is(j, s.text(decl)) && !s.member(j) && s.is(j-1, "(") && s.is(j-2, "if") && s.is(j+1, ".") && s.is(j+2, "length") {
				body := s.closing(j-1) + 1
				if body > 0 && s.outcome(body, s.statementEnd(body, 0)) == fails {
					s.failed = append(s.failed, o)
				}
			}
		}
	}
	return true
}

// listAround is the token of the list that the name at token i runs over, or -1, and
// the constant that takes what a filter leaves of it.
func (s *js) listAround(i int) (list, filtered int) {
	name := s.text(i)
	p := s.toks[i].Parent
	for range maxClimb {
		if p < 0 {
			break
		}
		if open := s.toks[max(p-1, 0)].Match; s.is(p, "{") && s.is(p-1, ")") && open >= 0 {
			if s.is(open-1, "for") && s.is(open+2, name) && s.is(open+3, "of") {
				return s.unwrapped(open + 4), 0
			}
		}
		if s.is(p, "(") && s.member(p-1) && (s.is(p+1, name) && s.is(p+2, "=>") || s.is(p+1, "(") && s.is(p+2, name) || s.is(p+1, "function") && s.is(p+3, name)) {
			switch s.text(p - 1) {
			case "forEach", "filter", "map", "some", "every", "find", "flatMap":
				begin := p - 3
				if m := s.toks[max(begin, 0)].Match; m >= 0 {
					begin = m
				}
				if s.is(p-1, "filter") && s.is(begin-1, "=") && s.isIdent(begin-2) {
					filtered = begin - 2
				}
				return s.unwrapped(begin), filtered
			}
		}
		p = s.toks[p].Parent
	}
	// for (const k of NAMES) if (!process.env[k]) …, without braces
	for j := i; j > 0 && j > i-30; j-- {
		if s.is(j, "for") && s.is(j+1, "(") && s.is(j+3, name) && s.is(j+4, "of") && s.closing(j+1) < i {
			return s.unwrapped(j + 5), 0
		}
	}
	return -1, 0
}

// unwrapped is the token behind parentheses, as in (["A"] as const).
func (s *js) unwrapped(i int) int {
	for n := 0; s.is(i, "(") && n < maxClimb; n++ {
		i++
	}
	return i
}
