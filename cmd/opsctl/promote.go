package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/ui"
)

func newPromoteCmd(a *app) *cobra.Command {
	var o deployOptions
	cmd := &cobra.Command{
		Use:     "promote FROM TO",
		Short:   "Deploy to one environment what runs in another",
		GroupID: "ship",
		Long: `Deploy to an environment the very image that runs in another one: the same digest,
never built again. Its variables and number of instances are its own. Everything else
is as with deploy: a plan, migrations, the health gate, the way back.

It refuses when what runs in FROM is mixed or not healthy, or was built by the
platform from source, so that there is no image to move.`,
		Example: `  opsctl promote staging production --dry-run
  opsctl promote staging production --require-backup 24h`,
		Args: exactArgs(2, "names of two environments, such as: opsctl promote staging production"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.promote(cmd.Context(), o, args[0], args[1]) },
	}
	f := cmd.Flags()
	f.StringVar(&o.envFile, "env-file", "", "dotenv `file` whose variables become secrets of TO (default: its env_file)")
	f.BoolVar(&o.skipEnv, "skip-env-check", false, "deploy although the environment does not fit the schema")
	f.DurationVar(&o.requireBackup, "require-backup", 0, "refuse unless a verified backup is at most so old (default: deploy.require_backup)")
	f.StringVar(&o.account, "account", "", "whose credentials they have to be, by `name`")
	return cmd
}

func (a *app) promote(ctx context.Context, o deployOptions, from, to string) error {
	if from == to {
		return errs.New(errs.Usage, "%s and %s are the same environment", from, to)
	}
	a.global.Env = from
	t, p, state, err := a.observe(ctx, "promote", "")
	if err != nil {
		return err
	}
	if err := a.finished(ctx, t, p, state); err != nil {
		return err
	}
	switch c := state.Current; {
	case c == nil:
		return errs.New(errs.NotFound, "nothing runs in %s", from).WithHint("run: opsctl deploy --env %s", from)
	case state.Mixed:
		return errs.New(errs.CheckFailed, "the instances in %s do not all run the same release", from).WithHint("look at: opsctl status --env %s", from)
	case !strings.Contains(c.Image, "@sha256:"):
		return errs.New(errs.Usage, "%s runs %s, which %s has built itself: there is no image to move", from, c.Image, t.env.Platform).
			WithHint("build an image, deploy it to %s with --image, then promote it", from)
	}
	for _, i := range state.Instances {
		if i.Health == platform.Unhealthy || i.State != platform.Started && !i.Idle {
			return errs.New(errs.CheckFailed, "instance %s in %s is not well: %s, %s", i.ID, from, i.State, i.Health).WithHint("look at: opsctl status --env %s", from)
		}
	}
	o.image = state.Current.Image
	if !a.global.Quiet && !a.global.JSON {
		ui.Line(a.io.Err, "promote "+platform.ShortImage(o.image)+" from "+from+" (release "+releaseText(state.Current.Version)+") to "+to)
	}
	a.global.Env = to
	return runDeploy(ctx, a, o)
}

// finished refuses an environment whose release is not through: it may still be taken back.
func (a *app) finished(ctx context.Context, t target, p platform.Platform, state *platform.State) error {
	by, err := p.LockedBy(ctx, t.env.App)
	if err != nil {
		return err
	}
	if by != nil {
		return errs.New(errs.Conflict, "a deploy to %s is going on: %s", t.name, by.Holder).WithHint("wait for it to end: opsctl lock status --env %s", t.name)
	}
	releases, err := p.Releases(ctx, t.env.App, 20)
	if err != nil {
		return err
	}
	for _, r := range releases {
		if state.Current != nil && r.Version == state.Current.Version && r.Status != platform.Complete {
			return errs.New(errs.CheckFailed, "release %s in %s is %s, not complete", r.Version, t.name, r.Status).WithHint("look at: opsctl history --env %s", t.name)
		}
	}
	return nil
}

// exactArgs wants so many arguments, and says which.
func exactArgs(n int, want string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return errs.New(errs.Usage, "%s takes %s", cmd.CommandPath(), want)
		}
		return nil
	}
}
