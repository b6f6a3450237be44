package render_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	emulated "github.com/opsctl/opsctl/internal/emulator/render"
	"github.com/opsctl/opsctl/internal/emulator/world"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/platform/platformtest"
	"github.com/opsctl/opsctl/internal/platform/render"
)

// Changing the settings begins a deploy: it is taken when it is the wanted one, and
// ended when nothing is to be deployed.
func TestSettingsThatDeployByThemselves(t *testing.T) {
	f, p, one := running(t)
	s := f.svc[0]
	f.onPatch = func() { f.begin(s, "service_updated", fmt.Sprint(s.obj["imagePath"]), "") }
	two, err := p.RollOut(t.Context(), app, release("2"), silent)
	must(t, err)
	if len(s.deploys) != 2 || f.requests("POST") != 1 || two.Release.Version != s.deploys[0].obj["id"] || s.env["COLOR"] != "2" {
		t.Errorf("%d deploys, %v", len(s.deploys), f.log)
	}
	// What serves gets its settings back, and is not deployed again.
	f.next = [][]string{{"update_in_progress", "update_failed"}}
	if _, err := p.RollOut(t.Context(), app, release("3"), silent); err == nil {
		t.Error("it did not fail")
	}
	_, err = p.Restore(t.Context(), app, two.Release, silent)
	must(t, err)
	if len(s.deploys) != 4 || s.deploys[0].obj["status"] != "canceled" || s.deploys[2].obj["status"] != "live" || s.env["COLOR"] != "2" {
		t.Errorf("%v", s.deploys[0].obj)
	}
	// A roll-back is Render's own.
	back, err := p.Restore(t.Context(), app, one, silent)
	must(t, err)
	if d := s.deploy(back.Version).obj; d["trigger"] != "rollback" || d["status"] != "live" {
		t.Errorf("%v", d)
	}
}

// A roll-back that fails leaves what serves on with its own settings; one that is
// live has its release command again, for the deploys to come.
func TestTheSettingsAfterARollBack(t *testing.T) {
	f := newFake(t)
	p := f.client(nil)
	must(t, p.CreateApp(t.Context(), platform.AppSpec{Name: app}))
	first := release("1")
	first.Command = []string{"migrate"}
	one, err := p.RollOut(t.Context(), app, first, silent)
	must(t, err)
	want := release("2")
	want.Command, want.Health = []string{"migrate", "--more"}, "/other"
	two, err := p.RollOut(t.Context(), app, want, silent)
	must(t, err)
	s := f.svc[0]
	details := s.obj["serviceDetails"].(object)
	f.next = [][]string{{"update_in_progress", "update_failed"}}
	if _, err := p.Restore(t.Context(), app, one.Release, silent); errs.CodeOf(err) != errs.Failure {
		t.Errorf("%v", err)
	}
	if s.env["COLOR"] != "2" || s.env["OPSCTL_RELEASE"] != "label-2" || details["healthCheckPath"] != "/other" || !strings.Contains(fmt.Sprint(details["preDeployCommand"]), "--more") {
		t.Errorf("%v, %v", s.env, details)
	}
	state, err := p.Observe(t.Context(), app)
	must(t, err)
	if c := state.Current; c.Version != two.Release.Version || c.Label != "label-2" || c.Env["COLOR"] != "2" {
		t.Errorf("%+v", c)
	}
	back, err := p.Restore(t.Context(), app, one.Release, silent)
	must(t, err)
	if command := fmt.Sprint(details["preDeployCommand"]); !strings.Contains(command, "migrate") || strings.Contains(command, "--more") || len(back.Command) != 1 || s.env["COLOR"] != "1" {
		t.Errorf("%q, %+v", command, back)
	}
	if len(s.deploys) != 4 || s.deploys[0].obj["status"] != "live" {
		t.Errorf("%d deploys", len(s.deploys))
	}
}

