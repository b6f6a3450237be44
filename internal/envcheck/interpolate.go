package envcheck

import (
	"math"
	"strconv"
	"strings"
)

// segment is a stretch of a text between references. Each time a text is cut
// at references, env-spec reads the escaped quotes in its pieces once more.
type segment struct {
	raw    string
	off    int
	passes int
	node   *Node // a reference or command that was found; nil for text
}

// expand turns the inside of a quoted text, or an unquoted one (quote ""),
// into a literal, or into ref/fallback/concat calls where it holds $NAME.
// Commands are found first, then $NAME, then ${NAME}: in ${A:-$B} the inner
// reference wins, and what is left of the outer one is text.
func (p *exprParser) expand(raw string, off int, quote string) *Node {
	segments := []segment{{raw: raw, off: off, passes: 1}}
	if quote != "'" && strings.IndexByte(raw, '$') >= 0 {
		for _, find := range []func(string, int) (int, int, *Node){p.findExec, p.findSimple, p.findBraced} {
			segments = cut(segments, find)
		}
	}
	nodes := make([]*Node, len(segments))
	for i, s := range segments {
		switch {
		case s.node == nil:
			nodes[i] = p.literal(s, quote)
		case s.node.Text == "fallback":
			n := s.node.Args[1].Value
			s.node.Args[1].Value = p.literal(segment{raw: n.Text, off: s.off, passes: s.passes + 1}, quote)
			s.node.Args[1].Value.Pos = n.Pos
			nodes[i] = s.node
		default:
			nodes[i] = s.node
		}
	}
	if len(nodes) == 1 {
		return nodes[0]
	}
	concat := &Node{Kind: NodeCall, Text: "concat", Pos: p.src.pos(off)}
	for _, n := range nodes {
		concat.Args = append(concat.Args, Arg{Pos: n.Pos, Value: n})
	}
	return concat
}

// cut splits each text segment at what find gives: start and end of a match, start -1 for none.
func cut(in []segment, find func(s string, off int) (int, int, *Node)) []segment {
	var out []segment
	for _, s := range in {
		if s.node != nil {
			out = append(out, s)
			continue
		}
		last, found := 0, false
		for i := strings.IndexByte(s.raw, '$'); i >= 0; {
			end := i + 1
			if i == 0 || s.raw[i-1] != '\\' {
				if from, to, n := find(s.raw[i:], s.off+i); from == 0 {
					found = true
					if last < i {
						out = append(out, segment{raw: s.raw[last:i], off: s.off + last, passes: s.passes + 1})
					}
					out = append(out, segment{off: s.off + i, passes: s.passes, node: n})
					end = i + to
					last = end
				}
			}
			next := strings.IndexByte(s.raw[end:], '$')
			if next < 0 {
				break
			}
			i = end + next
		}
		switch {
		case !found:
			out = append(out, s)
		case last < len(s.raw):
			out = append(out, segment{raw: s.raw[last:], off: s.off + last, passes: s.passes + 1})
		}
	}
	return out
}

