package platformtest

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

func testLock(t *testing.T, s Setup) {
	s.create(t)
	free, err := s.Platform.Lock(t.Context(), app, "first@here") // before there is anything to lock
	must(t, err)
	must(t, free.Release(t.Context()))
	s.rollOut(t, s.release(t, 0, nil))
	lease, err := s.Platform.Lock(t.Context(), app, "first@here")
	must(t, err)
	_, err = s.Second.Lock(t.Context(), app, "second@there")
	code(t, "second lock", err, errs.Conflict)
	if err != nil && !strings.Contains(err.Error(), "first@here") {
		t.Errorf("it does not say who holds the lock: %v", err)
	}
	s.rollOut(t, s.release(t, 1, nil)) // the holder itself can go on
	must(t, lease.Release(t.Context()))
	must(t, lease.Release(t.Context()))
	again, err := s.Second.Lock(t.Context(), app, "second@there")
	must(t, err)
	must(t, again.Release(t.Context()))
}

func testBreakLock(t *testing.T, s Setup) {
	s.create(t)
	s.rollOut(t, s.release(t, 0, nil))
	none, err := s.Second.LockedBy(t.Context(), app)
	must(t, err)
	if none != nil {
		t.Errorf("nobody has locked it, and it says %+v", none)
	}
	must(t, s.Second.BreakLock(t.Context(), app)) // nothing to break is fine
	lease, err := s.Platform.Lock(t.Context(), app, "first@here")
	must(t, err)
	info, err := s.Second.LockedBy(t.Context(), app)
	must(t, err)
	if info == nil || !strings.Contains(info.Holder, "first@here") {
		t.Fatalf("held by %+v", info)
	}
	must(t, s.Second.BreakLock(t.Context(), app))
	mine, err := s.Second.Lock(t.Context(), app, "second@there")
	must(t, err)
	// The one whose lock was broken must not take the other's away.
	_ = lease.Release(t.Context())
	if info, err := s.Second.LockedBy(t.Context(), app); err != nil || info == nil || !strings.Contains(info.Holder, "second@there") {
		t.Errorf("after the first one's release: %+v, %v", info, err)
	}
	must(t, mine.Release(t.Context()))
}

func testLedger(t *testing.T, s Setup) {
	book, ok := s.Platform.(platform.Ledger)
	if !ok {
		t.Skipf("%s writes the list of releases itself", s.Platform.Name())
	}
	s.create(t)
	if list, err := s.Platform.Releases(t.Context(), app, 5); err != nil || len(list) != 0 {
		t.Errorf("an empty ledger: %v, %v", list, err)
	}
	one := s.release(t, 0, nil)
	must(t, book.EndRelease(t.Context(), app, one, platform.Complete))
	two := s.release(t, 1, nil)
	two.Message = "it did not become healthy"
	must(t, book.EndRelease(t.Context(), app, two, platform.Failed))
	list, err := s.Platform.Releases(t.Context(), app, 5)
	must(t, err)
	if len(list) != 2 || list[0].Version != two.Version || list[0].Status != platform.Failed || list[1].Status != platform.Complete {
		t.Errorf("ledger %+v", list)
	}
	if list, err := s.Platform.Releases(t.Context(), app, 1); err != nil || len(list) != 1 {
		t.Errorf("limit 1: %d, %v", len(list), err)
	}
}

// The list after two roll-outs, one that failed, and a rollback.
func testReleases(t *testing.T, s Setup) {
	s.create(t)
	one := s.rollOut(t, s.release(t, 0, nil))
	two := s.rollOut(t, s.release(t, 1, nil))
	sick := s.release(t, 2, func(r *platform.Release) { r.Timeout = 2 * time.Second })
	out, err := s.Platform.RollOut(t.Context(), app, sick, silent)
	if err == nil {
		t.Fatal("the sick image became healthy")
	}
	s.end(t, out.Release, platform.Failed)
	two.Timeout = 20 * time.Second
	_, err = s.Platform.Restore(t.Context(), app, two, silent)
	must(t, err)
	list, err := s.Platform.Releases(t.Context(), app, 10)
	must(t, err)
	status := map[string]platform.ReleaseStatus{}
	for _, r := range list {
		status[r.Version] = r.Status
		if r.Created.IsZero() || r.Image == "" {
			t.Errorf("entry %+v", r)
		}
	}
	if len(list) < 3 || status[one.Version] != platform.Complete || status[two.Version] != platform.Complete || out.Release.Version != "" && status[out.Release.Version] != platform.Failed {
		t.Errorf("releases %+v", list)
	}
	if newer := list[0].Created.Before(list[len(list)-1].Created); newer {
		t.Error("the newest is not the first")
	}
	if list, err := s.Platform.Releases(t.Context(), app, 1); err != nil || len(list) != 1 {
		t.Errorf("limit 1: %d, %v", len(list), err)
	}
}

func testLogs(t *testing.T, s Setup) {
	logs, ok := s.Platform.(platform.Logs)
	if !ok {
		t.Skipf("%s has no logs", s.Platform.Name())
	}
	s.create(t)
	s.rollOut(t, s.release(t, 0, func(r *platform.Release) { r.Instances = 1 }))
	say := func(line string) {
		t.Helper()
		_, err := s.Get(t.Context(), app, "/say?line="+line)
		must(t, err)
	}
	say("first")
	var found *platform.LogLine
	for deadline := time.Now().Add(20 * time.Second); found == nil && time.Now().Before(deadline); {
		must(t, logs.Logs(t.Context(), app, platform.LogQuery{Limit: 50}, func(l platform.LogLine) error {
			if l.Message == "first" {
				found = &l
			}
			return nil
		}))
	}
	if found == nil || found.Instance == "" || time.Since(found.Time) > time.Minute {
		t.Fatalf("the line %+v", found)
	}
	// Following ends with the context, and sees each line that comes later exactly once.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var seen [5]atomic.Int32
	done := make(chan error, 1)
	go func() {
		done <- logs.Logs(ctx, app, platform.LogQuery{Follow: true, Limit: 1}, func(l platform.LogLine) error {
			var n int
			if _, err := fmt.Sscanf(l.Message, "later-%d", &n); err == nil && n < len(seen) {
				seen[n].Add(1)
			}
			return nil
		})
	}()
	time.Sleep(200 * time.Millisecond) // it may begin only now; earlier lines are not promised beyond the limit
	for n := range seen {
		say(fmt.Sprintf("later-%d", n))
	}
	all := func() bool {
		for n := range seen {
			if seen[n].Load() == 0 {
				return false
			}
		}
		return true
	}
	for ctx.Err() == nil && !all() {
		time.Sleep(50 * time.Millisecond)
	}
	time.Sleep(300 * time.Millisecond) // for second ones, which must not come
	cancel()
	if err := <-done; err == nil {
		t.Error("following ended by itself, and well")
	}
	for n := range seen {
		if c := seen[n].Load(); c != 1 {
			t.Errorf("line %d was seen %d times", n, c)
		}
	}
}
