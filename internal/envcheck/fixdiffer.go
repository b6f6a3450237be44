package envcheck

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

// proposal is a spelling that both readers should read alike.
type proposal struct {
	value    string // what they read then
	spelling string
	form     string // the spelling in words, for a value that must not be shown
}

// proposals are the spellings that may settle a difference, the likeliest first. A
// value with references is not taken for a text with dollar signs: where the file
// sets all of the variables, the value may stay a reference, unless it may as well be
// a secret; where the file sets some of them, or the schema alone knows one, nobody can
// know what was meant. What the process has decides nothing: it is another one elsewhere.
func (d *differ) proposals(ne, ce *Entry, v verdict) []proposal {
	raw := inside(ce)
	if v.rule == "E-BACKTICK" {
		raw = inside(ne)
	}
	refs := d.references(raw)
	switch {
	case len(v.meant) == 0:
		return nil
	case refs.here > 0 && refs.here == refs.all && strings.IndexByte(raw, '"') < 0 && d.c.opts.Reader != Dotenv &&
		(!d.c.schema.SensitiveKey(ne.Key) || refs.braced && ce.Quote != '\''):
		value := ce.Value
		if ce.Quote == '\'' || v.rule == "E-BACKTICK" {
			value = ne.Value
		}
		return []proposal{{value, `"` + raw + `"`, "in double quotes, in which both expand it"}}
	case refs.here > 0 || refs.known > 0:
		return nil
	}
	var out []proposal
	for _, m := range v.meant {
		if s, form, ok := portable(m, d.c.opts.Reader); ok {
			out = append(out, proposal{m, s, form})
		}
	}
	return out
}

// references are the variables that a value seems to refer to.
type references struct {
	all, here, known int  // here: those that the file sets; known: those that only the schema has
	braced           bool // each is written ${NAME}
}

func (d *differ) references(raw string) references {
	r := references{braced: true}
	if strings.IndexByte(raw, '$') < 0 {
		return r
	}
	for _, m := range anyRef().FindAllStringSubmatchIndex(raw, -1) {
		name := raw[m[2]:m[3]]
		if m[0] > 0 && raw[m[0]-1] == '\\' {
			continue
		}
		r.all++
		r.braced = r.braced && raw[m[0]+1] == '{'
		switch {
		case d.line[name] > 0:
			r.here++
		case d.c.schema.Item(name) != nil:
			r.known++
		}
	}
	return r
}

// repair proposes the edit that settles a difference, where one is beyond doubt.
func (d *differ) repair(ne, ce *Entry, v verdict) {
	e := edit{rule: v.rule, key: ne.Key, pos: ce.ValuePos}
	e.start = d.l.offset(ce.ValuePos)
	raw := ce.Raw
	if v.rule == "E-BACKTICK" { // compose takes a comment behind it along, or stops at one inside
		raw = ne.Raw
	}
	e.end = e.start + len(raw)
	switch {
	case v.doubt, e.end > len(d.l.text), d.l.text[e.start:e.end] != raw:
		return
	case ne.EndLine > ce.EndLine, ne.EndLine == ne.Pos.Line && len(ne.Raw) > len(raw):
		return // they do not agree where the value ends: what is left might be a piece of it
	}
	var value string
	switch rule := v.rule; {
	case v.comment:
		value, e.start = ne.Value, e.start+strings.IndexByte(ce.Raw, '#')
		e.end, e.text, e.what = e.start, " ", "a blank stands before the comment now"
	case rule == "E-EMPTY-COMMENT":
		line := strings.LastIndexByte(d.l.text[:e.start], '\n') + 1
		e.text = ce.Raw + d.l.newline() + strings.TrimRight(d.l.text[line:e.start], " \t")
		e.start, e.what = line, "the comment stands on a line of its own now"
	case rule == "E-HASH-TAB":
		at := strings.Index(ce.Raw, "\t#")
		value, e.start, e.end = ne.Value, e.start+at, e.start+at+1
		e.text, e.what = " ", "a blank stands before the comment now"
	case rule == "E-DEFAULT":
		value, e.text, e.what = ce.Value, withDefault().ReplaceAllString(ce.Raw, "$${$1}"), "the reference has no default any more, for the file sets the variable"
	case rule == "E-ADJACENT":
		value, e.text, e.what = ce.Value, bareRef().ReplaceAllString(ce.Raw, "$${$1}"), "the references have braces now"
	case rule == "E-CRLF":
		value, e.text, e.what = ne.Value, strings.ReplaceAll(ce.Raw, "\r\n", "\n"), "the line ends in the quotes are LF now"
	case slices.Contains([]string{"E-DOLLAR", "E-DOLLAR-ESC", "E-HASH", "E-BACKTICK", "E-ESCAPE"}, rule):
		ps := d.proposals(ne, ce, v)
		if len(ps) == 0 {
			return
		}
		value, e.text, e.what = ps[0].value, ps[0].spelling, "the value is written "+ps[0].form+" now"
	default:
		return
	}
	e.want = map[string]string{ne.Key: value}
	d.c.propose(d.l, e)
}

