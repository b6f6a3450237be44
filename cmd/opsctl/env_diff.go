package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/deploy"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/ui"
)

// envDiffReport is the data of env diff.
type envDiffReport struct {
	Schema    string            `json:"schema"` // opsctl.env.diff/v1
	App       string            `json:"app"`
	Platform  string            `json:"platform"`
	Env       string            `json:"environment"`
	Files     []string          `json:"files"`
	Alike     bool              `json:"alike"`
	Variables []deploy.Variable `json:"variables"` // all of them; no values
}

func newEnvDiffCmd(a *app) *cobra.Command {
	var platformName string
	cmd := &cobra.Command{
		Use:   "diff [FILE...]",
		Short: "Compare an environment's file with its platform",
		Long: `Compare an environment's dotenv file, read as Next.js reads it, with the variables
of the app on its platform. Without FILE it is the environment's env_file; of several
FILEs a later one overrides an earlier one. Nothing is changed, and no value is shown.

A platform that does not give values back (Fly.io) is compared by fingerprints: this
machine keeps a keyed hash of each value that deploy or env push set from here. What
was set from elsewhere cannot be compared, and is listed so.

Names that the schema requires and neither side has are listed too. What only the
build needs (# opsctl: phase=build), NODE_ENV, PORT and what opsctl.yaml sets as a
plain variable does not belong on the platform, and is no difference.

Exit status: 0 alike, 3 they differ or cannot be compared, 5 no such app.`,
		Example: `  opsctl env diff --platform fly --env production
  opsctl env diff .env.production .env.production.local
  opsctl env diff --json | jq -r '.variables[] | select(.state == "missing") | .name'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.envDiff(cmd.Context(), platformName, args)
		},
	}
	cmd.Flags().StringVar(&platformName, "platform", "", "platform to compare with (default: the environment's)")
	return cmd
}

func (a *app) envDiff(ctx context.Context, platformName string, files []string) error {
	c, err := a.compareEnv(ctx, "env diff", platformName, files)
	if err != nil {
		return err
	}
	t, in, plan := c.target, c.in, c.plan
	differ := plan.Select(deploy.Variable.Differs)
	if a.global.JSON {
		variables := plan.Variables
		if variables == nil {
			variables = []deploy.Variable{}
		}
		err = ui.JSON(a.io.Out, envDiffReport{
			Schema: "opsctl.env.diff/v1", App: t.env.App, Platform: t.env.Platform, Env: t.name,
			Files: in.paths, Alike: len(differ) == 0, Variables: variables,
		})
	} else {
		a.printVariables(plan.Variables)
		err = a.diffSummary(t, in, plan)
	}
	if err == nil && len(differ) > 0 {
		err = silent(errs.CheckFailed)
	}
	return err
}

// printVariables is the table of what differs, and of what has something to be said.
func (a *app) printVariables(all []deploy.Variable) {
	marks := map[deploy.VariableState]string{
		deploy.VariableAdd: ui.Green("+"), deploy.VariableChange: ui.Yellow("~"), deploy.VariableUnknown: ui.Yellow("?"), deploy.VariableOnly: ui.Red("-"),
		deploy.VariableMissing: ui.Red("!"), deploy.VariableInvalid: ui.Red("!"), deploy.VariableSame: ui.Faint("="), deploy.VariableSkipped: ui.Faint("·"),
	}
	var rows [][]string
	for _, v := range all {
		if v.State == deploy.VariableSame && v.Reason == "" {
			continue
		}
		reason := cmp.Or(v.Reason, variableMeaning(v.State))
		if v.Keep != "" {
			reason += ": " + v.Keep
		}
		rows = append(rows, []string{marks[v.State] + " " + shownName(v.Name), string(v.State), cmp.Or(v.Here, "-"), cmp.Or(v.There, "-"), reason})
	}
	width := a.io.Width()
	if !a.io.OutTTY() { // whoever reads a file or a pipe wants the whole reason
		width = 1 << 10
	}
	if len(rows) > 0 {
		ui.Table(a.io.Out, width, []string{"  name", "state", "file", "platform", "why"}, rows)
	}
}

// shownName keeps what is no name, such as a pasted secret, off the screen's controls.
func shownName(name string) string { return strings.Trim(fmt.Sprintf("%q", name), `"`) }

func variableMeaning(s deploy.VariableState) string {
	switch s {
	case deploy.VariableAdd:
		return "in the file only"
	case deploy.VariableChange:
		return "another value in the file"
	case deploy.VariableOnly:
		return "on the platform only"
	default:
		return ""
	}
}

// diffSummary is the last line, and what to do about what it says.
func (a *app) diffSummary(t target, in envInput, plan *deploy.VariablePlan) error {
	count, managed := map[deploy.VariableState]int{}, 0
	for _, v := range plan.Variables {
		count[v.State]++
		if v.Managed && v.Differs() {
			managed++
		}
	}
	differ := len(plan.Select(deploy.Variable.Differs))
	scope := fmt.Sprintf("%s, %s, %s on %s", t.name, strings.Join(in.paths, ", "), t.env.App, t.env.Platform)
	alike := count[deploy.VariableSame]
	if differ == 0 {
		_, err := fmt.Fprintf(a.io.Out, "%s alike: %s (%s)\n", ui.OK, ui.Count(int64(alike), "variable"), scope)
		return err
	}
	unknown := count[deploy.VariableUnknown]
	var parts []string
	if n := differ - unknown; n > 0 {
		parts = append(parts, ui.Count(int64(n), "difference"))
	}
	if unknown > 0 {
		parts = append(parts, fmt.Sprintf("%d cannot be compared", unknown))
	}
	_, err := fmt.Fprintf(a.io.Out, "%s %s, %d alike (%s)\n", ui.Fail, strings.Join(parts, ", "), alike, scope)
	if a.global.Quiet {
		return err
	}
	if managed > 0 {
		fmt.Fprintf(a.io.Err, "%s what is of the managed database is set by opsctl deploy, and by no push\n", ui.Cyan("hint:"))
	}
	if len(plan.Select(func(v deploy.Variable) bool { return v.State == deploy.VariableUnknown && v.Pushes() })) > 0 {
		fmt.Fprintf(a.io.Err, "%s %s gives no value back for what was set from elsewhere. To settle it: opsctl env push sets the file's\n"+
			"      values, and knows them from then on; opsctl env pull --out FILE reads those that run, to compare them here\n", ui.Cyan("hint:"), t.env.Platform)
	}
	if count[deploy.VariableMissing] > 0 {
		fmt.Fprintf(a.io.Err, "%s what is missing belongs into %s (never into git)\n", ui.Cyan("hint:"), in.paths[len(in.paths)-1])
	}
	return err
}
