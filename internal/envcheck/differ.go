package envcheck

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

// differences reports what Next.js and docker compose read differently in a
// file, with a spelling that both read alike, found by trying and reading back.
func (c *checker) differences(l *loaded) {
	for _, p := range l.compose.problems {
		c.add(Finding{File: l.name, Line: p.Pos.Line, Col: p.Pos.Col, Rule: "E-SYNTAX", Level: Error,
			Message: "docker compose refuses the file here: " + p.Reason + "; Next.js reads on", Fix: syntaxFix(p.Reason)})
	}
	if p := l.nextErr; p != nil {
		c.add(Finding{File: l.name, Line: p.Pos.Line, Col: p.Pos.Col, Rule: "E-SELF", Level: Error,
			Message: p.Reason, Fix: "write the value out, without a reference to itself"})
		return
	}
	d := newDiffer(c, l)
	for i := range l.alone.Entries {
		if ne := &l.alone.Entries[i]; d.nlast[ne.Key] == ne {
			d.compare(ne)
		}
	}
	for i := range l.compose.Entries {
		ce := &l.compose.Entries[i]
		if d.clast[ce.Key] != ce || d.nline[place{ce.Pos.Line, ce.Key}] != nil {
			continue
		}
		if d.nlast[ce.Key] == nil || len(d.refused) == 0 {
			d.composeOnly(ce)
		}
	}
}

func syntaxFix(reason string) string {
	switch {
	case strings.Contains(reason, "quote is never closed"):
		return "close the quote"
	case strings.Contains(reason, "blank"):
		return "start a comment with #, or write KEY=value"
	}
	return "quote the value as a whole, or start a comment with #"
}

// differ classifies differences in one file.
type differ struct {
	c       *checker
	l       *loaded
	line    map[string]int  // line of each key
	differs map[string]bool // keys that are read differently
	refused []int           // lines on which compose refuses the file, in order

	nlast, clast map[string]*Entry // what counts for Next.js and for compose
	nline, cline map[place]*Entry  // their entries by line and key
}

// place is where a key is set.
type place struct {
	line int
	key  string
}

func byPlace(entries []Entry) map[place]*Entry {
	m := make(map[place]*Entry, len(entries))
	for i := range entries {
		m[place{entries[i].Pos.Line, entries[i].Key}] = &entries[i]
	}
	return m
}

func newDiffer(c *checker, l *loaded) *differ {
	d := &differ{c: c, l: l, line: map[string]int{}, differs: map[string]bool{}, nlast: l.alone.Last(), clast: l.compose.Last(),
		nline: byPlace(l.alone.Entries), cline: byPlace(l.compose.Entries)}
	for _, p := range l.compose.problems {
		d.refused = append(d.refused, p.Pos.Line)
	}
	for key, ne := range d.nlast {
		d.line[key] = ne.Pos.Line
		if ce := d.same(ne); ce != nil && ce.Value != ne.Value {
			d.differs[key] = true
		}
	}
	return d
}

// same is what compose reads on the line of Next.js's entry: of a key that is
// set twice, the line that compose takes may be another one.
func (d *differ) same(ne *Entry) *Entry {
	return d.cline[place{ne.Pos.Line, ne.Key}]
}

// compare reports how one line is read differently; one finding tells its story.
func (d *differ) compare(ne *Entry) {
	ce := d.same(ne)
	rule := ""
	switch {
	case d.refuses(ne): // that has been said
		d.repairRefused(ne)
		return
	case ce == nil:
		// After a line that compose refuses it may read anything as anything.
		if len(d.refused) == 0 {
			d.c.line(d.l, ne, "E-KEY", Warning, "Next.js takes this for an assignment, docker compose does not", "write KEY=value")
		}
	case ce.Value != ne.Value && !d.c.opts.NamesOnly:
		rule = d.report(ne, ce)
	}
	if !settlesDollar(rule) {
		d.c.unset(d.l, ne)
	}
}

