package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/deploy"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/ui"
)

type envPushOptions struct {
	platform string
	prune    bool
	skipEnv  bool
}

// envPushReport is the data of env push.
type envPushReport struct {
	Schema   string   `json:"schema"` // opsctl.env.push/v1
	App      string   `json:"app"`
	Platform string   `json:"platform"`
	Env      string   `json:"environment"`
	DryRun   bool     `json:"dry_run"`
	Set      []string `json:"set"`
	Unset    []string `json:"unset"`
	Warnings []string `json:"warnings"`
}

func newEnvPushCmd(a *app) *cobra.Command {
	var o envPushOptions
	cmd := &cobra.Command{
		Use:   "push [FILE...]",
		Short: "Set an environment's variables on its platform",
		Long: `Set the variables of an environment's dotenv file as secrets of the app. The file is
read here, as Next.js reads it, and sent as names and values: what differs, in one
request, without a restart. It takes effect with the next deploy or restart, and a
deploy that follows does not set it again.

The file is held to the schema first, as env check does; what the platform has already
counts as present. An error stops the push. What only the build needs
(# opsctl: phase=build), NODE_ENV, PORT, what opsctl.yaml sets as a plain variable and
what is empty is not sent.

What only the platform has stays, unless --prune says to unset it. A database's URL,
what the platform itself sets, and what the schema requires is never pruned.

Exit status: 0 done or nothing to do, 3 the file does not fit the schema, 5 no such
app, 6 a deploy is running, 9 it is not known what the platform took.`,
		Example: `  opsctl env push --platform fly --env production --dry-run
  opsctl env push
  opsctl env push --prune --yes .env.production`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.envPush(cmd.Context(), o, args) },
	}
	cmd.Flags().StringVar(&o.platform, "platform", "", "platform to push to (default: the environment's)")
	cmd.Flags().BoolVar(&o.prune, "prune", false, "also unset what only the platform has")
	cmd.Flags().BoolVar(&o.skipEnv, "skip-env-check", false, "push although the file does not fit the schema")
	return cmd
}

func (a *app) envPush(ctx context.Context, o envPushOptions, files []string) error {
	c, err := a.compareEnv(ctx, "env push", o.platform, files)
	if err != nil {
		return err
	}
	t, in, plan := c.target, c.in, c.plan
	if o.prune && len(in.filled()) == 0 {
		return errs.New(errs.Usage, "%s sets no variable: --prune would unset all that the app has", joinWords(in.paths)).WithHint("name the file that has them")
	}
	set, prune := namesOf(plan.Select(deploy.Variable.Pushes)), []string{}
	if o.prune {
		prune = namesOf(plan.Select(func(v deploy.Variable) bool { return v.State == deploy.VariableOnly && v.Keep == "" }))
	}
	if !o.skipEnv {
		if err := a.envPreflight(t, in)(ctx, in.present(plan, prune)); err != nil {
			return err
		}
	}
	if err := plan.Carries(); err != nil {
		return err
	}
	report := envPushReport{
		Schema: "opsctl.env.push/v1", App: t.env.App, Platform: t.env.Platform, Env: t.name, DryRun: a.global.DryRun,
		Set: set, Unset: prune, Warnings: a.pushWarnings(ctx, t, in, plan, set),
	}
	a.showPush(t, in, plan, report)
	if a.global.DryRun || len(set)+len(prune) == 0 {
		return a.pushResult(t, plan, report)
	}
	if ok, err := a.confirm(ctx, pushQuestion(t, set, prune)); err != nil || !ok {
		return err
	}
	done, err := c.engine.PushVariables(ctx, plan, prune)
	if err != nil {
		return err
	}
	report.Set, report.Unset = done.Set, done.Unset
	return a.pushResult(t, plan, report)
}

func namesOf(variables []deploy.Variable) []string {
	names := []string{}
	for _, v := range variables {
		names = append(names, v.Name)
	}
	return names
}

