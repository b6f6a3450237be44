package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/envcheck"
	"github.com/opsctl/opsctl/internal/envcheck/report"
	"github.com/opsctl/opsctl/internal/ui"
)

// ruleInfo is a rule as --json gives it.
type ruleInfo struct {
	envcheck.RuleDoc
	Silence ruleSilence `json:"silence"`
	Page    string      `json:"page"`
}

// ruleSilence says how a rule is silenced: where (never, header or key) and by which line.
type ruleSilence struct {
	Where envcheck.Silencing `json:"where"`
	Line  string             `json:"line,omitempty"`
}

func newEnvRulesCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "rules [RULE]",
		Short: "List the rules of env check, or explain one",
		Long: `List the rules that opsctl env check holds files and the schema to, by what they are
about, with the worst level that each reports at. With RULE explain one: why it is
there, a file that breaks it and what opsctl says of that, one that does not, what to
do, and how to silence it in the schema.`,
		Example: `  opsctl env rules
  opsctl env rules E-DOLLAR
  opsctl env rules --json | jq -r '.rules[] | select(.level == "error") | .id'`,
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var ids []string
			for _, r := range envcheck.Rules() {
				if len(args) == 0 {
					ids = append(ids, r.ID+"\t"+r.What)
				}
			}
			return ids, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			rules := envcheck.Rules()
			if len(args) == 1 {
				r, ok := envcheck.FindRule(args[0])
				if !ok {
					return envcheck.UnknownRule(args[0])
				}
				rules = []envcheck.RuleDoc{r}
			}
			switch {
			case a.global.JSON:
				return a.printRulesJSON(rules)
			case len(args) == 1:
				return explainRule(a.io.Out, rules[0])
			}
			return a.listRules()
		},
	}
}

func (a *app) printRulesJSON(rules []envcheck.RuleDoc) error {
	out := []ruleInfo{}
	for _, r := range rules {
		out = append(out, ruleInfo{r, ruleSilence{r.Silencing(), r.SilenceLine()}, report.PageURL(r.ID)})
	}
	return ui.JSON(a.io.Out, map[string]any{"schema": "opsctl.env.rules/v1", "rules": out})
}

func (a *app) listRules() error {
	for i, f := range envcheck.Families() {
		if i > 0 {
			fmt.Fprintln(a.io.Out)
		}
		fmt.Fprintln(a.io.Out, ui.Bold(f.Title))
		for _, r := range f.Rules() {
			fmt.Fprintf(a.io.Out, "  %s %s %s\n", pad(r.ID, 17, ui.Bold), pad(string(r.Level), 7, func(s string) string { return envLevel(envcheck.Level(s)) }), r.What)
		}
	}
	_, err := fmt.Fprintln(a.io.Out, "\n"+ui.Faint("opsctl env rules RULE explains one"))
	return err
}

// pad styles a text and fills it with blanks up to a width.
func pad(s string, width int, style func(string) string) string {
	return style(s) + strings.Repeat(" ", max(0, width-len(s)))
}

// explainRule is the section of a rule for a terminal.
func explainRule(w io.Writer, r envcheck.RuleDoc) error {
	fmt.Fprintf(w, "%s %s %s\n\n%s\n", ui.Bold(r.ID), envLevel(r.Level), r.What, wrapped(r.Why, ""))
	for _, e := range r.Examples {
		if e.Schema != "" {
			fmt.Fprintf(w, "\n.env.schema:\n%s", indented(e.Schema))
		}
		for _, f := range e.Files {
			fmt.Fprintf(w, "\n%s:\n%s", f.Name, indented(f.Text))
		}
		fmt.Fprintf(w, "\n%s %s%s:\n%s", ui.Red("bad"), e.Name(), howChecked(e), indented(e.Bad))
		if said := report.Said(e, r); said != "" {
			fmt.Fprintf(w, "  is reported as:\n%s", indented(said))
		}
		fmt.Fprintf(w, "%s %s:\n%s", ui.Green("good"), e.Name(), indented(e.Good))
	}
	silence := r.SilenceLine()
	switch r.Silencing() {
	case envcheck.SilenceNever:
		silence = "Not possible: the schema is what everything else is held to."
	case envcheck.SilenceHeader:
		silence += "    in the header of the schema"
	case envcheck.SilenceKey:
		silence += "    above the key, or in the header for every key"
	}
	_, err := fmt.Fprintf(w, "\n%s\n%s\n\n%s\n    %s\n\n%s\n", ui.Bold("Fix"), wrapped(r.Fix, "    "), ui.Bold("Silence"), silence, ui.Faint(report.PageURL(r.ID)))
	return err
}

// howChecked gives the flags of an example, and its date.
func howChecked(e envcheck.Example) string {
	var b strings.Builder
	for _, flag := range [][2]string{{"--env", e.Env}, {"--phase", e.Phase}, {"on", e.Today}} {
		if flag[1] != "" {
			b.WriteString(" " + flag[0] + " " + flag[1])
		}
	}
	return b.String()
}

// indented is a piece of a file, set off.
func indented(text string) string {
	text = strings.TrimSuffix(report.Visible(text), "\n")
	if text == "" {
		return "    (no such file)\n"
	}
	return strings.ReplaceAll("    "+strings.ReplaceAll(text, "\n", "\n    "), "\n    \n", "\n\n") + "\n"
}

// wrapped breaks a text into lines of at most 90 characters.
func wrapped(text, indent string) string {
	const width = 90
	var b strings.Builder
	b.WriteString(indent)
	used := len(indent)
	for i, word := range strings.Fields(text) {
		n := len([]rune(word))
		switch {
		case i == 0:
		case used+1+n > width:
			b.WriteString("\n" + indent)
			used = len(indent)
		default:
			b.WriteString(" ")
			used++
		}
		b.WriteString(word)
		used += n
	}
	return b.String()
}
