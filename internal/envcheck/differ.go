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
			Message: "docker compose refuses the file here: " + p.Reason + c.readsOn(), Fix: syntaxFix(p.Reason)})
	}
	if p := l.appErr; p != nil {
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

// readsOn says what the app's own reader makes of a line on which compose refuses the file.
func (c *checker) readsOn() string {
	if c.opts.Reader == Compose {
		return ""
	}
	return "; " + c.app() + " reads on"
}

// app is the name of the app's own reader.
func (c *checker) app() string { return readerNames[c.opts.Reader] }

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
			d.c.line(d.l, ne, "E-KEY", Warning, d.c.app()+" takes this for an assignment, docker compose does not", "write KEY=value")
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
		if d.c.schema.Item(e.Key) == nil {
			shown := *e // a line without = may be a secret that was pasted alone
			shown.Key = ""
			e = &shown
		}
		d.c.line(d.l, e, "E-BARE", Warning, "a key without =: docker compose takes it from its own environment"+d.c.skips(), "write KEY=value, or remove the line")
		return
	}
	if d.c.line(d.l, e, "E-KEY", Warning, "docker compose takes this for an assignment, "+d.c.app()+" skips it", "write KEY=value; a key is made of letters, digits and _") {
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
	doubt  bool     // meant is the likeliest of several: nothing to write without asking

	otherwise string // with doubt: what else it may be
	comment   bool   // what stands behind # is one
}

// report gives the rule that it reported, "" when it only follows from another line's difference.
func (d *differ) report(ne, ce *Entry) string {
	if len(refersTo(ce.Raw, func(name string) bool { return d.differs[name] }, ne.Key)) > 0 {
		return ""
	}
	v := d.verdict(ne, ce)
	fix := v.advice
	if fix == "" {
		fix = d.spelling(ne, ce, v)
	}
	msg := d.c.shownKey(ne.Key)
	if msg == "" {
		msg = "this value"
	}
	if d.c.add(Finding{File: d.l.name, Line: ce.ValuePos.Line, Col: ce.ValuePos.Col, Rule: v.rule, Level: v.level, Key: d.c.shownKey(ne.Key), Fix: fix,
		Message: msg + " is read differently: " + v.why + " (" + d.lengths(ne.Value, ce.Value) + ")"}) {
		d.repair(ne, ce, v)
	}
	return v.rule
}

// lengths says how far two values are apart without showing them.
func (d *differ) lengths(app, compose string) string {
	if length32(app) == length32(compose) {
		return "both get " + characters(app) + ", but not the same"
	}
	return d.c.app() + " gets " + characters(app) + ", compose " + characters(compose)
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
			return "write the value " + ps[0].form + v.otherwise
		}
		return "write " + ne.Key + "=" + ps[0].spelling + v.otherwise
	}
	if refs := d.references(inside(ce)); refs.here+refs.known > 0 {
		return "where a variable is meant, use ${NAME} in double quotes, and set it in the same file; where a dollar sign is, write \\$"
	}
	return "no spelling is read alike by both: percent-encode the character in a URL, use base64, or set the variable outside the file"
}

