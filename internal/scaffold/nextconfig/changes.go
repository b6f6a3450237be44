package nextconfig

import "strings"

// change is what happens to a variable after its declaration.
type change struct {
	at     int // the token of the variable's name
	kind   changeKind
	prop   string // the property that is set
	value  span   // what is assigned
	always bool   // it stands on its own, in the same block as the declaration
}

type changeKind int

const (
	reassigned  changeKind = iota
	propertySet            // name.prop = value
	merged                 // Object.assign(name, …)
	unclear                // anything else that writes
)

// changes finds what is done to a variable.
func (f *file) changes(d *decl) []change {
	if out, ok := f.changed[d]; ok {
		return out
	}
	var out []change
	for i := range f.toks {
		if t := &f.toks[i]; t.kind != ident || t.text != d.name || i == d.at || f.isName(i) || f.resolve(i) != d {
			continue
		}
		if c, ok := f.changeOf(i, i+1, d.scope.start); ok {
			out = append(out, c)
		}
	}
	f.changed[d] = out
	return out
}

// changeOf reads what is done to the variable, or to module.exports, that ends before
// token next.
func (f *file) changeOf(i, next, block int) (change, bool) {
	c := change{at: i, always: f.toks[i].parent == block && f.startsStatement(i)}
	if f.is(i-1, "(") && f.is(i-2, "assign") && f.is(i-3, ".") && f.is(i-4, "Object") {
		c.kind, c.value = merged, span{i - 1, f.toks[i-1].match}
		c.always = f.toks[i-4].parent == block && f.startsStatement(i-4)
		return c, true
	}
	if f.is(next, "=") {
		c.kind, c.value = reassigned, span{next + 1, f.exprEnd(next + 1)}
		return c, true
	}
	deleted := f.is(i-1, "delete")
	switch {
	case f.is(next, ".") && f.isIdent(next+1):
		c.prop, next = f.text(next+1), next+2
	case f.is(next, "["):
		m := f.toks[next].match
		if m == next+2 && f.toks[next+1].kind == str {
			c.prop = unquote(f.text(next + 1))
		}
		next = m + 1
	}
	switch {
	case f.is(next, "=") && c.prop != "" && !deleted:
		c.kind, c.value = propertySet, span{next + 1, f.exprEnd(next + 1)}
	case deleted && !f.is(next, ".") && !f.is(next, "["), f.assigns(next):
		c.kind = unclear
	default:
		return change{}, false
	}
	return c, true
}

// assigns tells whether token i is an operator that writes.
func (f *file) assigns(i int) bool {
	if i >= len(f.toks) || f.toks[i].kind != punct {
		return false
	}
	switch t := f.toks[i].text; t {
	case "==", "===", "!=", "!==", "<=", ">=", "=>":
		return false
	case "++", "--":
		return !f.toks[i].newline
	default:
		return strings.HasSuffix(t, "=")
	}
}

// startsStatement tells whether a statement of its own begins at token i, which
// nothing but its block decides about.
func (f *file) startsStatement(i int) bool {
	if i == 0 || f.is(i-1, ";") || f.is(i-1, "{") {
		return true
	}
	if f.is(i-1, "}") {
		return f.toks[i].newline
	}
	if f.is(i-1, ")") { // if (x)
		switch f.text(f.toks[i-1].match - 1) {
		case "if", "while", "for", "with", "await":
			return false
		}
	}
	return !f.is(i-1, "else") && !f.is(i-1, "do") && f.endsStatement(i)
}

// apply works the changes of a variable into what is known about an option.
func (f *file) apply(s setting, changes []change, key string) setting {
	for _, c := range changes {
		switch {
		case c.kind == propertySet && c.prop == key:
			s = f.stringValue(c.value, 0)
			s.at = c.at
			switch {
			case !c.always:
				s = computedAt(c.at, key+" is assigned under a condition")
			case s.state == computed:
				s.why = key + " is computed"
			}
		case c.kind == unclear && (c.prop == key || c.prop == ""):
			s = computedAt(c.at, key+" may be changed here")
		case c.kind == merged:
			s = f.applyMerge(s, c, key)
		}
	}
	return s
}

// applyMerge works in what Object.assign copies into a variable.
func (f *file) applyMerge(s setting, c change, key string) setting {
	for _, arg := range f.args(c.value.start)[1:] {
		one, unknown := f.spread(arg, key, 0)
		switch {
		case unknown:
			s = setting{state: computed, at: c.at, why: key + " may be copied in here", maybe: s.state == unset || s.maybe}
		case one.state == constant && c.always:
			s = one
			s.at = c.at
		case one.state != unset:
			s = computedAt(c.at, key+" is copied in here under a condition")
		}
	}
	return s
}
