package deploy_test

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/deploy"
	"github.com/opsctl/opsctl/internal/emulator"
	"github.com/opsctl/opsctl/internal/health"
	"github.com/opsctl/opsctl/internal/httpx"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/platform/fly"
	"github.com/opsctl/opsctl/internal/platform/railway"
	"github.com/opsctl/opsctl/internal/platform/render"
	"github.com/opsctl/opsctl/internal/spectest"
)

// place is a platform that the same deploys are tried on.
type place struct {
	name, region string
	open         func(ctx context.Context, lookup func(string) (string, bool), http httpx.Options) (platform.Platform, error)
}

// places are the platforms with an emulator.
func places() []place {
	const look, settle = 20 * time.Millisecond, 5 * time.Millisecond
	return []place{
		{"fly", "fra", func(ctx context.Context, lookup func(string) (string, bool), http httpx.Options) (platform.Platform, error) {
			return fly.New(ctx, fly.Options{Lookup: lookup, HTTP: http, Sleep: pause})
		}},
		{"railway", "europe-west4-drams3a", func(ctx context.Context, lookup func(string) (string, bool), http httpx.Options) (platform.Platform, error) {
			return railway.New(ctx, railway.Options{Lookup: lookup, HTTP: http, Sleep: pause, Poll: look, Settle: settle, Overlap: -1, Draining: -1})
		}},
		{"render", "frankfurt", func(ctx context.Context, lookup func(string) (string, bool), http httpx.Options) (platform.Platform, error) {
			return render.New(ctx, render.Options{Lookup: lookup, HTTP: http, Sleep: pause, Poll: look, Settle: settle})
		}},
	}
}

// stage is an emulator whose machines are placeholders, for tests of how a deploy goes
// and not of what the app does.
type stage struct {
	place  place
	server *emulator.Server
	dir    string // the engine's state
}

func (p place) stage(tb testing.TB) *stage {
	tb.Helper()
	server, err := emulator.New(emulator.Options{
		SeedImages: []string{"shop:v1", "shop:v2"}, RestartBackoff: 50 * time.Millisecond, NoPostgres: true,
	})
	if err != nil {
		tb.Fatal(err)
	}
	server.Start()
	tb.Cleanup(func() {
		if err := server.Close(); err != nil {
			tb.Error(err)
		}
	})
	return &stage{p, server, filepath.Join(tb.TempDir(), "state")}
}

// quick is an HTTP client that repeats soon.
func quick(base http.RoundTripper) httpx.Options {
	return httpx.Options{
		UserAgent: "opsctl/test", MinBackoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond, Base: base, HeaderTimeout: 5 * time.Second,
		Sleep: func(ctx context.Context, _ time.Duration) error { return pause(ctx, 20*time.Millisecond) },
	}
}

func lookupIn(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := env[name]; return v, ok }
}

// engine is the deploy engine as of one machine.
func (s *stage) engine(ctx context.Context, tb testing.TB, base http.RoundTripper) *deploy.Engine {
	tb.Helper()
	checked := s.checked(tb)
	if f, ok := base.(*faulty); ok {
		f.next = checked // what is injected is no answer of the platform's
	} else if base == nil {
		base = checked
	}
	p, err := s.place.open(ctx, lookupIn(s.server.Env()), quick(base))
	if err != nil {
		tb.Fatal(err)
	}
	return s.with(p)
}

// checked is the network, with every exchange held against the platform's published
// schema. Fly.io's are in the tests of its adapter.
func (s *stage) checked(tb testing.TB) http.RoundTripper {
	tb.Helper()
	switch s.place.name {
	case "railway":
		return spectest.NewGraphQL(tb, spectest.RailwayFile).Transport("/graphql/v2", http.DefaultTransport)
	case "render":
		doc, err := spectest.LoadRender()
		if errors.Is(err, spectest.ErrNoReference) {
			return http.DefaultTransport
		}
		if err != nil {
			tb.Fatal(err)
		}
		return apiOnly{doc.Check(tb).Transport(http.DefaultTransport)}
	default:
		return http.DefaultTransport
	}
}

// apiOnly sends the API's requests to be checked, and others, such as the image
// registry's, on.
type apiOnly struct{ checked http.RoundTripper }

func (t apiOnly) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasPrefix(r.URL.Path, "/v1/") {
		return t.checked.RoundTrip(r)
	}
	return http.DefaultTransport.RoundTrip(r)
}

func (s *stage) with(p platform.Platform) *deploy.Engine {
	return &deploy.Engine{Platform: p, StateDir: s.dir, Holder: "tester@here", Prober: &health.Prober{}, Sleep: pause}
}

// request is a deploy of an image; the machines answer every path with 200.
func (s *stage) request(image string) deploy.Request {
	return requestFor(s.place, s.server.Host(), image)
}

func requestFor(p place, registry, image string) deploy.Request {
	return deploy.Request{
		App: platform.AppSpec{Name: "shop", Region: p.region},
		Release: platform.Release{
			Port: 3000, Health: "/api/health", Instances: 2, Region: p.region, Strategy: "rolling", Env: map[string]string{"IMAGE": image},
		},
		Image: registry + "/shop:" + image, Command: []string{"/bin/true"}, CommandTimeout: 10 * time.Second,
		Secrets: map[string]string{"API_KEY": "key-of-" + image}, Gate: deploy.Gate{Timeout: 5 * time.Second, Interval: 10 * time.Millisecond, Consecutive: 2},
	}
}

// run prepares and carries out a deploy.
func (s *stage) run(ctx context.Context, t *testing.T, base http.RoundTripper, image string) (deploy.Result, error) {
	t.Helper()
	e := s.engine(ctx, t, base)
	prepared, err := e.Prepare(ctx, s.request(image))
	if err != nil {
		return deploy.Result{}, err
	}
	return e.Apply(ctx, prepared)
}

// settled looks whether the app runs one of the images everywhere, in as many instances
// as it should, and is free for the next deploy; it returns which image.
func (s *stage) settled(ctx context.Context, t *testing.T) string {
	t.Helper()
	e := s.engine(ctx, t, nil)
	state, err := e.Platform.Observe(ctx, "shop")
	if err != nil {
		t.Fatalf("look at it: %v", err)
	}
	if state.Current == nil {
		return ""
	}
	if len(state.Instances) != 2 || state.Mixed {
		t.Errorf("%d instances, mixed %v: %+v", len(state.Instances), state.Mixed, state.Instances)
	}
	for _, i := range state.Instances {
		if i.State != platform.Started || i.Health == platform.Unhealthy || !platform.SameImage(i.Image, state.Current.Image) {
			t.Errorf("instance %+v", i)
		}
	}
	if by, err := e.Platform.LockedBy(ctx, "shop"); err != nil || by != nil {
		t.Errorf("it is still locked: %+v, %v", by, err)
	}
	return state.Current.Env["IMAGE"]
}
