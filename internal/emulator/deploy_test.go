package emulator_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	flygo "github.com/superfly/fly-go"
	"github.com/superfly/fly-go/flaps"
)

// A first deployment, an update under a lease, and the end of it all, as
// flyctl does them.
func TestLifeOfAnApp(t *testing.T) {
	s := start(t)
	c := connect(t, s)
	c.app("shop")
	if err := c.flaps.WaitForApp(c.ctx, "shop"); err != nil {
		t.Fatal(err)
	}
	if code, _ := get(t, s, "shop", "/"); code != http.StatusServiceUnavailable {
		t.Errorf("an app without machines answers %d, want 503", code)
	}
	m := c.launch("shop", web("shop:v1"))
	c.healthy("shop", m.ID)
	if code, body := get(t, s, "shop", "/"); code != 200 || !strings.HasPrefix(body, "registry.fly.io/shop:v1 "+m.ID) || !strings.Contains(body, "host=shop.fly.dev") {
		t.Errorf("the app answers %d %q", code, body)
	}
	if m.ImageRef.Digest == "" || m.ImageRef.Repository != "shop" || m.ImageRef.Tag != "v1" {
		t.Errorf("image_ref %+v", m.ImageRef)
	}

	ttl := 13
	l, err := c.flaps.AcquireLease(c.ctx, "shop", m.ID, &ttl)
	if err != nil || l.Status != "success" || l.Data.Nonce == "" {
		t.Fatalf("lease %+v %v", l, err)
	}
	_, err = c.flaps.Update(c.ctx, "shop", flygo.LaunchMachineInput{ID: m.ID, Config: web("shop:v2"), Region: "fra"}, "")
	wantStatus(t, "update without the nonce", err, http.StatusConflict)
	if _, err := c.flaps.RefreshLease(c.ctx, "shop", m.ID, &ttl, l.Data.Nonce); err != nil {
		t.Fatal(err)
	}
	up, err := c.flaps.Update(c.ctx, "shop", flygo.LaunchMachineInput{ID: m.ID, Config: web("shop:v2"), Region: "fra"}, l.Data.Nonce)
	if err != nil {
		t.Fatal(err)
	}
	if up.Version == m.Version || up.InstanceID != up.Version {
		t.Errorf("update kept version %s (instance %s)", up.Version, up.InstanceID)
	}
	c.wait("shop", up, "started")
	c.healthy("shop", m.ID)
	if _, body := get(t, s, "shop", "/"); !strings.Contains(body, "shop:v2") {
		t.Errorf("after the update the app answers %q", body)
	}
	if err := c.flaps.ReleaseLease(c.ctx, "shop", m.ID, l.Data.Nonce); err != nil {
		t.Fatal(err)
	}

	wantStatus(t, "destroy of a running machine", c.flaps.Destroy(c.ctx, "shop", flygo.RemoveMachineInput{ID: m.ID}, ""), http.StatusPreconditionFailed)
	if err := c.flaps.Destroy(c.ctx, "shop", flygo.RemoveMachineInput{ID: m.ID, Kill: true}, ""); err != nil {
		t.Fatal(err)
	}
	c.wait("shop", up, "destroyed")
	list, err := c.flaps.List(c.ctx, "shop", "")
	if err != nil || len(list) != 0 {
		t.Errorf("list after the destruction: %v %v", list, err)
	}
	if got := c.machine("shop", m.ID).State; got != "destroyed" {
		t.Errorf("a destroyed machine reads as %q", got)
	}
	if err := c.flaps.DeleteApp(c.ctx, "shop"); err != nil {
		t.Fatal(err)
	}
	_, err = c.flaps.GetApp(c.ctx, "shop")
	wantStatus(t, "get a deleted app", err, http.StatusNotFound)
}

func wantStatus(t *testing.T, what string, err error, status int) {
	t.Helper()
	var fe *flaps.FlapsError
	if !errors.As(err, &fe) || fe.ResponseStatusCode != status {
		t.Errorf("%s: %v, want status %d", what, err, status)
	} else if fe.FlyRequestId == "" {
		t.Errorf("%s: no request id", what)
	}
}

