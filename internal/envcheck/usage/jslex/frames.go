package jslex

import (
	"fmt"
	"strings"
)

// frame is something open that is not plain code, or code within it. There is a stack
// of them instead of recursion: no nesting uses up the program's own stack.
type frame struct {
	kind    frameKind
	start   int  // offset where it opens
	piece   int  // offset where a template's current piece of text begins
	base    int  // tokens before it
	open    int  // braces open in code
	newline bool // what the lexer knew at start
	parens  int  // parentheses open before it
}

type frameKind int

const (
	inTemplate frameKind = iota
	inBraces             // code in ${...} or {...}
	inTag                // <a b="c"
	inElement            // the children of an element
)

func (l *lexer) top() *frame {
	if len(l.frames) == 0 {
		return nil
	}
	return &l.frames[len(l.frames)-1]
}

func (l *lexer) push(kind frameKind, start int) {
	l.frames = append(l.frames, frame{
		kind: kind, start: start, piece: start, base: len(l.out), newline: l.newline, parens: len(l.parens),
	})
}

func (l *lexer) pop() { l.frames = l.frames[:len(l.frames)-1] }

func (l *lexer) openTemplate() error {
	if l.templates++; l.templates > maxTemplates && !l.tolerant {
		return fmt.Errorf("line %d: its template literals are nested too deep", LineAt(l.src, l.pos))
	}
	l.push(inTemplate, l.pos)
	l.pos++
	return nil
}

// templateText reads the text of a template literal up to its end or to an expression.
// Strictly, the whole template becomes one token; tolerantly, each piece of its text.
func (l *lexer) templateText(f *frame) error {
	for ; l.pos < len(l.src); l.pos++ {
		switch c := l.src[l.pos]; {
		case c == '\\':
			l.pos++
		case c == '`':
			l.pos++
			start := f.piece
			if !l.tolerant {
				l.out, l.newline, start = l.out[:f.base], f.newline, f.start
			}
			l.emit(Opaque, start)
			l.templates--
			l.pop()
			return nil
		case c == '$' && l.at(1) == '{':
			l.pos += 2
			if l.tolerant {
				l.emit(Opaque, f.piece)
			}
			l.push(inBraces, l.pos-2)
			return nil
		}
	}
	l.pos = len(l.src)
	return l.unclosed(f.start)
}

// leaveBraces ends the code in braces, at the closing one.
func (l *lexer) leaveBraces(f *frame) {
	l.parens = l.parens[:min(f.parens, len(l.parens))]
	l.pop()
	outer := l.top()
	if outer.kind == inTemplate {
		outer.piece = l.pos
		l.pos++
		return
	}
	l.pos++
	l.emit(Punct, l.pos-1)
}

// looseTemplate skips a template literal without looking at the expressions in it.
func (l *lexer) looseTemplate(byte) error {
	start := l.pos
	for l.pos++; l.pos < len(l.src); l.pos++ {
		switch l.src[l.pos] {
		case '\\':
			l.pos++
		case '`':
			l.pos++
			return nil
		}
	}
	l.pos = len(l.src)
	return l.unclosed(start)
}

// maxRetries is how many tags may turn out to be none before the lexer gives up on
// following the file.
const maxRetries = 20

// retreat goes back to where what cannot be followed began, and takes it for an
// operator. What is a tag that is none is forgotten; from a template or an element
// that does not end, the rest of the file is read without following any.
func (l *lexer) retreat() {
	keep := len(l.frames) - 1
	switch {
	case l.markup && l.pos >= len(l.src): // the end, whatever is open
		l.frames = nil
		return
	case l.markup:
		l.pop() // a tag that is none, and text from here on
		return
	}
	if l.retries++; l.frames[keep].kind != inTag || l.retries > maxRetries {
		keep, l.loose, l.jsx = 0, true, false
	}
	f := l.frames[keep]
	l.reread += l.pos - f.start
	l.frames = l.frames[:keep]
	l.templates = 0
	for _, open := range l.frames {
		if open.kind == inTemplate {
			l.templates++
		}
	}
	l.out, l.newline, l.pos = l.out[:f.base], f.newline, f.start+1
	l.parens = l.parens[:min(f.parens, len(l.parens))]
	l.emit(Punct, f.start)
}

// Scan splits source into tokens, whatever it is, in linear time. A template literal
// gives a token for each piece of its text, and the tokens of its expressions between
// them. Where loose is true some of the file could not be followed: from there on
// strings, comments and regular expressions are still told apart by line, but what is
// in template literals is left out, and JSX is taken for code.
func Scan(src string, jsx bool) (out []Token, loose bool) {
	l := newLexer(src)
	l.tolerant, l.jsx = true, jsx
	l.out = make([]Token, 0, len(src)/6)
	if err := l.run(); err != nil { // which only Lex has
		return nil, true
	}
	MatchBrackets(l.out)
	return l.out, l.loose
}

// ScanMarkup is Scan for text in which only what is in braces is code, as in the
// templates of Svelte and Astro. Elements need not end.
func ScanMarkup(src string) []Token {
	l := newLexer(src)
	l.tolerant, l.jsx, l.markup = true, true, true
	l.push(inElement, 0)
	if err := l.run(); err != nil {
		return nil
	}
	MatchBrackets(l.out)
	return l.out
}

// MatchBrackets pairs brackets. One that fits nothing stays alone.
func MatchBrackets(toks []Token) {
	var open []int
	braces := 0 // of those that are open
	for i := range toks {
		t := &toks[i]
		bracket := t.Kind == Punct && len(t.Text) == 1
		if bracket && strings.Contains(")]}", t.Text) {
			for n := len(open); n > 0; n-- {
				o := open[n-1]
				if !pairs(toks[o].Text, t.Text) {
					// Only a brace closes what was forgotten in it.
					if t.Text == "}" && braces > 0 {
						continue
					}
					break
				}
				open = open[:n-1]
				if t.Text == "}" {
					braces--
				}
				toks[o].Match, t.Match = i, o
				break
			}
		}
		if len(open) > 0 {
			t.Parent = open[len(open)-1]
		}
		if bracket && strings.Contains("([{", t.Text) {
			open = append(open, i)
			if t.Text == "{" {
				braces++
			}
		}
	}
}

func pairs(open, closing string) bool {
	return open+closing == "()" || open+closing == "[]" || open+closing == "{}"
}

// parenthesis notes whether a parenthesis is that of if, for or while.
func (l *lexer) parenthesis(c byte) {
	if !l.tolerant {
		return
	}
	switch c {
	case '(':
		control := false
		if n := len(l.out); n > 0 && l.out[n-1].Kind == Ident {
			switch l.out[n-1].Text {
			case "if", "for", "while", "with":
				control = n < 2 || l.out[n-2].Text != "."
			}
		}
		l.parens = append(l.parens, control)
	case ')':
		l.control = false
		if n := len(l.parens); n > 0 {
			l.control, l.parens = l.parens[n-1], l.parens[:n-1]
		}
	}
}
