package deploy_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/deploy"
	"github.com/opsctl/opsctl/internal/envcheck"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

func TestWantIsTheOneChoice(t *testing.T) {
	w := deploy.Want(map[string]string{"A": "1", "NODE_ENV": "production", "PORT": "3000", "LOG_LEVEL": "debug", "UPLOAD_TOKEN": "x", "EMPTY": ""},
		deploy.VariableRules{BuildOnly: []string{"UPLOAD_TOKEN"}, Plain: map[string]string{"LOG_LEVEL": "info"}})
	if len(w.Secrets) != 1 || w.Secrets["A"] != "1" || !slices.Equal(w.Empty, []string{"EMPTY"}) {
		t.Errorf("%+v", w)
	}
	for _, name := range []string{"NODE_ENV", "PORT", "LOG_LEVEL", "UPLOAD_TOKEN", "EMPTY"} {
		if w.Skipped[name] == "" {
			t.Errorf("%s is skipped without a word", name)
		}
	}
}

func (f *fixture) compare(t *testing.T, file map[string]string, rules deploy.VariableRules) *deploy.VariablePlan {
	t.Helper()
	plan, err := f.engine.PrepareVariables(f.ctx, deploy.VariableRequest{
		App: platform.AppSpec{Name: "shop"}, Wanted: deploy.Want(file, rules), Rules: rules,
	})
	if err != nil {
		t.Fatalf("compare: %v\n%s", err, errs.HintOf(err))
	}
	return plan
}

// stands is the plan in one line: NAME=state, without what is the same.
func stands(p *deploy.VariablePlan) string {
	var out []string
	for _, v := range p.Variables {
		if v.State != deploy.VariableSame {
			out = append(out, v.Name+"="+string(v.State))
		}
	}
	return strings.Join(out, " ")
}

// staged counts the requests that changed secrets.
func (f *fixture) staged() int {
	n := 0
	for _, r := range f.server.Requests() {
		if r.Method == "POST" && strings.HasSuffix(r.Path, "/secrets") {
			n++
		}
	}
	return n
}

func (f *fixture) push(t *testing.T, p *deploy.VariablePlan, prune ...string) deploy.Pushed {
	t.Helper()
	done, err := f.engine.PushVariables(f.ctx, p, prune)
	if err != nil {
		t.Fatalf("push: %v\n%s", err, errs.HintOf(err))
	}
	return done
}

// What deploy set, a comparison finds the same; what a push set, a deploy does not
// set again, but it brings it to the instances.
func TestPushAndDeployFindEachOthersWorkDone(t *testing.T) {
	f := newFixture(t)
	req := f.request("shop:v1")
	req.Secrets = map[string]string{"API_KEY": "k-111111", "OLD": "o-111111", "DATABASE_URL": "postgres://u:p@h/d"}
	f.mustDeploy(t, req)
	if got := stands(f.compare(t, req.Secrets, deploy.VariableRules{})); got != "" {
		t.Fatalf("right after a deploy: %s", got)
	}

	rules := deploy.VariableRules{Required: []string{"API_KEY", "NOWHERE"}, BuildOnly: []string{"BUILD"}}
	file := map[string]string{"API_KEY": "k-222222", "NEW": "line\nline", "BUILD": "x", "EMPTY": ""}
	p := f.compare(t, file, rules)
	if got := stands(p); got != "API_KEY=change BUILD=skipped DATABASE_URL=only EMPTY=skipped NEW=add NOWHERE=missing OLD=only" {
		t.Fatalf("before the push: %s", got)
	}
	before, instances := f.staged(), f.state(t).Instances
	done := f.push(t, p, "OLD", "DATABASE_URL")
	if f.staged() != before+1 {
		t.Errorf("%d requests, want one", f.staged()-before)
	}
	if fmt.Sprint(done) != "{[API_KEY NEW] [OLD]}" { // a database's URL is never pruned
		t.Errorf("done: %v", done)
	}
	if after := f.state(t).Instances; fmt.Sprint(after) != fmt.Sprint(instances) {
		t.Errorf("a push touched the instances: %v, before %v", after, instances)
	}
	p = f.compare(t, file, rules)
	if got := stands(p); got != "BUILD=skipped DATABASE_URL=only EMPTY=skipped NOWHERE=missing" {
		t.Errorf("after the push: %s", got)
	}
	if again := f.push(t, p); len(again.Set)+len(again.Unset) != 0 || f.staged() != before+1 {
		t.Errorf("a second push sent %v", again)
	}

	req.Secrets = deploy.Want(file, rules).Secrets
	result := f.mustDeploy(t, req)
	if result.Outcome != deploy.Deployed || f.staged() != before+1 {
		t.Errorf("the deploy after it: %s, %d requests for secrets, want none", result.Outcome, f.staged()-before-1)
	}
	read, err := f.engine.Platform.(platform.Variables).ReadVariables(f.ctx, "shop")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, v := range read.Values {
		got[v.Name] = v.Value
	}
	if got["NEW"] != "line\nline" || got["API_KEY"] != "k-222222" || got["OLD"] != "" {
		t.Errorf("the app has %q", got)
	}
	if r := f.mustDeploy(t, req); r.Outcome != deploy.Unchanged {
		t.Errorf("one more deploy: %s %v", r.Outcome, r.Changes)
	}
}

