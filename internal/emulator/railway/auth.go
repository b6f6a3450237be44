package railway

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// kind is what a caller's token is for.
type kind int

const (
	nobody kind = iota
	account
	workspace
	project
)

// caller is who makes a request.
type caller struct {
	kind  kind
	token string
	// of a project token:
	name, projectID, environmentID string
	created                        time.Time
	unknown                        bool // a project token that doesn't exist
}

// The texts that clients look for.
var (
	errUnauthorized = fail("Not Authorized")
	errNoToken      = fail("Project Token not found")
)

// caller finds out whose token a request carries: Project-Access-Token first,
// as the platform's own client sends one or the other.
func (s *Server) caller(r *http.Request) *caller {
	if t := strings.TrimSpace(r.Header.Get("Project-Access-Token")); t != "" {
		return s.projectCaller(t)
	}
	t, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	t = strings.TrimSpace(t)
	if !bearer || t == "" {
		return &caller{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case slices.Contains(s.opts.WorkspaceTokens, t):
		return &caller{kind: workspace, token: t}
	case s.st.Tokens[t] != nil || s.opts.ProjectTokens[t] != "":
		return &caller{token: t} // a project token in the wrong header
	case len(s.opts.ValidTokens) == 0 || slices.Contains(s.opts.ValidTokens, t):
		return &caller{kind: account, token: t}
	}
	return &caller{token: t}
}

func (s *Server) projectCaller(t string) *caller {
	s.mu.Lock()
	defer s.mu.Unlock()
	if pt := s.st.Tokens[t]; pt != nil {
		return &caller{kind: project, token: t, name: pt.Name, projectID: pt.ProjectID, environmentID: pt.EnvironmentID, created: pt.CreatedAt}
	}
	want, env, _ := strings.Cut(s.opts.ProjectTokens[t], "/")
	for _, p := range s.st.Projects {
		if p.ID != want && p.Name != want {
			continue
		}
		for _, e := range s.st.environments(p.ID) {
			if e.ID == env || e.Name == env {
				return &caller{kind: project, token: t, name: "token", projectID: p.ID, environmentID: e.ID, created: p.CreatedAt}
			}
		}
	}
	return &caller{token: t, unknown: true}
}

// everything is nil for a caller that may see the whole workspace.
func (c *caller) everything() error {
	if c.kind == account || c.kind == workspace {
		return nil
	}
	return c.refused()
}

// anybody is nil for a caller with a valid token.
func (c *caller) anybody() error {
	if c.kind == nobody {
		return c.refused()
	}
	return nil
}

func (c *caller) refused() error {
	if c.unknown {
		return errNoToken
	}
	return errUnauthorized
}

// mayProject and mayEnvironment hold a project token to what it is for.
func (c *caller) mayProject(id string) error {
	if c.kind == project && c.projectID == id {
		return nil
	}
	return c.everything()
}

func (c *caller) mayEnvironment(id string) error {
	if c.kind == project && c.environmentID == id {
		return nil
	}
	return c.everything()
}

// window counts a token's requests of an hour.
type window struct {
	ends time.Time
	used int
}

// allow counts the request and refuses it when the token has none left.
func (s *Server) allow(rw http.ResponseWriter, c *caller) bool {
	limit := s.opts.RateLimit
	if limit == 0 {
		limit = defaultRateLimit
	}
	now := s.w.Now()
	s.mu.Lock()
	win := s.limits[c.token]
	if win == nil || !now.Before(win.ends) {
		win = &window{ends: now.Add(time.Hour)}
		s.limits[c.token] = win
	}
	win.used++
	left, ends := max(limit-win.used, 0), win.ends
	over := s.opts.RateLimit > 0 && win.used > limit
	s.mu.Unlock()
	h := rw.Header()
	h.Set("X-RateLimit-Limit", strconv.Itoa(limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(left))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(ends.Unix(), 10))
	h.Set("RateLimit-Policy", fmt.Sprintf("%d;w=3600", limit))
	if !over {
		return true
	}
	h.Set("Retry-After", strconv.Itoa(max(1, int(ends.Sub(now).Seconds()))))
	writeJSON(rw, http.StatusTooManyRequests, map[string]any{"errors": []any{map[string]any{
		"message": "You are being ratelimited. Please try again later", "extensions": map[string]any{"code": "RATE_LIMITED"},
	}}})
	return false
}
