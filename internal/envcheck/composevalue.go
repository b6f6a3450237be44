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
	maxComposeNesting = 2000
	// maxComposeWork bounds the bytes that the pattern looks at in one file: it runs
	// to the last brace of the line, and starts again behind the first.
	maxComposeWork = 64 << 20
)

// Why compose refuses a value. No reason holds a part of the value.
var (
	errMalformed = errors.New("the value cannot be expanded: a ${...} is malformed")
	errMissing   = errors.New("a ${NAME:?...} refers to a variable that is missing")
	errTooDeep   = errors.New("references are nested more than " + strconv.Itoa(maxComposeNesting) + " deep")
	errTooMany   = errors.New("the references of the file are too many for the length of its values")
)

// composeExpander replaces references as compose does.
type composeExpander struct {
	lookup template.Mapping
	work   int // bytes that may still be looked at
}

// value is what compose makes of a value as written.
func (x *composeExpander) value(e Entry) (string, error) {
	if e.Quote == 0 {
		return x.expand(e.Raw, 0)
	}
	inner := unescapeQuote(e.Raw[1:len(e.Raw)-1], e.Quote)
	if e.Quote == '\'' {
		return inner, nil
	}
	return x.expand(composeEscapes(inner), 0)
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

// expand replaces $NAME, ${NAME} and ${NAME<operator>text}.
func (x *composeExpander) expand(s string, depth int) (string, error) {
	switch {
	case strings.IndexByte(s, '$') < 0:
		return s, nil
	case depth > maxComposeNesting:
		return "", errTooDeep
	}
	var b strings.Builder
	for {
		if x.work -= len(s); x.work < 0 {
			return "", errTooMany
		}
		m := template.DefaultPattern.FindStringIndex(s)
		if m == nil {
			b.WriteString(s)
			return b.String(), nil
		}
		b.WriteString(s[:m[0]])
		v, used, err := x.reference(s[m[0]:m[1]], depth)
		if err != nil {
			return "", err
		}
		b.WriteString(v)
		s = s[m[0]+used:]
	}
}

// operators in the order in which compose-go looks for them at one place.
var composeOperators = []string{":?", "?", ":-", "-", ":+", "+"}

// reference replaces one match of the pattern. It gives the value and how much of
// the match it stands for.
func (x *composeExpander) reference(match string, depth int) (string, int, error) {
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
		v, _ := x.lookup(get("named"))
		return v, len(match), nil
	case get("braced") == "":
		return "", 0, errMalformed
	}
	body := get("braced")
	op := composeOperator(match)
	if !strings.Contains(body, op) || op == "" {
		v, _ := x.lookup(body)
		return v, len(match), nil // what follows the brace is lost, as in compose-go
	}
	name, arg, _ := strings.Cut(body, op)
	v, err := x.operator(op, name, arg, depth)
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

// operator applies what stands behind a name in braces.
func (x *composeExpander) operator(op, name, arg string, depth int) (string, error) {
	v, set := x.lookup(name)
	if strings.HasPrefix(op, ":") {
		set = set && v != ""
	}
	switch op[len(op)-1] {
	case '-':
		if set {
			return v, nil
		}
		return x.expand(arg, depth+1)
	case '+':
		if set {
			return x.expand(arg, depth+1)
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
