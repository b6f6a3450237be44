// Package platformtest is the conformance suite that every adapter passes: the
// contracts in the comments of package platform, as tests.
package platformtest

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// Setup is a platform to test, empty at first.
type Setup struct {
	Platform platform.Platform
	// Second is another client of the same platform, as on another machine.
	Second platform.Platform
	// Images exist: the first two become healthy and report OPSCTL_RELEASE and
	// the variable COLOR, the third never becomes healthy.
	Images [3]string
	// Success and Failure are commands that print "hello" and end with 0 and with 3.
	Success, Failure []string
	// Region is one that exists.
	Region string
	// Get fetches a path of the app, as a visitor would.
	Get func(ctx context.Context, app, path string) (string, error)
}

// Run runs the suite. new makes a fresh setup for each test.
func Run(t *testing.T, setup func(t *testing.T) Setup) {
	tests := map[string]func(*testing.T, Setup){
		"WhoAmI": testWhoAmI, "AppIsMadeOnce": testApp, "UnknownApp": testUnknownApp, "Images": testImages,
		"Tasks": testTasks, "RollOutAndRestore": testRollOutAndRestore, "Unhealthy": testUnhealthy,
		"Secrets": testSecrets, "Variables": testVariables, "Lock": testLock, "Ledger": testLedger, "Logs": testLogs, "Cancel": testCancel,
	}
	for _, name := range slices.Sorted(maps.Keys(tests)) {
		t.Run(name, func(t *testing.T) { tests[name](t, setup(t)) })
	}
}

const app = "suite"

func silent(string, ...any) {}

func code(t *testing.T, what string, err error, want errs.Code) {
	t.Helper()
	if got := errs.CodeOf(err); got != want {
		t.Errorf("%s: code %q (%v), want %q", what, got, err, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.HintOf(err))
	}
}

func (s Setup) create(t *testing.T) {
	t.Helper()
	must(t, s.Platform.CreateApp(t.Context(), platform.AppSpec{Name: app}))
}

// release is a release of an image, in the ledger.
func (s Setup) release(t *testing.T, image int, change func(*platform.Release)) platform.Release {
	t.Helper()
	resolved, err := s.Platform.ResolveImage(t.Context(), app, s.Images[image])
	must(t, err)
	r := platform.Release{
		Image: resolved.Pinned(), Port: 3000, Health: "/api/health", Instances: 2, Region: s.Region, Strategy: "rolling",
		Env: map[string]string{"COLOR": "blue"}, Timeout: 20 * time.Second, Label: "20260101-000000-abcdef",
	}
	if change != nil {
		change(&r)
	}
	r, err = s.Platform.BeginRelease(t.Context(), app, r)
	must(t, err)
	return r
}

func (s Setup) rollOut(t *testing.T, r platform.Release) {
	t.Helper()
	must(t, s.Platform.RollOut(t.Context(), app, r, silent))
	must(t, s.Platform.EndRelease(t.Context(), app, r, platform.Complete))
}

func (s Setup) observe(t *testing.T) *platform.State {
	t.Helper()
	state, err := s.Platform.Observe(t.Context(), app)
	must(t, err)
	return state
}

func testWhoAmI(t *testing.T, s Setup) {
	id, err := s.Platform.WhoAmI(t.Context())
	must(t, err)
	if id.Account == "" || id.Token == "" {
		t.Errorf("identity %+v", id)
	}
}

func testApp(t *testing.T, s Setup) {
	s.create(t)
	s.create(t) // again is fine
	state := s.observe(t)
	if state.App != app || !strings.HasPrefix(state.URL, "http") || state.Current != nil || len(state.Instances) != 0 {
		t.Errorf("a new app: %+v", state)
	}
}

func testUnknownApp(t *testing.T, s Setup) {
	_, err := s.Platform.Observe(t.Context(), "nobody-has-this")
	code(t, "observe", err, errs.NotFound)
	_, err = s.Platform.Releases(t.Context(), "nobody-has-this", 5)
	code(t, "releases", err, errs.NotFound)
}

func testImages(t *testing.T, s Setup) {
	s.create(t)
	image, err := s.Platform.ResolveImage(t.Context(), app, s.Images[0])
	must(t, err)
	if !strings.HasPrefix(image.Digest, "sha256:") || image.Ref != s.Images[0] {
		t.Errorf("image %+v", image)
	}
	_, err = s.Platform.ResolveImage(t.Context(), app, s.Images[0]+"-does-not-exist")
	code(t, "missing image", err, errs.NotFound)
}

