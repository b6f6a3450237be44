package envcheck

import (
	"maps"
	"slices"
	"strings"
)

var readerNames = map[Reader]string{Next: "Next.js", Compose: "docker compose", Dotenv: "dotenv"}

// describe tells what the edits of a file did, and whose reading changed.
func describe(before, after readings, name string, applied []edit, lines *lineMap) []Repair {
	out := make([]Repair, len(applied))
	for i, e := range applied {
		out[i] = Repair{File: name, Line: lines.original(e.pos.Line), Col: e.pos.Col, Rule: e.rule, Key: nameOf(e.key, ""), Message: e.what}
	}
	wanted := map[string]bool{}
	for _, e := range applied {
		for key := range e.want {
			wanted[key] = true
		}
	}
	for r, is := range after {
		told := map[string]bool{}
		for i, e := range applied {
			for _, key := range slices.Sorted(maps.Keys(e.want)) {
				others := is.followers(key)
				delete(others, key)
				for _, k := range append([]string{key}, slices.Sorted(maps.Keys(others))...) {
					text := change(before[r].file, is.file, k)
					switch {
					case text == "" || told[k] || k != key && wanted[k]:
						continue
					case k != key:
						text = "gets another value of " + nameOf(k, "a variable") + " too, which refers to it"
					}
					told[k] = true
					out[i].Changes = append(out[i].Changes, is.name+" "+text)
				}
			}
		}
	}
	return out
}

// nameOf is a key where it can be printed, or else what to call it.
func nameOf(key, otherwise string) string {
	if isPlausibleKey(key) {
		return key
	}
	return otherwise
}

// change says in words what became of a value, without showing it; "" when nothing did.
func change(was, is *File, key string) string {
	a, had := was.Vars[key]
	b, has := is.Vars[key]
	name := nameOf(key, "it")
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
