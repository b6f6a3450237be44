package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/envcheck"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/execx"
	"github.com/opsctl/opsctl/internal/ui"
)

func newEnvCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "env",
		Short:   "Check .env files against .env.schema",
		GroupID: "build",
		Long: `The contract of an app's environment is .env.schema, in the env-spec syntax. These
commands check .env files and the process environment against it, show what
Next.js and docker compose make of a file, and render .env.example.`,
		Example: `  opsctl env check
  opsctl env check --env production .env.production
  opsctl env show --as compose .env
  opsctl env example > .env.example`,
	}
	cmd.AddCommand(newEnvCheckCmd(a), newEnvShowCmd(a), newEnvExampleCmd(a))
	return cmd
}

// envCheckFlags are the flags of env check.
type envCheckFlags struct {
	schema, phase, format              string
	strict, namesOnly, process, allowT bool
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

Each finding has file:line:col, a level, a rule, and below it what to do. Values of
sensitive keys are never printed. Exit status: 0 no error, 2 no readable schema,
3 errors found (or warnings, with --strict).`,
		Example: `  opsctl env check
  opsctl env check --env production .env.production
  opsctl env check --names-only --env production    # in CI, which has no secrets
  opsctl env check --process --phase runtime        # in the running container
  opsctl env check --format github                  # annotations on the pull request`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.envCheck(cmd, args, f) },
	}
	cmd.Flags().StringVar(&f.schema, "schema", "", "schema `file` (default: env.schema of opsctl.yaml, .env.schema)")
	cmd.Flags().StringVar(&f.phase, "phase", "", "check for one phase only: build or runtime")
	cmd.Flags().StringVar(&f.format, "format", "", "text, json or github (default text)")
	cmd.Flags().BoolVar(&f.strict, "strict", false, "a warning fails the check too")
	cmd.Flags().BoolVar(&f.namesOnly, "names-only", false, "check names only, where values are not at hand")
	cmd.Flags().BoolVar(&f.process, "process", false, "check the process environment too; it wins over files")
	cmd.Flags().BoolVar(&f.allowT, "allow-test-keys", false, "test keys may stand in production (a preview)")
	return cmd
}

func (a *app) envCheck(cmd *cobra.Command, args []string, f envCheckFlags) error {
	if f.format == "" && a.global.JSON {
		f.format = "json"
	}
	switch {
	case f.phase != "" && f.phase != "build" && f.phase != "runtime":
		return errs.New(errs.Usage, "unknown phase %q", f.phase).WithHint("one of: build, runtime")
	case f.format != "" && f.format != "text" && f.format != "json" && f.format != "github":
		return errs.New(errs.Usage, "unknown format %q", f.format).WithHint("one of: text, json, github")
	}
	dir, schema, err := a.envPaths(f.schema)
	if err != nil {
		return err
	}
	o := envcheck.Options{
		Dir: dir, SchemaPath: schema, Env: a.envName(cmd), Phase: f.phase, Strict: f.strict,
		NamesOnly: f.namesOnly, AllowTestKeys: f.allowT, Tracked: gitTracked, Now: a.now,
		InProcess: func(name string) bool { _, ok := a.lookup(name); return ok },
	}
	for _, arg := range args { // the last one wins, so it comes first
		rel, err := relative(dir, arg)
		if err != nil {
			return err
		}
		o.Files = append([]string{rel}, o.Files...)
	}
	if f.process {
		o.Process = processEnv()
	}
	report, err := envcheck.Check(cmd.Context(), o)
	if err != nil {
		return err
	}
	for i, finding := range report.Findings {
		if finding.File != envcheck.ProcessName {
			report.Findings[i].File = filepath.Join(dir, finding.File)
		}
	}
	for _, names := range [][]string{report.Files, report.Unread} {
		for i, name := range names {
			names[i] = filepath.Join(dir, name)
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

// envName is the environment that was asked for, "" when none was: the
// default of --env is where deploys go, not what a developer's .env is for.
func (a *app) envName(cmd *cobra.Command) string {
	if cmd.Flags().Changed("env") || a.getenv("OPSCTL_ENV") != "" {
		return a.global.Env
	}
	return ""
}

// envPaths gives the directory of the project, relative to here, and the schema's path in it.
func (a *app) envPaths(flag string) (dir, schema string, err error) {
	p, err := a.project()
	if err != nil {
		return "", "", err
	}
	if p.Path != "" {
		wd, err := os.Getwd()
		if err != nil {
			return "", "", err
		}
		abs, err := filepath.Abs(filepath.Dir(p.Path))
		if err != nil {
			return "", "", err
		}
		if dir, err = filepath.Rel(wd, abs); err != nil {
			dir = abs
		}
	}
	if flag == "" {
		return dir, p.Env.Schema, nil
	}
	schema, err = relative(dir, flag)
	return dir, schema, err
}

// relative is a path given on the command line as seen from dir.
func relative(dir, path string) (string, error) {
	if dir == "" || dir == "." || filepath.IsAbs(path) {
		return path, nil
	}
	return filepath.Rel(dir, path)
}

func processEnv() map[string]string {
	env := map[string]string{}
	for _, kv := range os.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		env[name] = value
	}
	return env
}

// gitTracked asks git which of the files it tracks.
func gitTracked(ctx context.Context, dir string, files []string) ([]string, error) {
	if !inRepository(dir) {
		return nil, errors.New("no repository")
	}
	out, err := execx.Output(ctx, execx.Cmd{Path: "git", Args: append([]string{"ls-files", "-z", "--"}, files...), Dir: dir})
	if err != nil {
		return nil, err
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 }), nil
}

// inRepository looks for .git in dir and above, so that git is not started for nothing.
func inRepository(dir string) bool {
	dir, err := filepath.Abs(dir)
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
			return true
		}
		up := filepath.Dir(dir)
		if up == dir {
			break
		}
		dir = up
	}
	return false
}

