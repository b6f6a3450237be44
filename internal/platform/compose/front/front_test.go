package front

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// instance is an app that says its name.
func instance(t *testing.T, name string, delay time.Duration) (*httptest.Server, Target) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/sick" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		if r.Header.Get("User-Agent") != "opsctl/health" {
			_, _ = io.Copy(io.Discard, r.Body)
			time.Sleep(delay)
		}
		fmt.Fprint(w, name)
	}))
	t.Cleanup(s.Close)
	return s, Target{Name: name, Address: s.Listener.Addr().String(), Health: "/"}
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

func (p *proxy) passing(name string) bool {
	for _, s := range p.status().Targets {
		if s.Name == name {
			return s.Passing
		}
	}
	return false
}

// Visitors with bodies hammer the front while the targets are replaced many times,
// each old one being closed as soon as it is drained.
func TestNoRequestIsLostWhileTargetsChange(t *testing.T) {
	p := newProxy(io.Discard)
	defer p.set(Config{})
	web := httptest.NewServer(p)
	defer web.Close()
	_, first := instance(t, "v0", 5*time.Millisecond)
	p.set(Config{Targets: []Target{first}})

	ctx, stop := context.WithCancel(t.Context())
	var visitors sync.WaitGroup
	var asked, failed atomic.Int64
	for range 8 {
		visitors.Go(func() {
			for ctx.Err() == nil {
				resp, err := http.Post(web.URL+"/", "text/plain", strings.NewReader(strings.Repeat("x", 4096)))
				if err != nil {
					failed.Add(1)
					t.Errorf("a visitor: %v", err)
					return
				}
				body, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if asked.Add(1); resp.StatusCode != http.StatusOK || !strings.HasPrefix(string(body), "v") {
					failed.Add(1)
					t.Errorf("a visitor got %d %q", resp.StatusCode, body)
					return
				}
			}
		})
	}
	var old *httptest.Server
	was := first.Name
	for n := 1; n <= 10 && failed.Load() == 0; n++ {
		server, target := instance(t, fmt.Sprintf("v%d", n), 5*time.Millisecond)
		p.mu.Lock()
		now := p.config.Targets
		p.mu.Unlock()
		p.set(Config{Targets: now, Candidates: []Target{target}})
		await(t, target.Name+" passes", func() bool { return p.passing(target.Name) })
		p.set(Config{Targets: []Target{target}})
		<-p.drained([]string{was})
		if old != nil {
			old.CloseClientConnections()
			old.Close()
		}
		old, was = server, target.Name
		seen := asked.Load()
		await(t, "visitors go on", func() bool { return asked.Load() > seen+20 || failed.Load() > 0 })
	}
	stop()
	visitors.Wait()
	t.Logf("%d requests", asked.Load())
}

func TestOneThatCannotBeReachedIsPassedBy(t *testing.T) {
	p := newProxy(io.Discard)
	defer p.set(Config{})
	_, well := instance(t, "well", 0)
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	p.set(Config{Targets: []Target{{Name: "gone", Address: gone.Addr().String()}, well}})
	for range 4 {
		w := httptest.NewRecorder()
		p.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader("body")))
		if w.Code != http.StatusOK || w.Body.String() != "well" {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	p.set(Config{})
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("without a target: %d", w.Code)
	}
	if p.active["gone"] != 0 || p.active["well"] != 0 {
		t.Errorf("still counted: %v", p.active)
	}
}

func TestTheSickAreFoundAndAvoided(t *testing.T) {
	p := newProxy(io.Discard)
	defer p.set(Config{})
	_, sick := instance(t, "sick", 0)
	sick.Health = "/sick"
	_, well := instance(t, "well", 0)
	p.set(Config{Targets: []Target{sick, well}})
	await(t, "both are checked, the sick twice", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.checks[sick].failures >= failuresToLeave && p.checks[well].passing
	})
	for range 4 {
		if got, _ := p.pick(nil); got.Name != "well" {
			t.Errorf("picked %s", got.Name)
		}
	}
	if got, _ := p.pick(map[string]bool{"well": true}); got.Name != "sick" {
		t.Errorf("for want of others: %q", got.Name)
	}
	if s := p.status().Targets[0]; s.Passing || s.Output != "GET /sick: HTTP 503" {
		t.Errorf("%+v", s)
	}
}

