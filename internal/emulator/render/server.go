// Package render speaks Render's public API (https://api.render.com/v1) for a
// world of local processes: services with their deploys, environment variables,
// jobs, logs and domains, PostgreSQL and Key Value instances.
//
// It is written from the API reference alone and validated against the
// published OpenAPI document in its tests; no adapter of opsctl is imported, so
// that a mistake in one is not the other's truth.
package render

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// Owner is a workspace.
type Owner struct {
	ID    string `json:"id"` // tea-... or usr-...
	Name  string `json:"name"`
	Email string `json:"email"`
	Type  string `json:"type"` // user or team
}

// Options configure the API. The zero value of everything but World works.
type Options struct {
	World *world.World
	// ValidTokens are the only API keys accepted; empty means any but an empty one.
	ValidTokens []string
	// Email and Name are who the keys belong to.
	Email, Name string
	// Owners are the workspaces that the keys may use; empty means the team tea-1.
	Owners []Owner
	// Port is where services answer under SLUG.localhost, which their url then
	// says; nil means that it is the usual https://SLUG.onrender.com.
	Port func() int
	// Lag hides what is new from reads for that long (eventual consistency).
	Lag time.Duration
	// PageSize is the most items that a list answers with, whatever limit is
	// asked for; 0 means no limit of its own.
	PageSize int
	// Limits makes the documented rate limits hold.
	Limits bool
	// DeployTimeout is how long new instances may take to get healthy, and a
	// pre-deploy command to end; 0 means 15 minutes.
	DeployTimeout time.Duration
	// CrashLimit is after how many ends of one instance's process a deploy is
	// given up early; 0 means 3.
	CrashLimit int
	// CheckInterval is the time between two health checks of an instance; 0 means 5 s.
	CheckInterval time.Duration
	// Drain is how long a replaced instance still runs before it is told to end,
	// for the requests that have reached it; 0 means 200 ms (the real platform
	// takes 60 s), a negative value none.
	Drain time.Duration
	// Settle is how long an instance without a port must run before it counts as up; 0 means 1 s.
	Settle time.Duration
	// BuildTime is how long the build of a repository's commit takes.
	BuildTime time.Duration
	// Build decides whether a commit can be built; nil means that all can.
	Build func(repo, commit string) error
	// HasFile tells whether a commit of a repository has a file or a directory, named
	// from the repository's root ("." is that itself). A build of the runtime docker
	// fails without its Dockerfile or its context. nil means that all is there.
	HasFile func(repo, commit, name string) bool
	// DeployOnUpdate makes a change of a service's settings deploy it, with the
	// trigger service_updated, which the document has and says nothing about.
	DeployOnUpdate bool
	// KeepBuilds is how many successful deploys can be rolled back to; 0 means all.
	KeepBuilds int
	// RecoveryGap is how far behind now point-in-time recovery ends; 0 means 10
	// minutes, a negative value means none.
	RecoveryGap time.Duration
}

// Server is Render's control plane.
type Server struct {
	opts   Options
	w      *world.World
	mux    *http.ServeMux
	limits limiter

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu sync.Mutex
	st state
}

// New makes the API for a world. Close ends what it does in the background.
func New(opts Options) *Server {
	defaults(&opts)
	s := &Server{opts: opts, w: opts.World, mux: http.NewServeMux(), st: state{Heads: map[string]*commit{}}}
	s.limits.now, s.limits.enforce = s.w.Now, opts.Limits
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.accountRoutes()
	s.projectRoutes()
	s.serviceRoutes()
	s.envRoutes()
	s.groupRoutes()
	s.deployRoutes()
	s.eventRoutes()
	s.jobRoutes()
	s.logRoutes()
	s.domainRoutes()
	s.postgresRoutes()
	s.keyValueRoutes()
	s.background(s.watch)
	return s
}

func defaults(o *Options) {
	if o.Email == "" {
		o.Email = "dev@example.com"
	}
	if o.Name == "" {
		o.Name = "Emulator"
	}
	if len(o.Owners) == 0 {
		o.Owners = []Owner{{ID: "tea-1", Name: "Emulator", Email: o.Email, Type: "team"}}
	}
	for p, v := range map[*time.Duration]time.Duration{
		&o.DeployTimeout: 15 * time.Minute, &o.CheckInterval: 5 * time.Second, &o.Settle: time.Second, &o.Drain: 200 * time.Millisecond, &o.RecoveryGap: 10 * time.Minute,
	} {
		if *p == 0 {
			*p = v
		}
	}
	if o.CrashLimit <= 0 {
		o.CrashLimit = 3
	}
}

