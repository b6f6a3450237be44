package render_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/render"
	"github.com/opsctl/opsctl/internal/emulator/world"
)

func TestAuthAndErrors(t *testing.T) {
	f := start(t)
	for _, header := range []string{"", "Bearer ", "Bearer rnd_other", key} {
		req := httptest.NewRequest(http.MethodGet, "/v1/users", nil)
		req.Header.Set("Authorization", header)
		rec := httptest.NewRecorder()
		f.check.Handler(f.api).ServeHTTP(rec, req)
		var e struct{ ID, Message string }
		if rec.Code != 401 || json.Unmarshal(rec.Body.Bytes(), &e) != nil || e.ID == "" || e.Message == "" {
			t.Errorf("%q: %d %s", header, rec.Code, rec.Body)
		}
	}
	code, _, h := f.send("GET", "/users", nil)
	if code != 200 || h.Get("Ratelimit-Limit") != "400" || h.Get("Ratelimit-Remaining") == "" || h.Get("Ratelimit-Reset") == "" {
		t.Errorf("%d %v", code, h)
	}
	f.call(404, "GET", "/services/srv-none", nil)
	f.call(404, "GET", "/owners/tea-none", nil)
	bad := []object{
		{}, {"type": "web_service", "name": "shop", "ownerId": "tea-none"}, {"type": "web", "name": "shop", "ownerId": "tea-1"},
		web("shop", "v1", details("region", "mars")), web("shop", "v1", details("plan", "huge")), web("shop", "v1", details("runtime", "node")),
		web("shop", "v1", details("healthCheckPath", "health")), web("shop", "v1", details("maxShutdownDelaySeconds", 900)),
		web("shop", "v1", details("numInstances", 101)), web("shop", "v1", details("preDeployCommand", "echo 'a")),
		web("!", "v1"), web("shop", "v1", func(o object) { o["repo"] = "https://github.com/example/shop" }),
		web("shop", "v1", func(o object) { o["environmentId"] = "evm-none" }),
		web("shop", "v1", func(o object) { o["envVars"] = []object{{"key": "A B", "value": "x"}} }),
		web("shop", "v1", func(o object) { o["envVars"] = []object{{"key": "A", "value": "x"}, {"key": "A", "value": "y"}} }),
	}
	for i, b := range bad {
		if code, body, _ := f.send("POST", "/services", b); code != 400 {
			t.Errorf("bad service %d: %d %s", i, code, body)
		}
	}
}

// The first calls of the official command-line client.
func TestOfficialClientsCalls(t *testing.T) {
	f := start(t)
	id, _ := f.create(web("shop", "v1"), "live")
	f.call(200, "GET", "/users", nil)
	if code, _, _ := f.send("GET", "/workflows?ownerId=tea-1", nil); code != 404 {
		t.Errorf("workflows: %d", code)
	}
	for path, name := range map[string]string{
		"/owners?limit=100": "owner", "/key-value?ownerId=tea-1&limit=100": "keyValue", "/projects?ownerId=tea-1&limit=100": "project",
		"/services?includePreviews=false&ownerId=tea-1&limit=100": "service", "/postgres?ownerId=tea-1&limit=100": "postgres",
		"/services/" + id + "/deploys?limit=20": "deploy",
	} {
		f.list(path, name)
	}
	f.deploy(id, object{"clearCache": "do_not_clear"}, "live")
}

func TestPaging(t *testing.T) {
	f := start(t)
	for i := range 5 {
		f.call(201, "POST", "/projects", object{"name": "p" + strconv.Itoa(i), "ownerId": "tea-1", "environments": []object{{"name": "production"}}})
	}
	pages := func(f *fixture, limit int) (names, lens string) {
		cursor := ""
		for range 9 {
			items, next := f.list("/projects?limit="+strconv.Itoa(limit)+"&cursor="+cursor, "project")
			lens += strconv.Itoa(len(items))
			if len(items) == 0 {
				break
			}
			for _, p := range items {
				names += p.str("name")
			}
			cursor = url.QueryEscape(next)
		}
		return names, lens
	}
	if names, lens := pages(f, 2); names != "p0p1p2p3p4" || lens != "2210" {
		t.Errorf("pages %s %s", names, lens)
	}
	f.call(400, "GET", "/projects?cursor=zzz", nil)
	f.call(400, "GET", "/projects?limit=101", nil)

	state, err := f.api.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	small := serve(t, newWorld(t), func(o *render.Options) { o.PageSize = 2 })
	if err := small.api.Restore(state); err != nil {
		t.Fatal(err)
	}
	if names, lens := pages(small, 100); names != "p0p1p2p3p4" || lens != "2210" {
		t.Errorf("small pages %s %s", names, lens)
	}
}