func newEnvExampleCmd(a *app) *cobra.Command {
	var schemaFlag string
	var check bool
	cmd := &cobra.Command{
		Use:   "example",
		Short: "Render .env.example from the schema",
		Long: `Render .env.example from the schema: its order, sections and comments, one line per
key that says what is required, and no secret. With --check the file is compared
instead, and exit status 3 says that it is stale.`,
		Example: `  opsctl env example > .env.example
  opsctl env example --check    # in CI`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			dir, schema, err := a.envPaths(schemaFlag)
			if err != nil {
				return err
			}
			want, err := renderExample(dir, schema, a.global.Env)
			if err != nil {
				return err
			}
			if check {
				return a.checkExample(filepath.Join(dir, filepath.Dir(schema), ".env.example"), want)
			}
			_, err = a.io.Out.Write(want)
			return err
		},
	}
	cmd.Flags().StringVar(&schemaFlag, "schema", "", "schema `file` (default: env.schema of opsctl.yaml, .env.schema)")
	cmd.Flags().BoolVar(&check, "check", false, "compare with .env.example; exit 3 and print the diff when it is stale")
	return cmd
}

func renderExample(dir, path, env string) ([]byte, error) {
	schema, findings, err := envcheck.LoadSchema(dir, path, env, envcheck.ReadRegular)
	if err != nil {
		return nil, err
	}
	for _, f := range findings {
		if f.Level == envcheck.Error {
			return nil, errs.New(errs.Usage, "%s:%d:%d: %s", filepath.Join(dir, f.File), f.Line, f.Col, f.Message).
				WithHint("opsctl env check lists every mistake of the schema")
		}
	}
	out, err := envcheck.RenderExample(schema)
	if err != nil {
		return nil, errs.Wrap(err, errs.Usage, "")
	}
	return out, nil
}

func (a *app) checkExample(path string, want []byte) error {
	have, err := envcheck.ReadRegular(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return errs.Wrap(err, errs.Usage, "read %s", path)
	}
	d := diff.Diff(path, have, path+" (from the schema)", want)
	if len(d) == 0 {
		_, err := fmt.Fprintf(a.io.Out, "%s %s is up to date\n", ui.OK, path)
		return err
	}
	if _, err := a.io.Out.Write(d); err != nil {
		return err
	}
	return errs.New(errs.CheckFailed, "%s is stale", path).WithHint("run: opsctl env example > %s", path)
}
