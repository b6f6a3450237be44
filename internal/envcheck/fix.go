package envcheck

import (
	"context"
	"maps"
	"slices"
	"strings"
)

// Fixed is a .env file with what was repaired in it.
type Fixed struct {
	File    string
	Text    []byte // the whole file, repaired
	Repairs []Repair
}

// Repair is one place that was put right.
type Repair struct {
	File    string `json:"file"`
	Line    int    `json:"line"` // in the file as it was
	Col     int    `json:"col"`
	Rule    string `json:"rule"`
	Key     string `json:"key,omitempty"`
	Message string `json:"message"`
	// Changes says which reader gets another value than before; empty when none does.
	Changes []string `json:"changes,omitempty"`
}

// maxRounds bounds how often a file is looked at again: a repair may uncover another.
const maxRounds = 8

// Fix repairs what has one right spelling: values that Next.js and compose read
// differently, and keys that are set twice. Nothing is written: the caller gets
// each file that changes. Comments and the order of lines stay, a second run
// changes nothing, and no reader gets another value than before unless the
// repair's Changes says so: every file is read back by both to make sure.
func Fix(ctx context.Context, o Options) ([]Fixed, error) {
	o = o.withDefaults()
	read := o.ReadFile
	texts := map[string]string{} // by path, those that were changed
	o.ReadFile = func(path string) ([]byte, error) {
		if t, ok := texts[path]; ok {
			return []byte(t), nil
		}
		return read(path)
	}
	repairs := map[string][]Repair{}
	lines := map[string]*lineMap{}
	for range maxRounds {
		c, err := run(ctx, o)
		if err != nil {
			return nil, err
		}
		changed := false
		for _, l := range c.files {
			if l.nextErr != nil { // it has no values to compare with
				continue
			}
			applied, after := applyAll(l.text, c.edits[l.name])
			if len(applied) == 0 {
				continue
			}
			if lines[l.name] == nil {
				lines[l.name] = &lineMap{}
			}
			repairs[l.name] = append(repairs[l.name], describe(l, after, applied, lines[l.name])...)
			lines[l.name].shift(l.text, applied)
			texts[join(o.Dir, l.name)] = after
			changed = true
		}
		if !changed {
			break
		}
	}
	var out []Fixed
	for _, name := range slices.Sorted(maps.Keys(repairs)) {
		rs := repairs[name]
		slices.SortStableFunc(rs, func(a, b Repair) int { return a.Line - b.Line })
		out = append(out, Fixed{File: name, Text: []byte(texts[join(o.Dir, name)]), Repairs: rs})
	}
	return out, nil
}

// edit replaces some bytes of a file.
type edit struct {
	start, end int
	text       string
	rule, key  string
	pos        Pos
	what       string
	want       map[string]string // what both readers get afterwards; every other key stays as it is
}

// propose takes a repair of a file.
func (c *checker) propose(l *loaded, e edit) {
	if c.edits == nil {
		c.edits = map[string][]edit{}
	}
	c.edits[l.name] = append(c.edits[l.name], e)
}

// offset is the place of a position in the text; positions count characters and
// take no notice of a byte order mark.
func (l *loaded) offset(p Pos) int {
	if l.src == nil {
		l.src = newSource(l.name, strings.TrimPrefix(l.text, bom))
	}
	off := l.src.lines[p.Line-1]
	for range p.Col - 1 {
		off += len(firstRune(l.src.text[off:]))
	}
	return off + len(l.text) - len(l.src.text)
}

const bom = "\ufeff"

func firstRune(s string) string {
	for i := range s {
		if i > 0 {
			return s[:i]
		}
	}
	return s
}

// newline is the line end that the file uses.
func (l *loaded) newline() string {
	if strings.Contains(l.text, "\r\n") {
		return "\r\n"
	}
	return "\n"
}

// applyAll applies those edits that do what they say and nothing else. When all
// of them together do not, halves are tried, so that one bad edit costs few readings.
func applyAll(text string, edits []edit) (applied []edit, after string) {
	edits = disjoint(edits)
	after = text
	var try func(es []edit)
	try = func(es []edit) {
		if len(es) == 0 {
			return
		}
		all := disjoint(slices.Concat(applied, es))
		if next := splice(text, all); len(all) == len(applied)+len(es) && keeps(text, next, all) {
			applied, after = all, next
			return
		}
		if len(es) > 1 {
			try(es[:len(es)/2])
			try(es[len(es)/2:])
		}
	}
	try(edits)
	return applied, after
}

// disjoint sorts edits by place and leaves out those that overlap an earlier one.
func disjoint(edits []edit) []edit {
	edits = slices.Clone(edits)
	slices.SortStableFunc(edits, func(a, b edit) int { return a.start - b.start })
	var out []edit
	for _, e := range edits {
		if len(out) == 0 || e.start >= out[len(out)-1].end {
			out = append(out, e)
		}
	}
	return out
}

// splice applies edits that are in order.
func splice(text string, edits []edit) string {
	var b strings.Builder
	at := 0
	for _, e := range edits {
		b.WriteString(text[at:e.start])
		b.WriteString(e.text)
		at = e.end
	}
	b.WriteString(text[at:])
	return b.String()
}

// keeps reports whether the edits turn before into after as they promise: both
// readers get the wanted values, what refers to them may follow, and all else
// is read as before. A reader that took the file still does.
func keeps(before, after string, edits []edit) bool {
	want := map[string]string{}
	for _, e := range edits {
		for key, v := range e.want {
			if other, ok := want[key]; ok && other != v {
				return false
			}
			want[key] = v
		}
	}
	for _, r := range []Reader{Next, Compose} {
		was, wasErr := Read(r, "", []byte(before), nil)
		is, isErr := Read(r, "", []byte(after), nil)
		if isErr != nil && wasErr == nil || len(is.problems) > len(was.problems) {
			return false
		}
		follows := followers(referring(is), want)
		for key, v := range want {
			if got, ok := is.Vars[key]; !ok || got != v {
				return false
			}
		}
		if !sameBut(was.Vars, is.Vars, func(key string) bool { _, ok := want[key]; return ok || follows[key] }) {
			return false
		}
	}
	return true
}

// sameBut compares two readings without the keys that may differ.
func sameBut(a, b map[string]string, may func(string) bool) bool {
	for _, pair := range [][2]map[string]string{{a, b}, {b, a}} {
		for key, v := range pair[0] {
			if w, ok := pair[1][key]; (!ok || v != w) && !may(key) {
				return false
			}
		}
	}
	return true
}

// referring are the entries whose values hold a reference, or might.
func referring(f *File) []*Entry {
	var out []*Entry
	for i := range f.Entries {
		if strings.IndexByte(f.Entries[i].Raw, '$') >= 0 {
			out = append(out, &f.Entries[i])
		}
	}
	return out
}

// followers are the keys whose values refer to a changed one, or to another follower.
func followers(entries []*Entry, changed map[string]string) map[string]bool {
	set := map[string]bool{}
	for key := range changed {
		set[key] = true
	}
	for grew := len(set) > 0; grew; {
		grew = false
		for _, e := range entries {
			if !set[e.Key] && len(refersTo(e.Raw, set, e.Key)) > 0 {
				set[e.Key], grew = true, true
			}
		}
	}
	return set
}
