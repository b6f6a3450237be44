package emulator

import (
	"net/http"

	"github.com/opsctl/opsctl/internal/emulator/fly"
	"github.com/opsctl/opsctl/internal/emulator/sentry"
)

// kinds are the servers, in the order of their ports. Fly is the first: it
// shares its port with the registry.
func (s *Server) kinds() []kind {
	return []kind{
		{name: platformFly, apps: true, suffixes: []string{"fly.dev"}, requestID: "fly-request-id", refuse: refuseFly, open: s.openFly},
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
