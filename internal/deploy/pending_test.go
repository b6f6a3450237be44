package deploy_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/deploy"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/platform/fly"
)

// elsewhere is the engine of another machine, which shares nothing but the platform.
func (f *fixture) elsewhere(t *testing.T) *fixture {
	t.Helper()
	engine := *f.engine
	engine.Platform, engine.StateDir, engine.Event = f.client(t), t.TempDir(), nil
	return &fixture{server: f.server, engine: &engine, ctx: f.ctx}
}

// reason is what is said of a variable.
func reason(p *deploy.VariablePlan, name string) string {
	for _, v := range p.Variables {
		if v.Name == name {
			return string(v.State) + ": " + v.Reason
		}
	}
	return "not in the plan"
}

// What waits for a roll-out is the platform's to say: so a deploy brings it whoever
// pushed it, from wherever, and whichever file it was in.
func TestADeployBringsWhatOthersPushed(t *testing.T) {
	f := newFixture(t)
	req := f.request("shop:v1")
	f.mustDeploy(t, req)
	other := f.elsewhere(t)
	other.push(t, other.compare(t, map[string]string{"SHIP_KEY": "s-111111"}, deploy.VariableRules{}))
	if got := reason(f.compare(t, req.Secrets, deploy.VariableRules{}), "SHIP_KEY"); got != "only: on the platform only, and not every instance has it yet" {
		t.Errorf("before the deploy: %s", got)
	}
	result := f.mustDeploy(t, req)
	if result.Outcome != deploy.Deployed || !strings.Contains(fmt.Sprint(result.Changes), "SHIP_KEY") {
		t.Errorf("%s, %v", result.Outcome, result.Changes)
	}
	if got := f.get(t, "/env?name=SHIP_KEY"); got != "s-111111" {
		t.Errorf("the app has %q", got)
	}
	if r := f.mustDeploy(t, req); r.Outcome != deploy.Unchanged {
		t.Errorf("one more deploy: %s %v", r.Outcome, r.Changes)
	}
}

// After a deploy that failed, the version before runs with what was pushed since, on
// the instances that were touched. With one instance none was: another stood in for it.
func TestAFailedDeployNamesWhatWasPushed(t *testing.T) {
	for instances, touched := range map[int]bool{1: false, 2: true} {
		t.Run(fmt.Sprint(instances), func(t *testing.T) {
			f := newFixture(t)
			req := f.request("shop:v1")
			req.Release.Instances = instances
			req.Secrets["OLD"] = "o-111111"
			f.mustDeploy(t, req)
			image := f.state(t).Current.Image
			file := map[string]string{"API_KEY": "k-222222"}
			f.push(t, f.compare(t, file, deploy.VariableRules{}), "OLD")

			sick := f.request("sick:v1")
			sick.Release.Instances, sick.Secrets, sick.Command = instances, file, nil
			result, err := f.deploy(sick)
			if errs.ExitCode(err) != 8 {
				t.Fatalf("exit %d: %v", errs.ExitCode(err), err)
			}
			kept := "what was pushed before: API_KEY, OLD (the instances that were touched run with it now)"
			if slices.Contains(result.Kept, kept) != touched {
				t.Errorf("kept: %v", result.Kept)
			}
			hint := errs.HintOf(err)
			for _, part := range []string{"not undone: " + kept, "to have the old values back", "opsctl env push FILE && opsctl deploy --image " + image} {
				if strings.Contains(hint, part) != touched {
					t.Errorf("the hint has %q: %v\n%s", part, !touched, hint)
				}
			}
			if strings.Contains(hint, "k-222222") { // the sick app prints it
				t.Errorf("the hint has a value:\n%s", hint)
			}
			if got := reason(f.compare(t, file, deploy.VariableRules{}), "API_KEY"); got != "same: not every instance has it yet: the next deploy or restart brings it" {
				t.Errorf("afterwards: %s", got)
			}
			req.Secrets = file
			if r := f.mustDeploy(t, req); r.Outcome != deploy.Deployed || f.get(t, "/env?name=API_KEY") != "k-222222" {
				t.Errorf("the next deploy: %+v", r)
			}
		})
	}
}

