package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/opsctl/opsctl/internal/atomicfile"
	"github.com/opsctl/opsctl/internal/envcheck"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/ui"
)

// soundSchema loads a schema that has no error: what is made from it would carry the mistake on.
func (a *app) soundSchema(dir, path string) (*envcheck.Schema, error) {
	schema, findings, err := envcheck.LoadSchema(dir, path, a.global.Env, envcheck.ReadRegular)
	if err != nil {
		return nil, err
	}
	for _, f := range findings {
		if f.Level == envcheck.Error {
			return nil, errs.New(errs.Usage, "%s:%d:%d: %s", inDir(dir, f.File), f.Line, f.Col, f.Message).
				WithHint("opsctl env check lists every mistake of the schema")
		}
	}
	return schema, nil
}

// generated is a file that is made from the schema.
type generated struct {
	id        string // of the --json object
	path      string
	want      []byte
	mine      func(have []byte) bool // whether opsctl made the file that is there
	again     string                 // the command that makes it
	variables int
}

// generatedFlags say what to do with it.
type generatedFlags struct {
	check, force bool
}

// put compares the file with what it should be, or writes it.
func (a *app) put(g generated, f generatedFlags) error {
	have, err := envcheck.ReadRegular(g.path)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return errs.Wrap(err, errs.Usage, "read %s", g.path)
	}
	fresh := !missing && bytes.Equal(have, g.want)
	write := !f.check && !a.global.DryRun && !fresh
	if write && !missing && !f.force && !g.mine(have) {
		return errs.New(errs.Conflict, "%s is there already, and opsctl did not make it", g.path).
			WithHint("see what would change with --dry-run; replace it with --force")
	}
	if write {
		if err := atomicfile.Update(g.path, g.want, 0o644); err != nil {
			return errs.Wrap(err, errs.Failure, "write %s", g.path).WithHint("the folder has to be there, and writable")
		}
	}
	if err := a.tellGenerated(g, f, have, fresh, write); err != nil {
		return err
	}
	if f.check && !fresh {
		again := g.again
		if !missing && !g.mine(have) {
			again += " --force, which replaces what was written by hand"
		}
		return errs.New(errs.CheckFailed, "%s is stale", filepath.ToSlash(g.path)).WithHint("run: %s", again)
	}
	return nil
}

func (a *app) tellGenerated(g generated, f generatedFlags, have []byte, fresh, written bool) error {
	switch {
	case a.global.JSON:
		return ui.JSON(a.io.Out, map[string]any{"schema": g.id, "file": g.path, "variables": g.variables, "up_to_date": fresh || written, "written": written})
	case fresh && f.check:
		_, err := fmt.Fprintf(a.io.Out, "%s %s is up to date\n", ui.OK, g.path)
		return err
	case f.check || a.global.DryRun:
		if _, err := a.io.Out.Write(diff.Diff(g.path, have, g.path+" (from the schema)", g.want)); err != nil {
			return err
		}
	}
	switch {
	case a.global.Quiet:
	case a.global.DryRun && !f.check:
		fmt.Fprintln(a.io.Err, ui.Faint("dry run: nothing was written"))
	case written:
		fmt.Fprintf(a.io.Err, "%s %s: %s\n", ui.OK, g.path, ui.Count(int64(g.variables), "variable"))
	case !f.check:
		fmt.Fprintf(a.io.Err, "%s %s is up to date\n", ui.OK, g.path)
	}
	return nil
}
