package envcheck

import (
	"strings"
)

// NodeKind is the kind of an expression in a schema.
type NodeKind int

// The kinds. An unquoted true, number or undefined has its own kind, as in env-spec.
const (
	NodeString NodeKind = iota
	NodeNumber
	NodeBool
	NodeUndefined
	NodeRegex // /pattern/flags
	NodeCall
	NodeObject
	NodeArray
)

// Node is an expression: a literal, a call of a function, or a collection.
// A text with $NAME in it is a call of concat or ref, as if written so.
type Node struct {
	Kind  NodeKind
	Text  string // the literal's text, the pattern, or the function's name
	Flags string // of a regex
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

// syntaxError is a mistake at an offset of the schema.
type syntaxError struct {
	off      int
	msg, fix string
}

// exprParser reads expressions from a schema. In a comment (decorators) a
// further line of an argument list begins with '#'; in a value it does not.
type exprParser struct {
	src     *source
	off     int
	comment bool
	depth   int
}

func (p *exprParser) fail(off int, msg, fix string) *syntaxError {
	return &syntaxError{off, msg, fix}
}

func (p *exprParser) peek() byte {
	if p.off < len(p.src.text) {
		return p.src.text[p.off]
	}
	return 0
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' }

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
	for p.off < len(p.src.text) && isBlank(p.src.text[p.off]) {
		p.off++
	}
}

// gap skips blanks and line ends between arguments.
func (p *exprParser) gap() *syntaxError {
	for {
		p.blanks()
		switch c := p.peek(); {
		case c == '\n' && p.comment:
			if p.off+1 >= len(p.src.text) || p.src.text[p.off+1] != '#' {
				return p.fail(p.off, "the argument list is not closed", "add ) or start the next line with #")
			}
			p.off += 2
		case c == '\n':
			p.off++
		case c == '#' && !p.comment:
			p.off = p.src.lineEnd(p.off)
		default:
			return nil
		}
	}
}

// list reads the members of a call or a collection up to the closing character.
// The opening one has been consumed.
func (p *exprParser) list(closer byte, open int) ([]Arg, *syntaxError) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxDepth {
		return nil, p.fail(open, "nested too deeply", "")
	}
	var args []Arg
	for {
		if err := p.gap(); err != nil {
			return nil, err
		}
		if p.off >= len(p.src.text) {
			return nil, p.fail(open, "not closed before the end of the file", "add "+string(closer))
		}
		if p.peek() == closer {
			p.off++
			return args, nil
		}
		arg, err := p.arg(closer)
		if err != nil {
			return nil, err
		}
		args = append(args, arg)
		if err := p.gap(); err != nil {
			return nil, err
		}
		switch c := p.peek(); c {
		case ',':
			p.off++
		case closer:
		default:
			return nil, p.fail(p.off, "expected , or "+string(closer), "quote an argument that holds a blank, a comma or a bracket")
		}
	}
}

func (p *exprParser) arg(closer byte) (Arg, *syntaxError) {
	arg := Arg{Pos: p.src.pos(p.off)}
	if name := p.ident(p.off); name != "" && strings.HasPrefix(p.src.text[p.off+len(name):], "=") {
		arg.Name = name
		p.off += len(name) + 1
	}
	v, err := p.value(" \t\r\n," + string(closer))
	arg.Value = v
	return arg, err
}

// value reads one expression; an unquoted text ends before a character of stop.
func (p *exprParser) value(stop string) (*Node, *syntaxError) {
	start := p.off
	switch c := p.peek(); c {
	case '"', '\'', '`':
		return p.quoted(c)
	case '[', '{':
		p.off++
		kind, closer := NodeArray, byte(']')
		if c == '{' {
			kind, closer = NodeObject, '}'
		}
		args, err := p.list(closer, start)
		return &Node{Kind: kind, Args: args, Pos: p.src.pos(start)}, err
	}
	if name := p.ident(start); name != "" && strings.HasPrefix(p.src.text[start+len(name):], "(") {
		return p.call(name)
	}
	return p.unquoted(stop)
}

func (p *exprParser) call(name string) (*Node, *syntaxError) {
	start := p.off
	p.off += len(name) + 1
	args, err := p.list(')', start)
	return &Node{Kind: NodeCall, Text: name, Args: args, Pos: p.src.pos(start)}, err
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
			return p.interpolate(t[start+1:i], start+1, q)
		}
	}
	return nil, p.fail(start, "the quote is not closed on this line", "add "+string(q))
}

func (p *exprParser) unquoted(stop string) (*Node, *syntaxError) {
	start, t := p.off, p.src.text
	i := start
	for i < len(t) && strings.IndexByte(stop, t[i]) < 0 {
		if strings.HasPrefix(t[i:], "$(") { // a command may hold blanks
			if end := strings.IndexAny(t[i:], ")\n"); end > 0 && t[i+end] == ')' {
				i += end
			}
		}
		i++
	}
	p.off = i
	raw := strings.TrimRight(t[start:i], " \t\r")
	if raw == "" {
		return nil, p.fail(start, "a value is missing here", "")
	}
	return p.bare(raw, start)
}

// bare gives an unquoted text its kind.
func (p *exprParser) bare(raw string, off int) (*Node, *syntaxError) {
	n := &Node{Text: raw, Pos: p.src.pos(off)}
	switch {
	case raw == "true" || raw == "false":
		n.Kind = NodeBool
	case raw == "undefined":
		n.Kind = NodeUndefined
	case isPlainNumber(raw):
		n.Kind = NodeNumber
	case raw[0] == '/' && strings.LastIndexByte(raw, '/') > 0:
		end := strings.LastIndexByte(raw, '/')
		if flags := raw[end+1:]; strings.Trim(flags, "dgimsuvy") == "" && raw[1:end] != "" {
			n.Kind, n.Text, n.Flags = NodeRegex, raw[1:end], flags
			break
		}
		return p.interpolate(raw, off, 0)
	default:
		return p.interpolate(raw, off, 0)
	}
	return n, nil
}
