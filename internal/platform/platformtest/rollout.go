package platformtest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

func testTasks(t *testing.T, s Setup) {
	tasks, ok := s.Platform.(platform.Tasks)
	if !ok {
		t.Skipf("%s runs the release command itself", s.Platform.Name())
	}
	s.create(t)
	r := s.release(t, 0, nil)
	for _, tt := range []struct {
		command []string
		exit    int
	}{{s.Success, 0}, {s.Failure, 3}} {
		result, err := tasks.RunTask(t.Context(), app, platform.Task{
			Image: r.Image, Command: tt.command, Region: s.Region, Timeout: 20 * time.Second, Release: r,
		})
		must(t, err)
		if result.ExitCode != tt.exit || !slices.Contains(result.Log, "hello") || !result.Started {
			t.Errorf("%v: %+v, want exit code %d", tt.command, result, tt.exit)
		}
	}
	if n := len(s.observe(t).Instances); n != 0 {
		t.Errorf("a task counts as an instance: %d", n)
	}
}

// The release command as a part of the roll-out.
func testReleaseCommand(t *testing.T, s Setup) {
	if _, ok := s.Platform.(platform.Tasks); ok {
		t.Skipf("%s runs the release command as a task", s.Platform.Name())
	}
	s.create(t)
	good := s.rollOut(t, s.release(t, 0, func(r *platform.Release) { r.Command = s.Success }))
	bad := s.release(t, 1, func(r *platform.Release) { r.Command = s.Failure })
	out, err := s.Platform.RollOut(t.Context(), app, bad, silent)
	if err == nil || out.Task == nil || !out.Task.Started || out.Task.ExitCode != 3 && out.Task.ExitCode != platform.ExitUnknown || !slices.Contains(out.Task.Log, "hello") {
		t.Fatalf("a failing release command: %+v, %v", out.Task, err)
	}
	if c := s.observe(t).Current; c == nil || !platform.SameImage(c.Image, good.Image) {
		t.Errorf("the version before does not run on: %+v", c)
	}
	before := s.observe(t).Instances
	_, err = s.Platform.Restore(t.Context(), app, good, silent)
	must(t, err)
	after := s.observe(t)
	if len(after.Instances) != len(before) || after.Instances[0].ID != before[0].ID {
		t.Errorf("putting back what runs on restarted it: %+v, before %+v", after.Instances, before)
	}
}

func testRollOutAndRestore(t *testing.T, s Setup) {
	s.create(t)
	one := s.rollOut(t, s.release(t, 0, nil))
	state := s.observe(t)
	if c := state.Current; c == nil || c.Version != one.Version || c.Port != 3000 || c.Health != "/api/health" || c.Env["COLOR"] != "blue" || len(c.Env) != 1 {
		t.Fatalf("current %+v", c)
	}
	if len(state.Instances) != 2 || state.Mixed || slices.ContainsFunc(state.Instances, func(i platform.Instance) bool { return i.Health != platform.Healthy || i.State != platform.Started }) {
		t.Errorf("instances %+v", state.Instances)
	}
	two := s.rollOut(t, s.release(t, 1, func(r *platform.Release) { r.Instances, r.Env = 3, map[string]string{"COLOR": "red"} }))
	if state := s.observe(t); len(state.Instances) != 3 || state.Current.Version != two.Version || two.Version == one.Version {
		t.Fatalf("after the second: %+v", state)
	}
	s.restored(t, one)
	_, err := s.Platform.Restore(t.Context(), app, platform.Release{Version: "999", Timeout: time.Second}, silent)
	code(t, "restore of nothing", err, errs.NotFound)
	must(t, s.Platform.Remove(t.Context(), app, silent))
	if n := len(s.observe(t).Instances); n != 0 {
		t.Errorf("%d instances after Remove", n)
	}
	s.rollOut(t, s.release(t, 0, nil)) // and it comes back
}

