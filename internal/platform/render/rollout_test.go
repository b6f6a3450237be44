package render_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/platform/render"
)

const app = "shop"

func silent(string, ...any) {}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.HintOf(err))
	}
}

func image(n string) string { return "ghcr.io/acme/shop:" + n + "@sha256:" + strings.Repeat(n, 64) }

func release(n string) platform.Release {
	return platform.Release{
		Label: "label-" + n, Image: image(n), Port: 3000, Health: "/api/health", Instances: 2, Region: "frankfurt", Strategy: "rolling",
		Env: map[string]string{"COLOR": n}, Timeout: time.Minute,
	}
}

// running is a client of a fake on which a first release runs.
func running(t *testing.T) (*fake, *render.Platform, platform.Release) {
	t.Helper()
	f := newFake(t)
	p := f.client(nil)
	must(t, p.CreateApp(t.Context(), platform.AppSpec{Name: app}))
	secret := "s3cret"
	must(t, p.StageSecrets(t.Context(), app, map[string]*string{"SECRET": &secret}))
	out, err := p.RollOut(t.Context(), app, release("1"), silent)
	must(t, err)
	return f, p, out.Release
}

func TestTheFirstRollOutMakesTheServiceInOneRequest(t *testing.T) {
	f, p, one := running(t)
	if n := f.requests("POST"); n != 1 {
		t.Errorf("%d POSTs: %v", n, f.log)
	}
	s := f.svc[0]
	if s.env["SECRET"] != "s3cret" || s.env["COLOR"] != "1" || s.env["PORT"] != "3000" || s.env["OPSCTL_RELEASE"] != "label-1" || s.obj["autoDeploy"] != nil && s.obj["autoDeploy"] != "no" {
		t.Errorf("%v", s.env)
	}
	state, err := p.Observe(t.Context(), app)
	must(t, err)
	if c := state.Current; c == nil || c.Version != one.Version || c.Image != image("1") || len(state.Instances) != 2 || len(c.Env) != 1 || len(state.Secrets) != 1 || state.Secrets[0].Pending {
		t.Errorf("%+v, %+v", state, state.Current)
	}
	set, err := p.ReadVariables(t.Context(), app)
	must(t, err)
	if len(set.Values) != 2 || !set.Values[0].Plain || set.Values[1].Plain || set.Values[1].Value != "s3cret" {
		t.Errorf("%+v", set)
	}
}

// Each request that makes something has its answer lost, or is answered with a
// status: one service, one deploy of it, and the right end.
func TestLostAnswers(t *testing.T) {
	for _, trouble := range []func(f *fake, line string){
		func(f *fake, line string) { f.lose[line] = 1 },
		func(f *fake, line string) { f.refuse[line] = 429 },
		func(f *fake, line string) { f.refuse[line] = 500 },
		func(f *fake, line string) { f.refuse[line] = 503 },
	} {
		f := newFake(t)
		trouble(f, "POST /services")
		p := f.client(nil)
		must(t, p.CreateApp(t.Context(), platform.AppSpec{Name: app}))
		one, err := p.RollOut(t.Context(), app, release("1"), silent)
		must(t, err)
		id := f.svc[0].obj["id"].(string)
		trouble(f, "POST /services/"+id+"/deploys")
		_, err = p.RollOut(t.Context(), app, release("2"), silent)
		must(t, err)
		trouble(f, "POST /services/"+id+"/rollback")
		back, err := p.Restore(t.Context(), app, one.Release, silent)
		must(t, err)
		if len(f.svc) != 1 || len(f.svc[0].deploys) != 3 || f.svc[0].deploys[0].obj["status"] != "live" || back.Version != f.svc[0].deploys[0].obj["id"] {
			t.Errorf("%d services, %d deploys, %v", len(f.svc), len(f.svc[0].deploys), f.log)
		}
	}
}

func TestQueuedDeploysAreFound(t *testing.T) {
	f, p, _ := running(t)
	f.queue = true
	out, err := p.RollOut(t.Context(), app, release("2"), silent)
	must(t, err)
	if out.Release.Version != f.svc[0].deploys[0].obj["id"] || len(f.svc[0].deploys) != 2 {
		t.Errorf("%+v", out)
	}
}

