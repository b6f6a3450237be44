package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/config"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/scaffold"
	"github.com/opsctl/opsctl/internal/ui"
)

// initFlags are the flags of init.
type initFlags struct {
	app, region          string
	platforms            []string
	force, keep          bool
	explain, diff, check bool
	listTemplates        bool
	copyTemplate         string
}

func newInitCmd(a *app) *cobra.Command {
	var f initFlags
	cmd := &cobra.Command{
		Use:     "init [DIR]",
		Short:   "Write the files that make a repository deployable, and keep them in step",
		GroupID: "build",
		Long: `Write the files that make a repository deployable: opsctl.yaml, Dockerfile,
docker-compose.yml, .env.schema, the platform's own file, health routes, a
migrator, workflows and a guide, for the app that is found in DIR (here, unless
it is named; at the root of a workspace, its only app).

Knows Next.js with npm, pnpm, yarn or bun, alone or in a workspace; Node.js
servers, Go, Django and FastAPI; and any app that has a Dockerfile, which is
kept. --explain says what was found, and where.

Run it again after opsctl or the app has changed: what init wrote is brought up
to date, and what you have changed stays. .opsctl/init.json holds what init
wrote last; commit it. Where you and init have changed the same lines, the file
is left alone and the diff shown: take over what you want and say --keep, or
have --force replace the file and keep yours in FILE.orig.

A template of your own in .opsctl/templates is used in place of opsctl's.

Exits 3 when nothing is found that init knows, or when --check finds files that
are behind, and 9 when a file needs something that only you can do.`,
		Example: `  opsctl init                 # in the repository
  opsctl init --explain       # what was found, and where; writes nothing
  opsctl init --diff          # what would change, line by line; writes nothing
  opsctl init --check         # in CI: are the files in step?
  opsctl init --platform fly --platform render --region ams --app my-erp
  opsctl init --copy-template docker/nextjs.Dockerfile.tmpl`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			switch {
			case f.listTemplates:
				return listTemplates(a)
			case f.copyTemplate != "":
				return copyTemplate(cmd.Context(), a, dir, f.copyTemplate)
			}
			return runInit(cmd.Context(), a, dir, f)
		},
	}
	cmd.Flags().StringVar(&f.app, "app", "", "the app's `name` on the platform (default: from package.json)")
	cmd.Flags().StringSliceVar(&f.platforms, "platform", nil, "`platform` to write for: fly, railway or render; a second one is for staging\n(default: those that opsctl.yaml names, or fly)")
	cmd.Flags().StringVar(&f.region, "region", "", "`region` to run in, by the platform's name (default: in or near Frankfurt)")
	cmd.Flags().BoolVar(&f.force, "force", false, "overwrite files that differ, keeping FILE.orig")
	cmd.Flags().BoolVar(&f.keep, "keep", false, "keep your version of files in conflict, and ask no more")
	cmd.Flags().BoolVar(&f.explain, "explain", false, "print each decision and where it came from, and write nothing")
	cmd.Flags().BoolVar(&f.diff, "diff", false, "print what would change as a diff, and write nothing")
	cmd.Flags().BoolVar(&f.check, "check", false, "exit 3 with a diff when files are behind, and write nothing")
	cmd.Flags().BoolVar(&f.listTemplates, "list-templates", false, "print the names of opsctl's templates")
	cmd.Flags().StringVar(&f.copyTemplate, "copy-template", "", "copy the template `NAME` to .opsctl/templates, to be changed")
	cmd.MarkFlagsMutuallyExclusive("explain", "diff", "check", "list-templates", "copy-template")
	cmd.MarkFlagsMutuallyExclusive("force", "keep")
	cmd.MarkFlagsMutuallyExclusive("force", "check")
	return cmd
}

