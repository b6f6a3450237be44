package httpx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeClock advances only by sleeping.
type fakeClock struct {
	mu    sync.Mutex
	now   time.Time
	slept []time.Duration
	hook  func() // runs inside Sleep
}

func newClock() *fakeClock {
	return &fakeClock{now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) Sleep(ctx context.Context, d time.Duration) error {
	if c.hook != nil {
		c.hook()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	c.now = c.now.Add(d)
	c.slept = append(c.slept, d)
	return nil
}

func (c *fakeClock) options() Options {
	return Options{Now: c.Now, Sleep: c.Sleep, Rand: func() float64 { return 0 }, UserAgent: "opsctl/test"}
}

// answer is one scripted response; status 0 drops the connection after
// reading the request.
type answer struct {
	status int
	header map[string]string
}

// script serves the answers in turn, the last one for ever, and records the
// bodies it was sent.
type script struct {
	mu      sync.Mutex
	answers []answer
	bodies  []string
	agents  []string
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	n := min(len(s.bodies), len(s.answers)-1)
	s.bodies = append(s.bodies, string(body))
	s.agents = append(s.agents, r.UserAgent())
	a := s.answers[n]
	s.mu.Unlock()
	if a.status == 0 {
		panic(http.ErrAbortHandler)
	}
	for k, v := range a.header {
		w.Header().Set(k, v)
	}
	w.WriteHeader(a.status)
	fmt.Fprintf(w, "answer %d", n+1)
}

// seen returns the request bodies so far, and fails the test when a request
// came without opsctl's user agent.
func (s *script) seen(t *testing.T) []string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, a := range s.agents {
		if a != "opsctl/test" {
			t.Errorf("request %d: agent %q", i+1, a)
		}
	}
	return slices.Clone(s.bodies)
}

func statuses(codes ...int) []answer {
	var out []answer
	for _, c := range codes {
		out = append(out, answer{status: c})
	}
	return out
}

func TestWhatIsRepeated(t *testing.T) {
	tests := []struct {
		name     string
		method   string
		ctx      func(context.Context) context.Context
		header   map[string]string
		answers  []answer
		requests int
		status   int // 0: an error
	}{
		{name: "get 503 then 200", method: "GET", answers: statuses(503, 200), requests: 2, status: 200},
		{name: "get 500", method: "GET", answers: statuses(500, 200), requests: 2, status: 200},
		{name: "get 408 425 429 502 504", method: "GET", answers: statuses(408, 425, 429, 502, 504), requests: 5, status: 504},
		{name: "get gives up with the last answer", method: "GET", answers: statuses(503), requests: 5, status: 503},
		{name: "get 404 is final", method: "GET", answers: statuses(404, 200), requests: 1, status: 404},
		{name: "get 501 is final", method: "GET", answers: statuses(501, 200), requests: 1, status: 501},
		{name: "get dropped connection", method: "GET", answers: statuses(0, 200), requests: 2, status: 200},
		{name: "put 502", method: "PUT", answers: statuses(502, 200), requests: 2, status: 200},
		{name: "delete 502", method: "DELETE", answers: statuses(502, 202), requests: 2, status: 202},
		{name: "post 429", method: "POST", answers: statuses(429, 201), requests: 2, status: 201},
		{name: "post 425", method: "POST", answers: statuses(425, 201), requests: 2, status: 201},
		{name: "post 502 may have been done", method: "POST", answers: statuses(502, 201), requests: 1, status: 502},
		{name: "post 500", method: "POST", answers: statuses(500, 201), requests: 1, status: 500},
		{name: "post 503 without Retry-After", method: "POST", answers: statuses(503, 201), requests: 1, status: 503},
		{name: "post 503 with Retry-After", method: "POST", answers: []answer{{503, map[string]string{"Retry-After": "1"}}, {status: 201}}, requests: 2, status: 201},
		{name: "post dropped connection", method: "POST", answers: statuses(0, 201), requests: 1, status: 0},
		{name: "patch 502", method: "PATCH", answers: statuses(502, 200), requests: 1, status: 502},
		{name: "post 502 marked repeatable", method: "POST", ctx: WithRetryable, answers: statuses(502, 201), requests: 2, status: 201},
		{name: "post dropped, marked repeatable", method: "POST", ctx: WithRetryable, answers: statuses(0, 201), requests: 2, status: 201},
		{name: "post with idempotency key", method: "POST", header: map[string]string{"Idempotency-Key": "k"}, answers: statuses(502, 201), requests: 2, status: 201},
		{name: "get without retry", method: "GET", ctx: WithoutRetry, answers: statuses(503, 200), requests: 1, status: 503},
		{name: "no retry wins", method: "GET", ctx: func(c context.Context) context.Context { return WithoutRetry(WithRetryable(c)) }, answers: statuses(429, 200), requests: 1, status: 429},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &script{answers: tt.answers}
			srv := httptest.NewServer(s)
			defer srv.Close()
			o := newClock().options()
			// A pooled connection that dies would be retried inside net/http already.
			o.Base = &http.Transport{DisableKeepAlives: true}
			ctx := t.Context()
			if tt.ctx != nil {
				ctx = tt.ctx(ctx)
			}
			req, err := http.NewRequestWithContext(ctx, tt.method, srv.URL, strings.NewReader("payload"))
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range tt.header {
				req.Header.Set(k, v)
			}
			resp, err := New(o).Do(req)
			if (err != nil) != (tt.status == 0) {
				t.Fatalf("err = %v, want status %d", err, tt.status)
			}
			if err == nil {
				defer resp.Body.Close()
				if resp.StatusCode != tt.status {
					t.Errorf("status = %d, want %d", resp.StatusCode, tt.status)
				}
				want := fmt.Sprintf("answer %d", min(tt.requests, len(tt.answers)))
				if got, err := io.ReadAll(resp.Body); err != nil || string(got) != want {
					t.Errorf("body = %q, %v, want %q: the last answer must be untouched", got, err, want)
				}
			}
			want := slices.Repeat([]string{"payload"}, tt.requests)
			if got := s.seen(t); !slices.Equal(got, want) {
				t.Errorf("requests %q, want %q", got, want)
			}
		})
	}
}