// literal is the node of a text without references.
func (p *exprParser) literal(s segment, quote string) *Node {
	n := &Node{Text: s.raw, Pos: p.src.pos(s.off)}
	if quote == "" {
		switch {
		case s.raw == "true" || s.raw == "false":
			n.Kind = NodeBool
		case s.raw == "undefined":
			n.Kind = NodeUndefined
		case isPlainNumber(s.raw):
			n.Kind = NodeNumber
		}
		n.Raw = n.Text
		n.Text = strings.ReplaceAll(n.Text, `\$`, "$")
		return n
	}
	n.Quote = quote[0]
	for range s.passes {
		n.Text = strings.ReplaceAll(n.Text, `\`+quote[:1], quote[:1])
	}
	n.Raw = n.Text
	if quote != "'" {
		n.Text = strings.ReplaceAll(n.Text, `\$`, "$")
	}
	if quote == `"` || quote == "`" { // not in the triple ones
		n.Text = strings.ReplaceAll(n.Text, `\n`, "\n")
	}
	return n
}

// findExec finds $(command) at the start of s, with balanced brackets outside quotes.
func (p *exprParser) findExec(s string, off int) (int, int, *Node) {
	if len(s) < 2 || s[1] != '(' {
		return -1, 0, nil
	}
	if p.scanned > maxScan {
		return 0, len(s), execNode("", p.src.pos(off)) // refused in any case
	}
	depth, inside := 1, byte(0)
	for i := 2; i < len(s); i++ {
		p.scanned++
		switch c := s[i]; {
		case c == '\\' && inside != '\'':
			i++
		case inside != 0:
			if c == inside {
				inside = 0
			}
		case isQuote(c):
			inside = c
		case c == '(':
			depth++
		case c == ')':
			depth--
		}
		if depth == 0 {
			return 0, i + 1, execNode(s[2:i], p.src.pos(off))
		}
	}
	return -1, 0, nil
}

// maxScan bounds how far commands that are never closed are looked through, in bytes for one value.
const maxScan = 1 << 20

func execNode(cmd string, pos Pos) *Node {
	arg := &Node{Text: cmd, Raw: cmd, Quote: '"', Pos: pos}
	return &Node{Kind: NodeCall, Text: "exec", Args: []Arg{{Pos: pos, Value: arg}}, Pos: pos}
}

// findSimple finds $NAME at the start of s.
func (p *exprParser) findSimple(s string, off int) (int, int, *Node) {
	name := envName(s[1:])
	if name == "" {
		return -1, 0, nil
	}
	return 0, 1 + len(name), refNode(name, p.src.pos(off))
}

// findBraced finds ${NAME}, ${NAME:-default} or ${NAME-default} at the start of s.
func (p *exprParser) findBraced(s string, off int) (int, int, *Node) {
	if !strings.HasPrefix(s, "${") {
		return -1, 0, nil
	}
	name := envName(s[2:])
	for name != "" && 2+len(name) < len(s) && (s[2+len(name)] == '.' || isWord(s[2+len(name)])) {
		name = s[2 : 3+len(name)]
	}
	end := -1
	if p.noBrace != off+len(s) { // else it was looked for before
		if end = strings.IndexByte(s, '}'); end < 0 {
			p.noBrace = off + len(s)
		}
	}
	if name == "" || end < 0 {
		return -1, 0, nil
	}
	ref := refNode(name, p.src.pos(off))
	rest := s[2+len(name) : end]
	text, ok := strings.CutPrefix(rest, "-")
	if !ok {
		text, ok = strings.CutPrefix(rest, ":-")
	}
	switch {
	case rest == "":
		return 0, end + 1, ref
	case ok && text != "":
		at := p.src.pos(off + end - len(text))
		args := []Arg{{Pos: ref.Pos, Value: ref}, {Pos: at, Value: &Node{Text: text, Pos: at}}}
		return 0, end + 1, &Node{Kind: NodeCall, Text: "fallback", Args: args, Pos: ref.Pos}
	}
	return -1, 0, nil
}

func refNode(name string, pos Pos) *Node {
	return &Node{Kind: NodeCall, Text: "ref", Args: []Arg{{Pos: pos, Value: &Node{Text: name, Raw: name, Pos: pos}}}, Pos: pos}
}

// envName is the longest variable name at the start of s.
func envName(s string) string {
	i := 0
	for i < len(s) && (isWord(s[i])) && (i > 0 || s[i] < '0' || s[i] > '9') {
		i++
	}
	return s[:i]
}

// isPlainNumber reports whether env-spec reads the text as a number: digits
// that print back the same; leading zeros and exponents stay text.
func isPlainNumber(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || strings.Trim(digits, "0123456789.") != "" || strings.Count(digits, ".") > 1 {
		return false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.Abs(f) > 1<<53-1 {
		return false
	}
	return jsNumber(f) == s
}

// jsNumber prints a number as JavaScript does.
func jsNumber(f float64) string {
	abs := math.Abs(f)
	switch {
	case f == 0:
		return "0"
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 0):
		return strings.TrimPrefix(strconv.FormatFloat(f, 'f', -1, 64), "+") + "inity"
	case abs >= 1e21 || abs < 1e-6:
		s := strconv.FormatFloat(f, 'e', -1, 64)
		mantissa, exp, _ := strings.Cut(s, "e")
		return mantissa + "e" + exp[:1] + strings.TrimLeft(exp[1:], "0")
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}
