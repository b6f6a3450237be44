package sentry

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"
)

func (s *Server) monitorRoutes() {
	s.handle("POST /organizations/{org}/monitors/", s.createMonitor)
	s.handle("GET /organizations/{org}/monitors/", func(r *http.Request) (reply, error) {
		return list(s, r, s.state.Monitors, func(m *monitor) any { return s.monitorDoc(m) })
	})
	for _, base := range []string{"/organizations/{org}/monitors/{monitor}/", "/projects/{org}/{project}/monitors/{monitor}/"} {
		s.handle("GET "+base, s.withMonitor(func(_ *http.Request, m *monitor) (reply, error) { return ok(s.monitorDoc(m)) }))
		s.handle("PUT "+base, s.withMonitor(s.updateMonitor))
		s.handle("DELETE "+base, s.withMonitor(func(_ *http.Request, m *monitor) (reply, error) {
			s.state.Monitors = slices.DeleteFunc(s.state.Monitors, func(x *monitor) bool { return x == m })
			return reply{code: http.StatusAccepted}, nil
		}))
		s.handle("GET "+base+"checkins/", s.withMonitor(s.listCheckIns))
	}
}

func (s *Server) monitor(slugOrID string) *monitor {
	for _, m := range s.state.Monitors {
		if m.Slug == slugOrID || m.ID == slugOrID {
			return m
		}
	}
	return nil
}

func (s *Server) withMonitor(f func(*http.Request, *monitor) (reply, error)) endpoint {
	return func(r *http.Request) (reply, error) {
		if m := s.monitor(r.PathValue("monitor")); m != nil {
			return f(r, m)
		}
		return reply{}, errNotFound
	}
}

// monitorInput is the body of create and update.
type monitorInput struct {
	Project string         `json:"project"`
	Name    string         `json:"name"`
	Slug    string         `json:"slug"`
	Status  string         `json:"status"`
	Muted   *bool          `json:"is_muted"`
	Config  *monitorConfig `json:"config"`
}

func (s *Server) createMonitor(r *http.Request) (reply, error) {
	var in monitorInput
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	p := s.project(in.Project)
	switch {
	case in.Name == "":
		return reply{}, bad("name", "This field is required.")
	case in.Config == nil:
		return reply{}, bad("config", "This field is required.")
	case p == nil:
		return reply{}, bad("project", "Invalid project")
	}
	m := &monitor{Slug: in.Slug, Project: p.ID, Status: "active", Created: s.opts.Now()}
	if m.Slug == "" {
		m.Slug = strings.ReplaceAll(strings.ToLower(in.Name), " ", "-")
	}
	if !isSlug(m.Slug, maxMonitorSlug) {
		return reply{}, bad("slug", "Enter a valid slug consisting of lowercase letters, numbers, underscores or hyphens.")
	}
	if s.monitor(m.Slug) != nil {
		return reply{}, bad("slug", `The slug "`+m.Slug+`" is already in use.`)
	}
	if err := m.change(in); err != nil {
		return reply{}, err
	}
	m.ID = s.numberID()
	s.state.Monitors = append(s.state.Monitors, m)
	return reply{code: http.StatusCreated, body: s.monitorDoc(m)}, nil
}

func (s *Server) updateMonitor(r *http.Request, m *monitor) (reply, error) {
	var in monitorInput
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	if err := m.change(in); err != nil {
		return reply{}, err
	}
	return ok(s.monitorDoc(m))
}

// change takes over what is given; an input that is refused changes nothing.
func (m *monitor) change(in monitorInput) error {
	if in.Config != nil {
		if err := in.Config.check(); err != nil {
			return err
		}
		m.Config = *in.Config
	}
	if in.Status != "" && in.Status != "active" && in.Status != "disabled" {
		return bad("status", `"`+in.Status+`" is not a valid choice.`)
	}
	m.Name, m.Status = cmp.Or(in.Name, m.Name), cmp.Or(in.Status, m.Status)
	if in.Muted != nil {
		m.Muted = *in.Muted
	}
	return nil
}

// expire closes what has been open for too long.
func (s *Server) expire(m *monitor) {
	for _, c := range m.CheckIns {
		limit := defaultMaxRuntime
		if c.Config.MaxRuntime != nil {
			limit = *c.Config.MaxRuntime
		}
		if end := c.Added.Add(time.Duration(limit) * time.Minute); c.Status == "in_progress" && s.opts.Now().After(end) {
			c.Status, c.Updated = "timeout", end
		}
	}
}

func (s *Server) listCheckIns(r *http.Request, m *monitor) (reply, error) {
	s.expire(m)
	env := r.URL.Query()["environment"]
	var found []*checkIn
	for _, c := range slices.Backward(m.CheckIns) {
		if len(env) == 0 || slices.Contains(env, c.Environment) {
			found = append(found, c)
		}
	}
	return list(s, r, found, func(c *checkIn) any { return c.doc() })
}

func (c *checkIn) doc() map[string]any {
	doc := map[string]any{
		"id": c.ID, "environment": c.Environment, "status": c.Status, "duration": nil, "dateCreated": stamp(c.Added), "dateAdded": stamp(c.Added),
		"dateUpdated": stamp(c.Updated), "dateInProgress": stampOr(c.Started), "dateClock": stamp(c.Added), "expectedTime": stamp(c.Config.next(c.Added)),
		"monitorConfig": c.Config,
	}
	if c.Duration != nil {
		doc["duration"] = int(*c.Duration * 1000) // milliseconds, where the SDK's are seconds
	}
	return doc
}

// health is what a monitor is called after this check-in.
func (c *checkIn) health() string {
	if c.Status == "in_progress" {
		return "ok"
	}
	return c.Status
}

func (s *Server) monitorDoc(m *monitor) map[string]any {
	s.expire(m)
	envs := []any{}
	var seen []string
	for _, c := range slices.Backward(m.CheckIns) {
		if slices.Contains(seen, c.Environment) {
			continue
		}
		seen = append(seen, c.Environment)
		next := m.Config.next(c.Added)
		margin := 1
		if m.Config.Margin != nil {
			margin = *m.Config.Margin
		}
		envs = append(envs, map[string]any{
			"name": c.Environment, "status": c.health(), "isMuted": m.Muted,
			"dateCreated": stamp(m.Created), "lastCheckIn": stamp(c.Added), "nextCheckIn": stamp(next),
			"nextCheckInLatest": stamp(next.Add(time.Duration(margin) * time.Minute)), "activeIncident": nil,
		})
	}
	p := s.project(m.Project)
	return map[string]any{
		"id": m.ID, "name": m.Name, "slug": m.Slug, "status": m.Status, "isMuted": m.Muted, "isUpserting": m.Upserting, "config": m.Config,
		"dateCreated": stamp(m.Created), "project": p.doc(), "environments": envs, "owner": nil,
	}
}