func testTasks(t *testing.T, s Setup) {
	s.create(t)
	r := s.release(t, 0, nil)
	for _, tt := range []struct {
		command []string
		exit    int
	}{{s.Success, 0}, {s.Failure, 3}} {
		result, err := s.Platform.RunTask(t.Context(), app, platform.Task{
			Image: r.Image, Command: tt.command, Region: s.Region, Timeout: 20 * time.Second, Release: r,
		})
		must(t, err)
		if result.ExitCode != tt.exit || !slices.Contains(result.Log, "hello") {
			t.Errorf("%v: %+v, want exit code %d", tt.command, result, tt.exit)
		}
	}
	if n := len(s.observe(t).Instances); n != 0 {
		t.Errorf("a task counts as an instance: %d", n)
	}
}

func testRollOutAndRestore(t *testing.T, s Setup) {
	s.create(t)
	one := s.release(t, 0, nil)
	s.rollOut(t, one)
	state := s.observe(t)
	if c := state.Current; c == nil || c.Version != one.Version || c.Port != 3000 || c.Health != "/api/health" || c.Env["COLOR"] != "blue" || len(c.Env) != 1 {
		t.Fatalf("current %+v", c)
	}
	if len(state.Instances) != 2 || state.Mixed || slices.ContainsFunc(state.Instances, func(i platform.Instance) bool { return i.Health != platform.Healthy }) {
		t.Errorf("instances %+v", state.Instances)
	}
	two := s.release(t, 1, func(r *platform.Release) { r.Instances, r.Env = 3, map[string]string{"COLOR": "red"} })
	s.rollOut(t, two)
	if state := s.observe(t); len(state.Instances) != 3 || state.Current.Version != two.Version {
		t.Fatalf("after the second: %+v", state)
	}
	must(t, s.Platform.Restore(t.Context(), app, one.Version, 20*time.Second, silent))
	state = s.observe(t)
	if c := state.Current; c.Version != one.Version || !platform.SameImage(c.Image, one.Image) || c.Env["COLOR"] != "blue" || len(state.Instances) != 2 || state.Mixed {
		t.Errorf("restored: %+v, %d instances", c, len(state.Instances))
	}
	if got, err := s.Get(t.Context(), app, "/env?name=COLOR"); err != nil || got != "blue" {
		t.Errorf("the app sees COLOR=%q, %v", got, err)
	}
	code(t, "restore of nothing", s.Platform.Restore(t.Context(), app, 999, time.Second, silent), errs.NotFound)
	must(t, s.Platform.Remove(t.Context(), app, silent))
	if n := len(s.observe(t).Instances); n != 0 {
		t.Errorf("%d instances after Remove", n)
	}
}

func testUnhealthy(t *testing.T, s Setup) {
	s.create(t)
	s.rollOut(t, s.release(t, 0, nil))
	sick := s.release(t, 2, func(r *platform.Release) { r.Timeout = 3 * time.Second })
	err := s.Platform.RollOut(t.Context(), app, sick, silent)
	code(t, "roll-out of an unhealthy image", err, errs.Timeout)
	// The rest of the instances must not have been touched by a rolling update.
	healthy := 0
	for _, i := range s.observe(t).Instances {
		if i.Health == platform.Healthy {
			healthy++
		}
	}
	if healthy != 1 {
		t.Errorf("%d healthy instances, want 1 of 2", healthy)
	}
}

