package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/config"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/ui"
)

// platformReport is one platform of opsctl platforms --json.
type platformReport struct {
	platform.Facts
	Abilities map[string]bool `json:"abilities"`
}

// whyNotVercel is why a platform that people ask for is not among them.
const whyNotVercel = "Vercel is not among them: it runs functions, which end after minutes at most, and no containers. Long jobs, " +
	"migrations before the roll-out, and a process that stays up have no place there."

func newPlatformsCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "platforms [NAME]",
		Short:   "Compare the platforms, and what opsctl can do on each",
		GroupID: "ship",
		Long: `Compare the platforms that opsctl deploys to: what each can do, its managed
PostgreSQL and how far back it can be restored, pooling, regions, sizes, limits of time,
costs. No account is needed: the facts are from the vendors' documentation, of the month
that is named.`,
		Example: `  opsctl platforms
  opsctl platforms render
  opsctl platforms --json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			reports, err := platformReports(args)
			if err != nil {
				return err
			}
			if a.global.JSON {
				return ui.JSON(a.io.Out, map[string]any{"schema": "opsctl.platforms/v1", "platforms": reports, "vercel": whyNotVercel})
			}
			if len(args) == 1 {
				a.printPlatform(reports[0])
				return nil
			}
			a.printPlatforms(reports)
			return nil
		},
	}
}

func platformReports(names []string) ([]platformReport, error) {
	if len(names) == 0 {
		names = config.Platforms
	}
	var reports []platformReport
	for _, name := range names {
		one, err := adapterOf(name)
		if err != nil {
			return nil, err
		}
		r := platformReport{Facts: one.facts(), Abilities: map[string]bool{}}
		for _, c := range platform.Capabilities() {
			r.Abilities[c.Name] = c.Has(one.empty)
		}
		reports = append(reports, r)
	}
	return reports, nil
}

// printPlatforms is the table of abilities and the facts that differ most.
func (a *app) printPlatforms(reports []platformReport) {
	header := []string{"ability"}
	for _, r := range reports {
		header = append(header, r.Name)
	}
	var rows [][]string
	for _, c := range platform.Capabilities() {
		row := []string{c.Name}
		for _, r := range reports {
			row = append(row, map[bool]string{true: ui.OK.String(), false: "-"}[r.Abilities[c.Name]])
		}
		rows = append(rows, row)
	}
	row := []string{"strategies"}
	for _, r := range reports {
		row = append(row, strings.Join(r.Strategies, ", "))
	}
	ui.Table(a.io.Out, 0, header, append(rows, row))
	for _, r := range reports {
		fmt.Fprintf(a.io.Out, "\n%s (%s, as of %s)\n", ui.Bold(r.Title), r.Name, r.AsOf)
		printFacts(a.io.Out, a.io.Width(), [][2]string{
			{"postgres", r.Postgres}, {"recovery", r.RecoveryWindow}, {"pooling", r.Pooling}, {"limits", r.TimeLimits}, {"cost", r.Cost},
		})
	}
	fmt.Fprintf(a.io.Out, "\n%s\nAll facts of one: opsctl platforms NAME\n", wrap(whyNotVercel, a.io.Width(), 0))
}

func (a *app) printPlatform(r platformReport) {
	fmt.Fprintf(a.io.Out, "%s (%s, as of %s)\n", ui.Bold(r.Title), r.Name, r.AsOf)
	var can []string
	for _, c := range platform.Capabilities() {
		if r.Abilities[c.Name] {
			can = append(can, c.Name)
		}
	}
	facts := [][2]string{
		{"can", strings.Join(can, ", ")}, {"strategies", strings.Join(r.Strategies, ", ")}, {"regions", strings.Join(r.Regions, ", ")},
		{"sizes", strings.Join(r.Sizes, ", ")}, {"tokens", strings.Join(r.Tokens, ", ")}, {"postgres", r.Postgres}, {"recovery", r.RecoveryWindow},
		{"pooling", r.Pooling}, {"redis", r.Redis}, {"release", r.ReleaseCommand}, {"source", r.Source}, {"roll-back", r.RollBack},
		{"limits", r.TimeLimits}, {"cost", r.Cost},
	}
	for _, c := range platform.Capabilities() {
		if !r.Abilities[c.Name] {
			facts = append(facts, [2]string{"no", c.Name + "; instead: " + c.Alternative})
		}
	}
	printFacts(a.io.Out, a.io.Width(), facts)
}

func printFacts(w io.Writer, width int, facts [][2]string) {
	for _, f := range facts {
		if f[1] != "" {
			fmt.Fprintf(w, "  %-11s%s\n", f[0], wrap(f[1], width, 13))
		}
	}
}

// wrap breaks a text into lines of the width, indented from the second on. A width of 0
// is none to keep to.
func wrap(text string, width, indent int) string {
	if width <= 0 {
		width = 100
	}
	var out strings.Builder
	column := indent
	for i, word := range strings.Fields(text) {
		switch {
		case i > 0 && column+1+len(word) > width:
			out.WriteString("\n" + strings.Repeat(" ", indent))
			column = indent
		case i > 0:
			out.WriteByte(' ')
			column++
		}
		out.WriteString(word)
		column += len(word)
	}
	return out.String()
}
