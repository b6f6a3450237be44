package usage

import "slices"

// judgeAll looks at what is done where a variable is missing, as js.judgeAll does.
func (p *py) judgeAll() {
	p.aliases()
	verdicts := make([]verdict, len(p.found))
	for n := range p.found {
		verdicts[n] = p.judge(&p.found[n])
	}
	for n, o := range p.found {
		if !o.alias && verdicts[n] != needed && p.guarded(o) || verdicts[n] == checked {
			p.mark(o, checked)
		}
	}
	for n, o := range p.found {
		if verdicts[n] == needed {
			p.mark(o, needed)
		}
	}
}

func (p *py) mark(o occurrence, v verdict) {
	for _, n := range o.uses {
		p.uses[n].Optional, p.uses[n].Asserted = v == checked, v == needed
	}
}

func (p *py) guarded(o occurrence) bool {
	return slices.ContainsFunc(p.guards, func(g guard) bool { return g.name == o.name && o.start >= g.from && o.start < g.to })
}

func (p *py) guard(o *occurrence, from, to int) {
	if from < to && len(p.guards) < maxUses {
		p.guards = append(p.guards, guard{o.name, from, to})
	}
}

// statement is the first token of the statement around a token.
func (p *py) statement(i int) int {
	for i > 0 && (!p.toks[i].first || p.toks[i].parent >= 0) {
		i--
	}
	return i
}

// suite is what belongs to the header of a block: from behind its colon to the next
// statement that is not further in.
func (p *py) suite(header, colon int) (from, to int) {
	indent := p.column(header)
	for to = colon + 1; to < len(p.toks) && to-colon < maxClass; to++ {
		if t := &p.toks[to]; t.first && t.parent < 0 && p.column(to) <= indent {
			break
		}
	}
	return colon + 1, to
}

// rest is the end of the block that a statement is in.
func (p *py) rest(statement int) int {
	indent := p.column(statement)
	i := statement + 1
	for ; i < len(p.toks) && i-statement < maxClass; i++ {
		if t := &p.toks[i]; t.first && t.parent < 0 && p.column(i) < indent {
			break
		}
	}
	return i
}

// colon is the one that ends the header of a block, or -1.
func (p *py) colon(i int) int {
	parent := p.toks[i].parent
	for ; i < len(p.toks); i++ {
		switch {
		case p.is(i, ":") && p.toks[i].parent == parent:
			return i
		case p.toks[i].match > i:
			i = p.toks[i].match
		}
	}
	return -1
}

// outcome is what the statements from token to token do.
func (p *py) outcome(from, to int) outcome {
	indent := -1
	for i := from; i < to; i++ {
		t := &p.toks[i]
		if i > from && (!t.first || t.parent >= 0) {
			continue
		}
		if indent < 0 {
			indent = p.column(i)
		}
		if t.first && p.column(i) != indent {
			continue
		}
		switch {
		case p.failing(i):
			return fails
		case p.is(i, "return") || p.is(i, "continue") || p.is(i, "break"):
			return leaves
		case p.is(i, "pytest") || p.exits(i):
			return leaves
		}
	}
	return goesOn
}

// exits tells whether a call of exit begins at a token.
func (p *py) exits(i int) bool {
	switch p.text(i) {
	case "exit", "quit":
		return p.isName(i) && p.is(i+1, "(")
	case "sys", "os":
		return p.is(i+1, ".") && (p.is(i+2, "exit") || p.is(i+2, "_exit") || p.is(i+2, "abort")) && p.is(i+3, "(")
	}
	return false
}

// failing tells whether what begins at a token ends in an error.
func (p *py) failing(i int) bool {
	if p.is(i, "raise") {
		return true
	}
	if !p.exits(i) {
		return false
	}
	open := i + 1
	if p.is(i+1, ".") {
		open = i + 3
	}
	return !p.is(open+1, ")") && !p.is(open+1, "0")
}

// pyCondition is an expression that says whether a variable is there, as condition.
type pyCondition struct {
	start, end    int
	present, soft bool
	seen          bool
}

