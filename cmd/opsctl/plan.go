package main

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/atomicfile"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/ui"
)

func newPlanCmd(a *app) *cobra.Command {
	var (
		o        deployOptions
		out      string
		detailed bool
	)
	cmd := &cobra.Command{
		Use:     "plan",
		Short:   "Show what a deploy would change",
		GroupID: "ship",
		Long: `Show what a deploy would create, update, replace and delete, and why. Nothing is
changed, and no value of a secret is shown.

With --out the plan is kept, for: opsctl deploy --plan FILE. That carries out this
plan exactly, or refuses with exit status 6 when the app, the image or what is wanted
has changed since. It needs --image: what is still to be built cannot be planned.

Exit status: 0 also when changes are pending, unless --detailed-exitcode makes that 3.`,
		Example: `  opsctl plan
  opsctl plan --detailed-exitcode --json             # drift, for CI
  opsctl plan --image ghcr.io/acme/erp:1.4.0 --out plan.json
  opsctl deploy --plan plan.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			changes, err := a.plan(cmd.Context(), o, out)
			if err != nil {
				return err
			}
			if detailed && changes > 0 {
				return errs.New(errs.CheckFailed, "%s pending", ui.Count(int64(changes), "change")).WithHint("carry them out: opsctl deploy%s", imageFlag(o.image))
			}
			return nil
		},
	}
	o.flags(cmd.Flags())
	cmd.Flags().StringVar(&out, "out", "", "keep the plan in `file`, for: opsctl deploy --plan")
	cmd.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit with 3 when changes are pending")
	return cmd
}

// imageFlag is --image as it was given, for the next command that is printed.
func imageFlag(image string) string {
	if image == "" {
		return ""
	}
	return " --image " + image
}

func (a *app) plan(ctx context.Context, o deployOptions, out string) (changes int, err error) {
	a.global.DryRun = true // the plan is what was asked for
	progress := newDeployProgress(a)
	defer progress.close()
	t, engine, prepared, err := a.prepare(ctx, "plan", o, progress)
	if err != nil {
		return 0, err
	}
	progress.plan(t, prepared)
	if out != "" {
		if err := prepared.Exact(); err != nil {
			return 0, err
		}
		text, err := json.MarshalIndent(prepared.File(engine), "", "  ")
		if err != nil {
			return 0, err
		}
		if err := errors.Join(prepared.Keep(engine), atomicfile.Write(out, append(text, '\n'), 0o600)); err != nil {
			return 0, errs.Wrap(err, errs.Failure, "keep the plan")
		}
		if !a.global.Quiet && !a.global.JSON {
			ui.Line(a.io.Err, a.forEnv("kept in "+out+"; carry it out with: opsctl deploy --plan "+out))
		}
	}
	if a.global.JSON {
		return len(prepared.Changes), ui.JSON(a.io.Out, prepared.File(engine))
	}
	return len(prepared.Changes), nil
}
