package render

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// limiter counts requests by the documented limits
// (https://api-docs.render.com/reference/rate-limiting): windows that begin
// with their first request. It counts always, since every answer tells what is
// left, and refuses only when told to.
type limiter struct {
	now     func() time.Time
	enforce bool

	mu      sync.Mutex
	windows map[string]*window
}

type window struct {
	ends time.Time
	used int
}

type rule struct {
	key string
	max int
	per time.Duration
}

// ruleFor is the limit that a request counts for.
func ruleFor(r *http.Request) rule {
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	parts := strings.Split(path, "/")
	switch {
	case r.Method == http.MethodGet:
		return rule{"get", 400, time.Minute}
	case path == "services" && r.Method == http.MethodPost:
		return rule{"create", 20, time.Hour}
	case len(parts) == 3 && parts[2] == "jobs":
		return rule{"jobs", 2000, time.Hour}
	case len(parts) == 2 && parts[0] == "services" && r.Method == http.MethodPatch,
		len(parts) == 3 && parts[0] == "services" && (parts[2] == "deploys" || parts[2] == "suspend" || parts[2] == "resume"):
		return rule{"service " + parts[1], 10, time.Minute}
	}
	return rule{"write", 30, time.Minute}
}

// take counts a request and writes the headers that say what is left. It
// returns how long to wait when the request is refused.
func (l *limiter) take(r *http.Request, h http.Header) (wait time.Duration, admitted bool) {
	rl := ruleFor(r)
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.windows == nil {
		l.windows = map[string]*window{}
	}
	w := l.windows[rl.key]
	if w == nil || !now.Before(w.ends) {
		w = &window{ends: now.Add(rl.per)}
		l.windows[rl.key] = w
	}
	wait = w.ends.Sub(now)
	admitted = w.used < rl.max || !l.enforce
	if admitted {
		w.used++
	}
	h.Set("Ratelimit-Limit", strconv.Itoa(rl.max))
	h.Set("Ratelimit-Remaining", strconv.Itoa(max(rl.max-w.used, 0)))
	h.Set("Ratelimit-Reset", strconv.Itoa(seconds(wait)))
	return wait, admitted
}
