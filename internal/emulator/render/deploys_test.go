package render_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/render"
)

// A first deploy, an update, one that fails, and the end.
func TestLifeOfAService(t *testing.T) {
	f := start(t)
	id, first := f.create(web("Shop", "v1", details("numInstances", 2)), "live")
	f.wantPage("shop.localhost", "/", "shop:v1@sha256:")
	f.wantPage("shop.onrender.com", "/env?name=RENDER_SERVICE_ID", id)
	if n, _, _ := f.send("GET", "/services/"+id+"/instances", nil); n != 200 {
		t.Errorf("instances: %d", n)
	}
	doc := f.call(200, "GET", "/services/"+id+"/deploys/"+first, nil)
	if doc.str("image", "ref") != "registry.example.com/shop:v1" || !strings.HasPrefix(doc.str("image", "sha"), "sha256:") || doc.str("trigger") != "api" {
		t.Errorf("deploy %v", doc)
	}
	second := f.deploy(id, object{"imageUrl": "registry.example.com/shop:v2", "clearCache": "do_not_clear"}, "live")
	f.wantPage("shop.localhost", "/", "shop:v2@")
	if st := f.status(id, first); st != "deactivated" {
		t.Errorf("the deploy before is %s", st)
	}
	f.deploy(id, object{}, "live") // the configured image again
	f.wantPage("shop.localhost", "/", "shop:v1@")
	list, _ := f.list("/services/"+id+"/deploys?status=live&status=deactivated", "deploy")
	if len(list) != 3 || list[1].str("id") != second {
		t.Errorf("list %v", list)
	}
	if got := f.events(id); !strings.HasPrefix(got, "deploy_started deploy_ended deploy_started deploy_ended") {
		t.Errorf("events %s", got)
	}
	f.call(204, "DELETE", "/services/"+id, nil)
	f.call(404, "GET", "/services/"+id, nil)
	if code, _ := f.visit("shop.localhost", "/"); code != 404 {
		t.Errorf("a deleted service answers %d", code)
	}
}

// What goes wrong in a deploy leaves the version before alone.
func TestDeploysThatFail(t *testing.T) {
	patient := start(t)
	hasty := start(t, func(o *render.Options) { o.DeployTimeout = 2 * time.Second })
	lives := map[*fixture][2]string{}
	for _, f := range []*fixture{patient, hasty} {
		id, live := f.create(web("shop", "v1"), "live")
		lives[f] = [2]string{id, live}
	}
	tests := []struct {
		name, tag, pre string
		want, log      string
		event          string
	}{
		{"no such image", "nine", "", "update_failed", "manifest unknown", "image_pull_failed"},
		{"ends at once", "crash", "", "update_failed", "==> Exited with status 7", ""},
		{"never healthy", "sick", "", "update_failed", "the health check at /health did not pass", ""},
		{"failing command", "v2", patient.self + " app fail", "pre_deploy_failed", "relation exists", "pre_deploy_ended"},
		{"command that hangs", "v2", patient.self + " app sleep", "pre_deploy_failed", "timed out", "pre_deploy_ended"},
		{"no such command", "v2", "/no/such/program", "pre_deploy_failed", "exited with status 127", "pre_deploy_ended"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := patient
			if tt.name == "never healthy" || tt.name == "command that hangs" {
				f = hasty // these end with the time that they have
			}
			id, live := lives[f][0], lives[f][1]
			f.call(200, "PATCH", "/services/"+id, object{"serviceDetails": object{"preDeployCommand": tt.pre}})
			f.deploy(id, object{"imageUrl": "registry.example.com/shop:" + tt.tag}, tt.want)
			f.wantPage("shop.localhost", "/", "shop:v1@")
			if st := f.status(id, live); st != "live" {
				t.Errorf("the version before is %s", st)
			}
			if text := f.log(id); !strings.Contains(text, tt.log) {
				t.Errorf("the log lacks %q:\n%s", tt.log, text)
			}
			if got := f.events(id); !strings.Contains(got, tt.event) || !strings.HasSuffix(got, "deploy_ended") {
				t.Errorf("events %s", got)
			}
		})
	}
}

