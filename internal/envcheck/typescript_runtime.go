package envcheck

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// tsSource is the run time of the generated modules: declarations with a blank
// line between them, of which a module gets those that it uses.
//
//go:embed typescript_runtime.ts
var tsSource string

// tsPiece is one declaration of the run time.
type tsPiece struct {
	name, text string
	code       string // without the comment above it and the texts in it
	needs      []string
}

var tsPieces = sync.OnceValue(func() []tsPiece {
	_, source, _ := strings.Cut(tsSource, "// ---\n")
	patterns := strings.NewReplacer(
		"SEMVER", tsPattern(`^`+version+`\.`+version+`\.`+version+`(-`+prerelease+`(\.`+prerelease+`)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`),
		"EMAIL", tsPattern(emailPattern),
	)
	quotes := regexp.MustCompile(`"(?:\\.|[^"\\\n])*"`)
	var pieces []tsPiece
	for text := range strings.SplitSeq(source, "\n\n") {
		text = strings.TrimSpace(text)
		head := text
		if i := strings.LastIndex(head, " */\n"); strings.HasPrefix(head, "/*") && i >= 0 {
			head = head[i+len(" */\n"):]
		}
		pieces = append(pieces, tsPiece{name: tsDeclared(head), text: text, code: quotes.ReplaceAllString(head, "")})
	}
	for i := range pieces {
		for _, other := range pieces {
			if other.name != pieces[i].name && tsMentions(pieces[i].code, other.name) {
				pieces[i].needs = append(pieces[i].needs, other.name)
			}
		}
		pieces[i].text = patterns.Replace(pieces[i].text)
	}
	return pieces
})

// tsPattern is a pattern of Go as one of JavaScript with the flag u.
func tsPattern(p string) string {
	return strings.NewReplacer(`\x{feff}`, `\uFEFF`, `\x{2028}`, `\u2028`, `\x{2029}`, `\u2029`, "/", `\/`,
		`()\[\]`, `()[\]`).Replace(p) // in a class [ is a character like the others
}

// tsDeclared is the name that a declaration gives.
func tsDeclared(text string) string {
	words := strings.FieldsFunc(text, func(r rune) bool { return !isWord(byte(r & 0x7f)) })
	return words[1]
}

func tsMentions(text, name string) bool {
	for at := 0; ; {
		i := strings.Index(text[at:], name)
		if i < 0 {
			return false
		}
		before, after := at+i-1, at+i+len(name)
		if (before < 0 || !isWord(text[before]) && text[before] != '.') && (after >= len(text) || !isWord(text[after])) {
			return true
		}
		at += i + len(name)
	}
}

// tsRuntime gives the pieces that are used, and those that these need, in their order.
func tsRuntime(used map[string]bool) (string, error) {
	pieces := tsPieces()
	want := map[string]bool{}
	var add func(name string)
	add = func(name string) {
		if want[name] {
			return
		}
		want[name] = true
		if i := slices.IndexFunc(pieces, func(p tsPiece) bool { return p.name == name }); i >= 0 {
			for _, need := range pieces[i].needs {
				add(need)
			}
		}
	}
	for name := range used {
		if !slices.ContainsFunc(pieces, func(p tsPiece) bool { return p.name == name }) {
			return "", fmt.Errorf("the run time has no %s", name)
		}
		add(name)
	}
	var b strings.Builder
	for _, p := range pieces {
		if want[p.name] {
			b.WriteString("\n" + p.text + "\n")
		}
	}
	return b.String(), nil
}