// Close ends running deploys, jobs and log streams, and waits for them. The
// world, which is the caller's, keeps its processes. Call it after the last
// Snapshot (a deploy that it ends is canceled) and before the world ends. It
// never fails.
func (s *Server) Close() error {
	s.cancel()
	s.w.Touch()
	s.work.Wait()
	return nil
}

// background runs f beside the requests until Close.
func (s *Server) background(f func(context.Context)) {
	s.work.Go(func() { f(s.ctx) })
}

// apiError is an answer that isn't 2xx.
type apiError struct {
	code    int
	message string
}

func (e *apiError) Error() string { return e.message }

func fail(code int, format string, args ...any) error {
	return &apiError{code: code, message: fmt.Sprintf(format, args...)}
}

func bad(format string, args ...any) error { return fail(http.StatusBadRequest, format, args...) }

func notFound(what, id string) error { return fail(http.StatusNotFound, "not found: %s %s", what, id) }

// reply is a successful answer: a body to encode, or none when body is nil.
type reply struct {
	code   int
	body   any
	header http.Header
}

func ok(body any) (reply, error)      { return reply{code: http.StatusOK, body: body}, nil }
func created(body any) (reply, error) { return reply{code: http.StatusCreated, body: body}, nil }
func empty(code int) (reply, error)   { return reply{code: code}, nil }

// endpoint answers one request. It runs without s.mu.
type endpoint func(r *http.Request) (reply, error)

// handle registers an endpoint below /v1. Every one of them needs a key.
func (s *Server) handle(pattern string, f endpoint) {
	method, path, _ := strings.Cut(pattern, " ")
	s.mux.HandleFunc(method+" /v1"+path, func(rw http.ResponseWriter, r *http.Request) {
		if !s.admit(rw, r) {
			return
		}
		rep, err := f(r)
		if err != nil {
			s.fail(rw, err)
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

// locked is an endpoint that runs with s.mu.
func (s *Server) locked(f endpoint) endpoint {
	return func(r *http.Request) (reply, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return f(r)
	}
}

// admit checks the key and the rate limit; it answers itself when it says no.
func (s *Server) admit(rw http.ResponseWriter, r *http.Request) bool {
	if !s.authorized(r) {
		s.fail(rw, fail(http.StatusUnauthorized, "Unauthorized"))
		return false
	}
	wait, admitted := s.limits.take(r, rw.Header())
	if !admitted {
		rw.Header().Set("Retry-After", strconv.Itoa(seconds(wait)))
		s.fail(rw, fail(http.StatusTooManyRequests, "rate limit exceeded"))
		return false
	}
	return true
}

// ServeHTTP answers a request to the API.
func (s *Server) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if _, pattern := s.mux.Handler(r); pattern == "" {
		s.fail(rw, notFound("endpoint", r.Method+" "+r.URL.Path))
		return
	}
	s.mux.ServeHTTP(rw, r)
}

// Handles reports whether the path belongs to this API.
func Handles(path string) bool { return strings.HasPrefix(path, "/v1/") }

func (s *Server) fail(rw http.ResponseWriter, err error) {
	var e *apiError
	if !errors.As(err, &e) {
		e = &apiError{code: http.StatusInternalServerError, message: err.Error()}
	}
	writeJSON(rw, e.code, map[string]any{"id": "err-" + s.w.Hex(20), "message": e.message})
}

func writeJSON(rw http.ResponseWriter, code int, body any) {
	rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	rw.WriteHeader(code)
	_ = json.NewEncoder(rw).Encode(body)
}

func (s *Server) authorized(r *http.Request) bool {
	key, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if key = strings.TrimSpace(key); !found || key == "" {
		return false
	}
	return len(s.opts.ValidTokens) == 0 || slices.Contains(s.opts.ValidTokens, key)
}

// decode reads a JSON body, which must be there.
func decode(r *http.Request, v any) error {
	data, err := io.ReadAll(io.LimitReader(r.Body, 16<<20))
	if err != nil {
		return bad("could not read the request body")
	}
	if err := json.Unmarshal(data, v); err != nil {
		return bad("invalid JSON: %v", err)
	}
	return nil
}

// id makes an identifier as Render's are: a prefix and 20 lower-case letters and digits.
func (s *Server) id(prefix string) string { return prefix + "-" + s.w.Hex(20) }

func (s *Server) lagging(created time.Time) bool {
	return s.opts.Lag > 0 && s.w.Now().Sub(created) < s.opts.Lag
}

// hidden is lagging for a request: only reads lag behind writes.
func (s *Server) hidden(r *http.Request, created time.Time) bool {
	return r.Method == http.MethodGet && s.lagging(created)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
