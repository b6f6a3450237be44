package envcheck

import (
	"fmt"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// patternError says what is wrong with a JavaScript pattern. A limit is
// valid there, but beyond what RE2 can match.
type patternError struct {
	msg   string
	limit bool
}

// jsPattern translates a JavaScript regular expression into RE2's spelling.
type jsPattern struct {
	src     string
	i       int
	out     *strings.Builder
	unicode bool // flag u or v: strict escapes, whole characters
	sets    bool // flag v: sets within brackets
	fold    bool // flag i
	lines   bool // flag m
	anchors bool // it has ^ or $
	dotAll  bool
	depth   int
	groups  int // capturing groups in the whole pattern
	names   []string
	back    []string // names of \k<name>
	limit   string
	err     string
}

// translatePattern gives RE2's spelling of a JavaScript pattern.
func translatePattern(pattern, flags string) (string, *patternError) {
	p := &jsPattern{src: pattern, groups: countGroups(pattern), out: &strings.Builder{}}
	before, after, mode := "", "", ""
	for i, f := range flags {
		if !strings.ContainsRune("dgimsuvy", f) || strings.ContainsRune(flags[:i], f) || strings.Contains(flags, "u") && strings.Contains(flags, "v") {
			return "", &patternError{msg: "the flags " + strconv.Quote(flags) + " are not valid"}
		}
		switch f {
		case 'i':
			p.fold = true
		case 'm':
			p.lines, mode = true, mode+"m"
		case 's':
			p.dotAll, mode = true, mode+"s"
		case 'u', 'v':
			p.unicode, p.sets = true, f == 'v'
		case 'y':
			before, after = `\A(?:`, ")"
		}
	}
	switch {
	case !p.unicode:
		p.src = utf16Halves(pattern)
	case p.fold: // both fold as the Unicode standard says
		mode += "i"
	}
	p.alternatives()
	if p.err == "" && p.i < len(p.src) {
		p.err = "a ) has no ("
	}
	for _, name := range p.back {
		if p.err == "" && !slices.Contains(p.names, name) {
			p.err = "no group is called " + name
		}
	}
	if p.err != "" {
		return "", &patternError{msg: p.err}
	}
	if p.limit != "" {
		return "", &patternError{msg: p.limit, limit: true}
	}
	out := before + p.out.String() + after
	if p.unicode {
		out = wholeMark + out
	}
	if p.lines && p.anchors {
		out = linesMark + out
	}
	if mode != "" {
		out = "(?" + mode + ")" + out
	}
	if _, err := syntax.Parse(out, syntax.Perl); err != nil {
		return "", &patternError{msg: "opsctl's regular expressions (RE2) do not know a part of it", limit: true}
	}
	return out, nil
}

// countGroups counts the capturing groups, which decides whether \1 is a reference.
func countGroups(s string) int {
	n, class := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case class:
			class = s[i] != ']'
		case s[i] == '[':
			class = true
		case s[i] == '(' && (!strings.HasPrefix(s[i:], "(?") || strings.HasPrefix(s[i:], "(?<") && !strings.HasPrefix(s[i:], "(?<=") && !strings.HasPrefix(s[i:], "(?<!")):
			n++
		}
	}
	return n
}

func (p *jsPattern) more() bool { return p.err == "" && p.i < len(p.src) }

func (p *jsPattern) fail(msg string) {
	if p.err == "" {
		p.err = msg
	}
}

func (p *jsPattern) cannot(msg string) {
	if p.limit == "" {
		p.limit = msg
	}
}

// alternatives reads up to the end of the pattern or of the group.
func (p *jsPattern) alternatives() {
	if p.depth++; p.depth > 200 {
		p.fail("it is nested too deeply")
	}
	for p.more() && p.src[p.i] != ')' {
		p.term()
	}
	p.depth--
}

