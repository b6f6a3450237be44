package render_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// What the API remembers comes back, whether the world has kept its machines or not.
func TestSnapshotAndRestore(t *testing.T) {
	for _, kept := range []bool{true, false} {
		t.Run(map[bool]string{true: "world kept", false: "world new"}[kept], func(t *testing.T) {
			dir := t.TempDir()
			first := newWorld(t, func(o *world.Options) { o.Dir = dir })
			f := serve(t, first)
			p := f.call(201, "POST", "/projects", object{"name": "shop", "ownerId": "tea-1", "environments": []object{{"name": "production"}}})
			id, one := f.create(web("shop", "v1", details("numInstances", 2), func(o object) {
				o["environmentId"] = p["environmentIds"].([]any)[0]
				o["envVars"] = []object{{"key": "MODE", "value": "one"}}
			}), "live")
			f.call(200, "PUT", "/services/"+id+"/env-vars/MODE", object{"value": "two"})
			two := f.deploy(id, object{"imageUrl": "registry.example.com/shop:v2"}, "live")
			f.call(201, "POST", "/env-groups", object{"name": "g", "ownerId": "tea-1", "envVars": []object{}, "serviceIds": []string{id}})
			if code, _, _ := f.send("POST", "/services/"+id+"/custom-domains", object{"name": "shop.example.com"}); code != 201 {
				t.Fatal(code)
			}
			f.call(202, "POST", "/services/"+id+"/custom-domains/shop.example.com/verify", nil)
			kv := f.call(201, "POST", "/key-value", object{"name": "cache", "ownerId": "tea-1", "plan": "starter"}).str("id")
			f.available("/key-value/" + kv)
			// One that is under way when everything ends.
			f.call(200, "PATCH", "/services/"+id, object{"serviceDetails": object{"preDeployCommand": f.self + " app sleep"}})
			slow := f.call(201, "POST", "/services/"+id+"/deploys", object{}).str("id")
			f.eventually("the command runs", func() bool { return f.status(id, slow) == "pre_deploy_in_progress" })

			api, err := f.api.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			worldState, err := first.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			f.api.Close()
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}

			second := newWorld(t, func(o *world.Options) { o.Dir = dir; o.Images = first.Images })
			if kept {
				if err := second.Restore(worldState); err != nil {
					t.Fatal(err)
				}
			}
			g := serve(t, second)
			if err := g.api.Restore(api); err != nil {
				t.Fatal(err)
			}
			again, err := g.api.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			if diff := differences(t, api, again); kept && diff != "Services" {
				t.Errorf("other parts changed: %s", diff)
			}
			g.eventually("both instances serve again", func() bool { return len(second.App("shop").Backends()) == 2 })
			g.wantPage("shop.localhost", "/", "shop:v2@")
			g.wantPage("shop.example.com", "/env?name=MODE", "two")
			for d, want := range map[string]string{one: "deactivated", two: "live", slow: "canceled"} {
				if got := g.status(id, d); got != want {
					t.Errorf("deploy %s is %s, want %s", d, got, want)
				}
			}
			g.available("/key-value/" + kv)
			g.eventually("only the two instances are left", func() bool {
				n := 0
				for _, m := range second.App("shop").Machines() {
					if m.Snapshot().State != world.Destroyed {
						n++
					}
				}
				return n == 2
			})
			g.call(200, "PATCH", "/services/"+id, object{"serviceDetails": object{"preDeployCommand": ""}})
			back := g.call(201, "POST", "/services/"+id+"/rollback", object{"deployId": one})
			g.ended(id, back.str("id"), "live")
			g.wantPage("shop.localhost", "/env?name=MODE", "one")
			if strings.Contains(g.events(id), "server_failed") {
				t.Errorf("events %s", g.events(id))
			}
		})
	}
	f := start(t)
	if err := f.api.Restore(json.RawMessage(`{"Services": 7}`)); err == nil {
		t.Error("a damaged state was taken")
	}
}

// differences names the top-level parts in which two states differ.
func differences(t *testing.T, a, b json.RawMessage) string {
	t.Helper()
	var x, y map[string]any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		t.Fatal("not JSON")
	}
	var out []string
	for _, k := range slices.Sorted(maps.Keys(x)) {
		if !reflect.DeepEqual(x[k], y[k]) {
			out = append(out, k)
		}
	}
	return strings.Join(out, " ")
}
