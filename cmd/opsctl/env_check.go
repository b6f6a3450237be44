package main

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/atomicfile"
	"github.com/opsctl/opsctl/internal/envcheck"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/ui"
)

// envCheckFlags are the flags of env check.
type envCheckFlags struct {
	schema, phase, format, as          string
	strict, namesOnly, process, allowT bool
	fix                                bool
}

func newEnvCheckCmd(a *app) *cobra.Command {
	var f envCheckFlags
	cmd := &cobra.Command{
		Use:   "check [FILE...]",
		Short: "Find what is wrong in .env files",
		Long: `Find what is wrong in .env files: what the schema requires and is missing, values of
the wrong type, unknown keys, lines that Next.js and docker compose read
differently, references to variables that are set nowhere, keys that do not fit
together, and secrets in the wrong place.

Without FILE the files are those that Next.js loads in the environment, with its
precedence: .env.MODE.local, .env.local (not in test), .env.MODE, .env. Of several
FILEs a later one overrides an earlier one. --env names the environment; without
it development is checked.

A Next.js app is held to its own reader and to compose's; a plain Node.js server (stack
node in opsctl.yaml) to dotenv's and compose's; an app in another language to compose's.
--as says another one.

Each finding has file:line:col, a level, a rule, and below it what to do. Values of
sensitive keys are never printed. ` + "`opsctl env rules RULE`" + ` explains a rule.

--fix repairs what has one right spelling: values that two readers read differently,
keys that are set twice. It keeps comments and order, reads each file back, and says
so where a reader gets another value than before; with --dry-run it only says what it
would do. What is left is reported.

Exit status: 0 no error, 2 no readable schema, 3 errors found (or warnings, with
--strict).`,
		Example: `  opsctl env check
  opsctl env check --env production .env.production
  opsctl env check --names-only --env production    # in CI, which has no secrets
  opsctl env check --process --phase runtime        # in the running container
  opsctl env check --fix                            # repair what can be repaired
  opsctl env check --format github                  # annotations on the pull request`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.envCheck(cmd, args, f) },
	}
	cmd.Flags().StringVar(&f.schema, "schema", "", "schema `file` (default: env.schema of opsctl.yaml, .env.schema)")
	cmd.Flags().StringVar(&f.phase, "phase", "", "check for one phase only: build or runtime")
	cmd.Flags().StringVar(&f.format, "format", "", "text, json, github, sarif or junit (default text)")
	cmd.Flags().StringVar(&f.as, "as", "", "the app's own reader: next, compose or dotenv (default: as its stack does, next)")
	cmd.Flags().BoolVar(&f.fix, "fix", false, "repair the files where there is one right spelling")
	cmd.Flags().BoolVar(&f.strict, "strict", false, "a warning fails the check too")
	cmd.Flags().BoolVar(&f.namesOnly, "names-only", false, "check names only, where values are not at hand")
	cmd.Flags().BoolVar(&f.process, "process", false, "check the process environment too; it wins over files")
	cmd.Flags().BoolVar(&f.allowT, "allow-test-keys", false, "test keys may stand in production (a preview)")
	return cmd
}

func (f envCheckFlags) validate() error {
	switch {
	case f.phase != "" && f.phase != "build" && f.phase != "runtime":
		return errs.New(errs.Usage, "unknown phase %q", f.phase).WithHint("one of: build, runtime")
	case f.fix && f.namesOnly:
		return errs.New(errs.Usage, "--fix and --names-only exclude each other").WithHint("a repair has to read the values")
	}
	return checkFormat(f.format)
}

func (a *app) envCheck(cmd *cobra.Command, args []string, f envCheckFlags) error {
	if f.format == "" && a.global.JSON {
		f.format = "json"
	}
	if err := f.validate(); err != nil {
		return err
	}
	dir, schema, err := a.envPaths(f.schema)
	if err != nil {
		return err
	}
	if err := a.checkEnvName(a.envName(cmd)); err != nil {
		return err
	}
	reader, err := a.appReader(dir, f.as)
	if err != nil {
		return err
	}
	o := envcheck.Options{
		Reader: reader, Dir: dir, SchemaPath: schema, Env: a.envName(cmd), Phase: f.phase, Strict: f.strict,
		NamesOnly: f.namesOnly, AllowTestKeys: f.allowT, Tracked: gitTracked, Now: a.now,
		InProcess: func(name string) bool { _, ok := a.lookup(name); return ok },
	}
	for _, arg := range slices.Backward(args) { // the last one wins, so it comes first
		rel, err := relative(dir, filepath.Clean(arg))
		if err != nil {
			return err
		}
		if !slices.Contains(o.Files, rel) {
			o.Files = append(o.Files, rel)
		}
	}
	if f.process {
		o.Process = processEnv()
	}
	var repairs []envcheck.Repair
	if f.fix {
		if repairs, err = a.fixEnv(cmd, o, f.format); err != nil {
			return err
		}
	}
	report, err := envcheck.Check(cmd.Context(), o)
	if err != nil {
		return err
	}
	report.Fixed = repairs
	for i, finding := range report.Findings {
		if finding.File != envcheck.ProcessName {
			report.Findings[i].File = inDir(dir, finding.File)
		}
	}
	report.SchemaFile = inDir(dir, report.SchemaFile)
	for _, names := range [][]string{report.Files, report.Unread} {
		for i, name := range names {
			names[i] = inDir(dir, name)
		}
	}
	if err := a.printEnvReport(report, f.format); err != nil {
		return err
	}
	if !report.OK {
		return silent(errs.CheckFailed)
	}
	return nil
}

// fixEnv repairs the files of a check, and tells what it did.
func (a *app) fixEnv(cmd *cobra.Command, o envcheck.Options, format string) ([]envcheck.Repair, error) {
	fixed, err := envcheck.Fix(cmd.Context(), o)
	if err != nil {
		return nil, err
	}
	out, verb := a.io.Out, "fixed"
	if format != "" && format != "text" {
		out = a.io.Err
	}
	if a.global.DryRun {
		verb = "would fix"
	}
	repairs := []envcheck.Repair{}
	for _, f := range fixed {
		path := inDir(o.Dir, f.File)
		if !a.global.DryRun {
			if err := atomicfile.Update(path, f.Text, 0o600); err != nil {
				return nil, errs.Wrap(err, errs.Failure, "repair %s", path).WithHint("the file is as it was")
			}
		}
		for _, r := range f.Repairs {
			r.File = path
			repairs = append(repairs, r)
			name := r.Key
			if name != "" {
				name += ": "
			}
			fmt.Fprintf(out, "%s:%d:%d %s %s %s%s\n", r.File, r.Line, r.Col, ui.Green(verb), ui.Bold(r.Rule), name, r.Message)
			for _, c := range r.Changes {
				fmt.Fprintf(out, "    %s\n", c)
			}
		}
	}
	return repairs, nil
}

// inDir is the path of a file that a check names.
func inDir(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}
