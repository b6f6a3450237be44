package fly_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/platform/fly"
)

// firstRun is a first deploy, as the engine makes one.
type firstRun struct {
	suite
	lease   platform.Lease
	release platform.Release
	err     error
}

// begin locks the app, in which there is nothing to lock, and opens a release.
func (s suite) begin(holder, strategy string) *firstRun {
	s.t.Helper()
	r := &firstRun{suite: s}
	r.p = client(s.t, s.server)
	var err error
	r.lease, err = r.p.Lock(s.t.Context(), "suite", holder)
	s.must(err)
	r.release = r.suite.release("1", strategy, func(r *platform.Release) {
		r.Label, r.Env = "20260101-000000-"+holder, map[string]string{"COLOR": holder}
	})
	return r
}

func (r *firstRun) run() { _, r.err = r.p.RollOut(r.t.Context(), "suite", r.release, silent) }

// Two first deploys at once find nothing that they could lock. One gets to make the first
// machine; the other ends with a Conflict, and its undo leaves the machines alone.
func TestTwoFirstDeploysAtOnce(t *testing.T) {
	for _, strategy := range []string{"rolling", "bluegreen"} {
		t.Run(strategy, func(t *testing.T) {
			s := newSuite(t)
			runs := []*firstRun{s.begin("first@here", strategy), s.begin("second@there", strategy)}
			var group sync.WaitGroup
			for _, r := range runs {
				group.Go(r.run)
			}
			group.Wait()
			slices.SortFunc(runs, func(a, b *firstRun) int { return errs.ExitCode(a.err) - errs.ExitCode(b.err) })
			won, lost := runs[0], runs[1]
			if won.err != nil || errs.ExitCode(lost.err) != 6 || errs.HintOf(lost.err) == "" {
				t.Fatalf("%v, and %v", won.err, lost.err)
			}
			s.runsOnly(won)
			err := lost.p.Remove(t.Context(), "suite", silent)
			if errs.ExitCode(err) != 6 || !strings.Contains(err.Error(), "left alone") {
				t.Errorf("%v", err)
			}
			s.must(lost.lease.Release(t.Context()))
			s.runsOnly(won)
			// The winner's lock stands from its first machine on.
			_, err = client(t, s.server).Lock(t.Context(), "suite", "third@there")
			if errs.ExitCode(err) != 6 || !strings.Contains(err.Error(), won.release.Env["COLOR"]) {
				t.Errorf("%v", err)
			}
			s.must(won.lease.Release(t.Context()))
			free, err := client(t, s.server).Lock(t.Context(), "suite", "third@there")
			s.must(err)
			s.must(free.Release(t.Context()))
		})
	}
}

// runsOnly checks that all machines are those of a run, and healthy.
func (s suite) runsOnly(r *firstRun) {
	s.t.Helper()
	state, err := client(s.t, s.server).Observe(s.t.Context(), "suite")
	s.must(err)
	if len(state.Instances) != 2 || state.Mixed || state.Current.Label != r.release.Label {
		s.t.Fatalf("%+v", state.Instances)
	}
	for _, i := range state.Instances {
		if i.Health != platform.Healthy {
			s.t.Errorf("%+v", i)
		}
	}
}

// A second first deploy that comes later sees the machines of the first, and who is at it.
func TestAFirstDeployFindsAnotherOnesMachines(t *testing.T) {
	s := newSuite(t)
	one, two := s.begin("first@here", "rolling"), s.begin("second@there", "rolling")
	one.run()
	s.must(one.err)
	before := s.ids()
	if two.run(); errs.ExitCode(two.err) != 6 || !strings.Contains(two.err.Error(), "first@here") {
		t.Errorf("%v", two.err)
	}
	s.must(one.lease.Release(t.Context()))
	if two.run(); errs.ExitCode(two.err) != 6 || !strings.Contains(two.err.Error(), "by another run") {
		t.Errorf("without a lock to name anybody: %v", two.err)
	}
	if now := s.ids(); !slices.Equal(now, before) {
		t.Errorf("machines %v became %v", before, now)
	}
}

// A first deploy that fails, and one that was killed before, leave nothing behind.
func TestRemoveTakesWhatWasThereUnderTheLock(t *testing.T) {
	s := newSuite(t)
	killed := s.begin("first@here", "rolling")
	killed.run()
	s.must(killed.err)
	s.must(killed.lease.Release(t.Context()))
	next := s.begin("first@here", "rolling")
	s.fault("POST /v1/apps/suite/machines/*=422")
	next.release.Image = "registry.fly.io/suite:2"
	if next.run(); next.err == nil {
		t.Fatal("it succeeded")
	}
	s.server.ClearFaults()
	s.must(next.p.Remove(t.Context(), "suite", silent))
	s.must(next.lease.Release(t.Context()))
	if ids := s.ids(); len(ids) != 0 {
		t.Errorf("left: %v", ids)
	}
	s.p = client(t, s.server)
	s.rollOut("1", "rolling", nil) // the name of the first machine is free again
}

