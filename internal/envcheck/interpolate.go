package envcheck

import (
	"math"
	"strconv"
	"strings"
)

// interpolate turns the inside of a quoted text, or an unquoted one (quote 0),
// into a literal, or into ref/fallback/concat calls where it holds $NAME.
func (p *exprParser) interpolate(raw string, off int, quote byte) (*Node, *syntaxError) {
	var parts []*Node
	var lit strings.Builder
	flush := func() {
		if lit.Len() > 0 {
			parts = append(parts, &Node{Text: lit.String(), Quote: quote, Pos: p.src.pos(off)})
			lit.Reset()
		}
	}
	for i := 0; i < len(raw); {
		if raw[i] == '\\' && i+1 < len(raw) {
			if s, ok := unescape(raw[i+1], quote); ok {
				lit.WriteString(s)
				i += 2
				continue
			}
		}
		if raw[i] == '$' && quote != '\'' {
			n, size, err := p.expansion(raw[i:], off+i)
			if err != nil {
				return nil, err
			}
			if n != nil {
				flush()
				parts = append(parts, n)
				i += size
				continue
			}
		}
		lit.WriteByte(raw[i])
		i++
	}
	if len(parts) == 0 {
		return &Node{Text: lit.String(), Quote: quote, Pos: p.src.pos(off)}, nil
	}
	flush()
	if len(parts) == 1 {
		return parts[0], nil
	}
	concat := &Node{Kind: NodeCall, Text: "concat", Pos: p.src.pos(off)}
	for _, part := range parts {
		concat.Args = append(concat.Args, Arg{Pos: part.Pos, Value: part})
	}
	return concat, nil
}

// unescape gives what a backslash and c stand for; false where the backslash stays.
func unescape(c, quote byte) (string, bool) {
	switch {
	case quote != 0 && c == quote:
		return string(c), true
	case c == 'n' && (quote == '"' || quote == '`'):
		return "\n", true
	case c == '$' && quote != '\'':
		return "$", true
	}
	return "", false
}

// expansion reads $NAME, ${NAME}, ${NAME:-d} or $(cmd) at the start of s.
// A nil node means that the dollar stands for itself.
func (p *exprParser) expansion(s string, off int) (*Node, int, *syntaxError) {
	if len(s) < 2 {
		return nil, 0, nil
	}
	pos := p.src.pos(off)
	if s[1] == '(' {
		end := strings.IndexByte(s, ')')
		if end < 0 {
			return nil, 0, p.fail(off, "$( is not closed", "write \\$ for a dollar sign")
		}
		cmd := &Node{Text: s[2:end], Quote: '"', Pos: pos}
		return &Node{Kind: NodeCall, Text: "exec", Args: []Arg{{Pos: pos, Value: cmd}}, Pos: pos}, end + 1, nil
	}
	if s[1] != '{' {
		name := envName(s[1:])
		if name == "" {
			return nil, 0, nil
		}
		return refNode(name, pos), 1 + len(name), nil
	}
	name := envName(s[2:])
	end := strings.IndexByte(s, '}')
	if name == "" || end < 0 {
		return nil, 0, p.fail(off, "${ is not followed by a name and }", "write \\$ for a dollar sign")
	}
	rest := s[2+len(name) : end]
	switch {
	case rest == "":
		return refNode(name, pos), end + 1, nil
	case strings.HasPrefix(rest, ":-"), strings.HasPrefix(rest, "-"):
		def := &Node{Text: strings.TrimPrefix(strings.TrimPrefix(rest, ":"), "-"), Quote: '"', Pos: pos}
		args := []Arg{{Pos: pos, Value: refNode(name, pos)}, {Pos: pos, Value: def}}
		return &Node{Kind: NodeCall, Text: "fallback", Args: args, Pos: pos}, end + 1, nil
	}
	return nil, 0, p.fail(off, "only ${NAME} and ${NAME:-default} are known here", "use if(), eq() or fallback()")
}

func refNode(name string, pos Pos) *Node {
	return &Node{Kind: NodeCall, Text: "ref", Args: []Arg{{Pos: pos, Value: &Node{Text: name, Pos: pos}}}, Pos: pos}
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
	return strconv.FormatFloat(f, 'f', -1, 64) == s
}