func runInit(ctx context.Context, a *app, dir string, f initFlags) error {
	stack, err := scaffold.Detect(ctx, dir, scaffold.DetectOptions{ReplaceDockerfile: f.force})
	if err != nil {
		return err
	}
	if f.explain {
		return printExplain(a, stack)
	}
	opts, err := initOptions(a, stack, f)
	if err != nil {
		return err
	}
	plan, err := scaffold.Plan(stack, opts)
	if err != nil {
		return err
	}
	stack.Notes = append(stack.Notes, scaffold.IgnoredByGit(ctx, stack, plan)...)
	apply := scaffold.ApplyOptions{Force: f.force, Keep: f.keep}
	out := &initOutput{a: a, dir: dir, stack: stack, opts: opts, dryRun: a.global.DryRun || f.diff || f.check}
	switch {
	case f.check:
		return out.check(plan, opts.Config != nil)
	case out.dryRun:
		return out.printPlan(plan, f.diff, apply)
	}
	list := ui.NewChecklist(a.io, a.global.Quiet || a.global.JSON)
	apply.Ask = askOverwrite(a, list)
	apply.Done = func(r scaffold.Result) { out.outcome(list, r) }
	results, err := scaffold.Apply(ctx, stack, plan, apply)
	if err != nil {
		return err
	}
	return out.finish(list, results)
}

// regions are where a platform runs an app that says nothing of it: in or near
// Frankfurt, as all three platforms can.
var regions = map[string]string{"fly": "fra", "railway": "europe-west4-drams3a", "render": "frankfurt"}

// initOptions takes the flags, then what an opsctl.yaml that is already there says,
// so that a second run asks for the same files as the first.
func initOptions(a *app, stack *scaffold.Stack, f initFlags) (scaffold.Options, error) {
	o := scaffold.Options{App: f.app, Version: releaseVersion(version)}
	path := filepath.Join(stack.Repo, filepath.FromSlash(stack.Dir), config.FileName)
	var project *config.Project
	if info, err := os.Lstat(path); err == nil {
		if !info.Mode().IsRegular() {
			return o, errs.New(errs.Usage, "%s is no regular file", config.FileName).WithHint("init reads and writes the file itself: put it there")
		}
		p, err := config.NewLoader(a.lookup).Project(config.Global{Config: path})
		if err != nil {
			return o, err
		}
		o.App = firstOf(o.App, p.App)
		o.SentryOrg, o.SentryProject = p.Sentry.Org, p.Sentry.Project
		o.Environments = environments(p)
		project = p
		if file := p.Build.Dockerfile; file != "Dockerfile" {
			stack.Notes = append(stack.Notes, "opsctl.yaml builds from "+file+", which init does not write: the Dockerfile that it writes is not used")
		}
	}
	o.App = firstOf(o.App, stack.App)
	var err error
	if o.Environments, err = f.choose(o.Environments); err != nil {
		return o, err
	}
	if o.Config, err = stack.WrittenConfig(); err != nil {
		return o, err
	}
	if o.Config != nil {
		o.Config.App = firstOf(f.app, o.Config.App)
		if o.Config.Environments, err = f.choose(o.Config.Environments); err != nil {
			return o, err
		}
	}
	if project != nil {
		overrule(&o, project)
	}
	if !scaffold.ValidApp(o.App) {
		return o, errs.New(errs.Usage, "app name %q is not valid", o.App).
			WithHint("use lower-case letters, digits and dashes, a letter first, 2 to 30 characters")
	}
	if f.region != "" && !scaffold.ValidRegion(f.region) {
		return o, errs.New(errs.Usage, "region %q is not valid", f.region).WithHint("use a region's short name, such as fra")
	}
	return o, nil
}

// overrule has what the user says in opsctl.yaml win over what is detected. What
// stands there as init wrote it is no word of the user's: detection may have found
// something else since.
func overrule(o *scaffold.Options, p *config.Project) {
	defaults := scaffold.Config{Port: 3000, HealthPath: "/api/health"}
	if written := o.Config; written != nil {
		defaults.Release = written.Release
		if written.Port != 0 {
			defaults.Port = written.Port
		}
		defaults.HealthPath = firstOf(written.HealthPath, defaults.HealthPath)
	}
	if p.Web.Port != defaults.Port || o.Config == nil {
		o.Port = p.Web.Port
	}
	if p.Web.Health != defaults.HealthPath || o.Config == nil {
		o.HealthPath = p.Web.Health
	}
	if !slices.Equal(p.Release.Command, defaults.Release) {
		o.Release = append([]string{}, p.Release.Command...) // an empty one: nothing is to run
	}
}

