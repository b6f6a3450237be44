package fly_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/emulator"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/platform/fly"
)

// suite is an app on an emulator, with what the tests of roll-outs do over and over.
type suite struct {
	t      *testing.T
	server *emulator.Server
	p      *fly.Platform
}

func newSuite(t *testing.T) suite {
	t.Helper()
	server := start(t, nil)
	s := suite{t, server, client(t, server)}
	s.must(s.p.CreateApp(t.Context(), platform.AppSpec{Name: "suite"}))
	return s
}

func (s suite) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("%v\n%s", err, errs.HintOf(err))
	}
}

func (s suite) fault(spec string) {
	s.t.Helper()
	f, err := emulator.ParseFault(spec)
	s.must(err)
	s.server.AddFaults(f)
}

func silent(string, ...any) {}

// release opens a release of an image.
func (s suite) release(image, strategy string, change func(*platform.Release)) platform.Release {
	s.t.Helper()
	resolved, err := s.p.ResolveImage(s.t.Context(), "suite", "registry.fly.io/suite:"+image)
	s.must(err)
	r := platform.Release{
		Image: resolved.Pinned(), Port: 3000, Health: "/api/health", Instances: 2, Region: "fra", Strategy: strategy,
		Env: map[string]string{"COLOR": image + strategy}, Timeout: 20 * time.Second, Label: "20260101-000000-" + fmt.Sprintf("%06x", len(s.server.Requests())),
	}
	if change != nil {
		change(&r)
	}
	r, err = s.p.BeginRelease(s.t.Context(), "suite", r)
	s.must(err)
	return r
}

func (s suite) rollOut(image, strategy string, change func(*platform.Release)) platform.Release {
	s.t.Helper()
	r := s.release(image, strategy, change)
	_, err := s.p.RollOut(s.t.Context(), "suite", r, silent)
	s.must(err)
	s.must(s.p.EndRelease(s.t.Context(), "suite", r, platform.Complete))
	return r
}

func (s suite) observe() *platform.State {
	s.t.Helper()
	state, err := s.p.Observe(s.t.Context(), "suite")
	s.must(err)
	return state
}

func (s suite) ids() []string {
	s.t.Helper()
	var out []string
	for _, i := range s.observe().Instances {
		out = append(out, i.ID)
	}
	slices.Sort(out)
	return out
}

// The machines of a release are gone after a blue-green roll-out, and their versions
// with them. It is put back all the same, from the list of releases, by somebody else
// than who rolled it out.
func TestARestoreAfterBlueGreen(t *testing.T) {
	s := newSuite(t)
	a := s.rollOut("1", "rolling", func(r *platform.Release) { r.Size, r.Instances = "shared-cpu-2x:1gb", 3 })
	first := s.ids()
	s.rollOut("2", "bluegreen", func(r *platform.Release) {
		r.Size, r.Port, r.Health, r.Instances = "shared-cpu-1x", 4000, "/env", 1
	})
	s.rollOut("2", "bluegreen", nil)
	for _, id := range s.ids() {
		if slices.Contains(first, id) {
			t.Fatalf("machine %s is still there after two blue-green roll-outs", id)
		}
	}
	for name, to := range map[string]platform.Release{"by its number": {Version: a.Version}, "as the list has it": s.listed(a.Version)} {
		s.rollOut("2", "bluegreen", nil)
		to.Timeout = 20 * time.Second
		now, err := client(t, s.server).Restore(t.Context(), "suite", to, silent)
		s.must(err)
		state := s.observe()
		c := state.Current
		if now.Version != a.Version || c.Version != a.Version || c.Image != a.Image || c.Port != 3000 || c.Health != "/api/health" ||
			c.Size != a.Size || len(c.Env) != 1 || c.Env["COLOR"] != "1rolling" || len(state.Instances) != 3 || state.Mixed {
			t.Errorf("%s: restored %+v\n%d instances: %+v", name, now, len(state.Instances), c)
		}
	}
}

func (s suite) listed(version string) platform.Release {
	s.t.Helper()
	list, err := s.p.Releases(s.t.Context(), "suite", 20)
	s.must(err)
	i := slices.IndexFunc(list, func(r platform.Release) bool { return r.Version == version })
	if i < 0 {
		s.t.Fatalf("release %s is not in the list", version)
	}
	if r := list[i]; r.Port != 3000 || r.Env["COLOR"] == "" || r.Strategy == "" {
		s.t.Errorf("the list says too little: %+v", r)
	}
	return list[i]
}

// Greens that do not become healthy leave no trace; neither does a roll-out that is
// interrupted, or one in which the API fails, and visitors stay with the blues.
func TestAFailedBlueGreenLeavesTheBluesAlone(t *testing.T) {
	for name, tt := range map[string]struct {
		image, fault string
		cancel       bool
	}{
		"the greens are sick":                      {image: "sick"},
		"interrupted":                              {image: "sick", cancel: true},
		"a green's creation is refused":            {image: "2", fault: "POST /v1/apps/suite/machines=422,skip=1"},
		"a green was created, and the answer lost": {image: "2", fault: "POST /v1/apps/suite/machines=502,late,skip=1"},
		"a green gets no visitors":                 {image: "2", fault: "POST /v1/apps/suite/machines/*/uncordon=400,skip=1,count=1"},
		"a blue is not tagged":                     {image: "2", fault: "POST /v1/apps/suite/machines/*/metadata/*=400,skip=1"},
		"a blue is not cordoned":                   {image: "2", fault: "POST /v1/apps/suite/machines/*/cordon=400,skip=1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSuite(t)
			one := s.rollOut("1", "rolling", nil)
			before := s.observe()
			sick := s.release(tt.image, "bluegreen", func(r *platform.Release) { r.Timeout = 2 * time.Second })
			if tt.fault != "" {
				s.fault(tt.fault)
			}
			ctx := t.Context()
			if tt.cancel {
				short, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
				defer cancel()
				ctx = short
			}
			_, err := s.p.RollOut(ctx, "suite", sick, silent)
			if err == nil {
				t.Fatal("it succeeded")
			}
			s.server.ClearFaults()
			after := s.observe()
			if len(after.Instances) != 2 || after.Mixed || after.Current.Version != one.Version {
				t.Fatalf("%v, and then %+v", err, after.Instances)
			}
			for i := range before.Instances {
				if b, a := before.Instances[i], after.Instances[i]; a.ID != b.ID || !a.Began.Equal(b.Began) || a.Health != platform.Healthy {
					t.Errorf("machine %+v became %+v", b, a)
				}
			}
			// They are not given up either: the next roll-out keeps them, and they get visitors.
			s.rollOut("2", "rolling", nil)
			if got, err := s.get("/env?name=COLOR"); got != "2rolling" || err != nil {
				t.Errorf("a visitor sees %q, %v", got, err)
			}
		})
	}
}

