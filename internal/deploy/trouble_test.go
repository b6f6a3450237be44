package deploy_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/opsctl/opsctl/internal/deploy"
	"github.com/opsctl/opsctl/internal/emulator"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// fault injects trouble into the emulator.
func (f *fixture) fault(t *testing.T, spec string) {
	t.Helper()
	fault, err := emulator.ParseFault(spec)
	if err != nil {
		t.Fatal(err)
	}
	f.server.AddFaults(fault)
}

// A blip of the API in any phase must not fail a deploy, nor make anything twice.
func TestTroubleOfTheAPIIsWaitedOut(t *testing.T) {
	for name, tt := range map[string]struct{ spec, hits string }{ // hits ends the path of what the fault meets
		"marking the release":                    {"PATCH /api/v1/releases/*=502,count=1,skip=1", ""},
		"updating a machine":                     {"POST /v1/apps/shop/machines/*=502,count=1,skip=3", "MACHINE"}, // skip: two locks and the release command's start
		"updating a machine, the answer lost":    {"POST /v1/apps/shop/machines/*=502,count=1,late,skip=3", "MACHINE"},
		"watching a machine":                     {"GET /v1/apps/shop/machines/*=500,count=6", ""},
		"taking the lock":                        {"POST /v1/apps/shop/machines/*/lease=503,count=2", "/lease"},
		"taking the lock, the answer lost":       {"POST /v1/apps/shop/machines/*/lease=502,count=1,late", "/lease"},
		"asking who we are":                      {"POST /graphql=503,count=2", ""},
		"setting secrets, the answer lost":       {"POST /v1/apps/shop/secrets=502,count=1,late", ""},
		"watching the release command's machine": {"GET /v1/apps/shop/machines/*=500,count=6,skip=2", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.mustDeploy(t, f.request("shop:v1"))
			f.fault(t, tt.spec)
			req := f.request("shop:v2")
			req.Secrets["API_KEY"] = "k-333333"
			result := f.mustDeploy(t, req)
			s := f.state(t)
			if result.Outcome != deploy.Deployed || len(s.Instances) != 2 || s.Mixed || !strings.Contains(s.Current.Image, "shop:v2") {
				t.Errorf("%+v, state %+v", result, s)
			}
			met := slices.ContainsFunc(f.server.Requests(), func(r emulator.Request) bool {
				return r.Fault != "" && (strings.HasSuffix(r.Path, tt.hits) ||
					tt.hits == "MACHINE" && slices.ContainsFunc(s.Instances, func(i platform.Instance) bool { return strings.HasSuffix(r.Path, "/"+i.ID) }))
			})
			if !met {
				t.Error("the fault met no such request")
			}
		})
	}
}

// A machine whose creation was answered with an error may exist all the same.
func TestNoMachineIsMadeTwice(t *testing.T) {
	f := newFixture(t)
	f.fault(t, "POST /v1/apps/shop/machines=502,count=1,late,skip=1") // skip: the release command's
	req := f.request("shop:v1")
	_, err := f.deploy(req)
	if err == nil {
		t.Log("the lost answer was got over")
	}
	f.server.ClearFaults()
	f.mustDeploy(t, req)
	if n := len(f.state(t).Instances); n != 2 {
		t.Errorf("%d instances, want 2", n)
	}
}

// Machines that opsctl did not make are put back as they were, never destroyed.
func TestAFailedDeployKeepsWhatRanBeforeOpsctl(t *testing.T) {
	f := newFixture(t)
	f.mustDeploy(t, f.request("shop:v1"))
	for _, i := range f.state(t).Instances { // as flyctl or a person would have left them
		f.forget(t, i.ID)
	}
	before := f.state(t)
	if before.Current.Version != "" {
		t.Fatalf("the machines still know a release: %+v", before.Current)
	}
	_, err := f.deploy(f.request("sick:v1"))
	if errs.ExitCode(err) != 8 || !strings.Contains(err.Error(), "what ran before was restored") {
		t.Fatalf("%v", err)
	}
	after := f.state(t)
	if len(after.Instances) != 2 || after.Instances[0].ID != before.Instances[0].ID || after.Current.Image != before.Current.Image {
		t.Errorf("before %+v, after %+v", before.Instances, after.Instances)
	}
}

