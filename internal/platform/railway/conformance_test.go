package railway_test

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
	"github.com/opsctl/opsctl/internal/platform/platformtest"
	"github.com/opsctl/opsctl/internal/platform/railway"
	"github.com/opsctl/opsctl/internal/spectest"
)

// TestMain doubles as the app of the emulator's services.
func TestMain(m *testing.M) {
	if os.Getenv(platformtest.Role) == "app" {
		platformtest.Serve(os.Getenv("OPSCTL_EMULATOR_IMAGE"))
		return
	}
	os.Exit(m.Run())
}

// start runs an emulator for a test, which runs beside others; faults may be injected into it.
func start(t *testing.T, change func(*emulator.Options)) *emulator.Server {
	t.Helper()
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := emulator.Options{
		Exec:       []string{"/bin/sh", "-c", "case $OPSCTL_EMULATOR_IMAGE in *crash*) echo boom; exit 1;; esac; " + platformtest.Role + "=app GORACE=atexit_sleep_ms=0 exec " + self},
		SeedImages: []string{"suite:1", "suite:2", "suite:sick", "suite:crash"}, StateDir: t.TempDir(),
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

// client is the adapter, with every exchange held against the published schema.
func client(t *testing.T, server *emulator.Server, change func(*railway.Options)) *railway.Platform {
	t.Helper()
	env := server.Env()
	o := railway.Options{
		Lookup: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		HTTP: httpx.Options{
			UserAgent: "opsctl/test", MaxAttempts: 3, MinBackoff: 5 * time.Millisecond, MaxBackoff: 20 * time.Millisecond,
			Base: spectest.NewGraphQL(t, spectest.RailwayFile).Transport("/graphql/v2", http.DefaultTransport),
		},
		Poll: 50 * time.Millisecond, Settle: 10 * time.Millisecond, Overlap: -1, Draining: 2 * time.Second,
	}
	if change != nil {
		change(&o)
	}
	p, err := railway.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// get fetches a path of the app, as a visitor would, at the address that the
// platform tells. Not every resolver knows names below localhost.
func get(server *emulator.Server, p *railway.Platform) func(ctx context.Context, app, path string) (string, error) {
	return func(ctx context.Context, app, path string) (string, error) {
		state, err := p.Observe(ctx, app)
		if err != nil {
			return "", err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.RailwayURL()+path, nil)
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
		visitor := client(t, server, nil)
		return platformtest.Setup{
			Platform: client(t, server, nil), Second: client(t, server, nil), Region: "us-west2", Other: "europe-west4-drams3a", Size: "2cpu-4gb",
			Images:  [3]string{server.Host() + "/suite:1", server.Host() + "/suite:2", server.Host() + "/suite:sick"},
			Success: []string{"/bin/sh", "-c", "echo hello"}, Failure: []string{"/bin/sh", "-c", "echo hello; exit 3"},
			Get: get(server, visitor), Verify: func(string) {},
		}
	})
}
