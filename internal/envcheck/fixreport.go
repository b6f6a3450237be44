package envcheck

import (
	"maps"
	"slices"
	"strings"
)

var readerNames = map[Reader]string{Next: "Next.js", Compose: "docker compose", Dotenv: "dotenv"}

// describe tells what the edits did, and whose reading changed.
func describe(l *loaded, after string, applied []edit, lines *lineMap) []Repair {
	out := make([]Repair, len(applied))
	for i, e := range applied {
		out[i] = Repair{File: l.name, Line: lines.original(e.pos.Line), Col: e.pos.Col, Rule: e.rule, Key: shownKey(e.key), Message: e.what}
	}
	told := map[string]bool{}
	for _, r := range []Reader{Next, Compose} {
		was, _ := Read(r, "", []byte(l.text), nil) // the entries of a refused file count too
		is, _ := Read(r, "", []byte(after), nil)
		refs := referring(is)
		for i, e := range applied {
			for _, key := range slices.Sorted(maps.Keys(e.want)) {
				if told[string(r)+key] {
					continue
				}
				told[string(r)+key] = true
				if text := change(was, is, key); text != "" {
					out[i].Changes = append(out[i].Changes, readerNames[r]+" "+text)
				}
				for _, other := range slices.Sorted(maps.Keys(followers(refs, map[string]string{key: ""}))) {
					if other != key && e.want[other] == "" && change(was, is, other) != "" && isPlausibleKey(other) {
						out[i].Changes = append(out[i].Changes, readerNames[r]+" gets another value of "+other+" too, which refers to it")
					}
				}
			}
		}
	}
	return out
}

// change says in words what became of a value, without showing it; "" when nothing did.
func change(was, is *File, key string) string {
	a, had := was.Vars[key]
	b, has := is.Vars[key]
	name := shownKey(key)
	if name == "" {
		name = "it"
	}
	switch {
	case had && has && a == b:
		return ""
	case !had:
		return "gets " + name + " now"
	case !has:
		return "no longer gets " + name
	case length32(a) == length32(b):
		return "gets another value of " + name + ", of the same length"
	}
	return "gets " + characters(b) + " for " + name + " instead of " + characters(a)
}

// lineMap leads from lines of a file that was edited back to the file as it was.
type lineMap struct {
	shifts []shift
}

// shift says that lines after a line moved by so many.
type shift struct{ after, by int }

// shift notes what edits of a text do to the numbers of its lines.
func (m *lineMap) shift(text string, applied []edit) {
	moved := 0
	for _, e := range applied {
		by := strings.Count(e.text, "\n") - strings.Count(text[e.start:e.end], "\n")
		if by != 0 {
			line := 1 + strings.Count(text[:e.start], "\n") + moved
			m.shifts = append(m.shifts, shift{after: line, by: by})
		}
		moved += by
	}
}

// original is the number that a line had at first.
func (m *lineMap) original(line int) int {
	for _, s := range slices.Backward(m.shifts) {
		if line > s.after {
			line = max(s.after, line-s.by)
		}
	}
	return line
}
