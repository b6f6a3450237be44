package report

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/opsctl/opsctl/internal/envcheck"
)

// anchor is how GitHub names a heading that consists of an id.
func anchor(id string) string { return strings.ToLower(id) }

// RulesPage writes the reference page of all rules.
func RulesPage(w io.Writer) error {
	var b strings.Builder
	b.WriteString(rulesIntro)
	for _, family := range envcheck.Families() {
		fmt.Fprintf(&b, "\n### %s\n\n| rule | level | |\n|---|---|---|\n", family.Title)
		for _, r := range family.Rules() {
			fmt.Fprintf(&b, "| [%s](#%s) | %s | %s |\n", r.ID, anchor(r.ID), r.Level, escapeCell(r.What))
		}
	}
	for _, r := range envcheck.Rules() {
		b.WriteString("\n" + Section(r, 2))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

const rulesIntro = `# Rules of opsctl env

<!-- Made from internal/envcheck/rules*.go; to renew it: go test ./internal/envcheck/report -run TestRulesPage -update -->

Each finding of ` + "`opsctl env check`" + ` carries the id of a rule. ` + "`opsctl env rules RULE`" + ` shows the section of a rule in the
terminal. The level is the worst that the rule reports at: an error fails the check, a warning only with ` + "`--strict`" + `, an info never.

Each example below is run by a test: the bad one is reported as shown, the good one is not. Where no schema is shown, it is one that
lists the keys, all of them optional.

A rule is silenced in ` + "`.env.schema`" + `, with a reason: above a key for that key, or in the header, above the first item, for every key
and file. ` + "`opsctl env check --json`" + ` counts what was silenced. Mistakes of the schema itself (schema-...) cannot be silenced.

## All rules
`

// escapeCell keeps a text inside its cell of a table.
func escapeCell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// Section is the description of a rule in Markdown, under a heading of the given depth;
// 0 leaves the heading away.
func Section(r envcheck.RuleDoc, depth int) string {
	var b strings.Builder
	if depth > 0 {
		fmt.Fprintf(&b, "%s %s\n\n", strings.Repeat("#", depth), r.ID)
	}
	fmt.Fprintf(&b, "**%s**: %s.\n\n%s\n", r.Level, escapeText(r.What), escapeText(r.Why))
	for _, e := range r.Examples {
		b.WriteString("\n" + example(e, r))
	}
	fmt.Fprintf(&b, "\n**Fix.** %s\n\n", escapeText(r.Fix))
	if len(r.Examples) > 0 {
		b.WriteString("**Silence.** " + silence(r) + "\n")
	}
	return b.String()
}

// silence says how the rule is silenced.
func silence(r envcheck.RuleDoc) string {
	switch line := "`" + r.SilenceLine() + "`"; r.Silencing() {
	case envcheck.SilenceKey:
		return line + " above the key, or in the schema's header for every key."
	case envcheck.SilenceHeader:
		return line + " in the schema's header."
	}
	return "Not possible: the schema is what everything else is held to."
}

// escapeText keeps what Markdown would take for markup in a sentence.
func escapeText(s string) string {
	return strings.NewReplacer("*", `\*`, "_", `\_`, "<", "&lt;", "`", "\\`", "$", `\$`).Replace(s)
}

func example(e envcheck.Example, r envcheck.RuleDoc) string {
	var b strings.Builder
	if e.Schema != "" {
		b.WriteString("`.env.schema`:\n\n" + fence(e.Schema))
	}
	for _, f := range e.Files {
		fmt.Fprintf(&b, "`%s`:\n\n%s", f.Name, fence(f.Text))
	}
	file := "`" + e.Name() + "`"
	if e.File == envcheck.ProcessName {
		file = "The process environment"
	}
	fmt.Fprintf(&b, "%s, bad%s:\n\n%s", file, conditions(e), fenceOf(language(e), e.Bad))
	if e.Pad > 0 {
		fmt.Fprintf(&b, "and comments of %d MiB after it.\n\n", e.Pad>>20)
	}
	if said := Said(e, r); said != "" {
		b.WriteString(fenceOf("text", said))
	}
	fmt.Fprintf(&b, "%s, good:\n\n%s", file, fenceOf(language(e), e.Good))
	return strings.TrimSuffix(b.String(), "\n")
}

// conditions says how the example is checked.
func conditions(e envcheck.Example) string {
	var with []string
	if e.Env != "" {
		with = append(with, "`--env "+e.Env+"`")
	}
	if e.Phase != "" {
		with = append(with, "`--phase "+e.Phase+"`")
	}
	out := ""
	if len(with) > 0 {
		out = " with " + strings.Join(with, " ")
	}
	if e.Today != "" {
		out += " on " + e.Today
	}
	return out
}

// Said is what opsctl env check says of the bad example.
func Said(e envcheck.Example, r envcheck.RuleDoc) string {
	if e.Scan {
		return ""
	}
	report, err := e.Run(context.Background(), true)
	if err != nil {
		return ""
	}
	var b strings.Builder
	for _, f := range report.Findings {
		if f.Rule == r.ID {
			fmt.Fprintf(&b, "%s %s %s %s\n", Info{}.place(f), f.Level, f.Rule, f.Message)
			if f.Fix != "" {
				b.WriteString("    " + strings.ReplaceAll(f.Fix, "\n", "\n    ") + "\n")
			}
		}
	}
	return b.String()
}

// language is how the example is coloured.
func language(e envcheck.Example) string {
	if strings.HasSuffix(e.File, ".ts") || strings.HasSuffix(e.File, ".tsx") {
		return "ts"
	}
	return "sh"
}

func fence(text string) string { return fenceOf("sh", text) }

// fenceOf is a block of code.
func fenceOf(lang, text string) string {
	if text == "" {
		return "(no such file)\n\n"
	}
	return "```" + lang + "\n" + Visible(strings.TrimSuffix(text, "\n")) + "\n```\n\n"
}

// Visible shows a byte that is not text, and a character that nobody sees, by its number.
func Visible(text string) string {
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == '\uFFFD':
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case r == '\uFEFF' || r < ' ' && r != '\n':
			s := fmt.Sprintf("%q", r)
			b.WriteString(s[1 : len(s)-1])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
