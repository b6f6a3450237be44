// Package platformtest is the conformance suite that every adapter passes: the
// contracts in the comments of package platform, as tests.
package platformtest

import (
	"context"
	"maps"
	"slices"
	"strings"
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
	// Region is one that exists, Other another one, Size a size of instances.
	Region, Other, Size string
	// Get fetches a path of the app, as a visitor would. Its apps answer
	// /env?name=NAME with a variable, and print what /say?line=TEXT says.
	Get func(ctx context.Context, app, path string) (string, error)
	// Strategies are those to roll out with; empty means rolling alone.
	Strategies []string
	// Verify makes a domain's DNS records stand, as its owner would; nil skips that part.
	Verify func(name string)
}

// Run runs the suite. new makes a fresh setup for each test.
func Run(t *testing.T, setup func(t *testing.T) Setup) {
	tests := map[string]func(*testing.T, Setup){
		"WhoAmI": testWhoAmI, "AppIsMadeOnce": testApp, "UnknownApp": testUnknownApp, "Images": testImages,
		"Tasks": testTasks, "ReleaseCommand": testReleaseCommand, "RollOutAndRestore": testRollOutAndRestore, "Unhealthy": testUnhealthy,
		"RestoreAfterRestore": testRestoreAgain, "Strategies": testStrategies, "Secrets": testSecrets, "Variables": testVariables, "Lock": testLock,
		"BreakLock": testBreakLock, "Ledger": testLedger, "Releases": testReleases, "Logs": testLogs, "Cancel": testCancel,
		"Postgres": testPostgres, "Redis": testRedis, "NativeBackups": testNativeBackups, "Domains": testDomains, "Scale": testScale,
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
	if book, ok := s.Platform.(platform.Ledger); ok {
		r, err = book.BeginRelease(t.Context(), app, r)
		must(t, err)
	}
	return r
}

// rollOut brings a release up, and returns it with its version.
func (s Setup) rollOut(t *testing.T, r platform.Release) platform.Release {
	t.Helper()
	out, err := s.Platform.RollOut(t.Context(), app, r, silent)
	must(t, err)
	s.end(t, out.Release, platform.Complete)
	if out.Release.Version == "" {
		t.Error("a roll-out without a version")
	}
	return out.Release
}

// end closes a release where opsctl keeps the ledger.
func (s Setup) end(t *testing.T, r platform.Release, status platform.ReleaseStatus) {
	t.Helper()
	if book, ok := s.Platform.(platform.Ledger); ok {
		must(t, book.EndRelease(t.Context(), app, r, status))
	}
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
