package sentry_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/sentry"
	"github.com/opsctl/opsctl/internal/spectest"
)

var spec = sync.OnceValues(spectest.LoadSentry)

const key = "0123456789abcdef0123456789abcdef"

// rig is a server with a clock that only the test moves.
type rig struct {
	t      *testing.T
	url    string
	server *sentry.Server
	client *http.Client // checks both sides against the document
	mu     sync.Mutex
	now    time.Time
}

func (r *rig) time() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

func start(t *testing.T, change ...func(*sentry.Options)) *rig {
	t.Helper()
	r := &rig{t: t, now: time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC), client: http.DefaultClient}
	n := 0
	opts := sentry.Options{Key: key, Now: r.time, URL: func() string { return r.url }, NewID: func(digits int) string {
		n++
		return fmt.Sprintf("%0*x", digits, n)
	}}
	for _, c := range change {
		c(&opts)
	}
	r.server = sentry.New(opts)
	ts := httptest.NewServer(r.server)
	t.Cleanup(ts.Close)
	r.url = ts.URL
	if o, err := spec(); err == nil {
		r.client = &http.Client{Transport: o.Check(t).Transport(http.DefaultTransport)}
	}
	return r
}

func TestTheDocumentIsThere(t *testing.T) {
	spectest.Require(t, spectest.SentryFile)
	if _, err := spec(); err != nil {
		t.Fatal(err)
	}
}

// call sends a request to the REST API and checks both sides against the document.
func (r *rig) call(method, path string, body any) (int, any) {
	r.t.Helper()
	code, answer, _ := r.send(method, "/api/0"+path, "Bearer token", body)
	return code, answer
}

// wrong is the token for a request that is wrong on purpose: it is not checked.
const wrong = "Bearer wrong on purpose"

func (r *rig) send(method, path, auth string, body any) (int, any, http.Header) {
	r.t.Helper()
	var rd io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			r.t.Fatal(err)
		}
		rd = bytes.NewReader(data)
	}
	req, err := http.NewRequest(method, r.url+path, rd)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", auth)
	req.Header.Set("Content-Type", "application/json")
	client := r.client
	if auth == wrong {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	var answer any
	if len(data) > 0 {
		if err := json.Unmarshal(data, &answer); err != nil {
			r.t.Errorf("%s %s: %d %s", method, path, resp.StatusCode, data)
		}
	}
	return resp.StatusCode, answer, resp.Header
}

// envelope sends items as an SDK does.
func (r *rig) envelope(id string, zip bool, items ...string) int {
	r.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, `{"event_id":%q,"sent_at":"2026-11-24T03:00:00Z"}`+"\n", id)
	for _, it := range items {
		typ, payload, _ := strings.Cut(it, " ")
		fmt.Fprintf(&b, `{"type":%q,"length":%d}`+"\n%s\n", typ, len(payload), payload)
	}
	body := []byte(b.String())
	if zip {
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		_, _ = w.Write(body)
		_ = w.Close()
		body = z.Bytes()
	}
	req, err := http.NewRequest(http.MethodPost, r.url+"/api/1/envelope/", bytes.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("X-Sentry-Auth", "Sentry sentry_version=7, sentry_client=test/1, sentry_key="+key)
	req.Header.Set("Content-Type", "application/x-sentry-envelope")
	if zip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