func TestHowDeploysEnd(t *testing.T) {
	for name, tt := range map[string]struct {
		steps   []string
		command []string
		events  []object
		code    errs.Code
		want    string // in the error
		task    *platform.TaskResult
	}{
		"well, with a command": {[]string{"created", "pre_deploy_in_progress", "update_in_progress", "live"}, []string{"migrate"}, nil, "", "", &platform.TaskResult{Started: true}},
		"the command fails": {
			[]string{"created", "pre_deploy_in_progress", "pre_deploy_failed"},
			[]string{"migrate"},
			[]object{{"type": "pre_deploy_ended", "details": object{"preDeployStatus": "failed", "reason": object{"failure": object{"nonZeroExit": 3}}}}},
			errs.Failure, "release command failed", &platform.TaskResult{Started: true, ExitCode: 3},
		},
		"the command fails, and nobody says how": {[]string{"created", "pre_deploy_failed"}, []string{"migrate"}, nil, errs.Failure, "release command failed", &platform.TaskResult{Started: true, ExitCode: platform.ExitUnknown}},
		"no image":                               {[]string{"created", "build_failed"}, []string{"migrate"}, nil, errs.Failure, "pulled", nil},
		"not healthy":                            {[]string{"update_in_progress", "update_failed"}, nil, []object{{"details": object{"deployStatus": "failed", "reason": object{"failure": object{"unhealthy": "HTTP 503"}}}}}, errs.Failure, "HTTP 503", nil},
		"cancelled by others":                    {[]string{"update_in_progress", "canceled"}, nil, nil, errs.Failure, "cancelled", nil},
		"replaced by others":                     {[]string{"update_in_progress", "deactivated"}, nil, nil, errs.Conflict, "replaced", nil},
		"it crashes on and on": {
			[]string{"created", "update_in_progress"}, nil,
			[]object{{"type": "server_failed", "details": object{"instanceID": "new-1", "reason": object{"nonZeroExit": 7}}}, {"type": "server_failed", "details": object{"instanceID": "new-1", "reason": object{"nonZeroExit": 7}}}},
			errs.Failure, "exit code 7", nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, p, one := running(t)
			f.next = [][]string{tt.steps}
			f.logs = []object{{"id": "1", "timestamp": time.Now(), "message": "hello", "labels": []object{{"name": "type", "value": "app"}}}, {"id": "2", "timestamp": time.Now(), "message": "GET /", "labels": []object{{"name": "type", "value": "request"}}}}
			for _, e := range tt.events {
				e["id"], e["timestamp"] = f.id("evt"), time.Now()
				e["details"].(object)["deployId"] = "dep-00004" // the second one
				f.events = append(f.events, e)
			}
			f.n = 3
			want := release("2")
			want.Command = tt.command
			out, err := p.RollOut(t.Context(), app, want, silent)
			if errs.CodeOf(err) != tt.code || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%q: %v", errs.CodeOf(err), err)
			}
			if err != nil && tt.code == errs.Failure && (!strings.Contains(errs.HintOf(err), "hello") || strings.Contains(errs.HintOf(err), "GET /")) {
				t.Errorf("hint %q", errs.HintOf(err))
			}
			if (out.Task == nil) != (tt.task == nil) || out.Task != nil && (out.Task.ExitCode != tt.task.ExitCode || out.Task.Started != tt.task.Started || !slices.Equal(out.Task.Log, []string{"hello"})) {
				t.Errorf("task %+v, want %+v", out.Task, tt.task)
			}
			if tt.code != errs.Failure {
				return
			}
			// The version before serves on, so putting it back deploys nothing.
			before := f.requests("POST")
			now, err := p.Restore(t.Context(), app, one, silent)
			must(t, err)
			if f.requests("POST") != before || now.Version != one.Version || f.svc[0].env["COLOR"] != "1" || f.svc[0].env["OPSCTL_RELEASE"] != "label-1" {
				t.Errorf("%d POSTs, %v", f.requests("POST")-before, f.svc[0].env)
			}
			list, err := p.Releases(t.Context(), app, 10)
			must(t, err)
			if len(list) != 2 || list[0].Status != platform.Failed || list[0].Label != "label-2" || list[1].Status != platform.Complete || list[1].Env["COLOR"] != "1" {
				t.Errorf("%+v", list)
			}
		})
	}
}

func TestADeployThatTakesTooLongIsCancelled(t *testing.T) {
	f, p, _ := running(t)
	f.next = [][]string{{"update_in_progress"}}
	want := release("2")
	want.Timeout = 10 * time.Millisecond
	_, err := p.RollOut(t.Context(), app, want, silent)
	if errs.CodeOf(err) != errs.Timeout || f.svc[0].deploys[0].obj["status"] != "canceled" {
		t.Errorf("%v, the deploy is %v", err, f.svc[0].deploys[0].obj["status"])
	}
}

