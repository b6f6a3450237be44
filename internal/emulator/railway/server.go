// Package railway speaks Railway's public API for a world of local processes:
// GraphQL at /graphql/v2 (over HTTP, and over a WebSocket with the subprotocol
// graphql-transport-ws), and the upload of source code at
// /project/PROJECT/environment/ENVIRONMENT/up.
//
// It is written from the API reference alone and validated against the
// published schema in its tests; no adapter of opsctl is imported, so that a
// mistake in one is not the other's truth.
package railway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// ImageVariable tells a process of the emulator which image it stands for.
// The real platform has no such variable.
const ImageVariable = "OPSCTL_EMULATOR_IMAGE"

// The defaults of Options.
const (
	defaultUploadLimit = 100 << 20
	defaultRateLimit   = 10000
	publicSuffix       = "up.railway.app"
)

// Options configure the API. The zero value of everything but World works.
type Options struct {
	World *world.World
	// ValidTokens are the only account tokens accepted; empty means that any
	// bearer token which is none of the others is one.
	ValidTokens []string
	// WorkspaceTokens may do everything in the workspace but have no `me`.
	WorkspaceTokens []string
	// ProjectTokens are tokens by value, each for "PROJECT/ENVIRONMENT" by name
	// or id. More come from projectTokenCreate.
	ProjectTokens map[string]string
	// Email is who the account tokens belong to.
	Email string
	// Port is where services answer under NAME.localhost, which the API then
	// reports as their domain ("NAME.localhost:PORT"); nil means the usual
	// NAME.up.railway.app.
	Port func() int
	// Lag hides new projects, services and deployments from reads for that long.
	Lag time.Duration
	// PageSize is the most items a connection answers with; 0 means no limit of its own.
	PageSize int
	// RateLimit is how many requests a token may make in an hour; 0 means that
	// the headers speak of 10000 and nothing is refused.
	RateLimit int
	// Step is how long a deployment stays in each passing status, at least.
	Step time.Duration
	// Probe is the pause between two health checks of a new version; 0 means 100 ms.
	Probe time.Duration
	// UploadLimit is the largest source archive in bytes; 0 means 100 MiB.
	UploadLimit int64
	// ImageRetention is how long a replaced image stays; after it canRollback
	// is false. 0 means forever.
	ImageRetention time.Duration
	// KeepConfigOnRollback leaves a service's variables and settings as they
	// are when a deployment is rolled back: the old ones are then in force in
	// that deployment only.
	KeepConfigOnRollback bool
	// Domains says at which query a custom domain becomes valid; 0 means the second.
	Domains int
}

// Server is Railway's control plane.
type Server struct {
	opts   Options
	w      *world.World
	ctx    context.Context // ends with Close: all background work
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu      sync.Mutex
	st      *state
	running map[string]*rollout // unfinished and active deployments, by id
	dbs     map[string]*backend // database servers, by volume instance id
	fwd     map[string]*forward // listeners, by key; see forward.go
	changed chan struct{}       // closed at the next change of st
	sockets map[*websocket.Conn]bool
	limits  map[string]*window // by token
}

// New makes the API for a world. Close ends what it started.
func New(opts Options) *Server {
	if opts.Email == "" {
		opts.Email = "dev@example.com"
	}
	if opts.UploadLimit == 0 {
		opts.UploadLimit = defaultUploadLimit
	}
	if opts.Probe == 0 {
		opts.Probe = 100 * time.Millisecond
	}
	if opts.Domains == 0 {
		opts.Domains = 2
	}
	s := &Server{
		opts: opts, w: opts.World, running: map[string]*rollout{}, dbs: map[string]*backend{}, fwd: map[string]*forward{},
		changed: make(chan struct{}), limits: map[string]*window{}, sockets: map[*websocket.Conn]bool{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.st = newState()
	s.st.Workspace = s.uuid()
	s.st.User = s.uuid()
	return s
}

// Close ends the API's background work and its listeners. The processes and
// databases belong to the world and end with it.
func (s *Server) Close() error {
	s.cancel()
	s.mu.Lock()
	list := s.fwd
	s.fwd = map[string]*forward{}
	s.mu.Unlock()
	var err error
	for _, f := range list {
		err = errors.Join(err, f.close())
	}
	s.work.Wait()
	return err
}

// background runs f until it returns; Close waits for it.
func (s *Server) background(f func(ctx context.Context)) {
	s.work.Go(func() { f(s.ctx) })
}

// touch wakes everyone who waits for a change. Callers hold s.mu.
func (s *Server) touch() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// watch returns a channel that is closed at the next change of the API's own
// state. Take it before looking.
func (s *Server) watch() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// uuid returns a random identifier in the platform's form.
func (s *Server) uuid() string {
	h := s.w.Hex(32)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}

// Handles reports whether the path belongs to this API.
func Handles(path string) bool {
	return path == "/graphql/v2" || path == "/graphql" || (strings.HasPrefix(path, "/project/") && strings.HasSuffix(path, "/up"))
}

// ServeHTTP answers a request to any of the endpoints.
func (s *Server) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	s.headers(rw)
	c := s.caller(r)
	if !s.allow(rw, c) {
		return
	}
	switch {
	case r.URL.Path == "/graphql/v2" && strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		s.websocket(rw, r, c)
	case r.URL.Path == "/graphql/v2" && r.Method == http.MethodPost:
		s.graphql(rw, r, c)
	case r.URL.Path == "/graphql/v2":
		rw.Header().Set("Allow", "POST")
		http.Error(rw, "GraphQL is spoken with POST", http.StatusMethodNotAllowed)
	case Handles(r.URL.Path) && r.Method == http.MethodPost:
		s.upload(rw, r, c)
	default:
		http.Error(rw, "Not Found", http.StatusNotFound)
	}
}

func (s *Server) headers(rw http.ResponseWriter) {
	rw.Header().Set("X-Railway-Request-Id", s.w.Hex(22))
}

func writeJSON(rw http.ResponseWriter, code int, body any) {
	rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	rw.WriteHeader(code)
	_ = json.NewEncoder(rw).Encode(body)
}

// stamp is a time in the form of the schema's DateTime.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// stampOrNil is nil for the zero time.
func stampOrNil(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return stamp(t)
}

// orNil is nil for the zero value: an optional field that isn't set.
func orNil[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}

// domain is the public host of a service's label.
func (s *Server) domain(label string) string {
	if s.opts.Port == nil {
		return label + "." + publicSuffix
	}
	return fmt.Sprintf("%s.localhost:%d", label, s.opts.Port())
}
