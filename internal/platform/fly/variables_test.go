package fly_test

import (
	"strings"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/emulator"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
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
	if err := p.RollOut(t.Context(), app, release, func(string, ...any) {}); err != nil {
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
		set, err := p.ReadVariables(t.Context(), app)
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
