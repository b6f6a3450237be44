package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/deploy"
	"github.com/opsctl/opsctl/internal/emulator"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/health"
	"github.com/opsctl/opsctl/internal/httpx"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/platform/fly"
)

// TestMain doubles as the app that the emulator's machines run, and as its
// release command, so that the tests need no other program.
func TestMain(m *testing.M) {
	switch os.Getenv("OPSCTL_TEST_ROLE") {
	case "app":
		serveApp()
	case "migrate":
		fmt.Println("applying migrations")
		if strings.Contains(os.Getenv("FLY_IMAGE_REF"), "/badmigration") {
			fmt.Println("column tenant_id does not exist")
			os.Exit(3)
		}
	case "crash":
		if err := crashingDeploy(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	default:
		os.Exit(m.Run())
	}
}

// serveApp is a small web app. What its image is called decides how it behaves.
func serveApp() {
	image := os.Getenv("FLY_IMAGE_REF")
	if strings.Contains(image, "/crashing") {
		fmt.Println("cannot find module ./server.js")
		os.Exit(1)
	}
	http.HandleFunc("/api/health", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/health+json")
		status := "pass"
		if strings.Contains(image, "/sick") {
			fmt.Println("cannot log in with key", os.Getenv("API_KEY"))
			status = "fail"
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprintf(w, `{"status":%q,"releaseId":%q}`, status, os.Getenv("OPSCTL_RELEASE"))
	})
	http.HandleFunc("/env", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, os.Getenv(r.URL.Query().Get("name")))
	})
	server := &http.Server{Addr: "127.0.0.1:" + os.Getenv("PORT"), ReadHeaderTimeout: time.Second}
	fmt.Println(server.ListenAndServe())
}

// fixture is an emulator with a platform and an engine that talk to it.
type fixture struct {
	server *emulator.Server
	engine *deploy.Engine
	events *[]deploy.Event
	ctx    context.Context
	ahead  atomic.Int64 // how far the emulator's and the engine's clock is ahead of the real one
}

func (f *fixture) now() time.Time { return time.Now().Add(time.Duration(f.ahead.Load())) }

// skip is the engine's Sleep, in which the platform's leases run out: the clock goes
// on by the whole time, the test by a part of it.
func (f *fixture) skip(ctx context.Context, d time.Duration) error {
	f.ahead.Add(int64(d - d/20))
	return pause(ctx, d/20)
}

// pause is the adapter's Sleep: it looks more often, at a machine that is quick.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d / 10):
		return nil
	}
}

