package sentry

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// event is what an SDK reported once.
type event struct {
	ID          string          `json:"id"` // 32 hexadecimal digits
	Project     string          `json:"project"`
	Issue       string          `json:"issue"`
	Message     string          `json:"message"`
	Title       string          `json:"title"`
	Level       string          `json:"level"`
	Release     string          `json:"release"`
	Environment string          `json:"environment"`
	Platform    string          `json:"platform"`
	Type        string          `json:"type"` // default or error
	Tags        [][2]string     `json:"tags"`
	Fingerprint []string        `json:"fingerprint"`
	Received    time.Time       `json:"received"`
	Body        json.RawMessage `json:"body"` // as it came
}

// issue is a group of events that are alike.
type issue struct {
	ID        string    `json:"id"`
	Short     string    `json:"short"`
	Project   string    `json:"project"`
	Key       string    `json:"key"` // what groups
	Title     string    `json:"title"`
	Level     string    `json:"level"`
	Status    string    `json:"status"` // unresolved, resolved or ignored
	Substatus string    `json:"substatus"`
	Type      string    `json:"type"`
	Count     int       `json:"count"`
	First     time.Time `json:"first"`
	Last      time.Time `json:"last"`
}

// report is the part of an event that the server looks at.
type report struct {
	EventID   string          `json:"event_id"`
	Message   json.RawMessage `json:"message"`
	LogEntry  json.RawMessage `json:"logentry"`
	Level     string          `json:"level"`
	Release   string          `json:"release"`
	Env       string          `json:"environment"`
	Platform  string          `json:"platform"`
	Tags      json.RawMessage `json:"tags"`
	Prints    []string        `json:"fingerprint"`
	Exception json.RawMessage `json:"exception"`
}

// isEventID: 32 hexadecimal digits, in lower case.
func isEventID(s string) bool { return len(s) == 32 && strings.Trim(s, "0123456789abcdef") == "" }

// addEvent keeps an event; envelopeID is the id in the envelope's header. It returns the event's id.
func (s *Server) addEvent(p *project, envelopeID string, payload []byte) (string, error) {
	if len(payload) > maxEvent {
		return "", &apiError{http.StatusRequestEntityTooLarge, "envelope exceeded size limits for type 'event'", ""}
	}
	var in report
	if err := json.Unmarshal(payload, &in); err != nil {
		return "", &apiError{http.StatusBadRequest, "failed to parse event: " + err.Error(), ""}
	}
	id := strings.ToLower(strings.ReplaceAll(in.EventID, "-", ""))
	if id == "" {
		id = strings.ReplaceAll(envelopeID, "-", "")
	}
	if id == "" {
		id = s.opts.NewID(32)
	}
	if !isEventID(id) {
		return "", &apiError{http.StatusBadRequest, "invalid event id", ""}
	}
	if s.event(id) != nil {
		return id, nil // sent twice: the second one is dropped
	}
	e := &event{
		ID: id, Project: p.ID, Message: text(in.Message), Level: in.Level, Release: in.Release, Environment: in.Env, Platform: in.Platform,
		Type: "default", Tags: tags(in.Tags), Fingerprint: in.Prints, Received: s.opts.Now(), Body: json.RawMessage(payload),
	}
	if e.Message == "" {
		e.Message = text(in.LogEntry)
	}
	e.Title = e.Message
	if x := exception(in.Exception); x != "" {
		e.Title, e.Type = x, "error"
	}
	if e.Title == "" {
		e.Title = "<unlabeled event>"
	}
	e.Title, _, _ = strings.Cut(e.Title, "\n")
	if !slices.Contains([]string{"debug", "info", "warning", "error", "fatal"}, e.Level) {
		e.Level = "error"
	}
	if e.Platform == "" {
		e.Platform = "other"
	}
	s.group(p, e)
	s.state.Events = append(s.state.Events, e)
	if over := len(s.state.Events) - maxEvents; over > 0 {
		s.state.Events = slices.Delete(s.state.Events, 0, over)
	}
	return id, nil
}

// text is a message: a string, or an object with its formatted form.
func text(raw json.RawMessage) string {
	var str string
	if json.Unmarshal(raw, &str) == nil {
		return str
	}
	var m struct{ Formatted, Message string }
	if json.Unmarshal(raw, &m) == nil && m.Formatted != "" {
		return m.Formatted
	}
	return m.Message
}

// tags are an object or a list of pairs.
func tags(raw json.RawMessage) (out [][2]string) {
	var m map[string]any
	if json.Unmarshal(raw, &m) == nil {
		for k, v := range m {
			out = append(out, [2]string{k, fmt.Sprint(v)})
		}
	} else {
		_ = json.Unmarshal(raw, &out) // neither: no tags
	}
	slices.SortFunc(out, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return out
}

// exception is "Type: value" of the last exception of a chain, which is the one that was seen.
func exception(raw json.RawMessage) string {
	type one struct{ Type, Value string }
	var list []one
	var wrapped struct{ Values []one }
	if json.Unmarshal(raw, &list) != nil && json.Unmarshal(raw, &wrapped) == nil {
		list = wrapped.Values
	}
	if len(list) == 0 {
		return ""
	}
	x := list[len(list)-1]
	return strings.Trim(x.Type+": "+x.Value, ": ")
}

// group puts the event into its issue: that of its fingerprint, or of its title.
func (s *Server) group(p *project, e *event) {
	parts := append([]string{p.ID}, e.Fingerprint...)
	if len(e.Fingerprint) == 0 || slices.Contains(e.Fingerprint, "{{ default }}") {
		parts = append(parts, e.Type, e.Title)
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	k := hex.EncodeToString(sum[:16])
	for _, i := range s.state.Issues {
		if i.Key == k {
			if i.Status == "resolved" {
				i.Status, i.Substatus = "unresolved", "regressed"
			}
			i.Count++
			i.Last, e.Issue = e.Received, i.ID
			return
		}
	}
	n := s.number()
	i := &issue{
		ID: strconv.Itoa(n), Short: fmt.Sprintf("%s-%d", strings.ToUpper(p.Slug), n), Project: p.ID, Key: k, Title: e.Title, Level: e.Level, Type: e.Type,
		Status: "unresolved", Substatus: "new", Count: 1, First: e.Received, Last: e.Received,
	}
	s.state.Issues = append(s.state.Issues, i)
	e.Issue = i.ID
}

func (s *Server) event(id string) *event {
	for _, e := range s.state.Events {
		if e.ID == id {
			return e
		}
	}
	return nil
}

// processed is event for the REST API, which finds it only a while later.
func (s *Server) processed(id string) (*event, error) {
	e := s.event(strings.ToLower(strings.ReplaceAll(id, "-", "")))
	if e == nil || s.opts.Now().Sub(e.Received) < s.opts.Processing {
		return nil, &apiError{http.StatusNotFound, "Event not found", ""}
	}
	return e, nil
}
