package railway_test

import (
	"strings"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// Whoever lost the lock writes nothing and deploys nothing any more, and is told
// who has it.
func TestALostLockStopsTheRun(t *testing.T) {
	server := start(t, nil)
	one, two := client(t, server, nil), client(t, server, nil)
	must(t, one.CreateApp(t.Context(), platform.AppSpec{Name: "shop"}))
	_, err := one.RollOut(t.Context(), "shop", release(server, "suite:1"), silent)
	must(t, err)
	lost, err := one.Lock(t.Context(), "shop", "one@here")
	must(t, err)
	if _, err := two.Lock(t.Context(), "shop", "two@there"); errs.CodeOf(err) != errs.Conflict || !strings.Contains(err.Error(), "one@here") {
		t.Fatalf("a second lock: %v", err)
	}
	must(t, two.BreakLock(t.Context(), "shop"))
	theirs, err := two.Lock(t.Context(), "shop", "two@there")
	must(t, err)
	value := "x"
	for what, err := range map[string]error{
		"stage":   one.StageSecrets(t.Context(), "shop", map[string]*string{"A": &value}),
		"rollout": second(one.RollOut(t.Context(), "shop", release(server, "suite:2"), silent)),
		"scale":   one.Scale(t.Context(), "shop", platform.Scale{Instances: 2}, silent),
	} {
		if errs.CodeOf(err) != errs.Conflict || !strings.Contains(err.Error(), "two@there") {
			t.Errorf("%s: %v", what, err)
		}
	}
	must(t, lost.Release(t.Context())) // leaves the other's alone
	held, err := two.LockedBy(t.Context(), "shop")
	must(t, err)
	list, err := two.Releases(t.Context(), "shop", 10)
	must(t, err)
	if held == nil || held.Holder != "two@there" || len(list) != 1 {
		t.Errorf("lock %+v, %d releases", held, len(list))
	}
	must(t, theirs.Release(t.Context()))
	if held, err = one.LockedBy(t.Context(), "shop"); err != nil || held != nil {
		t.Errorf("lock %+v, %v", held, err)
	}
}

func second[T any](_ T, err error) error { return err }

// A lock whose answer is lost is read back, and a roll-back, which brings the
// variables of then back, leaves it held.
func TestALockOutlivesLostAnswersAndRollBacks(t *testing.T) {
	server := start(t, nil)
	p := client(t, server, nil)
	must(t, p.CreateApp(t.Context(), platform.AppSpec{Name: "shop"}))
	first, err := p.RollOut(t.Context(), "shop", release(server, "suite:1"), silent)
	must(t, err)
	_, err = p.RollOut(t.Context(), "shop", release(server, "suite:2"), silent)
	must(t, err)
	fault(t, server, "POST /graphql/v2#variableCollectionUpsert=reset,count=1,late")
	lease, err := p.Lock(t.Context(), "shop", "me@here")
	must(t, err)
	_, err = p.Restore(t.Context(), "shop", first.Release, silent)
	must(t, err)
	held, err := client(t, server, nil).LockedBy(t.Context(), "shop")
	if err != nil || held == nil || held.Holder != "me@here" || !held.Expires.After(time.Now()) {
		t.Errorf("after the roll-back: %+v, %v", held, err)
	}
	must(t, lease.Release(t.Context()))
}