func TestWhatIsSaidOfTheVisitor(t *testing.T) {
	p := newProxy(io.Discard)
	defer p.set(Config{})
	var got http.Header
	var host string
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("User-Agent") != "opsctl/health" {
			got, host = r.Header, r.Host
		}
	}))
	defer app.Close()
	p.set(Config{Targets: []Target{{Name: "app", Address: app.Listener.Addr().String()}}})
	for _, tt := range []struct{ from, wantFor, wantProto string }{
		{"172.18.0.1:4000", "203.0.113.9, 172.18.0.1", "https"},
		{"198.51.100.7:4000", "198.51.100.7", "http"},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://erp.example.com/", nil)
		r.RemoteAddr = tt.from
		r.Header.Set("X-Forwarded-For", "203.0.113.9")
		r.Header.Set("X-Forwarded-Proto", "https")
		p.ServeHTTP(httptest.NewRecorder(), r)
		if got.Get("X-Forwarded-For") != tt.wantFor || got.Get("X-Forwarded-Proto") != tt.wantProto || host != "erp.example.com" {
			t.Errorf("from %s: %v, host %s", tt.from, got, host)
		}
	}
}

// command runs one as the container does.
func shell(t *testing.T, dir, in string, args ...string) (string, int) {
	t.Helper()
	var out bytes.Buffer
	code := run(t.Context(), dir, "127.0.0.1:0", args, Streams{In: strings.NewReader(in), Out: &out, Err: &out})
	return out.String(), code
}

func TestCommands(t *testing.T) {
	dir := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- serve(ctx, dir, "127.0.0.1:0", io.Discard) }()
	await(t, "the socket is there", func() bool { _, code := shell(t, dir, "", "status"); return code == 0 })
	_, target := instance(t, "one", 0)
	raw, _ := json.Marshal(Config{Targets: []Target{target}})
	if out, code := shell(t, dir, string(raw), "set"); code != 0 || !strings.Contains(out, `"serving":true`) {
		t.Errorf("set: %d %s", code, out)
	}
	if out, code := shell(t, dir, "", "drain", "1", "one"); code != 0 {
		t.Errorf("drain of an idle one: %d %s", code, out)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, code := shell(t, dir, "", "status"); code != ExitFailure {
		t.Errorf("status of one that does not run: %d", code)
	}
	// What was set holds after a restart, and a socket that was left behind is no harm.
	if err := os.WriteFile(filepath.Join(dir, socketFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	again, stopAgain := context.WithCancel(t.Context())
	defer stopAgain()
	go func() { done <- serve(again, dir, "127.0.0.1:0", io.Discard) }()
	await(t, "it is back", func() bool { out, _ := shell(t, dir, "", "dump"); return strings.Contains(out, `"name":"one"`) })
	stopAgain()
	<-done
}

func TestPutIsACompareAndSwap(t *testing.T) {
	dir := t.TempDir()
	if out, code := shell(t, dir, "one", "put", "secrets.env", Sum("", false)); code != 0 {
		t.Fatal(out)
	}
	if _, code := shell(t, dir, "two", "put", "secrets.env", Sum("", false)); code != ExitConflict {
		t.Errorf("a writer that knew of no file: %d", code)
	}
	if out, code := shell(t, dir, "two", "put", "secrets.env", Sum("one", true)); code != 0 {
		t.Error(out)
	}
	info, err := os.Stat(filepath.Join(dir, "secrets.env"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	var d Dump
	if out, _ := shell(t, dir, "", "dump"); json.Unmarshal([]byte(out), &d) != nil || d.Files["secrets.env"] != "two" || len(d.Files) != 1 || d.Status != nil {
		t.Errorf("%+v", d)
	}
	for _, name := range []string{"../x", "", ".lock", "a/b"} {
		if _, code := shell(t, dir, "", "put", name, "-"); code != ExitFailure {
			t.Errorf("put %q: %d", name, code)
		}
	}
	// Of many at once who know the same, one wins.
	var won atomic.Int32
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if (store{dir}).put("secrets.env", Sum("two", true), []byte("three")) == nil {
				won.Add(1)
			}
		})
	}
	if all.Wait(); won.Load() != 1 {
		t.Errorf("%d won", won.Load())
	}
}

// The source is complete: it builds to a program that does what this one does.
func TestSourceBuilds(t *testing.T) {
	files, err := Source()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", "front-program", ".")
	build.Dir, build.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, _ := exec.CommandContext(t.Context(), filepath.Join(dir, "front-program"), Command, "fly").CombinedOutput()
	if !strings.Contains(string(out), `no command "fly"`) {
		t.Errorf("%s", out)
	}
}
