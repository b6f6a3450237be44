package envcheck

import (
	"errors"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/template"
)

// compose-go's own dotenv package logs each variable that is not set, by a
// name that may be a piece of a password, and quotes values in its errors. So
// only its template pattern is used here, with the same steps around it;
// TestComposeAgreesWithComposeGo holds the two together.

const (
	// maxComposeNesting bounds ${ inside ${.
	maxComposeNesting = 50
	// maxComposeWork bounds references times length of one value: compose-go's
	// pattern runs to the last brace of the line and starts again behind the first.
	maxComposeWork = 256 << 20
)

// Why compose refuses a value. No reason holds a part of the value.
var (
	errMalformed = errors.New("the value cannot be expanded: a ${...} is malformed")
	errMissing   = errors.New("a ${NAME:?...} refers to a variable that is missing")
	errTooDeep   = errors.New("references are nested too deeply")
	errTooMany   = errors.New("the value is too long for its number of references")
)

// composeValue is what compose makes of a value as written.
func composeValue(e Entry, lookup template.Mapping) (string, error) {
	if e.Quote == 0 {
		return composeExpand(e.Raw, lookup, 0)
	}
	inner := unescapeQuote(e.Raw[1:len(e.Raw)-1], e.Quote)
	if e.Quote == '\'' {
		return inner, nil
	}
	return composeExpand(composeEscapes(inner), lookup, 0)
}

// unescapeQuote drops the backslash of an escaped quote and keeps all others.
func unescapeQuote(s string, quote byte) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			if i++; s[i] != quote {
				b.WriteByte('\\')
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// composeEscapes resolves the escapes that stand in double quotes; \$ becomes
// $$, which the expansion turns into a dollar sign.
func composeEscapes(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch c := s[i]; {
		case c == '$':
			b.WriteString("$$")
		case c == '0':
			end := i + 1
			for end < len(s) && end < i+4 && s[end] >= '0' && s[end] <= '9' {
				end++
			}
			b.WriteString(octal(s[i+1 : end]))
			i = end - 1
		case simpleEscapes[c] != 0:
			b.WriteByte(simpleEscapes[c])
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String()
}

var simpleEscapes = map[byte]byte{'a': '\a', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v', '"': '"', '\\': '\\'}

// octal is \0NNN: a character when there are three octal digits, else the
// digits behind a backslash, without the zero.
func octal(digits string) string {
	if n, err := strconv.ParseUint(digits, 8, 16); err == nil && len(digits) == 3 && n <= 255 {
		return string(rune(n))
	}
	return `\` + digits
}

// composeExpand replaces $NAME, ${NAME} and ${NAME<operator>text}.
func composeExpand(s string, lookup template.Mapping, depth int) (string, error) {
	dollars := strings.Count(s, "$")
	switch {
	case dollars == 0:
		return s, nil
	case depth > maxComposeNesting:
		return "", errTooDeep
	case dollars*len(s) > maxComposeWork:
		return "", errTooMany
	}
	var b strings.Builder
	for {
		m := template.DefaultPattern.FindStringIndex(s)
		if m == nil {
			b.WriteString(s)
			return b.String(), nil
		}
		b.WriteString(s[:m[0]])
		v, used, err := composeReference(s[m[0]:m[1]], lookup, depth)
		if err != nil {
			return "", err
		}
		b.WriteString(v)
		s = s[m[0]+used:]
	}
}

// operators in the order in which compose-go looks for them at one place.
var composeOperators = []string{":?", "?", ":-", "-", ":+", "+"}

// composeReference replaces one match of the pattern. It gives the value and
// how much of the match it stands for.
func composeReference(match string, lookup template.Mapping, depth int) (string, int, error) {
	ref := match
	if end := closingBrace(match); end >= 0 {
		ref = match[:end+1]
	}
	groups := template.DefaultPattern.FindStringSubmatch(ref)
	get := func(name string) string {
		if i := template.DefaultPattern.SubexpIndex(name); groups != nil && i >= 0 {
			return groups[i]
		}
		return ""
	}
	switch {
	case get("escaped") != "":
		return "$", len(match), nil
	case get("named") != "":
		v, _ := lookup(get("named"))
		return v, len(match), nil
	case get("braced") == "":
		return "", 0, errMalformed
	}
	body := get("braced")
	op := composeOperator(match)
	if !strings.Contains(body, op) || op == "" {
		v, _ := lookup(body)
		return v, len(match), nil // what follows the brace is lost, as in compose-go
	}
	name, arg, _ := strings.Cut(body, op)
	v, err := applyOperator(op, name, arg, lookup, depth)
	return v, len(ref), err
}

// composeOperator is the operator that stands first in the match, wherever that is.
func composeOperator(match string) string {
	best, at := "", len(match)
	for _, op := range composeOperators {
		if i := strings.Index(match, op); i >= 0 && i < at {
			best, at = op, i
		}
	}
	return best
}

func applyOperator(op, name, arg string, lookup template.Mapping, depth int) (string, error) {
	v, set := lookup(name)
	if strings.HasPrefix(op, ":") {
		set = set && v != ""
	}
	switch op[len(op)-1] {
	case '-':
		if set {
			return v, nil
		}
		return composeExpand(arg, lookup, depth+1)
	case '+':
		if set {
			return composeExpand(arg, lookup, depth+1)
		}
		return v, nil
	}
	if !set {
		return "", errMissing
	}
	return v, nil
}

// closingBrace is the offset of the brace that closes the first one; -1 for none.
func closingBrace(s string) int {
	open := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '}':
			if open--; open == 0 {
				return i
			}
		case '{':
			open++
			i++
		}
	}
	return -1
}
