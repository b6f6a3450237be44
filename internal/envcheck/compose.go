package envcheck

import (
	"strings"
	"unicode"
)

// readCompose reads by the rules of compose-go's dotenv parser, one statement
// at a time, so that each has a position.
func readCompose(name, text string, outer map[string]string) (*File, error) {
	f := &File{Name: name, Vars: map[string]string{}}
	s := &composeScanner{src: newSource(name, text), t: text}
	x := &composeExpander{work: maxComposeWork + 4*len(text), lookup: func(key string) (string, bool) {
		if v, ok := outer[key]; ok {
			return v, true
		}
		v, ok := f.Vars[key]
		return v, ok
	}}
	var first error
	for s.next() {
		e := s.entry
		reason := s.reason
		if reason == "" {
			v, ok, err := x.entry(e, outer)
			if ok {
				e.Value = v
				f.Vars[e.Key] = v
			}
			if err == nil {
				f.Entries = append(f.Entries, e)
				continue
			}
			reason = err.Error()
		}
		refused := &ReadError{File: name, Reader: Compose, Pos: s.errPos, Reason: reason}
		f.problems = append(f.problems, refused)
		if first == nil {
			first = refused
		}
	}
	return f, first
}

// entry gives an entry's value; false for a bare key that the outer environment lacks.
func (x *composeExpander) entry(e Entry, outer map[string]string) (string, bool, error) {
	if e.Bare {
		v, ok := outer[e.Key]
		return v, ok, nil
	}
	v, err := x.value(e)
	return v, err == nil, err
}

// composeScanner finds statements.
type composeScanner struct {
	src *source
	t   string
	off int

	entry  Entry
	reason string // why compose refuses the statement
	errPos Pos
}

// composeSpace is white space except the newline, as compose-go sees it.
func composeSpace(r rune) bool {
	switch r {
	case '\t', '\v', '\f', '\r', ' ', 0x85, 0xA0:
		return true
	}
	return false
}

// next moves to the next statement; false at the end of the file.
func (s *composeScanner) next() bool {
	for {
		at := strings.IndexFunc(s.t[s.off:], func(r rune) bool { return !unicode.IsSpace(r) })
		if at < 0 {
			return false
		}
		s.off += at
		if s.t[s.off] != '#' {
			break
		}
		s.off = s.src.lineEnd(s.off)
	}
	s.reason = ""
	start := s.off
	s.errPos = s.src.pos(start)
	s.key(start)
	if s.reason != "" {
		s.off = min(s.src.lineEnd(start)+1, len(s.t))
	}
	return true
}

// key reads the key and what follows.
func (s *composeScanner) key(start int) {
	i := start
	if rest := strings.TrimPrefix(s.t[i:], "export"); len(rest) < len(s.t)-i && rest != "" && strings.IndexByte(" \t\n\f\r", rest[0]) >= 0 {
		i = len(s.t) - len(strings.TrimLeftFunc(rest, composeSpace))
	}
	if i == len(s.t) {
		s.reason = "nothing follows export"
		return
	}
	for off, r := range s.t[i:] {
		switch {
		case composeSpace(r):
			continue
		case r == '=' || r == ':' || r == '\n':
			s.assign(i, i+off, r == '\n')
			return
		case r == '_' || r == '.' || r == '-' || r == '[' || r == ']' || unicode.IsLetter(r) || unicode.IsNumber(r):
		default:
			s.reason = "a character that cannot stand in a key"
			s.errPos = s.src.pos(i + off)
			return
		}
	}
	// A key at the very end of the file, without = and newline: compose-go
	// takes the whole of it as the value of an empty key.
	s.entry = Entry{Raw: strings.TrimRightFunc(s.t[i:], unicode.IsSpace), Pos: s.src.pos(i), ValuePos: s.src.pos(i), EndLine: s.src.pos(len(s.t)).Line}
	s.off = len(s.t)
}

// assign reads the value after the separator at sep.
func (s *composeScanner) assign(keyAt, sep int, bare bool) {
	key := s.t[keyAt:sep]
	if strings.Contains(strings.TrimRightFunc(key, unicode.IsSpace), " ") {
		s.reason = "a key cannot contain a blank"
		s.errPos = s.src.pos(keyAt)
		return
	}
	key = strings.TrimRightFunc(key, unicode.IsSpace)
	at := len(s.t) - len(strings.TrimLeftFunc(s.t[sep+1:], composeSpace))
	s.entry = Entry{Key: key, Pos: s.src.pos(keyAt), ValuePos: s.src.pos(at), Bare: bare}
	if bare {
		s.entry.ValuePos = s.src.pos(sep)
		s.entry.EndLine = s.entry.Pos.Line
		s.off = sep + 1
		return
	}
	if at < len(s.t) && (s.t[at] == '\'' || s.t[at] == '"') {
		s.quoted(at)
		return
	}
	end := s.src.lineEnd(at)
	raw, _, _ := strings.Cut(s.t[at:end], " #")
	s.entry.Raw = strings.TrimRightFunc(raw, unicode.IsSpace)
	s.entry.EndLine = s.src.pos(at).Line
	s.off = min(end+1, len(s.t))
}

// quoted finds the closing quote: the first that is not escaped.
func (s *composeScanner) quoted(at int) {
	q := s.t[at]
	escape := false
	for i := at + 1; i < len(s.t); i++ {
		switch {
		case escape:
			escape = false
		case s.t[i] == '\\':
			escape = true
		case s.t[i] == q:
			s.entry.Raw, s.entry.Quote = s.t[at:i+1], q
			s.entry.EndLine = s.src.pos(i).Line
			s.off = i + 1
			return
		}
	}
	s.reason = "the quote is never closed"
	s.errPos = s.src.pos(at)
}
