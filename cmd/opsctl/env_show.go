package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/envcheck"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/ui"
)

func newEnvShowCmd(a *app) *cobra.Command {
	var as string
	var reveal bool
	cmd := &cobra.Command{
		Use:   "show [FILE...]",
		Short: "Show what a program reads from a .env file",
		Long: `Show what a program reads from .env files: next (Next.js), compose (docker compose's
env_file) or dotenv (the npm package alone). Values are masked unless --reveal.
Exit status 3 with the reason when that program refuses a file.`,
		Example: `  opsctl env show --as next
  opsctl env show --as compose --reveal .env
  opsctl env show --as dotenv --reveal --json .env | jq -r .vars.DATABASE_URL`,
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, _, err := a.envPaths("")
			if err != nil {
				return err
			}
			reader, err := a.appReader(dir, as)
			if err != nil {
				return err
			}
			vars, err := a.envVars(cmd, reader, args)
			if err != nil {
				return err
			}
			if !reveal {
				vars = maskedVars(vars)
			}
			if a.global.JSON {
				return ui.JSON(a.io.Out, map[string]any{"schema": "opsctl.env.show/v1", "reader": reader, "masked": !reveal, "vars": vars})
			}
			for _, name := range slices.Sorted(maps.Keys(vars)) {
				if _, err := fmt.Fprintf(a.io.Out, "%s=%s\n", name, strings.ReplaceAll(vars[name], "\n", `\n`)); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&as, "as", "", "reader: next, compose or dotenv (default: as the app's stack does, next)")
	cmd.Flags().BoolVar(&reveal, "reveal", false, "print the values")
	return cmd
}

// maskedVars hides values, and names that may be a piece of one: a reader takes the
// last line of an unquoted key for an assignment.
func maskedVars(vars map[string]string) map[string]string {
	out := make(map[string]string, len(vars))
	for i, name := range slices.Sorted(maps.Keys(vars)) {
		shown := name
		if !envcheck.IsPlausibleName(name) && strings.ToLower(name) != name {
			shown = fmt.Sprintf("(name %d, %s)", i+1, ui.Count(int64(len([]rune(name))), "character"))
		}
		out[shown] = masked(vars[name])
	}
	return out
}

// masked says how long a value is and nothing else.
func masked(v string) string {
	if v == "" {
		return ""
	}
	return fmt.Sprintf("*** (%s)", ui.Count(int64(len([]rune(v))), "character"))
}

// envVars reads the files, the strongest last; a later one overrides.
func (a *app) envVars(cmd *cobra.Command, reader envcheck.Reader, files []string) (map[string]string, error) {
	named := len(files) > 0
	if !named {
		dir, _, err := a.envPaths("")
		if err != nil {
			return nil, err
		}
		env := a.envName(cmd)
		if env == "" {
			env = "development"
		}
		for _, name := range envcheck.NextFiles(envcheck.Mode(env)) {
			files = append([]string{filepath.Join(dir, name)}, files...)
		}
	}
	vars := map[string]string{}
	for _, name := range files {
		src, err := envcheck.ReadRegular(name)
		switch {
		case errors.Is(err, fs.ErrNotExist) && !named:
			continue
		case err != nil:
			return nil, errs.Wrap(err, errs.Usage, "read %s", name)
		}
		if err := envcheck.CheckText(name, src); err != nil {
			return nil, err
		}
		file, err := envcheck.Read(reader, name, src, nil)
		if err != nil {
			return nil, errs.Wrap(err, errs.CheckFailed, "").WithHint("opsctl env check says more")
		}
		maps.Copy(vars, file.Vars)
	}
	return vars, nil
}
