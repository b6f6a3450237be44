package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/opsctl/opsctl/internal/config"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/ui"
)

func newConfigCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "config",
		Short:   "Check and show opsctl.yaml",
		GroupID: "build",
		Example: `  opsctl config check
  opsctl config show --origin
  opsctl config schema > opsctl.schema.json`,
	}
	cmd.AddCommand(newConfigCheckCmd(a), newConfigShowCmd(a), newConfigSchemaCmd(a))
	return cmd
}

func newConfigCheckCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "check",
		Short:   "Find every mistake in opsctl.yaml",
		Long:    "Find every mistake in opsctl.yaml, with its line and column. Exits 2 when there is one.",
		Example: "  opsctl config check --config deploy/opsctl.yaml",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			path, problems, err := a.loader.Check(a.global)
			if err != nil {
				return err
			}
			if a.global.JSON {
				if problems == nil {
					problems = []config.Problem{}
				}
				if err := ui.JSON(a.io.Out, map[string]any{
					"schema": "opsctl.config.check/v1", "file": path, "ok": !config.Invalidates(problems), "problems": problems,
				}); err != nil {
					return err
				}
			} else {
				for _, p := range problems {
					fmt.Fprintln(a.io.Out, p)
				}
			}
			if config.Invalidates(problems) {
				return silent(errs.Usage)
			}
			if !a.global.JSON {
				fmt.Fprintf(a.io.Out, "%s %s is valid\n", ui.OK, path)
			}
			return nil
		},
	}
}

func newConfigShowCmd(a *app) *cobra.Command {
	var origin bool
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Print the configuration in force",
		Long:  "Print the configuration in force: opsctl.yaml with the defaults and every override.",
		Example: `  opsctl config show
  opsctl config show --origin   # where each value came from`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			p, err := a.project()
			if err != nil {
				return err
			}
			settings := a.loader.Settings()
			switch {
			case a.global.JSON:
				return ui.JSON(a.io.Out, map[string]any{
					"schema": "opsctl.config.show/v1", "file": p.Path, "settings": settings, "environments": p.Environments,
				})
			case origin:
				rows := make([][]string, len(settings))
				for i, s := range settings {
					rows[i] = []string{s.Key, s.Origin, s.Value}
				}
				ui.Table(a.io.Out, a.io.Width(), []string{"setting", "origin", "value"}, rows)
				return nil
			default:
				enc := yaml.NewEncoder(a.io.Out)
				enc.SetIndent(2)
				return enc.Encode(p)
			}
		},
	}
	cmd.Flags().BoolVar(&origin, "origin", false, "say where each value came from")
	return cmd
}

func newConfigSchemaCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON Schema of opsctl.yaml",
		Example: "  opsctl config schema > opsctl.schema.json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			out, err := config.Schema()
			if err != nil {
				return err
			}
			_, err = a.io.Out.Write(out)
			return err
		},
	}
}
