package nextconfig

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Changes are what an edit shall do.
type Changes struct {
	Standalone bool    // output: "standalone"
	Sentry     *Sentry // wrap the configuration in withSentryConfig
}

// Sentry is what Sentry's build plug-in is told. What is empty it takes from
// SENTRY_ORG and SENTRY_PROJECT by itself.
type Sentry struct{ Org, Project string }

// Result is what an edit did.
type Result struct {
	Src     []byte   // the file as it should be; the input where nothing was changed
	Done    []string // a short phrase for each change
	Refused string   // what was not edited and why, and what to do by hand; lines are the input's
}

// insertion is a piece of text that an edit puts in.
type insertion struct {
	at   int      // offset
	text string   // as it is written
	code []string // the ways that esbuild may print it; none for what it leaves out
}

// Edit makes the changes that are not made yet. Each is made or refused by itself. It
// only inserts, and it hands out no file that it did not check.
func Edit(name string, src []byte, c Changes) Result {
	unchanged := func(why string) Result {
		return Result{Src: src, Refused: why + "; " + strings.Join(todo(c), ", and ")}
	}
	if !c.Standalone && c.Sentry == nil {
		return Result{Src: src}
	}
	f, err := load(name, src)
	if err != nil {
		return unchanged(err.Error())
	}
	s, err := f.trace()
	if err != nil {
		return unchanged(err.Error())
	}
	e := &edit{shape: s, style: f.styleOf(s.export)}
	if c.Standalone {
		e.standalone()
	}
	if c.Sentry != nil {
		e.sentryWrapper(*c.Sentry)
	}
	result := Result{Src: src, Refused: strings.Join(e.refused, "; ")}
	if len(e.insertions) == 0 {
		return result
	}
	out := e.apply(src)
	if err := e.verify(name, out); err != nil {
		return unchanged("an edit did not stand up to a check (" + err.Error() + ")")
	}
	result.Src, result.Done = out, e.done
	return result
}

// todo says what to do by hand.
func todo(c Changes) []string {
	var out []string
	if c.Standalone {
		out = append(out, `add output: "standalone" to the configuration by hand`)
	}
	if c.Sentry != nil {
		out = append(out, c.Sentry.todo())
	}
	return out
}

// edit collects insertions.
type edit struct {
	*shape
	style      style
	insertions []insertion
	done       []string
	refused    []string

	output, wrapped bool // what the edited file has to say
}

func (e *edit) refuse(format string, args ...any) {
	e.refused = append(e.refused, fmt.Sprintf(format, args...))
}

const standaloneOutput = "standalone"

// standalone puts output: "standalone" into every object of the configuration.
func (e *edit) standalone() {
	f := e.f
	if set := f.apply(setting{}, e.changes, "output"); set.state != unset {
		e.checkOutput(set)
		return
	}
	var insertions []insertion
	for _, o := range e.objs {
		set, unknown := f.option(o, "output", 0)
		if set.state != unset {
			if !e.checkOutput(set) {
				return
			}
			continue
		}
		insertions = append(insertions, e.addProperty(o, unknown)...)
	}
	if len(insertions) == 0 {
		return
	}
	e.output = true
	e.insertions = append(e.insertions, insertions...)
	e.done = append(e.done, `output: "standalone"`)
}

// checkOutput refuses an output that is not the one that is wanted.
func (e *edit) checkOutput(set setting) bool {
	line := e.f.line(set.at)
	switch {
	case set.state == constant && set.value == standaloneOutput:
		return true
	case set.state == constant && set.value == "export":
		e.refuse(`line %d sets output to "export", which makes a static site without a server; an image needs output: "standalone" there`, line)
	case set.state == constant:
		e.refuse(`line %d sets output to %q; change it to "standalone" by hand`, line, set.value)
	default:
		e.refuse(`line %d: %s; see to it by hand that output is "standalone" in the image's build`, line, set.why)
	}
	return false
}

// addProperty puts the property into an object: as the first, or as the last if
// something is spread into the object that might override it.
func (e *edit) addProperty(o *object, last bool) []insertion {
	f := e.f
	prop := "output: " + e.style.quoted(standaloneOutput)
	if f.widens(o) {
		prop += " as const"
	}
	const code = `output:"standalone"`
	switch {
	case last:
		return e.lastProperty(o, prop, ","+code)
	case len(o.members) > 0:
		return []insertion{e.firstProperty(o, prop+",", code+",")}
	}
	open, body := f.toks[o.open].end, f.src[f.toks[o.open].end:f.toks[o.close].start]
	switch {
	case strings.TrimSpace(body) != "" || strings.ContainsAny(body, "\n\r"):
		return []insertion{e.firstProperty(o, prop+",", code)}
	case body != "":
		return []insertion{{open, " " + prop, []string{code}}}
	}
	indent := indentAt(f.src, open)
	return []insertion{{open, e.style.newline + indent + e.style.indent + prop + "," + e.style.newline + indent, []string{code}}}
}

// firstProperty puts the property before all others, and behind a comment on the line
// of the brace.
func (e *edit) firstProperty(o *object, prop, code string) insertion {
	f := e.f
	at := f.endOfLine(f.toks[o.open].end, f.commentsBefore(o.open+1))
	if rest := f.src[at:f.toks[o.close].start]; strings.TrimLeft(rest, " \t") != "" && strings.ContainsAny(strings.TrimLeft(rest, " \t")[:1], "\n\r") {
		_, body, _ := strings.Cut(rest, "\n")
		return insertion{at, e.style.newline + e.style.indentOf(body, indentAt(f.src, at)) + prop, []string{code}}
	}
	return insertion{f.toks[o.open].end, " " + prop, []string{code}}
}

// lastProperty puts the property behind all others, with or without a comma behind
// it, as it was before.
func (e *edit) lastProperty(o *object, prop, code string) []insertion {
	f := e.f
	tail := f.toks[o.close-1]
	text := " " + prop
	at := tail.end
	if start := f.toks[o.members[len(o.members)-1].start].start; onOwnLine(f.src, start) {
		text = e.style.newline + indentAt(f.src, start) + prop
		at = f.endOfLine(tail.end, f.commentsBefore(o.close))
	}
	switch {
	case tail.kind == punct && tail.text == ",":
		return []insertion{{at, text + ",", []string{code}}}
	case at == tail.end:
		return []insertion{{at, "," + text, []string{code}}}
	}
	return []insertion{{tail.end, ",", nil}, {at, text, []string{code}}}
}

// apply puts the insertions in.
func (e *edit) apply(src []byte) []byte {
	slices.SortStableFunc(e.insertions, func(a, b insertion) int { return a.at - b.at })
	var out bytes.Buffer
	at := 0
	for _, in := range e.insertions {
		out.Write(src[at:in.at])
		out.WriteString(in.text)
		at = in.at
	}
	out.Write(src[at:])
	return out.Bytes()
}
