// Package fly speaks Fly.io's APIs for a world of local processes: the
// Machines REST API below /v1, GraphQL at /graphql, and the REST API that
// flyctl uses for releases, builds, organizations and logs below /api/v1.
//
// It is written from the API reference alone and validated against the
// published schemas in its tests; no adapter of opsctl is imported, so that a
// mistake in one is not the other's truth.
package fly

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// Options configure the API. The zero value of everything but World works.
type Options struct {
	World *world.World
	// ValidTokens are the only ones accepted; empty means any token but an empty one.
	ValidTokens []string
	// Email is who the tokens belong to.
	Email string
	// Orgs are the slugs of the organizations that exist; empty means "personal".
	Orgs []string
	// TakenNames are apps of somebody else: 403 on sight, 422 name_taken on creation.
	TakenNames []string
	// HostSuffixes make an app's public addresses: APP + "." + suffix.
	HostSuffixes []string
	// Port is where apps answer under APP.localhost, which their GraphQL appUrl
	// then says; nil means that appUrl is the usual https://APP.fly.dev.
	Port func() int
	// Lag hides a new app or machine from reads for that long (eventual consistency).
	Lag time.Duration
	// PageSize is the most items a list answers with; 0 means no limit of its own.
	PageSize int
}

// Server is Fly's control plane.
type Server struct {
	opts Options
	w    *world.World
	mux  *http.ServeMux

	mu       sync.Mutex
	apps     map[string]*app
	byKey    map[string]*app // by idempotency_key
	releases map[string]*release
	clusters map[string]*cluster
	addOns   map[string]*addOn
	nextNum  int64
}

// New makes the API for a world.
func New(opts Options) *Server {
	if opts.Email == "" {
		opts.Email = "dev@example.com"
	}
	if len(opts.Orgs) == 0 {
		opts.Orgs = []string{"personal"}
	}
	s := &Server{
		opts: opts, w: opts.World, mux: http.NewServeMux(),
		apps: map[string]*app{}, byKey: map[string]*app{}, releases: map[string]*release{},
		clusters: map[string]*cluster{}, addOns: map[string]*addOn{}, nextNum: 1000,
	}
	s.appRoutes()
	s.machineRoutes()
	s.platformRoutes()
	s.volumeRoutes()
	s.certRoutes()
	s.postgresRoutes()
	s.uiexRoutes()
	s.handle("POST /graphql", s.graphql)
	return s
}

// apiError is an answer that isn't 2xx.
type apiError struct {
	code    int
	message string
	status  string // the Machines API's status word, may be empty
}

func (e *apiError) Error() string { return e.message }

func fail(code int, message string) error { return &apiError{code: code, message: message} }

func notFound(what string) error { return fail(http.StatusNotFound, what+" not found") }

// reply is a successful answer: a body to encode, or none when body is nil.
type reply struct {
	code   int
	body   any
	header http.Header
}

func ok(body any) (reply, error) { return reply{code: http.StatusOK, body: body}, nil }

// endpoint answers one request. It runs without s.mu.
type endpoint func(r *http.Request) (reply, error)

