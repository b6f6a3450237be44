package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/deploy"
	"github.com/opsctl/opsctl/internal/envcheck"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/ui"
)

// envInput is what an environment's files say, and how the project reads them.
type envInput struct {
	paths  []string          // the files, a later one overrides
	exists bool              // false: the environment's own file is not there
	values map[string]string // as the app reads them
	rules  deploy.VariableRules
	wanted deploy.Wanted
}

// envInput reads the named files, or the environment's own, which may be missing:
// then the platform's secrets stay as they are.
func (a *app) envInput(ctx context.Context, t target, named []string) (envInput, error) {
	in := envInput{paths: named, exists: true, values: map[string]string{}}
	if len(named) == 0 {
		in.paths = []string{filepath.Join(a.projectDir(t), t.env.EnvFile)}
	}
	for _, path := range slices.Backward(in.paths) { // the one that wins first
		src, err := envcheck.ReadRegular(path)
		switch {
		case errors.Is(err, fs.ErrNotExist) && len(named) == 0:
			in.exists = false
			continue
		case err != nil:
			return in, errs.Wrap(err, errs.Usage, "read the environment's file %s", path)
		}
		file, err := envcheck.Read(envcheck.ReaderOf(t.project.Stack), path, src, in.values)
		if err != nil {
			return in, errs.Wrap(err, errs.CheckFailed, "").WithHint("run: opsctl env check %s", path)
		}
		for name, value := range file.Vars {
			if _, set := in.values[name]; !set {
				in.values[name] = value
			}
			a.redact.Add(value)
		}
	}
	var err error
	if in.rules, err = a.variableRules(ctx, t); err != nil {
		return in, err
	}
	in.wanted = deploy.Want(in.values, in.rules)
	return in, nil
}

// filled are the variables with a value: what a build is given.
func (in envInput) filled() map[string]string {
	values := maps.Clone(in.values)
	maps.DeleteFunc(values, func(_, value string) bool { return value == "" })
	return values
}

// projectDir is the directory of opsctl.yaml, as a person here would write it.
func (a *app) projectDir(t target) string {
	if dir, _, err := a.envPaths(""); err == nil && dir != "" {
		return dir
	}
	return filepath.Dir(t.project.Path)
}

// hasSchema tells whether there is a contract to hold anything to.
func (a *app) hasSchema(t target) bool {
	_, err := os.Stat(filepath.Join(a.projectDir(t), t.project.Env.Schema))
	return !errors.Is(err, fs.ErrNotExist)
}

// variableRules are what the schema and opsctl.yaml say of the variables' ways.
func (a *app) variableRules(ctx context.Context, t target) (deploy.VariableRules, error) {
	rules := deploy.VariableRules{Plain: plainVars(t)}
	if !a.hasSchema(t) {
		return rules, nil
	}
	schema, _, err := envcheck.LoadSchema(a.projectDir(t), t.project.Env.Schema, t.name, envcheck.ReadRegular)
	if err != nil {
		return rules, err
	}
	for _, it := range schema.Items {
		if slices.ContainsFunc(it.Rules, func(r envcheck.Rule) bool { return r.Name == "phase" && r.Value == "build" }) {
			rules.BuildOnly = append(rules.BuildOnly, it.Key)
		}
	}
	o := a.envCheckOptions(t, []string{os.DevNull})
	o.NamesOnly = true
	report, err := envcheck.Check(ctx, o)
	if err != nil {
		return rules, err
	}
	for _, f := range report.Findings {
		if f.Rule == "required" && f.Level == envcheck.Error {
			rules.Required = append(rules.Required, f.Key)
		}
	}
	return rules, nil
}

// envCheckOptions hold files to the schema, as what the app will run with. A file
// that is not there counts as an empty one.
func (a *app) envCheckOptions(t target, paths []string) envcheck.Options {
	dir := a.projectDir(t)
	o := envcheck.Options{
		Reader: envcheck.ReaderOf(t.project.Stack), Dir: dir, SchemaPath: t.project.Env.Schema, Env: t.name, Phase: "runtime", Tracked: gitTracked, Now: a.now,
		ReadFile: func(path string) ([]byte, error) {
			src, err := envcheck.ReadRegular(path)
			if path == os.DevNull || errors.Is(err, fs.ErrNotExist) && slices.Contains(paths, path) {
				return nil, nil
			}
			return src, err
		},
	}
	for _, path := range slices.Backward(paths) { // the last one wins, so it comes first
		if rel, err := relative(dir, path); err == nil {
			path = rel
		}
		o.Files = append(o.Files, path)
	}
	return o
}

