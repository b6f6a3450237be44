package railway

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// The bounds of `limit`.
const (
	defaultLogs = 100
	maxLogs     = 5000
)

// entry is a line of a log.
type entry struct {
	at         time.Time
	seq        int64 // breaks ties
	message    string
	severity   string
	attributes map[string]string
	deployment *deployment
	replica    string
}

// buildEntries are a deployment's build log.
func (s *Server) buildEntries(d *deployment) []entry {
	out := make([]entry, 0, len(d.BuildLogs))
	for n, l := range d.BuildLogs {
		out = append(out, entry{at: l.At, seq: int64(n), message: l.Message, severity: l.Severity, deployment: d})
	}
	return out
}

// runEntries are what the processes of some deployments wrote, the pre-deploy
// command's included.
func (s *Server) runEntries(deployments ...*deployment) []entry {
	of := map[string]*deployment{} // by machine
	apps := map[string]bool{}
	for _, d := range deployments {
		for _, m := range d.Machines {
			of[m] = d
		}
		if i := s.st.instance(d.ServiceID, d.EnvironmentID); i != nil {
			apps[i.App] = true
		}
	}
	var out []entry
	for _, name := range slices.Sorted(maps.Keys(apps)) {
		app := s.w.App(name)
		if app == nil {
			continue
		}
		lines, _ := app.Logs.After(0, 0, func(l world.LogLine) bool { return l.Source == "app" && of[l.Machine] != nil })
		for _, l := range lines {
			e := entry{at: l.Time, seq: l.Seq, severity: "info", message: l.Message, deployment: of[l.Machine], replica: l.Machine}
			e.structured()
			out = append(out, e)
		}
	}
	if len(apps) > 1 {
		slices.SortStableFunc(out, func(a, b entry) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.seq, b.seq)) })
	}
	return out
}

// structured reads a line that is a JSON object, as the platform does: its
// message, its level, and the rest as attributes.
func (e *entry) structured() {
	if !strings.HasPrefix(e.message, "{") {
		return
	}
	var doc map[string]any
	if json.Unmarshal([]byte(e.message), &doc) != nil {
		return
	}
	text, found := "", false
	for _, key := range []string{"message", "msg"} {
		if v, ok := doc[key].(string); ok && !found {
			text, found = v, true
			delete(doc, key)
		}
	}
	if !found {
		return
	}
	e.message = text
	if level, ok := doc["level"].(string); ok {
		e.severity = strings.ToLower(level)
	}
	e.attributes = map[string]string{}
	for k, v := range doc {
		if data, err := json.Marshal(v); err == nil {
			e.attributes[k] = string(data)
		}
	}
}

func (e entry) object() *object {
	attributes := []*object{}
	for _, k := range slices.Sorted(maps.Keys(e.attributes)) {
		attributes = append(attributes, &object{"LogAttribute", map[string]any{"key": k, "value": e.attributes[k]}})
	}
	if e.attributes["level"] == "" {
		attributes = append(attributes, &object{"LogAttribute", map[string]any{"key": "level", "value": fmt.Sprintf("%q", e.severity)}})
	}
	d := e.deployment
	return &object{"Log", map[string]any{
		"timestamp": e.at.UTC().Format("2006-01-02T15:04:05.000000000Z"), "message": e.message, "severity": e.severity, "attributes": attributes,
		"tags": &object{"LogTags", map[string]any{
			"projectId": d.ProjectID, "environmentId": d.EnvironmentID, "serviceId": d.ServiceID, "deploymentId": d.ID, "deploymentInstanceId": orNil(e.replica),
			"snapshotId": d.SnapshotID, "pluginId": nil,
		}},
	}}
}

func objectsOf(list []entry) []*object {
	out := make([]*object, 0, len(list))
	for _, e := range list {
		out = append(out, e.object())
	}
	return out
}

// logQuery is what a log's arguments ask for.
type logQuery struct {
	filter   []string
	from, to time.Time
	limit    int
}

func readQuery(args arguments) (logQuery, error) {
	q := logQuery{filter: filterWords(args.str("filter")), limit: args.num("limit")}
	if q.limit == 0 {
		q.limit = defaultLogs
	}
	if q.limit < 0 || q.limit > maxLogs {
		return q, invalid("limit must be between 1 and %d", maxLogs)
	}
	for key, to := range map[string]*time.Time{"startDate": &q.from, "endDate": &q.to} {
		if v := args.str(key); v != "" {
			t, err := time.Parse(time.RFC3339, v)
			if err != nil {
				return q, invalid("%s is no date", key)
			}
			*to = t
		}
	}
	return q, nil
}

