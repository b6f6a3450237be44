package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/atomicfile"
	"github.com/opsctl/opsctl/internal/envcheck"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/ui"
)

// envSchemaFlags are the flags of env schema.
type envSchemaFlags struct {
	from                []string
	out                 string
	write, force, merge bool
	jsonSchema          bool
}

func newEnvSchemaCmd(a *app) *cobra.Command {
	var f envSchemaFlags
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Make a first .env.schema from .env.example or .env",
		Long: `Make a first .env.schema from an example or a .env: its keys, order, sections and
comments, with types where name and value make them clear. Read it through: what
is required, secret or public is a guess to be corrected.

Without --from the file is .env.example, or .env where there is none. The schema
goes to standard output, or with --write to the project's .env.schema, which is
replaced with --force only. --merge adds to the schema that is there the
variables it lacks, and changes nothing else in it.

A line with a value is required. An empty one is optional, and so is one that is
commented out (# KEY=value). Where no line has a value the file is a list of
names, and all are required. A comment "required" or "optional" is believed, and
decorators (@required, @type=port) are kept as they are.

A value of an example becomes the @example, unless it looks like a secret, is a
placeholder, or belongs to a key that is named like a secret: such a value is then
hidden in other keys' values and in comments too. Of a .env no value
is taken over but a boolean, a port or a word such as a log level, and no comment
but a heading (# --- database ---) in words that are known to be none. Standard
input is taken for a .env.

An example that opsctl env example rendered is turned back: the lines that it made
say again what is required, where, of what type and secret, and what to read.

Where a project has .env.example and no .env.schema, opsctl env check takes the
example for the contract by the same rules: its keys are the known ones, and a
key whose line has a value is required. dotenv-safe requires every line, also an
empty one: a line # @defaultRequired=true at the top of the example, with a blank
line after it, says so.

--json-schema prints the schema that is there as a JSON Schema (2020-12) of the
environment, an object of texts, for editors and other tools. It refuses nothing that
env check accepts, and holds no example or default of a sensitive variable.`,
		Example: `  opsctl env schema --write                        # .env.schema from .env.example
  opsctl env schema --from .env > .env.schema      # no value of it that could be secret
  opsctl env schema --from apps/web/.env.example --from apps/api/.env.example
  opsctl env schema --merge --write --dry-run      # what .env.example has and the schema lacks
  opsctl env schema --force --write --from .env.example
  grep -v ^TEST_ .env | opsctl env schema --from -
  opsctl env schema --json-schema > env.schema.json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.envSchema(f) },
	}
	cmd.Flags().StringArrayVar(&f.from, "from", nil, "`file` to make it from, - for standard input; may be given several times\n(default .env.example, .env)")
	cmd.Flags().BoolVar(&f.write, "write", false, "write the project's schema file")
	cmd.Flags().StringVarP(&f.out, "out", "o", "", "write this `file`")
	cmd.Flags().BoolVar(&f.force, "force", false, "replace a schema that is there")
	cmd.Flags().BoolVar(&f.merge, "merge", false, "add to the schema that is there only what it lacks")
	cmd.Flags().BoolVar(&f.jsonSchema, "json-schema", false, "print the schema that is there as a JSON Schema")
	return cmd
}

// envJSONSchema prints the project's schema as a JSON Schema.
func (a *app) envJSONSchema(f envSchemaFlags) error {
	if len(f.from) > 0 || f.out != "" || f.write || f.force || f.merge {
		return errs.New(errs.Usage, "--json-schema prints the schema that is there and takes no other flag of env schema").
			WithHint("opsctl env schema --json-schema > FILE")
	}
	dir, path, err := a.envPaths("")
	if err != nil {
		return err
	}
	schema, err := a.soundSchema(dir, path)
	if err != nil {
		return err
	}
	text, err := envcheck.RenderJSONSchema(schema)
	if err != nil {
		return err
	}
	_, err = a.io.Out.Write(text)
	return err
}

func (a *app) envSchema(f envSchemaFlags) error {
	if f.jsonSchema {
		return a.envJSONSchema(f)
	}
	if f.merge && f.force {
		return errs.New(errs.Usage, "--merge keeps the schema that is there and --force replaces it").WithHint("give one of the two")
	}
	dir, name, err := a.envPaths(f.out)
	if err != nil {
		return err
	}
	path := f.out
	if path == "" {
		path = filepath.Join(dir, name)
	}
	sources, err := a.schemaSources(filepath.Dir(filepath.Join(dir, name)), f.from)
	if err != nil {
		return err
	}
	have, err := envcheck.ReadRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		have, err = nil, nil
	}
	if err != nil {
		return errs.Wrap(err, errs.Usage, "read the schema %s", path)
	}
	s := schemaWriter{a: a, f: f, path: path, have: have}
	made, err := s.make(dir, name, sources)
	if err != nil {
		return err
	}
	if !a.global.Quiet {
		for _, line := range made.Skipped {
			a.io.Warn("%s: left out", line)
		}
	}
	return s.put(made, sources)
}

// schemaSources reads the files that a schema is to be made from.
func (a *app) schemaSources(dir string, names []string) ([]envcheck.InferSource, error) {
	found := len(names) > 0
	candidates := names
	if !found {
		candidates = []string{filepath.Join(dir, ".env.example"), filepath.Join(dir, ".env")}
	}
	var sources []envcheck.InferSource
	for _, name := range candidates {
		var data []byte
		var err error
		if name == "-" {
			name = "standard input"
			data, err = io.ReadAll(io.LimitReader(a.io.In, maxSchemaInput+1))
			if err == nil && len(data) > maxSchemaInput {
				err = errors.New("it has more than the 16 MiB that are read")
			}
		} else {
			data, err = envcheck.ReadRegular(name)
		}
		switch {
		case errors.Is(err, fs.ErrNotExist) && !found:
			continue
		case err != nil:
			return nil, errs.Wrap(err, errs.Usage, "read %s", name)
		case strings.HasSuffix(name, ".schema"):
			return nil, errs.New(errs.Usage, "%s is a schema already", name).WithHint("name an example or a .env; opsctl env check --schema %s checks with it", name)
		}
		if !found && !a.global.Quiet {
			fmt.Fprintf(a.io.Err, "from %s\n", name)
		}
		sources = append(sources, envcheck.InferSource{Name: name, Data: data, Example: envcheck.IsExampleName(name)})
		if !found {
			break
		}
	}
	if len(sources) == 0 {
		return nil, errs.New(errs.Usage, "there is neither .env.example nor .env to make a schema from").
			WithHint("name a file with --from FILE; opsctl init writes a schema from what the code reads")
	}
	return sources, nil
}

// maxSchemaInput bounds what is read from standard input, as files are bounded.
const maxSchemaInput = 16 << 20

// schemaWriter makes a schema and puts it where it belongs.
type schemaWriter struct {
	a    *app
	f    envSchemaFlags
	path string
	have []byte // the schema that is there; nil for none
}

// make infers the schema; with --merge the whole of it is the one that is there and what it lacks.
func (s *schemaWriter) make(dir, name string, sources []envcheck.InferSource) (*envcheck.Inferred, error) {
	if !s.f.merge {
		return envcheck.InferSchema(sources, nil)
	}
	if s.have == nil {
		return nil, errs.New(errs.Usage, "there is no %s to add to", s.path).WithHint("without --merge the schema is made as a whole")
	}
	base, err := s.a.soundSchema(dir, name)
	if err != nil {
		return nil, err
	}
	made, err := envcheck.InferSchema(sources, base)
	if err != nil {
		return nil, err
	}
	made.Schema = envcheck.AppendItems(s.have, made.Schema)
	return made, nil
}

// put prints the schema, or writes it where that was asked for.
func (s *schemaWriter) put(made *envcheck.Inferred, sources []envcheck.InferSource) error {
	write := s.f.write || s.f.out != ""
	if write && s.have != nil && !s.f.force && !s.f.merge && !s.a.global.DryRun {
		return errs.New(errs.Conflict, "%s is there already", s.path).
			WithHint("--merge adds what it lacks, --force replaces it; --dry-run shows the difference")
	}
	if write && s.a.global.DryRun {
		d := diff.Diff(s.path, s.have, s.path+" (new)", made.Schema)
		if _, err := s.a.io.Out.Write(d); err != nil {
			return err
		}
		fmt.Fprintln(s.a.io.Err, ui.Faint("dry run: nothing was written"))
		return nil
	}
	if write && !bytes.Equal(s.have, made.Schema) {
		if err := s.write(made); err != nil {
			return err
		}
	}
	if s.a.global.JSON {
		return s.json(made, sources, write)
	}
	if !write {
		_, err := s.a.io.Out.Write(made.Schema)
		return err
	}
	if !s.a.global.Quiet {
		fmt.Fprintf(s.a.io.Err, "%s %s: %s%s\nnext: read it through, then run opsctl env check\n", ui.OK, s.path, ui.Count(int64(len(made.Variables)), "variable"),
			map[bool]string{true: " added", false: ""}[s.f.merge])
	}
	return nil
}

func (s *schemaWriter) write(made *envcheck.Inferred) error {
	put := atomicfile.Create
	if s.have != nil {
		put = atomicfile.Write
	}
	if err := put(s.path, made.Schema, 0o644); err != nil {
		return errs.Wrap(err, errs.Failure, "write %s", s.path)
	}
	return nil
}

func (s *schemaWriter) json(made *envcheck.Inferred, sources []envcheck.InferSource, written bool) error {
	names := []string{}
	for _, src := range sources {
		names = append(names, src.Name)
	}
	out := map[string]any{"schema": "opsctl.env.schema/v1", "from": names, "variables": made.Variables, "text": string(made.Schema)}
	if written {
		out["file"] = s.path
	}
	return ui.JSON(s.a.io.Out, out)
}