// The pre-deploy command has the new variables and runs before the switch.
func TestPreDeployCommand(t *testing.T) {
	f := start(t)
	id, _ := f.create(web("shop", "v1", details("preDeployCommand", f.self+" app migrate"), func(o object) {
		o["envVars"] = []object{{"key": "DATABASE_URL", "value": "postgresql://one"}}
	}), "live")
	f.call(200, "PUT", "/services/"+id+"/env-vars/DATABASE_URL", object{"value": "postgresql://two"})
	f.wantPage("shop.localhost", "/env?name=DATABASE_URL", "postgresql://one")
	f.deploy(id, object{}, "live")
	f.wantPage("shop.localhost", "/env?name=DATABASE_URL", "postgresql://two")
	text := f.log(id)
	if !strings.Contains(text, "migrating with postgresql://one") || !strings.Contains(text, "migrating with postgresql://two") {
		t.Errorf("log:\n%s", text)
	}
	if strings.Index(text, "migrating with") > strings.Index(text, "listening as") {
		t.Errorf("the app was started before the command had ended:\n%s", text)
	}
}

// Somebody who asks again and again is always answered while versions change.
func TestZeroDowntime(t *testing.T) {
	f := start(t)
	id, _ := f.create(web("shop", "v1", details("numInstances", 2)), "live")
	var stop atomic.Bool
	failed := make(chan string, 1)
	done := make(chan int)
	go func() {
		n := 0
		for ; !stop.Load(); n++ {
			if code, text := f.visit("shop.localhost", "/"); code != 200 {
				select {
				case failed <- fmt.Sprintf("request %d: %d %s", n, code, text):
				default:
				}
			}
		}
		done <- n
	}()
	for _, tag := range []string{"v2", "v3", "v1"} {
		f.deploy(id, object{"imageUrl": "registry.example.com/shop:" + tag}, "live")
	}
	f.call(200, "POST", "/services/"+id+"/restart", nil)
	f.eventually("the restart has happened", func() bool { return strings.Count(f.log(id), "bye") >= 8 })
	stop.Store(true)
	if n := <-done; n < 20 {
		t.Errorf("only %d requests", n)
	}
	select {
	case text := <-failed:
		t.Error(text)
	default:
	}
	// What was replaced is gone.
	f.eventually("two machines are left", func() bool {
		n := 0
		for _, m := range f.world.App("shop").Machines() {
			if m.Snapshot().State != "destroyed" {
				n++
			}
		}
		return n == 2
	})
}

func TestQueueAndCancel(t *testing.T) {
	f := start(t)
	id, _ := f.create(web("shop", "v1", details("preDeployCommand", f.self+" app migrate")), "live")
	f.call(200, "PATCH", "/services/"+id, object{"serviceDetails": object{"preDeployCommand": f.self + " app sleep"}})
	path := "/services/" + id + "/deploys"
	slow := f.call(201, "POST", path, object{}).str("id")
	for range 2 {
		if code, body, _ := f.send("POST", path, object{"imageUrl": "registry.example.com/shop:v3"}); code != 202 || len(body) > 0 {
			t.Fatalf("%d %q, want 202 and nothing", code, body)
		}
	}
	f.eventually("the command runs", func() bool { return f.status(id, slow) == "pre_deploy_in_progress" })
	list, _ := f.list(path, "deploy")
	if len(list) != 4 || list[0].str("status") != "queued" || list[1].str("status") != "canceled" || list[2].str("id") != slow {
		t.Fatalf("deploys %v", list)
	}
	f.call(200, "PATCH", "/services/"+id, object{"serviceDetails": object{"preDeployCommand": ""}})
	if got := f.call(200, "POST", path+"/"+slow+"/cancel", nil).str("status"); got != "canceled" {
		t.Errorf("canceled: %s", got)
	}
	f.call(400, "POST", path+"/"+slow+"/cancel", nil)
	f.ended(id, list[0].str("id"), "live")
	f.wantPage("shop.localhost", "/", "shop:v3@")
}

