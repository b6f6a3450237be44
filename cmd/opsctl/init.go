package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/config"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/scaffold"
	"github.com/opsctl/opsctl/internal/ui"
)

// initFlags are the flags of init.
type initFlags struct {
	app, platform, region string
	force, explain, diff  bool
}

func newInitCmd(a *app) *cobra.Command {
	var f initFlags
	cmd := &cobra.Command{
		Use:     "init [DIR]",
		Short:   "Write the files that make a repository deployable",
		GroupID: "build",
		Long: `Write the files that make a repository deployable: opsctl.yaml, Dockerfile,
docker-compose.yml, .env.schema, health routes, a migrator and more, for the app
that is found in DIR (here, unless it is named).

A file of yours that differs is never overwritten: its diff is shown, and an
answer, --yes or --force decides; the old content is kept in FILE.orig. A second
run changes nothing.

Knows Next.js apps with pnpm or npm. Exits 3 when it finds something else, and 9
when a file needs an edit that it cannot make safely.`,
		Example: `  opsctl init                 # in the repository
  opsctl init --explain       # what was found, and where; writes nothing
  opsctl init --diff          # what would change, line by line; writes nothing
  opsctl init --region ams --app my-erp`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			return runInit(cmd.Context(), a, dir, f)
		},
	}
	cmd.Flags().StringVar(&f.app, "app", "", "the app's `name` on the platform (default: from package.json)")
	cmd.Flags().StringVar(&f.platform, "platform", "", "platform to write for: fly (the only one so far)")
	cmd.Flags().StringVar(&f.region, "region", "", "`region` to run in (default: fra)")
	cmd.Flags().BoolVar(&f.force, "force", false, "overwrite files that differ, keeping FILE.orig")
	cmd.Flags().BoolVar(&f.explain, "explain", false, "print each decision and where it came from, and write nothing")
	cmd.Flags().BoolVar(&f.diff, "diff", false, "print what would change as a diff, and write nothing")
	cmd.MarkFlagsMutuallyExclusive("explain", "diff")
	return cmd
}

func runInit(ctx context.Context, a *app, dir string, f initFlags) error {
	stack, err := scaffold.Detect(dir)
	if err != nil {
		return err
	}
	if f.explain {
		return printExplain(a, stack)
	}
	opts, err := initOptions(a, dir, stack, f)
	if err != nil {
		return err
	}
	plan, err := scaffold.Plan(dir, stack, opts)
	if err != nil {
		return err
	}
	out := &initOutput{a: a, dir: dir, stack: stack, opts: opts, dryRun: a.global.DryRun || f.diff}
	if out.dryRun {
		return out.printPlan(plan, f.diff, f.force || a.global.Yes)
	}
	list := ui.NewChecklist(a.io, a.global.Quiet || a.global.JSON)
	results, err := scaffold.Apply(ctx, dir, plan, scaffold.ApplyOptions{
		Force: f.force || a.global.Yes,
		Ask:   askOverwrite(a, list),
		Done:  func(r scaffold.Result) { printOutcome(list, r) },
	})
	if err != nil {
		return err
	}
	return out.finish(list, results)
}

// initOptions takes the flags, then what an opsctl.yaml that is already there says,
// so that a second run asks for the same files as the first.
func initOptions(a *app, dir string, stack *scaffold.Stack, f initFlags) (scaffold.Options, error) {
	o := scaffold.Options{App: f.app, Platform: f.platform, Region: f.region}
	path := filepath.Join(dir, config.FileName)
	if _, err := os.Stat(path); err == nil {
		p, err := config.NewLoader(a.lookup).Project(config.Global{Config: path})
		if err != nil {
			return o, err
		}
		env := p.Environments[config.DefaultEnv]
		o.App = firstOf(o.App, p.App)
		o.Platform = firstOf(o.Platform, env.Platform)
		o.Region = firstOf(o.Region, env.Region)
	}
	o.App = firstOf(o.App, stack.App)
	o.Platform = firstOf(o.Platform, "fly")
	o.Region = firstOf(o.Region, "fra")
	if f.platform != "" && f.platform != "fly" {
		return o, errs.New(errs.Usage, "init cannot write for platform %q yet", f.platform).WithHint("say --platform fly, or leave it out")
	}
	if !scaffold.ValidApp(o.App) {
		return o, errs.New(errs.Usage, "app name %q is not valid", o.App).
			WithHint("use lower-case letters, digits and dashes, a letter first, 2 to 30 characters")
	}
	if !scaffold.ValidRegion(o.Region) {
		return o, errs.New(errs.Usage, "region %q is not valid", o.Region).WithHint("use a region's short name, such as fra")
	}
	return o, nil
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// askOverwrite asks about one file that differs; nil, which keeps them all, where
// nobody can be asked.
func askOverwrite(a *app, list *ui.Checklist) func(context.Context, scaffold.Change) (bool, error) {
	if a.global.NoInput || a.global.JSON || !a.io.CanPrompt() {
		return nil
	}
	return func(ctx context.Context, c scaffold.Change) (bool, error) {
		list.Close()
		fmt.Fprint(a.io.Err, colorDiff(c.Diff))
		return a.io.Confirm(ctx, "overwrite "+c.Path+"? (the old content is kept in "+c.Path+".orig)", "--force")
	}
}
