package render

import (
	"net/http"
	"slices"
	"time"
)

// maxEvents is how many events a service keeps.
const maxEvents = 1000

// event is something that happened to a service.
type event struct {
	ID      string
	Time    time.Time
	Type    string
	Details any
}

func (s *Server) eventRoutes() {
	s.handle("GET /services/{service}/events", s.serviceCall(s.listEvents))
	s.handle("GET /events/{event}", s.locked(s.getEvent))
}

// event adds an event. Callers hold s.mu.
func (s *Server) event(v *service, typ string, details map[string]any) {
	v.Events = append(v.Events, &event{s.id("evt"), s.w.Now(), typ, details})
	if n := len(v.Events) - maxEvents; n > 0 {
		v.Events = slices.Clone(v.Events[n:])
	}
}

// trigger is why a deploy or a build runs.
func (s *Server) trigger(d *deploy) map[string]any {
	doc := map[string]any{
		"firstBuild": false, "envUpdated": false, "manual": d.Trigger == "api" || d.Trigger == "manual", "deployedByRender": false,
		"clearCache": d.ClearCache, "rollback": d.RollbackTo != "", "user": s.user(),
	}
	if d.RollbackTo != "" {
		doc["rollbackTargetDeployId"] = d.RollbackTo
	}
	if d.Trigger == "new_commit" && d.Commit != nil {
		doc["newCommit"] = d.Commit.ID
	}
	return doc
}

func eventDoc(v *service, e *event) map[string]any {
	return map[string]any{"id": e.ID, "timestamp": stamp(e.Time), "serviceId": v.ID, "type": e.Type, "details": e.Details}
}

func (s *Server) listEvents(r *http.Request, v *service) (reply, error) {
	f := newFilter(r)
	from, err := timeParam(r, "startTime", time.Time{})
	if err != nil {
		return reply{}, err
	}
	to, err := timeParam(r, "endTime", s.w.Now())
	if err != nil {
		return reply{}, err
	}
	var list []*event
	for _, e := range slices.Backward(v.Events) { // newest first
		if f.any("type", e.Type) && !e.Time.Before(from) && !e.Time.After(to) {
			list = append(list, e)
		}
	}
	return page(s, r, list, "event", func(e *event) string { return e.ID }, func(e *event) any { return eventDoc(v, e) })
}

func (s *Server) getEvent(r *http.Request) (reply, error) {
	for _, v := range s.st.Services {
		for _, e := range v.Events {
			if e.ID == r.PathValue("event") {
				return ok(eventDoc(v, e))
			}
		}
	}
	return reply{}, notFound("event", r.PathValue("event"))
}

// timeParam reads a query parameter that is a time as in RFC 3339.
func timeParam(r *http.Request, name string, otherwise time.Time) (time.Time, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, bad("invalid %s: it must be a time as in RFC 3339", name)
	}
	return t, nil
}
