package httpx

import (
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	httpDate := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	tests := []struct {
		name   string
		status int
		header map[string]string
		want   time.Duration
		ok     bool
	}{
		{"seconds", 429, map[string]string{"Retry-After": "7"}, 7 * time.Second, true},
		{"seconds on 503", 503, map[string]string{"Retry-After": " 2 "}, 2 * time.Second, true},
		{"fraction", 429, map[string]string{"Retry-After": "0.5"}, 500 * time.Millisecond, true},
		{"zero", 429, map[string]string{"Retry-After": "0"}, 0, true},
		{"date", 503, map[string]string{"Retry-After": httpDate(90 * time.Second)}, 90 * time.Second, true},
		{"date in the past", 503, map[string]string{"Retry-After": httpDate(-time.Hour)}, 0, true},
		{"date against the server's clock", 503, map[string]string{
			"Retry-After": httpDate(time.Hour + 5*time.Second), "Date": httpDate(time.Hour)}, 5 * time.Second, true},
		{"negative", 429, map[string]string{"Retry-After": "-1"}, 0, false},
		{"not a number", 429, map[string]string{"Retry-After": "soon"}, 0, false},
		{"NaN", 429, map[string]string{"Retry-After": "NaN"}, 0, false},
		{"absurd", 429, map[string]string{"Retry-After": "1e300"}, math.MaxInt64, true},
		{"seconds left", 429, map[string]string{"Ratelimit-Reset": "45"}, 45 * time.Second, true},
		{"epoch", 429, map[string]string{"Ratelimit-Reset": strconv.FormatInt(now.Add(12*time.Second).Unix(), 10)}, 12 * time.Second, true},
		{"epoch in the past", 429, map[string]string{"X-RateLimit-Reset": strconv.FormatInt(now.Add(-12*time.Second).Unix(), 10)}, 0, true},
		{"x- form", 429, map[string]string{"X-RateLimit-Reset": "3"}, 3 * time.Second, true},
		{"Retry-After wins", 429, map[string]string{"Retry-After": "1", "Ratelimit-Reset": "45"}, time.Second, true},
		{"a limit header says nothing about a 503", 503, map[string]string{"Ratelimit-Reset": "45"}, 0, false},
		{"nothing", 429, nil, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp := &http.Response{StatusCode: tt.status, Header: http.Header{}}
			for k, v := range tt.header {
				resp.Header.Set(k, v)
			}
			if got, ok := RetryAfter(resp, now); got != tt.want || ok != tt.ok {
				t.Errorf("= %v, %v, want %v, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestWaitsGrowAndHonourTheServer(t *testing.T) {
	tests := []struct {
		name   string
		rand   float64
		header map[string]string
		want   []time.Duration
	}{
		{"own backoff, low jitter", 0, nil, []time.Duration{125 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second}},
		{"asked for, low jitter", 0, map[string]string{"Retry-After": "3"}, []time.Duration{3 * time.Second, 3 * time.Second, 3 * time.Second, 3 * time.Second}},
		{"asked for, half jitter", 0.5, map[string]string{"Retry-After": "4"}, []time.Duration{4200 * time.Millisecond, 4200 * time.Millisecond, 4200 * time.Millisecond, 4200 * time.Millisecond}},
		{"zero does not spin", 0, map[string]string{"Retry-After": "0"}, []time.Duration{125 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := httptest.NewServer(&script{answers: []answer{{429, tt.header}}})
			defer srv.Close()
			c := newClock()
			o := c.options()
			o.Rand = func() float64 { return tt.rand }
			resp, err := New(o).Get(srv.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if !slices.Equal(c.slept, tt.want) {
				t.Errorf("slept %v, want %v", c.slept, tt.want)
			}
		})
	}
}

// Whatever the attempt and the random number, a backoff stays within its bounds.
func FuzzBackoffIsBounded(f *testing.F) {
	f.Add(1, 0.0)
	f.Add(80, 0.999)
	f.Fuzz(func(t *testing.T, attempt int, r float64) {
		if attempt < 1 || !(r >= 0 && r < 1) {
			t.Skip()
		}
		tr := NewTransport(Options{Rand: func() float64 { return r }})
		if d := tr.backoff(attempt); d < DefaultMinBackoff/2 || d > DefaultMaxBackoff {
			t.Errorf("backoff(%d) = %v", attempt, d)
		}
	})
}

func FuzzRetryAfterNeverNegative(f *testing.F) {
	for _, s := range []string{"1", "Tue, 24 Nov 2026 12:00:00 GMT", "99999999999999999999", "1e9", "-0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, v string) {
		for _, name := range []string{"Retry-After", "Ratelimit-Reset"} {
			resp := &http.Response{StatusCode: 429, Header: http.Header{name: {v}}}
			if d, _ := RetryAfter(resp, time.Unix(1_795_000_000, 0)); d < 0 {
				t.Errorf("%s: %q gives %v", name, v, d)
			}
		}
	})
}

func TestHooksTellWhatHappenedAndNoSecrets(t *testing.T) {
	srv := httptest.NewServer(&script{answers: []answer{
		{503, map[string]string{"X-Request-Id": "r1", "Retry-After": "2"}}, {200, map[string]string{"X-Request-Id": "r2"}}}})
	defer srv.Close()
	var retries []Retry
	var exchanges []Exchange
	o := newClock().options()
	o.OnRetry = func(r Retry) { retries = append(retries, r) }
	o.OnExchange = func(x Exchange) { exchanges = append(exchanges, x) }
	target := strings.Replace(srv.URL, "http://", "http://user:hunter22@", 1) + "/v1/apps?api_key=verysecret&org=acme#frag"
	resp, err := New(o).Get(target)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()

	shown := strings.Replace(srv.URL, "http://", "http://***@", 1) + "/v1/apps?api_key=***&org=acme"
	if len(retries) != 1 || retries[0] != (Retry{Attempt: 1, Method: "GET", URL: shown, Status: 503, Wait: 2 * time.Second, Asked: true, RequestID: "r1"}) {
		t.Errorf("retries = %+v", retries)
	}
	if len(exchanges) != 2 || exchanges[1] != (Exchange{Attempt: 2, Method: "GET", URL: shown, Status: 200, RequestID: "r2"}) {
		t.Errorf("exchanges = %+v", exchanges)
	}
}

func TestRedactURL(t *testing.T) {
	tests := []struct{ in, want string }{
		{"https://api.fly.io/graphql", "https://api.fly.io/graphql"},
		{"https://u:p@host/x", "https://***@host/x"},
		{"https://u@host/x", "https://***@host/x"},
		{"https://api.render.com/deploy/srv-1?key=abc&ref=main", "https://api.render.com/deploy/srv-1?key=***&ref=main"},
		{"https://s3.example/b/k?X-Amz-Signature=aa&X-Amz-Credential=bb&partNumber=2", "https://s3.example/b/k?X-Amz-Signature=***&X-Amz-Credential=***&partNumber=2"},
		{"https://h/x?%74oken=abc", "https://h/x?%74oken=***"},
		{"https://h/x?%zz=abc", "https://h/x?%zz=***"},
		{"https://api.fly.io/logs?next_token=12&region=fra", "https://api.fly.io/logs?next_token=12&region=fra"},
		{"https://hooks.slack.com/services/T0/B0/abcdef", "https://hooks.slack.com/services/***"},
		{"https://discord.example/api/webhooks/123/abcdef", "https://discord.example/api/webhooks/***"},
		{"https://h/x#access_token=abc", "https://h/x"},
	}
	for _, tt := range tests {
		u, err := url.Parse(tt.in)
		if err != nil {
			t.Fatal(err)
		}
		if got := RedactURL(u); got != tt.want {
			t.Errorf("RedactURL(%q)\n = %q\nwant %q", tt.in, got, tt.want)
		}
	}
	if got := RedactURL(nil); got != "" {
		t.Errorf("nil: %q", got)
	}
}

func TestRedactError(t *testing.T) {
	inner := errors.New("refused")
	err := RedactError(&url.Error{Op: "Get", URL: "https://h/x?token=abc", Err: inner})
	if !errors.Is(err, inner) || strings.Contains(err.Error(), "abc") {
		t.Errorf("err = %v", err)
	}
	if got := RedactError(inner); !errors.Is(got, inner) || got.Error() != inner.Error() {
		t.Error("another error was changed")
	}
}

func TestRedirects(t *testing.T) {
	plain := httptest.NewServer(&script{answers: statuses(200)})
	defer plain.Close()
	secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	defer secure.Close()
	loop := httptest.NewServer(http.RedirectHandler("/again", http.StatusFound))
	defer loop.Close()

	for name, tt := range map[string]struct{ url, want string }{
		"down to http": {secure.URL, "refused the redirect from https"},
		"for ever":     {loop.URL, "stopped after 10 redirects"},
	} {
		o := newClock().options()
		o.Base = secure.Client().Transport
		resp, err := New(o).Get(tt.url)
		if err == nil {
			resp.Body.Close()
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: err = %v", name, err)
		}
	}
}

func TestHeaderTimeoutEndsASilentServer(t *testing.T) {
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer srv.Close()
	defer close(release)
	o := newClock().options()
	o.HeaderTimeout, o.MaxAttempts = 20*time.Millisecond, 2
	resp, err := New(o).Get(srv.URL)
	if err == nil {
		resp.Body.Close()
		t.Fatal("no error")
	}
	if !strings.Contains(err.Error(), "awaiting response headers") {
		t.Errorf("err = %v", err)
	}
}

func TestReadBody(t *testing.T) {
	tests := []struct {
		body  string
		limit int64
		want  string
		large bool
	}{
		{"abc", 3, "abc", false},
		{"abcd", 3, "abc", true},
		{"", 3, "", false},
	}
	for _, tt := range tests {
		got, err := ReadBody(&http.Response{Body: io.NopCloser(strings.NewReader(tt.body))}, tt.limit)
		if string(got) != tt.want || errors.Is(err, ErrTooLarge) != tt.large {
			t.Errorf("ReadBody(%q, %d) = %q, %v", tt.body, tt.limit, got, err)
		}
	}
}

func TestCodeOf(t *testing.T) {
	for status, want := range map[int]errs.Code{
		401: errs.Auth, 403: errs.Auth, 404: errs.NotFound, 409: errs.Conflict, 412: errs.Conflict,
		408: errs.Timeout, 422: errs.Failure, 429: errs.Failure, 500: errs.Failure, 504: errs.Timeout,
	} {
		if got := CodeOf(status); got != want {
			t.Errorf("CodeOf(%d) = %s, want %s", status, got, want)
		}
	}
}
