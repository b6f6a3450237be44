package fly

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// Every field of the API's types is kept, but for those that are made anew.
func TestEveryFieldIsKept(t *testing.T) {
	for _, tt := range []struct {
		from, to any
		anew     string
	}{
		{Server{}, serverState{}, "opts w mux mu releases"}, // releases: those of the apps
		{app{}, appState{}, "w"},
		{machine{}, machineState{}, "m config"}, // config: from doc
		{machineVersion{}, versionState{}, ""},
		{lease{}, leaseState{}, ""},
		{secretStore{}, secretsState{}, ""},
		{secret{}, secretState{}, ""},
		{release{}, releaseState{}, "app"},
		{ipAddress{}, ipState{}, ""},
		{certificate{}, certState{}, ""},
		{volume{}, volumeState{}, ""},
		{snapshot{}, snapshotState{}, ""},
		{cluster{}, clusterState{}, "cancel"},
		{pgBackup{}, backupState{}, ""},
		{addOn{}, addOnState{}, ""},
	} {
		from, to := reflect.TypeOf(tt.from), reflect.TypeOf(tt.to)
		var names []string
		for f := range to.Fields() {
			names = append(names, strings.ToLower(f.Name))
		}
		kept := " " + strings.Join(names, " ") + " " + tt.anew + " "
		for f := range from.Fields() {
			if name := f.Name; !strings.Contains(kept, " "+strings.ToLower(name)+" ") && !strings.Contains(kept, " "+name+" ") {
				t.Errorf("%s.%s is not kept: add it to %s", from.Name(), name, to.Name())
			}
		}
	}
}

// client talks to an API without a network.
type client struct {
	t *testing.T
	s *Server
}

func (c client) call(method, path string, body any) (int, string) {
	c.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		c.t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(c.t.Context(), method, path, bytes.NewReader(data))
	r.Header.Set("Authorization", "Bearer fo1_x")
	rec := httptest.NewRecorder()
	c.s.ServeHTTP(rec, r)
	return rec.Code, rec.Body.String()
}

// must is call for what has to work; it returns the field of the answer.
func (c client) must(method, path string, body any, field string) string {
	c.t.Helper()
	code, answer := c.call(method, path, body)
	if code/100 != 2 {
		c.t.Fatalf("%s %s: %d %s", method, path, code, answer)
	}
	var doc map[string]any
	_ = json.Unmarshal([]byte(answer), &doc)
	out, _ := doc[field].(string)
	return out
}

