package envcheck

import "strings"

const (
	// maxExpandSteps is how many references one value may hold, in all its
	// stages. Node's stack ends at some thousand, so a value that needs more
	// has no value in Next.js either.
	maxExpandSteps = 5000
	// maxExpandWork bounds the bytes copied while expanding one file, beside
	// four times the file itself.
	maxExpandWork = 16 << 20
)

// expander is dotenv-expand 10: from the last dollar sign to the first, each
// reference is replaced and the result looked at again. Quotes protect
// nothing; only a backslash before the dollar does.
type expander struct {
	env    map[string]string // the process environment
	parsed map[string]string // the file's own, expanded so far
	budget int
}

// expand gives the expanded value; false when it has no end.
func (x *expander) expand(v string) (string, bool) {
	for range maxExpandSteps {
		at := lastDollar(v)
		if at < 0 {
			return strings.ReplaceAll(v, `\$`, `$`), true
		}
		group, name, def := reference(v[at:])
		if group == "" {
			return strings.ReplaceAll(v, `\$`, `$`), true
		}
		with := x.env[name]
		if with == "" {
			with = def
		}
		if with == "" {
			with = x.parsed[name]
		}
		// The first occurrence of the text is replaced, not the one that was
		// found, and a dollar in the replacement is a pattern: as JavaScript does.
		first := strings.Index(v, group)
		with = jsReplacement(with, v, first, group)
		if x.budget -= len(v) + len(with); x.budget < 0 {
			return "", false
		}
		v = v[:first] + with + v[first+len(group):]
	}
	return "", false
}

// lastDollar is the offset of the last dollar sign that no backslash stands before.
func lastDollar(v string) int {
	for i := len(v) - 1; i >= 0; i-- {
		if v[i] == '$' && (i == 0 || v[i-1] != '\\') {
			return i
		}
	}
	return -1
}

// reference matches \${?(\w+)(?::-([^}\\]*))?}? at the start of s.
func reference(s string) (group, name, def string) {
	i := 1
	if i < len(s) && s[i] == '{' {
		i++
	}
	start := i
	for i < len(s) && isWord(s[i]) {
		i++
	}
	if i == start {
		return "", "", ""
	}
	name = s[start:i]
	if strings.HasPrefix(s[i:], ":-") {
		end := strings.IndexAny(s[i:], `}\`)
		if end < 0 {
			end = len(s) - i
		}
		def = s[i+2 : i+end]
		i += end
	}
	if i < len(s) && s[i] == '}' {
		i++
	}
	return s[:i], name, def
}

// jsReplacement expands $$, $&, $` and $' as String.prototype.replace does.
func jsReplacement(with, v string, at int, group string) string {
	if strings.IndexByte(with, '$') < 0 {
		return with
	}
	var b strings.Builder
	for i := 0; i < len(with); i++ {
		if with[i] != '$' || i+1 == len(with) {
			b.WriteByte(with[i])
			continue
		}
		i++
		switch with[i] {
		case '$':
			b.WriteByte('$')
		case '&':
			b.WriteString(group)
		case '`':
			b.WriteString(v[:at])
		case '\'':
			b.WriteString(v[at+len(group):])
		default:
			b.WriteByte('$')
			i--
		}
	}
	return b.String()
}
