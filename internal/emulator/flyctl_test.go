package emulator_test

import (
	"strings"
	"testing"
	"time"

	flygo "github.com/superfly/fly-go"

	"github.com/opsctl/opsctl/internal/emulator"
)

// The requests that flyctl's `fly deploy --image` was seen to make, in its order.
func TestTheOrderOfFlyctlDeploy(t *testing.T) {
	s := start(t)
	c := connect(t, s)
	c.app("shop")
	m := c.launch("shop", web("shop:v1"))
	mid := "/v1/apps/shop/machines/" + m.ID
	want := func(code int, method, path string, body any, header ...string) map[string]any {
		t.Helper()
		got, doc := c.call(method, path, body, header...)
		if got != code {
			t.Fatalf("%s %s: %d %v, want %d", method, path, got, doc, code)
		}
		return doc
	}
	want(200, "GET", "/v1/apps/shop", nil)
	org := want(200, "GET", "/api/v1/organizations/personal", nil)["organization"].(map[string]any)
	if org["slug"] != "personal" {
		t.Errorf("organization %v", org)
	}
	want(200, "POST", "/api/v1/builds", map[string]any{"app_name": "shop", "builder_type": "remote", "strategies_available": []string{"image"}})
	if data, code := c.query(`query($n: String!, $r: String!) { app(name: $n) { id image(ref: $r) { id digest ref compressedSize: compressedSizeFull manifest } } }`,
		map[string]any{"n": "shop", "r": "registry.fly.io/shop:v2"}); code != "" || data["app"].(map[string]any)["image"] == nil {
		t.Fatalf("app.image: %v %s", data, code)
	}
	if code, list := c.callList("GET", "/v1/apps/shop/machines"); code != 200 || len(list) != 1 {
		t.Fatalf("machines: %d %v", code, list)
	}
	rel := want(201, "POST", "/api/v1/releases", map[string]any{"app_name": "shop", "image": "registry.fly.io/shop:v2", "strategy": "ROLLING", "definition": map[string]any{}})["release"].(map[string]any)
	id := rel["id"].(string)
	if rel["version"] != float64(1) || rel["in_progress"] != true {
		t.Errorf("release %v", rel)
	}
	want(200, "PATCH", "/api/v1/releases/"+id, map[string]any{"status": "running", "metadata": nil})
	nonce := want(200, "POST", mid+"/lease?ttl=13", nil)["data"].(map[string]any)["nonce"].(string)
	cfg := web("shop:v2")
	cfg.Metadata["fly_release_id"], cfg.Metadata["fly_release_version"] = id, "1"
	up := want(200, "POST", mid, flygo.LaunchMachineInput{Config: cfg, Region: "fra"}, "fly-machine-lease-nonce", nonce)
	want(200, "GET", mid+"/wait?state=started&timeout=60&version="+up["version"].(string), nil)
	if code, ps := c.callList("GET", mid+"/ps"); code != 200 || len(ps) != 1 {
		t.Errorf("ps: %d %v", code, ps)
	}
	want(200, "POST", mid+"/lease?ttl=13", nil, "fly-machine-lease-nonce", nonce)
	want(200, "DELETE", mid+"/lease", nil, "fly-machine-lease-nonce", nonce)
	want(200, "PATCH", "/api/v1/releases/"+id, map[string]any{"status": "complete", "metadata": map[string]any{"post_deployment_info": map[string]any{}}})
	want(200, "GET", "/v1/apps/shop/ip_assignments", nil)

	if cur := want(200, "GET", "/api/v1/apps/shop/releases/current", nil); cur["id"] != id || cur["stable"] != true {
		t.Errorf("current release %v", cur)
	}
	if all := want(200, "GET", "/api/v1/apps/shop/releases?limit=5", nil)["releases"].([]any); len(all) != 1 {
		t.Errorf("releases %v", all)
	}
	want(404, "PATCH", "/api/v1/releases/nope", map[string]any{"status": "complete"})
	want(422, "PATCH", "/api/v1/releases/"+id, map[string]any{"status": "splendid"})
	want(422, "POST", "/api/v1/releases", map[string]any{"app_name": "shop", "image": "x", "strategy": "YOLO"})
	want(200, "GET", "/api/v1/organizations?admin=false", nil)
}

func TestLogsPoll(t *testing.T) {
	s := start(t)
	c := connect(t, s)
	c.app("shop")
	m := c.launch("shop", web("shop:v1"))
	var seen []string
	token := ""
	eventually(t, "the app's line arrives", func() bool {
		lines, next, err := c.gql.GetAppLogs(c.ctx, "shop", token, "", m.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			seen = append(seen, l.Message)
			if l.Instance != m.ID || l.Region != "fra" || l.Timestamp == "" {
				t.Errorf("line %+v", l)
			}
		}
		token = next
		return strings.Contains(strings.Join(seen, "\n"), "listening on")
	})
	lines, next, err := c.gql.GetAppLogs(c.ctx, "shop", token, "", m.ID)
	if err != nil || len(lines) != 0 || next != token {
		t.Errorf("nothing new reads as %v, token %s -> %s, %v", lines, token, next, err)
	}
	if err := c.flaps.Stop(c.ctx, "shop", flygo.StopMachineInput{ID: m.ID}, ""); err != nil {
		t.Fatal(err)
	}
	c.wait("shop", m, "stopped")
	lines, _, err = c.gql.GetAppLogs(c.ctx, "shop", token, "", m.ID)
	if err != nil || len(lines) != 1 || lines[0].Message != "bye" {
		t.Errorf("after the stop: %+v %v", lines, err)
	}
	if lines, _, err := c.gql.GetAppLogs(c.ctx, "shop", "", "ams", ""); err != nil || len(lines) != 0 {
		t.Errorf("another region: %v %v", lines, err)
	}
	if code, _ := c.call("GET", "/api/v1/apps/shop/logs?next_token=x", nil); code != 400 {
		t.Errorf("a token of somebody else: %d", code)
	}
}

// Without a command a machine is a placeholder that knows who it is.
func TestPlaceholder(t *testing.T) {
	s := start(t, func(o *emulator.Options) { o.Exec = nil })
	c := connect(t, s)
	c.app("shop")
	m := c.launch("shop", web("shop:v1"))
	c.healthy("shop", m.ID)
	if code, body := get(t, s, "shop", "/any"); code != 200 || !strings.Contains(body, `"FLY_MACHINE_ID":"`+m.ID+`"`) {
		t.Errorf("%d %s", code, body)
	}
	began := time.Now()
	if err := c.flaps.Stop(c.ctx, "shop", flygo.StopMachineInput{ID: m.ID}, ""); err != nil {
		t.Fatal(err)
	}
	c.wait("shop", m, "stopped")
	if took := time.Since(began); took > 900*time.Millisecond {
		t.Errorf("stopping a placeholder took %s", took)
	}
}
