package usage

import (
	"encoding/json"
	"strings"
)

// scanOther reads the files beside the code, in which a variable is set, handed on or
// mentioned. None of what is found there is a read that the schema must know, except
// those of Prisma.
func (f *file) scanOther() {
	switch f.lang {
	case packageJSON:
		f.scanPackage()
	case prisma:
		f.scanPrisma()
	case dockerfile:
		f.lineByLine("#", f.dockerLine)
	case compose:
		f.lineByLine("#", f.composeLine)
	case workflow:
		f.lineByLine("#", f.workflowLine)
	}
	f.mentionedWords()
}

// lineByLine calls do for each line, without the comment that it is or ends in.
func (f *file) lineByLine(comment string, do func(line string, offset int)) {
	offset := 0
	for line := range strings.Lines(f.src) {
		text := line
		if trimmed := strings.TrimLeft(text, " \t"); strings.HasPrefix(trimmed, comment) {
			text = ""
		} else if n := strings.Index(text, " "+comment); n >= 0 {
			text = text[:n]
		}
		do(text, offset)
		offset += len(line)
	}
}

// mentionedWords looks for the known names, except in lines that are comments.
func (f *file) mentionedWords() {
	if len(f.known) == 0 {
		return
	}
	offset := 0
	for line := range strings.Lines(f.src) {
		trimmed := strings.TrimLeft(line, " \t")
		if !strings.HasPrefix(trimmed, "#") && !strings.HasPrefix(trimmed, "//") && !strings.HasPrefix(trimmed, "<!--") {
			words(line, func(word string, at int) bool {
				if f.known[word] {
					f.mention(word, formMention, offset+at)
				}
				return true
			})
		}
		offset += len(line)
	}
}

// scanPackage reads the names of packages, and the variables in scripts.
func (f *file) scanPackage() {
	var manifest struct {
		Scripts                                                               map[string]any
		Dependencies, DevDependencies, OptionalDependencies, PeerDependencies map[string]any
	}
	if err := json.Unmarshal([]byte(f.src), &manifest); err != nil {
		return
	}
	for _, deps := range []map[string]any{manifest.Dependencies, manifest.DevDependencies, manifest.OptionalDependencies, manifest.PeerDependencies} {
		for name := range deps {
			f.packages[name] = true
			if scope, _, ok := strings.Cut(name, "/"); ok && strings.HasPrefix(name, "@") {
				f.packages[scope+"/"] = true
			}
		}
	}
	for _, command := range manifest.Scripts {
		text, _ := command.(string)
		references(text, func(name string, _ int) {
			if f.count > maxUses {
				return
			}
			if at := strings.Index(f.src, name); at >= 0 {
				f.mention(name, "script", at)
			}
		})
	}
}

// scanPrisma reads the datasource and the generator, without whose variables Prisma
// does nothing.
func (f *file) scanPrisma() {
	inside := false
	f.lineByLine("//", func(line string, offset int) {
		word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		inside = inside || word == "datasource" || word == "generator"
		if inside {
			f.prismaLine(line, offset)
		}
		inside = inside && !strings.Contains(line, "}")
	})
}

// prismaLine reads env("X").
func (f *file) prismaLine(line string, offset int) {
	for rest, base := line, 0; ; {
		n := strings.Index(rest, "env(")
		if n < 0 {
			return
		}
		at := base + n + len("env(")
		rest, base = line[at:], at
		quoted := strings.TrimLeft(rest, " ")
		if len(quoted) < 2 || quoted[0] != '"' {
			continue
		}
		if name, _, ok := strings.Cut(quoted[1:], `"`); ok && isName(name) {
			f.use(Use{Name: name, Form: "prisma"}, offset+at+len(rest)-len(quoted)+1)
		}
	}
}

// dockerLine reads ARG X and ENV X=$Y.
func (f *file) dockerLine(line string, offset int) {
	trimmed := strings.TrimLeft(line, " \t")
	word, rest, _ := strings.Cut(trimmed, " ")
	word = strings.ToUpper(word)
	if word == "ARG" || word == "ENV" {
		name := strings.TrimLeft(rest, " \t")
		at := len(line) - len(name)
		end := 0
		for end < len(name) && isWordByte(name[end]) {
			end++
		}
		if isName(name[:end]) {
			f.mention(name[:end], "dockerfile", offset+at)
		}
	}
	f.shellReferences(line, offset, "dockerfile")
}

// composeLine reads ${X} and the entries of environment: - X, X: and X=.
func (f *file) composeLine(line string, offset int) {
	f.shellReferences(line, offset, "compose")
	trimmed := strings.TrimLeft(line, " \t")
	at := len(line) - len(trimmed)
	if item, ok := strings.CutPrefix(trimmed, "- "); ok {
		trimmed, at = item, at+2
	}
	if len(trimmed) > 0 && (trimmed[0] == '"' || trimmed[0] == '\'') {
		trimmed, at = trimmed[1:], at+1
	}
	end := 0
	for end < len(trimmed) && isWordByte(trimmed[end]) {
		end++
	}
	if rest := strings.TrimSpace(trimmed[end:]); isUpper(trimmed[:end]) && (rest == "" || strings.ContainsAny(rest[:1], `:=`+`"'`)) {
		f.mention(trimmed[:end], "compose", offset+at)
	}
}

// workflowLine reads secrets.X, vars.X and env.X in expressions.
func (f *file) workflowLine(line string, offset int) {
	for _, context := range []string{"secrets.", "vars.", "env."} {
		for at := 0; ; {
			n := strings.Index(line[at:], context)
			if n < 0 {
				break
			}
			before := at + n - 1
			at += n + len(context)
			end := at
			for end < len(line) && isWordByte(line[end]) {
				end++
			}
			if (before < 0 || !isWordByte(line[before]) && line[before] != '.') && isUpper(line[at:end]) {
				f.mention(line[at:end], "workflow", offset+at)
			}
		}
	}
}

// shellReferences reads $X and ${X…} in a line.
func (f *file) shellReferences(line string, offset int, form string) {
	references(line, func(name string, at int) { f.mention(name, form, offset+at) })
}

// references calls do for each $X and ${X…} of a text; $$ is a dollar sign.
func references(text string, do func(name string, offset int)) {
	for i := 0; i+1 < len(text); i++ {
		if text[i] != '$' {
			continue
		}
		if text[i+1] == '$' {
			i++
			continue
		}
		start := i + 1
		if text[start] == '{' {
			start++
		}
		end := start
		for end < len(text) && isWordByte(text[end]) {
			end++
		}
		if isUpper(text[start:end]) {
			do(text[start:end], start)
		}
		i = max(i, end-1)
	}
}
