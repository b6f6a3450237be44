package envcheck

import "strings"

// isMark tells whether a comment's text is a decorator line or a rule of
// opsctl's. In an example an @ may as well begin a name: @acme, an npm scope.
func isMark(body string) bool {
	if strings.HasPrefix(body, "opsctl:") {
		return true
	}
	name, ok := strings.CutPrefix(body, "@")
	end := 0
	for end < len(name) && isWord(name[end]) {
		end++
	}
	if !ok || end == 0 || end < len(name) && strings.IndexByte(" \t=(", name[end]) < 0 {
		return false
	}
	return known(name[:end], true) != 0 || known(name[:end], false) != 0
}

// maxMarkLines bounds how many lines the arguments of a decorator may take.
const maxMarkLines = 200

// brackets counts the open brackets of a decorator over its lines; those in quotes do not count.
type brackets struct{ depth int }

func (b *brackets) scan(line string) {
	quote := byte(0)
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case quote != 0 && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case strings.IndexByte("'\"`", c) >= 0:
			quote = c
		case c == '(' || c == '[' || c == '{':
			b.depth++
		case c == ')' || c == ']' || c == '}':
			b.depth--
		}
	}
}