// Where every instance was made anew before the gate said no, each has what was pushed.
func TestAfterAFailedGateEveryInstanceHasWhatWasPushed(t *testing.T) {
	f := newFixture(t)
	req := f.request("shop:v1")
	req.Release.Instances, req.Command = 1, nil
	f.mustDeploy(t, req)
	file := map[string]string{"API_KEY": "k-222222"}
	f.push(t, f.compare(t, file, deploy.VariableRules{}))
	req = f.request("shop:v2")
	req.Release.Instances, req.Command, req.Secrets = 1, nil, nil // another file
	req.Gate.Timeout, req.Gate.Consecutive = 2*time.Second, 1000
	result, err := f.deploy(req)
	if errs.ExitCode(err) != 8 || !strings.Contains(fmt.Sprint(result.Kept), "what was pushed before: API_KEY") {
		t.Errorf("exit %d, kept %v: %v", errs.ExitCode(err), result.Kept, err)
	}
	if got := f.get(t, "/env?name=API_KEY"); got != "k-222222" {
		t.Errorf("the app has %q", got)
	}
	if got := reason(f.compare(t, file, deploy.VariableRules{}), "API_KEY"); got != "same: " {
		t.Errorf("afterwards: %s", got)
	}
}

// A push between the plan and the lock is neither overwritten nor brought unasked.
func TestAPushBetweenPlanAndDeployIsAConflict(t *testing.T) {
	f := newFixture(t)
	f.mustDeploy(t, f.request("shop:v1"))
	req := f.request("shop:v2")
	req.Secrets["API_KEY"] = "k-222222"
	p, err := f.engine.Prepare(f.ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	other := f.elsewhere(t)
	other.push(t, other.compare(t, map[string]string{"API_KEY": "k-333333", "MORE": "m-333333"}, deploy.VariableRules{}))
	before := f.staged()
	if _, err := f.engine.Apply(f.ctx, p); errs.ExitCode(err) != 6 || !strings.Contains(err.Error(), "API_KEY, MORE") {
		t.Errorf("exit %d: %v", errs.ExitCode(err), err)
	}
	if s := f.state(t); f.staged() != before || s.Current.Version != "1" || s.Mixed {
		t.Errorf("it went on: %d requests for secrets, %+v", f.staged()-before, s.Current)
	}
}

// Two commands of one machine: what the one has remembered, the other keeps.
func TestFingerprintsAreReadAgainUnderTheLock(t *testing.T) {
	f := newFixture(t)
	f.mustDeploy(t, f.request("shop:v1"))
	f.engine.StateDir = t.TempDir()
	file := map[string]string{"API_KEY": "k-111111"}
	push := f.compare(t, file, deploy.VariableRules{}) // unknown here
	req := f.request("shop:v2")
	req.Secrets = map[string]string{"MORE": "m-111111"}
	p, err := f.engine.Prepare(f.ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	f.push(t, push) // the same value has the same digest: no conflict
	if _, err := f.engine.Apply(f.ctx, p); err != nil {
		t.Fatal(err)
	}
	if got := reason(f.compare(t, file, deploy.VariableRules{}), "API_KEY"); got != "same: " {
		t.Errorf("what the push remembered is lost: %s", got)
	}
	if got := reason(f.compare(t, req.Secrets, deploy.VariableRules{}), "MORE"); got != "same: " {
		t.Errorf("what the deploy remembered is lost: %s", got)
	}
}

// withDatabase is Fly with a managed database that is there.
type withDatabase struct {
	*fly.Platform
	db platform.Database
}

func (w *withDatabase) FindPostgres(context.Context, string, string) (*platform.Database, error) {
	return &w.db, nil
}

func (w *withDatabase) CreatePostgres(context.Context, platform.DatabaseSpec, platform.Report) (*platform.Database, error) {
	return &w.db, nil
}

// What is of the managed database stands as the plan of a deploy says at that moment.
func TestManagedVariablesAreComparedToo(t *testing.T) {
	f := newFixture(t)
	w := &withDatabase{f.client(t), platform.Database{Name: "shop-db", Direct: "postgres://u:p1@db/d", Pooled: "postgres://u:p1@pool/d"}}
	f.engine.Platform = w
	req := f.request("shop:v1")
	req.Postgres = &platform.DatabaseSpec{App: "shop", Name: "shop-db", Version: 16, Region: "fra", Plan: "basic", PoolMode: "transaction"}
	f.mustDeploy(t, req)
	compare := func(file map[string]string) *deploy.VariablePlan {
		t.Helper()
		p, err := f.engine.PrepareVariables(f.ctx, deploy.VariableRequest{
			App: req.App, Wanted: deploy.Want(file, deploy.VariableRules{}), Postgres: req.Postgres,
		})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if got := reason(compare(req.Secrets), "DATABASE_URL"); got != "same: of the managed database: deploy keeps it" {
		t.Errorf("after a deploy: %s", got)
	}

	w.db.Pooled = "postgres://u:p2@pool/d" // its password was changed
	p := compare(req.Secrets)
	if got := reason(p, "DATABASE_URL"); got != "change: of the managed database: the next deploy sets it" {
		t.Errorf("after the change: %s", got)
	}
	if len(p.Select(deploy.Variable.Pushes)) != 0 || len(p.Select(deploy.Variable.Differs)) != 1 {
		t.Errorf("%+v", p.Variables)
	}
	plan, err := f.engine.Prepare(f.ctx, req)
	if err != nil || !strings.Contains(fmt.Sprint(plan.Changes), "DATABASE_URL") {
		t.Errorf("the deploy's plan: %v, %v", plan.Changes, err)
	}

	// A direct URL alone is no database of the app's own.
	req.Secrets["DIRECT_DATABASE_URL"] = "postgres://me@mine/d"
	p = compare(req.Secrets)
	if got := reason(p, "DIRECT_DATABASE_URL"); !strings.Contains(got, "the file's value is not used") {
		t.Errorf("in a comparison: %s", got)
	}
	before := f.staged()
	f.push(t, p)
	if f.staged() != before {
		t.Error("a push sent it")
	}
	if plan, err = f.engine.Prepare(f.ctx, req); err != nil || len(plan.Notes) != 1 || !strings.Contains(plan.Notes[0], "DIRECT_DATABASE_URL") {
		t.Errorf("the deploy says %q, %v", plan.Notes, err)
	}
}

// readable is a platform that gives values back, and no digests: but for one that is sealed.
type readable struct {
	platform.Platform
	mu     sync.Mutex
	values map[string]string
}

func (r *readable) Observe(ctx context.Context, app string) (*platform.State, error) {
	state, err := r.Platform.Observe(ctx, app)
	if err == nil {
		for i := range state.Secrets {
			state.Secrets[i].Digest = ""
		}
	}
	return state, err
}

func (r *readable) StageSecrets(ctx context.Context, app string, changes map[string]*string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, value := range changes {
		if delete(r.values, name); value != nil {
			r.values[name] = *value
		}
	}
	return r.Platform.StageSecrets(ctx, app, changes)
}

func (r *readable) ReadVariables(context.Context, string) (*platform.VariableSet, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	set := &platform.VariableSet{Source: "the platform"}
	for _, name := range slices.Sorted(maps.Keys(r.values)) {
		if name == "SEALED" {
			set.Unread = append(set.Unread, platform.Unread{Name: name, Reason: "it is sealed"})
			continue
		}
		set.Values = append(set.Values, platform.Variable{Name: name, Value: r.values[name]})
	}
	return set, nil
}

// Where values can be read, they are compared: on any machine, and also between a plan
// and the lock.
func TestAPlatformWithValuesAndNoDigests(t *testing.T) {
	f := newFixture(t)
	r := &readable{Platform: f.client(t), values: map[string]string{}}
	f.engine.Platform = r
	req := f.request("shop:v1")
	req.Secrets["SEALED"] = "x-111111"
	f.mustDeploy(t, req)
	f.engine.StateDir = t.TempDir() // nothing is remembered
	file := map[string]string{"API_KEY": "k-111111", "SEALED": "x-111111", "NEW": "n-111111"}
	if got := stands(f.compare(t, file, deploy.VariableRules{})); got != "NEW=add SEALED=unknown" {
		t.Errorf("elsewhere: %s", got)
	}
	file["API_KEY"] = "k-222222"
	p := f.compare(t, file, deploy.VariableRules{})
	if got := stands(p); got != "API_KEY=change NEW=add SEALED=unknown" {
		t.Errorf("changed: %s", got)
	}
	plan, err := f.engine.Prepare(f.ctx, f.request("shop:v2"))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.StageSecrets(f.ctx, "shop", map[string]*string{"API_KEY": new("k-333333")}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.engine.PushVariables(f.ctx, p, nil); errs.ExitCode(err) != 6 || !strings.Contains(err.Error(), "API_KEY") {
		t.Errorf("a push over another's: exit %d, %v", errs.ExitCode(err), err)
	}
	if _, err := f.engine.Apply(f.ctx, plan); errs.ExitCode(err) != 6 || !strings.Contains(err.Error(), "API_KEY") {
		t.Errorf("a deploy over another's: exit %d, %v", errs.ExitCode(err), err)
	}
	f.push(t, f.compare(t, file, deploy.VariableRules{}))
	if got := stands(f.compare(t, file, deploy.VariableRules{})); got != "SEALED=unknown" {
		t.Errorf("after the push: %s", got)
	}
}
