package main

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/envcheck"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/ui"
)

// envTypesFlags are the flags of env types.
type envTypesFlags struct {
	schema, out  string
	check, force bool
	processEnv   bool
}

func newEnvTypesCmd(a *app) *cobra.Command {
	var f envTypesFlags
	cmd := &cobra.Command{
		Use:   "types",
		Short: "Render a typed TypeScript module from the schema",
		Long: `Render a TypeScript module from the schema, with a typed property for each variable:

  publicEnv   the variables that the framework puts into the code for the browser
  env         all variables, for the server

Code that gets to the browser imports publicEnv and never env: a production build
then leaves env out, and with it the names, defaults and patterns of the server's
variables. (A development server leaves nothing out.) Without public variables there
is no publicEnv. The module imports nothing, runs nothing when it is loaded, and needs
no types of Node.js or of a bundler.

A property reads the environment when it is used, and accepts what opsctl env check
accepts: numbers, ports and durations (in milliseconds, or the unit of output=)
become numbers, yes and 0 booleans, an enum a union of its words, an array a
readonly list. What is missing or wrong throws an error with the variable's name
and never its value. A variable that is required in some environments only is
"| undefined" and throws in those.

Which variables the browser has is said by the prefix of the schema's header
(@defaultSensitive=inferFromPrefix(VITE_)), else by the names. They are written out
as the bundler looks for them: import.meta.env.NAME with VITE_ and PUBLIC_ (Astro;
SvelteKit needs envPrefix: "PUBLIC_" in vite.config), process.env.NAME with
NEXT_PUBLIC_, REACT_APP_, EXPO_PUBLIC_, GATSBY_ and a prefix of one's own. Nuxt hands
its own over by useRuntimeConfig() and has none. All others are read from
process.env, into which Vite puts no .env file for the server, and throw in the
browser; in tests with jsdom they are there, for that is Node.js.

A condition on a variable that the browser does not have (@required=forEnv(production)
with $APP_ENV) is not checked by publicEnv, nor by env in the browser: env checks it on
the server. $NODE_ENV is in every bundle, and its conditions are checked there, unless
the schema gives it other words than development, production and test: bundlers write
no others. A default that is made of the server's variables is not to be had either:
set the variable where the app is built. Where the type itself depends on one
(number(isInt=if($ROUND, true, false))) the variable is in env only.

--process-env declares the variables on process.env and import.meta.env too, for code
that reads them there. A project that declares one itself, in an env.d.ts, cannot have
both (TS2717).

A build that has no secrets sets SKIP_ENV_VALIDATION=1: what is missing is undefined
then. With --check the file is compared instead, and exit status 3 says that it is
stale.`,
		Example: `  opsctl env types --out src/env.ts
  opsctl env types --out src/env.ts --check    # in CI
  opsctl env types --out src/env.ts --process-env
  opsctl env types > env.ts`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.envTypes(f) },
	}
	cmd.Flags().StringVar(&f.schema, "schema", "", "schema `file` (default: env.schema of opsctl.yaml, .env.schema)")
	cmd.Flags().StringVarP(&f.out, "out", "o", "", "write this `file` instead of standard output")
	cmd.Flags().BoolVar(&f.check, "check", false, "compare with the file of --out; exit 3 and print the diff when it is stale")
	cmd.Flags().BoolVar(&f.force, "force", false, "replace a file that opsctl did not generate")
	cmd.Flags().BoolVar(&f.processEnv, "process-env", false, "declare the variables on process.env and import.meta.env too")
	return cmd
}

func (a *app) envTypes(f envTypesFlags) error {
	if f.check && f.out == "" {
		return errs.New(errs.Usage, "--check needs a file to compare with").WithHint("name it: opsctl env types --check --out src/env.ts")
	}
	dir, path, err := a.envPaths(f.schema)
	if err != nil {
		return err
	}
	schema, err := a.soundSchema(dir, path)
	if err != nil {
		return err
	}
	if schema.FromExample() && !a.global.Quiet {
		a.io.Warn("%s is no schema: every variable is a text; opsctl env schema makes one of it", filepath.Join(dir, schema.Name))
	}
	want, err := envcheck.RenderTypeScript(schema, envcheck.TypeScriptOptions{Declare: f.processEnv})
	if err != nil {
		return err
	}
	if f.out == "" {
		if a.global.JSON {
			return ui.JSON(a.io.Out, map[string]any{"schema": "opsctl.env.types/v1", "variables": len(schema.Items), "text": string(want)})
		}
		_, err = a.io.Out.Write(want)
		return err
	}
	again := "opsctl env types --out " + f.out
	if f.processEnv {
		again += " --process-env"
	}
	return a.put(generated{
		id: "opsctl.env.types/v1", path: f.out, want: want, variables: len(schema.Items), again: again,
		mine: envcheck.IsGeneratedTypeScript,
	}, generatedFlags{f.check, f.force})
}
