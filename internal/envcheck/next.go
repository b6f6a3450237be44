package envcheck

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// This file does by hand what dotenv 16 does with one regular expression of
// JavaScript, which spans lines in ways that a line-by-line reader misses:
//
//	(?:^|^)\s*(?:export\s+)?([\w.-]+)(?:\s*=\s*?|:\s+?)
//	(\s*'(?:\\'|[^'])*'|\s*"(?:\\"|[^"])*"|\s*`(?:\\`|[^`])*`|[^#\r\n]+)?\s*(?:#.*)?(?:$|$)
//
// Every backtracking choice of it is decided locally here, so the time is linear.

// nextScanner walks a text whose line ends are all \n.
type nextScanner struct{ t string }

// nextMatch is one assignment: offsets into the normalised text.
type nextMatch struct {
	key, keyEnd int
	val, valEnd int // the value as written, with blanks around it
	end         int // where the search goes on
}

// jsSpace gives the size of the JavaScript white space character at i, 0 for none.
func jsSpace(t string, i int) int {
	if i >= len(t) {
		return 0
	}
	switch c := t[i]; {
	case c == ' ' || c >= '\t' && c <= '\r':
		return 1
	case c < utf8.RuneSelf:
		return 0
	}
	r, n := utf8.DecodeRuneInString(t[i:])
	switch {
	case r == 0xA0, r == 0x1680, r >= 0x2000 && r <= 0x200A, r == 0x2028, r == 0x2029, r == 0x202F, r == 0x205F, r == 0x3000, r == 0xFEFF:
		return n
	}
	return 0
}

// lineBreak gives the size of the JavaScript line terminator at i, 0 for none.
func lineBreak(t string, i int) int {
	switch {
	case i >= len(t):
		return 0
	case t[i] == '\n' || t[i] == '\r':
		return 1
	case strings.HasPrefix(t[i:], "\u2028"), strings.HasPrefix(t[i:], "\u2029"):
		return 3
	}
	return 0
}

func skipSpace(t string, i int) int {
	for n := jsSpace(t, i); n > 0; n = jsSpace(t, i) {
		i += n
	}
	return i
}

// nextLine is the offset of the first character after the next line break.
func nextLine(t string, i int) int {
	for i < len(t) {
		if n := lineBreak(t, i); n > 0 {
			return i + n
		}
		i++
	}
	return len(t) + 1
}

func isKeyByte(c byte) bool { return isWord(c) || c == '.' || c == '-' }

// match tries the pattern at i, where a line starts and white space has been skipped.
func (s *nextScanner) match(i int) (nextMatch, bool) {
	if rest := i + len("export"); strings.HasPrefix(s.t[i:], "export") && jsSpace(s.t, rest) > 0 {
		if m, ok := s.assignment(skipSpace(s.t, rest)); ok {
			return m, true
		}
	}
	return s.assignment(i)
}

// assignment matches from the key on.
func (s *nextScanner) assignment(i int) (nextMatch, bool) {
	m := nextMatch{key: i, keyEnd: i}
	for m.keyEnd < len(s.t) && isKeyByte(s.t[m.keyEnd]) {
		m.keyEnd++
	}
	if m.keyEnd == m.key {
		return m, false
	}
	if eq := skipSpace(s.t, m.keyEnd); eq < len(s.t) && s.t[eq] == '=' {
		s.value(&m, eq+1)
		return m, true
	}
	if m.keyEnd < len(s.t) && s.t[m.keyEnd] == ':' {
		if n := jsSpace(s.t, m.keyEnd+1); n > 0 {
			s.value(&m, m.keyEnd+1+n)
			return m, true
		}
	}
	return m, false
}

// value matches what follows the separator; it always succeeds.
func (s *nextScanner) value(m *nextMatch, i int) {
	if q := skipSpace(s.t, i); q < len(s.t) && strings.IndexByte("'\"`", s.t[q]) >= 0 {
		if closing, end, ok := s.quoted(q); ok {
			m.val, m.valEnd, m.end = i, closing+1, end
			return
		}
	}
	j := i
	for j < len(s.t) && s.t[j] != '#' && s.t[j] != '\n' && s.t[j] != '\r' {
		j++
	}
	m.val, m.valEnd = i, j
	m.end, _ = s.tail(j)
}

// tail matches \s*(#.*)?$ at i and gives the end of the match.
func (s *nextScanner) tail(i int) (int, bool) {
	brk := -1
	j := i
	for n := jsSpace(s.t, j); n > 0; n = jsSpace(s.t, j) {
		if lineBreak(s.t, j) > 0 {
			brk = j
		}
		j += n
	}
	if j >= len(s.t) {
		return j, true
	}
	if s.t[j] == '#' {
		for j < len(s.t) && lineBreak(s.t, j) == 0 {
			j++
		}
		return j, true
	}
	return brk, brk >= 0
}

// quoted finds the quote that closes the one at i: the first that no
// backslash stands before, else, going back, one that a backslash stands
// before, provided that nothing but a comment follows it on its line.
func (s *nextScanner) quoted(i int) (closing, end int, ok bool) {
	q := s.t[i]
	var escaped []int
	j := i + 1
	for ; j < len(s.t); j++ {
		if s.t[j] != q {
			continue
		}
		if s.t[j-1] == '\\' && j-1 > i {
			escaped = append(escaped, j)
			continue
		}
		if end, ok := s.tail(j + 1); ok {
			return j, end, true
		}
		break
	}
	for _, e := range slices.Backward(escaped) {
		if end, ok := s.tail(e + 1); ok {
			return e, end, true
		}
	}
	return 0, 0, false
}

// nextValue is what dotenv makes of a value as written.
func nextValue(raw string) (string, byte) {
	v := trimJS(raw)
	if v == "" {
		return "", 0
	}
	q := v[0]
	v = stripQuotes(v)
	if q == '"' {
		v = strings.ReplaceAll(v, `\n`, "\n")
		v = strings.ReplaceAll(v, `\r`, "\r")
	}
	if q != '"' && q != '\'' && q != '`' {
		q = 0
	}
	return v, q
}

func trimJS(s string) string {
	s = s[skipSpace(s, 0):]
	for s != "" {
		r, n := utf8.DecodeLastRuneInString(s)
		if r == utf8.RuneError || jsSpace(s, len(s)-n) == 0 {
			break
		}
		s = s[:len(s)-n]
	}
	return s
}

// stripQuotes is v.replace(/^(['"`])([\s\S]*)\1$/mg, "$2"): with the flags m
// and g it also strips quotes from lines inside an unclosed text.
func stripQuotes(v string) string {
	last := map[byte]int{}
	for j := 0; j < len(v); j++ {
		if c := v[j]; (c == '\'' || c == '"' || c == '`') && (j+1 == len(v) || lineBreak(v, j+1) > 0) {
			last[c] = j
		}
	}
	if len(last) == 0 {
		return v
	}
	var out strings.Builder
	for i := 0; i < len(v); {
		if j, ok := last[v[i]]; ok && j > i {
			out.WriteString(v[i+1 : j])
			i = j + 1
		}
		next := min(nextLine(v, i), len(v))
		out.WriteString(v[i:next])
		i = next
	}
	return out.String()
}
