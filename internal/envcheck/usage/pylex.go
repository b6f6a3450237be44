package usage

import (
	"strings"
	"unicode/utf8"
)

// pyToken is a piece of Python source, without comments.
type pyToken struct {
	kind       pyKind
	text       string // of a string: what is between the quotes
	start, end int    // of a string: from its first quote
	first      bool   // the first of its line
	match      int    // for a bracket, its other half, or -1
	parent     int    // the bracket that the token is directly in, or -1
}

type pyKind int

const (
	pyName   pyKind = iota // names, keywords and numbers
	pyString               // a string that stands for itself
	pyOther                // another string: with escapes, or a piece of an f-string
	pyPunct
)

// pyLexer splits Python into tokens, whatever the text is, in linear time.
type pyLexer struct {
	src   string
	pos   int
	first bool
	out   []pyToken
}

const maxFStrings = 5 // f-strings within f-strings whose code is read

// pyScan splits Python source into tokens. The code in an f-string counts.
func pyScan(src string) []pyToken {
	l := &pyLexer{src: src, first: true}
	l.run(len(src), 0)
	pairPython(l.out)
	return l.out
}

// run reads up to an offset.
func (l *pyLexer) run(end, depth int) {
	for l.pos < end {
		start := l.pos
		switch c := l.src[l.pos]; {
		case c == '\n' || c == '\r':
			l.first = true
			l.pos++
		case c == ' ' || c == '\t' || c == '\f':
			l.pos++
		case c == '\\' && l.pos+1 < end && l.src[l.pos+1] == '\n': // the line goes on
			l.pos += 2
		case c == '#':
			n := strings.IndexByte(l.src[l.pos:end], '\n')
			if n < 0 {
				n = end - l.pos
			}
			l.pos += n
		case c == '"' || c == '\'':
			l.str(start, "", end, depth)
		case isWordByte(c) || c >= utf8.RuneSelf:
			for l.pos < end && (isWordByte(l.src[l.pos]) || l.src[l.pos] >= utf8.RuneSelf) {
				l.pos++
			}
			word := l.src[start:l.pos]
			if l.pos < end && (l.src[l.pos] == '"' || l.src[l.pos] == '\'') && isPrefix(word) {
				l.str(l.pos, strings.ToLower(word), end, depth)
				continue
			}
			l.emit(pyName, word, start)
		default:
			l.pos++
			if l.pos < end && c != '.' && l.src[l.pos] == '=' && strings.IndexByte("=!<>:+-*/%|&", c) >= 0 {
				l.pos++
			}
			l.emit(pyPunct, l.src[start:l.pos], start)
		}
	}
}

func (l *pyLexer) emit(kind pyKind, text string, start int) {
	l.out = append(l.out, pyToken{kind: kind, text: text, start: start, end: l.pos, first: l.first, match: -1, parent: -1})
	l.first = false
}

func isPrefix(word string) bool {
	switch strings.ToLower(word) {
	case "r", "b", "u", "f", "t", "br", "rb", "fr", "rf", "tr", "rt":
		return true
	}
	return false
}

// str reads the string whose quote is at an offset.
func (l *pyLexer) str(start int, prefix string, limit, depth int) {
	quote := l.src[start : start+1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(l.src[start:limit], triple) {
		quote = triple
	}
	body := start + len(quote)
	l.pos = body
	formatted := strings.ContainsAny(prefix, "ft")
	var code [][2]int
	plain := true
	for l.pos < limit {
		c := l.src[l.pos]
		switch {
		case c == '\\':
			plain = false
			l.pos += 2
			continue
		case c == '\n' && len(quote) == 1: // not closed: the rest of the line is none of it
			l.finish(start, body, l.pos, false, code, depth)
			return
		case strings.HasPrefix(l.src[l.pos:limit], quote):
			to := l.pos
			l.pos += len(quote)
			l.finish(start, body, to, plain && !formatted && !strings.Contains(prefix, "b"), code, depth)
			return
		case formatted && c == '{' && l.pos+1 < limit && l.src[l.pos+1] == '{':
			l.pos += 2
			continue
		case formatted && c == '{':
			from := l.pos + 1
			l.pos = l.replacement(from, limit, quote)
			code = append(code, [2]int{from, l.pos})
			continue
		}
		l.pos++
	}
	l.pos = limit
	l.finish(start, body, limit, false, code, depth)
}

// replacement is the end of the code in an f-string that begins at an offset.
func (l *pyLexer) replacement(i, limit int, quote string) int {
	depth := 0
	var inner byte // the quote of a string in the code
	for ; i < limit; i++ {
		c := l.src[i]
		switch {
		case c == '\n' && len(quote) == 1:
			return i
		case inner != 0:
			if c == inner {
				inner = 0
			}
		case c == '"' || c == '\'':
			if len(quote) == 3 && strings.HasPrefix(l.src[i:limit], quote) {
				return i
			}
			inner = c
		case c == '{' || c == '(' || c == '[':
			depth++
		case c == '}' || c == ')' || c == ']':
			if depth--; depth < 0 {
				return i
			}
		}
	}
	return i
}

// finish emits a string, with the tokens of the code in it.
func (l *pyLexer) finish(start, body, to int, plain bool, code [][2]int, depth int) {
	end := min(l.pos, len(l.src))
	l.pos = end
	kind := pyOther
	if plain {
		kind = pyString
	}
	to = max(body, min(to, len(l.src)))
	if len(code) == 0 || depth >= maxFStrings {
		l.emit(kind, l.src[min(body, to):to], start)
		return
	}
	l.pos = code[0][0]
	l.emit(pyOther, "", start)
	for _, c := range code {
		l.pos = c[0]
		l.run(min(c[1], len(l.src)), depth+1)
		l.first = false
	}
	l.pos = end
}

// pairPython pairs brackets.
func pairPython(toks []pyToken) {
	var open []int
	for i := range toks {
		t := &toks[i]
		closes := t.kind == pyPunct && (t.text == ")" || t.text == "]" || t.text == "}")
		if n := len(open); closes && n > 0 && strings.Contains("() [] {}", toks[open[n-1]].text+t.text) {
			toks[open[n-1]].match, t.match = i, open[n-1]
			open = open[:n-1]
		}
		if len(open) > 0 {
			t.parent = open[len(open)-1]
		}
		if t.kind == pyPunct && (t.text == "(" || t.text == "[" || t.text == "{") {
			open = append(open, i)
		}
	}
}