// A secret that is unset is in the instances until they are made anew.
func TestADeployBringsAPruneToTheInstances(t *testing.T) {
	f := newFixture(t)
	req := f.request("shop:v1")
	req.Secrets["OLD"] = "o-111111"
	f.mustDeploy(t, req)
	delete(req.Secrets, "OLD")
	if r := f.mustDeploy(t, req); r.Outcome != deploy.Unchanged {
		t.Fatalf("deploy prunes nothing: %v", r.Changes)
	}
	f.push(t, f.compare(t, req.Secrets, deploy.VariableRules{}), "OLD")
	if r := f.mustDeploy(t, req); r.Outcome != deploy.Deployed {
		t.Errorf("%s, want a roll-out", r.Outcome)
	}
	if r := f.mustDeploy(t, req); r.Outcome != deploy.Unchanged {
		t.Errorf("%s, want nothing to do", r.Outcome)
	}
}

func TestAnotherMachineCannotCompareUntilItPushes(t *testing.T) {
	f := newFixture(t)
	req := f.request("shop:v1")
	f.mustDeploy(t, req)
	f.engine.StateDir = t.TempDir()
	p := f.compare(t, req.Secrets, deploy.VariableRules{})
	if got := stands(p); got != "API_KEY=unknown" {
		t.Fatal(got)
	}
	f.push(t, p)
	if got := stands(f.compare(t, req.Secrets, deploy.VariableRules{})); got != "" {
		t.Error(got)
	}
}

func TestPushIsRefusedWhileADeployRuns(t *testing.T) {
	f := newFixture(t)
	f.mustDeploy(t, f.request("shop:v1"))
	p := f.compare(t, map[string]string{"API_KEY": "k-222222"}, deploy.VariableRules{})
	lease, err := f.engine.Platform.Lock(f.ctx, "shop", "other@there (run 1)")
	if err != nil {
		t.Fatal(err)
	}
	before := f.staged()
	second := *f.engine
	second.Platform = f.client(t) // as on another machine
	if _, err := second.PushVariables(f.ctx, p, nil); errs.ExitCode(err) != 6 || !strings.Contains(err.Error(), "other@there") {
		t.Errorf("exit %d: %v", errs.ExitCode(err), err)
	}
	if err := lease.Release(f.ctx); err != nil {
		t.Fatal(err)
	}
	// Between the comparison and the push somebody else set it.
	value := "k-333333"
	if err := f.engine.Platform.StageSecrets(f.ctx, "shop", map[string]*string{"API_KEY": &value}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.engine.PushVariables(f.ctx, p, nil); errs.ExitCode(err) != 6 || !strings.Contains(err.Error(), "API_KEY") {
		t.Errorf("exit %d: %v", errs.ExitCode(err), err)
	}
	if n := f.staged() - before; n != 1 {
		t.Errorf("%d requests, want the somebody's alone", n)
	}
}

// A push is done when the platform shows it, not when nothing is heard of it.
func TestPushWithoutAnAnswer(t *testing.T) {
	for _, tt := range []struct {
		fault string
		exit  int
		says  string
		then  string // how a comparison finds it afterwards
	}{
		{"POST /v1/apps/shop/secrets=reset,late,count=1", 0, "", ""},
		{"POST /v1/apps/shop/secrets=429:1,count=1", 0, "", ""},
		{"POST /v1/apps/shop/secrets=500", 1, "nothing was set", "API_KEY=change NEW=add"},
		{"POST /v1/apps/shop/secrets=reset,late", 9, "2 of 2 names have changed on the platform (API_KEY, NEW)", "API_KEY=unknown NEW=unknown"},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			f := newFixture(t)
			f.mustDeploy(t, f.request("shop:v1"))
			file := map[string]string{"API_KEY": "k-222222", "NEW": "n-222222"}
			p := f.compare(t, file, deploy.VariableRules{})
			f.fault(t, tt.fault)
			done, err := f.engine.PushVariables(f.ctx, p, nil)
			if errs.ExitCode(err) != tt.exit || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("exit %d: %v", errs.ExitCode(err), err)
			}
			if tt.exit != 0 && len(done.Set) > 0 {
				t.Errorf("called done: %v", done)
			}
			f.server.ClearFaults()
			p = f.compare(t, file, deploy.VariableRules{})
			if got := stands(p); got != tt.then {
				t.Errorf("afterwards: %s, want %s", got, tt.then)
			}
			f.push(t, p)
			if got := stands(f.compare(t, file, deploy.VariableRules{})); got != "" {
				t.Errorf("after the same command again: %s", got)
			}
		})
	}
}

