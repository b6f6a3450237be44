package render

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// Render keeps logs for 7 days at least (more with larger workspaces). maxLogPages
// bounds how far a call reads: a busy app prints faster than it is read.
const (
	logRetention = 7 * 24 * time.Hour
	maxLogPages  = 200
)

type logEntry struct {
	ID        string    `json:"id"`
	Timestamp time.Time `json:"timestamp"`
	Message   string    `json:"message"`
	Labels    []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"labels"`
}

func (e logEntry) label(name string) string {
	for _, l := range e.Labels {
		if l.Name == name {
			return l.Value
		}
	}
	return ""
}

func (e logEntry) line() platform.LogLine {
	return platform.LogLine{Time: e.Timestamp, Instance: e.label("instance"), Level: e.label("level"), Message: strings.TrimRight(e.Message, "\n")}
}

// logQuery selects log lines: of one service, of one kind.
type logQuery struct {
	owner, service, instance, kind string
	from, to                       time.Time // zero: Render's hour before now, and now
	backward                       bool
}

func (q logQuery) values(limit int) url.Values {
	v := url.Values{"ownerId": {q.owner}, "resource": {q.service}, "direction": {"forward"}, "limit": {strconv.Itoa(limit)}}
	if q.backward {
		v.Set("direction", "backward")
	}
	if q.instance != "" {
		v.Set("instance", q.instance)
	}
	if q.kind != "" {
		v.Set("type", q.kind)
	}
	if !q.from.IsZero() {
		v.Set("startTime", q.from.UTC().Format(time.RFC3339Nano))
	}
	if !q.to.IsZero() {
		v.Set("endTime", q.to.UTC().Format(time.RFC3339Nano))
	}
	return v
}

// readLogs reads pages in the query's direction until enough says so, or there
// are no more. Each page names the span of the next, both ends of it.
func (p *Platform) readLogs(ctx context.Context, q logQuery, enough func([]logEntry) bool) error {
	for range maxLogPages {
		var page struct {
			HasMore       bool       `json:"hasMore"`
			NextStartTime time.Time  `json:"nextStartTime"`
			NextEndTime   time.Time  `json:"nextEndTime"`
			Logs          []logEntry `json:"logs"`
		}
		if err := p.call(ctx, http.MethodGet, "/logs", q.values(p.o.PageSize), nil, &page); err != nil {
			return err
		}
		if enough(page.Logs) || !page.HasMore || page.NextStartTime.Equal(q.from) && page.NextEndTime.Equal(q.to) {
			return nil
		}
		q.from, q.to = page.NextStartTime, page.NextEndTime
	}
	return nil
}

// past are the newest lines of a query, the oldest first; most 0 is all that is kept.
func (p *Platform) past(ctx context.Context, q logQuery, most int) ([]logEntry, error) {
	q.backward = true
	seen := map[string]bool{}
	var all []logEntry
	err := p.readLogs(ctx, q, func(page []logEntry) bool {
		for _, e := range page {
			if !seen[e.ID] {
				seen[e.ID] = true
				all = append(all, e)
			}
		}
		return most > 0 && len(all) >= most
	})
	slices.SortStableFunc(all, func(a, b logEntry) int { return b.Timestamp.Compare(a.Timestamp) })
	if most > 0 && len(all) > most {
		all = all[:most]
	}
	slices.Reverse(all)
	return all, err
}

// Logs gives what the app printed, without request and build logs. Following uses
// Render's WebSocket, see follower.
func (p *Platform) Logs(ctx context.Context, app string, q platform.LogQuery, line func(platform.LogLine) error) error {
	s, err := p.known(ctx, app)
	if err != nil {
		return err
	}
	query := logQuery{owner: s.svc.OwnerID, service: s.svc.ID, kind: "app"}
	if query.instance, err = p.instance(ctx, app, s.svc.ID, q.Instance); err != nil {
		return err
	}
	began := p.now()
	query.from, query.to = began.Add(-logRetention), began
	past, err := p.past(ctx, query, q.Limit)
	if err != nil {
		return explain(err, "read the logs of %q", app)
	}
	f := follower{Platform: p, app: app, query: query, line: line, last: began}
	for _, e := range past {
		if err := f.emit(e); err != nil {
			return err
		}
	}
	if !q.Follow {
		return nil
	}
	// From the newest line on; without one from the moment that was asked about.
	if len(past) > 0 {
		f.last = past[len(past)-1].Timestamp
	}
	return f.run(ctx)
}

// instance is Render's id of an instance that Observe named APP-1 or so.
func (p *Platform) instance(ctx context.Context, app, svc, name string) (string, error) {
	number, ok := strings.CutPrefix(name, app+"-")
	n, err := strconv.Atoi(number)
	if name == "" || !ok || err != nil {
		return name, nil //nolint:nilerr // an id of Render's own
	}
	ids, err := p.instanceIDs(ctx, svc)
	if err != nil {
		return "", explain(err, "list the instances of %q", app)
	}
	if n < 1 || n > len(ids) {
		return "", errs.New(errs.NotFound, "no instance %q", name).WithHint("%q has %d", app, len(ids))
	}
	return ids[n-1], nil
}

// lastLines is how many lines go with an error.
const lastLines = 20

// linesOf are the last lines that were printed for a deploy: not requests, and not
// what the instances of the version before print. Nothing when they cannot be
// had, since they only illustrate.
func (r *rollout) linesOf(ctx context.Context, d deploy) []string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	q := logQuery{owner: r.svc.OwnerID, service: r.svc.ID, from: d.CreatedAt.Add(-time.Second), to: r.now().Add(time.Minute)}
	if !d.FinishedAt.IsZero() {
		q.to = d.FinishedAt.Add(10 * time.Second)
	}
	all, err := r.past(ctx, q, 5*lastLines)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range all {
		if e.label("type") != "request" && !slices.Contains(r.old, e.label("instance")) {
			out = append(out, errs.Redact(e.line().Message))
		}
	}
	return out[max(0, len(out)-lastLines):]
}
