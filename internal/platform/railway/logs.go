package railway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/platform"
)

const (
	logPage     = 500             // lines of one question
	maxLogPages = 40              // how far a call without follow reads back
	logOverlap  = 5 * time.Second // lines of several instances come a little out of order
	logMemory   = 5 * time.Minute // how long a line is remembered, so as not to be shown twice
)

const logFields = ` timestamp message severity tags { deploymentId deploymentInstanceId serviceId } `

type logNode struct {
	Timestamp time.Time `json:"timestamp"`
	Message   string    `json:"message"`
	Severity  string    `json:"severity"`
	Tags      *struct {
		Deployment string `json:"deploymentId"`
		Instance   string `json:"deploymentInstanceId"`
		Service    string `json:"serviceId"`
	} `json:"tags"`
}

func (l logNode) line() platform.LogLine {
	out := platform.LogLine{Time: l.Timestamp, Level: l.Severity, Message: strings.TrimRight(l.Message, "\r\n")}
	if l.Tags != nil {
		out.Instance = l.Tags.Instance
		if out.Instance == "" {
			out.Instance = l.Tags.Deployment
		}
	}
	return out
}

// tail is a log that is being shown: which lines were, and from when on.
type tail struct {
	v      *view
	q      platform.LogQuery
	show   func(platform.LogLine) error
	seen   map[string]time.Time
	floor  time.Time // older lines are not shown: they are beyond the limit
	latest time.Time
	failed error // of show
}

// Logs shows the lines of all deployments of the app, so that following goes on
// over a deploy. New ones come over the subscription; while that is down they
// are asked for.
func (p *Platform) Logs(ctx context.Context, app string, q platform.LogQuery, line func(platform.LogLine) error) error {
	v, err := p.look(ctx, app)
	if err != nil {
		return err
	}
	t := &tail{v: v, q: q, show: line, seen: map[string]time.Time{}}
	past, err := p.pastLines(ctx, t)
	if err != nil {
		return err
	}
	if len(past) > 0 {
		t.floor = past[0].Timestamp
	}
	if err := t.add(past); err != nil || !q.Follow {
		return err
	}
	return p.followLogs(ctx, t)
}

func (p *Platform) followLogs(ctx context.Context, t *tail) error {
	failures := 0
	for round := 0; ; round++ {
		if failures < 3 || round%10 == 0 {
			got, err := p.stream(ctx, t)
			if t.failed != nil {
				return t.failed
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			failures++
			if got || err == nil {
				failures, round = 0, 0
			}
		}
		err := p.newLines(ctx, t)
		switch {
		case t.failed != nil:
			return t.failed
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !transient(err):
			return p.explain(err, "read the logs of %q", t.v.app)
		}
		if err := p.pause(ctx, min(round, 10)); err != nil {
			return err
		}
	}
}

const logsText = `query($environment: String!, $filter: String, $anchor: String, $before: Int, $after: Int) {
	environmentLogs(environmentId: $environment, filter: $filter, anchorDate: $anchor, beforeLimit: $before, afterLimit: $after) {` + logFields + `} }`

// linesAround asks for lines before and after a moment.
func (p *Platform) linesAround(ctx context.Context, v *view, at time.Time, before, after int) ([]logNode, error) {
	var data struct {
		Logs []logNode `json:"environmentLogs"`
	}
	vars := map[string]any{
		"environment": v.environment.ID, "filter": "@service:" + v.service, "anchor": at.UTC().Format(time.RFC3339Nano), "before": before, "after": after,
	}
	if err := p.query(ctx, logsText, vars, &data); err != nil {
		return nil, err
	}
	list := slices.DeleteFunc(data.Logs, func(l logNode) bool { return l.Tags != nil && l.Tags.Service != "" && l.Tags.Service != v.service })
	slices.SortStableFunc(list, func(a, b logNode) int { return a.Timestamp.Compare(b.Timestamp) })
	return list, nil
}

// pastLines are the newest lines of the past, oldest first.
func (p *Platform) pastLines(ctx context.Context, t *tail) ([]logNode, error) {
	var all []logNode
	known := map[string]bool{}
	anchor := p.o.Now().Add(time.Minute) // Railway's clock may be ahead
	for range maxLogPages {
		page, err := p.linesAround(ctx, t.v, anchor, logPage, 0)
		if err != nil {
			return nil, p.explain(err, "read the logs of %q", t.v.app)
		}
		full := len(page) >= logPage
		page = slices.DeleteFunc(page, func(l logNode) bool {
			k := key(l)
			defer func() { known[k] = true }()
			return known[k] || !t.wants(l)
		})
		all = append(page, all...)
		if !full || len(page) == 0 || t.q.Limit > 0 && len(all) >= t.q.Limit {
			break
		}
		anchor = page[0].Timestamp.Add(time.Nanosecond)
	}
	if t.q.Limit > 0 && len(all) > t.q.Limit {
		all = all[len(all)-t.q.Limit:]
	}
	return all, nil
}

// newLines shows what came since the latest line.
func (p *Platform) newLines(ctx context.Context, t *tail) error {
	for range maxLogPages {
		at := t.latest.Add(-logOverlap)
		if t.latest.IsZero() {
			at = p.o.Now().Add(-time.Minute)
		}
		page, err := p.linesAround(ctx, t.v, at, 0, logPage)
		if err != nil {
			return err
		}
		before := t.latest
		if err := t.add(page); err != nil {
			return err
		}
		if len(page) < logPage || !t.latest.After(before) {
			return nil
		}
	}
	return nil
}

// add shows the lines that were not shown yet.
func (t *tail) add(list []logNode) error {
	slices.SortStableFunc(list, func(a, b logNode) int { return a.Timestamp.Compare(b.Timestamp) })
	for _, l := range list {
		k := key(l)
		if _, shown := t.seen[k]; shown || l.Timestamp.Before(t.floor) || !t.wants(l) {
			continue
		}
		t.seen[k] = l.Timestamp
		if l.Timestamp.After(t.latest) {
			t.latest = l.Timestamp
		}
		if err := t.show(l.line()); err != nil {
			t.failed = err
			return err
		}
	}
	for k, at := range t.seen {
		if t.latest.Sub(at) > logMemory {
			delete(t.seen, k)
			if at.After(t.floor) {
				t.floor = at.Add(time.Nanosecond) // a line that is not remembered must not come again
			}
		}
	}
	return nil
}

// wants tells whether a line is of the instance that was asked for.
func (t *tail) wants(l logNode) bool {
	if t.q.Instance == "" {
		return true
	}
	return l.Tags != nil && (l.Tags.Instance == t.q.Instance || l.Tags.Deployment == t.q.Instance)
}

// key names a line: Railway gives none, but its times have nanoseconds.
func key(l logNode) string {
	return fmt.Sprintf("%d %s %s", l.Timestamp.UnixNano(), l.line().Instance, l.Message)
}

// errStreamOver is a stream that the server ended.
var errStreamOver = errors.New("the stream is over")
