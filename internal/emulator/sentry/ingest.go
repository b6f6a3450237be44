package sentry

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// The limits of an envelope and of one event (Sentry's documentation: 100 MB
// uncompressed, 1 MB).
const (
	maxEnvelope = 100 << 20
	maxEvent    = 1 << 20
)

func (s *Server) ingestRoutes() {
	s.mux.HandleFunc("POST /api/{project}/envelope/{$}", s.ingest(s.envelope))
	s.mux.HandleFunc("POST /api/{project}/store/{$}", s.ingest(s.store))
	s.mux.HandleFunc("/api/{project}/cron/{slug}/{key}/{$}", s.cron)
	s.mux.HandleFunc("/api/{project}/cron/{slug}/{$}", s.cron)
}

// dsn is where an SDK sends a project's events.
func (s *Server) dsn(p *project) string {
	u, err := url.Parse(s.opts.URL())
	if err != nil {
		return ""
	}
	u.User, u.Path = url.User(s.opts.Key), "/"+p.ID
	return u.String()
}

// ingest checks the key and the project of what an SDK sends, and unpacks it.
func (s *Server) ingest(f func(p *project, body []byte) (string, error)) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		body, err := unpack(r)
		if err != nil {
			fail(rw, err)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		p, err := s.keyed(r.PathValue("project"), key(r, body))
		if err != nil {
			fail(rw, err)
			return
		}
		id, err := f(p, body)
		if err != nil {
			fail(rw, err)
			return
		}
		writeJSON(rw, http.StatusOK, map[string]any{"id": id})
	}
}

func (s *Server) keyed(id, key string) (*project, error) {
	p := s.project(id)
	switch {
	case key == "":
		return nil, &apiError{http.StatusUnauthorized, "missing authorization information", ""}
	case p == nil || p.ID != id || key != s.opts.Key:
		return nil, &apiError{http.StatusForbidden, "event submission rejected with_reason: ProjectId", ""}
	}
	return p, nil
}

// key is the DSN's public key: in the header, in the query, or in the DSN that
// an envelope's first line may have.
func key(r *http.Request, body []byte) string {
	for part := range strings.SplitSeq(strings.TrimPrefix(r.Header.Get("X-Sentry-Auth"), "Sentry "), ",") {
		if v, found := strings.CutPrefix(strings.TrimSpace(part), "sentry_key="); found {
			return v
		}
	}
	if k := r.URL.Query().Get("sentry_key"); k != "" {
		return k
	}
	first, _, _ := bytes.Cut(body, []byte{'\n'})
	var head struct {
		DSN string `json:"dsn"`
	}
	if json.Unmarshal(first, &head) == nil {
		if u, err := url.Parse(head.DSN); err == nil && u.User != nil {
			return u.User.Username()
		}
	}
	return ""
}

// unpack reads a body that may be compressed.
func unpack(r *http.Request) ([]byte, error) {
	var body io.Reader = r.Body
	var err error
	switch r.Header.Get("Content-Encoding") {
	case "", "identity":
	case "gzip":
		body, err = gzip.NewReader(body)
	case "deflate":
		body, err = zlib.NewReader(body)
	default:
		return nil, &apiError{http.StatusUnsupportedMediaType, "unknown content encoding", ""}
	}
	if err != nil {
		return nil, &apiError{http.StatusBadRequest, "invalid compression", ""}
	}
	data, err := io.ReadAll(io.LimitReader(body, maxEnvelope+1))
	switch {
	case err != nil:
		return nil, &apiError{http.StatusBadRequest, "failed to read the request body", ""}
	case len(data) > maxEnvelope:
		return nil, &apiError{http.StatusRequestEntityTooLarge, "envelope exceeds size limits", ""}
	}
	return data, nil
}

// envelope takes a header line, then for each item a header line and its
// payload: of the length that the header says, or up to the next newline.
func (s *Server) envelope(p *project, body []byte) (string, error) {
	invalid := func(what string) (string, error) {
		return "", &apiError{http.StatusBadRequest, "bad envelope: " + what, ""}
	}
	in := bufio.NewReader(bytes.NewReader(body))
	var head struct {
		EventID string `json:"event_id"`
	}
	if err := readLine(in, &head); err != nil {
		return invalid("invalid envelope header")
	}
	for {
		var item struct {
			Type   string `json:"type"`
			Length *int64 `json:"length"`
		}
		err := readLine(in, &item)
		if errors.Is(err, io.EOF) {
			return head.EventID, nil
		}
		if err != nil || item.Type == "" {
			return invalid("invalid item header")
		}
		var payload []byte
		if item.Length == nil {
			payload, _ = in.ReadBytes('\n')
			payload = bytes.TrimSuffix(payload, []byte{'\n'})
		} else {
			if *item.Length < 0 || *item.Length > int64(len(body)) {
				return invalid("unexpected end of file")
			}
			payload = make([]byte, *item.Length)
			if _, err := io.ReadFull(in, payload); err != nil {
				return invalid("unexpected end of file")
			}
			_, _ = in.ReadBytes('\n') // the newline after it, which the last item may lack
		}
		if err := s.item(p, item.Type, head.EventID, payload); err != nil {
			return "", err
		}
	}
}

// readLine reads a line of JSON; blank lines are passed over.
func readLine(in *bufio.Reader, v any) error {
	for {
		line, err := in.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			return json.Unmarshal(line, v)
		}
		if err != nil {
			return io.EOF
		}
	}
}

// item takes one item. Types that nobody asks for later are accepted and forgotten.
func (s *Server) item(p *project, typ, id string, payload []byte) error {
	switch typ {
	case "event":
		_, err := s.addEvent(p, id, payload)
		return err
	case "check_in":
		return s.addCheckIn(p, payload)
	}
	return nil
}

// store takes one event, the way that SDKs did it before envelopes.
func (s *Server) store(p *project, body []byte) (string, error) { return s.addEvent(p, "", body) }