// A rollback brings back the image and the variables of its target for itself
// alone, and leaves the saved settings and auto-deploy.
func TestRollback(t *testing.T) {
	f := start(t)
	id, first := f.create(web("shop", "v1", func(o object) {
		o["autoDeploy"] = "yes"
		o["envVars"] = []object{{"key": "MODE", "value": "one"}}
	}), "live")
	group := f.call(201, "POST", "/env-groups", object{"name": "shared", "ownerId": "tea-1", "envVars": []object{{"key": "SHARED", "value": "a"}}, "serviceIds": []string{id}})
	f.call(200, "PUT", "/services/"+id+"/env-vars/MODE", object{"value": "two"})
	f.call(200, "PATCH", "/services/"+id, object{"image": object{"ownerId": "tea-1", "imagePath": "registry.example.com/shop:v2"}})
	f.deploy(id, object{}, "live")
	f.wantPage("shop.localhost", "/env?name=SHARED", "a")
	f.call(200, "PUT", "/env-groups/"+group.str("id")+"/env-vars/SHARED", object{"value": "b"})

	back := f.call(201, "POST", "/services/"+id+"/rollback", object{"deployId": first})
	if back.str("trigger") != "rollback" {
		t.Errorf("%v", back)
	}
	f.ended(id, back.str("id"), "live")
	f.wantPage("shop.localhost", "/", "shop:v1@")
	f.wantPage("shop.localhost", "/env?name=MODE", "one")
	f.wantPage("shop.localhost", "/env?name=SHARED", "b")
	if got := f.call(200, "GET", "/services/"+id+"/env-vars/MODE", nil).str("value"); got != "two" {
		t.Errorf("the saved variable is %q", got)
	}
	if got := f.call(200, "GET", "/services/"+id, nil); got.str("autoDeploy") != "yes" || got.str("imagePath") != "registry.example.com/shop:v2" {
		t.Errorf("the saved settings changed: %v", got)
	}
	f.deploy(id, object{}, "live")
	f.wantPage("shop.localhost", "/", "shop:v2@")
	f.wantPage("shop.localhost", "/env?name=MODE", "two")

	failed := f.deploy(id, object{"imageUrl": "registry.example.com/shop:crash"}, "update_failed")
	f.call(400, "POST", "/services/"+id+"/rollback", object{"deployId": failed})
	f.call(404, "POST", "/services/"+id+"/rollback", object{"deployId": "dep-none"})
}

func TestBuildsAreKeptForAWhile(t *testing.T) {
	f := start(t, func(o *render.Options) { o.KeepBuilds = 2 })
	id, first := f.create(web("shop", "v1"), "live")
	second := f.deploy(id, object{}, "live")
	f.deploy(id, object{}, "live")
	f.call(400, "POST", "/services/"+id+"/rollback", object{"deployId": first})
	f.call(201, "POST", "/services/"+id+"/rollback", object{"deployId": second})
}

// A service of a repository is built, and deploys itself when somebody pushes.
func TestRepositories(t *testing.T) {
	f := start(t, func(o *render.Options) {
		o.Build = func(_, commit string) error {
			if strings.HasPrefix(commit, "bad") {
				return errors.New("does not compile")
			}
			return nil
		}
	})
	id, first := f.create(object{
		"type": "web_service", "name": "site", "ownerId": "tea-1", "repo": "https://github.com/example/shop", "branch": "main",
		"serviceDetails": object{"runtime": "docker", "envSpecificDetails": object{"dockerfilePath": "./Dockerfile"}, "healthCheckPath": "/health"},
	}, "live")
	doc := f.call(200, "GET", "/services/"+id+"/deploys/"+first, nil)
	f.wantPage("site.localhost", "/env?name=RENDER_GIT_COMMIT", doc.str("commit", "id"))
	f.wantPage("site.localhost", "/env?name=RENDER_GIT_REPO_SLUG", "example/shop")
	f.deploy(id, object{"commitId": "bad1"}, "build_failed")
	f.wantPage("site.localhost", "/env?name=RENDER_GIT_COMMIT", doc.str("commit", "id"))

	f.api.Push("https://github.com/example/shop", "main", "c0ffee", "Better")
	f.eventually("the push is live", func() bool {
		_, text := f.visit("site.localhost", "/env?name=RENDER_GIT_COMMIT")
		return text == "c0ffee"
	})
	f.call(200, "PATCH", "/services/"+id, object{"autoDeploy": "no"})
	f.api.Push("https://github.com/example/shop", "main", "decade", "Not deployed")
	list, _ := f.list("/services/"+id+"/deploys", "deploy")
	if len(list) != 3 || list[0].str("trigger") != "new_commit" || list[0].str("commit", "message") != "Better" {
		t.Errorf("deploys %v", list)
	}
	f.deploy(id, object{"deployMode": "deploy_only"}, "live")
	f.wantPage("site.localhost", "/env?name=RENDER_GIT_COMMIT", "c0ffee")
	f.call(400, "POST", "/services/"+id+"/deploys", object{"deployMode": "deploy_only", "commitId": "c0ffee"})
	f.call(400, "POST", "/services/"+id+"/deploys", object{"imageUrl": "registry.example.com/shop:v1"})
	if got := f.events(id); !strings.Contains(got, "build_started build_ended") {
		t.Errorf("events %s", got)
	}
}

// Only the tag or the digest of a deploy's image may differ from the service's.
func TestImageOfADeploy(t *testing.T) {
	f := start(t)
	id, first := f.create(web("shop", "v1"), "live")
	sha := f.call(200, "GET", "/services/"+id+"/deploys/"+first, nil).str("image", "sha")
	f.deploy(id, object{"imageUrl": "registry.example.com/shop@" + sha}, "live")
	f.wantPage("shop.localhost", "/", "shop:v1@"+sha) // told with a tag
	for _, ref := range []string{"registry.example.com/other:v1", "other.example.com/shop:v1", "shop:v1", "registry.example.com/team/shop:v1", "///"} {
		f.call(400, "POST", "/services/"+id+"/deploys", object{"imageUrl": ref})
	}
}

