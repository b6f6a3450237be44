package render

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"time"

	"github.com/coder/websocket"
)

const (
	// logSpan is how far back a query looks that has no startTime.
	logSpan = time.Hour
	// tailEvery is how often a subscription looks for new lines.
	tailEvery = 25 * time.Millisecond
	// sendTimeout is how long a subscriber may take for one line.
	sendTimeout = 10 * time.Second
)

func (s *Server) logRoutes() {
	s.handle("GET /logs", s.listLogs)
	s.handle("GET /logs/values", s.listLogValues)
	s.mux.HandleFunc("GET /v1/logs/subscribe", s.subscribe)
}

// sources are the services whose logs a request is about, by ownerId and
// resource. The resource may be a service or one of its jobs; databases have no
// lines here. Callers hold s.mu.
func (s *Server) sources(r *http.Request) ([]*service, error) {
	q := r.URL.Query()
	owner, ids := q.Get("ownerId"), values(q, "resource")
	if owner == "" || len(ids) == 0 {
		return nil, bad("ownerId and resource are required")
	}
	if _, err := s.owner(owner); err != nil {
		return nil, err
	}
	var out []*service
	for _, id := range ids {
		v, found := s.loggable(id, owner)
		if !found {
			return nil, notFound("resource", id)
		}
		if v != nil && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out, nil
}

func (s *Server) loggable(id, owner string) (*service, bool) {
	for _, v := range s.st.Services {
		if v.OwnerID == owner && (v.ID == id || slices.ContainsFunc(v.Jobs, func(j *job) bool { return j.ID == id })) {
			return v, true
		}
	}
	database := slices.ContainsFunc(s.st.Postgres, func(p *postgres) bool { return p.ID == id }) ||
		slices.ContainsFunc(s.st.KeyValues, func(k *keyValue) bool { return k.ID == id })
	return nil, database
}

// collect returns the lines of a request's span that fit its filters, oldest first.
func (s *Server) collect(r *http.Request) (lines []entry, from, to time.Time, err error) {
	if to, err = timeParam(r, "endTime", s.w.Now()); err != nil {
		return nil, from, to, err
	}
	if from, err = timeParam(r, "startTime", to.Add(-logSpan)); err != nil {
		return nil, from, to, err
	}
	f := newFilter(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	list, err := s.sources(r)
	if err != nil {
		return nil, from, to, err
	}
	for _, v := range list {
		all, _ := s.entries(v, mark{})
		for _, e := range all {
			if f.fits(e) && !e.at.Before(from) && e.at.Before(to) {
				lines = append(lines, e)
			}
		}
	}
	slices.SortFunc(lines, byTime)
	return lines, from, to, nil
}

// listLogs answers with a page of a span: its first lines, or by default its
// last ones, newest first. The span begins with startTime and ends before
// endTime; nextStartTime and nextEndTime are what is left of it.
func (s *Server) listLogs(r *http.Request) (reply, error) {
	q := r.URL.Query()
	limit := defaultLimit
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxLimit {
			return reply{}, bad("limit must be between 1 and %d", maxLimit)
		}
		limit = n
	}
	if s.opts.PageSize > 0 {
		limit = min(limit, s.opts.PageSize)
	}
	direction := orElse(q.Get("direction"), "backward")
	if direction != "backward" && direction != "forward" {
		return reply{}, bad("invalid direction %q", direction)
	}
	lines, from, to, err := s.collect(r)
	if err != nil {
		return reply{}, err
	}
	more := len(lines) > limit
	switch {
	case direction == "forward" && more:
		from = lines[limit].at
		lines = lines[:limit]
	case direction == "forward":
	case more:
		lines = lines[len(lines)-limit:]
		to = lines[0].at
		slices.Reverse(lines)
	default:
		slices.Reverse(lines)
	}
	docs := make([]any, 0, len(lines))
	for _, e := range lines {
		docs = append(docs, e.doc())
	}
	return ok(map[string]any{"logs": docs, "hasMore": more, "nextStartTime": stamp(from), "nextEndTime": stamp(to)})
}

func (s *Server) listLogValues(r *http.Request) (reply, error) {
	label := r.URL.Query().Get("label")
	if !slices.Contains([]string{"instance", "host", "statusCode", "method", "level", "type"}, label) {
		return reply{}, bad("invalid label %q", label)
	}
	lines, _, _, err := s.collect(r)
	if err != nil {
		return reply{}, err
	}
	seen := map[string]bool{}
	out := []string{}
	for _, e := range lines {
		if v := e.label(label); v != "" && !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	sort.Strings(out)
	return ok(out)
}

// subscribe sends lines over a WebSocket as they are written, one JSON text
// each. With a startTime it begins with what has been written since.
func (s *Server) subscribe(rw http.ResponseWriter, r *http.Request) {
	if !s.admit(rw, r) {
		return
	}
	from, err := timeParam(r, "startTime", time.Time{})
	s.mu.Lock()
	marks := map[*service]mark{}
	var list []*service
	if err == nil {
		list, err = s.sources(r)
	}
	for _, v := range list {
		if from.IsZero() {
			_, marks[v] = s.entries(v, mark{})
		}
	}
	s.mu.Unlock()
	if err != nil {
		s.fail(rw, err)
		return
	}
	conn, err := websocket.Accept(rw, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return // Accept has answered
	}
	ctx, cancel := context.WithCancel(conn.CloseRead(context.WithoutCancel(r.Context())))
	defer cancel()
	stop := context.AfterFunc(s.ctx, cancel)
	defer stop()
	f := newFilter(r)
	err = s.tail(ctx, list, marks, func(e entry) error {
		if !f.fits(e) || e.at.Before(from) {
			return nil
		}
		return send(ctx, conn, e)
	})
	if s.ctx.Err() != nil || err != nil {
		_ = conn.CloseNow()
		return
	}
	_ = conn.Close(websocket.StatusNormalClosure, "")
}

func send(ctx context.Context, conn *websocket.Conn, e entry) error {
	data, err := json.Marshal(e.doc())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	return conn.Write(ctx, websocket.MessageText, data)
}

// tail hands on the lines behind the marks until ctx ends.
func (s *Server) tail(ctx context.Context, list []*service, marks map[*service]mark, emit func(entry) error) error {
	tick := time.NewTicker(tailEvery)
	defer tick.Stop()
	for {
		var lines []entry
		s.mu.Lock()
		for _, v := range list {
			news, to := s.entries(v, marks[v])
			marks[v] = to
			lines = append(lines, news...)
		}
		s.mu.Unlock()
		slices.SortFunc(lines, byTime)
		for _, e := range lines {
			if err := emit(e); err != nil {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