// filterWords splits a filter; "several words" in quotes stay together.
func filterWords(filter string) []string {
	var out []string
	for n, part := range strings.Split(filter, `"`) {
		if n%2 == 1 {
			out = append(out, part)
		} else {
			out = append(out, strings.Fields(part)...)
		}
	}
	return slices.DeleteFunc(out, func(w string) bool { return w == "" || w == "AND" })
}

// fits applies a filter: words of the message, @key:value for what is known of
// a line, and a minus before either.
func (e entry) fits(words []string) bool {
	for _, w := range words {
		rest, not := strings.CutPrefix(w, "-")
		if e.has(rest) == not {
			return false
		}
	}
	return true
}

func (e entry) has(word string) bool {
	key, value, tagged := strings.Cut(strings.TrimPrefix(word, "@"), ":")
	if !strings.HasPrefix(word, "@") || !tagged {
		return strings.Contains(strings.ToLower(e.message), strings.ToLower(word))
	}
	switch d := e.deployment; key {
	case "service":
		return d.ServiceID == value
	case "deployment":
		return d.ID == value
	case "snapshot":
		return d.SnapshotID == value
	case "replica", "deploymentInstance":
		return e.replica == value
	case "level":
		return e.severity == value
	}
	return strings.Trim(e.attributes[key], `"`) == value
}

// cut is the part of a log that was asked for: the newest lines.
func (q logQuery) cut(list []entry) []entry {
	list = slices.DeleteFunc(list, func(e entry) bool {
		return !e.fits(q.filter) || (!q.from.IsZero() && e.at.Before(q.from)) || (!q.to.IsZero() && e.at.After(q.to))
	})
	return list[max(0, len(list)-q.limit):]
}

// logs answers buildLogs and deploymentLogs.
func (s *Server) logs(c *caller, entries func(*deployment) []entry) resolver {
	return func(args arguments) (any, error) {
		d, err := s.deployment(c, args.str("deploymentId"))
		if err != nil {
			return nil, err
		}
		q, err := readQuery(args)
		if err != nil {
			return nil, err
		}
		return objectsOf(q.cut(entries(d))), nil
	}
}

// environmentEntries are the lines of everything in an environment. Build logs
// are left out unless a snapshot is asked for.
func (s *Server) environmentEntries(environmentID string, words []string) []entry {
	all := filter(s.st.Deployments, func(d *deployment) bool { return d.EnvironmentID == environmentID })
	out := s.runEntries(all...)
	if slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, "@snapshot:") }) {
		for _, d := range all {
			out = append(out, s.buildEntries(d)...)
		}
		slices.SortStableFunc(out, func(a, b entry) int { return a.at.Compare(b.at) })
	}
	return slices.DeleteFunc(out, func(e entry) bool { return !e.fits(words) })
}

// environmentLogs looks from an anchor backwards and forwards.
func (s *Server) environmentLogs(c *caller) resolver {
	return func(args arguments) (any, error) {
		e, err := s.environment(c, args.str("environmentId"))
		if err != nil {
			return nil, err
		}
		anchor := s.w.Now()
		var oldest, latest time.Time
		for key, to := range map[string]*time.Time{"anchorDate": &anchor, "beforeDate": &oldest, "afterDate": &latest} {
			if v := args.str(key); v != "" {
				if *to, err = time.Parse(time.RFC3339, v); err != nil {
					return nil, invalid("%s is no date", key)
				}
			}
		}
		list := s.environmentEntries(e.ID, filterWords(args.str("filter")))
		list = slices.DeleteFunc(list, func(e entry) bool {
			return (!oldest.IsZero() && e.at.Before(oldest)) || (!latest.IsZero() && e.at.After(latest))
		})
		n, _ := slices.BinarySearchFunc(list, anchor, func(e entry, at time.Time) int {
			if e.at.After(at) {
				return 1
			}
			return -1
		})
		before, after := args.num("beforeLimit"), args.num("afterLimit")
		if before == 0 && after == 0 {
			before = defaultLogs
		}
		return objectsOf(list[max(0, n-min(before, maxLogs)):min(len(list), n+min(after, maxLogs))]), nil
	}
}