// handle registers an endpoint. Every one of them needs a token.
func (s *Server) handle(pattern string, f endpoint) {
	s.mux.HandleFunc(pattern, func(rw http.ResponseWriter, r *http.Request) {
		if !s.authorized(r) {
			s.fail(rw, r, &apiError{code: http.StatusUnauthorized, message: "unauthorized"})
			return
		}
		rep, err := f(r)
		if err != nil {
			s.fail(rw, r, err)
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

// ServeHTTP answers a request to any of the APIs.
func (s *Server) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if _, pattern := s.mux.Handler(r); pattern == "" {
		s.fail(rw, r, notFound("endpoint "+r.Method+" "+r.URL.Path))
		return
	}
	s.mux.ServeHTTP(rw, r)
}

// Handles reports whether the path belongs to these APIs.
func Handles(path string) bool {
	return strings.HasPrefix(path, "/v1/") || strings.HasPrefix(path, "/api/v1/") || path == "/graphql"
}

func (s *Server) fail(rw http.ResponseWriter, r *http.Request, err error) {
	var e *apiError
	if !errors.As(err, &e) {
		e = &apiError{code: http.StatusInternalServerError, message: err.Error()}
	}
	body := map[string]any{"error": e.message}
	if strings.HasPrefix(r.URL.Path, "/v1/") && !strings.HasPrefix(r.URL.Path, "/v1/postgres") {
		body["status"] = e.status
		if e.status == "" {
			body["status"] = "unknown"
		}
	}
	if e.code == http.StatusServiceUnavailable {
		rw.Header().Set("Retry-After", "1")
	}
	writeJSON(rw, e.code, body)
}

func writeJSON(rw http.ResponseWriter, code int, body any) {
	rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	rw.WriteHeader(code)
	_ = json.NewEncoder(rw).Encode(body)
}

// authorized follows Fly's scheme rule: the header may say Bearer or FlyV1
// (even both), and several tokens may be joined by commas.
func (s *Server) authorized(r *http.Request) bool {
	h := r.Header.Get("Authorization")
	for {
		rest, cut := strings.CutPrefix(h, "Bearer ")
		if !cut {
			rest, cut = strings.CutPrefix(h, "FlyV1 ")
		}
		if !cut {
			break
		}
		h = strings.TrimSpace(rest)
	}
	return s.validTokens(h)
}

func (s *Server) validTokens(joined string) bool {
	for t := range strings.SplitSeq(joined, ",") {
		if t = strings.TrimSpace(t); t == "" {
			continue
		}
		if len(s.opts.ValidTokens) == 0 {
			return true
		}
		if slices.Contains(s.opts.ValidTokens, t) {
			return true
		}
	}
	return false
}

// RegistryAuth reports whether a registry client may go on: user x, the token
// as the password, or a bearer token.
func (s *Server) RegistryAuth(r *http.Request) bool {
	if _, pw, ok := r.BasicAuth(); ok {
		return s.validTokens(pw)
	}
	return s.authorized(r)
}

// HasApp reports whether the app exists: only then may its images be pushed.
func (s *Server) HasApp(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.apps[name] != nil
}

// decode reads a JSON body; an empty one leaves v as it is.
func decode(r *http.Request, v any) error {
	data, err := io.ReadAll(io.LimitReader(r.Body, 16<<20))
	if err != nil {
		return fail(http.StatusBadRequest, "could not read the request body")
	}
	if len(strings.TrimSpace(string(data))) == 0 {
		return nil
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fail(http.StatusBadRequest, "invalid JSON: "+err.Error())
	}
	return nil
}

// num returns the next internal numeric id. Callers hold s.mu.
func (s *Server) num() int64 {
	s.nextNum++
	return s.nextNum
}

// page cuts a list by limit and cursor, where the cursor is the key of the
// last item seen. It returns the cursor of the next page, or "".
func page[T any](s *Server, r *http.Request, items []T, key func(T) string) ([]T, string) {
	q := r.URL.Query()
	if c := q.Get("cursor"); c != "" {
		for i, it := range items {
			if key(it) == c {
				items = items[i+1:]
				break
			}
		}
	}
	limit := atoi(q.Get("limit"))
	if s.opts.PageSize > 0 && (limit == 0 || limit > s.opts.PageSize) {
		limit = s.opts.PageSize
	}
	if limit <= 0 || len(items) <= limit {
		return items, ""
	}
	return items[:limit], key(items[limit-1])
}

func atoi(s string) int {
	n := 0
	for _, c := range s {
		if c < '0' || c > '9' || n > 1<<24 {
			return 0
		}
		n = n*10 + int(c-'0')
	}
	return n
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// appURL is an app's public address: on this machine where the port is known.
func (s *Server) appURL(name string) string {
	if s.opts.Port == nil {
		return "https://" + name + ".fly.dev"
	}
	return fmt.Sprintf("http://%s.localhost:%d", name, s.opts.Port())
}
