package emulator

import (
	"net/http"
	"sync"
	"time"
)

// tokenHeaders carry the tokens: everybody's, and that of a Railway project.
var tokenHeaders = [...]string{"Authorization", "Project-Access-Token"}

// tokenClock remembers when each token was first used.
type tokenClock struct {
	mu    sync.Mutex
	first map[string]time.Time
}

// expired reports whether a token of the request has been in use for longer than ttl (0: never).
func (c *tokenClock) expired(r *http.Request, ttl time.Duration, now time.Time) bool {
	if ttl <= 0 {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.first == nil {
		c.first = map[string]time.Time{}
	}
	for _, h := range tokenHeaders {
		token := r.Header.Get(h)
		if token == "" {
			continue
		}
		since, known := c.first[token]
		if !known {
			c.first[token] = now
			continue
		}
		if now.Sub(since) >= ttl {
			return true
		}
	}
	return false
}

// withoutToken makes the platform refuse the request in its own words.
func withoutToken(r *http.Request) {
	for _, h := range tokenHeaders {
		r.Header.Del(h)
	}
}
