package scaffold

import (
	"errors"
	"fmt"
)

// token is a piece of JavaScript or TypeScript source, without comments.
type token struct {
	kind       tokenKind
	text       string
	start, end int
	newline    bool // a line ends between the token before and this one
}

type tokenKind int

const (
	ident  tokenKind = iota // names, keywords and numbers
	str                     // '...' or "..."
	opaque                  // template literal or regular expression
	punct                   // one byte, except "=>", "...", "?." which are one token
)

// lexJS splits source into tokens. It knows just enough to find object literals
// safely: comments, strings, templates and regular expressions are told apart, and
// whatever it cannot follow is an error, never a guess.
func lexJS(src []byte) ([]token, error) {
	l := &lexer{src: src}
	for {
		if err := l.space(); err != nil {
			return nil, err
		}
		if l.pos >= len(src) {
			return l.out, nil
		}
		if err := l.next(); err != nil {
			return nil, err
		}
	}
}

type lexer struct {
	src     []byte
	pos     int
	newline bool
	out     []token
}

var errUnclosed = errors.New("something is opened and not closed")

func (l *lexer) at(offset int) byte {
	if l.pos+offset < len(l.src) {
		return l.src[l.pos+offset]
	}
	return 0
}

// space skips white space and comments.
func (l *lexer) space() error {
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		switch {
		case c == '\n':
			l.newline = true
			l.pos++
		case c == ' ' || c == '\t' || c == '\r':
			l.pos++
		case l.pos == 0 && c == 0xef && l.at(1) == 0xbb && l.at(2) == 0xbf:
			l.pos += 3
		case c == '/' && l.at(1) == '/', l.pos == 0 && c == '#' && l.at(1) == '!':
			for l.pos < len(l.src) && l.src[l.pos] != '\n' {
				l.pos++
			}
		case c == '/' && l.at(1) == '*':
			start := l.pos
			l.pos += 2
			for {
				if l.pos >= len(l.src) {
					return fmt.Errorf("line %d: %w", lineAt(l.src, start), errUnclosed)
				}
				if l.src[l.pos] == '*' && l.at(1) == '/' {
					l.pos += 2
					break
				}
				if l.src[l.pos] == '\n' {
					l.newline = true
				}
				l.pos++
			}
		default:
			return nil
		}
	}
	return nil
}

func (l *lexer) emit(kind tokenKind, start int) {
	l.out = append(l.out, token{kind, string(l.src[start:l.pos]), start, l.pos, l.newline})
	l.newline = false
}

func (l *lexer) next() error {
	start := l.pos
	switch c := l.src[l.pos]; {
	case isWord(c):
		for l.pos < len(l.src) && isWord(l.src[l.pos]) {
			l.pos++
		}
		l.emit(ident, start)
	case c == '"' || c == '\'':
		if err := l.quoted(c, false); err != nil {
			return err
		}
		l.emit(str, start)
	case c == '`':
		if err := l.template(); err != nil {
			return err
		}
		l.emit(opaque, start)
	case c == '/' && l.regexAllowed():
		if err := l.regex(); err != nil {
			return err
		}
		l.emit(opaque, start)
	case c == '=' && l.at(1) == '>', c == '?' && l.at(1) == '.':
		l.pos += 2
		l.emit(punct, start)
	case c == '.' && l.at(1) == '.' && l.at(2) == '.':
		l.pos += 3
		l.emit(punct, start)
	default:
		l.pos++
		l.emit(punct, start)
	}
	return nil
}

func (l *lexer) quoted(quote byte, multiline bool) error {
	start := l.pos
	for l.pos++; l.pos < len(l.src); l.pos++ {
		switch c := l.src[l.pos]; {
		case c == '\\':
			l.pos++
		case c == quote:
			l.pos++
			return nil
		case c == '\n' && !multiline:
			return fmt.Errorf("line %d: %w", lineAt(l.src, start), errUnclosed)
		}
	}
	l.pos = len(l.src)
	return fmt.Errorf("line %d: %w", lineAt(l.src, start), errUnclosed)
}

// template skips a template literal. One that holds another template or a brace of
// its own inside ${} is refused.
func (l *lexer) template() error {
	start := l.pos
	for l.pos++; l.pos < len(l.src); l.pos++ {
		switch c := l.src[l.pos]; {
		case c == '\\':
			l.pos++
		case c == '`':
			l.pos++
			return nil
		case c == '$' && l.at(1) == '{':
			for l.pos += 2; l.pos < len(l.src) && l.src[l.pos] != '}'; l.pos++ {
				if c := l.src[l.pos]; c == '`' || c == '{' || c == '"' || c == '\'' {
					return fmt.Errorf("line %d: a template literal that is too deep to follow", lineAt(l.src, start))
				}
			}
		}
	}
	l.pos = len(l.src)
	return fmt.Errorf("line %d: %w", lineAt(l.src, start), errUnclosed)
}

func (l *lexer) regex() error {
	start, class := l.pos, false
	for l.pos++; l.pos < len(l.src); l.pos++ {
		switch c := l.src[l.pos]; {
		case c == '\\':
			l.pos++
		case c == '[':
			class = true
		case c == ']':
			class = false
		case c == '\n':
			return fmt.Errorf("line %d: %w", lineAt(l.src, start), errUnclosed)
		case c == '/' && !class:
			l.pos++
			for l.pos < len(l.src) && isWord(l.src[l.pos]) {
				l.pos++
			}
			return nil
		}
	}
	l.pos = len(l.src)
	return fmt.Errorf("line %d: %w", lineAt(l.src, start), errUnclosed)
}

// regexAllowed tells a regular expression from a division by what stands before.
func (l *lexer) regexAllowed() bool {
	if len(l.out) == 0 {
		return true
	}
	switch prev := l.out[len(l.out)-1]; prev.kind {
	case punct:
		return prev.text != ")" && prev.text != "]" && prev.text != "}"
	case ident:
		return prev.text == "return" || prev.text == "typeof" || prev.text == "case"
	default:
		return false
	}
}

func isWord(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}