// term reads one character, class or group with what repeats it.
func (p *jsPattern) term() {
	c := p.src[p.i]
	repeatable := true
	switch c {
	case '|', '^', '$':
		p.i++
		p.out.WriteByte(c)
		p.anchors = p.anchors || c != '|'
		repeatable = false
	case '(':
		repeatable = p.group()
	case '[':
		p.class()
	case '\\':
		repeatable = p.escape(false)
	case '.':
		p.i++
		if p.dotAll {
			p.out.WriteByte('.')
		} else {
			p.out.WriteString(`[^\n\r\x{2028}\x{2029}]`)
		}
	case '*', '+', '?':
		p.fail("nothing to repeat before " + string(c))
		return
	case '{':
		if p.unicode || p.braces() != "" {
			p.fail("nothing to repeat before {")
			return
		}
		p.i++
		p.out.WriteString(`\{`)
	case '}', ']':
		if p.unicode {
			p.fail("a lone " + string(c))
		}
		p.i++
		p.out.WriteString(`\` + string(c))
	default:
		p.char(p.next())
	}
	if p.more() {
		p.quantifier(repeatable)
	}
}

// braces is {n}, {n,} or {n,m} at the place, "" for none.
func (p *jsPattern) braces() string {
	end := strings.IndexByte(p.src[p.i:], '}')
	if p.src[p.i] != '{' || end < 2 {
		return ""
	}
	low, high, _ := strings.Cut(p.src[p.i+1:p.i+end], ",")
	if low == "" || strings.Trim(low+high, "0123456789") != "" {
		return ""
	}
	return p.src[p.i : p.i+end+1]
}

func (p *jsPattern) quantifier(repeatable bool) {
	q := string(p.src[p.i])
	switch q {
	case "*", "+", "?":
	case "{":
		if q = p.braces(); q == "" {
			if p.unicode {
				p.fail("an incomplete {")
			}
			return
		}
		low, high, both := strings.Cut(q[1:len(q)-1], ",")
		a, _ := strconv.Atoi(low)
		b, _ := strconv.Atoi(high)
		if both && high != "" && (len(low) < 18 && len(high) < 18 && a > b) {
			p.fail("the numbers in " + q + " are out of order")
		}
		if a > 1000 || b > 1000 || len(low) > 4 || len(high) > 4 {
			p.cannot("opsctl's regular expressions repeat at most 1000 times")
		}
	default:
		return
	}
	if !repeatable {
		p.fail("nothing to repeat before " + q)
		return
	}
	p.i += len(q)
	p.out.WriteString(q)
	if p.more() && p.src[p.i] == '?' {
		p.i++
		p.out.WriteByte('?')
	}
}

// group reads a group; false for one that nothing may repeat.
func (p *jsPattern) group() bool {
	repeatable := true
	rest := p.src[p.i:]
	switch {
	case strings.HasPrefix(rest, "(?:"):
		p.i += 3
		p.out.WriteString("(?:")
	case strings.HasPrefix(rest, "(?="), strings.HasPrefix(rest, "(?!"), strings.HasPrefix(rest, "(?<="), strings.HasPrefix(rest, "(?<!"):
		p.cannot("opsctl's regular expressions have no look-around")
		repeatable = rest[2] != '<' && !p.unicode
		p.i += strings.IndexAny(rest, "=!") + 1
		p.out.WriteString("(?:")
	case strings.HasPrefix(rest, "(?<"):
		name, _, ok := strings.Cut(rest[3:], ">")
		if !ok || name == "" || strings.ContainsAny(name[:1], "0123456789") || strings.ContainsAny(name, " ()[]{}?*+.,:;-/\\") {
			p.fail("a group's name is not valid")
			return false
		}
		if slices.Contains(p.names, name) {
			p.fail("two groups are called " + name)
		}
		p.names = append(p.names, name)
		p.i += 4 + len(name)
		p.out.WriteByte('(')
	case strings.HasPrefix(rest, "(?"):
		p.fail("(? begins no group that JavaScript knows")
		return false
	default:
		p.i++
		p.out.WriteByte('(')
	}
	p.alternatives()
	if p.err != "" {
		return false
	}
	if p.i >= len(p.src) {
		p.fail("a ( has no )")
		return false
	}
	p.i++
	p.out.WriteByte(')')
	return repeatable
}

// next takes the character at the place.
func (p *jsPattern) next() rune {
	r, size := utf8.DecodeRuneInString(p.src[p.i:])
	p.i += size
	return r
}

// writeRune writes a character as RE2 takes it anywhere.
func (p *jsPattern) writeRune(r rune) {
	if r < utf8.RuneSelf && !isWord(byte(r)) {
		fmt.Fprintf(p.out, `\x%02x`, r)
		return
	}
	p.out.WriteRune(r)
}
