package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/opsctl/opsctl/internal/config"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/scaffold"
	"github.com/opsctl/opsctl/internal/ui"
)

// initOutput prints what init did or would do.
type initOutput struct {
	a      *app
	dir    string
	stack  *scaffold.Stack
	opts   scaffold.Options
	dryRun bool
}

// initReport is the JSON form, schema opsctl.init/v1.
type initReport struct {
	Schema       string            `json:"schema"`
	App          string            `json:"app"`
	Stack        string            `json:"stack"`
	Dir          string            `json:"dir"` // the app's folder in the repository
	Environments []initEnvironment `json:"environments"`
	DryRun       bool              `json:"dry_run"`
	Changed      int               `json:"changed"` // files written, or that would be
	Files        []scaffold.Result `json:"files"`
	Notes        []string          `json:"notes"`
	Next         []string          `json:"next"` // commands to go on with
}

type initEnvironment struct {
	Name     string `json:"name"`
	Platform string `json:"platform"`
	Region   string `json:"region"`
}

// checkReport is the JSON form of --check, schema opsctl.init.check/v1.
type checkReport struct {
	Schema string            `json:"schema"`
	InStep bool              `json:"in_step"`
	Behind []scaffold.Change `json:"behind"`
}

// explainReport is the JSON form of --explain, schema opsctl.init.explain/v1.
type explainReport struct {
	Schema  string            `json:"schema"`
	Reasons []scaffold.Reason `json:"reasons"`
	Notes   []string          `json:"notes"`
}

func printExplain(a *app, s *scaffold.Stack) error {
	if a.global.JSON {
		return ui.JSON(a.io.Out, explainReport{"opsctl.init.explain/v1", s.Reasons, orEmpty(s.Notes)})
	}
	for _, r := range s.Reasons {
		where := r.File
		if r.Line > 0 {
			where += ":" + itoa(r.Line)
		}
		if where != "" {
			where = "  " + where
		}
		if _, err := fmt.Fprintf(a.io.Out, "%-16s %s%s  %s\n", r.What, ui.Bold(r.Value), ui.Cyan(where), ui.Faint(r.Why)); err != nil {
			return err
		}
	}
	for _, n := range s.Notes {
		if _, err := fmt.Fprintf(a.io.Out, "%s %s\n", ui.Warn, n); err != nil {
			return err
		}
	}
	return nil
}

// check is for CI: the diff of what is behind, and exit 3; nothing when all is in step.
// Without the record of what init wrote nobody can tell, which is no "in step".
func (o *initOutput) check(plan []scaffold.Change, recorded bool) error {
	behind := scaffold.Behind(plan)
	if !recorded && len(behind) == 0 {
		return errs.New(errs.CheckFailed, ".opsctl/init.json is not there, so it cannot be told whether the files are in step").
			WithHint("run opsctl init, and commit .opsctl/init.json")
	}
	if o.a.global.JSON {
		report := checkReport{"opsctl.init.check/v1", len(behind) == 0, behind}
		if behind == nil {
			report.Behind = []scaffold.Change{}
		}
		if err := ui.JSON(o.a.io.Out, report); err != nil {
			return err
		}
	}
	if len(behind) == 0 {
		if !o.a.global.Quiet && !o.a.global.JSON {
			fmt.Fprintln(o.a.io.Err, ui.OK, "every file is in step")
		}
		return nil
	}
	names := make([]string, len(behind))
	for i, c := range behind {
		names[i] = c.Path
		text := colorDiff(c.Diff)
		if text == "" {
			text = c.Path + ": " + c.Why + "\n"
		}
		if o.a.global.JSON {
			continue
		}
		if _, err := fmt.Fprint(o.a.io.Out, text); err != nil {
			return err
		}
	}
	return errs.New(errs.CheckFailed, "%s behind: %s", ui.Count(int64(len(behind)), "file"), strings.Join(names, ", ")).
		WithHint("run opsctl init, look at the changes, and commit them")
}

// printPlan shows what a run would do. With diffs they are the result, on stdout.
func (o *initOutput) printPlan(plan []scaffold.Change, diffs bool, opts scaffold.ApplyOptions) error {
	list := ui.NewChecklist(o.a.io, o.a.global.Quiet || o.a.global.JSON)
	results := scaffold.Foresee(plan, opts)
	for _, r := range results {
		o.outcome(list, r)
		if diffs && !o.a.global.JSON {
			if _, err := fmt.Fprint(o.a.io.Out, colorDiff(r.Diff)); err != nil {
				return err
			}
		}
	}
	return o.finish(list, results)
}

func (o *initOutput) outcome(list *ui.Checklist, r scaffold.Result) {
	mark, detail := ui.OK, r.Path
	if r.Why != "" {
		detail += "  " + r.Why
	}
	switch r.Outcome {
	case scaffold.Unchanged:
		mark, detail = ui.Skip, r.Path
	case scaffold.Settled, scaffold.Left, scaffold.WouldCreate, scaffold.WouldUpdate, scaffold.WouldMerge, scaffold.WouldEdit:
		mark = ui.Skip
	case scaffold.Kept:
		if mark = ui.Skip; r.Why == "" {
			mark, detail = ui.Warn, r.Path+"  it differs from what init would write"
		}
	case scaffold.Conflicted:
		mark = ui.Warn
	case scaffold.Refused:
		mark = ui.Fail
	case scaffold.Overwritten:
		detail = r.Path + "  the old content is in " + r.Path + ".orig"
	case scaffold.WouldOverwrite:
		mark, detail = ui.Skip, r.Path+"  the old content would go to "+r.Path+".orig"
	}
	list.Done(mark, string(r.Outcome), detail, 0)
}