// forget removes what opsctl knows a machine by.
func (f *fixture) forget(t *testing.T, id string) {
	t.Helper()
	for _, key := range []string{"fly_release_version", "fly_release_id", "opsctl_release", "opsctl_instances"} {
		req, err := http.NewRequestWithContext(f.ctx, http.MethodDelete, f.server.URL()+"/v1/apps/shop/machines/"+id+"/metadata/"+key, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+emulator.Token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil || resp.StatusCode >= 300 {
			t.Fatalf("%s: %s, %v", key, resp.Status, err)
		}
	}
}

// A rollback is held to the health path of the release that it brings back.
func TestRollbackProbesTheRestoredReleasesPath(t *testing.T) {
	f := newFixture(t)
	f.mustDeploy(t, f.request("shop:v1"))
	req := f.request("shop:v2")
	req.Release.Health = "/env" // v1 has no such check, and v2's is another
	f.mustDeploy(t, req)
	state, to, err := f.engine.RollbackTarget(f.ctx, "shop", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.engine.Rollback(f.ctx, "shop", state, to, req.Gate); err != nil {
		t.Fatalf("%v\n%s", err, errs.HintOf(err))
	}
	if got := f.state(t).Current.Health; got != "/api/health" {
		t.Errorf("health path %q", got)
	}
}

// Without a health path an app has to stay up for a while before it counts.
func TestACrashingAppWithoutAHealthPathIsNotDeployed(t *testing.T) {
	f := newFixture(t)
	f.mustDeploy(t, f.request("shop:v1"))
	req := f.request("crashing:v1")
	req.Release.Health = ""
	if _, err := f.deploy(req); errs.ExitCode(err) != 8 {
		t.Errorf("%v", err)
	}
}

// The user's own database on the platform is not replaced by a new, empty one.
func TestAnOwnDatabaseURLIsLeftAlone(t *testing.T) {
	f := newFixture(t)
	if err := f.engine.Platform.CreateApp(f.ctx, platform.AppSpec{Name: "shop"}); err != nil {
		t.Fatal(err)
	}
	own := "postgres://me@db.example.com/mine"
	if err := f.engine.Platform.StageSecrets(f.ctx, "shop", map[string]*string{"DATABASE_URL": &own}); err != nil {
		t.Fatal(err)
	}
	req := f.request("shop:v1")
	req.Postgres = &platform.DatabaseSpec{App: "shop", Name: "shop-db", Version: 16, Region: "fra", Plan: "basic", PoolMode: "transaction"}
	inFile := req
	inFile.Secrets = map[string]string{"DATABASE_URL": own}
	for name, req := range map[string]deploy.Request{"on the platform": req, "in the env file": inFile} {
		p, err := f.engine.Prepare(f.ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range p.Changes {
			if c.Object == "database" {
				t.Errorf("%s: the plan makes a database: %+v", name, c)
			}
		}
	}
}

func TestAnotherRegionIsRefused(t *testing.T) {
	f := newFixture(t)
	f.mustDeploy(t, f.request("shop:v1"))
	req := f.request("shop:v1")
	req.Release.Region = "ams"
	if _, err := f.engine.Prepare(f.ctx, req); errs.ExitCode(err) != 2 || !strings.Contains(err.Error(), "runs in fra") {
		t.Errorf("%v", err)
	}
}

// A release that was rolled back is not what a later rollback returns to.
func TestRollbackSkipsWhatWasRolledBack(t *testing.T) {
	f := newFixture(t)
	f.mustDeploy(t, f.request("shop:v1"))
	f.mustDeploy(t, f.request("shop:v2"))
	state, to, err := f.engine.RollbackTarget(f.ctx, "shop", "")
	if err != nil {
		t.Fatal(err)
	}
	req := f.request("shop:v1")
	if _, err := f.engine.Rollback(f.ctx, "shop", state, to, req.Gate); err != nil {
		t.Fatal(err)
	}
	req.Release.Env["LOG_LEVEL"] = "debug"
	f.mustDeploy(t, req)
	if _, to, err = f.engine.RollbackTarget(f.ctx, "shop", ""); err != nil || to.Version != "1" {
		t.Errorf("target %+v, %v, want release 1", to, err)
	}
}

// A run that failed between the app and its addresses is made good by the next.
func TestAnAppWithoutAddressesGetsThem(t *testing.T) {
	f := newFixture(t)
	f.fault(t, "POST /v1/apps/*/ip_assignments=400,count=1")
	if _, err := f.deploy(f.request("shop:v1")); err == nil {
		t.Fatal("the first deploy should fail")
	}
	f.mustDeploy(t, f.request("shop:v1"))
	assigned := 0
	for _, r := range f.server.Requests() {
		if r.Method == http.MethodPost && strings.HasSuffix(r.Path, "/ip_assignments") && r.Status < 300 {
			assigned++
		}
	}
	if assigned != 2 {
		t.Errorf("%d addresses were assigned, want an IPv4 and an IPv6", assigned)
	}
}
