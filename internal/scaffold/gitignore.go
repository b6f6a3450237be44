package scaffold

import (
	"bytes"
	"path"
	"slices"
	"strings"
)

// ignoredByGit tells whether a .gitignore in the same folder ignores a file, or a
// folder when the name ends in a slash. Patterns with a slash inside, which name other
// places, are passed over.
func ignoredByGit(gitignore []byte, name string) bool {
	name, folder := strings.CutSuffix(name, "/")
	ignored := false
	for line := range strings.Lines(string(gitignore)) {
		pattern := strings.TrimRight(line, " \t\r\n")
		if pattern == "" || pattern[0] == '#' {
			continue
		}
		pattern, negated := strings.CutPrefix(pattern, "!")
		pattern = strings.TrimPrefix(strings.TrimPrefix(pattern, "**/"), "/")
		if folder {
			pattern = strings.TrimSuffix(pattern, "/")
		}
		if ok, err := path.Match(pattern, name); err == nil && ok {
			ignored = !negated
		}
	}
	return ignored
}

// newGitignore is for a repository that has none.
func newGitignore(s *Stack) []string {
	lines := []string{".env", ".env.*", "!.env.example", "!.env.schema"}
	switch s.Kind {
	case NextJS:
		return append([]string{"node_modules/", s.Dist + "/", "next-env.d.ts", "*.tsbuildinfo", ""}, lines...)
	case Node:
		return append([]string{"node_modules/", ""}, lines...)
	case Django, FastAPI:
		return append([]string{"__pycache__/", ".venv/", ""}, lines...)
	}
	return lines
}

// editGitignore appends what is missing: secrets must be ignored; the schema, the
// example and init's record must not be (create-next-app ignores every .env*). outer
// is what the .gitignore files above it say.
func editGitignore(old, outer []byte, s *Stack) []byte {
	if old == nil && len(bytes.TrimSpace(outer)) == 0 {
		return []byte(strings.Join(newGitignore(s), "\n") + "\n")
	}
	all := append(slices.Clone(outer), old...)
	var add []string
	for _, secret := range []string{".env", ".env.local", ".env.production"} {
		if !ignoredByGit(all, secret) {
			add = append(add, secret)
		}
	}
	for _, keep := range []string{".env.example", ".env.schema", ".opsctl/"} {
		if ignoredByGit(all, keep) {
			add = append(add, "!"+keep)
		}
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
