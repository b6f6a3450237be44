package envcheck

import (
	"regexp"
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
// value with references is not taken for a text with dollar signs: where the
// file sets every variable, it is kept as a reference, and where it sets only
// some, or another place does, nobody can know what was meant.
func (d *differ) proposals(ne, ce *Entry, v verdict) []proposal {
	raw := inside(ce)
	set, unset := d.references(raw)
	switch {
	case len(v.meant) == 0:
		return nil
	case set > 0 && unset == 0 && strings.IndexByte(raw, '"') < 0:
		value := ce.Value
		if ce.Quote == '\'' {
			value = ne.Value
		}
		return []proposal{{value, `"` + raw + `"`, "in double quotes, in which both expand it"}}
	case set > 0:
		return nil
	}
	var out []proposal
	for _, m := range v.meant {
		if s, form, ok := portable(m); ok {
			out = append(out, proposal{m, s, form})
		}
	}
	return out
}

// references counts the variables that a value refers to: those that something
// sets and those that nothing does.
func (d *differ) references(raw string) (set, unset int) {
	if strings.IndexByte(raw, '$') < 0 {
		return 0, 0
	}
	for _, m := range anyRef().FindAllStringSubmatchIndex(raw, -1) {
		name := raw[m[2]:m[3]]
		switch {
		case m[0] > 0 && raw[m[0]-1] == '\\':
		case d.c.isSet(name):
			set++
		default:
			unset++
		}
	}
	return set, unset
}

// repair proposes the edit that settles a difference, where one is beyond doubt.
func (d *differ) repair(ne, ce *Entry, v verdict) {
	e := edit{rule: v.rule, key: ne.Key, pos: ce.ValuePos}
	e.start = d.l.offset(ce.ValuePos)
	e.end = e.start + len(ce.Raw)
	if e.end > len(d.l.text) || d.l.text[e.start:e.end] != ce.Raw {
		return
	}
	var value string
	switch v.rule {
	case "E-EMPTY-COMMENT":
		line := strings.LastIndexByte(d.l.text[:e.start], '\n') + 1
		e.text = ce.Raw + d.l.newline() + strings.TrimRight(d.l.text[line:e.start], " \t")
		e.start, e.what = line, "the comment stands on a line of its own now"
	case "E-HASH-TAB":
		at := strings.Index(ce.Raw, "\t#")
		value, e.start, e.end = ne.Value, e.start+at, e.start+at+1
		e.text, e.what = " ", "a blank stands before the comment now"
	case "E-DEFAULT":
		value, e.text, e.what = ce.Value, withDefault().ReplaceAllString(ce.Raw, "$${$1}"), "the reference has no default any more, for the file sets the variable"
	case "E-ADJACENT":
		value, e.text, e.what = ce.Value, bareRef().ReplaceAllString(ce.Raw, "$${$1}"), "the references have braces now"
	case "E-CRLF":
		d.unixLines(ne, ce)
		return
	case "E-DOLLAR", "E-DOLLAR-ESC", "E-HASH", "E-BACKTICK", "E-ESCAPE":
		if v.rule == "E-ESCAPE" && strayEscape().MatchString(inside(ce)) {
			return // \t may be a tab or a folder's name
		}
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

// unixLines makes all line ends of the file LF: one edit, alone in its round.
func (d *differ) unixLines(ne, ce *Entry) {
	want := map[string]string{ne.Key: ne.Value}
	for i, e := range d.c.edits[d.l.name] {
		if e.rule == "E-CRLF" {
			d.c.edits[d.l.name][i].want[ne.Key] = ne.Value
			return
		}
	}
	d.c.propose(d.l, edit{end: len(d.l.text), text: strings.ReplaceAll(d.l.text, "\r\n", "\n"), rule: "E-CRLF", key: ne.Key,
		pos: ce.ValuePos, what: "all line ends of the file are LF now", want: want})
}

// repairRefused proposes the edit for a value of Next.js's on which compose
// refuses the whole file.
func (d *differ) repairRefused(ne *Entry) {
	e := edit{rule: "E-SYNTAX", key: ne.Key, pos: ne.ValuePos, start: d.l.offset(ne.ValuePos)}
	e.end = e.start + len(ne.Raw)
	set, _ := d.references(ne.Raw)
	meant := ne.Value
	switch {
	case set > 0 || e.end > len(d.l.text) || d.l.text[e.start:e.end] != ne.Raw:
		return
	case !closed(ne) && strings.ContainsAny(ne.Raw, "\"'`"):
		return // a quote is missing somewhere
	case strings.Contains(ne.Raw, "$"):
		meant = inside(ne)
	}
	s, form, ok := portable(meant)
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
	if envName(e.Key) != e.Key || at >= len(d.l.text) || d.l.text[at] != ':' || strings.IndexByte(e.Raw, '$') >= 0 {
		return
	}
	d.c.propose(d.l, edit{rule: "E-KEY", key: e.Key, pos: e.Pos, start: at, end: at + 1, text: "=", what: "the line is an assignment with = now",
		want: map[string]string{e.Key: e.Value}})
}

// repairDuplicate proposes to take out the line that does not count: an equal one
// goes, another one becomes a comment.
func (c *checker) repairDuplicate(l *loaded, first, last *Entry) {
	e, what, remove := first, "the line that did not count is a comment now", false
	if first.Raw == last.Raw {
		e, what, remove = last, "the same line once more is gone", true
	}
	start := strings.LastIndexByte(l.text[:l.offset(e.Pos)], '\n') + 1
	end := l.offset(e.ValuePos)
	for range e.EndLine - e.Pos.Line + 1 {
		if i := strings.IndexByte(l.text[end:], '\n'); i >= 0 {
			end += i + 1
		} else {
			end = len(l.text)
		}
	}
	lines := l.text[start:end]
	text := ""
	if !remove || strings.Contains(strings.TrimPrefix(lines, first.Raw), "#") && !strings.Contains(e.Raw, "#") {
		for line := range strings.Lines(lines) {
			text += "# " + line
		}
	}
	c.propose(l, edit{rule: "duplicate", key: e.Key, pos: e.Pos, start: start, end: end, text: text, what: what})
}

// repairBOM proposes to take out the byte order mark.
func (c *checker) repairBOM(l *loaded) {
	c.propose(l, edit{rule: "E-BOM", pos: Pos{1, 1}, end: len(bom), what: "the byte order mark is gone"})
}
