package jslex

import (
	"errors"
	"strings"
)

// errUnfollowed is what the tolerant lexer retreats from.
var errUnfollowed = errors.New("not followed")

// tagBegins tells whether the < at the current position opens a JSX element, rather
// than compares or lists the parameters of a type.
func (l *lexer) tagBegins() bool {
	c := l.at(1)
	if c != '>' && (!isWord(c) || c >= '0' && c <= '9') || !l.operandExpected() {
		return false
	}
	rest := l.src[l.pos+1 : min(len(l.src), l.pos+maxLook)]
	name := len(rest) - len(strings.TrimLeftFunc(rest, func(r rune) bool {
		return r == '.' || r == '-' || r == ':' || r > 127 || isWord(byte(r))
	}))
	word, rest := rest[:name], strings.TrimLeft(rest[name:], " \t\r\n")
	switch {
	case strings.HasPrefix(rest, ","), strings.HasPrefix(rest, "="), word == "const": // <T,>() => and <T = X>() =>
		return false
	case strings.HasPrefix(rest, "extends") && len(rest) > 7 && strings.ContainsRune(" \t\r\n", rune(rest[7])):
		return strings.HasPrefix(strings.TrimLeft(rest[7:], " \t\r\n"), "=")
	case strings.HasPrefix(rest, ">("):
		return !isSignature(rest[1:])
	}
	return true
}

// maxLook bounds how far is looked ahead: each < looks again.
const maxLook = 400

// isSignature tells whether text begins with parameters in parentheses and what
// follows those of a function type.
func isSignature(text string) bool {
	depth := 0
	for i := range len(text) {
		switch text[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				after := strings.TrimLeft(text[i+1:], " \t\r\n")
				return strings.HasPrefix(after, "=>") || strings.HasPrefix(after, ":")
			}
		}
	}
	return false
}

// openTag begins a tag at its <.
func (l *lexer) openTag() {
	l.push(inTag, l.pos)
	start := l.pos
	l.pos++
	l.tagName()
	l.emit(JSX, start)
	if l.at(0) == '<' { // type arguments: <Select<Option> …>
		l.skipTypeArguments()
	}
}

func (l *lexer) tagName() {
	for l.pos < len(l.src) && (isWord(l.src[l.pos]) || strings.IndexByte(".-:", l.src[l.pos]) >= 0) {
		l.pos++
	}
}

func (l *lexer) skipTypeArguments() {
	depth := 0
	for i := l.pos; i < min(len(l.src), l.pos+maxLook); i++ {
		switch l.src[i] {
		case '<':
			depth++
		case '>':
			if depth--; depth == 0 {
				l.pos = i + 1
				return
			}
		}
	}
}

// tag reads one piece of an open tag: an attribute's name, its value, or the end.
func (l *lexer) tag(f *frame) error {
	if err := l.space(); err != nil {
		return err
	}
	start := l.pos
	switch c := l.at(0); {
	case l.pos >= len(l.src):
		return l.unclosed(f.start)
	case c == '/' && l.at(1) == '>':
		l.pos += 2
		l.pop()
		l.emit(JSX, start)
	case c == '>':
		l.pos++
		f.kind = inElement
		l.emit(JSX, start)
	case c == '{':
		l.pos++
		l.emit(Punct, start)
		l.push(inBraces, start)
	case c == '"' || c == '\'': // of more than one line, and without escapes
		n := strings.IndexByte(l.src[l.pos+1:], c)
		if n < 0 {
			l.end()
			return l.unclosed(start)
		}
		l.pos += n + 2
		l.emit(JSX, start)
	case c == '=':
		l.pos++
		l.emit(JSX, start)
	case isWord(c):
		l.tagName()
		l.emit(JSX, start)
	case c == '<' && len(l.out) > 0 && l.out[len(l.out)-1].Text == "=":
		l.openTag()
	default:
		return errUnfollowed
	}
	return nil
}

// children reads the text of an element up to a tag or to code in braces.
func (l *lexer) children(f *frame) error {
	for ; l.pos < len(l.src); l.pos++ {
		start := l.pos
		switch l.src[l.pos] {
		case '{':
			l.pos++
			l.emit(Punct, start)
			l.push(inBraces, start)
			return nil
		case '<':
			switch c := l.at(1); {
			case c == '/':
				n := strings.IndexByte(l.src[l.pos:], '>')
				if n < 0 {
					l.end()
					return l.unclosed(f.start)
				}
				l.pos += n + 1
				if len(l.frames) > 1 || !l.markup {
					l.pop()
				}
				l.emit(JSX, start)
				return nil
			case c == '>' || isWord(c):
				l.openTag()
				return nil
			}
		}
	}
	return l.unclosed(f.start) // the end
}

// end goes to the end of markup, in which nothing is read again.
func (l *lexer) end() {
	if l.markup {
		l.pos = len(l.src)
	}
}