func testSecrets(t *testing.T, s Setup) {
	s.create(t)
	value, other := "one", "two"
	must(t, s.Platform.StageSecrets(t.Context(), app, map[string]*string{"COLOR2": &value, "GONE": &value}))
	for _, waits := range s.observe(t).Secrets {
		if !waits.Pending {
			t.Errorf("no instance is there yet, and %s is not pending", waits.Name)
		}
	}
	s.rollOut(t, s.release(t, 0, nil))
	first := s.observe(t).Secrets
	if len(first) != 2 || first[0].Name != "COLOR2" || strings.Contains(first[0].Digest, value) || first[0].Pending || first[1].Pending {
		t.Fatalf("secrets %+v", first)
	}
	digests := first[0].Digest != ""
	if _, reads := s.Platform.(platform.Variables); !digests && !reads {
		t.Error("secrets have no digest, and their values cannot be read: nothing can be compared")
	}
	must(t, s.Platform.StageSecrets(t.Context(), app, map[string]*string{"COLOR2": &other, "GONE": nil}))
	if got, err := s.Get(t.Context(), app, "/env?name=COLOR2"); err != nil || got != value {
		t.Errorf("staging alone changed the running app: %q, %v", got, err)
	}
	// Whoever looks sees that it waits for a roll-out.
	there, err := s.Second.Observe(t.Context(), app)
	must(t, err)
	if len(there.Secrets) != 1 || !there.Secrets[0].Pending {
		t.Errorf("after staging: %+v", there.Secrets)
	}
	s.rollOut(t, s.release(t, 1, nil))
	second := s.observe(t).Secrets
	if len(second) != 1 || digests && second[0].Digest == first[0].Digest || second[0].Pending {
		t.Errorf("secrets after the change: %+v, before %+v", second, first)
	}
	if got, err := s.Get(t.Context(), app, "/env?name=COLOR2"); err != nil || got != other {
		t.Errorf("the app sees %q, %v", got, err)
	}
}

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

func testLedger(t *testing.T, s Setup) {
	s.create(t)
	if list, err := s.Platform.Releases(t.Context(), app, 5); err != nil || len(list) != 0 {
		t.Errorf("an empty ledger: %v, %v", list, err)
	}
	one := s.release(t, 0, nil)
	must(t, s.Platform.EndRelease(t.Context(), app, one, platform.Complete))
	two := s.release(t, 1, nil)
	two.Message = "it did not become healthy"
	must(t, s.Platform.EndRelease(t.Context(), app, two, platform.Failed))
	list, err := s.Platform.Releases(t.Context(), app, 5)
	must(t, err)
	if len(list) != 2 || list[0].Version != two.Version || list[0].Status != platform.Failed || list[1].Status != platform.Complete {
		t.Errorf("ledger %+v", list)
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
	r := s.release(t, 0, nil)
	_, err := s.Platform.RunTask(t.Context(), app, platform.Task{Image: r.Image, Command: s.Success, Region: s.Region, Timeout: 20 * time.Second, Release: r})
	must(t, err)
	var lines []platform.LogLine
	must(t, logs.Logs(t.Context(), app, platform.LogQuery{Limit: 50}, func(l platform.LogLine) error {
		lines = append(lines, l)
		return nil
	}))
	hello := slices.IndexFunc(lines, func(l platform.LogLine) bool { return l.Message == "hello" })
	if hello < 0 || lines[hello].Instance == "" || time.Since(lines[hello].Time) > time.Minute {
		t.Errorf("lines %+v", lines)
	}
	// Following ends with the context, and sees a line that comes later exactly once.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var seen sync.Map // how often an instance said hello
	done := make(chan error, 1)
	go func() {
		done <- logs.Logs(ctx, app, platform.LogQuery{Follow: true, Limit: 1}, func(l platform.LogLine) error {
			if l.Message == "hello" {
				n, _ := seen.LoadOrStore(l.Instance, new(atomic.Int32))
				n.(*atomic.Int32).Add(1)
			}
			return nil
		})
	}()
	second, err := s.Platform.RunTask(t.Context(), app, platform.Task{Image: r.Image, Command: s.Success, Region: s.Region, Timeout: 20 * time.Second, Release: r})
	must(t, err)
	hellos := func() int32 {
		if n, ok := seen.Load(second.ID); ok {
			return n.(*atomic.Int32).Load()
		}
		return 0
	}
	for ctx.Err() == nil && hellos() == 0 {
		time.Sleep(50 * time.Millisecond)
	}
	time.Sleep(500 * time.Millisecond) // for a second one, which must not come
	cancel()
	if err := <-done; err == nil {
		t.Error("following ended by itself, and well")
	}
	if n := hellos(); n != 1 {
		t.Errorf("%d times hello of %s", n, second.ID)
	}
}

func testCancel(t *testing.T, s Setup) {
	s.create(t)
	r := s.release(t, 2, nil) // would wait for its health for long
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	began := time.Now()
	err := s.Platform.RollOut(ctx, app, r, silent)
	if err == nil || time.Since(began) > 10*time.Second {
		t.Errorf("a cancelled roll-out: %v after %s", err, time.Since(began))
	}
}
