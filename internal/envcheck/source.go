package envcheck

import (
	"sort"
	"strings"
	"unicode/utf8"
)

// source is a text with a line index, so that an offset becomes a position.
type source struct {
	name  string
	text  string
	lines []int // offset of each line's first byte

	// the position last asked for: the next one is often further on the same line
	lastOff int
	last    Pos
}

func newSource(name, text string) *source {
	s := &source{name: name, text: text, lines: make([]int, 1, 1+strings.Count(text, "\n"))}
	for i := 0; i < len(text); i++ {
		if text[i] == '\n' {
			s.lines = append(s.lines, i+1)
		}
	}
	return s
}

// pos gives the position of a byte offset; one past the end is allowed.
func (s *source) pos(off int) Pos {
	off = max(0, min(off, len(s.text)))
	line := sort.SearchInts(s.lines, off+1)
	from, col := s.lines[line-1], 1
	if s.last.Line == line && s.lastOff <= off {
		from, col = s.lastOff, s.last.Col
	}
	s.lastOff = off
	s.last = Pos{Line: line, Col: col + utf8.RuneCountInString(s.text[from:off])}
	return s.last
}

// lineEnd is the offset of the newline that ends the line of off, or the end of the text.
func (s *source) lineEnd(off int) int {
	if i := strings.IndexByte(s.text[off:], '\n'); i >= 0 {
		return off + i
	}
	return len(s.text)
}