func TestACancelledRollOutReturnsAndIsTakenUp(t *testing.T) {
	f, p, _ := running(t)
	f.next = [][]string{{"created", "build_in_progress"}}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := p.RollOut(ctx, app, release("2"), silent)
	if err == nil || time.Since(began) > 5*time.Second {
		t.Fatalf("%v after %s", err, time.Since(began))
	}
	f.svc[0].deploys[0].steps = []string{"update_in_progress", "live"}
	out, err := f.client(nil).RollOut(t.Context(), app, release("2"), silent) // another process
	must(t, err)
	if len(f.svc[0].deploys) != 2 || out.Release.Version != f.svc[0].deploys[0].obj["id"] {
		t.Errorf("%d deploys", len(f.svc[0].deploys))
	}
}

func TestARunThatWasCutOffIsTakenUp(t *testing.T) {
	f, p, _ := running(t)
	f.next = [][]string{{"created", "build_in_progress"}, {"created", "live"}}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, _ = p.RollOut(ctx, app, release("2"), silent)
	// Another release: what is under way is ended first.
	out, err := p.RollOut(t.Context(), app, release("3"), silent)
	must(t, err)
	d := f.svc[0].deploys
	if len(d) != 3 || d[1].obj["status"] != "canceled" || out.Release.Version != d[0].obj["id"] {
		t.Errorf("%d deploys, the second is %v", len(d), d[1].obj["status"])
	}
}

func TestADeployOfSomebodyElseIsAConflict(t *testing.T) {
	f, p, _ := running(t)
	f.mu.Lock()
	f.next = [][]string{{"build_in_progress"}}
	f.begin(f.svc[0], "manual", image("9"), "")
	f.mu.Unlock()
	_, err := p.RollOut(t.Context(), app, release("2"), silent)
	_, lockErr := p.Lock(t.Context(), app, "me@here")
	for _, err := range []error{err, lockErr} {
		if errs.CodeOf(err) != errs.Conflict || !strings.Contains(err.Error(), "manual") {
			t.Errorf("%v", err)
		}
	}
}

func TestRemoveSuspendsAndTheNextDeployResumes(t *testing.T) {
	f, p, _ := running(t)
	must(t, p.Remove(t.Context(), app, silent))
	state, err := p.Observe(t.Context(), app)
	must(t, err)
	if state.Current != nil || len(state.Instances) != 0 || !state.Secrets[0].Pending {
		t.Errorf("%+v", state)
	}
	out, err := p.RollOut(t.Context(), app, release("2"), silent)
	must(t, err)
	if d := f.svc[0].deploys[0].obj; d["trigger"] != "service_resumed" || out.Release.Version != d["id"] || len(f.svc[0].deploys) != 2 || f.svc[0].env["SECRET"] != "s3cret" {
		t.Errorf("%v", d)
	}
}

func TestARepositoryOfTheImageThatIsAnotherIsSetFirst(t *testing.T) {
	f, p, _ := running(t)
	want := release("2")
	want.Image = "ghcr.io/acme/other:2@sha256:" + strings.Repeat("2", 64)
	_, err := p.RollOut(t.Context(), app, want, silent)
	must(t, err)
	if got := f.svc[0].obj["imagePath"]; got != "ghcr.io/acme/other@sha256:"+strings.Repeat("2", 64) {
		t.Errorf("%v", got)
	}
}

func TestBuildFromACommit(t *testing.T) {
	f := newFake(t)
	p := f.client(nil)
	want := release("1")
	want.Image, want.Source = "git:c0ffee", &platform.Source{Identity: "git:c0ffee", Commit: "c0ffee", Remote: "git@github.com:acme/shop.git", Branch: "main"}
	out, err := p.RollOut(t.Context(), app, want, silent)
	must(t, err)
	s := f.svc[0]
	if s.obj["repo"] != "https://github.com/acme/shop" || s.obj["branch"] != "main" || len(s.deploys) != 2 || s.deploys[1].obj["status"] != "canceled" {
		t.Errorf("%v, %d deploys", s.obj, len(s.deploys))
	}
	if d := s.deploys[0].obj; d["id"] != out.Release.Version || d["commit"].(object)["id"] != "c0ffee" {
		t.Errorf("%v", d)
	}
}