// choose applies the flags to environments.
func (f initFlags) choose(list []scaffold.Environment) ([]scaffold.Environment, error) {
	if len(f.platforms) > 0 || len(list) == 0 {
		var err error
		if list, err = usePlatforms(list, f.platforms); err != nil {
			return nil, err
		}
	}
	for i := range list {
		if e := &list[i]; f.region != "" && e.Name == config.DefaultEnv {
			e.Region = f.region
		} else {
			e.Region = firstOf(e.Region, regions[e.Platform])
		}
	}
	return list, nil
}

// environments are those of opsctl.yaml, production first.
func environments(p *config.Project) []scaffold.Environment {
	var list []scaffold.Environment
	for name, e := range p.Environments {
		list = append(list, scaffold.Environment{Name: name, Platform: e.Platform, Region: e.Region, Instances: e.Instances})
	}
	sortEnvironments(list)
	return list
}

// sortEnvironments puts production first, and the others in the order of their names.
func sortEnvironments(list []scaffold.Environment) {
	slices.SortFunc(list, func(x, y scaffold.Environment) int {
		rank := func(e scaffold.Environment) string {
			if e.Name == config.DefaultEnv {
				return ""
			}
			return e.Name
		}
		return strings.Compare(rank(x), rank(y))
	})
}

// usePlatforms makes an environment of each platform that is asked for: production,
// staging, and one by the platform's own name. What opsctl.yaml says of an
// environment on the same platform stays.
func usePlatforms(list []scaffold.Environment, platforms []string) ([]scaffold.Environment, error) {
	if len(platforms) == 0 {
		platforms = []string{"fly"}
	}
	names := []string{config.DefaultEnv, "staging"}
	for i, p := range platforms {
		if _, ok := regions[p]; !ok {
			return nil, errs.New(errs.Usage, "init cannot write for platform %q", p).WithHint("say --platform fly, railway or render")
		}
		if slices.ContainsFunc(list, func(e scaffold.Environment) bool { return e.Platform == p }) {
			continue
		}
		e := scaffold.Environment{Name: p, Platform: p, Instances: 1}
		if i < len(names) {
			e.Name = names[i]
		}
		if e.Name == config.DefaultEnv {
			e.Instances = 2
		}
		if same := slices.IndexFunc(list, func(old scaffold.Environment) bool { return old.Name == e.Name }); same >= 0 {
			list[same] = e
			continue
		}
		list = append(list, e)
	}
	sortEnvironments(list)
	return list, nil
}

// nextRelease is the version that workflows install when this program is no release:
// the one that its source will become.
const nextRelease = "0.1.0"

// releaseVersion is opsctl's version as a release has it.
func releaseVersion(v string) string {
	v = strings.TrimPrefix(v, "v")
	if strings.ContainsAny(v, "-+") || strings.Count(v, ".") != 2 {
		return nextRelease
	}
	return v
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

func listTemplates(a *app) error {
	for _, name := range scaffold.Templates() {
		if _, err := fmt.Fprintln(a.io.Out, name); err != nil {
			return err
		}
	}
	return nil
}

// copyTemplate starts a template of the user's own, in the app's folder.
func copyTemplate(ctx context.Context, a *app, dir, name string) error {
	stack, err := scaffold.Detect(ctx, dir, scaffold.DetectOptions{})
	if err != nil {
		return err
	}
	file, err := scaffold.CopyTemplate(stack, name, a.global.DryRun)
	if err != nil {
		return err
	}
	if !a.global.Quiet {
		verb := "wrote"
		if a.global.DryRun {
			verb = "would write"
		}
		fmt.Fprintf(a.io.Err, "%s %s: change it, and run opsctl init\n", verb, file)
	}
	return nil
}

// askOverwrite asks about one file that differs; nil, which keeps them all, where
// nobody can be asked.
func askOverwrite(a *app, list *ui.Checklist) func(context.Context, scaffold.Change) (bool, error) {
	if a.global.Yes {
		return func(context.Context, scaffold.Change) (bool, error) { return true, nil }
	}
	if a.global.NoInput || a.global.JSON || !a.io.CanPrompt() {
		return nil
	}
	return func(ctx context.Context, c scaffold.Change) (bool, error) {
		list.Close()
		fmt.Fprint(a.io.Err, colorDiff(c.Diff))
		return a.io.Confirm(ctx, "overwrite "+c.Path+"? (the old content is kept in "+c.Path+".orig)", "--force")
	}
}
