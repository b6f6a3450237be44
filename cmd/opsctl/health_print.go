package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/health"
	"github.com/opsctl/opsctl/internal/ui"
)

// printHealth writes the report to stdout: JSON, or one block a URL.
func printHealth(a *app, report health.Report, results []health.Result, waits []health.WaitResult) error {
	if a.global.JSON {
		return ui.JSON(a.io.Out, report)
	}
	for i, r := range results {
		if i > 0 {
			fmt.Fprintln(a.io.Out)
		}
		var w *health.WaitResult
		if waits != nil {
			w = &waits[i]
		}
		b := healthBlock{a.io.Out, a.io.OutTTY()}
		b.print(r, w)
	}
	return nil
}

// healthBlock prints one result; with bars on a terminal, in plain lines elsewhere.
type healthBlock struct {
	out  io.Writer
	bars bool
}

var stateMarks = map[health.State]ui.Mark{health.Pass: ui.OK, health.Warn: ui.Warn, health.Fail: ui.Fail, "": ui.Info}

func (b healthBlock) print(r health.Result, w *health.WaitResult) {
	fmt.Fprintf(b.out, "%s %s\n", blockMark(r, w), ui.Bold(r.Name))
	for _, h := range r.Hops {
		b.line("redirect", fmt.Sprintf("%d to %s", h.Status, h.To))
	}
	b.status(r)
	b.body(r.Body)
	b.phases(r)
	if t := r.TLS; t != nil {
		b.line("tls", fmt.Sprintf("%scertificates valid for %d more days, until %s", prefix(t.Version), t.DaysLeft, t.Expires.UTC().Format(time.DateOnly)))
	}
	if w != nil {
		b.line("wait", waitText(w))
		if w.Outcome != health.Healthy {
			b.line("reason", w.Reason)
			return
		}
	}
	for _, p := range r.Problems {
		name := "reason"
		if p.State == health.Warn {
			name = "warning"
		}
		b.line(name, p.Text)
	}
}

func blockMark(r health.Result, w *health.WaitResult) ui.Mark {
	if w != nil && w.Outcome != health.Healthy {
		return ui.Fail
	}
	return stateMarks[r.State]
}

func prefix(version string) string {
	if version == "" {
		return ""
	}
	return version + ", "
}

func waitText(w *health.WaitResult) string {
	outcome := map[health.Outcome]string{health.Healthy: "healthy", health.Unhealthy: "gave up", health.TimedOut: "timed out"}[w.Outcome]
	return fmt.Sprintf("%s after %s and %s, %d of %d in a row", outcome, ui.Duration(w.Elapsed), ui.Count(int64(w.Attempts), "attempt"), w.InARow, w.Needed)
}

func (b healthBlock) line(name, text string) {
	fmt.Fprintf(b.out, "  %-9s %s\n", name, text)
}

func (b healthBlock) status(r health.Result) {
	if r.Status == 0 {
		if r.Remote != "" {
			b.line("status", "no answer from "+r.Remote)
		}
		return
	}
	size := ui.Bytes(r.Bytes)
	if r.Truncated {
		size = "more than " + size
	}
	b.line("status", fmt.Sprintf("%d, %s from %s, %s", r.Status, r.HTTPVersion, r.Remote, size))
}

func (b healthBlock) body(body *health.Body) {
	if body == nil {
		return
	}
	text := fmt.Sprintf("%s (%s)", body.Status, body.Dialect)
	if body.ReleaseID != "" {
		text += ", release " + body.ReleaseID
	} else if body.Version != "" {
		text += ", version " + body.Version
	}
	b.line("health", text)
	width := 0
	for _, c := range body.Components {
		width = max(width, len([]rune(c.Name)))
	}
	for _, c := range body.Components {
		state := string(c.Status)
		if state == "" {
			state = "-"
		}
		line := fmt.Sprintf("    %s %-*s  %-4s  %s", stateMarks[c.Status], width, c.Name, state, c.Output)
		fmt.Fprintln(b.out, strings.TrimRight(line, " "))
	}
}

// barWidth is how many columns the whole request takes when drawn.
const barWidth = 40

func (b healthBlock) phases(r health.Result) {
	p := r.Phases
	parts := []struct {
		name string
		d    time.Duration
	}{{"dns", p.DNS}, {"connect", p.Connect}, {"tls", p.TLS}, {"first byte", p.FirstByte}, {"transfer", p.Transfer}}
	if p.Sum() == 0 {
		return
	}
	var plain []string
	for _, x := range parts {
		if x.d > 0 {
			plain = append(plain, x.name+" "+phaseTime(x.d))
		}
	}
	if !b.bars {
		b.line("time", phaseTime(r.Total)+" ("+strings.Join(plain, ", ")+")")
		return
	}
	b.line("time", phaseTime(r.Total))
	at := time.Duration(0)
	for _, x := range parts {
		if x.d > 0 {
			fmt.Fprintf(b.out, "    %-10s %8s  %s\n", x.name, phaseTime(x.d), bar(at, x.d, p.Sum()))
		}
		at += x.d
	}
}

// bar draws d as a part of total that begins after at, so that the phases
// form a staircase; the shortest phase still shows.
func bar(at, d, total time.Duration) string {
	cell := func(t time.Duration) int { return int(int64(t) * barWidth / int64(total)) }
	from, to := cell(at), cell(at+d)
	if to == from {
		return strings.Repeat(" ", min(from, barWidth-1)) + ui.Faint("▏")
	}
	return strings.Repeat(" ", from) + ui.Cyan(strings.Repeat("█", to-from))
}

// phaseTime keeps a digit below the millisecond, where most phases are.
func phaseTime(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.1fms", float64(d)/float64(time.Millisecond))
	}
	return ui.Duration(d)
}