// tally counts outcomes.
type tally struct {
	changed, kept int
	refused       []scaffold.Result // what only the user can do
}

func count(results []scaffold.Result) tally {
	var t tally
	for _, r := range results {
		switch r.Outcome {
		case scaffold.Kept:
			if r.Why == "" { // the user has not said that it is meant to differ
				t.kept++
			}
		case scaffold.Refused, scaffold.Conflicted:
			t.refused = append(t.refused, r)
		case scaffold.Unchanged, scaffold.Settled, scaffold.Left:
		default:
			t.changed++
		}
	}
	return t
}

// finish prints the summary and the next commands. Files that init could not
// write or edit make the run end as partly done.
func (o *initOutput) finish(list *ui.Checklist, results []scaffold.Result) error {
	t := count(results)
	next := o.next()
	if o.a.global.JSON {
		if err := ui.JSON(o.a.io.Out, o.report(results, t.changed, next)); err != nil {
			return err
		}
	} else {
		for _, n := range o.stack.Notes {
			list.Done(ui.Warn, "note", n, 0)
		}
		o.conflicts(list, t.refused)
		o.summary(list, t, next)
	}
	return refusedError(t.refused)
}

func (o *initOutput) report(results []scaffold.Result, changed int, next []string) initReport {
	r := initReport{
		Schema: "opsctl.init/v1", App: o.opts.App, Stack: string(o.stack.Kind), Dir: o.stack.Dir, Environments: []initEnvironment{},
		DryRun: o.dryRun, Changed: changed, Files: results, Notes: orEmpty(o.stack.Notes), Next: next,
	}
	for _, e := range o.opts.Environments {
		r.Environments = append(r.Environments, initEnvironment{e.Name, e.Platform, e.Region})
	}
	return r
}

// conflicts shows what is new in files that the user has changed at the same place.
func (o *initOutput) conflicts(list *ui.Checklist, refused []scaffold.Result) {
	if o.dryRun || o.a.global.Quiet {
		return // --diff shows it
	}
	for _, r := range refused {
		if r.Outcome == scaffold.Conflicted {
			list.Close()
			fmt.Fprintf(o.a.io.Err, "\n%s", colorDiff(r.Diff))
		}
	}
}

// refusedError gives each file its own reason: what is to be done is not the same
// for a link and for a file that cannot be followed.
func refusedError(refused []scaffold.Result) error {
	if len(refused) == 0 {
		return nil
	}
	reasons := make([]string, len(refused))
	for i, r := range refused {
		reasons[i] = r.Path + ": " + r.Why
	}
	return errs.New(errs.Partial, "%s not written: %s", ui.Count(int64(len(refused)), "file"), strings.Join(reasons, "; ")).
		WithHint("put right what is named there, and run init again")
}

func (o *initOutput) summary(list *ui.Checklist, t tally, next []string) {
	changed, kept, refused := t.changed, t.kept, len(t.refused)
	if o.a.global.Quiet {
		return
	}
	text := ui.Count(int64(changed), "file") + " written"
	switch {
	case o.dryRun:
		text = ui.Count(int64(changed), "file") + " would be written, nothing was changed"
	case changed == 0 && refused > 0:
		text = "nothing was written"
	case changed == 0:
		text = "nothing to do: every file is there"
	}
	if kept > 0 {
		verb := "differ and stay as they are"
		if kept == 1 {
			verb = "differs and stays as it is"
		}
		text += fmt.Sprintf("; %s %s (--diff shows how, --force overwrites)", ui.Count(int64(kept), "file"), verb)
	}
	list.Close()
	fmt.Fprintf(o.a.io.Err, "\n%s\n", text)
	if o.dryRun || changed == 0 {
		return
	}
	fmt.Fprintln(o.a.io.Err, "\nnext:")
	for _, n := range next {
		fmt.Fprintln(o.a.io.Err, "  "+ui.Cyan(n))
	}
}

// next are the commands to go on with, as they work from the current folder.
func (o *initOutput) next() []string {
	var next []string
	app := filepath.Join(o.stack.Repo, filepath.FromSlash(o.stack.Dir))
	if dir := o.fromHere(app); dir != "." {
		next = append(next, "cd "+dir)
	}
	if _, err := os.Stat(filepath.Join(app, ".env")); err != nil {
		next = append(next, "cp .env.example .env")
	}
	next = append(next, "opsctl env check")
	if o.stack.OwnCompose == "" {
		next = append(next, "docker compose up --build")
	}
	for _, e := range o.opts.Environments {
		if e.Name == config.DefaultEnv {
			next = append(next, "opsctl deploy --platform "+e.Platform+" --dry-run")
		}
	}
	return next
}

// fromHere is a folder as it is named from the working directory.
func (o *initOutput) fromHere(dir string) string {
	if here, err := os.Getwd(); err == nil {
		if here, err = filepath.EvalSymlinks(here); err == nil {
			if r, err := filepath.Rel(here, dir); err == nil {
				return r
			}
		}
	}
	return dir
}

// colorDiff colours a unified diff.
func colorDiff(diff string) string {
	var b strings.Builder
	for line := range strings.Lines(diff) {
		text, end := strings.TrimSuffix(line, "\n"), line[len(strings.TrimSuffix(line, "\n")):]
		switch {
		case strings.HasPrefix(text, "+++"), strings.HasPrefix(text, "---"), strings.HasPrefix(text, "diff "):
			text = ui.Bold(text)
		case strings.HasPrefix(text, "+"):
			text = ui.Green(text)
		case strings.HasPrefix(text, "-"):
			text = ui.Red(text)
		case strings.HasPrefix(text, "@@"):
			text = ui.Cyan(text)
		}
		b.WriteString(text + end)
	}
	return b.String()
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