// refuses reports whether compose refuses the file within an entry of Next.js.
func (d *differ) refuses(ne *Entry) bool {
	i, found := slices.BinarySearch(d.refused, ne.Pos.Line)
	return found || i < len(d.refused) && d.refused[i] <= ne.EndLine
}

func (d *differ) composeOnly(e *Entry) {
	if e.Bare {
		d.c.line(d.l, e, "E-BARE", Warning, "a key without =: docker compose takes it from its own environment, Next.js skips it", "write KEY=value, or remove the line")
		return
	}
	if d.c.line(d.l, e, "E-KEY", Warning, "docker compose takes this for an assignment, Next.js skips it", "write KEY=value; a key is made of letters, digits and _") {
		d.repairSeparator(e)
	}
}

// verdict is what a difference comes from and what was probably meant.
type verdict struct {
	rule   string
	level  Level
	why    string
	meant  []string // values, the likeliest first
	advice string   // instead of a spelling
}

// report gives the rule that it reported, "" when it only follows from another line's difference.
func (d *differ) report(ne, ce *Entry) string {
	if len(refersTo(ce.Raw, d.differs, ne.Key)) > 0 {
		return ""
	}
	v := d.verdict(ne, ce)
	fix := v.advice
	if fix == "" {
		fix = d.spelling(ne, ce, v)
	}
	msg := ne.Key
	if !isPlausibleKey(msg) {
		msg = "this value"
	}
	if d.c.add(Finding{File: d.l.name, Line: ce.ValuePos.Line, Col: ce.ValuePos.Col, Rule: v.rule, Level: v.level, Key: shownKey(ne.Key), Fix: fix,
		Message: msg + " is read differently: " + v.why + " (" + lengths(ne.Value, ce.Value) + ")"}) {
		d.repair(ne, ce, v)
	}
	return v.rule
}

// lengths says how far two values are apart without showing them.
func lengths(next, compose string) string {
	if length32(next) == length32(compose) {
		return "both get " + characters(next) + ", but not the same"
	}
	return "Next.js gets " + characters(next) + ", compose " + characters(compose)
}

func characters(s string) string {
	switch n := length32(s); n {
	case 0:
		return "nothing"
	case 1:
		return "1 character"
	default:
		return itoa(n) + " characters"
	}
}

// spelling is the fix: the portable spelling itself where the value may be shown.
func (d *differ) spelling(ne, ce *Entry, v verdict) string {
	if ps := d.proposals(ne, ce, v); len(ps) > 0 {
		if d.c.schema.SensitiveKey(ne.Key) {
			return "write the value " + ps[0].form
		}
		return "write " + ne.Key + "=" + ps[0].spelling
	}
	if set, _ := d.references(inside(ce)); set > 0 {
		return "where a variable is meant, use ${NAME} in double quotes, and set it in the same file; where a dollar sign is, write \\$"
	}
	return "no spelling is read alike by both: percent-encode the character in a URL, use base64, or set the variable outside the file"
}

