package emulator

import (
	"cmp"
	"net/http"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/fly"
	"github.com/opsctl/opsctl/internal/emulator/railway"
	"github.com/opsctl/opsctl/internal/emulator/render"
	"github.com/opsctl/opsctl/internal/emulator/sentry"
)

// kinds are the servers, in the order of their ports. Fly is the first: it
// shares its port with the registry.
func (s *Server) kinds() []kind {
	return []kind{
		{name: platformFly, apps: true, suffixes: []string{"fly.dev"}, requestID: "fly-request-id", refuse: refuseFly, open: s.openFly},
		{name: platformRailway, apps: true, suffixes: []string{"up.railway.app"}, requestID: "x-railway-request-id", refuse: refuseRailway, open: s.openRailway},
		{name: platformRender, apps: true, suffixes: []string{"onrender.com"}, requestID: "rndr-id", refuse: refuseRender, open: s.openRender},
		{name: platformSentry, requestID: "x-sentry-request-id", refuse: refuseSentry, open: s.openSentry},
	}
}

func (s *Server) openFly(f *front) error {
	s.fly = fly.New(fly.Options{
		World: f.world, ValidTokens: s.opts.ValidTokens, Orgs: s.opts.Orgs, TakenNames: s.opts.TakenNames, Lag: s.opts.Lag, PageSize: s.opts.PageSize,
		HostSuffixes: []string{"localhost", "fly.dev"}, Port: f.port,
	})
	f.view = s.fly
	f.api = http.HandlerFunc(s.serveFly)
	return nil
}

func (s *Server) openRailway(f *front) error {
	rw := railway.New(railway.Options{
		World: f.world, ValidTokens: s.opts.ValidTokens, Port: f.port, Lag: s.opts.Lag, PageSize: s.opts.PageSize, Probe: s.probe(),
	})
	f.api, f.view = rw, rw
	return nil
}

func (s *Server) openRender(f *front) error {
	rd := render.New(render.Options{
		World: f.world, ValidTokens: s.opts.ValidTokens, Port: f.port, Lag: s.opts.Lag, PageSize: s.opts.PageSize,
		DeployTimeout: s.opts.DeployTimeout, CheckInterval: s.probe(), RecoveryGap: cmp.Or(s.opts.RecoveryGap, -1),
	})
	f.api, f.view = rd, rd
	return nil
}

// probe is the time between two health checks where the platform sets it.
func (s *Server) probe() time.Duration { return cmp.Or(s.opts.Probe, 200*time.Millisecond) }

func (s *Server) openSentry(f *front) error {
	sn := sentry.New(sentry.Options{
		ValidTokens: s.opts.ValidTokens, Org: sentryOrg, Project: sentryProject, Key: sentryKey, URL: f.url, PageSize: s.opts.PageSize, Now: s.opts.Now,
		Processing: max(s.opts.Lag, sentryProcessing), NewID: s.fronts[0].world.Hex,
	})
	f.api, f.view = sn, sn
	return nil
}

// serveFly is everything at Fly's address: its APIs and the registry.
func (s *Server) serveFly(rw http.ResponseWriter, r *http.Request) {
	switch {
	case fly.Handles(r.URL.Path):
		s.fly.ServeHTTP(rw, r)
	case isRegistry(r.URL.Path):
		s.registry(rw, r)
	default:
		http.Error(rw, `{"error":"not found"}`, http.StatusNotFound)
	}
}