func TestWhatNoMachineCouldCarryIsRefusedBeforeAnythingIsSent(t *testing.T) {
	f := newFixture(t)
	f.mustDeploy(t, f.request("shop:v1"))
	before := f.staged()
	for name, value := range map[string]string{"my-key": "x", "MY.KEY": "x", "BIG": strings.Repeat("x", 128<<10)} {
		p := f.compare(t, map[string]string{"API_KEY": "k-222222", name: value}, deploy.VariableRules{})
		if _, err := f.engine.PushVariables(f.ctx, p, nil); errs.ExitCode(err) != 3 || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if f.staged() != before {
		t.Error("something was sent")
	}
	f.push(t, f.compare(t, map[string]string{"BIG": strings.Repeat("x", 128<<10-len("BIG")-2)}, deploy.VariableRules{}))
	f.mustDeploy(t, f.request("shop:v2")) // and the machines do start with it
}

// Pull after push is the identity: what the file says is what the machine has is
// what the written file says, to Next.js and to compose.
func TestPullAfterPushIsTheIdentity(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	f := newFixture(t)
	req := f.request("shop:v1")
	req.Command, req.Release.Instances = nil, 1
	want := map[string]string{}
	for i := range 600 {
		if v := randomValue(r); v != "" {
			want[fmt.Sprintf("V%03d", i)] = v
		}
	}
	req.Secrets = want
	f.mustDeploy(t, req)
	set, err := f.engine.Platform.(platform.Variables).ReadVariables(f.ctx, "shop")
	if err != nil {
		t.Fatal(err)
	}
	text, left := deploy.RenderDotenv(envcheck.Next, []string{"of a test"}, set)
	for name, value := range want {
		if _, portable := envcheck.Portable(value); !portable && left[name] == "" {
			t.Errorf("%s = %q was written, and has no spelling", name, value)
		} else if portable && left[name] != "" {
			t.Logf("%s = %q: %s", name, value, left[name])
		}
		if left[name] != "" {
			delete(want, name)
		}
	}
	if len(want) < 50 {
		t.Fatalf("only %d of the values have a spelling", len(want))
	}
	want["LOG_LEVEL"] = "info" // plain
	for _, reader := range []envcheck.Reader{envcheck.Next, envcheck.Compose} {
		file, err := envcheck.Read(reader, "pulled", text, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name := range union(file.Vars, want) {
			if file.Vars[name] != want[name] {
				t.Errorf("%s reads %s as %q, want %q", reader, name, file.Vars[name], want[name])
			}
		}
	}
}

func union(a, b map[string]string) map[string]string {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

// randomValue is made of what readers and shells stumble over.
func randomValue(r *rand.Rand) string {
	pieces := []string{"a", "Z9", " ", "\t", "\n", "\r\n", `"`, `'`, "`", "$", "$A", "${V001}", `\`, `\n`, "#", " # ", "=", "é", "漢", "🙂", "{", "}", ":-", "%", "\u2028", "\ufeff", "V002=x", "export ", "-----BEGIN KEY-----", "\v"}
	var b strings.Builder
	for range 1 + r.IntN(6) {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}

func TestRenderDotenvLeavesOutWhatItCannotWrite(t *testing.T) {
	set := &platform.VariableSet{
		Values: []platform.Variable{{Name: "A", Value: "fine"}, {Name: "B", Value: "pa$w\"rd's"}, {Name: "C.D", Value: "x"}, {Name: "P", Value: "plain", Plain: true}},
		Unread: []platform.Unread{{Name: "U", Reason: "the machine does not have it"}},
	}
	text, left := deploy.RenderDotenv(envcheck.Next, []string{"head"}, set)
	want := "# head\nA=fine\n\n# Plain variables of the release: opsctl.yaml sets them, a push does not.\nP=plain\n\n# Not in this file:\n" +
		"# B: no spelling of its value is read alike by the app and by docker compose\n# C.D: not every reader takes its name\n# U: the machine does not have it\n"
	if string(text) != want || len(left) != 3 {
		t.Errorf("%s\n%v", text, left)
	}
}