// client is the adapter, as of one machine.
func (f *fixture) client(t *testing.T) *fly.Platform {
	t.Helper()
	env := f.server.Env()
	p, err := fly.New(f.ctx, fly.Options{
		Lookup: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		HTTP:   httpx.Options{UserAgent: "opsctl/test", MinBackoff: 10 * time.Millisecond},
		Sleep:  pause,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// newFixture makes one. The test runs beside others: what it does is waiting.
func newFixture(t *testing.T) *fixture {
	t.Helper()
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the test app is started through sh")
	}
	f := &fixture{ctx: t.Context()}
	server, err := emulator.New(emulator.Options{
		Exec:       []string{"/bin/sh", "-c", run("app")},
		SeedImages: []string{"shop:v1", "shop:v2", "sick:v1", "crashing:v1", "badmigration:v1"}, RestartBackoff: 50 * time.Millisecond,
		StateDir: t.TempDir(), Now: f.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	f.server = server
	server.Start()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	events := []deploy.Event{}
	f.events = &events
	f.engine = &deploy.Engine{
		Platform: f.client(t), Now: f.now, Sleep: f.skip, StateDir: filepath.Join(t.TempDir(), "state"), Holder: "tester@here", Prober: &health.Prober{},
		Event: func(e deploy.Event) { events = append(events, e); t.Log(e) },
	}
	return f
}

// run is the shell's command that runs this very program as something else. A program
// with the race detector would sleep for a second before it exits.
func run(role string) string {
	self, _ := os.Executable()
	return "OPSCTL_TEST_ROLE=" + role + " GORACE=atexit_sleep_ms=0 exec " + self
}

func (f *fixture) request(image string) deploy.Request {
	gate := deploy.Gate{Timeout: 8 * time.Second, Interval: 20 * time.Millisecond, Consecutive: 2}
	if strings.HasPrefix(image, "sick") { // it is waited for in vain
		gate.Timeout = 2 * time.Second
	}
	return deploy.Request{
		App: platform.AppSpec{Name: "shop"},
		Release: platform.Release{
			Port: 3000, Health: "/api/health", Instances: 2, Region: "fra", Strategy: "rolling",
			Env: map[string]string{"LOG_LEVEL": "info"},
		},
		Image:          "registry.fly.io/" + image,
		Command:        []string{"/bin/sh", "-c", run("migrate")},
		CommandTimeout: 20 * time.Second,
		Secrets:        map[string]string{"API_KEY": "k-111111"},
		Gate:           gate,
	}
}

func (f *fixture) deploy(req deploy.Request) (deploy.Result, error) {
	p, err := f.engine.Prepare(f.ctx, req)
	if err != nil {
		return deploy.Result{}, err
	}
	return f.engine.Apply(f.ctx, p)
}

func (f *fixture) mustDeploy(t *testing.T, req deploy.Request) deploy.Result {
	t.Helper()
	result, err := f.deploy(req)
	if err != nil {
		t.Fatalf("deploy: %v\n%s", err, errs.HintOf(err))
	}
	return result
}

func (f *fixture) state(t *testing.T) *platform.State {
	t.Helper()
	s, err := f.engine.Platform.Observe(f.ctx, "shop")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDeployTwiceChangesNothingTheSecondTime(t *testing.T) {
	f := newFixture(t)
	first := f.mustDeploy(t, f.request("shop:v1"))
	if first.Outcome != deploy.Deployed || first.Release != "1" {
		t.Fatalf("first: %+v", first)
	}
	s := f.state(t)
	if len(s.Instances) != 2 || s.Mixed || s.Current.Version != "1" {
		t.Fatalf("state: %+v", s)
	}
	for _, i := range s.Instances {
		if i.Health != platform.Healthy {
			t.Errorf("instance %+v", i)
		}
	}
	second := f.mustDeploy(t, f.request("shop:v1"))
	if second.Outcome != deploy.Unchanged || len(second.Changes) != 0 {
		t.Fatalf("second: %+v", second)
	}
}

func TestDeployRollsBackWhatFailsItsHealthCheck(t *testing.T) {
	for _, image := range []string{"sick:v1", "crashing:v1"} {
		t.Run(image, func(t *testing.T) {
			f := newFixture(t)
			f.mustDeploy(t, f.request("shop:v1"))
			before := f.state(t).Current.Image
			requests := len(f.server.Requests())
			result, err := f.deploy(f.request(image))
			if got := errs.ExitCode(err); got != 8 {
				t.Fatalf("exit %d, want 8: %v", got, err)
			}
			if result.Outcome != deploy.RolledBack || result.Previous != "1" {
				t.Errorf("result: %+v", result)
			}
			hint := errs.HintOf(err)
			for _, want := range []string{"not undone", "database, as the release command left it"} {
				if !strings.Contains(hint, want) {
					t.Errorf("hint lacks %q:\n%s", want, hint)
				}
			}
			s := f.state(t)
			if s.Mixed || s.Current.Version != "1" || s.Current.Image != before || len(s.Instances) != 2 {
				t.Errorf("after the rollback: %+v", s.Current)
			}
			// The second instance was never reached, so putting the first one back must not restart it.
			for _, r := range f.server.Requests()[requests:] {
				if r.Method == http.MethodPost && strings.HasSuffix(r.Path, "/machines/"+s.Instances[1].ID) {
					t.Errorf("the untouched instance was updated: %+v", r)
				}
			}
			assertNoSecretOnDisk(t, f.engine.StateDir, "k-111111")
			ledger, err := f.engine.Platform.Releases(f.ctx, "shop", 10)
			if err != nil || len(ledger) != 2 || ledger[0].Status != platform.Failed || ledger[1].Status != platform.Complete {
				t.Errorf("ledger: %+v, %v", ledger, err)
			}
		})
	}
}

func TestDeployWithAFailingReleaseCommandTouchesNoInstance(t *testing.T) {
	f := newFixture(t)
	f.mustDeploy(t, f.request("shop:v1"))
	before := f.state(t)
	_, err := f.deploy(f.request("badmigration:v1"))
	if got := errs.ExitCode(err); got != 1 {
		t.Fatalf("exit %d, want 1: %v", got, err)
	}
	for _, want := range []string{"exit code 3"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q: %v", want, err)
		}
	}
	if hint := errs.HintOf(err); !strings.Contains(hint, "column tenant_id does not exist") || !strings.Contains(hint, "release 1 runs on as before") {
		t.Errorf("hint: %s", hint)
	}
	after := f.state(t)
	for i := range before.Instances {
		if before.Instances[i].ID != after.Instances[i].ID || after.Instances[i].Release != "1" {
			t.Errorf("instance changed: %+v → %+v", before.Instances[i], after.Instances[i])
		}
	}
}

func TestFirstDeployThatFailsLeavesNothingRunning(t *testing.T) {
	f := newFixture(t)
	_, err := f.deploy(f.request("sick:v1"))
	if got := errs.ExitCode(err); got == 0 || got == 8 {
		t.Fatalf("exit %d: %v", got, err)
	}
	if s := f.state(t); len(s.Instances) != 0 {
		t.Errorf("instances left: %+v", s.Instances)
	}
	f.mustDeploy(t, f.request("shop:v1")) // and the next one works
}

func TestSecretsReachTheAppAndAreComparedByFingerprint(t *testing.T) {
	f := newFixture(t)
	f.mustDeploy(t, f.request("shop:v1"))
	if got := f.get(t, "/env?name=API_KEY"); got != "k-111111" {
		t.Fatalf("API_KEY in the app is %q", got)
	}
	req := f.request("shop:v1")
	req.Secrets["API_KEY"] = "k-222222"
	p, err := f.engine.Prepare(f.ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%+v", p.Changes)
	if !strings.Contains(text, "API_KEY") || strings.Contains(text, "k-2") {
		t.Errorf("changes: %s", text)
	}
	if _, err := f.engine.Apply(f.ctx, p); err != nil {
		t.Fatal(err)
	}
	if got := f.get(t, "/env?name=API_KEY"); got != "k-222222" {
		t.Errorf("API_KEY in the app is %q after the change", got)
	}
	if r := f.mustDeploy(t, req); r.Outcome != deploy.Unchanged {
		t.Errorf("third deploy: %+v", r)
	}
	assertNoSecretOnDisk(t, f.engine.StateDir, "k-111111", "k-222222")
}

func (f *fixture) get(t *testing.T, path string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(f.ctx, http.MethodGet, f.server.URL()+"/_app/shop"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := httpx.ReadBody(resp, 1<<20)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func assertNoSecretOnDisk(t *testing.T, dir string, secrets ...string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		src, err := os.ReadFile(path)
		for _, s := range secrets {
			if strings.Contains(string(src), s) {
				t.Errorf("%s holds a secret", path)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRollbackReturnsToTheReleaseBefore(t *testing.T) {
	f := newFixture(t)
	f.mustDeploy(t, f.request("shop:v1"))
	one := f.state(t).Current.Image
	req := f.request("shop:v2")
	req.Release.Env["LOG_LEVEL"] = "debug"
	f.mustDeploy(t, req)
	state, to, err := f.engine.RollbackTarget(f.ctx, "shop", "")
	if err != nil || to.Version != "1" {
		t.Fatalf("target %+v, %v", to, err)
	}
	result, err := f.engine.Rollback(f.ctx, "shop", state, to, req.Gate)
	if err != nil || result.Outcome != deploy.RolledBack {
		t.Fatalf("rollback: %+v, %v", result, err)
	}
	s := f.state(t)
	if s.Current.Image != one || s.Current.Env["LOG_LEVEL"] != "info" || s.Mixed {
		t.Errorf("after: %+v", s.Current)
	}
	if _, _, err := f.engine.RollbackTarget(f.ctx, "shop", "99"); errs.ExitCode(err) != 5 {
		t.Errorf("unknown release: %v", err)
	}
}

func TestOneInstanceIsUpdatedBehindAStandIn(t *testing.T) {
	f := newFixture(t)
	req := f.request("shop:v1")
	req.Release.Instances = 1
	f.mustDeploy(t, req)
	before := f.state(t).Instances[0].ID
	req.Image = "registry.fly.io/shop:v2"
	f.mustDeploy(t, req)
	after := f.state(t).Instances
	if len(after) != 1 || after[0].ID != before || after[0].Release != "2" {
		t.Errorf("instances: %+v, before %s", after, before)
	}
}

func TestScaleUpAndDown(t *testing.T) {
	f := newFixture(t)
	req := f.request("shop:v1")
	for _, n := range []int{1, 3, 2} {
		req.Release.Instances = n
		f.mustDeploy(t, req)
		if got := len(f.state(t).Instances); got != n {
			t.Errorf("%d instances, want %d", got, n)
		}
	}
}
