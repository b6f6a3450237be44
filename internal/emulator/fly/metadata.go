package fly

import (
	"context"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

func (s *Server) listVersions(r *http.Request) (reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, m, err := s.machine(r)
	if err != nil {
		return reply{}, err
	}
	docs := make([]any, 0, len(m.versions))
	for _, v := range slices.Backward(m.versions) {
		docs = append(docs, map[string]any{"version": v.version, "user_config": v.doc})
	}
	return ok(docs)
}

func (s *Server) listEvents(r *http.Request) (reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, m, err := s.machine(r)
	if err != nil {
		return reply{}, err
	}
	events := m.m.Snapshot().Events
	if n := atoi(r.URL.Query().Get("limit")); n > 0 && n < len(events) {
		events = events[:n]
	}
	docs := make([]any, 0, len(events))
	for _, e := range events {
		docs = append(docs, eventDoc(e))
	}
	return ok(docs)
}

// listProcesses shows the one process. It listens on the app's configured port
// when it accepts connections where it really listens.
func (s *Server) listProcesses(r *http.Request) (reply, error) {
	s.mu.Lock()
	_, m, err := s.machine(r)
	s.mu.Unlock()
	if err != nil {
		return reply{}, err
	}
	snap := m.m.Snapshot()
	if snap.State != world.Started {
		return reply{}, fail(http.StatusPreconditionFailed, "machine not running")
	}
	s.mu.Lock()
	port, _ := m.config.checks()
	s.mu.Unlock()
	sockets := []any{}
	if port > 0 && accepts(r.Context(), snap.Addr) {
		sockets = append(sockets, map[string]any{"proto": "tcp", "address": "0.0.0.0:" + strconv.Itoa(port)})
	}
	return ok([]any{map[string]any{
		"pid": snap.Pid, "stime": 0, "rtime": 0, "command": "app", "directory": "/", "cpu": 0, "rss": 0, "listen_sockets": sockets,
	}})
}

// accepts reports whether anything listens at the address.
func accepts(ctx context.Context, addr string) bool {
	if addr == "" {
		return false
	}
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

func (s *Server) getMetadata(r *http.Request) (reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, m, err := s.machine(r)
	if err != nil {
		return reply{}, err
	}
	out := map[string]string{}
	maps.Copy(out, m.config.Metadata)
	return ok(out)
}

func (s *Server) getMetadataKey(r *http.Request) (reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, m, err := s.machine(r)
	if err != nil {
		return reply{}, err
	}
	v, found := m.config.Metadata[r.PathValue("key")]
	if !found {
		return reply{}, notFound("metadata key")
	}
	return ok(map[string]any{"value": v})
}

func (s *Server) setMetadata(r *http.Request) (reply, error) {
	var in struct {
		Value string `json:"value"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	return s.changeMetadata(r, func(md map[string]string) { md[r.PathValue("key")] = in.Value })
}

func (s *Server) deleteMetadata(r *http.Request) (reply, error) {
	return s.changeMetadata(r, func(md map[string]string) { delete(md, r.PathValue("key")) })
}

// changeMetadata edits the metadata in place: no new version, no restart.
func (s *Server) changeMetadata(r *http.Request, change func(map[string]string)) (reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, m, err := s.writable(r)
	if err != nil {
		return reply{}, err
	}
	md, doc := map[string]string{}, map[string]any{}
	maps.Copy(md, m.config.Metadata)
	change(md)
	full := map[string]any{}
	maps.Copy(full, m.doc)
	for k, v := range md {
		doc[k] = v
	}
	full["metadata"] = doc
	m.config.Metadata, m.doc = md, full
	m.versions[len(m.versions)-1].doc = full
	return reply{code: http.StatusNoContent}, nil
}