func TestLag(t *testing.T) {
	clock := &clock{now: time.Now()}
	f := serve(t, newWorld(t, func(o *world.Options) { o.Now = clock.Now }), func(o *render.Options) { o.Lag = time.Second })
	out := f.call(201, "POST", "/services", web("shop", "v1"))
	path := "/services/" + out.sub("service").str("id")
	f.call(404, "GET", path, nil)
	if list, _ := f.list("/services", "service"); len(list) != 0 {
		t.Errorf("%v", list)
	}
	clock.add(2 * time.Second)
	f.ended(out.sub("service").str("id"), out.str("deployId"), "live")
	d := f.call(201, "POST", path+"/deploys", object{})
	f.call(404, "GET", path+"/deploys/"+d.str("id"), nil)
	clock.add(2 * time.Second)
	f.call(200, "GET", path+"/deploys/"+d.str("id"), nil)
}

// clock is a time that only a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func TestRateLimits(t *testing.T) {
	clock := &clock{now: time.Now()}
	f := serve(t, newWorld(t, func(o *world.Options) { o.Now = clock.Now }), func(o *render.Options) { o.Limits = true })
	id := f.call(201, "POST", "/services", web("shop", "v1")).sub("service").str("id")
	patch := func() (int, http.Header) {
		code, _, h := f.send("PATCH", "/services/"+id, object{"rootDir": ""})
		return code, h
	}
	for i := range 10 {
		if code, h := patch(); code != 200 || h.Get("Ratelimit-Remaining") != strconv.Itoa(9-i) {
			t.Fatalf("change %d: %d %v", i, code, h)
		}
	}
	code, h := patch()
	if code != 429 || h.Get("Retry-After") != "60" || h.Get("Ratelimit-Reset") != "60" {
		t.Errorf("change 11: %d %v", code, h)
	}
	clock.add(time.Minute)
	if code, _ := patch(); code != 200 {
		t.Errorf("after the minute: %d", code)
	}
	for range 19 {
		f.call(201, "POST", "/services", web("shop", "nine"))
	}
	f.call(429, "POST", "/services", web("shop", "nine"))
}

func TestProjectsAndEnvironments(t *testing.T) {
	f := start(t)
	p := f.call(201, "POST", "/projects", object{"name": "shop", "ownerId": "tea-1", "environments": []object{{"name": "production", "protectedStatus": "protected"}}})
	env := p["environmentIds"].([]any)[0].(string)
	staging := f.call(201, "POST", "/environments", object{"name": "staging", "projectId": p.str("id")}).str("id")
	f.call(400, "POST", "/environments", object{"name": "staging", "projectId": "prj-none"})
	id, _ := f.create(web("shop", "v1", func(o object) { o["environmentId"] = env }), "live")
	if list, _ := f.list("/services?environmentId="+env+"&name=shop,other&type=web_service", "service"); len(list) != 1 {
		t.Errorf("%v", list)
	}
	if list, _ := f.list("/services?environmentId="+staging, "service"); len(list) != 0 {
		t.Errorf("%v", list)
	}
	doc := f.call(200, "POST", "/environments/"+staging+"/resources", object{"resourceIds": []string{id}})
	if ids := doc["serviceIds"].([]any); len(ids) != 1 || ids[0] != id {
		t.Errorf("%v", doc)
	}
	f.call(204, "DELETE", "/environments/"+staging+"/resources?resourceIds="+id, nil)
	f.call(200, "PATCH", "/environments/"+staging, object{"name": "preview", "networkIsolationEnabled": true})
	if list, _ := f.list("/environments?projectId="+p.str("id"), "environment"); len(list) != 2 || list[1].str("name") != "preview" {
		t.Errorf("%v", list)
	}
	f.call(200, "PATCH", "/projects/"+p.str("id"), object{"name": "store"})
	if list, _ := f.list("/projects?name=store&ownerId=tea-1", "project"); len(list) != 1 {
		t.Errorf("%v", list)
	}
	f.call(204, "DELETE", "/environments/"+staging, nil)
	f.call(204, "DELETE", "/projects/"+p.str("id"), nil)
	f.call(404, "GET", "/environments/"+env, nil)
	f.call(200, "GET", "/services/"+id, nil)
}

