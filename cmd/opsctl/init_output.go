package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

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
	Schema   string            `json:"schema"`
	App      string            `json:"app"`
	Platform string            `json:"platform"`
	Region   string            `json:"region"`
	DryRun   bool              `json:"dry_run"`
	Changed  int               `json:"changed"` // files written, or that would be
	Files    []scaffold.Result `json:"files"`
	Notes    []string          `json:"notes"`
	Next     []string          `json:"next"` // commands to go on with
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

// printPlan shows what a run would do. With diffs they are the result, on stdout.
func (o *initOutput) printPlan(plan []scaffold.Change, diffs, force bool) error {
	list := ui.NewChecklist(o.a.io, o.a.global.Quiet || o.a.global.JSON)
	results := scaffold.Foresee(plan, force)
	for _, r := range results {
		printOutcome(list, r)
		if diffs && !o.a.global.JSON {
			if _, err := fmt.Fprint(o.a.io.Out, colorDiff(r.Diff)); err != nil {
				return err
			}
		}
	}
	return o.finish(list, results)
}

func printOutcome(list *ui.Checklist, r scaffold.Result) {
	mark, detail := ui.OK, r.Path
	switch r.Outcome {
	case scaffold.Unchanged:
		mark = ui.Skip
	case scaffold.Kept:
		mark, detail = ui.Warn, r.Path+"  it differs from what init would write"
	case scaffold.Refused:
		mark, detail = ui.Fail, r.Path+"  "+r.Why
	case scaffold.Edited:
		detail += "  " + r.Why
	case scaffold.Overwritten:
		detail += "  the old content is in " + r.Path + ".orig"
	case scaffold.WouldCreate:
		mark = ui.Skip
	case scaffold.WouldEdit:
		mark, detail = ui.Skip, r.Path+"  "+r.Why
	case scaffold.WouldOverwrite:
		mark, detail = ui.Skip, r.Path+"  the old content would go to "+r.Path+".orig"
	}
	list.Done(mark, string(r.Outcome), detail, 0)
}

// finish prints the summary and the next commands. Files that init could not
// write or edit make the run end as partly done.
func (o *initOutput) finish(list *ui.Checklist, results []scaffold.Result) error {
	changed, kept := 0, 0
	var refused []scaffold.Result
	for _, r := range results {
		switch r.Outcome {
		case scaffold.Kept:
			kept++
		case scaffold.Refused:
			refused = append(refused, r)
		case scaffold.Unchanged:
		default:
			changed++
		}
	}
	next := o.next()
	if o.a.global.JSON {
		err := ui.JSON(o.a.io.Out, initReport{
			Schema: "opsctl.init/v1", App: o.opts.App, Platform: o.opts.Platform, Region: o.opts.Region,
			DryRun: o.dryRun, Changed: changed, Files: results, Notes: orEmpty(o.stack.Notes), Next: next,
		})
		if err != nil {
			return err
		}
	} else {
		for _, n := range o.stack.Notes {
			list.Done(ui.Warn, "note", n, 0)
		}
		o.summary(list, changed, kept, len(refused), next)
	}
	return refusedError(refused)
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

func (o *initOutput) summary(list *ui.Checklist, changed, kept, refused int, next []string) {
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
	if filepath.Clean(o.dir) != "." {
		next = append(next, "cd "+o.dir)
	}
	if _, err := os.Stat(filepath.Join(o.dir, ".env")); err != nil {
		next = append(next, "cp .env.example .env")
	}
	return append(next, "opsctl env check", "docker compose up --build", "opsctl deploy --platform "+o.opts.Platform+" --dry-run")
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
