package envcheck

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// jsSpaceClass is \s as JavaScript reads it, for use within brackets.
const jsSpaceClass = `\t\n\v\f\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}`

// notJSSpaceClass is \S within brackets.
const notJSSpaceClass = `\x{0}-\x{8}\x{e}-\x{1f}\x{21}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{fefe}\x{ff00}-\x{10ffff}`

// escape reads a backslash and what it escapes; false where nothing may repeat it.
func (p *jsPattern) escape(class bool) bool {
	if p.i+1 >= len(p.src) {
		p.fail(`a \ at the end`)
		return false
	}
	c := p.src[p.i+1]
	switch {
	case strings.IndexByte("dDwW", c) >= 0:
		p.i += 2
		p.out.WriteString(`\` + string(c))
	case c == 's' || c == 'S':
		p.i += 2
		space := jsSpaceClass
		switch {
		case c == 'S' && class:
			space = notJSSpaceClass
		case c == 'S':
			space = "[^" + space + "]"
		case !class:
			space = "[" + space + "]"
		}
		p.out.WriteString(space)
	case !class && (c == 'b' || c == 'B'):
		p.i += 2
		if p.unicode && p.fold {
			p.cannot("with the flags i and u, a word has other letters too")
		}
		p.out.WriteString(`\` + string(c))
		return false
	case !class && c >= '1' && c <= '9':
		p.backReference()
	case !class && c == 'k' && (p.unicode || strings.Contains(p.src, "(?<") && countNames(p.src) > 0):
		name, ok := "", false
		if strings.HasPrefix(p.src[p.i:], `\k<`) {
			name, _, ok = strings.Cut(p.src[p.i+3:], ">")
		}
		if !ok || name == "" {
			p.fail(`\k is not followed by a group's name`)
			return false
		}
		p.back = append(p.back, name)
		p.i += 4 + len(name)
		p.cannot("opsctl's regular expressions have no back-references")
	case (c == 'p' || c == 'P') && p.unicode:
		p.property()
	default:
		p.char(p.escaped(false))
	}
	return true
}

// countNames counts the named groups.
func countNames(s string) int {
	return strings.Count(s, "(?<") - strings.Count(s, "(?<=") - strings.Count(s, "(?<!")
}

func (p *jsPattern) backReference() {
	end := p.i + 1
	for end < len(p.src) && p.src[end] >= '0' && p.src[end] <= '9' {
		end++
	}
	n, err := strconv.Atoi(p.src[p.i+1 : end])
	switch {
	case err == nil && n <= p.groups:
		p.i = end
		p.cannot("opsctl's regular expressions have no back-references")
	case p.unicode:
		p.fail("a reference to a group that is not there")
	default:
		p.char(p.escaped(false))
	}
}

// binaryProperties are JavaScript's other names for \p.
const binaryProperties = " ASCII ASCII_Hex_Digit AHex Alphabetic Alpha Any Assigned Bidi_Control Bidi_C Bidi_Mirrored Bidi_M Case_Ignorable CI Cased " +
	"Changes_When_Casefolded CWCF Changes_When_Casemapped CWCM Changes_When_Lowercased CWL Changes_When_NFKC_Casefolded CWKCF Changes_When_Titlecased CWT " +
	"Changes_When_Uppercased CWU Dash Default_Ignorable_Code_Point DI Deprecated Dep Diacritic Dia Emoji Emoji_Component EComp Emoji_Modifier EMod " +
	"Emoji_Modifier_Base EBase Emoji_Presentation EPres Extended_Pictographic ExtPict Extender Ext Grapheme_Base Gr_Base Grapheme_Extend Gr_Ext Hex_Digit Hex " +
	"IDS_Binary_Operator IDSB IDS_Trinary_Operator IDST ID_Continue IDC ID_Start IDS Ideographic Ideo Join_Control Join_C Logical_Order_Exception LOE " +
	"Lowercase Lower Math Noncharacter_Code_Point NChar Pattern_Syntax Pat_Syn Pattern_White_Space Pat_WS Quotation_Mark QMark Radical Regional_Indicator RI " +
	"Sentence_Terminal STerm Soft_Dotted SD Terminal_Punctuation Term Unified_Ideograph UIdeo Uppercase Upper Variation_Selector VS White_Space space " +
	"XID_Continue XIDC XID_Start XIDS "