var (
	operatorRef = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\$\{\w+(:[-+?]|[-+?])`) })
	adjacentRef = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\$([A-Za-z_]\w*)\$([A-Za-z_]\w*)`) })
	anyRef      = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\$\{?(\w+)`) })
)

// refersTo lists those of the names that a raw value refers to, itself apart.
func refersTo(raw string, among func(name string) bool, self string) []string {
	if strings.IndexByte(raw, '$') < 0 {
		return nil
	}
	var out []string
	for _, m := range anyRef().FindAllStringSubmatch(raw, -1) {
		if m[1] != self && among(m[1]) {
			out = append(out, m[1])
		}
	}
	return out
}

func (d *differ) verdict(ne, ce *Entry) verdict {
	raw, app := ce.Raw, d.c.app()
	hash := strings.IndexByte(raw, '#')
	switch {
	case ce.Quote == 0 && hash == 0 && len(raw) > 1 && isBlank(raw[1]):
		return verdict{rule: "E-EMPTY-COMMENT", level: Warning, why: "the comment after = is the value to compose, so that a missing value looks set",
			advice: "put the comment on a line of its own above"}
	case ce.Quote == 0 && strings.HasPrefix(raw, "`"):
		return d.backtick(ne)
	case ce.Quote == 0 && hash > 0 && raw[hash-1] == '\t':
		return verdict{rule: "E-HASH-TAB", level: Warning, why: "a comment after a tab is part of the value to compose", advice: "put a blank before #, or the comment on a line of its own"}
	case ce.Quote == 0 && hash >= 0:
		return d.hash(ne, raw, raw[hash:])
	case strings.Contains(raw, "\r\n"):
		return verdict{rule: "E-CRLF", level: Warning, why: "line ends inside the quotes are CRLF to compose and LF to " + app, advice: "save the file with LF line ends"}
	case strings.IndexByte(raw, '$') >= 0 && d.c.opts.Reader == Dotenv:
		v := verdict{rule: "E-DOLLAR", level: Error, why: "docker compose makes something of the dollar sign, " + app + " does not", meant: []string{ne.Value}}
		if strings.IndexByte(raw, '\\') >= 0 {
			v.meant, v.advice = nil, "write the value in single quotes, and without backslashes that are no part of it"
		}
		return v
	case strings.IndexByte(raw, '$') >= 0:
		return d.dollar(ne, ce, inside(ce))
	case strings.IndexByte(raw, '\\') >= 0:
		v := verdict{rule: "E-ESCAPE", level: Warning, why: "a backslash in quotes is an escape to compose but not to " + app, meant: []string{ce.Value, ne.Value}}
		if strayEscape().MatchString(inside(ce)) { // \t may be a tab or the name of a folder
			v.meant, v.advice = nil, "write single quotes where backslashes are meant, and the character itself where it is"
		}
		return v
	}
	return verdict{rule: "E-QUOTE", level: Warning, why: "the quotes are not read alike", meant: []string{ce.Value, ne.Value}}
}

// backtick classifies quotes that only the app's reader knows. A dollar sign between
// them was meant as one, or as a reference: what the reader made of it was not.
func (d *differ) backtick(ne *Entry) verdict {
	v := verdict{rule: "E-BACKTICK", level: Warning, why: "backticks are quotes to " + d.c.app() + " and part of the value to compose", meant: []string{inside(ne)}}
	if escapesDollar(inside(ne)) {
		v.meant, v.advice = nil, plainDollar
	}
	return v
}

// hash classifies a # right after a value: a part of it, or a comment without a blank
// before it. The type may know.
func (d *differ) hash(ne *Entry, raw, from string) verdict {
	v := verdict{rule: "E-HASH", level: Error, why: d.c.app() + " cuts the value at #", meant: []string{raw}}
	whole, cut := d.fits(ne.Key, raw), d.fits(ne.Key, ne.Value)
	switch {
	case cut && !whole:
		v.meant, v.comment, v.advice = nil, true, "put a blank before #, where a comment begins"
	case escapesDollar(raw):
		v.meant, v.advice = nil, plainDollar
	case strings.ContainsAny(from, " \t"): // it may well be a comment
		v.doubt, v.otherwise = true, ", or a blank before # if a comment begins there"
	}
	return v
}

// fits reports whether a value is of its key's type.
func (d *differ) fits(key, value string) bool {
	it := d.c.schema.Item(key)
	return it == nil || d.c.eval.checkType(it.Type, value).msg == ""
}

const plainDollar = `write \$ for each dollar sign that is meant as one, and the value in double quotes`

// escapesDollar reports whether a value holds one of the escapes that not all know.
func escapesDollar(s string) bool {
	return strings.Contains(s, `\$`) || strings.Contains(s, "$$")
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
	if escapesDollar(inner) {
		return d.escaped(ne, ce, inner)
	}
	for _, name := range refersTo(inner, func(name string) bool { return d.line[name] > 0 }, ne.Key) {
		if ce.Quote != '\'' && d.line[name] > ne.Pos.Line {
			return verdict{rule: "E-FORWARD", level: Warning, why: "it refers to a variable that is set further down, which compose does not know yet",
				advice: "move this line below that of " + d.c.shownKey(name)}
		}
	}
	v := verdict{rule: "E-DOLLAR", level: Error, why: "Next.js expands the dollar sign", meant: []string{inner}}
	if ce.Quote == '\'' {
		v.why += "; single quotes do not protect it there"
		v.meant = []string{ce.Value} // compose takes the backslash from an escaped quote, and nothing else
	}
	return v
}

// skips says that the app's own reader skips a line, where it is not compose.
func (c *checker) skips() string {
	if c.opts.Reader == Compose {
		return ""
	}
	return ", " + c.app() + " skips it"
}
