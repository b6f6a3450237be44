package railway_test

import (
	"slices"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/emulator"
	"github.com/opsctl/opsctl/internal/platform"
)

// A first deploy with short pages and reads that are behind makes each thing once.
func TestShortPagesAndLateReads(t *testing.T) {
	server := start(t, func(o *emulator.Options) { o.NoPostgres, o.PageSize, o.Lag = true, 2, 700*time.Millisecond })
	p := client(t, server, nil)
	must(t, p.CreateApp(t.Context(), platform.AppSpec{Name: "shop"}))
	must(t, p.CreateApp(t.Context(), platform.AppSpec{Name: "shop"}))
	for _, name := range []string{"shop-redis", "shop-other", "shop-third"} {
		_, err := p.CreateRedis(t.Context(), platform.CacheSpec{App: "shop", Name: name}, silent)
		must(t, err)
	}
	value := "x"
	must(t, p.StageSecrets(t.Context(), "shop", map[string]*string{"A": &value, "B": &value, "C": &value}))
	first, err := p.RollOut(t.Context(), "shop", release(server, "suite:1"), silent)
	must(t, err)
	_, err = p.RollOut(t.Context(), "shop", release(server, "suite:2"), silent)
	must(t, err)
	_, err = p.Restore(t.Context(), "shop", first.Release, silent)
	must(t, err)
	fresh := client(t, server, nil)
	list, err := fresh.Releases(t.Context(), "shop", 10)
	must(t, err)
	cache, err := fresh.FindRedis(t.Context(), "shop", "shop-third")
	must(t, err)
	state, err := fresh.Observe(t.Context(), "shop")
	must(t, err)
	if len(list) != 3 || cache == nil || cache.URL == "" || len(state.Secrets) != 3 || len(state.Instances) != 1 {
		t.Errorf("%d releases, cache %+v, state %+v", len(list), cache, state)
	}
	l, err := fresh.Domains(t.Context(), "shop")
	must(t, err)
	if names := (world(t, server)).names(); !slices.Equal(names, []string{"shop"}) || len(l) != 0 {
		t.Errorf("projects %q, domains %v", names, l)
	}
}
