package envcheck

import (
	"slices"
	"strings"
)

// NodeKind is the kind of an expression in a schema.
type NodeKind int

// The kinds. An unquoted true, number or undefined has its own kind, as in
// env-spec; an unquoted /pattern/ is a text until something wants a pattern.
const (
	NodeString NodeKind = iota
	NodeNumber
	NodeBool
	NodeUndefined
	NodeCall
	NodeObject
	NodeArray
)

// Node is an expression: a literal, a call of a function, or a collection.
// A text with $NAME in it is a call of concat or ref, as if written so.
type Node struct {
	Kind  NodeKind
	Text  string // the literal's text, or the function's name
	Raw   string // of a literal: the text before \$ and \n are read, which is what a type's option sees
	Quote byte   // the quote character of a quoted literal, 0 for none
	Args  []Arg  // of a call, an object or an array
	Pos   Pos
}

// Arg is an argument of a call or a member of a collection; Name is empty for a positional one.
type Arg struct {
	Name  string
	Pos   Pos
	Value *Node
}

// maxDepth bounds how deep calls and collections may nest.
const maxDepth = 50

// syntaxError is a mistake at an offset of the schema. A fatal one is not
// mended by reading the text in another way.
type syntaxError struct {
	off      int
	msg, fix string
	fatal    bool
}

// exprParser reads expressions from a schema. In a comment (decorators) a
// further line of an argument list begins with '#'; in a value it does not.
//
// Where a call or a collection does not parse, env-spec takes the characters
// as a plain text. That is seldom meant, so each such place is in doubts.
type exprParser struct {
	src     *source
	off     int
	comment bool
	depth   int
	doubts  []*syntaxError
	scanned int                  // bytes looked through for the end of a command
	noBrace int                  // end of a text whose rest holds no }
	failed  map[int]*syntaxError // where a call or a collection was tried in vain: once is enough
}

func (p *exprParser) fail(off int, msg, fix string) *syntaxError {
	return &syntaxError{off: off, msg: msg, fix: fix}
}

