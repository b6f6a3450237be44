package envcheck

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp/syntax"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
)

// exampleHead says where the rendered file comes from.
const exampleHead = "# Rendered from %s by `opsctl env example`. Edit the schema, not this file.\n"

// IsRenderedExample reports whether a .env.example was rendered from a schema, so
// that rendering it anew loses nothing that somebody wrote by hand.
func IsRenderedExample(src []byte) bool {
	line, _, _ := bytes.Cut(src, []byte("\n"))
	return bytes.HasPrefix(line, []byte("# Rendered from ")) && bytes.Contains(line, []byte("`opsctl env example`"))
}

// RenderExample renders .env.example from a schema: its order, sections and
// comments, with one line per key that says what is required and of what
// type, always above the key (a comment after = is a value to compose).
//
// The value is the default, else the example; for a sensitive key it is empty
// unless the example looks like no secret. A line without a value is commented out
// where the key is not required everywhere. The text is the same for the same
// schema. An error names a value that no spelling carries through both readers.
func RenderExample(s *Schema) ([]byte, error) {
	if s.FromExample() {
		return nil, errs.New(errs.Usage, "there is no schema to render: %s is an example itself", s.Name).
			WithHint("make a schema of it: opsctl env schema --from %s --write", s.Name)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, exampleHead, baseName(s.Name))
	header := true // what it says is not about the first key
	for _, block := range s.Blocks {
		if block.Kind == BlockDivider && block.Header && strings.Trim(block.Lines[0], "#-=* \t") == "" {
			continue // the line that ends the header
		}
		if block.Gap || block.Kind == BlockDivider || header && !block.Header {
			blankLine(&b)
		}
		header = block.Header
		switch block.Kind {
		case BlockComment:
			writeComment(&b, block.Lines)
		case BlockDivider:
			b.WriteString(block.Lines[0] + "\n")
		case BlockItem:
			if block.Item == nil || s.byKey[block.Item.Key] != block.Item {
				continue
			}
			if err := s.exampleItem(&b, block.Item); err != nil {
				return nil, err
			}
		}
	}
	if err := s.exampleImports(&b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// exampleImports adds what the schema has from others, with a heading for each.
func (s *Schema) exampleImports(b *bytes.Buffer) error {
	from := s.Name
	for _, it := range s.Items {
		if it.File == s.Name {
			continue
		}
		if it.File != from {
			from = it.File
			blankLine(b)
			name, err := filepath.Rel(filepath.Dir(s.Name), from)
			if err != nil {
				name = from
			}
			fmt.Fprintf(b, "# --- from %s ---\n", filepath.ToSlash(name))
		}
		blankLine(b)
		if err := s.exampleItem(b, it); err != nil {
			return err
		}
	}
	return nil
}

func baseName(path string) string {
	return path[strings.LastIndexByte(path, '/')+1:]
}

// blankLine separates blocks by exactly one blank line.
func blankLine(b *bytes.Buffer) {
	if !bytes.HasSuffix(b.Bytes(), []byte("\n\n")) {
		b.WriteByte('\n')
	}
}

func writeComment(b *bytes.Buffer, lines []string) {
	for len(lines) > 0 && lines[0] == "" {
		lines = lines[1:]
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	for _, line := range lines {
		b.WriteString(strings.TrimRight("# "+line, " ") + "\n")
	}
}

func (s *Schema) exampleItem(b *bytes.Buffer, it *Item) error {
	writeComment(b, it.Description)
	fmt.Fprintf(b, "# %s\n", s.summary(it))
	for _, url := range it.Docs {
		if url != "" {
			fmt.Fprintf(b, "# see %s\n", url)
		}
	}
	value := s.exampleValue(it)
	spelled, ok := Portable(value)
	if !ok {
		return fmt.Errorf("%s:%d:%d: the example or default of %s cannot be written so that Next.js and compose read it alike",
			it.File, it.Pos.Line, it.Pos.Col, it.Key)
	}
	switch {
	case it.Key == "NODE_ENV": // rule node-env: it must not be set in a file
		b.WriteString("# Set by Next.js itself, so it stays out of .env files.\n# ")
	case value == "" && s.requirement(it) != "required":
		b.WriteString("# ") // a variable that is set to nothing is not the same as none (rule empty)
	}
	fmt.Fprintf(b, "%s=%s\n", it.Key, spelled)
	return nil
}

// exampleValue is what stands after = in the example.
func (s *Schema) exampleValue(it *Item) string {
	sensitive := s.IsSensitive(it)
	for _, n := range []*Node{it.Value, it.Example} {
		if n == nil || !isText(n) || n.Kind == NodeUndefined || n.Text == "" {
			continue
		}
		if sensitive && secretKind(it.Key, n.Text) != "" && !isLocalURL(n.Text) {
			continue
		}
		return n.Text
	}
	return ""
}

// summary is the one line that replaces the decorators.
func (s *Schema) summary(it *Item) string {
	parts := []string{s.requirement(it)}
	if h := typeSummary(it.Type); h != "" {
		parts = append(parts, h)
	}
	if s.IsSensitive(it) {
		parts = append(parts, "secret")
	}
	if it.Deprecated != "" {
		parts = append(parts, strings.TrimPrefix("deprecated: "+it.Deprecated, "deprecated: deprecated"))
		if parts[len(parts)-1] == "" {
			parts[len(parts)-1] = "deprecated"
		}
	}
	return strings.Join(parts, "; ")
}

// requirement says in words when the key is required.
func (s *Schema) requirement(it *Item) string {
	cond := it.Required
	switch {
	case it.Optional:
		return "optional"
	case cond == nil:
		if s.requiredByDefault(it) {
			return "required"
		}
		return "optional"
	case cond.Kind == NodeBool && cond.Text == "false":
		return "optional"
	case isText(cond):
		return "required"
	case cond.Kind == NodeCall && cond.Text == "forEnv":
		var envs []string
		for _, a := range cond.Args {
			envs = append(envs, text(a.Value))
		}
		return "required in " + strings.Join(envs, ", ")
	}
	return "required in some environments"
}

// typeSummary describes a type in a few words; "" for a plain text.
func typeSummary(t *Type) string {
	if t == nil {
		return ""
	}
	words := typeDefs[t.Name].human
	switch t.Name {
	case "enum":
		var vs []string
		for _, v := range t.Values {
			vs = append(vs, v.Text)
		}
		return words + " " + strings.Join(vs, ", ")
	case "array":
		sep := ","
		if n := t.Opts["separator"]; n != nil {
			sep = text(n)
		}
		words = "list separated by " + sep
		if text(t.Opts["format"]) == "json" {
			words = "list as JSON"
		}
		return words
	}
	var parts []string
	if words != "" {
		parts = append(parts, words)
	}
	if n := t.Opts["startsWith"]; n != nil {
		parts = append(parts, "starts with "+text(n))
	} else if ps := patternPrefixes(t.Opts["matches"]); len(ps) > 0 {
		parts = append(parts, "starts with "+strings.Join(ps, " or "))
	}
	for _, o := range []struct{ name, words string }{
		{"minLength", "at least %s characters"}, {"maxLength", "at most %s characters"}, {"isLength", "%s characters"},
		{"min", "at least %s"}, {"max", "at most %s"},
	} {
		if n := t.Opts[o.name]; isText(n) {
			parts = append(parts, fmt.Sprintf(o.words, n.Text))
		}
	}
	if text(t.Opts["noTrailingSlash"]) == "true" {
		parts = append(parts, "no trailing slash")
	}
	return strings.Join(parts, ", ")
}

// patternPrefixes lists the texts that a match of an anchored pattern can
// begin with, when they are few; nil otherwise.
func patternPrefixes(n *Node) []string {
	if n != nil && n.Kind == NodeCall && n.Text == "regex" && len(n.Args) > 0 {
		n = n.Args[0].Value
	}
	if !isText(n) {
		return nil
	}
	re, err := syntax.Parse(n.Text, syntax.Perl)
	if err != nil || re.Op != syntax.OpConcat || re.Sub[0].Op != syntax.OpBeginText {
		return nil
	}
	prefixes := []string{""}
	for _, sub := range re.Sub[1:] {
		alts := alternatives(sub)
		if len(alts) == 0 || len(alts)*len(prefixes) > 4 {
			break
		}
		var next []string
		for _, p := range prefixes {
			for _, a := range alts {
				next = append(next, p+a)
			}
		}
		prefixes = next
	}
	if prefixes[0] == "" {
		return nil
	}
	return prefixes
}

// alternatives lists the texts that a small pattern matches; nil when they are many.
func alternatives(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase == 0 {
			return []string{string(re.Rune)}
		}
	case syntax.OpCapture:
		return alternatives(re.Sub[0])
	case syntax.OpQuest:
		if alts := alternatives(re.Sub[0]); alts != nil {
			return append([]string{""}, alts...)
		}
	case syntax.OpConcat:
		out := []string{""}
		for _, sub := range re.Sub {
			alts := alternatives(sub)
			var next []string
			for _, p := range out {
				for _, a := range alts {
					next = append(next, p+a)
				}
			}
			if out = next; len(out) > 4 {
				return nil
			}
		}
		return out
	case syntax.OpAlternate:
		var out []string
		for _, sub := range re.Sub {
			alts := alternatives(sub)
			if alts == nil {
				return nil
			}
			out = append(out, alts...)
		}
		return out
	}
	return nil
}
