package emulator_test

import (
	"strings"
	"testing"

	flygo "github.com/superfly/fly-go"
)

// served are the machines that answer, over a number of requests.
func (c *clients) served(n int) map[string]int {
	c.t.Helper()
	out := map[string]int{}
	for range n {
		code, body := get(c.t, c.s, "shop", "/")
		fields := strings.Fields(body)
		if code != 200 || len(fields) < 2 {
			c.t.Fatalf("the app answers %d %s", code, body)
		}
		out[fields[1]]++
	}
	return out
}

// green creates a machine beside those that serve.
func (c *clients) green(image string) *flygo.Machine {
	c.t.Helper()
	m, err := c.flaps.Launch(c.ctx, "shop", flygo.LaunchMachineInput{Config: web(image), Region: "fra", SkipServiceRegistration: true})
	if err != nil {
		c.t.Fatal(err)
	}
	c.wait("shop", m, "started")
	return m
}

// The order in which flyctl replaces machines by new ones: at every moment
// somebody serves, and never both versions.
func TestBlueGreen(t *testing.T) {
	s := start(t)
	c := connect(t, s)
	c.app("shop")
	blue := c.launch("shop", web("shop:v1"))
	c.healthy("shop", blue.ID)
	if can, err := c.gql.CanPerformBluegreenDeployment(c.ctx, "shop"); err != nil || !can {
		t.Fatalf("may not deploy so: %v %v", can, err)
	}
	greens := []*flygo.Machine{c.green("shop:v2"), c.green("shop:v2")}
	for _, g := range greens {
		if len(g.Checks) == 0 {
			t.Error("a new machine shows no checks: flyctl would not wait for them")
		}
		c.healthy("shop", g.ID)
	}
	if got := c.served(6); got[blue.ID] != 6 {
		t.Fatalf("before the switch %v served, want only %s", got, blue.ID)
	}
	for _, g := range greens {
		if err := c.flaps.Uncordon(c.ctx, "shop", g.ID, ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.flaps.SetMetadata(c.ctx, "shop", blue.ID, "fly_bluegreen_deployment_tag", "safe_to_destroy"); err != nil {
		t.Fatal(err)
	}
	if err := c.flaps.Cordon(c.ctx, "shop", blue.ID, ""); err != nil {
		t.Fatal(err)
	}
	if got := c.served(6); got[greens[0].ID] != 3 || got[greens[1].ID] != 3 {
		t.Fatalf("after the switch %v served, want both new ones", got)
	}
	if err := c.flaps.Stop(c.ctx, "shop", flygo.StopMachineInput{ID: blue.ID}, ""); err != nil {
		t.Fatal(err)
	}
	c.wait("shop", blue, "stopped")
	if err := c.flaps.Destroy(c.ctx, "shop", flygo.RemoveMachineInput{ID: blue.ID, Kill: true}, ""); err != nil {
		t.Fatal(err)
	}
	c.wait("shop", blue, "destroyed")
	if _, list := c.callList("GET", "/v1/apps/shop/machines"); len(list) != 2 {
		t.Errorf("machines left: %v", list)
	}
}

// Green machines that never get well go away, and the old one has served all along.
func TestBlueGreenGivesUp(t *testing.T) {
	s := start(t)
	c := connect(t, s)
	c.app("shop")
	blue := c.launch("shop", web("shop:v1"))
	c.healthy("shop", blue.ID)
	sick := c.green("shop:sick")
	eventually(t, "its check has failed", func() bool { return c.machine("shop", sick.ID).AllHealthChecks().Critical == 1 })
	if err := c.flaps.Destroy(c.ctx, "shop", flygo.RemoveMachineInput{ID: sick.ID, Kill: true}, ""); err != nil {
		t.Fatal(err)
	}
	if got := c.served(3); got[blue.ID] != 3 {
		t.Errorf("%v served, want only %s", got, blue.ID)
	}
}

// A canary takes its share as soon as it is well; a sick one gets nothing.
func TestCanary(t *testing.T) {
	s := start(t)
	c := connect(t, s)
	c.app("shop")
	old := c.launch("shop", web("shop:v1"))
	c.healthy("shop", old.ID)
	sick := c.launch("shop", web("shop:sick"))
	if got := c.served(4); got[sick.ID] != 0 {
		t.Errorf("a sick machine served: %v", got)
	}
	canary := c.launch("shop", web("shop:v2"))
	c.healthy("shop", canary.ID)
	if got := c.served(6); got[canary.ID] != 3 || got[old.ID] != 3 {
		t.Errorf("%v served, want both alike", got)
	}
}

// What listens is seen, not assumed.
func TestProcessesShowWhatListens(t *testing.T) {
	s := start(t)
	c := connect(t, s)
	c.app("shop")
	m := c.launch("shop", web("shop:v1"))
	c.healthy("shop", m.ID)
	sockets := func(id string) string {
		_, ps := c.callList("GET", "/v1/apps/shop/machines/"+id+"/ps")
		list, _ := ps[0].(map[string]any)["listen_sockets"].([]any)
		if len(list) == 0 {
			return ""
		}
		return list[0].(map[string]any)["address"].(string)
	}
	if got := sockets(m.ID); got != "0.0.0.0:3000" {
		t.Errorf("listens on %q", got)
	}
	cfg := web("shop:v1")
	cfg.Init.Exec = []string{selfPath(t), "app", "sleep"}
	deaf := c.launch("shop", cfg)
	if got := sockets(deaf.ID); got != "" {
		t.Errorf("one that doesn't listen shows %q", got)
	}
}
