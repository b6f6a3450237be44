package render

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// maxLines is how many of its own lines the platform keeps for a service.
const maxLines = 2000

// line is something that the platform itself wrote into a service's log.
type line struct {
	Seq  int64
	Time time.Time
	Type string // build or app
	Text string
}

// say writes about a deploy into the service's log.
func (s *Server) say(v *service, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sayLocked(v, "app", text)
}

// sayLocked is say for any type of line. Callers hold s.mu.
func (s *Server) sayLocked(v *service, typ, text string) {
	var seq int64 = 1
	if n := len(v.Lines); n > 0 {
		seq = v.Lines[n-1].Seq + 1
	}
	v.Lines = append(v.Lines, line{seq, s.w.Now(), typ, text})
	if over := len(v.Lines) - maxLines; over > 0 {
		v.Lines = slices.Clone(v.Lines[over:])
	}
}

// entry is a line of a log as the API gives it.
type entry struct {
	id       string
	at       time.Time
	text     string
	resource string
	instance string // empty for the platform's own lines
	typ      string
	level    string
}

// mark is how far a log was read: the processes' lines and the platform's.
type mark struct{ app, own int64 }

// entries are the lines of a service and its jobs behind a mark, oldest first.
// No two have the same time, so that a page can end between any two. Callers
// hold s.mu.
func (s *Server) entries(v *service, from mark) ([]entry, mark) {
	var out []entry
	lines, last := v.app.Logs.After(from.app, 0, nil)
	to := mark{app: max(last, from.app), own: from.own}
	for _, l := range lines {
		e := entry{
			id: fmt.Sprintf("log-%s-a%d", v.ID, l.Seq), at: l.Time, text: l.Message, instance: l.Machine, typ: "app", level: levelOf(l.Message),
		}
		e.resource = l.Machine
		if i := strings.LastIndexByte(l.Machine, '-'); i > 0 {
			e.resource = l.Machine[:i]
		}
		if l.Source != "app" {
			e.text, e.level = platformText(l), "error"
		}
		out = append(out, e)
	}
	for _, l := range v.Lines {
		if l.Seq > from.own {
			out = append(out, entry{
				id: fmt.Sprintf("log-%s-p%d", v.ID, l.Seq), at: l.Time, text: l.Text, resource: v.ID, typ: l.Type, level: "info",
			})
			to.own = l.Seq
		}
	}
	slices.SortStableFunc(out, func(a, b entry) int { return a.at.Compare(b.at) })
	for i := 1; i < len(out); i++ {
		if !out[i].at.After(out[i-1].at) {
			out[i].at = out[i-1].at.Add(1)
		}
	}
	return out, to
}

// platformText puts what the world says of a process into Render's words.
func platformText(l world.LogLine) string {
	if code, is := strings.CutPrefix(l.Message, "Main child exited with code: "); is {
		return "==> Exited with status " + code
	}
	return "==> " + l.Message
}

// levelOf reads the level that a line carries, if it does.
func levelOf(text string) string {
	var doc struct {
		Level string `json:"level"`
	}
	if strings.HasPrefix(text, "{") && json.Unmarshal([]byte(text), &doc) == nil && doc.Level != "" {
		return strings.ToLower(doc.Level)
	}
	head, _, _ := strings.Cut(text, " ")
	switch head = strings.ToLower(strings.Trim(head, "[]:")); head {
	case "error", "warn", "debug", "fatal":
		return head
	case "warning":
		return "warn"
	}
	return "info"
}

func (e entry) doc() map[string]any {
	labels := []any{
		map[string]any{"name": "resource", "value": e.resource}, map[string]any{"name": "type", "value": e.typ}, map[string]any{"name": "level", "value": e.level},
	}
	if e.instance != "" {
		labels = append(labels, map[string]any{"name": "instance", "value": e.instance})
	}
	return map[string]any{"id": e.id, "timestamp": stamp(e.at), "message": e.text, "labels": labels}
}

// label is the value of one of the labels, "" when the line hasn't got it.
func (e entry) label(name string) string {
	return map[string]string{"resource": e.resource, "instance": e.instance, "type": e.typ, "level": e.level}[name]
}

// fits holds a line against the filters of a request.
func (f *filter) fits(e entry) bool {
	for _, name := range []string{"resource", "instance", "type", "level", "host", "statusCode", "method", "path"} {
		if !f.any(name, e.label(name)) {
			return false
		}
	}
	texts := f.q["text"]
	return len(texts) == 0 || slices.ContainsFunc(texts, func(t string) bool { return contains(e.text, t) })
}

// contains searches a text in which * stands for anything.
func contains(text, want string) bool {
	text = strings.ToLower(text)
	for part := range strings.SplitSeq(strings.ToLower(want), "*") {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return true
}

func byTime(a, b entry) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.id, b.id)) }
