package examples_test

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
)

// ingest plays Sentry's envelope endpoint and keeps what it gets.
type ingest struct {
	server *httptest.Server
	mu     sync.Mutex
	raw    []string // whole envelopes, as they were sent
	events []sentryEvent
	broken []error // envelopes that cannot be read
}

// sentryEvent is the part of an error event that the test looks at.
type sentryEvent struct {
	Environment string         `json:"environment"`
	Release     string         `json:"release"`
	Tags        map[string]any `json:"tags"`
	Transaction string         `json:"transaction"`
	Exception   struct {
		Values []struct {
			Value string `json:"value"`
		} `json:"values"`
	} `json:"exception"`
}

// text is the messages of the error and its causes.
func (e sentryEvent) text() string {
	var all []string
	for _, v := range e.Exception.Values {
		all = append(all, v.Value)
	}
	return strings.Join(all, " | ")
}

func startIngest(t *testing.T) *ingest {
	t.Helper()
	i := &ingest{}
	i.server = httptest.NewServer(http.HandlerFunc(i.serve))
	t.Cleanup(i.server.Close)
	return i
}

func (i *ingest) dsn() string {
	return strings.Replace(i.server.URL, "://", "://0123456789abcdef0123456789abcdef@", 1) + "/1"
}

func (i *ingest) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != "/api/1/envelope/" {
		http.NotFound(w, r)
		return
	}
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = z
	}
	envelope, err := io.ReadAll(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	events, err := eventsOf(envelope)
	i.mu.Lock()
	defer i.mu.Unlock()
	if err != nil {
		i.broken = append(i.broken, err)
	}
	i.raw = append(i.raw, r.URL.RawQuery+"\n"+string(envelope))
	i.events = append(i.events, events...)
	fmt.Fprint(w, `{}`)
}

// eventsOf reads the error events of an envelope: a header line, then a header and a payload for each item.
func eventsOf(envelope []byte) (events []sentryEvent, err error) {
	lines := bytes.Split(bytes.TrimSpace(envelope), []byte("\n"))
	for n := 1; n+1 < len(lines); n += 2 {
		var header struct{ Type string }
		if err := json.Unmarshal(lines[n], &header); err != nil {
			return nil, err
		}
		if header.Type != "event" {
			continue
		}
		var e sentryEvent
		if err := json.Unmarshal(lines[n+1], &e); err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}

// reset forgets what came so far.
func (i *ingest) reset() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.raw, i.events = nil, nil
}

func (i *ingest) received() ([]string, []sentryEvent) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]string{}, i.raw...), append([]sentryEvent{}, i.events...)
}

// wait waits for a number of events, and a little longer for those that are too many.
func (i *ingest) wait(t *testing.T, want int) ([]string, []sentryEvent) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if _, events := i.received(); len(events) >= want {
			break
		}
	}
	time.Sleep(time.Second)
	i.mu.Lock()
	for _, err := range i.broken {
		t.Error(err)
	}
	i.mu.Unlock()
	return i.received()
}

// checkReports makes every kind of error, two tenants' at the same time, and looks at what Sentry got.
func checkReports(t *testing.T, a *app, sentry *ingest) {
	t.Helper()
	sentry.reset()
	var both sync.WaitGroup
	for _, session := range []string{"canary-cookie-a", "canary-cookie-b"} {
		both.Go(func() { a.fail(t, session) })
	}
	both.Wait()
	a.fail(t, "")
	for _, path := range []string{"/refused", "/refused?auth", "/broken", "/job", "/api/health", "/"} {
		a.get(t, path)
	}
	raw, events := sentry.wait(t, 7)
	tags := map[string]map[string]string{ // of the error whose text holds the key
		"org_a: ":            {"tenantId": "org_a"},
		"org_b: ":            {"tenantId": "org_b"},
		"nobody: ":           {},
		"row-level security": {"critical": "rls"},
		"session expired":    {"critical": "auth"},
		"a component threw":  {},
		"the job failed":     {"tenantId": "org_job"},
	}
	for text, want := range tags {
		checkEvent(t, events, text, want)
	}
	if len(events) != len(tags) {
		t.Errorf("%d events, want %d", len(events), len(tags))
	}
	for _, envelope := range raw {
		if at := strings.Index(envelope, "canary"); at >= 0 {
			t.Errorf("a secret was sent: %s", envelope[max(0, at-300):min(len(envelope), at+60)])
		}
		if strings.Contains(envelope, "/api/health") || strings.Contains(envelope, "org_forged") {
			t.Errorf("sent: %s", envelope)
		}
	}
	if t.Failed() {
		t.Logf("the server said:\n%s", a.log)
	}
}

func checkEvent(t *testing.T, events []sentryEvent, text string, want map[string]string) {
	t.Helper()
	found := 0
	for _, e := range events {
		if !strings.Contains(e.text(), text) {
			continue
		}
		found++
		if e.Environment != "staging" || e.Release != release {
			t.Errorf("%q has environment %q and release %q", text, e.Environment, e.Release)
		}
		if method, path, _ := strings.Cut(e.Transaction, " "); text != "the job failed" && (method == "" || path == "") {
			t.Errorf("%q has the transaction %q", text, e.Transaction)
		}
		for _, tag := range []string{"tenantId", "critical"} {
			if got, _ := e.Tags[tag].(string); got != want[tag] {
				t.Errorf("%q has %s=%q, want %q", text, tag, got, want[tag])
			}
		}
	}
	if found != 1 {
		t.Errorf("%d events say %q, want 1", found, text)
	}
}

// checkSilence expects the same answers, and nothing of Sentry: not sent, not even loaded.
func checkSilence(t *testing.T, a *app, sentry *ingest) {
	t.Helper()
	sentry.reset()
	a.fail(t, "canary-cookie-a")
	for path, want := range map[string]int{"/": 200, "/broken": 500, "/refused": 500, "/job": 200} {
		if status, _, body := a.get(t, path); status != want {
			t.Errorf("%s answers %d, want %d: %s", path, status, want, body)
		}
	}
	if status, _, body := a.get(t, "/api/health"); status != http.StatusOK || body != `{"sentry":false}` {
		t.Errorf("%d %s: Sentry was loaded", status, body)
	}
	time.Sleep(time.Second)
	if raw, _ := sentry.received(); len(raw) > 0 {
		t.Errorf("sent without a DSN: %s", raw)
	}
}