// The roll-back is Render's own while it can, and the image anew when not.
func TestRollBack(t *testing.T) {
	for _, gone := range []bool{false, true} {
		f, p, one := running(t)
		two := release("2")
		two.Instances = 3
		_, err := p.RollOut(t.Context(), app, two, silent)
		must(t, err)
		if gone {
			f.refuse["POST /services/"+f.svc[0].obj["id"].(string)+"/rollback"] = 400
		}
		now, err := p.Restore(t.Context(), app, one, silent)
		must(t, err)
		d := f.svc[0].deploys[0].obj
		if trigger := map[bool]string{false: "rollback", true: "api"}[gone]; d["trigger"] != trigger || now.Version != d["id"] || f.svc[0].instances != 2 || f.svc[0].obj["autoDeploy"] != "no" || f.svc[0].env["COLOR"] != "1" {
			t.Errorf("%v, %d instances, %v", d, f.svc[0].instances, f.svc[0].env)
		}
		list, err := p.Releases(t.Context(), app, 1)
		must(t, err)
		if len(list) != 1 || !list[0].Restored || list[0].Image != image("1") || list[0].Label != "label-1" {
			t.Errorf("%+v", list)
		}
	}
}

// Of two services made at once a run deletes its own, when that is the younger one
// and does not serve.
func TestTwoThatMakeTheServiceAtOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		made time.Duration // the other one's, after ours
		step string        // how far our first deploy is
		code errs.Code
		left int
	}{
		"the other one is older":            {-time.Hour, "created", errs.Conflict, 1},
		"the other one is older, ours runs": {-time.Hour, "live", errs.Conflict, 2},
		"ours is about to":                  {-time.Hour, "update_in_progress", errs.Conflict, 2},
		"ours is older, and shows late":     {time.Hour, "created", "", 2},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			p := f.client(nil)
			must(t, p.CreateApp(t.Context(), platform.AppSpec{Name: app}))
			other := &fakeService{env: map[string]string{}, obj: object{"id": "srv-other", "name": app, "ownerId": "tea-1", "type": "web_service", "createdAt": time.Now().Add(tt.made), "serviceDetails": object{}}}
			f.next = [][]string{{tt.step, "live"}}
			var ours *fakeService
			f.onMake = func() {
				ours, f.late = f.svc[0], 0
				f.svc = append(f.svc, other)
				if tt.made > 0 {
					f.late = 1
				}
			}
			_, err := p.RollOut(t.Context(), app, release("1"), silent)
			if errs.CodeOf(err) != tt.code || len(f.svc) != tt.left || !slices.Contains(f.svc, other) || slices.Contains(f.svc, ours) != (tt.left == 2) {
				t.Errorf("%v, %d services", err, len(f.svc))
			}
		})
	}
}

// The answer is lost, and what is found then is another run's: it is left alone.
func TestAServiceOfAnotherRunIsLeftAlone(t *testing.T) {
	f := newFake(t)
	p, second := f.client(nil), f.client(nil)
	var lease platform.Lease
	for who, p := range map[string]*render.Platform{"first@here": p, "second@there": second} {
		l, err := p.Lock(t.Context(), app, who)
		must(t, err)
		if p == second {
			lease = l
		}
		must(t, p.CreateApp(t.Context(), platform.AppSpec{Name: app}))
	}
	_, err := second.RollOut(t.Context(), app, release("2"), silent)
	must(t, err)
	f.hide = 1 // from the look before
	f.refuse["POST /services"] = 500
	_, err = p.RollOut(t.Context(), app, release("1"), silent)
	if errs.CodeOf(err) != errs.Conflict || !strings.Contains(err.Error(), "second@there") || len(f.svc) != 1 || len(f.svc[0].deploys) != 1 || f.svc[0].env["COLOR"] != "2" {
		t.Errorf("%v, %d services", err, len(f.svc))
	}
	must(t, lease.Release(t.Context()))
}

// What is live is no failure because it could not be written down; the next run
// finds out what it was.
func TestALiveDeployThatCannotBeWrittenDown(t *testing.T) {
	f, p, _ := running(t)
	state := "PUT /services/" + f.svc[0].obj["id"].(string) + "/env-vars/OPSCTL_STATE"
	f.onLive = func() { f.refuse[state] = 403 }
	var told []string
	two, err := p.RollOut(t.Context(), app, release("2"), func(format string, args ...any) { told = append(told, fmt.Sprintf(format, args...)) })
	must(t, err)
	if !strings.Contains(strings.Join(told, "\n"), "could not be written down") {
		t.Errorf("told %q", told)
	}
	f.onLive = nil
	p = f.client(nil)
	_, err = p.RollOut(t.Context(), app, release("3"), silent)
	must(t, err)
	list, err := p.Releases(t.Context(), app, 10)
	must(t, err)
	if len(list) != 3 || list[1].Version != two.Release.Version || list[1].Label != "label-2" || list[1].Env["COLOR"] != "2" || list[1].Port != 3000 {
		t.Errorf("%+v", list)
	}
}
