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

const (
	// maxRounds bounds how often the files are looked at again: what refers to a
	// value that was repaired may need a repair itself.
	maxRounds = 200
	// maxFixWork bounds the bytes that are read back to see that repairs keep what they promise.
	maxFixWork = 64 << 20
)

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
	fixers := map[string]*fixer{}
	work := maxFixWork
	for range maxRounds {
		c, err := run(ctx, o)
		if err != nil {
			return nil, err
		}
		changed := false
		for _, l := range c.files {
			if l.appErr != nil { // it has no values to compare with
				continue
			}
			if fixers[l.name] == nil {
				fixers[l.name] = &fixer{app: o.Reader, refused: map[string]bool{}, work: &work}
			}
			if after, ok := fixers[l.name].round(l, c.edits[l.name]); ok {
				texts[join(o.Dir, l.name)] = after
				changed = true
			}
		}
		if !changed {
			break
		}
	}
	var out []Fixed
	for _, name := range slices.Sorted(maps.Keys(fixers)) {
		rs := fixers[name].repairs
		if len(rs) == 0 {
			continue
		}
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
	if e.text == l.text[e.start:e.end] {
		return // it is written so already
	}
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

// fixer repairs one file, in rounds.
type fixer struct {
	app     Reader
	repairs []Repair
	lines   lineMap
	refused map[string]bool // edits that did not keep what they promised
	again   bool            // others were made since: they may by now
	work    *int            // bytes that may still be read back
}

// round applies those edits that do what they say and nothing else; false when there
// are none. When all of them together do not, halves are tried, so that one bad edit
// costs few readings.
func (f *fixer) round(l *loaded, edits []edit) (after string, ok bool) {
	before := f.read(l.text)
	var applied []edit
	after = l.text
	var try func(es []edit)
	try = func(es []edit) {
		all := disjoint(slices.Concat(applied, es))
		if len(es) == 0 || *f.work < 0 {
			return
		}
		next := splice(l.text, all)
		if *f.work -= 2 * len(next); len(all) == len(applied)+len(es) && keeps(before, f.read(next), all) {
			applied, after = all, next
			return
		}
		if len(es) == 1 {
			f.refused[es[0].id()] = true
			return
		}
		try(es[:len(es)/2])
		try(es[len(es)/2:])
	}
	try(disjoint(slices.DeleteFunc(slices.Clone(edits), func(e edit) bool { return f.refused[e.id()] })))
	if len(applied) == 0 && f.again {
		f.again = false
		clear(f.refused)
		try(disjoint(edits))
	}
	if len(applied) == 0 {
		return after, false
	}
	f.again = len(f.refused) > 0
	f.repairs = append(f.repairs, describe(before, f.read(after), l.name, applied, &f.lines)...)
	f.lines.shift(l.text, applied)
	return after, true
}

// id tells an edit from the others, wherever it stands by now.
func (e edit) id() string { return e.rule + "\x00" + e.key + "\x00" + e.text }

// readings are what each of the app's readers makes of a text.
type readings []reading

type reading struct {
	name string // of the reader, for people
	file *File
	err  error
	refs map[string][]string // from a name to the keys whose values refer to it
}

func (f *fixer) read(text string) readings {
	var out readings
	for _, r := range f.app.With() {
		file, err := Read(r, "", []byte(text), nil) // the entries of a refused file count too
		out = append(out, reading{readerNames[r], file, err, referring(file)})
	}
	return out
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

// keeps reports whether the edits turn before into after as they promise: each
// reader gets the wanted values, what refers to them may follow, and all else
// is read as before. A reader that took the file still does.
func keeps(before, after readings, edits []edit) bool {
	want := map[string]string{}
	for _, e := range edits {
		for key, v := range e.want {
			if other, ok := want[key]; ok && other != v {
				return false
			}
			want[key] = v
		}
	}
	for i, is := range after {
		was := before[i]
		if is.err != nil && was.err == nil || len(is.file.problems) > len(was.file.problems) {
			return false
		}
		for key, v := range want {
			if got, ok := is.file.Vars[key]; !ok || got != v {
				return false
			}
		}
		follows := is.followers(slices.Collect(maps.Keys(want))...)
		if !sameBut(was.file.Vars, is.file.Vars, func(key string) bool { return follows[key] }) {
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

// referring leads from a name to the keys whose values refer to it.
func referring(f *File) map[string][]string {
	out := map[string][]string{}
	for i := range f.Entries {
		e := &f.Entries[i]
		if strings.IndexByte(e.Raw, '$') < 0 {
			continue
		}
		for _, m := range anyRef().FindAllStringSubmatch(e.Raw, -1) {
			out[m[1]] = append(out[m[1]], e.Key)
		}
	}
	return out
}

// followers are the keys and those whose values refer to one of them, or to another follower.
func (r reading) followers(keys ...string) map[string]bool {
	set := map[string]bool{}
	for len(keys) > 0 {
		key := keys[len(keys)-1]
		keys = keys[:len(keys)-1]
		if !set[key] {
			set[key] = true
			keys = append(keys, r.refs[key]...)
		}
	}
	return set
}
