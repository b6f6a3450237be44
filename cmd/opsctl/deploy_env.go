package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/opsctl/opsctl/internal/envcheck"
	"github.com/opsctl/opsctl/internal/errs"
)

// secrets reads the environment's dotenv file, as Next.js reads it. The file
// that the project names by default may be missing: then the platform's
// secrets stay as they are.
func (a *app) secrets(t target, named string) (map[string]string, error) {
	path := named
	if path == "" {
		path = filepath.Join(filepath.Dir(t.project.Path), t.env.EnvFile)
	}
	src, err := envcheck.ReadRegular(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && named == "":
		return map[string]string{}, nil
	case err != nil:
		return nil, errs.Wrap(err, errs.Usage, "read the environment's file %s", path)
	}
	file, err := envcheck.Read(envcheck.Next, path, src, nil)
	if err != nil {
		return nil, errs.Wrap(err, errs.CheckFailed, "").WithHint("run: opsctl env check %s", path)
	}
	secrets := map[string]string{}
	for name, value := range file.Vars {
		if value != "" {
			secrets[name] = value
			a.redact.Add(value)
		}
	}
	return secrets, nil
}

// envPreflight refuses a deploy whose app would miss variables that the schema
// requires. The values of secrets that stand on the platform cannot be read
// back, so this looks at names; `opsctl env check` looks at values.
func (a *app) envPreflight(t target) func(context.Context, []string) error {
	return func(ctx context.Context, names []string) error {
		dir := filepath.Dir(t.project.Path)
		if _, err := os.Stat(filepath.Join(dir, t.project.Env.Schema)); errors.Is(err, fs.ErrNotExist) {
			return nil // no contract, nothing to check
		}
		present := map[string]string{}
		for _, name := range names {
			present[name] = "set"
		}
		report, err := envcheck.Check(ctx, envcheck.Options{
			Dir: dir, SchemaPath: t.project.Env.Schema, Env: t.name, Phase: "runtime",
			Files: []string{os.DevNull}, ReadFile: noFiles, Process: present, NamesOnly: true,
		})
		if err != nil {
			return err
		}
		var missing []string
		for _, f := range report.Findings {
			if f.Rule == "required" && f.Level == envcheck.Error {
				missing = append(missing, f.Key)
			}
		}
		if len(missing) == 0 {
			return nil
		}
		return errs.New(errs.CheckFailed, "the app would miss %s, which %s requires in %s", joinWords(missing), t.project.Env.Schema, t.name).
			WithHint("put the values into %s (never into git), or deploy all the same with --skip-env-check", t.env.EnvFile)
	}
}

// noFiles reads the schema and what it imports, and finds every dotenv file
// empty: only what the platform will have counts.
func noFiles(path string) ([]byte, error) {
	if path == os.DevNull {
		return nil, nil
	}
	return envcheck.ReadRegular(path)
}
