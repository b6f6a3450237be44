package envcheck

import (
	"regexp"
	"strings"
	"unicode/utf16"
)

// Without the flag u, a JavaScript pattern sees UTF-16 units: 😀 is two
// characters, and . takes one of them. Go's patterns see whole characters. So
// a half of a pair is spelled as a character of a private plane, in the
// pattern and in the text alike; there it can be nothing else, because a
// character of that plane is spelled as two halves itself.

const (
	firstHalf = 0xd800
	lastHalf  = 0xdfff
	halves    = 0xf0000 // stands for firstHalf
)

// utf16Halves spells each character beyond the basic plane as its two halves.
func utf16Halves(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r > 0xffff }) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if r <= 0xffff {
			b.WriteRune(r)
			continue
		}
		high, low := utf16.EncodeRune(r)
		b.WriteRune(high - firstHalf + halves)
		b.WriteRune(low - firstHalf + halves)
	}
	return b.String()
}

// unit is the UTF-16 unit for which a character of utf16Halves stands.
func unit(r rune) rune {
	if r >= halves && r <= halves+lastHalf-firstHalf {
		return r - halves + firstHalf
	}
	return r
}

// writeRange writes a range within brackets. Without the flag u it is one of
// units, in whose order the halves stand before U+E000.
func (p *jsPattern) writeRange(low, high rune) {
	piece := func(a, b, shift rune) {
		if a > b {
			return
		}
		p.writeRune(a + shift)
		if a < b {
			p.out.WriteByte('-')
			p.writeRune(b + shift)
		}
	}
	if p.unicode {
		piece(low, high, 0)
		return
	}
	piece(low, min(high, firstHalf-1), 0)
	piece(max(low, firstHalf), min(high, lastHalf), halves-firstHalf)
	piece(max(low, lastHalf+1), high, 0)
	if !p.fold {
		return
	}
	for r, others := range foldable() {
		if r < low || r > high {
			continue
		}
		for _, other := range others {
			if other < low || other > high {
				p.writeRune(other)
			}
		}
	}
}

// char writes a character outside brackets.
func (p *jsPattern) char(r rune) {
	if p.unicode || !p.fold || len(foldable()[r]) == 0 {
		p.writeRune(r)
		return
	}
	p.out.WriteByte('[')
	p.writeRange(r, r)
	p.out.WriteByte(']')
}

// Empty groups that say what a compiled pattern is to be matched with; a group
// of the schema's own has no name there.
const (
	wholeMark = "(?P<whole>)" // flag u: whole characters
	linesMark = "(?P<lines>)" // flag m with ^ or $: a line ends at \n only
)

// matchPattern matches a pattern of compilePattern with a text. It is not
// certain where a text has other ends of lines than \n and the pattern asks for lines.
func matchPattern(re *regexp.Regexp, s string) (match, certain bool) {
	certain = re.SubexpIndex("lines") < 0 || !strings.ContainsAny(s, "\r\u2028\u2029")
	if re.SubexpIndex("whole") < 0 {
		s = utf16Halves(s)
	}
	return re.MatchString(s), certain
}