// release is the config of a one-shot machine, in flyctl's form.
func release(argv ...string) *flygo.MachineConfig {
	return &flygo.MachineConfig{
		Image: "registry.fly.io/shop:v1", AutoDestroy: true, Env: map[string]string{"RELEASE_COMMAND": "1"},
		Init:     flygo.MachineInit{Cmd: argv},
		Restart:  &flygo.MachineRestart{Policy: flygo.MachineRestartPolicyNo},
		DNS:      &flygo.DNSConfig{SkipRegistration: true},
		Metadata: map[string]string{"fly_platform_version": "v2", "fly_process_group": "fly_app_release_command"},
	}
}

func TestReleaseCommand(t *testing.T) {
	s := start(t)
	c := connect(t, s)
	c.app("shop")
	self := selfPath(t)
	if _, err := c.flaps.UpdateAppSecrets(c.ctx, "shop", map[string]*string{"DATABASE_URL": new("from-a-secret")}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		arg  string
		exit int
		line string
	}{
		{"migrate", 0, "migrating with 1 from-a-secret"},
		{"fail", 3, "migration failed: relation exists"},
	} {
		t.Run(tt.arg, func(t *testing.T) {
			m, err := c.flaps.Launch(c.ctx, "shop", flygo.LaunchMachineInput{Config: release(self, "app", tt.arg), Region: "fra", SkipLaunch: true})
			if err != nil {
				t.Fatal(err)
			}
			c.wait("shop", m, "stopped")
			if _, err := c.flaps.Start(c.ctx, "shop", m.ID, ""); err != nil {
				t.Fatal(err)
			}
			c.wait("shop", m, "started") // even when it has ended already
			c.wait("shop", m, "destroyed")
			ev := c.machine("shop", m.ID).GetLatestEventOfTypeAfterType("exit", "start")
			if ev == nil {
				t.Fatal("no exit event after the start")
			}
			code, err := ev.Request.GetExitCode()
			if err != nil || code != tt.exit {
				t.Errorf("exit code %d %v, want %d", code, err, tt.exit)
			}
			entries, _, err := c.gql.GetAppLogs(c.ctx, "shop", "", "", m.ID)
			if err != nil {
				t.Fatal(err)
			}
			var text []string
			for _, e := range entries {
				text = append(text, e.Message)
			}
			if !strings.Contains(strings.Join(text, "\n"), tt.line) {
				t.Errorf("the log is %q, want %q in it", text, tt.line)
			}
		})
	}
	t.Run("a missing program", func(t *testing.T) {
		m, err := c.flaps.Launch(c.ctx, "shop", flygo.LaunchMachineInput{Config: release("no-such-program"), Region: "fra"})
		if err != nil {
			t.Fatal(err)
		}
		c.wait("shop", m, "destroyed")
		if code, _ := c.machine("shop", m.ID).GetLatestEventOfType("exit").Request.GetExitCode(); code != 127 {
			t.Errorf("exit code %d, want 127", code)
		}
	})
}

// Secrets are staged: a running machine sees a change at its next update or start.
func TestSecretsAreStaged(t *testing.T) {
	s := start(t)
	c := connect(t, s)
	c.app("shop")
	set := func(v *string) uint64 {
		t.Helper()
		out, err := c.flaps.UpdateAppSecrets(c.ctx, "shop", map[string]*string{"KEY": v})
		if err != nil {
			t.Fatal(err)
		}
		return out.Version
	}
	v1 := set(new("one"))
	m := c.launch("shop", web("shop:v1"))
	c.healthy("shop", m.ID)
	env := func() string {
		_, body := get(t, s, "shop", "/env?name=KEY")
		return body
	}
	if got := env(); got != "one" {
		t.Errorf("KEY=%q, want one", got)
	}
	v2 := set(new("two"))
	if v2 <= v1 {
		t.Errorf("version went from %d to %d", v1, v2)
	}
	if got := env(); got != "one" {
		t.Errorf("a staged secret is seen at once: KEY=%q", got)
	}
	up, err := c.flaps.Update(c.ctx, "shop", flygo.LaunchMachineInput{ID: m.ID, Config: web("shop:v1"), MinSecretsVersion: &v2}, "")
	if err != nil {
		t.Fatal(err)
	}
	c.wait("shop", up, "started")
	c.healthy("shop", m.ID)
	if got := env(); got != "two" {
		t.Errorf("after the update KEY=%q, want two", got)
	}
	set(nil)
	if err := c.flaps.Restart(c.ctx, "shop", flygo.RestartMachineInput{ID: m.ID}, ""); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the removed secret is gone", func() bool { code, body := get(t, s, "shop", "/env?name=KEY"); return code == 200 && body == "" })

	list, err := c.flaps.ListAppSecrets(c.ctx, "shop", nil, false)
	if err != nil || len(list) != 0 {
		t.Errorf("list %v %v", list, err)
	}
	_, err = c.flaps.Update(c.ctx, "shop", flygo.LaunchMachineInput{ID: m.ID, Config: web("shop:v1"), MinSecretsVersion: new(uint64(99))}, "")
	wantStatus(t, "an unknown secrets version", err, http.StatusBadRequest)
}