// property reads \p{Name}, as far as RE2 has the same names.
func (p *jsPattern) property() {
	end := strings.IndexByte(p.src[p.i:], '}')
	if end < 4 || p.src[p.i+2] != '{' {
		p.fail(`\p is not followed by {Name}`)
		return
	}
	text := p.src[p.i : p.i+end+1]
	name, value, has := strings.Cut(p.src[p.i+3:p.i+end], "=")
	p.i += len(text)
	_, category := unicode.Categories[cmp.Or(value, name)]
	_, alias := unicode.CategoryAliases[cmp.Or(value, name)]
	category = category || alias
	_, script := unicode.Scripts[value]
	switch {
	case p.fold && text[1] == 'P':
		p.cannot(`\P with the flag i`)
	case category && (!has || name == "gc" || name == "General_Category"):
		p.out.WriteString(text[:3] + cmp.Or(value, name) + "}")
	case script && (name == "sc" || name == "Script"):
		p.out.WriteString(text[:3] + value + "}")
	case has && slices.Contains([]string{"gc", "General_Category", "sc", "Script", "scx", "Script_Extensions"}, name), !has && strings.Contains(binaryProperties, " "+name+" "):
		p.cannot("opsctl's regular expressions do not know " + text)
	default:
		p.fail("no property is called " + text)
	}
}

