package fly_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/emulator"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// Lists that come two at a time, and an API that sees what is new a moment later.
func TestShortPagesOfALateAPI(t *testing.T) {
	server := start(t, func(o *emulator.Options) { o.PageSize, o.Lag = 2, 200*time.Millisecond })
	s := suite{t, server, client(t, server)}
	s.must(s.p.CreateApp(t.Context(), platform.AppSpec{Name: "suite"}))
	first := s.rollOut("1", "rolling", func(r *platform.Release) { r.Instances = 3 })
	s.settle(func() bool { return len(s.observe().Instances) == 3 })
	s.rollOut("2", "bluegreen", func(r *platform.Release) { r.Instances = 3 })
	s.rollOut("1", "canary", func(r *platform.Release) { r.Instances = 3 })
	s.settle(func() bool { return len(s.observe().Instances) == 3 })
	if state := s.observe(); state.Mixed {
		t.Errorf("%+v", state.Instances)
	}
	list, err := s.p.Releases(t.Context(), "suite", 10)
	s.must(err)
	if len(list) != 3 || list[2].Version != first.Version {
		t.Errorf("releases %+v", list)
	}
	first.Timeout = 20 * time.Second
	_, err = s.p.Restore(t.Context(), "suite", first, silent)
	s.must(err)
	for n := range 3 {
		_, err := s.p.AddDomain(t.Context(), "suite", "a"+strconv.Itoa(n)+".example.com")
		s.must(err)
		_, err = s.p.CreateRedis(t.Context(), platform.CacheSpec{App: "suite", Name: "redis-" + strconv.Itoa(n), Version: 7, Region: "fra"}, silent)
		s.must(err)
	}
	s.settle(func() bool {
		domains, err := s.p.Domains(t.Context(), "suite")
		s.must(err)
		return len(domains) == 3 && slices.IsSortedFunc(domains, func(a, b platform.Domain) int { return int(a.Name[1]) - int(b.Name[1]) })
	})
	s.settle(func() bool {
		found, err := s.p.FindRedis(t.Context(), "suite", "redis-2")
		if err != nil {
			t.Fatalf("%v\n%s", err, errs.HintOf(err))
		}
		return found != nil
	})
}

// settle waits until something is seen.
func (s suite) settle(seen func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !seen(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatal("it was not seen within ten seconds")
		}
	}
}
