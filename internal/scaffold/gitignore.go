package scaffold

import (
	"bytes"
	"path"
	"strings"
)

// ignoredByGit tells whether a .gitignore in the same folder ignores a file. Patterns
// with a slash inside, which name other places, are passed over.
func ignoredByGit(gitignore []byte, name string) bool {
	ignored := false
	for line := range strings.Lines(string(gitignore)) {
		pattern := strings.TrimRight(line, " \t\r\n")
		if pattern == "" || pattern[0] == '#' {
			continue
		}
		pattern, negated := strings.CutPrefix(pattern, "!")
		pattern = strings.TrimPrefix(strings.TrimPrefix(pattern, "**/"), "/")
		if ok, err := path.Match(pattern, name); err == nil && ok {
			ignored = !negated
		}
	}
	return ignored
}

// editGitignore appends what is missing: secrets must be ignored, the schema and
// the example must not be (create-next-app ignores every .env*).
func editGitignore(old []byte) []byte {
	if old == nil {
		return []byte("node_modules/\n.next/\n.opsctl/\nnext-env.d.ts\n*.tsbuildinfo\n\n.env\n.env.*\n!.env.example\n!.env.schema\n")
	}
	var add []string
	for _, secret := range []string{".env", ".env.local", ".env.production"} {
		if !ignoredByGit(old, secret) {
			add = append(add, secret)
		}
	}
	for _, keep := range []string{".env.example", ".env.schema"} {
		if ignoredByGit(old, keep) {
			add = append(add, "!"+keep)
		}
	}
	if !ignoredByGit(old, ".opsctl") && !ignoredByGit(old, ".opsctl/") {
		add = append(add, ".opsctl/")
	}
	if len(add) == 0 {
		return old
	}
	newline := "\n"
	if bytes.Contains(old, []byte("\r\n")) {
		newline = "\r\n"
	}
	out := append([]byte{}, old...)
	if len(out) > 0 && out[len(out)-1] != '\n' {
		out = append(out, newline...)
	}
	if len(out) > 0 {
		out = append(out, newline...)
	}
	return append(out, strings.Join(add, newline)+newline...)
}