var (
	withDefault = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\$\{(\w+):-[^}]*\}`) })
	bareRef     = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\$([A-Za-z_]\w*)`) })
	// strayEscape is a backslash of which only compose makes something, or nobody does.
	strayEscape = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(?:[^\\]|\\[\\"'nr])*\\(?:[^\\"'nr]|$)`) })
)

// escaped classifies a dollar sign that is escaped. What was meant is one of the two
// readings, where the other cannot have been.
func (d *differ) escaped(ne, ce *Entry, inner string) verdict {
	v := verdict{rule: "E-DOLLAR-ESC", level: Error, why: "the dollar sign is escaped in a way that only one of them knows"}
	rest := strings.ReplaceAll(inner, `\$`, "")
	switch {
	case rest != inner && strings.IndexByte(rest, '$') < 0: // all are escaped as Next.js wants it
		v.meant = []string{ne.Value}
	case rest == inner && ce.Quote == '\'': // $$ in single quotes, as it stands
		v.meant = []string{inner}
	case rest == inner && !strings.Contains(strings.ReplaceAll(inner, "$$", ""), "$"): // as compose wants it, or two of them
		v.meant, v.doubt, v.otherwise = []string{ce.Value}, true, ", if one dollar sign is meant"
	default:
		v.advice = plainDollar
	}
	return v
}

// repairRefused proposes the edit for a value of Next.js's on which compose
// refuses the whole file.
func (d *differ) repairRefused(ne *Entry) {
	e := edit{rule: "E-SYNTAX", key: ne.Key, pos: ne.ValuePos, start: d.l.offset(ne.ValuePos)}
	e.end = e.start + len(ne.Raw)
	refs := d.references(ne.Raw)
	meant := ne.Value
	switch {
	case refs.here+refs.known > 0 || e.end > len(d.l.text) || d.l.text[e.start:e.end] != ne.Raw:
		return
	case !closed(ne) && strings.ContainsAny(ne.Raw, "\"'`"):
		return // a quote is missing somewhere
	case strings.Contains(ne.Raw, "$"):
		meant = inside(ne)
	}
	s, form, ok := portable(meant, d.c.opts.Reader)
	if !ok {
		return
	}
	e.text, e.what, e.want = s, "the value is written "+form+" now", map[string]string{ne.Key: meant}
	d.c.propose(d.l, e)
}

// closed reports whether the value begins and ends with the same quote.
func closed(e *Entry) bool {
	return e.Quote != 0 && len(e.Raw) >= 2 && e.Raw[len(e.Raw)-1] == e.Quote
}

// repairSeparator proposes = for the colon that only compose takes for one.
func (d *differ) repairSeparator(e *Entry) {
	at := d.l.offset(e.Pos) + len(e.Key)
	if envName(e.Key) != e.Key || strings.ToUpper(e.Key) != e.Key || at >= len(d.l.text) || d.l.text[at] != ':' ||
		strings.HasPrefix(e.Raw, "//") || strings.IndexByte(e.Raw, '$') >= 0 {
		return // https://example.com is no assignment
	}
	d.c.propose(d.l, edit{rule: "E-KEY", key: e.Key, pos: e.Pos, start: at, end: at + 1, text: "=", what: "the line is an assignment with = now",
		want: map[string]string{e.Key: e.Value}})
}

// repairDuplicate proposes to take out the line that does not count: an equal one
// goes, another one, or one with a comment behind it, becomes a comment. A line that
// another one in between refers to does count.
func (c *checker) repairDuplicate(l *loaded, first, last *Entry) {
	if l.refersBetween(first.Key, first.Pos.Line, last.EndLine) {
		return
	}
	e, what := first, "the line that did not count is a comment now"
	if first.Raw == last.Raw {
		e = last
	}
	start := strings.LastIndexByte(l.text[:l.offset(e.Pos)], '\n') + 1
	valueEnd := l.offset(e.ValuePos) + len(e.Raw)
	if valueEnd > len(l.text) || l.text[valueEnd-len(e.Raw):valueEnd] != e.Raw {
		return // line ends inside it are not as they were read
	}
	end := len(l.text)
	if i := strings.IndexByte(l.text[valueEnd:], '\n'); i >= 0 {
		end = valueEnd + i + 1
	}
	var commented strings.Builder
	if e == last && strings.TrimSpace(l.text[valueEnd:end]) == "" {
		what = "the same line once more is gone"
	} else {
		for line := range strings.Lines(l.text[start:end]) {
			commented.WriteString("# " + line)
		}
	}
	c.propose(l, edit{rule: "duplicate", key: e.Key, pos: e.Pos, start: start, end: end, text: commented.String(), what: what})
}

// refersBetween reports whether a value on the lines from first to last refers to the name.
func (l *loaded) refersBetween(name string, first, last int) bool {
	if l.refs == nil {
		l.refs = map[string][]int{}
		for i := range l.app.Entries {
			e := &l.app.Entries[i]
			if strings.IndexByte(e.Raw, '$') < 0 {
				continue
			}
			for _, m := range anyRef().FindAllStringSubmatch(e.Raw, -1) {
				l.refs[m[1]] = append(l.refs[m[1]], e.Pos.Line)
			}
		}
	}
	return slices.ContainsFunc(l.refs[name], func(line int) bool { return line >= first && line <= last })
}

// repairBOM proposes to take out the byte order mark.
func (c *checker) repairBOM(l *loaded) {
	c.propose(l, edit{rule: "E-BOM", pos: Pos{1, 1}, end: len(bom), what: "the byte order mark is gone"})
}
