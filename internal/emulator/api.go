package emulator

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// Request is one API request that was answered.
type Request struct {
	ID       string `json:"id"`
	Platform string `json:"platform"` // fly, railway, render or sentry
	Method   string `json:"method"`
	Path     string `json:"path"` // without the query
	Query    string `json:"query,omitempty"`
	// Operation is the name of a GraphQL operation and its fields; see Fault.Operation.
	Operation []string      `json:"operation,omitempty"`
	Status    int           `json:"status"` // 0: no answer was sent
	Fault     string        `json:"fault,omitempty"`
	Duration  time.Duration `json:"duration_ns"`
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

// answer answers a platform request: latency and faults first, then the platform.
func (f *front) answer(rw http.ResponseWriter, r *http.Request) {
	s := f.s
	start := time.Now()
	id := f.newID()
	rw.Header().Set(f.requestID, id)
	w := &statusWriter{ResponseWriter: rw}
	rec := Request{ID: id, Platform: f.name, Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Operation: operations(r)}
	defer func() {
		rec.Status, rec.Duration = w.status, time.Since(start)
		s.record.add(rec)
		if s.opts.OnRequest != nil {
			s.opts.OnRequest(rec)
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			s.keep.changed()
		}
	}()
	fault, latency := s.faults.next(r.Method, r.URL.Path, rec.Operation)
	if !s.pause(r, latency) {
		return
	}
	if s.tokens.expired(r, s.opts.TokenTTL, s.opts.Now()) {
		withoutToken(r)
	}
	if fault == nil {
		f.api.ServeHTTP(w, r)
		return
	}
	rec.Fault = fault.String()
	s.logf("fault: %s %s: %s", r.Method, r.URL.Path, fault)
	f.inject(w, r, fault, id)
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

func writeJSON(rw http.ResponseWriter, code int, body any) {
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(code)
	_ = json.NewEncoder(rw).Encode(body)
}