// envPreflight holds the environment's file to the schema, as env check does,
// before anything is changed. Variables that are on the platform already, or that
// the deploy sets, count as present: their values cannot be read back.
func (a *app) envPreflight(t target, in envInput) func(context.Context, []string) error {
	return func(ctx context.Context, names []string) error {
		if !a.hasSchema(t) {
			return nil // no contract, nothing to check
		}
		o := a.envCheckOptions(t, in.paths)
		o.Elsewhere = func(key string) bool { return slices.Contains(names, key) }
		report, err := envcheck.Check(ctx, o)
		if err != nil {
			return err
		}
		var missing []string
		var wrong []envcheck.Finding
		for _, f := range report.Findings {
			_, here := in.values[f.Key]
			switch {
			case f.Level != envcheck.Error:
			case f.Rule == "required" && !here:
				missing = append(missing, f.Key)
			default:
				f.File = filepath.Join(a.projectDir(t), f.File)
				wrong = append(wrong, f)
			}
		}
		return a.refuse(t, in, missing, wrong)
	}
}

// refuse makes the error of a failed check, and shows what was found.
func (a *app) refuse(t target, in envInput, missing []string, wrong []envcheck.Finding) error {
	if len(missing)+len(wrong) == 0 {
		return nil
	}
	var list []string
	for _, f := range wrong {
		if a.global.JSON {
			list = append(list, fmt.Sprintf("%s:%d:%d %s %s", f.File, f.Line, f.Col, f.Rule, f.Message))
			continue
		}
		printFinding(a.io.Err, f)
	}
	schema, files := t.project.Env.Schema, strings.Join(in.paths, ", ")
	if len(wrong) == 0 {
		return errs.New(errs.CheckFailed, "the app would miss %s, which %s requires in %s", joinWords(missing), schema, t.name).
			WithHint("put the values into %s (never into git), or go on all the same with --skip-env-check", files)
	}
	text := fmt.Sprintf("%s does not fit %s: %s", files, schema, ui.Count(int64(len(wrong)), "error"))
	if len(missing) > 0 {
		text += fmt.Sprintf("; and the app would miss %s", joinWords(missing))
	}
	list = append(list, "see all of it: opsctl env check --env "+t.name+" "+strings.Join(in.paths, " "), "or go on all the same with --skip-env-check")
	return errs.New(errs.CheckFailed, "%s", text).WithHint("%s", strings.Join(list, "\n"))
}

// databaseSpec is the managed PostgreSQL that the project asks for; nil for none.
func databaseSpec(t target) *platform.DatabaseSpec {
	p := t.project.Postgres
	if p == nil {
		return nil
	}
	return &platform.DatabaseSpec{
		App: t.env.App, Org: t.env.Org, Name: t.env.App + "-db", Version: p.Version,
		Region: t.env.Region, Plan: p.Plan, PoolMode: p.Pool.Mode,
	}
}

// envComparison is what env diff and env push begin with.
type envComparison struct {
	target
	in     envInput
	engine *deploy.Engine
	plan   *deploy.VariablePlan
}

// compareEnv reads the environment's files, which have to be there, and compares them
// with its platform.
func (a *app) compareEnv(ctx context.Context, command, platformName string, files []string) (c envComparison, err error) {
	if c.target, err = a.target(command, platformName); err != nil {
		return c, err
	}
	if c.in, err = a.envInput(ctx, c.target, files); err != nil {
		return c, err
	}
	if !c.in.exists {
		return c, errs.New(errs.Usage, "%s does not exist", strings.Join(c.in.paths, ", ")).
			WithHint("name a file, or write one from what runs: opsctl env pull --out %s", c.in.paths[0])
	}
	c.engine, c.plan, err = a.variablePlan(ctx, c.target, c.in)
	return c, err
}

// variablePlan compares the environment's files with the platform.
func (a *app) variablePlan(ctx context.Context, t target, in envInput) (*deploy.Engine, *deploy.VariablePlan, error) {
	engine, err := a.engine(ctx, t, func(e deploy.Event) {
		if e.Status == deploy.Warned {
			a.io.Warn("%s: %s", e.Step, a.redact.Redact(e.Detail))
		}
	})
	if err != nil {
		return nil, nil, err
	}
	plan, err := engine.PrepareVariables(ctx, deploy.VariableRequest{
		App: platform.AppSpec{Name: t.env.App, Org: t.env.Org}, Wanted: in.wanted, Rules: in.rules, Postgres: databaseSpec(t), Redis: redisSpec(t),
	})
	return engine, plan, err
}

// present are the names that the app has whatever the file says.
func (in envInput) present(plan *deploy.VariablePlan, without []string) []string {
	names := slices.Collect(maps.Keys(in.rules.Plain))
	names = append(names, "PORT")
	for _, v := range plan.Variables {
		if v.Managed {
			names = append(names, v.Name)
		}
	}
	for _, s := range plan.State.Secrets {
		if !slices.Contains(without, s.Name) {
			names = append(names, s.Name)
		}
	}
	return names
}