// peek is the character at hand, a newline at the end of the text.
func (p *exprParser) peek() byte {
	if p.off < len(p.src.text) {
		return p.src.text[p.off]
	}
	return '\n'
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' }

// isGap is isBlank without the carriage return, which env-spec takes for text.
func isGap(c byte) bool { return c == ' ' || c == '\t' }

func isQuote(c byte) bool { return c == '"' || c == '\'' || c == '`' }

func isIdentStart(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func isWord(c byte) bool { return isIdentStart(c) || c >= '0' && c <= '9' || c == '_' }

// ident reads a name of letters, digits and underscores at off without moving.
func (p *exprParser) ident(off int) string {
	t := p.src.text
	if off >= len(t) || !isIdentStart(t[off]) {
		return ""
	}
	end := off
	for end < len(t) && isWord(t[end]) {
		end++
	}
	return t[off:end]
}

// blanks skips blanks on the line.
func (p *exprParser) blanks() {
	for p.off < len(p.src.text) && isGap(p.src.text[p.off]) {
		p.off++
	}
}

// gap skips blanks, comments and line ends between arguments.
func (p *exprParser) gap() {
	t := p.src.text
	for {
		p.blanks()
		if p.off >= len(t) || t[p.off] != '\n' && t[p.off] != '#' {
			return
		}
		end := p.src.lineEnd(p.off)
		if !p.comment {
			p.off = min(end+1, len(t))
			continue
		}
		next := end + 1
		for next < len(t) && isGap(t[next]) {
			next++
		}
		if next >= len(t) || t[next] != '#' {
			return
		}
		p.off = next + 1
	}
}

// list reads the members of a call or a collection up to the closing
// character. The opening one, at open, has been consumed.
func (p *exprParser) list(closer byte, open int) ([]Arg, *syntaxError) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxDepth {
		return nil, &syntaxError{off: open, msg: "nested too deeply", fatal: true}
	}
	var args []Arg
	p.gap()
	for p.peek() != closer {
		if p.peek() == ',' { // one comma may stand at the end
			p.off++
			p.gap()
			if p.peek() == closer {
				break
			}
			return nil, p.fail(p.off, "expected "+string(closer)+" after the last comma", "remove a comma")
		}
		if p.peek() == '\n' {
			return nil, p.fail(open, "not closed: "+string(closer)+" is missing", p.closeFix(closer))
		}
		arg, err := p.arg(closer)
		if err != nil {
			return nil, err
		}
		args = append(args, arg)
		p.gap()
		switch c := p.peek(); {
		case c == closer:
		case c == ',':
			comma := p.off
			p.off++
			p.gap()
			if c := p.peek(); c == ',' || c == closer {
				p.off = comma
			}
		case p.off >= len(p.src.text), c == '\n':
			return nil, p.fail(open, "not closed: "+string(closer)+" is missing", p.closeFix(closer))
		default:
			return nil, p.fail(p.off, "expected , or "+string(closer), "quote an argument that holds a blank, a comma or a bracket")
		}
	}
	p.off++
	return args, nil
}

func (p *exprParser) closeFix(closer byte) string {
	if p.comment {
		return "add " + string(closer) + " or start the next line with #"
	}
	return "add " + string(closer)
}

// arg reads an argument of a call (value or name=value) or a member of a
// collection, where blanks may stand around = and a bracket ends a text.
func (p *exprParser) arg(closer byte) (Arg, *syntaxError) {
	start := p.off
	arg := Arg{Pos: p.src.pos(start)}
	stop := " \n,)"
	if closer != ')' {
		stop = " \n,)}]"
	}
	if name := p.ident(start); name != "" && closer != ']' {
		p.off += len(name)
		if closer == '}' {
			p.blanks()
		}
		if p.peek() == '=' {
			p.off++
			if closer == '}' {
				p.blanks()
			}
			v, err := p.value(stop)
			if err == nil {
				return Arg{Name: name, Pos: arg.Pos, Value: v}, nil
			}
			if closer == '}' || err.fatal {
				return arg, err
			}
		}
		p.off = start // the name is the beginning of a text
	}
	if closer == '}' {
		return arg, p.fail(start, "expected name=value", "")
	}
	v, err := p.value(stop)
	arg.Value = v
	return arg, err
}

// value reads one expression; an unquoted text ends before a character of stop.
func (p *exprParser) value(stop string) (*Node, *syntaxError) {
	n, err := p.structured()
	if n != nil || err != nil && err.fatal {
		return n, err
	}
	start, t := p.off, p.src.text
	end := start
	for end < len(t) && strings.IndexByte(stop, t[end]) < 0 {
		if strings.HasPrefix(t[end:], "${") && strings.Contains(stop, "}") { // ${NAME} within a collection
			if i := strings.IndexAny(t[end:], "}\n"); i > 0 && t[end+i] == '}' {
				end += i
			}
		}
		end++
	}
	if end == start {
		return nil, p.fail(start, "a value is missing here", "")
	}
	if err != nil {
		p.doubts = append(p.doubts, err)
	}
	p.off = end
	return p.bare(t[start:end], start), nil
}

// structured reads a collection, a call or a quoted text. Without a node the
// characters are none, err says why if they began like one, and nothing is consumed.
func (p *exprParser) structured() (n *Node, err *syntaxError) {
	start, doubts := p.off, len(p.doubts)
	if err := p.failed[start]; err != nil {
		return nil, err
	}
	defer func() {
		if n == nil {
			p.off, p.doubts = start, p.doubts[:doubts]
		}
		if err != nil {
			if p.failed == nil {
				p.failed = map[int]*syntaxError{}
			}
			p.failed[start] = err
		}
	}()
	switch c := p.peek(); {
	case p.off >= len(p.src.text):
		return nil, nil
	case isQuote(c):
		return p.quoted(c)
	case c == '[' || c == '{':
		p.off++
		kind, closer := NodeArray, byte(']')
		if c == '{' {
			kind, closer = NodeObject, '}'
		}
		args, err := p.list(closer, start)
		if err != nil {
			return nil, err
		}
		return &Node{Kind: kind, Args: args, Pos: p.src.pos(start)}, nil
	}
	if name := p.ident(start); name != "" && strings.HasPrefix(p.src.text[start+len(name):], "(") {
		return p.call(name)
	}
	return nil, nil
}

// call reads name(args) at p.off.
func (p *exprParser) call(name string) (*Node, *syntaxError) {
	start := p.off
	p.off += len(name) + 1
	args, err := p.list(')', start)
	if err != nil {
		return nil, err
	}
	if name == "concat" { // one within another is no call of its own
		for i := 0; i < len(args); i++ {
			if v := args[i].Value; args[i].Name == "" && v.Kind == NodeCall && v.Text == "concat" {
				args = slices.Replace(args, i, i+1, v.Args...)
				i += len(v.Args) - 1
			}
		}
	}
	return &Node{Kind: NodeCall, Text: name, Args: args, Pos: p.src.pos(start)}, nil
}

// quoted reads a one-line quoted text; a backslash before the quote keeps it.
func (p *exprParser) quoted(q byte) (*Node, *syntaxError) {
	start := p.off
	t := p.src.text
	for i := start + 1; i < len(t) && t[i] != '\n'; i++ {
		if t[i] == '\\' && i+1 < len(t) && t[i+1] == q {
			i++
			continue
		}
		if t[i] == q {
			p.off = i + 1
			return p.expand(t[start+1:i], start+1, string(q)), nil
		}
	}
	return nil, p.fail(start, "the quote is not closed on this line", "add "+string(q))
}

// bare gives an unquoted text its kind.
func (p *exprParser) bare(raw string, off int) *Node {
	trimmed := strings.TrimFunc(raw, isJSSpace)
	if trimmed == "" {
		return &Node{Kind: NodeUndefined, Pos: p.src.pos(off)}
	}
	return p.expand(trimmed, off+strings.Index(raw, trimmed), "")
}

// isJSSpace is white space as JavaScript trims it.
func isJSSpace(r rune) bool {
	switch r {
	case '\t', '\n', '\v', '\f', '\r', ' ', '\u00a0', '\u1680', '\u2028', '\u2029', '\u202f', '\u205f', '\u3000', '\ufeff':
		return true
	}
	return r >= '\u2000' && r <= '\u200a'
}
