package nextconfig

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// token is a piece of JavaScript or TypeScript source, without comments.
type token struct {
	kind       tokenKind
	text       string
	start, end int
	newline    bool // a line ends between the token before and this one
	match      int  // for a bracket, the token that closes or opens it
	parent     int  // the bracket that the token is directly in, or -1
}

type tokenKind int

const (
	ident  tokenKind = iota // names, keywords and numbers
	str                     // '...' or "..."
	opaque                  // template literal or regular expression
	punct                   // operators and brackets
)

// span is a piece of source by its offsets.
type span struct{ start, end int }

// operators are those of more than one byte, the longest first. Shifts are missing:
// two closing angle brackets are the end of a type more often.
const operators = "=== !== **= &&= ||= ??= ... => == != <= >= && || ?? ?. ++ -- += -= *= /= %= &= |= ^= **"

// lex splits source into tokens and comments. It knows just enough to find
// expressions safely: comments, strings, templates and regular expressions are told
// apart, and whatever it cannot follow is an error, never a guess.
func lex(src string) ([]token, []span, error) {
	l := &lexer{src: src, operators: strings.Fields(operators)}
	if err := l.run(false); err != nil {
		return nil, nil, err
	}
	return l.out, l.comments, nil
}

type lexer struct {
	src       string
	operators []string
	pos       int
	newline   bool
	out       []token
	comments  []span
	templates int // how many template literals are open
}

const maxTemplates = 20 // templates within templates

// run reads tokens up to the end, or to the brace that ends a template's expression.
func (l *lexer) run(inTemplate bool) error {
	open := 0
	for {
		if err := l.space(); err != nil {
			return err
		}
		if l.pos >= len(l.src) {
			return nil
		}
		if inTemplate {
			switch l.src[l.pos] {
			case '{':
				open++
			case '}':
				if open--; open < 0 {
					return nil
				}
			}
		}
		if err := l.next(); err != nil {
			return err
		}
	}
}

func (l *lexer) at(offset int) byte {
	if l.pos+offset < len(l.src) {
		return l.src[l.pos+offset]
	}
	return 0
}

func (l *lexer) unclosed(start int) error {
	return fmt.Errorf("line %d: something is opened and not closed", lineAt(l.src, start))
}

// space skips white space and comments.
func (l *lexer) space() error {
	for l.pos < len(l.src) {
		start, c := l.pos, l.src[l.pos]
		switch {
		case c == '\n' || c == '\r':
			l.newline = true
			l.pos++
		case c == ' ' || c == '\t' || c == '\v' || c == '\f':
			l.pos++
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(l.src[l.pos:])
			if !isBlank(r) {
				return nil
			}
			l.newline = l.newline || r == '\u2028' || r == '\u2029'
			l.pos += n
		case c == '/' && l.at(1) == '/', l.pos == 0 && c == '#' && l.at(1) == '!':
			for l.pos < len(l.src) && l.src[l.pos] != '\n' && l.src[l.pos] != '\r' {
				l.pos++
			}
			l.comments = append(l.comments, span{start, l.pos})
		case c == '/' && l.at(1) == '*':
			n := strings.Index(l.src[l.pos+2:], "*/")
			if n < 0 {
				return l.unclosed(start)
			}
			l.pos += n + 4
			l.newline = l.newline || strings.ContainsAny(l.src[start:l.pos], "\n\r")
			l.comments = append(l.comments, span{start, l.pos})
		default:
			return nil
		}
	}
	return nil
}

func (l *lexer) emit(kind tokenKind, start int) {
	l.out = append(l.out, token{kind: kind, text: l.src[start:l.pos], start: start, end: l.pos, newline: l.newline, match: -1, parent: -1})
	l.newline = false
}

func (l *lexer) next() error {
	start := l.pos
	switch c := l.src[l.pos]; {
	case isWord(c):
		l.word()
		l.emit(ident, start)
	case c == '"' || c == '\'':
		if err := l.quoted(c); err != nil {
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
	default:
		l.pos += l.operator()
		l.emit(punct, start)
	}
	return nil
}

// operator is the length of the operator at the current position.
func (l *lexer) operator() int {
	for _, op := range l.operators {
		if strings.HasPrefix(l.src[l.pos:], op) {
			if op == "?." && l.at(2) >= '0' && l.at(2) <= '9' {
				continue // a choice with a number: a?.5:1
			}
			return len(op)
		}
	}
	return 1
}

func (l *lexer) word() {
	for l.pos < len(l.src) && isWord(l.src[l.pos]) {
		r, n := utf8.DecodeRuneInString(l.src[l.pos:])
		if isBlank(r) {
			break
		}
		l.pos += n
	}
}

func (l *lexer) quoted(quote byte) error {
	start := l.pos
	for l.pos++; l.pos < len(l.src); l.pos++ {
		switch l.src[l.pos] {
		case '\\':
			if l.pos++; l.at(0) == '\r' && l.at(1) == '\n' {
				l.pos++
			}
		case quote:
			l.pos++
			return nil
		case '\n', '\r':
			return l.unclosed(start)
		}
	}
	l.pos = len(l.src)
	return l.unclosed(start)
}

// template skips a template literal with the expressions in it.
func (l *lexer) template() error {
	start := l.pos
	if l.templates++; l.templates > maxTemplates {
		return fmt.Errorf("line %d: its template literals are nested too deep", lineAt(l.src, start))
	}
	defer func() { l.templates-- }()
	for l.pos++; l.pos < len(l.src); l.pos++ {
		switch c := l.src[l.pos]; {
		case c == '\\':
			l.pos++
		case c == '`':
			l.pos++
			return nil
		case c == '$' && l.at(1) == '{':
			l.pos += 2
			out, newline := l.out, l.newline
			l.out = nil // what is in it is part of the template's token
			err := l.run(true)
			l.out, l.newline = out, newline
			if err != nil {
				return err
			}
		}
	}
	l.pos = len(l.src)
	return l.unclosed(start)
}

func (l *lexer) regex() error {
	start, class := l.pos, false
	for l.pos++; l.pos < len(l.src); l.pos++ {
		switch l.src[l.pos] {
		case '\\':
			l.pos++
		case '[':
			class = true
		case ']':
			class = false
		case '\n', '\r':
			return l.unclosed(start)
		case '/':
			if !class {
				l.pos++
				l.word()
				return nil
			}
		}
	}
	l.pos = len(l.src)
	return l.unclosed(start)
}

// regexAllowed tells a regular expression from a division by what stands before.
func (l *lexer) regexAllowed() bool {
	if len(l.out) == 0 {
		return true
	}
	switch prev := l.out[len(l.out)-1]; prev.kind {
	case punct:
		return prev.text != ")" && prev.text != "]" && prev.text != "}" && prev.text != "++" && prev.text != "--"
	case ident:
		return wantsOperand(prev.text)
	default:
		return false
	}
}

func isWord(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf
}

func isBlank(r rune) bool {
	return r == '\ufeff' || r > unicode.MaxASCII && unicode.IsSpace(r) || r == '\u2028' || r == '\u2029'
}

// wantsOperand tells whether an expression must go on after the keyword.
func wantsOperand(word string) bool {
	switch word {
	case "return", "typeof", "case", "await", "void", "new", "delete", "in", "instanceof", "throw", "yield", "extends":
		return true
	}
	return false
}

func lineAt(src string, offset int) int { return 1 + strings.Count(src[:min(offset, len(src))], "\n") }
