// Package sentry is a small stand-in for Sentry: what SDKs send (envelopes,
// the older store endpoint, cron check-ins) and the part of the REST API that
// looks at it: events, issues, releases with deploys, monitors, and the
// workflows that say who is told.
//
// The forms are those of getsentry/sentry-api-schema (August 2026) and of the
// developer documentation on envelopes. Nothing is computed in the background:
// a check-in that was never closed is seen to have timed out when it is read,
// and a missed one is not noticed at all.
package sentry

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Options configure the server. Its zero value works, but for Key.
type Options struct {
	// ValidTokens are the only ones that the REST API accepts; empty means any token but an empty one.
	ValidTokens []string
	// Org and Project are the slugs of what exists from the start; empty means "emulator" and "app".
	Org, Project string
	// Key is the public key of every project's DSN.
	Key string
	// URL is where the server answers, without a slash at the end: for DSNs and links.
	URL func() string
	// Processing is how long an event takes to be found by its id.
	Processing time.Duration
	// PageSize is the most items that a list answers with; 0 means 100.
	PageSize int
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// NewID returns n random hexadecimal digits.
	NewID func(n int) string
}

// Server is one Sentry with one organization.
type Server struct {
	opts Options
	mux  *http.ServeMux

	mu    sync.Mutex
	state state
}

// New makes a Sentry.
func New(opts Options) *Server {
	if opts.Org == "" {
		opts.Org = "emulator"
	}
	if opts.Project == "" {
		opts.Project = "app"
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.URL == nil {
		opts.URL = func() string { return "http://sentry.invalid" }
	}
	s := &Server{opts: opts, mux: http.NewServeMux(), state: newState(opts)}
	s.ingestRoutes()
	s.projectRoutes()
	s.eventRoutes()
	s.releaseRoutes()
	s.monitorRoutes()
	s.workflowRoutes()
	return s
}

// ServeHTTP answers a request to any of the APIs.
func (s *Server) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if _, pattern := s.mux.Handler(r); pattern == "" {
		fail(rw, errNotFound)
		return
	}
	s.mux.ServeHTTP(rw, r)
}

// apiError is an answer that isn't 2xx. Sentry's REST API says {"detail": text},
// or for a body that it does not take {FIELD: [text]}.
type apiError struct {
	code  int
	text  string
	field string
}

func (e *apiError) Error() string { return e.text }

func bad(field, text string) error { return &apiError{http.StatusBadRequest, text, field} }

var errNotFound = &apiError{http.StatusNotFound, "The requested resource does not exist", ""}

func fail(rw http.ResponseWriter, err error) {
	var e *apiError
	if !errors.As(err, &e) {
		e = &apiError{http.StatusInternalServerError, "Internal Error", ""}
	}
	if e.field != "" {
		writeJSON(rw, e.code, map[string]any{e.field: []string{e.text}})
		return
	}
	writeJSON(rw, e.code, map[string]any{"detail": e.text})
}

func writeJSON(rw http.ResponseWriter, code int, body any) {
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(code)
	_ = json.NewEncoder(rw).Encode(body)
}

// reply is a successful answer.
type reply struct {
	code   int
	body   any
	header http.Header
}

func ok(body any) (reply, error) { return reply{code: http.StatusOK, body: body}, nil }

// endpoint answers a request to the REST API. It runs with s.mu held.
type endpoint func(r *http.Request) (reply, error)

// handle registers an endpoint below /api/0: it needs a token, and where the
// path names an organization or a project they must exist.
func (s *Server) handle(pattern string, f endpoint) {
	method, path, _ := strings.Cut(pattern, " ")
	s.mux.HandleFunc(method+" /api/0"+path+"{$}", func(rw http.ResponseWriter, r *http.Request) {
		if err := s.authorized(r); err != nil {
			fail(rw, err)
			return
		}
		s.mu.Lock()
		rep, err := s.named(r, f)
		s.mu.Unlock()
		if err != nil {
			fail(rw, err)
			return
		}
		maps.Copy(rw.Header(), rep.header)
		if rep.body == nil {
			rw.WriteHeader(rep.code)
			return
		}
		writeJSON(rw, rep.code, rep.body)
	})
}

func (s *Server) named(r *http.Request, f endpoint) (reply, error) {
	if org := r.PathValue("org"); org != "" && org != s.opts.Org && org != orgID {
		return reply{}, errNotFound
	}
	if slug := r.PathValue("project"); slug != "" && s.project(slug) == nil {
		return reply{}, errNotFound
	}
	return f(r)
}

func (s *Server) authorized(r *http.Request) error {
	token, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch token = strings.TrimSpace(token); {
	case !isBearer || token == "":
		return &apiError{http.StatusUnauthorized, "Authentication credentials were not provided.", ""}
	case len(s.opts.ValidTokens) > 0 && !slices.Contains(s.opts.ValidTokens, token):
		return &apiError{http.StatusUnauthorized, "Invalid token", ""}
	}
	return nil
}

// decode reads a JSON body into v.
func decode(r *http.Request, v any) error {
	data, err := io.ReadAll(io.LimitReader(r.Body, maxEnvelope))
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	if err != nil {
		return &apiError{http.StatusBadRequest, "JSON parse error - " + err.Error(), ""}
	}
	return nil
}

// list answers with a page: Sentry's cursors are "0:OFFSET:0", and the Link
// header says whether there is a next page.
func list[T any](s *Server, r *http.Request, items []T, doc func(T) any) (reply, error) {
	limit, offset := 100, 0
	if s.opts.PageSize > 0 {
		limit = s.opts.PageSize
	}
	if parts := strings.Split(r.URL.Query().Get("cursor"), ":"); len(parts) == 3 {
		offset, _ = strconv.Atoi(parts[1])
	}
	offset = min(max(offset, 0), len(items))
	end := min(offset+limit, len(items))
	docs := []any{}
	for _, it := range items[offset:end] {
		docs = append(docs, doc(it))
	}
	link := func(rel string, at int, more bool) string {
		u := *r.URL
		q := u.Query()
		cursor := "0:" + strconv.Itoa(at) + ":0"
		q.Set("cursor", cursor)
		u.RawQuery = q.Encode()
		return "<" + s.opts.URL() + u.RequestURI() + `>; rel="` + rel + `"; results="` + strconv.FormatBool(more) + `"; cursor="` + cursor + `"`
	}
	links := link("previous", max(offset-limit, 0), offset > 0) + ", " + link("next", end, end < len(items))
	return reply{http.StatusOK, docs, http.Header{"Link": {links}}}, nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// stampOr is the time, or null when there is none.
func stampOr(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return stamp(t)
}