func TestConnectionRefusedIsRepeatedForEveryMethod(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	c := newClock()
	var retries []Retry
	o := c.options()
	o.OnRetry = func(r Retry) { retries = append(retries, r) }
	resp, err := New(o).Post("http://"+addr, "text/plain", strings.NewReader("x"))
	if err == nil {
		resp.Body.Close()
		t.Fatal("no error from a closed port")
	}
	if len(retries) != DefaultMaxAttempts-1 || retries[0].Err == nil || retries[0].Method != "POST" {
		t.Errorf("retries = %+v", retries)
	}
}

func TestPermanentErrorsAreNotRepeated(t *testing.T) {
	plain := httptest.NewServer(&script{answers: statuses(200)})
	defer plain.Close()
	secure := httptest.NewUnstartedServer(&script{answers: statuses(200)})
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // the refused handshake is what the test wants
	secure.StartTLS()
	defer secure.Close()
	tests := []struct{ name, url, header string }{
		{"untrusted certificate", secure.URL, ""},
		{"no TLS on the port", "https" + strings.TrimPrefix(plain.URL, "http"), ""},
		{"unknown scheme", "gopher://127.0.0.1/", ""},
		{"header with a line break", plain.URL, "a\nb"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newClock()
			req, err := http.NewRequestWithContext(t.Context(), "GET", tt.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			if tt.header != "" {
				req.Header["X-Test"] = []string{tt.header}
			}
			resp, err := New(c.options()).Do(req)
			if err == nil {
				resp.Body.Close()
				t.Fatal("no error")
			}
			if len(c.slept) != 0 {
				t.Errorf("slept %v before %v", c.slept, err)
			}
		})
	}
}

func TestBodies(t *testing.T) {
	tests := []struct {
		name     string
		body     func() (io.Reader, int64)
		requests int
	}{
		{"reader that net/http can rewind", func() (io.Reader, int64) { return bytes.NewBufferString("data"), -2 }, 2},
		{"known length is kept in memory", func() (io.Reader, int64) { return io.MultiReader(strings.NewReader("data")), 4 }, 2},
		{"stream is sent once", func() (io.Reader, int64) { return io.MultiReader(strings.NewReader("data")), -1 }, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &script{answers: statuses(429, 200)}
			srv := httptest.NewServer(s)
			defer srv.Close()
			body, length := tt.body()
			req, err := http.NewRequestWithContext(t.Context(), "PUT", srv.URL, body)
			if err != nil {
				t.Fatal(err)
			}
			if length != -2 {
				req.ContentLength = length
			}
			resp, err := New(newClock().options()).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if got, want := s.seen(t), slices.Repeat([]string{"data"}, tt.requests); !slices.Equal(got, want) {
				t.Errorf("requests %q, want %q", got, want)
			}
		})
	}
}

func TestBudgets(t *testing.T) {
	t.Run("a wait longer than MaxElapsed ends the attempts", func(t *testing.T) {
		s := &script{answers: []answer{{429, map[string]string{"Retry-After": "3600", "Fly-Request-Id": "01ABC"}}}}
		srv := httptest.NewServer(s)
		defer srv.Close()
		c := newClock()
		resp, err := New(c.options()).Get(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != 429 || RequestID(resp.Header) != "01ABC" || len(c.slept) != 0 {
			t.Errorf("status %d, id %q, slept %v", resp.StatusCode, RequestID(resp.Header), c.slept)
		}
	})
	t.Run("many short waits add up", func(t *testing.T) {
		s := &script{answers: []answer{{429, map[string]string{"Retry-After": "4"}}}}
		srv := httptest.NewServer(s)
		defer srv.Close()
		c := newClock()
		o := c.options()
		o.MaxAttempts, o.MaxElapsed = 100, 10*time.Second
		resp, err := New(o).Get(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if n := len(s.seen(t)); n != 3 {
			t.Errorf("%d requests, want 3 (at 0, 4 and 8 s)", n)
		}
	})
	t.Run("the caller's deadline is not slept through", func(t *testing.T) {
		s := &script{answers: []answer{{503, map[string]string{"Retry-After": "30"}}}}
		srv := httptest.NewServer(s)
		defer srv.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		c := newClock()
		c.now = time.Now() // the context's deadline is a real moment
		req, err := http.NewRequestWithContext(ctx, "GET", srv.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := New(c.options()).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != 503 || len(c.slept) != 0 {
			t.Errorf("status %d, slept %v", resp.StatusCode, c.slept)
		}
	})
	t.Run("cancelled while waiting", func(t *testing.T) {
		s := &script{answers: statuses(503)}
		srv := httptest.NewServer(s)
		defer srv.Close()
		ctx, cancel := context.WithCancel(t.Context())
		c := newClock()
		c.hook = cancel
		req, err := http.NewRequestWithContext(ctx, "GET", srv.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := New(c.options()).Do(req)
		if err == nil {
			resp.Body.Close()
		}
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "503") {
			t.Errorf("err = %v, want cancellation that names the status", err)
		}
	})
}
