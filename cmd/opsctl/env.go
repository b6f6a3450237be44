package main

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/envcheck"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/execx"
)

func newEnvCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "env",
		Short:   "One contract for the environment: check, repair, scan, push",
		GroupID: "build",
		Long: `The contract of an app's environment is .env.schema, in the env-spec syntax. These
commands check and repair .env files and the process environment against it, show
what Next.js and docker compose make of a file, render .env.example, find the
variables that the code reads, and keep the platform's variables in step.`,
		Example: `  opsctl env check
  opsctl env check --env production .env.production
  opsctl env show --as compose .env
  opsctl env example --write`,
	}
	cmd.AddCommand(
		newEnvCheckCmd(a), newEnvShowCmd(a), newEnvRulesCmd(a),
		newEnvSchemaCmd(a), newEnvExampleCmd(a), newEnvTypesCmd(a), newEnvScanCmd(a),
		newEnvDiffCmd(a), newEnvPushCmd(a), newEnvPullCmd(a),
	)
	return cmd
}

// envName is the environment that was asked for, "" when none was: the
// default of --env is where deploys go, not what a developer's .env is for.
func (a *app) envName(cmd *cobra.Command) string {
	if cmd.Flags().Changed("env") || a.getenv("OPSCTL_ENV") != "" {
		return a.global.Env
	}
	return ""
}

// checkEnvName is the usage error for a name that is a slip of an environment's. Any
// other name may be one that opsctl.yaml does not have.
func (a *app) checkEnvName(name string) error {
	p, err := a.project()
	if err != nil {
		return err
	}
	known := append(slices.Collect(maps.Keys(p.Environments)), "development", "test", "production")
	if name == "" || slices.Contains(known, name) {
		return nil
	}
	if near := errs.Closest(name, known); near != "" {
		return errs.New(errs.Usage, "there is no environment %q", name).WithHint("did you mean --env %s? Else add it to `environments` in opsctl.yaml", near)
	}
	return nil
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

// appReader is how the app itself reads .env files: as --as says, or else as apps of
// its stack do. Without opsctl.yaml, other languages are told by their own files.
func (a *app) appReader(dir, as string) (envcheck.Reader, error) {
	if as != "" {
		reader := envcheck.Reader(as)
		if !slices.Contains(envcheck.Readers(), reader) {
			return "", errs.New(errs.Usage, "unknown reader %q", as).WithHint("one of: next, compose, dotenv")
		}
		return reader, nil
	}
	p, err := a.project()
	if err != nil {
		return "", err
	}
	if p.Stack != "" || has(dir, "package.json") {
		return envcheck.ReaderOf(p.Stack), nil
	}
	for _, name := range []string{"go.mod", "pyproject.toml", "requirements.txt", "manage.py", "Gemfile", "composer.json", "Cargo.toml"} {
		if has(dir, name) {
			return envcheck.Compose, nil
		}
	}
	return envcheck.Next, nil
}

func has(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
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
	if _, ok := repositoryRoot(dir); !ok { // git is not started for nothing
		return nil, errors.New("no repository")
	}
	out, err := execx.Output(ctx, execx.Cmd{Path: "git", Args: append([]string{"ls-files", "-z", "--"}, files...), Dir: dir})
	if err != nil {
		return nil, err
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 }), nil
}

// repositoryRoot is the folder at or above dir that has .git; false where none has.
func repositoryRoot(dir string) (string, bool) {
	dir, err := filepath.Abs(dir)
	for err == nil {
		if has(dir, ".git") {
			return dir, true
		}
		up := filepath.Dir(dir)
		if up == dir {
			break
		}
		dir = up
	}
	return "", false
}