// atom is the smallest condition that an occurrence is part of.
func (p *py) atom(o *occurrence) pyCondition {
	c := pyCondition{start: o.start, end: o.end, present: !o.absent}
	if p.is(c.start-1, ":=") {
		c.start -= 2
	}
	for p.is(c.start-1, "(") && p.is(c.end, ")") && !p.isCallee(c.start-2) {
		c.start, c.end = c.start-1, c.end+1
	}
	if p.is(c.end, ".") && p.is(c.end+2, "(") && p.toks[c.end+2].match > 0 { // .strip(), .lower()
		c.end = p.toks[c.end+2].match + 1
	}
	switch {
	case p.is(c.end, "is") && p.is(c.end+1, "not"):
		c.end, c.seen = c.end+3, true
	case p.is(c.end, "is"):
		c.end, c.seen, c.present = c.end+2, true, false
	case p.is(c.end, "==") || p.is(c.end, "!="):
		empty := p.is(c.end+1, "None") || c.end+1 < len(p.toks) && p.toks[c.end+1].kind == pyString && p.toks[c.end+1].text == ""
		c.soft, c.seen, c.present = !empty, true, p.is(c.end, "!=") == empty
		for c.end += 2; p.is(c.end, ".") || p.is(c.end, "("); {
			if c.end = max(c.end, p.toks[c.end].match) + 1; p.is(c.end-1, ".") {
				c.end++
			}
		}
	case p.is(c.end, "in"), p.is(c.end, "not") && p.is(c.end+1, "in"):
		c.soft, c.seen, c.present = true, true, p.is(c.end, "in")
		for c.end++; c.end < len(p.toks) && !p.ends(c.end); c.end++ {
			c.end = max(c.end, p.toks[c.end].match)
		}
	}
	for p.is(c.start-1, "not") {
		c.start, c.present, c.seen = c.start-1, !c.present, true
	}
	return c
}

func (p *py) isCallee(i int) bool {
	if p.isName(i) {
		switch p.text(i) {
		case "if", "elif", "not", "and", "or", "while", "assert", "return", "in", "else":
			return false
		}
		return true
	}
	return p.is(i, ")") || p.is(i, "]")
}

// ends tells whether an operand of and or or ends before a token.
func (p *py) ends(i int) bool {
	switch p.text(i) {
	case ":", "and", "or", ")", "]", "}", ",", "if", "else":
		return p.toks[i].kind != pyString
	}
	return p.toks[i].first && p.toks[i].parent < 0
}

// judge finds the check that an occurrence is part of.
func (p *py) judge(o *occurrence) verdict {
	c := p.atom(o)
	if p.is(c.end, "or") && c.present {
		if p.failing(c.end+1) && !c.soft {
			return needed
		}
		return checked
	}
	own := "and"
	if !c.present {
		own = "or"
	}
	stop := c.end
	for n := 0; p.is(stop, own) && n < maxOperands; n++ { // operands that are reached only where the variable is there
		for stop++; stop < len(p.toks) && !p.ends(stop); stop++ {
			stop = max(stop, p.toks[stop].match)
		}
	}
	p.guard(o, c.end, stop)
	start := c.start
	for n := 0; p.is(start-1, own) && n < maxOperands; n++ {
		j := start - 2
		for j >= 0 {
			m := p.toks[j].match
			if m > j || m < 0 && p.ends(j) {
				break
			}
			if m >= 0 {
				j = m
			}
			j--
		}
		start = j + 1
	}
	pure := !p.is(start-1, "and") && !p.is(start-1, "or") && !p.is(stop, "and") && !p.is(stop, "or")
	keyword := start - 1
	switch {
	case pure && (p.is(keyword, "if") || p.is(keyword, "elif")) && p.toks[keyword].first && p.is(stop, ":"):
		return p.branches(o, c, keyword, stop)
	case pure && p.is(keyword, "assert") && c.present && !c.soft:
		return needed
	case pure && p.is(keyword, "if") && p.is(stop, "else"): // a if X else b
		p.chosen(o, c, keyword, stop)
		return checked
	case c.seen, p.is(keyword, "(") && p.is(keyword-1, "bool"), p.is(keyword, "if"), p.is(keyword, "elif"), p.is(keyword, "while"), stop > c.end:
		return checked
	}
	return unchecked
}