func TestVariablesAndFiles(t *testing.T) {
	f := start(t)
	id, _ := f.create(web("shop", "v1", func(o object) {
		o["envVars"] = []object{{"key": "B", "value": "2"}, {"key": "A", "value": "1"}, {"key": "SECRET", "generateValue": true}}
		o["secretFiles"] = []object{{"name": "key.pem", "content": "x"}}
	}), "live")
	path := "/services/" + id
	list, _ := f.list(path+"/env-vars", "envVar")
	if len(list) != 3 || list[0].str("key") != "A" || len(list[2].str("value")) != 44 {
		t.Errorf("%v", list)
	}
	f.call(200, "PUT", path+"/env-vars/C", object{"value": ""})
	f.call(400, "PUT", path+"/env-vars/D", object{})
	f.call(204, "DELETE", path+"/env-vars/A", nil)
	f.call(404, "DELETE", path+"/env-vars/A", nil)
	f.call(404, "GET", path+"/env-vars/A", nil)
	code, body, _ := f.send("PUT", path+"/env-vars", []object{{"key": "ONLY", "value": "1"}})
	if code != 200 || !strings.Contains(string(body), "ONLY") {
		t.Errorf("%d %s", code, body)
	}
	if list, _ := f.list(path+"/env-vars", "envVar"); len(list) != 1 {
		t.Errorf("%v", list)
	}
	f.wantPage("shop.localhost", "/env?name=A", "1") // until the next deploy
	f.deploy(id, object{}, "live")
	if _, text := f.visit("shop.localhost", "/env?name=A"); text != "" {
		t.Errorf("A is %q still", text)
	}
	f.call(201, "PUT", path+"/secret-files/b.txt", object{"content": "y"})
	if files, _ := f.list(path+"/secret-files", "secretFile"); len(files) != 2 || files[0].str("name") != "b.txt" {
		t.Errorf("%v", files)
	}
	f.call(200, "GET", path+"/secret-files/key.pem", nil)
	f.call(204, "DELETE", path+"/secret-files/key.pem", nil)
	f.call(404, "GET", path+"/secret-files/key.pem", nil)
	if code, _, _ := f.send("PUT", path+"/secret-files", []object{{"name": "z", "content": "1"}}); code != 200 {
		t.Errorf("%d", code)
	}
}

func TestEnvironmentGroups(t *testing.T) {
	f := start(t)
	id, _ := f.create(web("shop", "v1", func(o object) { o["envVars"] = []object{{"key": "OWN", "value": "service"}} }), "live")
	g := f.call(201, "POST", "/env-groups", object{"name": "shared", "ownerId": "tea-1", "envVars": []object{{"key": "OWN", "value": "group"}, {"key": "B", "value": "2"}}})
	path := "/env-groups/" + g.str("id")
	doc := f.call(200, "POST", path+"/services/"+id, nil)
	if links := doc["serviceLinks"].([]any); len(links) != 1 || object(links[0].(map[string]any)).str("type") != "web" {
		t.Errorf("%v", doc)
	}
	f.call(200, "PUT", path+"/env-vars/C", object{"value": "3"})
	f.call(204, "DELETE", path+"/env-vars/B", nil)
	f.call(200, "GET", path+"/env-vars/C", nil)
	f.call(200, "PUT", path+"/secret-files/a", object{"content": "x"})
	f.call(200, "GET", path+"/secret-files/a", nil)
	f.call(204, "DELETE", path+"/secret-files/a", nil)
	f.call(200, "PATCH", path, object{"name": "common"})
	f.deploy(id, object{}, "live")
	f.wantPage("shop.localhost", "/env?name=OWN", "service")
	f.wantPage("shop.localhost", "/env?name=C", "3")
	code, body, _ := f.send("GET", "/env-groups?name=common&ownerId=tea-1", nil)
	var list []object
	if code != 200 || json.Unmarshal(body, &list) != nil || len(list) != 1 || list[0].str("id") != g.str("id") {
		t.Errorf("%d %s", code, body)
	}
	f.call(204, "DELETE", path+"/services/"+id, nil)
	f.call(404, "DELETE", path+"/services/"+id, nil)
	f.call(204, "DELETE", path, nil)
	f.call(404, "GET", path, nil)
}

