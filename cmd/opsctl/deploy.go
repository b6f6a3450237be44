package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/deploy"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/ui"
)

type deployOptions struct {
	platform string
	image    string
	envFile  string
	skipEnv  bool
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
	cmd.Flags().StringVar(&o.platform, "platform", "", "platform to deploy to (default: the environment's)")
	cmd.Flags().StringVar(&o.image, "image", "", "image to deploy, by `reference` (default: build from the Dockerfile)")
	cmd.Flags().StringVar(&o.envFile, "env-file", "", "dotenv `file` whose variables become secrets (default: the environment's env_file)")
	cmd.Flags().BoolVar(&o.skipEnv, "skip-env-check", false, "deploy although the environment does not fit the schema")
	return cmd
}

func runDeploy(ctx context.Context, a *app, o deployOptions) error {
	t, err := a.target("deploy", o.platform)
	if err != nil {
		return err
	}
	progress := newDeployProgress(a)
	defer progress.close()
	engine, err := a.engine(ctx, t, progress.event)
	if err != nil {
		return err
	}
	req, err := a.deployRequest(ctx, t, o)
	if err != nil {
		return err
	}
	prepared, err := engine.Prepare(ctx, req)
	if err != nil {
		return err
	}
	for _, note := range prepared.Notes {
		a.io.Warn("%s", note)
	}
	progress.plan(t, prepared)
	if a.global.DryRun {
		return progress.planResult(t, prepared)
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
		App: platform.AppSpec{Name: t.env.App, Org: t.env.Org},
		Release: platform.Release{
			Port: p.Web.Port, Health: p.Web.Health, Env: t.env.Vars, Instances: t.env.Instances,
			Region: t.env.Region, Strategy: t.env.Strategy,
		},
		Image: o.image, Command: p.Release.Command, CommandTimeout: p.Release.Timeout.D(),
		Secrets: in.wanted.Secrets, Gate: gateOf(p), Postgres: databaseSpec(t),
		Build: a.buildImage(t, in.filled()),
	}
	if req.Release.Region == "" {
		return req, errs.New(errs.Usage, "environments.%s names no region", t.name).WithHint("add one, such as: region: fra")
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
	a    *app
	list *ui.Checklist
}

func newDeployProgress(a *app) *deployProgress {
	return &deployProgress{a: a, list: ui.NewChecklist(a.io, a.global.Quiet || a.global.JSON)}
}

func (d *deployProgress) close() { d.list.Close() }
