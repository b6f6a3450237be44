package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/opsctl/opsctl/internal/deploy"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/ui"
)

type deployOptions struct {
	platform      string
	image         string
	envFile       string
	skipEnv       bool
	plan          string // file to carry out
	requireBackup time.Duration
	account       string
	dirty         bool // build although the working tree has uncommitted changes
}

// flags adds those that deploy and plan share.
func (o *deployOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.platform, "platform", "", "platform to deploy to (default: the environment's)")
	f.StringVar(&o.image, "image", "", "image to deploy, by `reference` (default: build from the Dockerfile)")
	f.StringVar(&o.envFile, "env-file", "", "dotenv `file` whose variables become secrets (default: the environment's env_file)")
	f.BoolVar(&o.skipEnv, "skip-env-check", false, "deploy although the environment does not fit the schema")
	f.DurationVar(&o.requireBackup, "require-backup", 0, "refuse unless a verified backup is at most so old (default: deploy.require_backup)")
	f.StringVar(&o.account, "account", "", "whose credentials they have to be, by `name` (default: those of the last deploy from here)")
	f.BoolVar(&o.dirty, "allow-dirty", false, "build although the working tree has uncommitted changes")
}

func newDeployCmd(a *app) *cobra.Command {
	var o deployOptions
	cmd := &cobra.Command{
		Use:     "deploy",
		Short:   "Bring a new version into production",
		GroupID: "ship",
		Long: `Plan and carry out a deploy: provision what is missing, stage the secrets, run
the release command, roll the new version out, and hold it to its health check.
When it does not become healthy, the version before is put back and the exit
status is 8. A second deploy right after the first changes nothing.

Exit status: 0 deployed or unchanged, 3 the environment does not fit the schema,
4 credentials, 6 locked, 8 rolled back, 9 the roll-back failed too.`,
		Example: `  opsctl deploy --dry-run                              # the plan
  opsctl deploy --platform fly --image ghcr.io/acme/erp:1.4.0
  opsctl deploy                                        # build from the Dockerfile
  opsctl deploy --env staging --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDeploy(cmd.Context(), a, o) },
	}
	o.flags(cmd.Flags())
	cmd.Flags().StringVar(&o.plan, "plan", "", "carry out the plan in `file` (of opsctl plan --out), or refuse when things have changed")
	cmd.MarkFlagsMutuallyExclusive("plan", "image")
	return cmd
}

func runDeploy(ctx context.Context, a *app, o deployOptions) error {
	var plan deploy.PlanFile
	if o.plan != "" {
		var err error
		if plan, err = deploy.ReadPlanFile(o.plan); err != nil {
			return err
		}
		o.image = plan.Image
		if strings.HasPrefix(plan.Image, "git:") || strings.HasPrefix(plan.Image, "upload:") {
			o.image = "" // it is described anew, and compared
		}
	}
	progress := newDeployProgress(a)
	defer progress.close()
	t, engine, prepared, err := a.prepare(ctx, "deploy", o, progress)
	if err != nil {
		return err
	}
	if o.plan != "" {
		if err := prepared.Matches(engine, plan); err != nil {
			return err
		}
	}
	progress.plan(t, prepared)
	if a.global.DryRun {
		return progress.planResult(engine, prepared)
	}
	if deploy.Destroys(prepared.Changes) {
		if ok, err := a.confirm(ctx, "take instances away?"); err != nil || !ok {
			return err
		}
	}
	result, err := engine.Apply(ctx, prepared)
	progress.close()
	if err != nil {
		return errors.Join(progress.failure(result), err)
	}
	return progress.result(result)
}

// prepare makes the plan of a deploy and says what there is to say of it.
func (a *app) prepare(ctx context.Context, command string, o deployOptions, progress *deployProgress) (target, *deploy.Engine, *deploy.Prepared, error) {
	t, err := a.target(command, o.platform)
	if err != nil {
		return t, nil, nil, err
	}
	one, err := adapterOf(t.env.Platform)
	if err != nil {
		return t, nil, nil, err
	}
	if written := t.project.Environments[t.name].Region; t.moved != "" && t.env.Region != "" && written != t.env.Region {
		a.io.Warn("region %s of %s is %s on %s; write an environment of its own into opsctl.yaml to choose", written, t.moved, t.env.Region, t.env.Platform)
	}
	if err := errors.Join(checkStrategy(t, one.facts()), checkRegion(t, one.facts())); err != nil {
		return t, nil, nil, err
	}
	engine, err := a.engine(ctx, t, progress.event)
	if err != nil {
		return t, nil, nil, err
	}
	req, err := a.deployRequest(ctx, t, o)
	if err != nil {
		return t, nil, nil, err
	}
	prepared, err := engine.Prepare(ctx, req)
	if err != nil {
		return t, nil, nil, err
	}
	for _, name := range a.hooks(t).stray() {
		a.io.Warn("%s/%s never runs: no moment of a deploy has that name (%s)", hooksDir, name, joinWords(momentNames()))
	}
	for _, note := range prepared.Notes {
		a.io.Warn("%s", note)
	}
	return t, engine, prepared, nil
}

func momentNames() []string {
	var names []string
	for _, m := range deploy.Moments() {
		names = append(names, string(m))
	}
	return names
}

// deployRequest turns the project into what should run.
func (a *app) deployRequest(ctx context.Context, t target, o deployOptions) (deploy.Request, error) {
	p := t.project
	var named []string
	if o.envFile != "" {
		named = []string{o.envFile}
	}
	in, err := a.envInput(ctx, t, named)
	if err != nil {
		return deploy.Request{}, err
	}
	req := deploy.Request{
		App: platform.AppSpec{Name: t.env.App, Org: t.env.Org, Region: t.env.Region},
		Release: platform.Release{
			Port: p.Web.Port, Health: p.Web.Health, Env: plainVars(t), Instances: t.env.Instances,
			Region: t.env.Region, Size: t.env.Size, Strategy: t.env.Strategy,
		},
		Image: o.image, Command: p.Release.Command, CommandTimeout: p.Release.Timeout.D(),
		Secrets: in.wanted.Secrets, Gate: gateOf(p), Postgres: databaseSpec(t), Redis: redisSpec(t), Account: o.account,
		Build: a.buildImage(t, in.filled()), Source: a.source(t), Fixed: o.plan != "",
	}
	if err := a.addGuards(ctx, t, o, in, &req); err != nil {
		return req, err
	}
	if !o.skipEnv {
		req.Preflight = a.envPreflight(t, in)
	}
	return req, nil
}

// joinWords is "a", "a and b", "a, b and c".
func joinWords(words []string) string {
	switch n := len(words); n {
	case 0:
		return ""
	case 1:
		return words[0]
	default:
		var out strings.Builder
		out.WriteString(words[0])
		for _, w := range words[1 : n-1] {
			out.WriteString(", " + w)
		}
		return out.String() + " and " + words[n-1]
	}
}

// deployProgress shows a deploy: a checklist for people, events for scripts.
type deployProgress struct {
	a     *app
	list  *ui.Checklist
	stays string // of a rollback: what it does not touch
}

func newDeployProgress(a *app) *deployProgress {
	return &deployProgress{a: a, list: ui.NewChecklist(a.io, a.global.Quiet || a.global.JSON)}
}

func (d *deployProgress) close() { d.list.Close() }