// escaped reads an escape that stands for one character.
func (p *jsPattern) escaped(class bool) rune {
	c := p.src[p.i+1]
	rest := p.src[p.i+2:]
	hex := func(n int) (rune, bool) {
		if len(rest) < n {
			return 0, false
		}
		v, err := strconv.ParseUint(rest[:n], 16, 32)
		return rune(v), err == nil && strings.Trim(rest[:n], "0123456789abcdefABCDEF") == ""
	}
	switch {
	case strings.IndexByte("tnvfr", c) >= 0:
		p.i += 2
		return rune("\t\n\v\f\r"[strings.IndexByte("tnvfr", c)])
	case class && c == 'b':
		p.i += 2
		return '\b'
	case class && c == '-' && p.unicode:
		p.i += 2
		return '-'
	case c == 'c' && rest != "" && isIdentStart(rest[0]):
		p.i += 3
		return rune(rest[0] & 0x1f)
	case c == 'c' && !p.unicode:
		p.i++ // the backslash stands for itself
		return '\\'
	case c == 'x':
		if r, ok := hex(2); ok {
			p.i += 4
			return r
		}
	case c == 'u' && strings.HasPrefix(rest, "{") && p.unicode:
		v, err := strconv.ParseUint(rest[1:max(1, strings.IndexByte(rest, '}'))], 16, 32)
		if err != nil || v > utf8.MaxRune {
			p.fail(`\u{...} is no character`)
		}
		p.i += 3 + strings.IndexByte(rest, '}')
		return rune(v)
	case c == 'u':
		if r, ok := hex(4); ok {
			p.i += 6
			return p.half(r)
		}
	case c >= '0' && c <= '7':
		return p.octal()
	}
	r, size := utf8.DecodeRuneInString(p.src[p.i+1:])
	if p.unicode && !strings.ContainsRune(`^$\.*+?()[]{}|/`, r) {
		p.fail(`an escape \` + string(r) + ` that is not valid`)
	}
	p.i += 1 + size
	return r
}

// half is the character of \uXXXX, which may be a half of one: with the flag u two make one.
func (p *jsPattern) half(r rune) rune {
	if r < firstHalf || r > lastHalf {
		return r
	}
	if !p.unicode {
		return r - firstHalf + halves
	}
	if rest := p.src[p.i:]; len(rest) >= 6 && rest[:2] == `\u` {
		if low, err := strconv.ParseUint(rest[2:6], 16, 32); err == nil {
			if whole := utf16.DecodeRune(r, rune(low)); whole != utf8.RuneError {
				p.i += 6
				return whole
			}
		}
	}
	p.cannot("half of a character pair")
	return r
}

func (p *jsPattern) octal() rune {
	digits := p.src[p.i+1:]
	n := 0
	for n < len(digits) && n < 3 && digits[n] >= '0' && digits[n] <= '7' && (n < 2 || digits[0] <= '3') {
		n++
	}
	if p.unicode && (digits[0] != '0' || len(digits) > 1 && digits[1] >= '0' && digits[1] <= '9') {
		p.fail(`an escape \` + digits[:n] + ` that is not valid`)
	}
	v, _ := strconv.ParseUint(digits[:n], 8, 32)
	p.i += 1 + n
	return rune(v)
}

// class reads [...].
func (p *jsPattern) class() {
	p.i++
	not := p.more() && p.src[p.i] == '^'
	if not {
		p.i++
	}
	if p.more() && p.src[p.i] == ']' { // [] matches nothing, [^] anything
		p.i++
		if not {
			p.out.WriteString(`[\x{0}-\x{10ffff}]`)
		} else {
			p.out.WriteString(`[^\x{0}-\x{10ffff}]`)
		}
		return
	}
	if p.sets {
		p.setNotation()
	}
	p.out.WriteString("[")
	if not {
		p.out.WriteString("^")
	}
	for p.more() && p.src[p.i] != ']' {
		low, text, single := p.classAtom()
		if !p.more() || p.src[p.i] != '-' || p.i+1 >= len(p.src) || p.src[p.i+1] == ']' {
			p.classPart(low, text, single)
			continue
		}
		p.i++
		high, other, also := p.classAtom()
		switch {
		case !single || !also: // the dash stands for itself
			if p.unicode {
				p.fail("a class as an end of a range")
			}
			p.classPart(low, text, single)
			p.out.WriteString(`\-`)
			p.classPart(high, other, also)
		case unit(low) > unit(high):
			p.fail("a range in [...] is out of order")
		case p.unicode:
			p.writeRange(low, high)
		default:
			p.writeRange(unit(low), unit(high))
		}
	}
	if p.err == "" && p.i >= len(p.src) {
		p.fail("a [ has no ]")
		return
	}
	p.i++
	p.out.WriteString("]")
}

// classPart writes a character of a class, or a set.
func (p *jsPattern) classPart(r rune, text string, single bool) {
	switch {
	case !single:
		p.out.WriteString(text)
	case p.unicode:
		p.writeRange(r, r)
	default:
		p.writeRange(unit(r), unit(r))
	}
}

// setNotation looks for what only the flag v has within brackets.
func (p *jsPattern) setNotation() {
	for i := p.i; i < len(p.src) && p.src[i] != ']'; i++ {
		switch pair := p.src[i:min(len(p.src), i+2)]; {
		case p.src[i] == '\\' && !strings.HasPrefix(pair, `\q`):
			i++
		case (pair == "--" || pair == "&&") && i > p.i+1 && !strings.ContainsAny(p.src[p.i:i], `[\`):
			p.fail("the set before " + pair + " is written in brackets of its own")
			return
		case p.src[i] == '[', pair == `\q`, pair == "--", pair == "&&":
			p.cannot("opsctl's regular expressions have no sets of sets")
		case strings.IndexByte("(){}/|", p.src[i]) >= 0, len(pair) == 2 && pair[0] == pair[1] && strings.IndexByte("!#$%*+,.:;<=>?@^`~", pair[0]) >= 0:
			p.fail("with the flag v, " + string(p.src[i]) + ` is written \` + string(p.src[i]) + " within brackets")
			return
		}
	}
}

// classAtom reads one character of a class, or a set such as \d, of which it gives RE2's spelling.
func (p *jsPattern) classAtom() (r rune, text string, single bool) {
	if p.src[p.i] != '\\' {
		return p.next(), "", true
	}
	if p.i+1 >= len(p.src) {
		p.fail(`a \ at the end`)
		return 0, "", true
	}
	if c := p.src[p.i+1]; strings.IndexByte("dDwWsS", c) >= 0 || p.unicode && (c == 'p' || c == 'P') {
		whole := p.out
		p.out = &strings.Builder{}
		defer func() { text, p.out = p.out.String(), whole }()
		p.escape(true)
		return 0, "", false
	}
	return p.escaped(true), "", true
}
