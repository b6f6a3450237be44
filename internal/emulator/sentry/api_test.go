package sentry_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/sentry"
)

type object = map[string]any

const id = "00000000000000000000000000000abc"

// want fails unless a call has that status, and returns an object's fields.
func (r *rig) want(code int, method, path string, body any) object {
	r.t.Helper()
	got, answer := r.call(method, path, body)
	if got != code {
		r.t.Fatalf("%s %s: %d %v, want %d", method, path, got, answer, code)
	}
	doc, _ := answer.(object)
	return doc
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

func (r *rig) list(path string) []any {
	r.t.Helper()
	code, answer := r.call("GET", path, nil)
	list, is := answer.([]any)
	if code != 200 || !is {
		r.t.Fatalf("GET %s: %d %v", path, code, answer)
	}
	return list
}

func TestAnEventIsFoundAfterAWhile(t *testing.T) {
	r := start(t, func(o *sentry.Options) { o.Processing = 2 * time.Second })
	event := `event {"event_id":"` + id + `","message":"opsctl sentry test","level":"info","release":"app@1","environment":"staging","tags":{"nonce":"n1"},"fingerprint":["opsctl-test"]}`
	if code := r.envelope(id, true, event, `attachment bytes that nobody reads`); code != 200 {
		t.Fatalf("envelope: %d", code)
	}
	path := "/projects/emulator/app/events/" + id + "/"
	r.want(404, "GET", path, nil)
	r.pass(2 * time.Second)
	e := r.want(200, "GET", path, nil)
	if e["eventID"] != id || e["title"] != "opsctl sentry test" || e["message"] != "opsctl sentry test" {
		t.Errorf("event %v", e)
	}
	tags := map[string]any{}
	for _, tag := range e["tags"].([]any) {
		tags[tag.(object)["key"].(string)] = tag.(object)["value"]
	}
	if want := (map[string]any{"environment": "staging", "level": "info", "release": "app@1", "nonce": "n1"}); !reflect.DeepEqual(tags, want) {
		t.Errorf("tags %v, want %v", tags, want)
	}
	found := r.want(200, "GET", "/organizations/emulator/eventids/"+id+"/", nil)
	if found["projectSlug"] != "app" || found["groupId"] != e["groupID"] {
		t.Errorf("eventids: %v", found)
	}
	issue := "/organizations/emulator/issues/" + e["groupID"].(string) + "/"
	if i := r.want(200, "GET", issue, nil); i["count"] != "1" || i["status"] != "unresolved" || !strings.Contains(i["permalink"].(string), "/issues/") {
		t.Errorf("issue %v", i)
	}
	if code, _, _ := r.send("PUT", "/api/0"+issue, wrong, object{"status": "splendid"}); code != 400 {
		t.Errorf("a status that is none: %d", code)
	}
	r.want(200, "PUT", issue, object{"status": "resolved"})
	if list := r.list("/organizations/emulator/issues/"); len(list) != 0 {
		t.Errorf("unresolved issues: %v", list)
	}
	// The same again is a regression of the same issue.
	r.envelope(strings.Repeat("b", 32), false, strings.ReplaceAll(event, id, strings.Repeat("b", 32)))
	r.pass(2 * time.Second)
	if i := r.want(200, "GET", issue, nil); i["count"] != "2" || i["substatus"] != "regressed" {
		t.Errorf("issue after the second event %v", i)
	}
	if list := r.list("/organizations/emulator/issues/?query=is:unresolved+nonce:n1"); len(list) != 1 {
		t.Errorf("issues by tag: %v", list)
	}
	if list := r.list("/organizations/emulator/issues/?query=nonce:other"); len(list) != 0 {
		t.Errorf("issues by another tag: %v", list)
	}
}

func TestWhatIsNoEnvelope(t *testing.T) {
	r := start(t)
	post := func(path, key, body string) int {
		req, _ := http.NewRequest("POST", r.url+path, strings.NewReader(body))
		if key != "" {
			req.Header.Set("X-Sentry-Auth", "Sentry sentry_key="+key)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	for name, tt := range map[string]struct {
		path, key, body string
		want            int
	}{
		"no key":            {"/api/1/envelope/", "", "{}\n", 401},
		"another key":       {"/api/1/envelope/", "f00", "{}\n", 403},
		"another project":   {"/api/7/envelope/", key, "{}\n", 403},
		"no header":         {"/api/1/envelope/", key, "what\n", 400},
		"a length too many": {"/api/1/envelope/", key, "{}\n{\"type\":\"event\",\"length\":99}\n{}", 400},
		"a negative length": {"/api/1/envelope/", key, "{}\n{\"type\":\"event\",\"length\":-1}\n{}", 400},
		"no item type":      {"/api/1/envelope/", key, "{}\n{}\n{}", 400},
		"a broken event":    {"/api/1/envelope/", key, "{}\n{\"type\":\"event\"}\n{", 400},
		"an event too big":  {"/api/1/envelope/", key, "{}\n{\"type\":\"event\"}\n{\"message\":\"" + strings.Repeat("x", 1<<20) + "\"}", 413},
		"without a length":  {"/api/1/envelope/", key, "{}\n{\"type\":\"event\"}\n{\"message\":\"x\"}\n", 200},
		"empty":             {"/api/1/envelope/?sentry_key=" + key, "", "{}\n", 200},
		"key in the dsn":    {"/api/1/envelope/", "", `{"dsn":"http://` + key + `@host/1"}` + "\n", 200},
		"store":             {"/api/1/store/", key, `{"message":"x"}`, 200},
		"store of nothing":  {"/api/1/store/", key, "", 400},
	} {
		if got := post(tt.path, tt.key, tt.body); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}

func TestReleasesAndDeploys(t *testing.T) {
	r := start(t)
	const all = "/organizations/emulator/releases/"
	rel := object{"version": "shop@1.2.3+abc", "projects": []string{"app"}, "refs": []object{{"repository": "acme/shop", "commit": "abc"}}}
	if got := r.want(201, "POST", all, rel); got["shortVersion"] != "1.2.3+abc" || got["dateReleased"] != nil {
		t.Errorf("release %v", got)
	}
	r.want(208, "POST", all, rel)
	r.want(400, "POST", all, object{"version": "x", "projects": []string{"nobodys"}})
	r.want(400, "POST", all, object{"version": "a/b", "projects": []string{"app"}})
	one := all + "shop@1.2.3%2Babc/"
	if got := r.want(200, "PUT", one, object{"dateReleased": "2026-11-24T03:01:00Z"}); got["dateReleased"] != "2026-11-24T03:01:00Z" {
		t.Errorf("finalized %v", got)
	}
	d := r.want(201, "POST", one+"deploys/", object{"environment": "production", "name": "run-1", "url": "https://shop.example.com"})
	if d["environment"] != "production" || d["dateStarted"] != nil || d["dateFinished"] == nil {
		t.Errorf("deploy %v", d)
	}
	r.want(201, "POST", one+"deploys/", object{"environment": "production", "dateStarted": "2026-11-24T03:00:00Z"})
	r.want(400, "POST", one+"deploys/", object{"environment": "a/b"})
	r.want(404, "POST", all+"none/deploys/", object{"environment": "production"})
	if list := r.list(one + "deploys/"); len(list) != 2 || list[1].(object)["name"] != "run-1" {
		t.Errorf("deploys %v", list)
	}
	if got := r.want(200, "GET", one, nil); got["deployCount"] != 2.0 || got["lastDeploy"] == nil {
		t.Errorf("release with deploys %v", got)
	}
	if list := r.list(all); len(list) != 1 {
		t.Errorf("releases %v", list)
	}
}

func TestMonitors(t *testing.T) {
	r := start(t)
	open := `check_in {"check_in_id":"` + id + `","monitor_slug":"verify","status":"in_progress","environment":"prod","monitor_config":{"schedule":{"type":"crontab","value":"17 3 * * *"},"checkin_margin":10,"max_runtime":60,"timezone":"UTC"}}`
	if code := r.envelope("", false, open); code != 200 {
		t.Fatal(code)
	}
	const one = "/organizations/emulator/monitors/verify/"
	r.pass(90 * time.Second)
	r.envelope("", false, `check_in {"check_in_id":"`+id+`","monitor_slug":"verify","status":"ok","duration":88.5,"environment":"prod"}`)
	list := r.list(one + "checkins/")
	if len(list) != 1 || list[0].(object)["status"] != "ok" || list[0].(object)["duration"] != 88500.0 {
		t.Fatalf("check-ins %v", list)
	}
	_, answer := r.call("GET", one, nil)
	env := answer.(object)["environments"].([]any)[0].(object)
	if env["nextCheckIn"] != "2026-11-24T03:17:00Z" || env["nextCheckInLatest"] != "2026-11-24T03:27:00Z" || env["status"] != "ok" {
		t.Errorf("environment %v", env)
	}
	// One that is never closed has timed out.
	r.envelope("", false, `check_in {"monitor_slug":"verify","status":"in_progress"}`)
	r.pass(61 * time.Minute)
	if list := r.list(one + "checkins/"); len(list) != 2 || list[0].(object)["status"] != "timeout" || list[0].(object)["environment"] != "production" {
		t.Errorf("check-ins %v", list)
	}
	// Without an SDK, and for a monitor that was made by hand.
	const all = "/organizations/emulator/monitors/"
	config := object{"schedule_type": "interval", "schedule": []any{1, "day"}, "checkin_margin": 5, "max_runtime": 10, "timezone": "Europe/Berlin"}
	r.want(201, "POST", all, object{"project": "app", "name": "Nightly", "slug": "nightly", "config": config})
	r.want(400, "POST", all, object{"project": "app", "name": "Nightly", "slug": "nightly", "config": config})
	r.want(400, "POST", all, object{"project": "app", "name": "bad", "config": object{"schedule_type": "crontab", "schedule": "61 * * * *"}})
	for _, status := range []string{"in_progress", "error"} {
		resp, err := http.Post(r.url+"/api/1/cron/nightly/"+key+"/?status="+status+"&check_in_id=00000000000000000000000000000001", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != 202 {
			t.Fatalf("cron: %d", resp.StatusCode)
		}
	}
	if list := r.list(all + "nightly/checkins/"); len(list) != 1 || list[0].(object)["status"] != "error" {
		t.Errorf("check-ins %v", list)
	}
}

func TestWorkflows(t *testing.T) {
	r := start(t)
	list := r.list("/organizations/emulator/detectors/?project=1&query=type:error")
	if len(list) != 1 {
		t.Fatalf("detectors %v", list)
	}
	body := object{
		"name": "tell us", "enabled": true, "config": object{"frequency": 30}, "detector_ids": []any{number(list[0].(object)["id"].(string))},
		"triggers":       object{"logic_type": "any-short", "conditions": []object{{"type": "first_seen_event", "comparison": true, "condition_result": true}}},
		"action_filters": []object{{"logic_type": "all", "conditions": []any{}, "actions": []object{{"type": "email", "data": object{}, "config": object{"targetType": "issue_owners"}, "status": "active"}}}},
	}
	w := r.want(201, "POST", "/organizations/emulator/workflows/", body)
	if w["enabled"] != true || len(w["detectorIds"].([]any)) != 1 {
		t.Errorf("workflow %v", w)
	}
	body["detector_ids"] = []any{999}
	r.want(400, "POST", "/organizations/emulator/workflows/", body)
	if list := r.list("/organizations/emulator/detectors/?query=type:error"); len(list[0].(object)["workflowIds"].([]any)) != 1 {
		t.Errorf("detector %v", list[0])
	}
	r.want(204, "DELETE", "/organizations/emulator/workflows/"+w["id"].(string)+"/", nil)
}

func TestTokensAndNames(t *testing.T) {
	r := start(t, func(o *sentry.Options) { o.ValidTokens = []string{"right"} })
	for auth, want := range map[string]int{"": 401, "Bearer wrong": 401, "Bearer right": 200} {
		if code, _, _ := r.send("GET", "/api/0/projects/emulator/app/keys/", auth, nil); code != want {
			t.Errorf("%q: %d, want %d", auth, code, want)
		}
	}
	for _, path := range []string{"/projects/other/app/keys/", "/projects/emulator/other/keys/"} {
		if code, _, _ := r.send("GET", "/api/0"+path, "Bearer right", nil); code != 404 {
			t.Errorf("%s: %d", path, code)
		}
	}
	_, keys, _ := r.send("GET", "/api/0/projects/emulator/app/keys/", "Bearer right", nil)
	if dsn := keys.([]any)[0].(object)["dsn"].(object)["public"]; dsn != strings.Replace(r.url, "http://", "http://"+key+"@", 1)+"/1" {
		t.Errorf("dsn %v", dsn)
	}
}

func TestPages(t *testing.T) {
	r := start(t, func(o *sentry.Options) { o.PageSize = 2 })
	for _, v := range []string{"1", "2", "3"} {
		r.want(201, "POST", "/organizations/emulator/releases/", object{"version": v, "projects": []string{"app"}})
	}
	_, first, h := r.send("GET", "/api/0/organizations/emulator/releases/", "Bearer token", nil)
	if len(first.([]any)) != 2 || !strings.Contains(h.Get("Link"), `rel="next"; results="true"; cursor="0:2:0"`) {
		t.Errorf("first page %v, Link %s", first, h.Get("Link"))
	}
	_, second, h := r.send("GET", "/api/0/organizations/emulator/releases/?cursor=0:2:0", "Bearer token", nil)
	if len(second.([]any)) != 1 || !strings.Contains(h.Get("Link"), `rel="next"; results="false"`) {
		t.Errorf("second page %v, Link %s", second, h.Get("Link"))
	}
}

// What was kept is what there is.
func TestSnapshot(t *testing.T) {
	r := start(t)
	r.envelope(id, false, `event {"message":"x","event_id":"`+id+`"}`, `check_in {"monitor_slug":"m","status":"ok","monitor_config":{"schedule":{"type":"interval","value":1,"unit":"hour"}}}`)
	r.want(201, "POST", "/organizations/emulator/releases/", object{"version": "1", "projects": []string{"app"}})
	data, err := r.server.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	other := start(t)
	if err := other.server.Restore(data); err != nil {
		t.Fatal(err)
	}
	again, err := other.server.Snapshot()
	if err != nil || string(again) != string(data) {
		t.Errorf("kept %s, read back %s, %v", data, again, err)
	}
	other.want(200, "GET", "/projects/emulator/app/events/"+id+"/", nil)
	if err := other.server.Restore(json.RawMessage(`{"events": 7}`)); err == nil {
		t.Error("took a damaged state")
	}
}
