package fly_test

import (
	"strings"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/emulator"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/platform/fly"
)

// What keeps the values of a running machine from being read, and what is said then.
func TestReadVariablesInTrouble(t *testing.T) {
	server := start(t, nil)
	p := client(t, server)
	const app = "suite"
	secret := "k-secret-value"
	if err := p.CreateApp(t.Context(), platform.AppSpec{Name: app}); err != nil {
		t.Fatal(err)
	}
	if err := p.StageSecrets(t.Context(), app, map[string]*string{"API_KEY": &secret}); err != nil {
		t.Fatal(err)
	}
	release := platform.Release{Image: "registry.fly.io/suite:1", Port: 3000, Health: "/api/health", Instances: 1, Region: "fra", Strategy: "rolling", Timeout: 20 * time.Second}
	release, err := p.BeginRelease(t.Context(), app, release)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.RollOut(t.Context(), app, release, func(string, ...any) {}); err != nil {
		t.Fatal(err)
	}
	const exec = "POST /v1/apps/suite/machines/*/exec="
	for _, tt := range []struct {
		fault string
		exit  int // 0: it works all the same
		says  string
	}{
		{"", 0, ""},
		{exec + "429,count=1", 0, ""},
		{exec + "reset,count=1", 0, ""},
		{exec + "500", 1, "no program that shows its environment"},
		{exec + "400,count=1", 0, ""}, // the first of the two programs
		{exec + "412,count=1", 6, "does not run any more"},
		{exec + "503", 1, "HTTP 503"},
		{exec + "401", 4, "HTTP 401"},
		{"GET /v1/apps/suite/secrets=404", 1, "list the secrets"},
	} {
		server.ClearFaults()
		if tt.fault != "" {
			f, err := emulator.ParseFault(tt.fault)
			if err != nil {
				t.Fatal(err)
			}
			server.AddFaults(f)
		}
		set, err := client(t, server).ReadVariables(t.Context(), app) // one that has read nothing yet
		if tt.exit == 0 && (err != nil || len(set.Values) != 1 || set.Values[0].Value != secret) {
			t.Errorf("%s: %+v, %v", tt.fault, set, err)
		}
		if tt.exit != 0 && (errs.ExitCode(err) != tt.exit || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), secret)) {
			t.Errorf("%s: exit %d (%v), want %d and %q", tt.fault, errs.ExitCode(err), err, tt.exit, tt.says)
		}
	}
	server.ClearFaults()
	if err := p.Remove(t.Context(), app, func(string, ...any) {}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.ReadVariables(t.Context(), app); errs.ExitCode(err) != 1 || !strings.Contains(err.Error(), "no machine of") || !strings.Contains(errs.HintOf(err), "opsctl deploy") {
		t.Errorf("nothing runs: %v, %s", err, errs.HintOf(err))
	}
}

// Where Fly's times are whole seconds, what a deploy stages and starts at once is told
// apart from what is staged right after a machine began.
func TestSecretsWithTimesInWholeSeconds(t *testing.T) {
	server := start(t, func(o *emulator.Options) { o.Now = func() time.Time { return time.Now().Truncate(time.Second) } })
	env := server.Env()
	p, err := fly.New(t.Context(), fly.Options{Lookup: func(name string) (string, bool) { v, ok := env[name]; return v, ok }})
	if err != nil {
		t.Fatal(err)
	}
	const app = "suite"
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(p.CreateApp(t.Context(), platform.AppSpec{Name: app}))
	must(p.StageSecrets(t.Context(), app, map[string]*string{"API_KEY": new("one")}))
	release, err := p.BeginRelease(t.Context(), app, platform.Release{
		Image: "registry.fly.io/suite:1", Port: 3000, Health: "/api/health", Instances: 1, Region: "fra", Strategy: "rolling", Timeout: 20 * time.Second,
	})
	must(err)
	_, err = p.RollOut(t.Context(), app, release, func(string, ...any) {})
	must(err)
	state, err := p.Observe(t.Context(), app)
	must(err)
	if state.Secrets[0].Pending {
		t.Error("pending after the roll-out that brought it")
	}
	set, err := p.ReadVariables(t.Context(), app)
	if must(err); len(set.Values) != 1 || len(set.Unread) != 0 {
		t.Errorf("%+v", set)
	}
	must(p.StageSecrets(t.Context(), app, map[string]*string{"API_KEY": new("two")}))
	state, err = p.Observe(t.Context(), app)
	if must(err); !state.Secrets[0].Pending {
		t.Error("not pending after it was set anew")
	}
	set, err = p.ReadVariables(t.Context(), app)
	if must(err); len(set.Values) != 0 || len(set.Unread) != 1 {
		t.Errorf("the old value is handed out as the new one: %+v", set)
	}
}