func (s suite) get(path string) (string, error) {
	resp, err := http.Get(s.server.URL() + "/_app/suite" + path)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body := make([]byte, 100)
	n, _ := resp.Body.Read(body)
	if resp.StatusCode != http.StatusOK {
		return "", errors.New(resp.Status)
	}
	return string(body[:n]), nil
}

// While the lock is held, it goes to the machines that stay.
func TestABlueGreenRollOutUnderTheLock(t *testing.T) {
	s := newSuite(t)
	s.rollOut("1", "rolling", nil)
	lease, err := s.p.Lock(t.Context(), "suite", "first@here")
	s.must(err)
	s.rollOut("2", "bluegreen", nil)
	if _, err := client(t, s.server).Lock(t.Context(), "suite", "second@there"); errs.CodeOf(err) != errs.Conflict || !strings.Contains(err.Error(), "first@here") {
		t.Errorf("after the machines were replaced: %v", err)
	}
	s.must(lease.Release(t.Context()))
	free, err := client(t, s.server).Lock(t.Context(), "suite", "second@there")
	s.must(err)
	s.must(free.Release(t.Context()))
}

// A canary that is sick is destroyed, and nothing else was touched.
func TestASickCanary(t *testing.T) {
	s := newSuite(t)
	s.rollOut("1", "rolling", nil)
	before := s.observe().Instances
	_, err := s.p.RollOut(t.Context(), "suite", s.release("sick", "canary", func(r *platform.Release) { r.Timeout = 2 * time.Second }), silent)
	if errs.CodeOf(err) != errs.Timeout {
		t.Errorf("%v", err)
	}
	after := s.observe()
	if len(after.Instances) != 2 || after.Mixed || !after.Instances[1].Began.Equal(before[1].Began) {
		t.Errorf("%+v", after.Instances)
	}
	s.rollOut("2", "canary", nil)
	if got := s.ids(); !slices.Equal(got, sorted(before)) {
		t.Errorf("a canary roll-out replaced machines: %v, before %v", got, sorted(before))
	}
}

func sorted(instances []platform.Instance) []string {
	var out []string
	for _, i := range instances {
		out = append(out, i.ID)
	}
	slices.Sort(out)
	return out
}

func TestStrategiesAndSizesThatThereAreNot(t *testing.T) {
	s := newSuite(t)
	for _, change := range []func(*platform.Release){
		func(r *platform.Release) { r.Strategy = "sideways" },
		func(r *platform.Release) { r.Size = "galactic" },
		func(r *platform.Release) { r.Size = "shared-cpu-1x:99gb" },
	} {
		r := platform.Release{Version: "1", Image: "registry.fly.io/suite:1", Port: 3000, Instances: 1, Region: "fra", Strategy: "rolling"}
		change(&r)
		_, err := s.p.RollOut(t.Context(), "suite", r, silent)
		if errs.CodeOf(err) != errs.Usage || errs.HintOf(err) == "" {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

// The machines move, keep their release, and visitors notice nothing.
func TestScaleToAnotherRegion(t *testing.T) {
	s := newSuite(t)
	one := s.rollOut("1", "rolling", nil)
	before := s.ids()
	s.must(s.p.Scale(t.Context(), "suite", platform.Scale{Region: "ams", Size: "shared-cpu-2x"}, silent))
	state := s.observe()
	if len(state.Instances) != 2 || state.Mixed || state.Current.Version != one.Version || state.Current.Region != "ams" || state.Current.Size != "shared-cpu-2x" {
		t.Errorf("%+v", state.Current)
	}
	for _, i := range state.Instances {
		if i.Region != "ams" || i.Health != platform.Healthy || slices.Contains(before, i.ID) {
			t.Errorf("%+v", i)
		}
	}
	err := s.p.Scale(t.Context(), "suite", platform.Scale{Region: "moon"}, silent)
	if errs.CodeOf(err) != errs.Usage || !strings.Contains(errs.HintOf(err), "fra") {
		t.Errorf("%v, %s", err, errs.HintOf(err))
	}
}

// Somebody else changed a machine between the look and the change.
func TestScaleAgainstSomebodyElse(t *testing.T) {
	s := newSuite(t)
	s.rollOut("1", "rolling", nil)
	s.fault("POST /v1/apps/suite/machines/*=409,count=1")
	if err := s.p.Scale(t.Context(), "suite", platform.Scale{Size: "shared-cpu-2x"}, silent); errs.CodeOf(err) != errs.Conflict {
		t.Errorf("%v", err)
	}
}
