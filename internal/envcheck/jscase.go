package envcheck

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// jsUpper is JavaScript's toUpperCase: ß becomes SS, which strings.ToUpper leaves alone.
func jsUpper(s string) string {
	if isASCII(s) {
		return strings.ToUpper(s)
	}
	return cases.Upper(language.Und).String(s)
}

// jsLower is JavaScript's toLowerCase: a Σ at the end of a word becomes ς.
func jsLower(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	return cases.Lower(language.Und).String(s)
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

// canonical is the character as which JavaScript compares one where a pattern
// has the flag i, but not u: its capital, unless that is several characters, or
// plain ASCII for a character that is not. So k is not the Kelvin sign, and ß is not ẞ.
func canonical(r rune) rune {
	up, size := utf8.DecodeRuneInString(jsUpper(string(r)))
	if size != len(jsUpper(string(r))) || up > 0xffff || r >= utf8.RuneSelf && up < utf8.RuneSelf {
		return r
	}
	return up
}

// foldable are the characters of one UTF-16 unit that are compared with others,
// each with those that are the same to JavaScript.
var foldable = sync.OnceValue(func() map[rune][]rune {
	same := map[rune][]rune{}
	for r := rune(0); r <= 0xffff; r++ {
		if unicode.SimpleFold(r) == r {
			continue
		}
		id := canonical(r)
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			if other <= 0xffff && canonical(other) == id {
				same[r] = append(same[r], other)
			}
		}
	}
	return same
})
