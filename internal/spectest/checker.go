package spectest

import (
	"bytes"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// Checker reports to one test what does not fit the document. The zero value,
// and one made of a nil *OpenAPI, checks nothing: so tests run without the
// reference folder.
type Checker struct {
	// Refused says that a request which the server refused with 400 or 422 may
	// be one that does not fit: for tests that send such requests on purpose.
	Refused bool
	// Answers is false where only requests are to be checked.
	Answers bool

	api *OpenAPI
	tb  testing.TB

	mu   sync.Mutex
	over bool
	seen map[string]int
	told map[string]bool
}

// Check makes a Checker for a test. o may be nil, see Checker.
func (o *OpenAPI) Check(tb testing.TB) *Checker {
	tb.Helper()
	c := &Checker{api: o, tb: tb, Answers: true, seen: map[string]int{}, told: map[string]bool{}}
	tb.Cleanup(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.over = true // a late goroutine must not report to a test that has ended
	})
	return c
}

// Seen counts the checked exchanges by "METHOD /path/{param}".
func (c *Checker) Seen() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.seen)
}

// Transport checks what goes through base; nil means http.DefaultTransport.
func (c *Checker) Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &transport{c, base}
}

type transport struct {
	c    *Checker
	base http.RoundTripper
}

// RoundTrip sends the request and checks both sides.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := readAll(&r.Body)
	if err != nil {
		return nil, err
	}
	e := exchange{method: r.Method, url: r.URL, header: r.Header, body: body}
	resp, err := t.base.RoundTrip(r)
	if err != nil {
		t.c.report(e, false)
		return nil, err
	}
	e.status, e.answerHeader = resp.StatusCode, resp.Header
	if resp.StatusCode == http.StatusSwitchingProtocols { // what follows is no body
		t.c.report(e, true)
		return resp, nil
	}
	if e.answer, err = readAll(&resp.Body); err != nil {
		return nil, err
	}
	t.c.report(e, true)
	return resp, nil
}

// Handler checks what h answers. Every answer is sent when it is complete; a
// request to switch protocols is passed on with its request checked alone.
func (c *Checker) Handler(h http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := readAll(&r.Body)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		e := exchange{method: r.Method, url: r.URL, header: r.Header, body: body}
		if r.Header.Get("Upgrade") != "" {
			c.report(e, false)
			h.ServeHTTP(rw, r)
			return
		}
		rec := httptest.NewRecorder()
		rec.Body = &bytes.Buffer{}
		h.ServeHTTP(rec, r)
		e.status, e.answerHeader, e.answer = rec.Code, rec.Header(), rec.Body.Bytes()
		c.report(e, true)
		maps.Copy(rw.Header(), rec.Header())
		rw.WriteHeader(rec.Code)
		_, _ = rw.Write(e.answer)
	})
}

func (c *Checker) report(e exchange, answer bool) {
	request := true
	if c.api == nil {
		return
	}
	if c.Refused && (e.status == http.StatusBadRequest || e.status == http.StatusUnprocessableEntity) {
		request = false
	}
	op, problems := c.api.check(e, request, answer && c.Answers)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return
	}
	if op != "" {
		c.seen[op]++
	}
	for _, p := range problems {
		if c.told[op+p] { // polling would say it a hundred times
			continue
		}
		c.told[op+p] = true
		c.tb.Errorf("%s %s: %s", e.method, e.url.Path, p)
	}
}
