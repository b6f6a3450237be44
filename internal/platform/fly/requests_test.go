package fly_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/deploy"
	"github.com/opsctl/opsctl/internal/emulator"
	"github.com/opsctl/opsctl/internal/health"
	"github.com/opsctl/opsctl/internal/httpx"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/platform/fly"
)

// The most requests that a deploy may make.
const (
	mostUnchanged = 6
	mostUpdate    = 25 // of three machines, to another image
)

// shop is an app on an emulator, deployed by the engine in real time: how often the
// adapter looks depends on how long it waits.
type shop struct {
	server *emulator.Server
	fly    *fly.Platform
	engine *deploy.Engine
	req    deploy.Request
}

func newShop(tb testing.TB, change func(*emulator.Options)) *shop {
	tb.Helper()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	o := emulator.Options{
		Exec:       []string{"/bin/sh", "-c", "OPSCTL_TEST_ROLE=app GORACE=atexit_sleep_ms=0 exec " + self},
		SeedImages: []string{"suite:1", "suite:2"}, StateDir: tb.TempDir(),
	}
	if change != nil {
		change(&o)
	}
	server, err := emulator.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	server.Start()
	tb.Cleanup(func() {
		if err := server.Close(); err != nil {
			tb.Error(err)
		}
	})
	env := server.Env()
	p, err := fly.New(tb.Context(), fly.Options{
		Lookup: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		HTTP:   httpx.Options{UserAgent: "opsctl/test"},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return &shop{
		server: server, fly: p,
		engine: &deploy.Engine{Platform: p, StateDir: filepath.Join(tb.TempDir(), "state"), Holder: "tester@here", Prober: &health.Prober{}},
		req: deploy.Request{
			App:     platform.AppSpec{Name: "suite"},
			Release: platform.Release{Port: 3000, Health: "/api/health", Instances: 3, Region: "fra", Strategy: "rolling", Env: map[string]string{"COLOR": "blue"}},
			Image:   "registry.fly.io/suite:1",
			Secrets: map[string]string{"API_KEY": "k-111111"},
			Gate:    deploy.Gate{Timeout: 20 * time.Second, Interval: 50 * time.Millisecond, Consecutive: 2},
		},
	}
}

// deploy runs the engine as the command does, and returns the requests that it made.
func (s *shop) deploy(tb testing.TB, want deploy.Outcome) []emulator.Request {
	tb.Helper()
	before := len(s.server.Requests())
	s.fly.Expect(s.req.App.Name, s.req.Image)
	p, err := s.engine.Prepare(tb.Context(), s.req)
	if err != nil {
		tb.Fatal(err)
	}
	result, err := s.engine.Apply(tb.Context(), p)
	if err != nil || result.Outcome != want {
		tb.Fatalf("%+v, %v", result, err)
	}
	return s.server.Requests()[before:]
}

func list(tb testing.TB, requests []emulator.Request) {
	tb.Helper()
	for _, r := range requests {
		tb.Logf("%s %s", r.Method, r.Path)
	}
}

func TestRequestsOfADeploy(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	s.deploy(t, deploy.Deployed)
	if made := s.deploy(t, deploy.Unchanged); len(made) > mostUnchanged {
		t.Errorf("a deploy that changes nothing made %d requests, %d are allowed", len(made), mostUnchanged)
		list(t, made)
	}
	s.req.Image = "registry.fly.io/suite:2"
	made := s.deploy(t, deploy.Deployed)
	if len(made) > mostUpdate {
		t.Errorf("an update of three machines made %d requests, %d are allowed", len(made), mostUpdate)
	}
	list(t, made)
}

// With a managed database and a Redis, whose addresses have to be read.
func TestRequestsOfADeployWithDatabases(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	s.req.Postgres = &platform.DatabaseSpec{App: "suite", Name: "suite-db", Version: 16, Region: "fra", Plan: "basic", PoolMode: "transaction"}
	s.req.Redis = &platform.CacheSpec{App: "suite", Name: "suite-redis", Version: 7, Region: "fra"}
	s.deploy(t, deploy.Deployed)
	if made := s.deploy(t, deploy.Unchanged); len(made) > mostUnchanged {
		t.Errorf("a deploy that changes nothing made %d requests, %d are allowed", len(made), mostUnchanged)
		list(t, made)
	}
	s.req.Image = "registry.fly.io/suite:2"
	made := s.deploy(t, deploy.Deployed)
	if len(made) > mostUpdate {
		t.Errorf("an update of three machines made %d requests, %d are allowed", len(made), mostUpdate)
	}
	list(t, made)
}

// The order in which the parts of a plan are asked for does not matter.
func TestRequestsOfAPlan(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	s.deploy(t, deploy.Deployed)
	ctx := t.Context()
	before := len(s.server.Requests())
	for _, ask := range []func(context.Context) error{
		func(ctx context.Context) error { _, err := s.fly.WhoAmI(ctx); return err },
		func(ctx context.Context) error { _, err := s.fly.Releases(ctx, "suite", 10); return err },
		func(ctx context.Context) error { _, err := s.fly.FindRedis(ctx, "suite", "none"); return err },
		func(ctx context.Context) error { _, err := s.fly.ResolveImage(ctx, "suite", s.req.Image); return err },
		func(ctx context.Context) error { _, err := s.fly.Observe(ctx, "suite"); return err },
		func(ctx context.Context) error { _, err := s.fly.FindPostgres(ctx, "suite", "none"); return err },
		func(ctx context.Context) error { _, err := s.fly.Observe(ctx, "suite"); return err },
	} {
		if err := ask(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if made := s.server.Requests()[before:]; len(made) > mostUnchanged {
		t.Errorf("%d requests", len(made))
		list(t, made)
	}
}

// BenchmarkDeployRequests updates three machines to another image, with 50 ms of
// latency, and reports how many requests that takes.
func BenchmarkDeployRequests(b *testing.B) {
	s := newShop(b, func(o *emulator.Options) { o.Latency = 50 * time.Millisecond })
	s.deploy(b, deploy.Deployed)
	made, i := 0, 0
	for b.Loop() {
		i++
		s.req.Image = []string{"registry.fly.io/suite:1", "registry.fly.io/suite:2"}[i%2]
		n := len(s.deploy(b, deploy.Deployed))
		if made += n; n > mostUpdate {
			b.Errorf("%d requests, %d are allowed", n, mostUpdate)
		}
	}
	b.ReportMetric(float64(made)/float64(b.N), "requests/op")
}
