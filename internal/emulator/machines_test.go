package emulator_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	flygo "github.com/superfly/fly-go"

	"github.com/opsctl/opsctl/internal/emulator"
)

func TestCompareAndSwap(t *testing.T) {
	s := start(t)
	c := connect(t, s)
	c.app("shop")
	m := c.launch("shop", web("shop:v1"))
	path := "/v1/apps/shop/machines/" + m.ID
	body := func(version string) any {
		return map[string]any{"config": map[string]any{"image": "registry.fly.io/shop:v2"}, "current_version": version}
	}
	code, doc := c.call("POST", path, body("01WRONG"))
	if code != http.StatusConflict || !strings.Contains(fmt.Sprint(doc["error"]), m.Version) {
		t.Errorf("a wrong current_version: %d %v", code, doc)
	}
	if got := c.machine("shop", m.ID).Version; got != m.Version {
		t.Errorf("a refused update changed the version to %s", got)
	}
	code, doc = c.call("POST", path, body(m.Version))
	if code != 200 || doc["version"] == m.Version {
		t.Errorf("the right current_version: %d %v", code, doc["version"])
	}
	if code, _ := c.call("POST", path, body(m.Version)); code != http.StatusConflict {
		t.Errorf("the same update again: %d, want 409", code)
	}
	_, list := c.callList("GET", path+"/versions")
	if len(list) != 2 || list[1].(map[string]any)["version"] != m.Version {
		t.Errorf("versions %v, want two, newest first", list)
	}
	old := list[1].(map[string]any)["user_config"].(map[string]any)
	if old["image"] != "registry.fly.io/shop:v1" || old["env"].(map[string]any)["PLAIN"] != "yes" {
		t.Errorf("the old config is not kept whole: %v", old)
	}
	if got := c.machine("shop", m.ID).Config; len(got.Services) != 0 {
		t.Errorf("an update merged the config in place of replacing it: %+v", got)
	}
}

func TestLeases(t *testing.T) {
	now := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	clock := newClock(now)
	s := start(t, func(o *emulator.Options) { o.Now = clock.Now })
	c := connect(t, s)
	c.app("shop")
	m := c.launch("shop", web("shop:v1"))
	path := "/v1/apps/shop/machines/" + m.ID
	lease := path + "/lease"

	if code, _ := c.call("GET", lease, nil); code != http.StatusNotFound {
		t.Errorf("no lease reads as %d", code)
	}
	code, doc := c.call("POST", lease, map[string]any{"ttl": 30, "description": "deploy"}) // the documented form
	data := doc["data"].(map[string]any)
	if code != 200 || data["expires_at"] != float64(now.Add(30*time.Second).Unix()) || data["description"] != "deploy" {
		t.Fatalf("lease %d %v", code, doc)
	}
	if code, doc := c.call("POST", lease+"?ttl=13", nil); code != http.StatusConflict {
		t.Errorf("a second lease: %d %v", code, doc)
	}
	for _, action := range []string{"/start", "/stop", "/restart", "/suspend", "/cordon", "/uncordon"} {
		if code, _ := c.call("POST", path+action, nil); code != http.StatusConflict {
			t.Errorf("%s without the nonce: %d, want 409", action, code)
		}
	}
	if code, _ := c.call("DELETE", path+"?force=true", nil); code != http.StatusConflict {
		t.Errorf("destroy without the nonce: %d, want 409", code)
	}
	if code, _ := c.call("GET", path, nil); code != 200 {
		t.Errorf("reading needs no nonce, but: %d", code)
	}
	if _, doc := c.call("GET", path+"?include_leases=true", nil); doc["lease"].(map[string]any)["description"] != "deploy" {
		t.Errorf("the machine shows lease %v", doc["lease"])
	}
	nonce := data["nonce"].(string)
	if code, _ := c.call("POST", path+"/cordon", nil, "fly-machine-lease-nonce", nonce); code != 200 {
		t.Errorf("with the nonce: %d", code)
	}
	clock.Add(31 * time.Second)
	if code, _ := c.call("POST", path+"/uncordon", nil, "fly-machine-lease-nonce", nonce); code != http.StatusConflict {
		t.Errorf("an expired nonce: %d, want 409", code)
	}
	if code, _ := c.call("POST", path+"/uncordon", nil); code != 200 {
		t.Errorf("after the lease ran out: %d", code)
	}
	// A machine can be born with a lease.
	created, err := c.flaps.Launch(c.ctx, "shop", flygo.LaunchMachineInput{Config: web("shop:v1"), Region: "fra", LeaseTTL: 300})
	if err != nil || created.LeaseNonce == "" {
		t.Errorf("lease_ttl gives nonce %q, %v", created.LeaseNonce, err)
	}
}