func TestWorkersAndDisks(t *testing.T) {
	f := start(t)
	for _, tt := range []struct{ typ, tag, want string }{
		{"background_worker", "v1", "live"}, {"background_worker", "crash", "update_failed"}, {"private_service", "v1", "live"},
	} {
		body := web("w-"+tt.typ+tt.tag, tt.tag, func(o object) { o["type"] = tt.typ })
		delete(body["serviceDetails"].(object), "healthCheckPath")
		id, _ := f.create(body, tt.want)
		if tt.typ == "background_worker" {
			doc := f.call(200, "GET", "/services/"+id, nil)
			if doc.sub("serviceDetails")["url"] != nil {
				t.Errorf("a worker has a url: %v", doc)
			}
		}
	}
	id, _ := f.create(web("disk", "v1", details("disk", object{"name": "data", "mountPath": "/data", "sizeGB": 5})), "live")
	f.deploy(id, object{"imageUrl": "registry.example.com/shop:crash"}, "update_failed")
	f.eventually("the version before is back", func() bool {
		code, text := f.visit("disk.localhost", "/")
		return code == 200 && strings.Contains(text, "shop:v1")
	})
	f.call(400, "POST", "/services/"+id+"/scale", object{"numInstances": 2})
}

func TestScaleSuspendAndResume(t *testing.T) {
	f := start(t)
	id, _ := f.create(web("shop", "v1"), "live")
	backends := func() int { return len(f.world.App("shop").Backends()) }
	for _, n := range []int{3, 1, 2} {
		f.call(202, "POST", "/services/"+id+"/scale", object{"numInstances": n})
		f.eventually("it is scaled", func() bool { return backends() == n })
	}
	f.call(400, "POST", "/services/"+id+"/scale", object{"numInstances": 0})
	f.deploy(id, object{"imageUrl": "registry.example.com/shop:v2"}, "live")
	if backends() != 2 {
		t.Errorf("%d instances after a deploy", backends())
	}
	auto := object{"enabled": true, "min": 3, "max": 4, "criteria": object{"cpu": object{"enabled": true, "percentage": 60}, "memory": object{"enabled": false, "percentage": 60}}}
	f.call(200, "PUT", "/services/"+id+"/autoscaling", auto)
	f.eventually("the least number runs", func() bool { return backends() == 3 })
	f.call(202, "POST", "/services/"+id+"/scale", object{"numInstances": 1}) // ignored
	if n := f.call(200, "GET", "/services/"+id, nil).sub("serviceDetails")["numInstances"]; n != 3.0 {
		t.Errorf("numInstances %v", n)
	}
	f.call(204, "DELETE", "/services/"+id+"/autoscaling", nil)

	f.call(202, "POST", "/services/"+id+"/suspend", nil)
	if code, _ := f.visit("shop.localhost", "/"); code != 503 {
		t.Errorf("a suspended service answers %d", code)
	}
	f.call(400, "POST", "/services/"+id+"/deploys", object{})
	list, _ := f.list("/services?suspended=suspended&ownerId=tea-1", "service")
	if len(list) != 1 || list[0].str("suspended") != "suspended" {
		t.Errorf("%v", list)
	}
	f.call(202, "POST", "/services/"+id+"/resume", nil)
	f.eventually("it is back", func() bool { code, _ := f.visit("shop.localhost", "/"); return code == 200 })
	deploys, _ := f.list("/services/"+id+"/deploys", "deploy")
	if deploys[0].str("trigger") != "service_resumed" {
		t.Errorf("%v", deploys[0])
	}
	if got := f.events(id); !strings.Contains(got, "service_suspended service_resumed") {
		t.Errorf("events %s", got)
	}
}

// A process that ends by itself is started again, and the events say so.
func TestServerFailed(t *testing.T) {
	f := start(t)
	id, _ := f.create(web("shop", "v1"), "live")
	f.visit("shop.localhost", "/exit")
	f.eventually("it is back", func() bool {
		return slices.Contains(strings.Fields(f.events(id)), "server_available")
	})
	items, _ := f.list("/services/"+id+"/events?type=server_failed", "event")
	if len(items) != 1 || items[0].sub("details").sub("reason")["nonZeroExit"] != 5.0 {
		t.Errorf("%v", items)
	}
	if one := f.call(200, "GET", "/events/"+items[0].str("id"), nil); one.str("type") != "server_failed" {
		t.Errorf("%v", one)
	}
}
