package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/envcheck"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/ui"
)

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
