package envcheck

import (
	"sort"
	"strconv"
	"strings"
)

// normalised is a text with \n line ends that remembers where bytes were dropped.
type normalised struct {
	src     *source
	text    string
	dropped []int // offsets in text after which one more byte of src is missing
}

func normalise(name, text string) *normalised {
	n := &normalised{src: newSource(name, text), text: text}
	if strings.IndexByte(text, '\r') < 0 {
		return n
	}
	var b strings.Builder
	b.Grow(len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '\r' {
			b.WriteByte(text[i])
			continue
		}
		b.WriteByte('\n')
		if i+1 < len(text) && text[i+1] == '\n' {
			n.dropped = append(n.dropped, b.Len()-1)
			i++
		}
	}
	n.text = b.String()
	return n
}

// pos is the position in the file of an offset in the normalised text.
func (n *normalised) pos(off int) Pos {
	return n.src.pos(off + sort.SearchInts(n.dropped, off))
}

// readNext reads as @next/env does, or as dotenv alone when expand is false.
func readNext(name, text string, outer map[string]string, expand bool) (*File, error) {
	n := normalise(name, text)
	f := &File{Name: name, Vars: map[string]string{}}
	s := &nextScanner{t: n.text}
	var order []string
	for i := 0; i <= len(s.t); {
		// Every line start inside white space leads to the same attempt.
		i = skipSpace(s.t, i)
		m, ok := s.match(i)
		if !ok {
			i = nextLine(s.t, i)
			continue
		}
		e := n.entry(m)
		if _, seen := f.Vars[e.Key]; !seen {
			order = append(order, e.Key)
		}
		f.Vars[e.Key] = e.Value
		f.Entries = append(f.Entries, e)
		i = s.after(m.end)
	}
	if !expand {
		return f, nil
	}
	err := expandNext(f, order, outer, maxExpandWork+4*len(text))
	return f, err
}

// after is the next offset at or after end where a line starts.
func (s *nextScanner) after(end int) int {
	if end == 0 || end <= len(s.t) && s.t[end-1] == '\n' {
		return end
	}
	return nextLine(s.t, end)
}

func (n *normalised) entry(m nextMatch) Entry {
	written := n.text[m.val:m.valEnd]
	start := m.val + len(written) - len(written[skipSpace(written, 0):])
	raw := trimJS(written)
	if raw == "" {
		start = m.val
	}
	v, q := nextValue(written)
	return Entry{
		Key: n.text[m.key:m.keyEnd], Value: v, Raw: raw, Quote: q,
		Pos: n.pos(m.key), ValuePos: n.pos(start), EndLine: n.pos(max(start, start+len(raw)-1)).Line,
	}
}

// expandNext expands the values in place in the order JavaScript walks an
// object: integer-like keys first, then by first assignment.
func expandNext(f *File, order []string, outer map[string]string, budget int) error {
	sort.SliceStable(order, func(i, j int) bool {
		a, aok := arrayIndex(order[i])
		b, bok := arrayIndex(order[j])
		if aok && bok {
			return a < b
		}
		return aok && !bok
	})
	last := f.Last()
	x := &expander{env: outer, parsed: f.Vars, budget: budget}
	for _, key := range order {
		value, given := outer[key]
		if !given {
			value = f.Vars[key]
		}
		v, ok := x.expand(value)
		if !ok {
			return &ReadError{File: f.Name, Reader: Next, Pos: last[key].ValuePos,
				Reason: "the value of " + key + " refers to itself, or expands without end; Next.js overflows its stack and drops the whole file"}
		}
		f.Vars[key] = v
		last[key].Value = v
	}
	return nil
}

func arrayIndex(key string) (uint64, bool) {
	n, err := strconv.ParseUint(key, 10, 32)
	return n, err == nil && strconv.FormatUint(n, 10) == key
}
