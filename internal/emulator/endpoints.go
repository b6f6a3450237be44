package emulator

import (
	"strings"
	"time"
)

// The servers by name, in the order of their ports.
const (
	platformFly     = "fly"
	platformRailway = "railway"
	platformRender  = "render"
	platformSentry  = "sentry"
)

// Ports is how many ports in a row an emulator takes.
const Ports = 4

// Endpoints are where the parts of an emulator answer.
type Endpoints struct {
	Fly      string `json:"fly"`      // base URL of all of Fly's APIs, without a slash at the end
	Railway  string `json:"railway"`  // the host of backboard; GraphQL is at /graphql/v2
	Render   string `json:"render"`   // the host of the API, which is below /v1
	Registry string `json:"registry"` // HOST:PORT
	Sentry   string `json:"sentry"`
}

// Endpoints are where the server answers.
func (s *Server) Endpoints() Endpoints {
	return Endpoints{Fly: s.FlyURL(), Railway: s.RailwayURL(), Render: s.RenderURL(), Registry: s.Host(), Sentry: s.SentryURL()}
}

// front returns a platform's server, or nil.
func (s *Server) front(name string) *front {
	for _, f := range s.fronts {
		if f.name == name {
			return f
		}
	}
	return nil
}

func (s *Server) urlOf(name string) string {
	if f := s.front(name); f != nil {
		return f.url()
	}
	return ""
}

// Port is the TCP port of Fly's APIs, of its apps, and of the registry.
func (s *Server) Port() int { return s.fronts[0].port() }

// Host is the address without a scheme, host:port. It is also the registry's host.
func (s *Server) Host() string { return s.fronts[0].host() }

// URL is FlyURL.
func (s *Server) URL() string { return s.FlyURL() }

// FlyURL is the base URL of all of Fly's APIs, without a slash at the end.
func (s *Server) FlyURL() string { return s.fronts[0].url() }

// RailwayURL is the base URL of Railway's API, without a slash at the end: GraphQL is at /graphql/v2 below it.
func (s *Server) RailwayURL() string { return s.urlOf(platformRailway) }

// RenderURL is the base URL of Render's API without its /v1 and without a slash at the end.
func (s *Server) RenderURL() string { return s.urlOf(platformRender) }

// SentryURL is the base URL of the stand-in for Sentry, without a slash at the end.
func (s *Server) SentryURL() string { return s.urlOf(platformSentry) }

// AppURL is the public address of an app on Fly, without a slash at the end.
func (s *Server) AppURL(app string) string { return s.fronts[0].appURL(app) }

// Env are the variables that point opsctl and the platforms' own clients here,
// and keep those clients from calling home.
func (s *Server) Env() map[string]string {
	token := Token
	if len(s.opts.ValidTokens) > 0 {
		token = s.opts.ValidTokens[0]
	}
	env := map[string]string{
		"FLY_API_BASE_URL": s.URL(), "FLY_FLAPS_BASE_URL": s.URL(), "FLY_UIEX_BASE_URL": s.URL(),
		"FLY_METRICS_BASE_URL": s.URL(), "FLY_SYNTHETICS_BASE_URL": s.URL(), "FLY_STATUSPAGE_UNRESOLVED_INCIDENTS_URL": s.URL() + "/_emulator/incidents",
		"FLY_REGISTRY_HOST": s.Host(), "FLY_API_TOKEN": token,
		"FLY_NO_UPDATE_CHECK": "1", "FLY_SEND_METRICS": "0", "FLY_NO_INCIDENTS_CHECK": "1", "DO_NOT_TRACK": "1",
	}
	if f := s.front(platformRailway); f != nil {
		env["RAILWAY_BACKBOARD_URL"], env["RAILWAY_API_TOKEN"] = f.url()+"/graphql/v2", token
		env["RAILWAY_NO_AUTO_UPDATE"] = "1"
	}
	if f := s.front(platformRender); f != nil {
		env["RENDER_HOST"], env["RENDER_API_KEY"], env["RENDER_WORKSPACE"] = f.url()+"/v1/", token, renderWorkspace
	}
	if f := s.front(platformSentry); f != nil {
		env["SENTRY_URL"], env["SENTRY_AUTH_TOKEN"] = f.url()+"/", token
		env["SENTRY_DSN"] = "http://" + sentryKey + "@" + strings.TrimPrefix(f.url(), "http://") + "/" + sentryProjectID
		env["SENTRY_ORG"], env["SENTRY_PROJECT"] = sentryOrg, sentryProject
	}
	return env
}

// What the stand-ins know from the start.
const (
	renderWorkspace = "tea-1"
	sentryKey       = "5e9751a2b1f4c3d8e6a7098bc4d5e6f7" // public, as every DSN's key is
	sentryOrg       = "emulator"
	sentryProject   = "app"
	sentryProjectID = "1"
	// sentryProcessing is how long an event takes to be found: a client has to ask twice.
	sentryProcessing = 100 * time.Millisecond
)

// Info is what the control endpoint says about a running emulator.
type Info struct {
	Schema string `json:"schema"` // opsctl.emulate/v1
	Endpoints
	Env map[string]string `json:"env"`
}

// InfoSchema names the form of Info.
const InfoSchema = "opsctl.emulate/v1"

// Info says where the server answers.
func (s *Server) Info() Info { return Info{Schema: InfoSchema, Endpoints: s.Endpoints(), Env: s.Env()} }