var (
	operatorRef = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\$\{\w+(:[-+?]|[-+?])`) })
	adjacentRef = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\$([A-Za-z_]\w*)\$([A-Za-z_]\w*)`) })
	anyRef      = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\$\{?(\w+)`) })
)

// refersTo lists the names in set that a raw value refers to, itself apart.
func refersTo(raw string, set map[string]bool, self string) []string {
	if strings.IndexByte(raw, '$') < 0 {
		return nil
	}
	var out []string
	for _, m := range anyRef().FindAllStringSubmatch(raw, -1) {
		if set[m[1]] && m[1] != self {
			out = append(out, m[1])
		}
	}
	return out
}

func (d *differ) verdict(ne, ce *Entry) verdict {
	raw := ce.Raw
	hash := strings.IndexByte(raw, '#')
	switch {
	case ce.Quote == 0 && hash == 0 && len(raw) > 1 && isBlank(raw[1]):
		return verdict{rule: "E-EMPTY-COMMENT", level: Warning, why: "the comment after = is the value to compose, so that a missing value looks set",
			advice: "put the comment on a line of its own above"}
	case ce.Quote == 0 && strings.HasPrefix(raw, "`"):
		return verdict{rule: "E-BACKTICK", level: Warning, why: "backticks are quotes to Next.js and part of the value to compose", meant: []string{ne.Value}}
	case ce.Quote == 0 && hash > 0 && raw[hash-1] == '\t':
		return verdict{rule: "E-HASH-TAB", level: Warning, why: "a comment after a tab is part of the value to compose", advice: "put a blank before #, or the comment on a line of its own"}
	case ce.Quote == 0 && hash >= 0:
		return verdict{rule: "E-HASH", level: Error, why: "Next.js cuts the value at #", meant: []string{raw, ce.Value}}
	case strings.Contains(raw, "\r\n"):
		return verdict{rule: "E-CRLF", level: Warning, why: "line ends inside the quotes are CRLF to compose and LF to Next.js", advice: "save the file with LF line ends"}
	case strings.IndexByte(raw, '$') >= 0:
		return d.dollar(ne, ce, inside(ce))
	case strings.IndexByte(raw, '\\') >= 0:
		return verdict{rule: "E-ESCAPE", level: Warning, why: "a backslash in quotes is an escape to compose but not to Next.js", meant: []string{ce.Value, ne.Value}}
	}
	return verdict{rule: "E-QUOTE", level: Warning, why: "the quotes are not read alike", meant: []string{ce.Value, ne.Value}}
}

// inside is the value as written without its quotes.
func inside(e *Entry) string {
	if e.Quote != 0 && len(e.Raw) >= 2 {
		return e.Raw[1 : len(e.Raw)-1]
	}
	return e.Raw
}

// dollar classifies a difference that a dollar sign makes.
func (d *differ) dollar(ne, ce *Entry, inner string) verdict {
	if m := operatorRef().FindStringSubmatch(inner); m != nil && ce.Quote != '\'' {
		if m[1] == ":-" {
			return verdict{rule: "E-DEFAULT", level: Warning, why: "Next.js takes the default although the variable is set in this file",
				advice: "write the value out, or use ${NAME} without a default"}
		}
		return verdict{rule: "E-OPERATOR", level: Error, why: "Next.js does not know the operator in ${...}", advice: "write the value out, or use ${NAME} alone"}
	}
	if m := adjacentRef().FindStringSubmatch(inner); m != nil && ce.Quote != '\'' && (d.line[m[1]] > 0 || d.line[m[2]] > 0) {
		return verdict{rule: "E-ADJACENT", level: Error, why: "Next.js loses track of two references without braces",
			advice: "put braces around the names, as in ${A}${B}"}
	}
	if strings.Contains(inner, `\$`) || strings.Contains(inner, "$$") {
		plain := strings.ReplaceAll(strings.ReplaceAll(inner, `\$`, "$"), "$$", "$")
		return verdict{rule: "E-DOLLAR-ESC", level: Error, why: "the dollar sign is escaped in a way that only one of them knows", meant: []string{plain}}
	}
	for _, name := range refersTo(inner, d.keys(), ne.Key) {
		if ce.Quote != '\'' && d.line[name] > ne.Pos.Line {
			return verdict{rule: "E-FORWARD", level: Warning, why: "it refers to a variable that is set further down, which compose does not know yet",
				advice: "move this line below that of " + shownKey(name)}
		}
	}
	why := "Next.js expands the dollar sign"
	if ce.Quote == '\'' {
		why += "; single quotes do not protect it there"
	}
	return verdict{rule: "E-DOLLAR", level: Error, why: why, meant: []string{inner}}
}

// keys is the set of the keys in the file.
func (d *differ) keys() map[string]bool {
	set := make(map[string]bool, len(d.line))
	for k := range d.line {
		set[k] = true
	}
	return set
}
