package fly_test

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
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/httpx"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/platform/fly"
	"github.com/opsctl/opsctl/internal/platform/platformtest"
)

// TestMain doubles as the app of the emulator's machines.
func TestMain(m *testing.M) {
	if os.Getenv(platformtest.Role) == "app" {
		platformtest.Serve(os.Getenv("FLY_IMAGE_REF"))
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
		Exec:       []string{"/bin/sh", "-c", "OPSCTL_TEST_ROLE=app GORACE=atexit_sleep_ms=0 exec " + self},
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

// quick is a Sleep for a platform on this machine: it looks more often.
func quick(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(min(d/10, 100*time.Millisecond)):
		return nil
	}
}

// client is the adapter, with every request held against the published schemas.
func client(t *testing.T, server *emulator.Server) *fly.Platform {
	t.Helper()
	env := server.Env()
	p, err := fly.New(t.Context(), fly.Options{
		Lookup: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		HTTP: httpx.Options{
			UserAgent: "opsctl/test", MaxAttempts: 3, MinBackoff: 5 * time.Millisecond, MaxBackoff: 20 * time.Millisecond,
			Base: newValidator(t, server.URL()),
		},
		Sleep: quick,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestConformance(t *testing.T) {
	platformtest.Run(t, func(t *testing.T) platformtest.Setup {
		server := start(t, nil)
		return platformtest.Setup{
			Platform: client(t, server), Second: client(t, server), Region: "fra", Other: "ams", Size: "shared-cpu-2x:1gb",
			Strategies: []string{"rolling", "canary", "bluegreen", "immediate"},
			Verify:     func(string) {}, // the emulator takes a check for the owner having made the records
			Images:     [3]string{"registry.fly.io/suite:1", "registry.fly.io/suite:2", "registry.fly.io/suite:sick"},
			Success:    []string{"/bin/sh", "-c", "echo hello"}, Failure: []string{"/bin/sh", "-c", "echo hello; exit 3"},
			Get: func(ctx context.Context, app, path string) (string, error) {
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL()+"/_app/"+app+path, nil)
				if err != nil {
					return "", err
				}
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
			},
		}
	})
}

func TestNoTokenIsAnAuthErrorWithTheVariable(t *testing.T) {
	_, err := fly.New(t.Context(), fly.Options{Lookup: func(string) (string, bool) { return "", false }})
	if errs.ExitCode(err) != 4 || !strings.Contains(errs.HintOf(err), "FLY_API_TOKEN") {
		t.Errorf("%v, %s", err, errs.HintOf(err))
	}
}

func TestRefusedTokens(t *testing.T) {
	server := start(t, func(o *emulator.Options) { o.ValidTokens = []string{"fo1_right"} })
	env := server.Env()
	env["FLY_API_TOKEN"] = "fo1_wrong"
	p, err := fly.New(t.Context(), fly.Options{Lookup: func(name string) (string, bool) { v, ok := env[name]; return v, ok }})
	if err != nil {
		t.Fatal(err)
	}
	_, whoErr := p.WhoAmI(t.Context())
	_, observeErr := p.Observe(t.Context(), "suite")
	for _, err := range []error{whoErr, observeErr} {
		if errs.ExitCode(err) != 4 || !strings.Contains(errs.HintOf(err), "FLY_API_TOKEN") || strings.Contains(err.Error(), "fo1_wrong") {
			t.Errorf("%v, %s", err, errs.HintOf(err))
		}
	}
}

func TestANameOfAnotherOrganizationIsAConflict(t *testing.T) {
	server := start(t, func(o *emulator.Options) { o.TakenNames = []string{"theirs"} })
	err := client(t, server).CreateApp(t.Context(), platform.AppSpec{Name: "theirs"})
	if errs.ExitCode(err) != 6 || !strings.Contains(errs.HintOf(err), "opsctl.yaml") {
		t.Errorf("%v, %s", err, errs.HintOf(err))
	}
}

func TestTroubleIsRepeatedAndThenNamedWithTheRequest(t *testing.T) {
	server := start(t, nil)
	p := client(t, server)
	if err := p.CreateApp(t.Context(), platform.AppSpec{Name: "suite"}); err != nil {
		t.Fatal(err)
	}
	fault := func(spec string) {
		t.Helper()
		f, err := emulator.ParseFault(spec)
		if err != nil {
			t.Fatal(err)
		}
		server.ClearFaults()
		server.AddFaults(f)
	}
	fault("POST /graphql=503x2")
	if _, err := client(t, server).Observe(t.Context(), "suite"); err != nil {
		t.Errorf("two 503 were not waited out: %v", err)
	}
	fault("GET /v1/apps/suite/secrets=429,count=2")
	if _, err := client(t, server).Observe(t.Context(), "suite"); err != nil {
		t.Errorf("two 429 were not waited out: %v", err)
	}
	fault("GET /v1/apps/suite/machines=500")
	_, err := client(t, server).Observe(t.Context(), "suite")
	if errs.ExitCode(err) != 1 || !strings.Contains(err.Error(), "HTTP 500, request ") {
		t.Errorf("endless trouble: %v", err)
	}
}

// A create whose answer is lost must not make the app twice, nor fail.
func TestCreateAppWithALostAnswer(t *testing.T) {
	server := start(t, nil)
	f, err := emulator.ParseFault("POST /v1/apps=reset,count=1,late")
	if err != nil {
		t.Fatal(err)
	}
	server.AddFaults(f)
	p := client(t, server)
	first := p.CreateApp(t.Context(), platform.AppSpec{Name: "suite"})
	server.ClearFaults()
	if err := p.CreateApp(t.Context(), platform.AppSpec{Name: "suite"}); err != nil {
		t.Fatalf("the second try: %v (the first: %v)", err, first)
	}
}
