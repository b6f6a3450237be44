package deploy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
)

// A deploy that is going on is not one that was cut off.
func TestARunningDeployIsCalledSo(t *testing.T) {
	f := newFixture(t)
	f.mustDeploy(t, f.request("shop:v1"))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := f.deploy(f.request("shop:v2")); err != nil {
			t.Errorf("the deploy: %v", err)
		}
	}()
	other := *f.engine
	other.Event = nil
	seen := false
	for {
		p, err := other.Prepare(f.ctx, f.request("sick:v1"))
		if err == nil && p.CutOff != nil {
			t.Errorf("called cut off: %+v", p.CutOff)
		}
		if err == nil && p.Running != nil {
			seen = true
			_, err := other.Apply(f.ctx, p)
			select {
			case <-done: // too late to be at once
				return
			default:
			}
			if errs.ExitCode(err) != 6 {
				t.Errorf("a second deploy at once: %v", err)
			}
		}
		select {
		case <-done:
			if !seen {
				t.Error("the running deploy was never seen")
			}
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// What was planned before somebody else deployed must not be carried out.
func TestAStalePlanIsRefused(t *testing.T) {
	f := newFixture(t)
	f.mustDeploy(t, f.request("shop:v1"))
	stale, err := f.engine.Prepare(f.ctx, f.request("shop:v2"))
	if err != nil {
		t.Fatal(err)
	}
	f.mustDeploy(t, f.request("shop:v2"))
	if _, err := f.engine.Apply(f.ctx, stale); errs.ExitCode(err) != 6 || !strings.Contains(err.Error(), "changed since it was planned") {
		t.Errorf("a stale plan: %v", err)
	}
}