// showPush says what would change, on stderr: the result is the data.
func (a *app) showPush(t target, in envInput, plan *deploy.VariablePlan, r envPushReport) {
	for _, w := range r.Warnings {
		if !a.global.JSON {
			a.io.Warn("%s", w)
		}
	}
	if a.global.JSON || a.global.Quiet && !r.DryRun {
		return
	}
	w := a.io.Err
	if r.DryRun {
		w = a.io.Out // the plan is what was asked for
	}
	fmt.Fprintf(w, "%s to %s on %s (%s)\n", strings.Join(in.paths, ", "), ui.Bold(t.env.App), t.env.Platform, t.name)
	for _, v := range plan.Variables {
		switch {
		case v.Managed:
		case v.State == deploy.VariableAdd:
			fmt.Fprintf(w, "  %s %s\n", ui.Green("+"), v.Name)
		case v.State == deploy.VariableChange:
			fmt.Fprintf(w, "  %s %s %s\n", ui.Yellow("~"), v.Name, ui.Faint("("+v.There+" → "+v.Here+")"))
		case v.State == deploy.VariableUnknown:
			fmt.Fprintf(w, "  %s %s %s\n", ui.Yellow("~"), v.Name, ui.Faint("("+v.Reason+")"))
		case slices.Contains(r.Unset, v.Name):
			fmt.Fprintf(w, "  %s %s\n", ui.Red("-"), v.Name)
		case v.State == deploy.VariableOnly:
			fmt.Fprintf(w, "  %s %s %s\n", ui.Faint("·"), v.Name, ui.Faint("(stays: "+whyItStays(v)+")"))
		case v.State == deploy.VariableSkipped:
			fmt.Fprintf(w, "  %s %s %s\n", ui.Faint("·"), v.Name, ui.Faint("(not sent: "+v.Reason+")"))
		}
	}
	if len(r.Set)+len(r.Unset) == 0 {
		fmt.Fprintln(w, "  nothing to change")
	}
}

func whyItStays(v deploy.Variable) string {
	switch {
	case v.Keep != "":
		return v.Keep
	case v.Reason != "":
		return v.Reason + "; --prune unsets it"
	default:
		return "only the platform has it; --prune unsets it"
	}
}

// pushQuestion names what is unset: it cannot be had back.
func pushQuestion(t target, set, prune []string) string {
	var parts []string
	if len(set) > 0 {
		parts = append(parts, "set "+ui.Count(int64(len(set)), "variable"))
	}
	if len(prune) > 0 {
		parts = append(parts, "unset "+joinWords(prune)+" for good")
	}
	return fmt.Sprintf("%s of %s on %s (%s)?", strings.Join(parts, " and "), t.env.App, t.env.Platform, t.name)
}

func (a *app) pushResult(t target, plan *deploy.VariablePlan, r envPushReport) error {
	if a.global.JSON {
		return ui.JSON(a.io.Out, r)
	}
	switch {
	case r.DryRun:
		if !a.global.Quiet && len(r.Set)+len(r.Unset) > 0 {
			fmt.Fprintln(a.io.Err, ui.Faint("dry run: nothing was changed"))
		}
		return nil
	case len(r.Set)+len(r.Unset) == 0:
		_, err := fmt.Fprintf(a.io.Out, "%s: nothing was changed\n", t.env.App)
		return err
	}
	_, err := fmt.Fprintf(a.io.Out, "%s: %d set, %d unset on %s; no instance was touched\n", t.env.App, len(r.Set), len(r.Unset), t.env.Platform)
	if err == nil && !a.global.Quiet {
		next := "opsctl deploy"
		if c := plan.State.Current; c != nil {
			next += " --image " + c.Image + "   (what runs, with the new values)"
		}
		fmt.Fprintf(a.io.Err, "%s it takes effect with the next deploy or restart: %s\n", ui.Cyan("hint:"), next)
	}
	return err
}