// A lock that was taken away is noticed, and nothing is changed any more.
func TestALostLock(t *testing.T) {
	s := newSuite(t)
	one := s.rollOut("1", "rolling", nil)
	lease, err := s.p.Lock(t.Context(), "suite", "first@here")
	s.must(err)
	s.p.RenewNow(t.Context())
	two := s.release("2", "rolling", func(r *platform.Release) { r.Label = "of the one that loses it" })
	other := client(t, s.server)
	s.must(other.BreakLock(t.Context(), "suite"))
	theirs, err := other.Lock(t.Context(), "suite", "second@there")
	s.must(err)
	before := s.observe()
	s.p.RenewNow(t.Context())
	one.Timeout = time.Second
	for name, change := range map[string]func() error{
		"a roll-out": func() error { _, err := s.p.RollOut(t.Context(), "suite", two, silent); return err },
		"a restore":  func() error { _, err := s.p.Restore(t.Context(), "suite", one, silent); return err },
		"a removal":  func() error { return s.p.Remove(t.Context(), "suite", silent) },
		"scaling":    func() error { return s.p.Scale(t.Context(), "suite", platform.Scale{Instances: 1}, silent) },
		"a secret": func() error {
			v := "v-111111"
			return s.p.StageSecrets(t.Context(), "suite", map[string]*string{"API_KEY": &v})
		},
		"a release command": func() error {
			_, err := s.p.RunTask(t.Context(), "suite", platform.Task{Image: two.Image, Command: []string{"true"}, Region: "fra", Timeout: time.Second})
			return err
		},
	} {
		if err := change(); errs.ExitCode(err) != 6 || !strings.Contains(err.Error(), "second@there") {
			t.Errorf("%s: %v", name, err)
		}
	}
	after, err := client(t, s.server).Observe(t.Context(), "suite")
	s.must(err)
	if len(after.Instances) != len(before.Instances) || after.Current.Version != before.Current.Version || after.Mixed || len(after.Secrets) != 0 {
		t.Errorf("%+v became %+v", before, after)
	}
	s.must(lease.Release(t.Context()))
	if by, err := other.LockedBy(t.Context(), "suite"); err != nil || by == nil || by.Holder != "second@there" {
		t.Errorf("held by %+v, %v", by, err)
	}
	s.must(theirs.Release(t.Context()))
	s.rollOut("2", "rolling", nil) // without that lock it may go on
}

// Whoever took the lock after it was looked at keeps it.
func TestALockThatChangedHandsIsNotBroken(t *testing.T) {
	s := newSuite(t)
	s.rollOut("1", "rolling", nil)
	lock := func(p *fly.Platform, holder string) platform.Lease {
		t.Helper()
		lease, err := p.Lock(t.Context(), "suite", holder)
		s.must(err)
		return lease
	}
	first := lock(s.p, "first@here")
	watcher := client(t, s.server)
	if by, err := watcher.LockedBy(t.Context(), "suite"); err != nil || by == nil || by.Holder != "first@here" {
		t.Fatalf("%+v, %v", by, err)
	}
	s.must(first.Release(t.Context()))
	second := lock(client(t, s.server), "second@there")
	err := watcher.BreakLock(t.Context(), "suite")
	if errs.ExitCode(err) != 6 || !strings.Contains(err.Error(), "second@there") {
		t.Fatalf("%v", err)
	}
	if by, err := watcher.LockedBy(t.Context(), "suite"); err != nil || by == nil || by.Holder != "second@there" {
		t.Fatalf("%+v, %v", by, err)
	}
	s.must(watcher.BreakLock(t.Context(), "suite")) // now it was shown
	if by, err := watcher.LockedBy(t.Context(), "suite"); err != nil || by != nil {
		t.Errorf("%+v, %v", by, err)
	}
	_ = second.Release(t.Context())
	// Another one takes it in the very moment of the breaking.
	third := lock(client(t, s.server), "third@there")
	s.fault("DELETE /v1/apps/suite/machines/*/lease=409,count=1")
	if err := watcher.BreakLock(t.Context(), "suite"); errs.ExitCode(err) != 6 || !strings.Contains(err.Error(), "third@there") {
		t.Errorf("%v", err)
	}
	s.must(third.Release(t.Context()))
}

// The answer to the lease on the first machine is lost: the lock is held all the same.
func TestTheFirstLeaseWithALostAnswer(t *testing.T) {
	s := newSuite(t)
	one := s.begin("first@here", "rolling")
	s.fault("POST /v1/apps/suite/machines/*/lease=502,late,count=1")
	one.run()
	s.must(one.err)
	if !met(s, "/lease") {
		t.Error("the fault met no such request")
	}
	if by, err := client(t, s.server).LockedBy(t.Context(), "suite"); err != nil || by == nil || by.Holder != "first@here" {
		t.Errorf("%+v, %v", by, err)
	}
	s.must(one.lease.Release(t.Context()))
	s.runsOnly(one)
}
