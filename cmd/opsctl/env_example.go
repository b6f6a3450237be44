package main

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/envcheck"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/ui"
)

func newEnvExampleCmd(a *app) *cobra.Command {
	var schemaFlag string
	var write bool
	var f generatedFlags
	cmd := &cobra.Command{
		Use:   "example",
		Short: "Render .env.example from the schema",
		Long: `Render .env.example from the schema: its order, sections and comments, one line per
key that says what is required, and no secret. A key that may be missing and has
no example is commented out.

With --write it goes to .env.example beside the schema, which is replaced when it
was rendered from a schema before, and else with --force only. With --check that
file is compared instead, and exit status 3 says that it is stale.`,
		Example: `  opsctl env example --write
  opsctl env example --check    # in CI
  opsctl env example --schema apps/web/.env.schema`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			dir, path, err := a.envPaths(schemaFlag)
			if err != nil {
				return err
			}
			schema, err := a.soundSchema(dir, path)
			if err != nil {
				return err
			}
			want, err := envcheck.RenderExample(schema)
			if err != nil {
				return errs.Wrap(err, errs.Usage, "")
			}
			if !write && !f.check {
				if a.global.JSON {
					return ui.JSON(a.io.Out, map[string]any{"schema": "opsctl.env.example/v1", "variables": len(schema.Items), "text": string(want)})
				}
				_, err = a.io.Out.Write(want)
				return err
			}
			return a.put(generated{
				id: "opsctl.env.example/v1", path: inDir(dir, filepath.Join(filepath.Dir(path), ".env.example")), want: want,
				variables: len(schema.Items), again: "opsctl env example --write", mine: envcheck.IsRenderedExample,
			}, f)
		},
	}
	cmd.Flags().StringVar(&schemaFlag, "schema", "", "schema `file` (default: env.schema of opsctl.yaml, .env.schema)")
	cmd.Flags().BoolVar(&write, "write", false, "write .env.example beside the schema")
	cmd.Flags().BoolVar(&f.check, "check", false, "compare with .env.example; exit 3 and print the diff when it is stale")
	cmd.Flags().BoolVar(&f.force, "force", false, "replace a .env.example that was written by hand")
	return cmd
}
