package envcheck

import (
	"slices"
	"strings"
)

// dropped is what readers make disappear from one value.
type dropped struct {
	names []string // of the variables
	all   bool     // the value holds no other reference
	first int      // offset of the first in the value as written
	chars int      // how many characters of it are lost
}

// droppedFrom finds the references in a value as written that nothing stands
// behind, as compose does; Next.js drops the same where it reads the value alike,
// and where it does not, the difference is a finding of its own. A default, even
// an empty one, is what was meant. It walks from the last dollar sign to the
// first, and looks at so many only.
func droppedFrom(raw string, set func(string) bool) dropped {
	d := dropped{all: true}
	for i, steps := len(raw)-1, 0; i >= 0 && steps < maxExpandSteps; i-- {
		if raw[i] != '$' || i > 0 && raw[i-1] == '\\' {
			continue
		}
		steps++
		group, name, _ := reference(raw[i:])
		if group == "" {
			continue
		}
		if strings.Contains(group, ":-") || set(name) {
			d.all = false
			continue
		}
		if group[1] != '{' { // Next.js may take a brace along that none opened; compose never does
			group = strings.TrimSuffix(group, "}")
		}
		d.names = append(d.names, name)
		d.first = i
		d.chars += length32(group)
	}
	return d
}

// unset reports references to variables that are set nowhere: both readers put
// nothing in their place and say nothing. What looks like a reference may as
// well be a piece of a password, so that no name is printed for a sensitive key.
func (c *checker) unset(l *loaded, e *Entry) {
	if len(c.unread) > 0 || c.opts.NamesOnly || c.opts.Reader == Dotenv || c.opts.Reader == Compose && e.Quote == '\'' || strings.IndexByte(e.Raw, '$') < 0 {
		return
	}
	d := droppedFrom(e.Raw, c.isSet)
	if len(d.names) == 0 {
		return
	}
	level, sensitive := Warning, c.schema.SensitiveKey(e.Key)
	if sensitive && c.opts.Reader == Next {
		level = Error
	}
	what := "a variable that is set nowhere, and the reference is"
	if len(d.names) > 1 {
		what = itoa(len(d.names)) + " variables that are set nowhere, and the references are"
	} else if !sensitive && secretKind("", d.names[0]) == "" {
		what = "$" + d.names[0] + ", which is set nowhere, and the reference is"
	}
	key := c.shownKey(e.Key)
	if key == "" {
		key = "this value"
	}
	pos := placeIn(e, d.first)
	c.add(Finding{File: l.name, Line: pos.Line, Col: pos.Col, Rule: "E-UNSET", Level: level, Key: c.shownKey(e.Key),
		Message: key + " refers to " + what + " dropped" + c.byCompose() + ": the value loses " + characters(strings.Repeat("x", d.chars)),
		Fix:     c.unsetFix(e, d)})
}

// unsetFix is the spelling that keeps the dollar sign, and what to do if a variable was meant.
func (c *checker) unsetFix(e *Entry, d dropped) string {
	fix := `write \$ for each dollar sign that is meant as one, and the value in double quotes`
	inner := inside(e)
	if spelling, form, ok := portable(inner, c.opts.Reader); ok && d.all && e.Quote != '"' {
		fix = "write the value " + form
		if !c.schema.SensitiveKey(e.Key) {
			fix = "write " + e.Key + "=" + spelling
		}
	}
	return fix + "; if a variable is meant, set it, or add it to " + c.schema.Name
}

// isSet reports whether anything could give a variable its value: the schema
// knows it, a file or the process sets it, or Next.js does.
func (c *checker) isSet(name string) bool {
	if c.names == nil {
		c.names = map[string]bool{"NODE_ENV": true}
		for _, l := range c.files {
			for _, entries := range [][]Entry{l.app.Entries, l.compose.Entries} {
				for i := range entries {
					c.names[entries[i].Key] = true
				}
			}
		}
	}
	if c.names[name] || c.schema.Item(name) != nil {
		return true
	}
	if _, ok := c.opts.Process[name]; ok {
		return true
	}
	return c.opts.InProcess != nil && c.opts.InProcess(name)
}

// placeIn is the place in the file of an offset in a value as written.
func placeIn(e *Entry, off int) Pos {
	before := e.Raw[:off]
	if i := strings.LastIndexByte(before, '\n'); i >= 0 {
		return Pos{Line: e.ValuePos.Line + strings.Count(before, "\n"), Col: 1 + length32(before[i+1:])}
	}
	return Pos{Line: e.ValuePos.Line, Col: e.ValuePos.Col + length32(before)}
}

// keepsDollar lists the rules whose fix, or whose refusal, settles what becomes
// of a line's dollar signs.
var keepsDollar = []string{"E-DOLLAR", "E-DOLLAR-ESC", "E-HASH", "E-OPERATOR"}

func settlesDollar(rule string) bool { return slices.Contains(keepsDollar, rule) }

// byCompose says who drops a reference where the app's own reader may be another one.
func (c *checker) byCompose() string {
	if c.opts.Reader == Compose {
		return " by docker compose"
	}
	return ""
}
