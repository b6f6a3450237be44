// Package emulator is a local, stateful stand-in for the platforms that opsctl
// deploys to: their APIs, an image registry and managed PostgreSQL on one
// loopback address, with every machine a real process behind a small router.
//
// An app's public address is http://APP.localhost:PORT (names below localhost
// are this machine, RFC 6761); its usual host name APP.fly.dev works as a Host
// header, and /_app/APP/ as a path for clients that can do neither.
package emulator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/fly"
	"github.com/opsctl/opsctl/internal/emulator/world"
)

// Token is the access token that Env hands out. It has no value anywhere else.
const Token = "fo1_emulator" //nolint:gosec // not a credential

// Options configure a Server. The zero value is a server on a free loopback
// port whose machines run a placeholder.
type Options struct {
	// Listen is the address to serve on, such as "127.0.0.1:4280"; empty means a free loopback port.
	Listen string
	// Exec is the command that stands for every image; empty means a built-in placeholder.
	Exec []string
	// Dir is the directory that the processes run in; empty means a private one for each machine.
	Dir string
	// StateDir keeps the emulator's files; empty means a temporary directory, removed by Close.
	StateDir string
	// SeedImages are references that exist from the start: "shop:v1" or "registry.example.com/shop:v1".
	SeedImages []string
	// Orgs, TakenNames, ValidTokens, Lag and PageSize are passed to the Fly API; see fly.Options.
	Orgs        []string
	TakenNames  []string
	ValidTokens []string
	Lag         time.Duration
	PageSize    int
	// Latency delays every API answer.
	Latency time.Duration
	// Faults are in force from the start.
	Faults []Fault
	// NoPostgres refuses databases instead of starting real servers.
	NoPostgres bool
	// RestartBackoff is the pause before a crashed process starts again; 0 means 500 ms.
	RestartBackoff time.Duration
	// Now is the clock, nil means time.Now; Seed makes identifiers repeatable.
	Now  func() time.Time
	Seed uint64
	// Log receives one line for every machine, database and fault event. May be nil.
	Log func(line string)
	// OnRequest is called after every API request. May be nil.
	OnRequest func(Request)
}

// Server is a running emulator.
type Server struct {
	opts   Options
	world  *world.World
	fly    *fly.Server
	faults faults
	record recorder

	ln   net.Listener
	http *http.Server
	once sync.Once
	err  error
	stop chan struct{} // closed by Close: ends hanging answers
	// backends keeps no connections: processes come and go on changing ports.
	backends *http.Transport
}

// New makes an emulator and takes its address; Start begins to serve.
func New(opts Options) (*Server, error) {
	if opts.Listen == "" {
		opts.Listen = "127.0.0.1:0"
	}
	ln, err := net.Listen("tcp", opts.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", opts.Listen, err)
	}
	s := &Server{opts: opts, ln: ln, stop: make(chan struct{}), backends: &http.Transport{DisableKeepAlives: true}}
	wopts := world.Options{
		Exec: opts.Exec, WorkDir: opts.Dir, Dir: opts.StateDir, Now: opts.Now, Seed: opts.Seed, RestartBackoff: opts.RestartBackoff, Log: s.logf,
	}
	if !opts.NoPostgres {
		wopts.StartDatabase = startPostgres
	}
	if s.world, err = world.New(wopts); err != nil {
		_ = ln.Close()
		return nil, err
	}
	for _, host := range []string{"registry.fly.io", s.Host(), fmt.Sprintf("localhost:%d", s.Port())} {
		s.world.Images.AddHost(host)
	}
	for _, ref := range opts.SeedImages {
		if err := s.world.Images.Seed(ref); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	s.fly = fly.New(fly.Options{
		World: s.world, ValidTokens: opts.ValidTokens, Orgs: opts.Orgs, TakenNames: opts.TakenNames, Lag: opts.Lag, PageSize: opts.PageSize,
		HostSuffixes: []string{"localhost", "fly.dev"}, Port: s.Port,
	})
	s.faults.latency = opts.Latency
	s.faults.add(opts.Faults...)
	s.http = &http.Server{Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: 10 * time.Second}
	return s, nil
}

// Start begins to serve and returns at once.
func (s *Server) Start() {
	go func() { _ = s.http.Serve(s.ln) }()
}

// Port is the TCP port of everything but the databases.
func (s *Server) Port() int { return s.ln.Addr().(*net.TCPAddr).Port }

// Host is the address without a scheme, host:port. It is also the registry's host.
func (s *Server) Host() string { return s.ln.Addr().String() }

// URL is the base URL of all APIs, without a slash at the end.
func (s *Server) URL() string { return "http://" + s.Host() }

// AppURL is an app's public address, without a slash at the end.
func (s *Server) AppURL(app string) string {
	return fmt.Sprintf("http://%s.localhost:%d", app, s.Port())
}

// Env are the variables that point opsctl and the platforms' own clients here.
func (s *Server) Env() map[string]string {
	token := Token
	if len(s.opts.ValidTokens) > 0 {
		token = s.opts.ValidTokens[0]
	}
	return map[string]string{
		"FLY_API_BASE_URL": s.URL(), "FLY_FLAPS_BASE_URL": s.URL(), "FLY_UIEX_BASE_URL": s.URL(),
		"FLY_REGISTRY_HOST": s.Host(), "FLY_API_TOKEN": token,
	}
}

// SeedImage makes an image reference exist; see Options.SeedImages.
func (s *Server) SeedImage(ref string) error { return s.world.Images.Seed(ref) }

// AddFaults puts more faults in force.
func (s *Server) AddFaults(f ...Fault) { s.faults.add(f...) }

// ClearFaults removes all faults and the latency.
func (s *Server) ClearFaults() { s.faults.clear() }

// Requests are the API requests so far, in the order of their answers.
func (s *Server) Requests() []Request { return s.record.all() }

// Close stops all machines and databases and the server itself. Nothing that
// the emulator started is left when it returns.
func (s *Server) Close() error {
	s.once.Do(func() {
		close(s.stop)
		if s.http != nil {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			if s.http.Shutdown(ctx) != nil {
				_ = s.http.Close()
			}
		}
		_ = s.ln.Close()
		if s.world != nil {
			s.err = s.world.Close()
		}
	})
	return s.err
}

func (s *Server) logf(format string, args ...any) {
	if s.opts.Log != nil {
		s.opts.Log(fmt.Sprintf(format, args...))
	}
}

// serve sends a request where its host and path say.
func (s *Server) serve(rw http.ResponseWriter, r *http.Request) {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if app := s.world.AppByHost(host); app != nil {
		s.route(rw, r, app)
		return
	}
	if strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".fly.dev") {
		http.Error(rw, "no app answers to "+host, http.StatusNotFound)
		return
	}
	if rest, found := strings.CutPrefix(r.URL.Path, "/_app/"); found {
		name, path, _ := strings.Cut(rest, "/")
		app := s.world.App(name)
		if app == nil {
			http.Error(rw, "no app named "+name, http.StatusNotFound)
			return
		}
		r.URL.Path, r.URL.RawPath = "/"+path, ""
		s.route(rw, r, app)
		return
	}
	if strings.HasPrefix(r.URL.Path, "/_emulator/") {
		s.control(rw, r)
		return
	}
	s.api(rw, r)
}
