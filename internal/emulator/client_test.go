package emulator_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	flygo "github.com/superfly/fly-go"
	"github.com/superfly/fly-go/flaps"
	"github.com/superfly/fly-go/tokens"

	"github.com/opsctl/opsctl/internal/emulator"
)

// clients are Fly's own Go clients, with every exchange validated.
type clients struct {
	t     *testing.T
	s     *emulator.Server
	v     *validator
	flaps *flaps.Client
	gql   *flygo.Client
	ctx   context.Context
}

func connect(t *testing.T, s *emulator.Server) *clients {
	t.Helper()
	v := newValidator(t, s.URL())
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	f, err := flaps.NewWithOptions(ctx, flaps.NewClientOpts{Tokens: tokens.Parse(emulator.Token), Transport: v})
	if err != nil {
		t.Fatal(err)
	}
	flygo.SetBaseURL(s.URL()) // GetAppLogs reads only this global
	gql := flygo.NewClientFromOptions(flygo.ClientOptions{
		AccessToken: emulator.Token, Name: "test", Version: "0", BaseURL: s.URL(), Transport: &flygo.Transport{UnderlyingTransport: v},
	})
	return &clients{t: t, s: s, v: v, flaps: f, gql: gql, ctx: ctx}
}

func (c *clients) app(name string) {
	c.t.Helper()
	if _, err := c.flaps.CreateApp(c.ctx, flaps.CreateAppRequest{Name: name, Org: "personal"}); err != nil {
		c.t.Fatal(err)
	}
}

func seconds(n float64) *flygo.Duration {
	return &flygo.Duration{Duration: time.Duration(n * float64(time.Second))}
}

// web is the config of a web machine with a health check.
func web(image string) *flygo.MachineConfig {
	return &flygo.MachineConfig{
		Image:    "registry.fly.io/" + image,
		Env:      map[string]string{"PRIMARY_REGION": "fra", "PLAIN": "yes"},
		Metadata: map[string]string{"fly_platform_version": "v2", "fly_process_group": "app"},
		Guest:    &flygo.MachineGuest{CPUKind: "shared", CPUs: 1, MemoryMB: 256},
		Services: []flygo.MachineService{{
			Protocol: "tcp", InternalPort: 3000,
			Ports: []flygo.MachinePort{{Port: new(80), Handlers: []string{"http"}}, {Port: new(443), Handlers: []string{"http", "tls"}}},
			Checks: []flygo.MachineServiceCheck{{
				Type: new("http"), HTTPPath: new("/health"), HTTPMethod: new("get"), Interval: seconds(0.2), Timeout: seconds(2), GracePeriod: seconds(0.1),
			}},
		}},
		StopConfig: &flygo.StopConfig{Timeout: seconds(5)}, // a program under the race detector takes a second to exit
	}
}

func (c *clients) launch(app string, cfg *flygo.MachineConfig) *flygo.Machine {
	c.t.Helper()
	m, err := c.flaps.Launch(c.ctx, app, flygo.LaunchMachineInput{Config: cfg, Region: "fra"})
	if err != nil {
		c.t.Fatal(err)
	}
	c.wait(app, m, "started")
	return m
}

func (c *clients) wait(app string, m *flygo.Machine, state string) {
	c.t.Helper()
	if err := c.flaps.Wait(c.ctx, app, m.ID, flaps.WithWaitStates(state), flaps.WithWaitVersion(m.Version), flaps.WithWaitTimeout(60*time.Second)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *clients) machine(app, id string) *flygo.Machine {
	c.t.Helper()
	m, err := c.flaps.Get(c.ctx, app, id)
	if err != nil {
		c.t.Fatal(err)
	}
	return m
}

// eventually waits until cond is true. The limit is generous, for a machine
// that does other things too.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if cond() {
			return
		}
	}
	t.Fatalf("gave up waiting until %s", what)
}

func (c *clients) healthy(app, id string) {
	c.t.Helper()
	eventually(c.t, "machine "+id+" is healthy", func() bool { return c.machine(app, id).AllHealthChecks().Passing == 1 })
}

// get asks an app through the router.
func get(t *testing.T, s *emulator.Server, app, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("%s%s", s.URL(), path), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = app + ".fly.dev"
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(body))
}