// chosen guards the branch of a if X else b that runs where the variable is there.
func (p *py) chosen(o *occurrence, c pyCondition, keyword, otherwise int) {
	parent := p.toks[keyword].parent
	inside := func(i int) bool {
		return i > parent && i < len(p.toks) && (p.toks[i].parent == parent || p.toks[i].parent > parent) && !(p.toks[i].parent == parent && (p.is(i, ",") || p.is(i, "=")))
	}
	if c.present {
		from := keyword
		for inside(from-1) && !(p.toks[from].first && parent < 0) {
			from--
		}
		p.guard(o, from, keyword)
		return
	}
	to := otherwise + 1
	for inside(to) && !(p.toks[to].first && parent < 0) {
		to++
	}
	p.guard(o, otherwise, to)
}

// branches looks at the statement whose condition it is.
func (p *py) branches(o *occurrence, c pyCondition, keyword, colon int) verdict {
	from, to := p.suite(keyword, colon)
	body, otherwise, last := p.outcome(from, to), goesOn, to
	if p.is(to, "else") && p.column(to) == p.column(keyword) {
		_, last = p.suite(to, to+1)
		otherwise = p.outcome(to+2, last)
	}
	if c.present {
		p.guard(o, from, to)
		if last == to && body != goesOn && p.is(keyword, "if") {
			otherwise = p.outcome(to, p.rest(keyword))
		}
		if otherwise == fails && !c.soft {
			return needed
		}
		return checked
	}
	p.guard(o, to, last)
	if body != goesOn {
		p.guard(o, last, p.rest(keyword))
	}
	if body == fails && !c.soft {
		return needed
	}
	return checked
}

// aliases finds the places of the names that were given the value of a read.
func (p *py) aliases() {
	type alias struct {
		occurrence
		to int
	}
	byName := map[string][]alias{}
	for _, o := range p.found {
		at := o.start - 2
		if p.is(o.start-1, ":=") {
			byName[p.text(at)] = append(byName[p.text(at)], alias{o, p.rest(p.statement(at))})
			continue
		}
		first := p.statement(o.start)
		if len(byName[p.text(first)]) > maxBindings {
			continue
		}
		if !p.is(o.start-1, "=") || !p.isName(first) || first != at && !p.is(first+1, ":") || o.end < len(p.toks) && !p.toks[o.end].first {
			continue
		}
		byName[p.text(first)] = append(byName[p.text(first)], alias{o, p.rest(first)})
	}
	if len(byName) == 0 {
		return
	}
	for i := range p.toks {
		if !p.isName(i) || p.is(i-1, ".") || p.is(i+1, "=") || p.is(i+1, ":=") {
			continue
		}
		var last *alias // the nearest before it
		for n, a := range byName[p.text(i)] {
			if i >= a.end && i < a.to {
				last = &byName[p.text(i)][n]
			}
		}
		if last != nil && len(p.found) < maxUses {
			p.found = append(p.found, occurrence{name: last.name, start: i, end: i + 1, uses: last.uses, alias: true})
		}
	}
}

// caught tells whether a read that fails where the variable is missing is in a try
// whose except goes on.
func (p *py) caught(i int) bool {
	at := p.statement(i)
	indent := p.column(at)
	for j := at - 1; j >= 0 && indent > 0 && at-j < maxClass; j-- {
		t := &p.toks[j]
		if !t.first || t.parent >= 0 || p.column(j) >= indent {
			continue
		}
		indent = p.column(j)
		if !p.is(j, "try") {
			continue
		}
		_, next := p.suite(j, j+1)
		for p.is(next, "except") && p.column(next) == indent {
			colon := p.colon(next)
			if colon < 0 {
				return false
			}
			_, end := p.suite(next, colon)
			catches := colon == next+1
			for k := next; k < colon; k++ {
				switch p.text(k) {
				case "KeyError", "LookupError", "Exception", "BaseException", "ImproperlyConfigured", "UndefinedValueError", "EnvError":
					catches = true
				}
			}
			if catches {
				return p.outcome(colon+1, end) != fails
			}
			next = end
		}
	}
	return false
}