func TestJobs(t *testing.T) {
	f := start(t)
	id, _ := f.create(web("shop", "v1", func(o object) { o["envVars"] = []object{{"key": "DATABASE_URL", "value": "postgresql://one"}} }), "live")
	path := "/services/" + id + "/jobs"
	for command, want := range map[string]string{"migrate": "succeeded", "fail": "failed"} {
		j := f.call(201, "POST", path, object{"startCommand": f.self + " app " + command})
		f.eventually("the job is "+want, func() bool { return f.call(200, "GET", path+"/"+j.str("id"), nil).str("status") == want })
		if want == "succeeded" {
			if text := f.log(j.str("id")); !strings.Contains(text, "migrating with postgresql://one") || strings.Contains(text, "listening") {
				t.Errorf("the job's log:\n%s", text)
			}
		}
	}
	j := f.call(201, "POST", path, object{"startCommand": f.self + " app sleep", "planId": "plan-srv-008"})
	if got := f.call(200, "POST", path+"/"+j.str("id")+"/cancel", nil).str("status"); got != "canceled" {
		t.Errorf("%s", got)
	}
	f.call(400, "POST", path+"/"+j.str("id")+"/cancel", nil)
	f.call(400, "POST", path, object{"startCommand": " "})
	if list, _ := f.list(path+"?status=failed,canceled", "job"); len(list) != 2 {
		t.Errorf("%v", list)
	}
	if !strings.Contains(f.events(id), "job_run_ended") {
		t.Errorf("events %s", f.events(id))
	}
}

func TestDomains(t *testing.T) {
	f := start(t)
	id, _ := f.create(web("shop", "v1"), "live")
	path := "/services/" + id + "/custom-domains"
	add := func(name string) []object {
		code, body, _ := f.send("POST", path, object{"name": name})
		var out []object
		if code != 201 || json.Unmarshal(body, &out) != nil {
			t.Fatalf("%s: %d %s", name, code, body)
		}
		return out
	}
	both := add("example.com")
	if len(both) != 2 || both[0].str("domainType") != "apex" || both[1].str("name") != "www.example.com" || both[1].str("redirectForName") != "example.com" {
		t.Errorf("%v", both)
	}
	if one := add("Erp.example.co.uk"); len(one) != 1 || one[0].str("publicSuffix") != "co.uk" || one[0].str("domainType") != "subdomain" {
		t.Errorf("%v", one)
	}
	f.call(409, "POST", path, object{"name": "example.com"})
	f.call(400, "POST", path, object{"name": "no dots"})
	if code, _ := f.visit("example.com", "/"); code != 404 {
		t.Errorf("an unverified domain answers %d", code)
	}
	f.call(202, "POST", path+"/example.com/verify", nil)
	f.wantPage("example.com", "/", "shop:v1")
	if got := f.call(200, "GET", path+"/"+both[0].str("id"), nil).str("verificationStatus"); got != "verified" {
		t.Errorf("%s", got)
	}
	if !f.api.VerifyDomain("erp.example.co.uk") || f.api.VerifyDomain("nobody.example.com") {
		t.Error("VerifyDomain")
	}
	if list, _ := f.list(path+"?verificationStatus=verified", "customDomain"); len(list) != 2 {
		t.Errorf("%v", list)
	}
	f.call(204, "DELETE", path+"/example.com", nil)
	if code, _ := f.visit("example.com", "/"); code != 404 {
		t.Errorf("a deleted domain answers %d", code)
	}
}

// Two services may have one name; their addresses differ.
func TestNamesAndAddresses(t *testing.T) {
	f := start(t, func(o *render.Options) { o.Port = func() int { return 4281 } })
	one := f.call(201, "POST", "/services", web("My Shop", "v1")).sub("service")
	two := f.call(201, "POST", "/services", web("My Shop", "v1")).sub("service")
	if one.str("slug") != "my-shop" || !strings.HasPrefix(two.str("slug"), "my-shop-") {
		t.Errorf("%s, %s", one.str("slug"), two.str("slug"))
	}
	if got := one.sub("serviceDetails").str("url"); got != "http://my-shop.localhost:4281" {
		t.Errorf("%s", got)
	}
}
