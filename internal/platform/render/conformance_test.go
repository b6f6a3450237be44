package render_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/emulator"
	"github.com/opsctl/opsctl/internal/httpx"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/platform/platformtest"
	"github.com/opsctl/opsctl/internal/platform/render"
)

// TestMain doubles as the app of the emulator's services.
func TestMain(m *testing.M) {
	if os.Getenv(platformtest.Role) == "app" {
		platformtest.Serve(os.Getenv("OPSCTL_EMULATOR_IMAGE"))
		return
	}
	os.Exit(m.Run())
}

// start runs an emulator for a test, which runs beside others.
func start(t *testing.T, change func(*emulator.Options)) *emulator.Server {
	t.Helper()
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := emulator.Options{
		Exec:       []string{"/bin/sh", "-c", platformtest.Role + "=app GORACE=atexit_sleep_ms=0 exec " + self},
		SeedImages: []string{"suite:1", "suite:2", "suite:sick"}, StateDir: t.TempDir(),
	}
	if change != nil {
		change(&o)
	}
	server, err := emulator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server.Start()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// client is the adapter, with every exchange held against the published document.
func client(t *testing.T, server *emulator.Server, change ...func(*render.Options)) *render.Platform {
	t.Helper()
	env := server.Env()
	o := render.Options{
		Lookup: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		HTTP:   httpx.Options{UserAgent: "opsctl/test", MaxAttempts: 3, MinBackoff: 5 * time.Millisecond, MaxBackoff: 20 * time.Millisecond},
		Poll:   50 * time.Millisecond, Settle: 10 * time.Millisecond,
	}
	if api, err := document(); err == nil {
		check := api.Check(t)
		check.Refused = true
		o.HTTP.Base = onlyBelow("/v1/", check.Transport(nil))
	}
	for _, c := range change {
		c(&o)
	}
	p, err := render.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// onlyBelow leaves what is asked of registries (of the emulator: /v2/) unchecked.
func onlyBelow(prefix string, checked http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if strings.HasPrefix(r.URL.Path, prefix) {
			return checked.RoundTrip(r)
		}
		return http.DefaultTransport.RoundTrip(r)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// get fetches a path of the app, as a visitor would, at the address that the
// platform tells. Not every resolver knows names below localhost.
func get(server *emulator.Server, p *render.Platform) func(ctx context.Context, app, path string) (string, error) {
	return func(ctx context.Context, app, path string) (string, error) {
		state, err := p.Observe(ctx, app)
		if err != nil {
			return "", err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.RenderURL()+path, nil)
		if err != nil {
			return "", err
		}
		req.Host = strings.TrimPrefix(state.URL, "http://")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if resp.StatusCode != http.StatusOK {
			return "", fmt.Errorf("HTTP %d: %s", resp.StatusCode, body)
		}
		return string(body), err
	}
}

func TestConformance(t *testing.T) {
	platformtest.Run(t, func(t *testing.T) platformtest.Setup {
		server := start(t, nil)
		return platformtest.Setup{
			Platform: client(t, server), Second: client(t, server), Region: "frankfurt", Other: "oregon", Size: "pro",
			Images:  [3]string{server.Host() + "/suite:1", server.Host() + "/suite:2", server.Host() + "/suite:sick"},
			Success: []string{"/bin/sh", "-c", "echo hello"}, Failure: []string{"/bin/sh", "-c", "echo hello; exit 3"},
			Get: get(server, client(t, server)), Verify: func(string) {},
		}
	})
}

// What is new shows late, and lists come in pages of two.
func TestSlowToShowAndPagesOfTwo(t *testing.T) {
	server := start(t, func(o *emulator.Options) { o.Lag, o.PageSize, o.NoPostgres = 150*time.Millisecond, 2, true })
	pages := func(o *render.Options) { o.PageSize = 2 }
	p := client(t, server, pages)
	must(t, p.CreateApp(t.Context(), platform.AppSpec{Name: app}))
	secret := "s3cret"
	must(t, p.StageSecrets(t.Context(), app, map[string]*string{"A": &secret, "B": &secret, "C": &secret}))
	var first platform.Release
	for n, image := range []string{"suite:1", "suite:2"} {
		resolved, err := p.ResolveImage(t.Context(), app, server.Host()+"/"+image)
		must(t, err)
		want := release(fmt.Sprint(n))
		want.Image = resolved.Pinned()
		out, err := p.RollOut(t.Context(), app, want, silent)
		must(t, err)
		if n == 0 {
			first = out.Release
		}
	}
	_, err := p.Restore(t.Context(), app, first, silent)
	must(t, err)
	p = client(t, server, pages)
	var state *platform.State
	for deadline := time.Now().Add(5 * time.Second); ; {
		if state, err = p.Observe(t.Context(), app); err == nil && state.Current != nil && state.Current.Label == "label-0" || time.Now().After(deadline) {
			break
		}
		p = client(t, server, pages)
	}
	must(t, err)
	if c := state.Current; c == nil || c.Env["COLOR"] != "0" || len(state.Secrets) != 3 {
		t.Errorf("%+v, %+v", state, c)
	}
	list, err := p.Releases(t.Context(), app, 10)
	must(t, err)
	if len(list) != 3 {
		t.Errorf("%d releases: %+v", len(list), list)
	}
}
