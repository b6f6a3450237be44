package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/deploy"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/ui"
)

const deploySchema = "opsctl.deploy/v1"

// stepEvent is a line of NDJSON while a deploy runs.
type stepEvent struct {
	Schema string        `json:"schema"`
	Type   string        `json:"type"` // step
	Time   time.Time     `json:"time"`
	Step   string        `json:"step"`
	Status deploy.Status `json:"status"`
	Detail string        `json:"detail,omitempty"`
	Millis int64         `json:"ms,omitempty"`
}

func (d *deployProgress) event(e deploy.Event) {
	detail := d.a.redact.Redact(e.Detail)
	if d.a.global.JSON {
		_ = ui.Event(d.a.io.Out, stepEvent{
			Schema: deploySchema, Type: "step", Time: d.a.now().UTC(), Step: e.Step, Status: e.Status, Detail: detail, Millis: e.Took.Milliseconds(),
		})
		return
	}
	switch e.Status {
	case deploy.Started:
		d.list.Running(e.Step, "")
	case deploy.Progress:
		d.list.Running(e.Step, detail)
		if d.a.global.Verbose {
			d.list.Note(e.Step + ": " + detail)
		}
	case deploy.Done, deploy.Undone:
		d.list.Done(ui.OK, e.Step, detail, e.Took)
	case deploy.Skipped:
		d.list.Done(ui.Skip, e.Step, ui.Faint("skipped: "+detail), 0)
	case deploy.Failed:
		d.list.Done(ui.Fail, e.Step, detail, e.Took)
	case deploy.Kept:
		d.list.Done(ui.Warn, "not undone", detail, 0)
	case deploy.Warned:
		d.list.Done(ui.Warn, e.Step, detail, 0)
	}
}

// plan shows what would change.
func (d *deployProgress) plan(t target, p *deploy.Prepared) {
	w := d.a.io.Err
	if d.a.global.DryRun {
		w = d.a.io.Out // the plan is what was asked for
	}
	if d.a.global.JSON || d.a.global.Quiet && !d.a.global.DryRun {
		return
	}
	fmt.Fprintf(w, "%s to %s (%s) as %s\n", ui.Bold(t.env.App), t.env.Platform, strings.Join(nonEmpty(t.name, t.env.Region), ", "), p.Identity.Account)
	if p.CutOff != nil {
		fmt.Fprintf(w, "%s the run %s of %s was cut off during %q; this one goes on from what stands\n",
			ui.Warn, p.CutOff.ID, p.CutOff.Started.UTC().Format(time.DateTime), p.CutOff.LastStep)
	}
	if p.Running != nil {
		fmt.Fprintf(w, "%s the run %s of %s, started %s ago, is going on; what follows will change\n",
			ui.Warn, p.Running.ID, p.Running.By, ui.Duration(d.a.now().Sub(p.Running.Started)))
	}
	for _, c := range p.Changes {
		fmt.Fprintln(w, "  "+changeLine(c))
	}
	if len(p.Changes) == 0 {
		fmt.Fprintln(w, "  nothing to change")
	}
}

func changeLine(c deploy.Change) string {
	sign := map[deploy.Action]string{
		deploy.Create: ui.Green("+"), deploy.Update: ui.Yellow("~"), deploy.Replace: ui.Yellow("±"), deploy.Delete: ui.Red("-"),
	}[c.Action]
	line := sign + " " + strings.Join(nonEmpty(c.Object, c.Name, c.Field), " ")
	switch {
	case c.Old != "" && c.New != "":
		line += ": " + c.Old + " → " + c.New
	case c.New != "":
		line += ": " + c.New
	case c.Old != "":
		line += ": was " + c.Old
	}
	if c.Reason != "" {
		line += " " + ui.Faint("("+c.Reason+")")
	}
	return line
}

func nonEmpty(words ...string) []string {
	var out []string
	for _, w := range words {
		if w != "" {
			out = append(out, w)
		}
	}
	return out
}

// planResult is the data of a dry run.
func (d *deployProgress) planResult(e *deploy.Engine, p *deploy.Prepared) error {
	if !d.a.global.JSON {
		if len(p.Changes) > 0 && !d.a.global.Quiet {
			fmt.Fprintln(d.a.io.Err, ui.Faint("dry run: nothing was changed"))
		}
		return nil
	}
	return ui.JSON(d.a.io.Out, p.File(e))
}

type resultEvent struct {
	Schema string `json:"schema"`
	Type   string `json:"type"` // result
	deploy.Result
}

// result prints how a deploy or rollback ended well.
func (d *deployProgress) result(r deploy.Result) error {
	if d.a.global.JSON {
		return ui.Event(d.a.io.Out, resultEvent{deploySchema, "result", r})
	}
	switch r.Outcome {
	case deploy.Unchanged:
		_, err := fmt.Fprintf(d.a.io.Out, "%s: release %s runs as wanted; nothing was changed\n", r.App, r.Release)
		return err
	case deploy.RolledBack:
		if _, err := fmt.Fprintf(d.a.io.Out, "%s: release %s runs again at %s\n", r.App, r.Release, r.URL); err != nil {
			return err
		}
		if !d.a.global.Quiet && r.Previous != "" {
			fmt.Fprintln(d.a.io.Err, d.a.forEnv(d.stays+"\nto undo this rollback: opsctl rollback --to "+r.Previous))
		}
		return nil
	default:
		_, err := fmt.Fprintf(d.a.io.Out, "%s: release %s (%s) runs at %s\n", r.App, r.Release, platform.ShortImage(r.Image), r.URL)
		return err
	}
}

// failure ends the event stream of a failed deploy; the error itself is printed elsewhere.
func (d *deployProgress) failure(r deploy.Result) error {
	if d.a.global.JSON {
		if r.Outcome == "" { // refused before it began
			r.Outcome, r.Changes = deploy.FailedRun, []deploy.Change{}
		}
		return ui.Event(d.a.io.Out, resultEvent{deploySchema, "result", r})
	}
	return nil
}
