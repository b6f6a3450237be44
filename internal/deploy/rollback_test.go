package deploy_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/deploy"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/health"
	"github.com/opsctl/opsctl/internal/platform"
)

func (f *fixture) rollback(t *testing.T, to string) (deploy.Result, error) {
	t.Helper()
	state, release, err := f.engine.RollbackTarget(f.ctx, "shop", to)
	if err != nil {
		t.Fatal(err)
	}
	return f.engine.Rollback(f.ctx, "shop", state, release, f.request("shop:v1").Gate)
}

// A rollback that was undone leaves nothing that a later failure could take for no
// version to return to.
func TestAfterARollbackWasUndoneAFailureRestoresWhatRan(t *testing.T) {
	f := newFixture(t)
	f.mustDeploy(t, f.request("shop:v1"))
	f.mustDeploy(t, f.request("shop:v2"))
	for _, to := range []string{"", "2"} {
		if _, err := f.rollback(t, to); err != nil {
			t.Fatalf("rollback to %q: %v", to, err)
		}
	}
	p, err := f.engine.Prepare(f.ctx, f.request("shop:v2"))
	if err != nil || len(p.Changes) != 0 {
		t.Errorf("it runs as wanted, and the plan is %+v, %v", p.Changes, err)
	}
	_, err = f.deploy(f.request("sick:v1"))
	if errs.ExitCode(err) != 8 {
		t.Fatalf("exit %d: %v", errs.ExitCode(err), err)
	}
	if s := f.state(t); len(s.Instances) != 2 || !strings.Contains(s.Current.Image, "shop:v2") {
		t.Errorf("%d instances, %+v", len(s.Instances), s.Current)
	}
}

// What was skipped by a rollback is not returned to by the next one.
func TestARollbackPassesOverWhatWasSkipped(t *testing.T) {
	f := newFixture(t)
	for _, image := range []string{"shop:v1", "shop:v2", "shop:v1", "shop:v2"} {
		req := f.request(image)
		req.Command = nil
		f.mustDeploy(t, req)
	}
	if _, err := f.rollback(t, "2"); err != nil {
		t.Fatal(err)
	}
	req := f.request("shop:v1")
	req.Command = nil
	f.mustDeploy(t, req) // release 5
	if _, to, err := f.engine.RollbackTarget(f.ctx, "shop", ""); err != nil || to.Version != "2" {
		t.Errorf("back to %q, %v; 2 ran before", to.Version, err)
	}
}

// A rollback to a release that does not become healthy puts back what ran.
func TestARollbackThatFailsPutsBackWhatRan(t *testing.T) {
	f := newFixture(t)
	f.mustDeploy(t, f.request("shop:v1"))
	if _, err := f.deploy(f.request("sick:v1")); errs.ExitCode(err) != 8 {
		t.Fatal(err)
	}
	f.mustDeploy(t, f.request("shop:v2"))
	state, release, err := f.engine.RollbackTarget(f.ctx, "shop", "2")
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.engine.Rollback(f.ctx, "shop", state, release, f.request("sick:v1").Gate)
	if errs.ExitCode(err) != 8 || !strings.Contains(err.Error(), "release 3 was restored") {
		t.Errorf("exit %d: %v", errs.ExitCode(err), err)
	}
	if s := f.state(t); s.Mixed || !strings.Contains(s.Current.Image, "shop:v2") {
		t.Errorf("%+v", s.Current)
	}
}

// slowToAnswer is a platform whose app answers well only after some visits from outside.
type slowToAnswer struct {
	platform.Platform
	platform.Ledger
	platform.Tasks
	url string
}

func (p slowToAnswer) Observe(ctx context.Context, app string) (*platform.State, error) {
	s, err := p.Platform.Observe(ctx, app)
	if err == nil {
		s.URL = p.url
	}
	return s, err
}

// A route or a certificate may take a while: failed probes use up the budget, and no more.
func TestTheGateWaitsForAnAppThatIsSlowToAnswer(t *testing.T) {
	f := newFixture(t)
	var visits atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if visits.Add(1) <= 10 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	adapter := f.client(t)
	f.engine.Platform = slowToAnswer{adapter, adapter, adapter, server.URL}
	f.engine.Prober = &health.Prober{}
	req := f.request("shop:v1")
	req.Gate = deploy.Gate{Timeout: 20 * time.Second, Interval: 10 * time.Millisecond, Consecutive: 2}
	if _, err := f.deploy(req); err != nil {
		t.Fatalf("%v\n%s", err, errs.HintOf(err))
	}
	if n := visits.Load(); n < 12 {
		t.Errorf("%d visits", n)
	}
}