func TestWait(t *testing.T) {
	s := start(t)
	c := connect(t, s)
	c.app("shop")
	m := c.launch("shop", web("shop:v1"))
	wait := "/v1/apps/shop/machines/" + m.ID + "/wait"
	began := time.Now()
	if code, doc := c.call("GET", wait+"?state=stopped&timeout=1", nil); code != http.StatusRequestTimeout || time.Since(began) < time.Second {
		t.Errorf("waiting for what doesn't happen: %d %v after %s", code, doc, time.Since(began))
	}
	if code, _ := c.call("GET", wait+"?state=created", nil); code != http.StatusBadRequest {
		t.Errorf("a state one can't wait for: %d", code)
	}
	if code, doc := c.call("GET", wait+"?state=settled&timeout=1", nil); code != 200 || doc["state"] != "started" || doc["event_id"] == nil {
		t.Errorf("settled: %d %v", code, doc)
	}
	if code, _ := c.call("GET", wait+"?version=01OLD&timeout=1", nil); code != http.StatusRequestTimeout {
		t.Errorf("another version: %d, want 408", code)
	}
	done := make(chan map[string]any)
	go func() {
		_, doc := c.call("GET", wait+"?state=suspended&state=stopped&timeout=10", nil)
		done <- doc
	}()
	if err := c.flaps.Stop(c.ctx, "shop", flygo.StopMachineInput{ID: m.ID}, ""); err != nil {
		t.Fatal(err)
	}
	if doc := <-done; doc["state"] != "stopped" {
		t.Errorf("the blocked wait answers %v", doc)
	}
	ev := c.machine("shop", m.ID).GetLatestEventOfType("exit")
	if ev == nil || !ev.Request.ExitEvent.RequestedStop || ev.Request.ExitEvent.ExitCode != 0 {
		t.Errorf("exit event %+v, want a requested stop with code 0", ev)
	}
	if _, err := c.flaps.Start(c.ctx, "shop", m.ID, ""); err != nil {
		t.Fatal(err)
	}
	c.wait("shop", m, "started")
	if err := c.flaps.Suspend(c.ctx, "shop", m.ID, ""); err != nil {
		t.Fatal(err)
	}
	c.wait("shop", m, "suspended")
}

func alive(pid int) bool { return pid > 0 && syscall.Kill(pid, 0) == nil }

// A process that ignores its stop signal is killed after the stop timeout, and
// its children with it.
func TestAStubbornProcessIsKilledWithItsChildren(t *testing.T) {
	s := start(t)
	c := connect(t, s)
	c.app("shop")
	cfg := web("shop:stubborn")
	cfg.StopConfig.Timeout = seconds(0.3)
	m := c.launch("shop", cfg)
	c.healthy("shop", m.ID)
	pid := s.State().Apps[0].Machines[0].Pid
	child := 0
	entries, _, err := c.gql.GetAppLogs(c.ctx, "shop", "", "", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if n, found := strings.CutPrefix(e.Message, "child "); found {
			child, _ = strconv.Atoi(n)
		}
	}
	if !alive(pid) || !alive(child) {
		t.Fatalf("processes %d and %d should run", pid, child)
	}
	if err := c.flaps.Stop(c.ctx, "shop", flygo.StopMachineInput{ID: m.ID}, ""); err != nil {
		t.Fatal(err)
	}
	c.wait("shop", m, "stopped")
	if ev := c.machine("shop", m.ID).GetLatestEventOfType("exit"); ev.Request.ExitEvent.ExitCode != 137 || ev.Request.ExitEvent.Signal != 9 {
		t.Errorf("exit event %+v, want code 137 and signal 9", ev.Request.ExitEvent)
	}
	eventually(t, "both are gone", func() bool { return !alive(pid) && gone(child) })
}

// Close ends every process, however it behaves, and whatever the machines do at that moment.
func TestCloseLeavesNothingBehind(t *testing.T) {
	s := start(t)
	c := connect(t, s)
	c.app("shop")
	var ids []string
	for _, image := range []string{"shop:v1", "shop:stubborn", "shop:stubborn", "shop:crash"} {
		m, err := c.flaps.Launch(c.ctx, "shop", flygo.LaunchMachineInput{Config: web(image), Region: "fra"})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, m.ID)
	}
	eventually(t, "three run", func() bool { return len(pids(s)) >= 3 })
	running := pids(s)
	if err := c.flaps.Stop(c.ctx, "shop", flygo.StopMachineInput{ID: ids[1], Timeout: *seconds(60)}, ""); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("close took %s", took)
	}
	for _, pid := range running {
		if alive(pid) {
			t.Errorf("process %d is left", pid)
		}
	}
}

func pids(s *emulator.Server) (out []int) {
	for _, a := range s.State().Apps {
		for _, m := range a.Machines {
			if m.Pid > 0 {
				out = append(out, m.Pid)
			}
		}
	}
	return out
}