func TestAFailingCheckKeepsAMachineOutOfTheRouting(t *testing.T) {
	s := start(t)
	c := connect(t, s)
	c.app("shop")
	good := c.launch("shop", web("shop:v1"))
	c.healthy("shop", good.ID)
	sick := c.launch("shop", web("shop:sick"))
	eventually(t, "the check is critical", func() bool {
		m := c.machine("shop", sick.ID)
		return m.Checks[0].Status == "critical" && strings.Contains(m.Checks[0].Output, "database unreachable")
	})
	for range 4 {
		if _, body := get(t, s, "shop", "/"); !strings.Contains(body, good.ID) {
			t.Errorf("the sick machine got traffic: %q", body)
		}
	}
	if err := c.flaps.Cordon(c.ctx, "shop", good.ID, ""); err != nil {
		t.Fatal(err)
	}
	if code, _ := get(t, s, "shop", "/"); code != http.StatusServiceUnavailable {
		t.Errorf("with the good machine cordoned the app answers %d, want 503", code)
	}
	if err := c.flaps.Uncordon(c.ctx, "shop", good.ID, ""); err != nil {
		t.Fatal(err)
	}
	if code, _ := get(t, s, "shop", "/"); code != 200 {
		t.Errorf("uncordoned, the app answers %d", code)
	}
}

func TestRoundRobin(t *testing.T) {
	s := start(t)
	c := connect(t, s)
	c.app("shop")
	hits := map[string]int{}
	for range 3 {
		m := c.launch("shop", web("shop:v1"))
		c.healthy("shop", m.ID)
	}
	for range 9 {
		_, body := get(t, s, "shop", "/")
		hits[strings.Fields(body)[1]]++
	}
	for id, n := range hits {
		if n != 3 {
			t.Errorf("machine %s got %d of 9 requests", id, n)
		}
	}
	if len(hits) != 3 {
		t.Errorf("%d machines got traffic, want 3", len(hits))
	}
}

func TestACrashingMachineIsRestartedAndThenLeftAlone(t *testing.T) {
	s := start(t)
	c := connect(t, s)
	c.app("shop")
	cfg := web("shop:crash")
	cfg.Restart = &flygo.MachineRestart{Policy: flygo.MachineRestartPolicyOnFailure, MaxRetries: 2}
	m, err := c.flaps.Launch(c.ctx, "shop", flygo.LaunchMachineInput{Config: cfg, Region: "fra"})
	if err != nil {
		t.Fatal(err)
	}
	exits := func() (n int) {
		for _, e := range c.machine("shop", m.ID).Events {
			if e.Type == "exit" {
				if code, _ := e.Request.GetExitCode(); code != 7 {
					t.Fatalf("exit code %d, want 7", code)
				}
				n++
			}
		}
		return n
	}
	eventually(t, "it has crashed three times", func() bool { return exits() == 3 })
	time.Sleep(200 * time.Millisecond)
	if n, st := exits(), c.machine("shop", m.ID).State; n != 3 || st != "stopped" {
		t.Errorf("%d exits and %s, want 3 and stopped", n, st)
	}
}
