// Package jslex splits JavaScript and TypeScript into tokens. It knows just enough
// to tell code from comments, strings, templates, regular expressions and the text of
// JSX; it does not parse.
//
// Lex is strict: whatever it cannot follow is an error, never a guess, for those who
// edit a file. Scan is tolerant, for those who look for something in any file.
package jslex

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Token is a piece of source, without comments.
type Token struct {
	Kind       Kind
	Text       string
	Start, End int
	Newline    bool // a line ends between the token before and this one
	Match      int  // for a bracket, the token that closes or opens it, or -1
	Parent     int  // the bracket that the token is directly in, or -1
}

// Kind is the kind of a token.
type Kind int

// The kinds.
const (
	Ident  Kind = iota // names, keywords and numbers
	Str                // '...' or "..."
	Opaque             // a template literal or a piece of one, or a regular expression
	Punct              // operators and brackets
	JSX                // a tag, an attribute's name or its text: from Scan only
)

// Span is a piece of source by its offsets.
type Span struct{ Start, End int }

// operators are those of more than one byte, the longest first. Shifts are missing:
// two closing angle brackets are the end of a type more often.
const operators = "=== !== **= &&= ||= ??= ... => == != <= >= && || ?? ?. ++ -- += -= *= /= %= &= |= ^= **"

// Lex splits source into tokens and comments. A template literal is one token, with
// all that is in it.
func Lex(src string) ([]Token, []Span, error) {
	l := newLexer(src)
	if err := l.run(); err != nil {
		return nil, nil, err
	}
	return l.out, l.comments, nil
}

func newLexer(src string) *lexer {
	return &lexer{src: src, operators: strings.Fields(operators), unclosable: map[byte]int{}}
}

type lexer struct {
	src       string
	operators []string
	pos       int
	newline   bool
	out       []Token
	comments  []Span
	frames    []frame // what is open, the innermost last
	templates int     // how many of them are template literals

	tolerant   bool // no errors
	jsx        bool
	markup     bool         // the file as a whole is the children of an element
	loose      bool         // something could not be followed: no frames any more
	retries    int          // tags that were none
	reread     int          // bytes that were read again
	parens     []bool       // whether an open parenthesis belongs to if, for or while
	control    bool         // and the last closed one did
	unclosable map[byte]int // by quote: up to where none closes
}

const maxTemplates = 20 // templates within templates, for Lex

// run reads tokens up to the end.
func (l *lexer) run() error {
	for {
		f := l.top()
		var err error
		switch {
		case f != nil && f.kind == inTemplate:
			err = l.templateText(f)
		case f != nil && f.kind == inTag:
			err = l.tag(f)
		case f != nil && f.kind == inElement:
			err = l.children(f)
		default:
			var more bool
			if more, err = l.code(f); err == nil && !more {
				return nil
			}
		}
		if err != nil {
			if !l.tolerant {
				return err
			}
			l.retreat()
		}
	}
}

// code reads one token of code; f is the braces it is in, or nil. There is no more at
// the end.
func (l *lexer) code(f *frame) (more bool, err error) {
	if err := l.space(); err != nil {
		if !l.tolerant {
			return false, err
		}
		l.pos = len(l.src) // the rest is a comment
	}
	if l.pos >= len(l.src) {
		if f != nil {
			return false, l.unclosed(l.frames[len(l.frames)-2].start)
		}
		return false, nil
	}
	if f != nil {
		switch l.src[l.pos] {
		case '{':
			f.open++
		case '}':
			if f.open--; f.open < 0 {
				l.leaveBraces(f)
				return true, nil
			}
		}
	}
	return true, l.next()
}

func (l *lexer) at(offset int) byte {
	if l.pos+offset < len(l.src) {
		return l.src[l.pos+offset]
	}
	return 0
}

func (l *lexer) unclosed(start int) error {
	if l.tolerant {
		return errUnfollowed // to count lines for a message each time would take quadratic time
	}
	return fmt.Errorf("line %d: something is opened and not closed", LineAt(l.src, start))
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
			l.comments = append(l.comments, Span{start, l.pos})
		case c == '/' && l.at(1) == '*':
			n := strings.Index(l.src[l.pos+2:], "*/")
			if n < 0 {
				return l.unclosed(start)
			}
			l.pos += n + 4
			l.newline = l.newline || strings.ContainsAny(l.src[start:l.pos], "\n\r")
			l.comments = append(l.comments, Span{start, l.pos})
		default:
			return nil
		}
	}
	return nil
}

func (l *lexer) emit(kind Kind, start int) {
	l.out = append(l.out, Token{Kind: kind, Text: l.src[start:l.pos], Start: start, End: l.pos, Newline: l.newline, Match: -1, Parent: -1})
	l.newline = false
}

func (l *lexer) next() error {
	start := l.pos
	switch c := l.src[l.pos]; {
	case isWord(c):
		l.word()
		l.emit(Ident, start)
	case c == '"' || c == '\'':
		return l.literal(Str, start, l.quoted)
	case c == '`' && l.loose:
		return l.literal(Opaque, start, l.looseTemplate)
	case c == '`':
		return l.openTemplate()
	case c == '/' && l.operandExpected():
		return l.literal(Opaque, start, l.regex)
	case c == '<' && l.jsx && l.tagBegins():
		l.openTag()
	default:
		l.pos += l.operator()
		l.parenthesis(c)
		l.emit(Punct, start)
	}
	return nil
}

// literal reads a literal. Tolerantly, one that does not close is an operator.
func (l *lexer) literal(kind Kind, start int, read func(byte) error) error {
	c := l.src[start]
	if l.tolerant && start < l.unclosable[c] {
		l.pos = start + 1
		l.emit(Punct, start)
		return nil
	}
	err := read(c)
	if err != nil && l.tolerant {
		// To look for its end again and again would take quadratic time.
		l.unclosable[c] = l.pos
		l.reread += l.pos - start
		l.pos, kind, err = start+1, Punct, nil
	}
	if err == nil {
		l.emit(kind, start)
	}
	return err
}

// operator is the length of the operator at the current position.
func (l *lexer) operator() int {
	if strings.IndexByte("()[]{};,:~@#", l.src[l.pos]) >= 0 {
		return 1
	}
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

func (l *lexer) regex(byte) error {
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

// operandExpected tells, by what stands before, whether an operand comes rather than
// an operator: a regular expression and no division.
func (l *lexer) operandExpected() bool {
	base := 0
	if f := l.top(); f != nil {
		base = f.base
	}
	if len(l.out) == base {
		return true
	}
	switch prev := l.out[len(l.out)-1]; prev.Kind {
	case Punct:
		switch prev.Text {
		case ")":
			return l.tolerant && l.control
		case "}":
			return l.tolerant && l.newline // a statement, after the block of another
		}
		return prev.Text != "]" && prev.Text != "++" && prev.Text != "--"
	case Ident:
		if n := len(l.out) - 2; n >= base && l.out[n].Kind == Punct && (l.out[n].Text == "." || l.out[n].Text == "?.") {
			return false // a member of that name
		}
		return WantsOperand(prev.Text) || l.tolerant && (prev.Text == "else" || prev.Text == "do" || prev.Text == "default")
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

// WantsOperand tells whether an expression must go on after the keyword.
func WantsOperand(word string) bool {
	switch word {
	case "return", "typeof", "case", "await", "void", "new", "delete", "in", "instanceof", "throw", "yield", "extends":
		return true
	}
	return false
}

// LineAt is the line of an offset, from 1.
func LineAt(src string, offset int) int { return 1 + strings.Count(src[:min(offset, len(src))], "\n") }
