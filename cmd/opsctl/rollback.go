package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/ui"
)

func newRollbackCmd(a *app) *cobra.Command {
	var (
		to           string
		platformName string
	)
	cmd := &cobra.Command{
		Use:     "rollback",
		Short:   "Put an earlier release back",
		GroupID: "ship",
		Long: `Put an earlier release back: its image, its variables, its number of instances.
The database and the values of secrets stay as they are.

Without --to it is the newest finished release before the one that runs.
It asks first; without a terminal it needs --yes.`,
		Example: `  opsctl rollback
  opsctl rollback --to 12 --yes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			t, err := a.target("rollback", platformName)
			if err != nil {
				return err
			}
			progress := newDeployProgress(a)
			progress.stays = whatStays(t)
			defer progress.close()
			engine, err := a.engine(ctx, t, progress.event)
			if err != nil {
				return err
			}
			state, release, err := engine.RollbackTarget(ctx, t.env.App, to)
			if err != nil {
				return err
			}
			plan := a.io.Err
			if a.global.DryRun {
				plan = a.io.Out // it is what was asked for
			}
			if !a.global.JSON && (!a.global.Quiet || a.global.DryRun) {
				fmt.Fprintf(plan, "%s: release %s → %s (%s); %s\n",
					ui.Bold(t.env.App), releaseText(state.Current.Version), release.Version, platform.ShortImage(release.Image), whatStays(t))
			}
			if a.global.DryRun {
				if a.global.JSON {
					return ui.JSON(a.io.Out, map[string]any{"schema": "opsctl.rollback.plan/v1", "app": t.env.App, "from": state.Current.Version, "to": release.Version, "image": release.Image})
				}
				return nil
			}
			if ok, err := a.confirm(ctx, fmt.Sprintf("put release %s back?", release.Version)); err != nil || !ok {
				return err
			}
			result, err := engine.Rollback(ctx, t.env.App, state, release, gateOf(t.project))
			progress.close()
			if err != nil {
				return errors.Join(progress.failure(result), err)
			}
			return progress.result(result)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "release to return to, by `name` or the beginning of it (see: opsctl history)")
	cmd.Flags().StringVar(&platformName, "platform", "", "platform (default: the environment's)")
	return cmd
}

// whatStays says what a rollback on the platform does not touch.
func whatStays(t target) string {
	if one, err := adapterOf(t.env.Platform); err == nil && one.facts().SecretsRollBack {
		return "the database stays as it is; secrets are those of then, until the next deploy"
	}
	return "the database and the secrets stay as they are"
}