func TestMetadataChangesInPlace(t *testing.T) {
	s := start(t)
	c := connect(t, s)
	c.app("shop")
	m := c.launch("shop", web("shop:v1"))
	if err := c.flaps.SetMetadata(c.ctx, "shop", m.ID, "fly_bluegreen_deployment_tag", "blue"); err != nil {
		t.Fatal(err)
	}
	md, err := c.flaps.GetMetadata(c.ctx, "shop", m.ID)
	if err != nil || md["fly_bluegreen_deployment_tag"] != "blue" || md["fly_process_group"] != "app" {
		t.Errorf("metadata %v %v", md, err)
	}
	got := c.machine("shop", m.ID)
	if got.Version != m.Version || got.Config.Metadata["fly_bluegreen_deployment_tag"] != "blue" {
		t.Errorf("version %s, metadata %v", got.Version, got.Config.Metadata)
	}
	if err := c.flaps.DeleteMetadata(c.ctx, "shop", m.ID, "fly_bluegreen_deployment_tag"); err != nil {
		t.Fatal(err)
	}
	if _, list := c.callList("GET", "/v1/apps/shop/machines?metadata.fly_bluegreen_deployment_tag=blue"); len(list) != 0 {
		t.Errorf("the filter finds %d machines", len(list))
	}
	c.healthy("shop", m.ID) // it listens by then
	ps, err := c.flaps.GetProcesses(c.ctx, "shop", m.ID)
	if err != nil || len(ps) != 1 || ps[0].ListenSockets[0].Address != "0.0.0.0:3000" {
		t.Errorf("processes %+v %v", ps, err)
	}
}

func TestBadMachineRequests(t *testing.T) {
	s := start(t)
	c := connect(t, s)
	c.app("shop")
	cfg := func(kv ...any) map[string]any {
		m := map[string]any{"image": "registry.fly.io/shop:v1"}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i].(string)] = kv[i+1]
		}
		return map[string]any{"config": m}
	}
	tests := []struct {
		name string
		body any
		want string
	}{
		{"no config", map[string]any{}, "config is required"},
		{"no image", map[string]any{"config": map[string]any{}}, "image is required"},
		{"unknown image", cfg("image", "registry.fly.io/shop:nope"), "MANIFEST_UNKNOWN"},
		{"foreign image", cfg("image", "docker.io/library/shop:v1"), "MANIFEST_UNKNOWN"},
		{"restart policy", cfg("restart", map[string]any{"policy": "sometimes"}), "restart policy sometimes"},
		{"port", cfg("services", []any{map[string]any{"internal_port": 0}}), "internal_port must be 1 to 65535"},
		{"stop signal", cfg("stop_config", map[string]any{"signal": "SIGNOPE"}), "unknown signal"},
		{"type", cfg("env", "x"), "cannot unmarshal"},
		{"region", map[string]any{"config": cfg()["config"], "region": "xxx"}, "region xxx not found"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, doc := c.call("POST", "/v1/apps/shop/machines", tt.body)
			if code != 400 || !strings.Contains(fmt.Sprint(doc["error"]), tt.want) {
				t.Errorf("%d %v, want 400 and %q", code, doc, tt.want)
			}
		})
	}
	if _, list := c.callList("GET", "/v1/apps/shop/machines?include_deleted=true"); len(list) != 0 {
		t.Errorf("refused requests left %d machines", len(list))
	}
	if code, _ := c.call("GET", "/v1/apps/shop/machines/0123456789abcd", nil); code != 404 {
		t.Errorf("an unknown machine: %d", code)
	}
}

// A machine that listens only through its top-level check, on the port that is configured there.
func TestTopLevelChecks(t *testing.T) {
	s := start(t)
	c := connect(t, s)
	c.app("shop")
	cfg := web("shop:sick")
	cfg.Services[0].Checks = nil
	cfg.Checks = map[string]flygo.MachineCheck{
		"alive": {Type: new("tcp"), Port: new(3000), Interval: seconds(0.2), Timeout: seconds(1)},
		"ready": {Type: new("http"), Port: new(3000), HTTPPath: new("/health"), Interval: seconds(0.2), Timeout: seconds(1)},
	}
	m := c.launch("shop", cfg)
	eventually(t, "tcp passes and http doesn't", func() bool {
		got := c.machine("shop", m.ID)
		return len(got.Checks) == 2 && got.Checks[0].Status == "passing" && got.Checks[1].Status == "critical"
	})
	if code, _ := get(t, s, "shop", "/"); code != 200 {
		t.Errorf("an informational check took the machine out of the routing: %d", code)
	}
	up := *cfg
	ready := cfg.Checks["ready"]
	ready.Kind = new(flygo.MachineCheckKindReadiness)
	up.Checks = map[string]flygo.MachineCheck{"ready": ready}
	m2, err := c.flaps.Update(c.ctx, "shop", flygo.LaunchMachineInput{ID: m.ID, Config: &up}, "")
	if err != nil {
		t.Fatal(err)
	}
	c.wait("shop", m2, "started")
	if code, _ := get(t, s, "shop", "/"); code != http.StatusServiceUnavailable {
		t.Errorf("a failing readiness check left the machine in the routing: %d", code)
	}
}