// Where the Dockerfile is goes with each deploy from a repository.
func TestTheDockerfileOfARepository(t *testing.T) {
	f := newFake(t)
	p := f.client(nil)
	want := release("1")
	want.Image, want.Source = "git:c0ffee", &platform.Source{Identity: "git:c0ffee", Commit: "c0ffee", Remote: "https://github.com/acme/shop", Branch: "main", Dockerfile: "apps/web/Dockerfile", Context: "."}
	_, err := p.RollOut(t.Context(), app, want, silent)
	must(t, err)
	where := func(file, context string) {
		t.Helper()
		o := f.svc[0].obj
		if d, _ := o["serviceDetails"].(object)["envSpecificDetails"].(object); d["dockerfilePath"] != file || d["dockerContext"] != context || o["rootDir"] != "" {
			t.Errorf("%v, root %v", d, o["rootDir"])
		}
	}
	where("./apps/web/Dockerfile", ".")
	f.svc[0].obj["rootDir"] = "elsewhere" // at the dashboard
	want.Label, want.Image = "label-2", "git:beef"
	want.Source = &platform.Source{Identity: "git:beef", Commit: "beef", Remote: "https://github.com/acme/shop", Branch: "main", Dockerfile: "Dockerfile", Context: "apps/web"}
	_, err = p.RollOut(t.Context(), app, want, silent)
	must(t, err)
	where("./Dockerfile", "./apps/web")
}

func TestRegistryCredentials(t *testing.T) {
	f := newFake(t)
	f.credentials = []object{{"id": "rgc-1", "name": "one", "registry": "GITHUB"}, {"id": "rgc-2", "name": "two", "registry": "GITHUB"}, {"id": "rgc-3", "name": "hub", "registry": "DOCKER"}}
	_, err := f.client(nil).RollOut(t.Context(), app, release("1"), silent)
	if errs.CodeOf(err) != errs.Usage || !strings.Contains(errs.HintOf(err), "rgc-1  one\nrgc-2  two") || strings.Contains(errs.HintOf(err), "hub") || len(f.svc) != 0 {
		t.Errorf("%v: %s", err, errs.HintOf(err))
	}
	p := f.client(func(o *render.Options) { o.RegistryCredential = "two" })
	_, err = p.RollOut(t.Context(), app, release("1"), silent)
	must(t, err)
}

// The same against the emulator of Render's API.
func TestSettingsThatDeployByThemselvesOnTheEmulator(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	must(t, err)
	w, err := world.New(world.Options{Exec: []string{"/bin/sh", "-c", platformtest.Role + "=app GORACE=atexit_sleep_ms=0 exec " + self}})
	must(t, err)
	t.Cleanup(func() { must(t, w.Close()) })
	for _, tag := range []string{"1", "2"} {
		must(t, w.Images.Seed("registry.example.com/suite:"+tag))
	}
	api := emulated.New(emulated.Options{World: w, DeployOnUpdate: true, CheckInterval: 20 * time.Millisecond})
	server := httptest.NewServer(api)
	t.Cleanup(func() {
		must(t, api.Close())
		server.Close()
	})
	env := map[string]string{"RENDER_API_KEY": "rnd_test", "RENDER_HOST": server.URL + "/v1/", "RENDER_WORKSPACE": "tea-1"}
	p, err := render.New(t.Context(), render.Options{
		Lookup: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		Poll:   20 * time.Millisecond, Settle: time.Millisecond,
	})
	must(t, err)
	var outs []platform.Release
	for _, n := range []string{"1", "2"} {
		want := release(n)
		want.Image = "registry.example.com/suite:" + n
		out, err := p.RollOut(t.Context(), app, want, silent)
		must(t, err)
		outs = append(outs, out.Release)
	}
	check := func(n int, label, trigger string) {
		t.Helper()
		state, err := p.Observe(t.Context(), app)
		must(t, err)
		list, err := p.Releases(t.Context(), app, 10)
		must(t, err)
		served := slices.IndexFunc(list, func(r platform.Release) bool { return r.Status == platform.Complete })
		if len(list) != n || state.Current.Label != label || state.Current.Env["COLOR"] != strings.TrimPrefix(label, "label-") || list[served].Author != trigger {
			t.Errorf("%d releases, the newest that served %+v, current %+v", len(list), list[served], state.Current)
		}
	}
	check(2, "label-2", "service updated")
	_, err = p.Restore(t.Context(), app, outs[0], silent)
	must(t, err)
	check(4, "label-1", "rollback") // and one that began by itself and was ended
}
