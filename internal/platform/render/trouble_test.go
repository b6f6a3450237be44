package render_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// aLife is what happens to an app: a first deploy, one with new secrets, and the
// way back.
func aLife(ctx context.Context, f *fake) error {
	p := f.client(nil)
	secret, other := "s3cret", "changed"
	if err := p.CreateApp(ctx, platform.AppSpec{Name: app}); err != nil {
		return err
	}
	if err := p.BreakLock(ctx, app); err != nil { // of a run that was killed
		return err
	}
	lease, err := p.Lock(ctx, app, "me@here")
	if err != nil {
		return err
	}
	if err := p.StageSecrets(ctx, app, map[string]*string{"SECRET": &secret}); err != nil {
		return err
	}
	one, err := p.RollOut(ctx, app, release("1"), silent)
	if err != nil {
		return err
	}
	if err := p.StageSecrets(ctx, app, map[string]*string{"SECRET": &other, "SECOND": &other}); err != nil {
		return err
	}
	two := release("2")
	two.Instances, two.Env = 3, map[string]string{"SIZE": "large"}
	if _, err := p.RollOut(ctx, app, two, silent); err != nil {
		return err
	}
	if _, err := p.Restore(ctx, app, one.Release, silent); err != nil {
		return err
	}
	return lease.Release(ctx)
}

// Each single request of an app's life meets trouble once. It ends as without:
// one service, three deploys, the right one live, and no variable lost.
func TestEachRequestMeetsTrouble(t *testing.T) {
	clean := newFake(t)
	must(t, aLife(t.Context(), clean))
	n := len(clean.log)
	t.Logf("%d requests", n)
	for _, kind := range []string{"lose", "reset", "429", "500", "503"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			for i := 1; i <= n; i++ {
				f := newFake(t)
				f.nth = map[int]string{i: kind}
				what := func() string { return fmt.Sprintf("request %d, %s: %s", i, f.log[i-1], kind) }
				if err := aLife(t.Context(), f); err != nil {
					t.Errorf("%s: %v\n%s", what(), err, errs.HintOf(err))
					continue
				}
				if len(f.svc) != 1 {
					t.Errorf("%s: %d services", what(), len(f.svc))
					continue
				}
				s := f.svc[0]
				if len(s.deploys) != 3 || s.deploys[0].obj["status"] != "live" || s.deploys[0].obj["trigger"] != "rollback" || s.instances != 2 {
					t.Errorf("%s: %d deploys, the newest %v, %d instances", what(), len(s.deploys), s.deploys[0].obj, s.instances)
				}
				if e := s.env; e["COLOR"] != "1" || e["SIZE"] != "" || e["SECRET"] != "changed" || e["SECOND"] != "changed" || e["OPSCTL_RELEASE"] != "label-1" {
					t.Errorf("%s: %v", what(), e)
				}
			}
		})
	}
}

// A run that is killed after each single request, and another one after it: one
// service, and in the end the right release with the right variables.
func TestKilledAfterEachRequest(t *testing.T) {
	clean := newFake(t)
	must(t, aLife(t.Context(), clean))
	for i := 1; i <= len(clean.log); i++ {
		f := newFake(t)
		ctx, kill := context.WithCancel(t.Context())
		f.nth, f.kill = map[int]string{i: "kill"}, kill
		_ = aLife(ctx, f)
		kill()
		if err := aLife(t.Context(), f); err != nil {
			t.Errorf("killed after request %d, %s: %v\n%s", i, f.log[i-1], err, errs.HintOf(err))
			continue
		}
		s := f.svc[0]
		if e := s.env; len(f.svc) != 1 || s.deploys[0].obj["status"] != "live" || s.instances != 2 || e["COLOR"] != "1" || e["SIZE"] != "" || e["SECRET"] != "changed" || e["OPSCTL_RELEASE"] != "label-1" {
			t.Errorf("killed after request %d, %s: %d services, newest deploy %v, %d instances, %v", i, f.log[i-1], len(f.svc), s.deploys[0].obj, s.instances, e)
		}
	}
}
