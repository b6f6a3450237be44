package emulator

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/fly"
)

// Request is one API request that was answered.
type Request struct {
	ID       string        `json:"id"`
	Method   string        `json:"method"`
	Path     string        `json:"path"` // without the query
	Query    string        `json:"query,omitempty"`
	Status   int           `json:"status"` // 0: no answer was sent
	Fault    string        `json:"fault,omitempty"`
	Duration time.Duration `json:"duration_ns"`
}

// maxRequests is how many requests are remembered.
const maxRequests = 20000

type recorder struct {
	mu   sync.Mutex
	list []Request
}

func (rec *recorder) add(r Request) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if len(rec.list) < maxRequests {
		rec.list = append(rec.list, r)
	}
}

func (rec *recorder) all() []Request {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return append([]Request(nil), rec.list...)
}

// statusWriter notices the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(code int) {
	if w.status == 0 {
		w.status = code
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// api answers a platform request: latency and faults first, then the platform.
func (s *Server) api(rw http.ResponseWriter, r *http.Request) {
	start := time.Now()
	id := s.world.ULID() + "-fra"
	rw.Header().Set("fly-request-id", id)
	w := &statusWriter{ResponseWriter: rw}
	rec := Request{ID: id, Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery}
	defer func() {
		rec.Status, rec.Duration = w.status, time.Since(start)
		s.record.add(rec)
		if s.opts.OnRequest != nil {
			s.opts.OnRequest(rec)
		}
	}()
	f, latency := s.faults.next(r.Method, r.URL.Path)
	if !s.pause(r, latency) {
		return
	}
	if f == nil {
		s.platform(w, r)
		return
	}
	rec.Fault = f.String()
	s.logf("fault: %s %s: %s", r.Method, r.URL.Path, f)
	s.inject(w, r, f)
}

// pause waits; it reports false when the client or the emulator has gone.
func (s *Server) pause(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
	case <-s.stop:
	}
	return false
}

func (s *Server) platform(rw http.ResponseWriter, r *http.Request) {
	switch {
	case fly.Handles(r.URL.Path):
		s.fly.ServeHTTP(rw, r)
	case r.URL.Path == "/v2" || strings.HasPrefix(r.URL.Path, "/v2/"):
		s.registry(rw, r)
	default:
		http.Error(rw, `{"error":"not found"}`, http.StatusNotFound)
	}
}

// registry guards the image registry: a token is needed, and an image can only
// be pushed for an app that exists.
func (s *Server) registry(rw http.ResponseWriter, r *http.Request) {
	if !s.fly.RegistryAuth(r) {
		rw.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
		registryError(rw, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
		return
	}
	name := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/v2"), "/")
	if i := strings.IndexByte(name, '/'); i > 0 {
		name = name[:i]
	}
	if name != "" && r.Method != http.MethodGet && r.Method != http.MethodHead && !s.fly.HasApp(name) {
		registryError(rw, http.StatusNotFound, "NAME_UNKNOWN", "app repository not found")
		return
	}
	s.world.Images.ServeHTTP(rw, r)
}

func registryError(rw http.ResponseWriter, code int, word, message string) {
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(code)
	_, _ = rw.Write([]byte(`{"errors":[{"code":"` + word + `","message":"` + message + `"}]}`))
}