func newAPI(t *testing.T, images *world.Images, dir string) client {
	t.Helper()
	w, err := world.New(world.Options{Images: images, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return client{t, New(Options{World: w})}
}

// filled makes some of everything.
func filled(c client) (machine string) {
	c.must("POST", "/v1/apps", map[string]any{"name": "shop", "org_slug": "personal", "idempotency_key": "k1"}, "")
	c.must("POST", "/v1/apps", map[string]any{"name": "other", "org_slug": "personal"}, "")
	c.must("POST", "/v1/apps/shop/secrets", map[string]any{"values": map[string]any{"A": "1", "B": "2"}}, "")
	volume := c.must("POST", "/v1/apps/shop/volumes", map[string]any{"name": "data", "region": "fra", "size_gb": 3}, "id")
	c.must("POST", "/v1/apps/shop/volumes/"+volume+"/snapshots", nil, "")
	config := map[string]any{
		"image": "shop:v1", "env": map[string]any{"X": "y"}, "mounts": []any{map[string]any{"volume": volume, "path": "/data"}},
		"services": []any{map[string]any{"protocol": "tcp", "internal_port": 8080, "autostop": "stop"}},
	}
	id := c.must("POST", "/v1/apps/shop/machines", map[string]any{"config": config, "name": "one", "region": "fra"}, "id")
	path := "/v1/apps/shop/machines/" + id
	config["env"] = map[string]any{"X": "z"}
	c.must("POST", path, map[string]any{"config": config}, "")
	c.must("GET", path+"/wait?state=started", nil, "")
	c.must("POST", path+"/metadata/role", map[string]any{"value": "web"}, "")
	c.must("POST", path+"/lease?ttl=600", map[string]any{}, "")
	c.must("POST", "/v1/apps/shop/ip_assignments", map[string]any{"type": "shared_v4"}, "")
	c.must("POST", "/v1/apps/shop/certificates/acme", map[string]any{"hostname": "shop.example.com"}, "")
	c.must("POST", "/api/v1/releases", map[string]any{"app_name": "shop", "image": "shop:v1", "definition": map[string]any{"n": 1.5}}, "")
	c.must("POST", "/v1/postgres", map[string]any{"org_slug": "personal", "plan": "starter", "region": "fra", "name": "db"}, "") // fails: no servers here
	c.must("POST", "/graphql", map[string]any{
		"query": `mutation { createAddOn(input: {organizationId: "org-personal", name: "cache", planId: "plan-payg", type: upstash_redis, options: {eviction: true}}) { addOn { id } } }`,
	}, "")
	return path
}

func (c client) snapshot() string {
	c.t.Helper()
	data, err := c.s.Snapshot()
	if err != nil {
		c.t.Fatal(err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, data, "", " "); err != nil {
		c.t.Fatal(err)
	}
	return out.String()
}

// An API that is restored knows what the kept one knew, and answers the same.
func TestRestore(t *testing.T) {
	images, dir := world.NewImages(), t.TempDir()
	images.AddHost("registry.fly.io")
	if err := images.Seed("shop:v1"); err != nil {
		t.Fatal(err)
	}
	first := newAPI(t, images, dir)
	machine := filled(first)
	deadline := time.Now().Add(time.Minute)
	for !strings.Contains(first.snapshot(), `"failed"`) { // the cluster
		if time.Now().After(deadline) {
			t.Fatal("the cluster has not failed")
		}
		time.Sleep(time.Millisecond)
	}
	paths := []string{
		"/v1/apps?org_slug=personal", "/v1/apps/shop", "/v1/apps/shop/machines", machine, machine + "/versions", machine + "/lease", machine + "/metadata",
		"/v1/apps/shop/secrets?show_secrets=true", "/v1/apps/shop/volumes", "/v1/apps/shop/ip_assignments", "/v1/apps/shop/certificates",
		"/api/v1/apps/shop/releases", "/v1/postgres",
	}
	before := map[string]string{}
	for _, p := range paths {
		_, before[p] = first.call("GET", p, nil)
	}
	kept := first.snapshot()
	worldState, err := first.s.w.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if err := first.s.w.Close(); err != nil {
		t.Fatal(err)
	}

	again := newAPI(t, images, dir)
	if err := again.s.w.Restore(worldState); err != nil {
		t.Fatal(err)
	}
	if err := again.s.Restore(json.RawMessage(kept)); err != nil {
		t.Fatal(err)
	}
	if got := again.snapshot(); got != kept {
		t.Errorf("restored:\n%s\nkept:\n%s", got, kept)
	}
	for _, p := range paths {
		if code, got := again.call("GET", p, nil); code != http.StatusOK || got != before[p] {
			t.Errorf("GET %s: %d\n%s\nbefore:\n%s", p, code, got, before[p])
		}
	}
	if code, answer := again.call("POST", "/v1/apps", map[string]any{"name": "shop", "org_slug": "personal", "idempotency_key": "k1"}); code != 201 {
		t.Errorf("the idempotency key is forgotten: %d %s", code, answer)
	}
	if len(again.s.w.Redises()) != 1 || len(again.s.w.App("shop").Backends()) > 1 {
		t.Error("the world is not what it was")
	}
}

// What only one of the two knows, since they were written one after the other, is dropped.
func TestRestoreOfUnequalHalves(t *testing.T) {
	images := world.NewImages()
	images.AddHost("registry.fly.io")
	if err := images.Seed("shop:v1"); err != nil {
		t.Fatal(err)
	}
	full, empty := newAPI(t, images, ""), newAPI(t, images, "")
	filled(full)
	fullWorld, err := full.s.w.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	fullAPI, emptyAPI := full.snapshot(), empty.snapshot()
	emptyWorld, err := empty.s.w.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if err := empty.s.Restore(json.RawMessage(fullAPI)); err != nil {
		t.Fatal(err)
	}
	if code, _ := empty.call("GET", "/v1/apps/shop", nil); code != http.StatusNotFound {
		t.Errorf("an app that is not in the world: %d", code)
	}
	other := newAPI(t, images, "")
	if err := other.s.w.Restore(fullWorld); err != nil {
		t.Fatal(err)
	}
	if err := other.s.Restore(json.RawMessage(emptyAPI)); err != nil {
		t.Fatal(err)
	}
	if len(other.s.w.Apps())+len(other.s.w.Redises()) != 0 {
		t.Error("the world keeps what nobody can reach")
	}
	last := newAPI(t, images, "")
	if err := last.s.w.Restore(emptyWorld); err != nil {
		t.Fatal(err)
	}
	if err := last.s.Restore(json.RawMessage(`{"Apps":7}`)); err == nil {
		t.Error("nonsense was restored")
	}
}