// restored puts a release back and looks whether it runs as it did.
func (s Setup) restored(t *testing.T, to platform.Release) {
	t.Helper()
	const color, instances = "blue", 2 // of every first release
	to.Timeout = 20 * time.Second
	now, err := s.Platform.Restore(t.Context(), app, to, silent)
	must(t, err)
	state := s.observe(t)
	if c := state.Current; c.Version != now.Version || !platform.SameImage(c.Image, to.Image) || c.Env["COLOR"] != color || len(state.Instances) != instances || state.Mixed {
		t.Errorf("restored %+v: %+v, %d instances", now, c, len(state.Instances))
	}
	if got, err := s.Get(t.Context(), app, "/env?name=COLOR"); err != nil || got != color {
		t.Errorf("the app sees COLOR=%q, %v", got, err)
	}
}

// A release that was put back can be left, and put back again, by what Releases says of it.
func testRestoreAgain(t *testing.T, s Setup) {
	s.create(t)
	blue := s.rollOut(t, s.release(t, 0, nil))
	s.rollOut(t, s.release(t, 1, func(r *platform.Release) { r.Env = map[string]string{"COLOR": "red"} }))
	s.restored(t, blue)
	s.rollOut(t, s.release(t, 1, func(r *platform.Release) { r.Env = map[string]string{"COLOR": "green"} }))
	list, err := s.Platform.Releases(t.Context(), app, 10)
	must(t, err)
	at := slices.IndexFunc(list, func(r platform.Release) bool { return r.Version == blue.Version })
	if at < 0 {
		t.Fatalf("%s is not in %+v", blue.Version, list)
	}
	s.restored(t, list[at])
}

func testUnhealthy(t *testing.T, s Setup) {
	s.create(t)
	one := s.rollOut(t, s.release(t, 0, nil))
	sick := s.release(t, 2, func(r *platform.Release) { r.Timeout = 3 * time.Second })
	_, err := s.Platform.RollOut(t.Context(), app, sick, silent)
	if c := errs.CodeOf(err); c != errs.Timeout && c != errs.Failure {
		t.Errorf("roll-out of an unhealthy image: %q (%v)", c, err)
	}
	// The rest of the instances must not have been touched by a rolling update.
	healthy := 0
	for _, i := range s.observe(t).Instances {
		if i.Health == platform.Healthy {
			healthy++
		}
	}
	if healthy < 1 {
		t.Errorf("%d healthy instances, want at least 1 of 2", healthy)
	}
	s.restored(t, one)
}

// With every strategy the new version runs everywhere in the end, and somebody
// who asks meanwhile is always answered.
func testStrategies(t *testing.T, s Setup) {
	if len(s.Strategies) == 0 {
		s.Strategies = []string{"rolling"}
	}
	s.create(t)
	s.rollOut(t, s.release(t, 0, nil))
	for i, strategy := range s.Strategies {
		failed := make(chan error, 1)
		ctx, stop := context.WithCancel(t.Context())
		if strategy != "immediate" { // which is not gapless, by its name
			go s.askOn(ctx, failed)
		} else {
			close(failed)
		}
		color := fmt.Sprintf("%s-%d", strategy, i)
		s.rollOut(t, s.release(t, (i+1)%2, func(r *platform.Release) { r.Strategy, r.Env = strategy, map[string]string{"COLOR": color} }))
		stop()
		if err := <-failed; err != nil {
			t.Errorf("%s: a visitor was not answered: %v", strategy, err)
		}
		if state := s.observe(t); state.Mixed || len(state.Instances) != 2 || state.Current.Env["COLOR"] != color {
			t.Errorf("%s: %+v", strategy, state)
		}
	}
}

// askOn visits the app until ctx ends; it sends the first failure.
func (s Setup) askOn(ctx context.Context, failed chan<- error) {
	defer close(failed)
	for ctx.Err() == nil {
		if _, err := s.Get(ctx, app, "/env?name=COLOR"); err != nil && ctx.Err() == nil {
			failed <- err
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func testCancel(t *testing.T, s Setup) {
	s.create(t)
	r := s.release(t, 2, nil) // would wait for its health for long
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	began := time.Now()
	_, err := s.Platform.RollOut(ctx, app, r, silent)
	if err == nil || time.Since(began) > 10*time.Second {
		t.Errorf("a cancelled roll-out: %v after %s", err, time.Since(began))
	}
}
