// Package emulator is a local, stateful stand-in for the platforms that opsctl
// deploys to: each platform's APIs on a loopback address of its own, an image
// registry and managed databases that they share, and every machine a real
// process behind a small router.
//
// An app's public address is http://APP.localhost:PORT with its platform's port
// (names below localhost are this machine, RFC 6761); its usual host name, such
// as APP.fly.dev, works as a Host header, and /_app/APP/ as a path for clients
// that can do neither.
package emulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/fly"
	"github.com/opsctl/opsctl/internal/emulator/world"
)

// Server is a running emulator.
type Server struct {
	opts   Options
	images *world.Images
	fronts []*front // by the order of their ports, Fly first
	fly    *fly.Server
	faults faults
	record recorder
	tokens tokenClock
	keep   *keeper  // nil: nothing is kept
	lock   *os.File // held for as long as StateDir is in use

	once sync.Once
	err  error
	stop chan struct{} // closed by Close: ends hanging answers
	// backends keeps no connections: processes come and go on changing ports.
	backends *http.Transport
}

// New makes an emulator and takes its addresses; Start begins to serve.
func New(opts Options) (*Server, error) {
	if opts.Listen == "" {
		opts.Listen = "127.0.0.1:0"
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	s := &Server{opts: opts, stop: make(chan struct{}), backends: &http.Transport{DisableKeepAlives: true}}
	s.faults.latency = opts.Latency
	s.faults.add(opts.Faults...)
	for _, step := range []func() error{s.lockState, s.listen, s.openImages, s.openPlatforms, s.restore} {
		if err := step(); err != nil {
			return nil, errors.Join(err, s.abandon())
		}
	}
	return s, nil
}

// listen takes an address for each platform: the given port and those after
// it, or free ones.
func (s *Server) listen() error {
	host, port, err := net.SplitHostPort(s.opts.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", s.opts.Listen, err)
	}
	first, err := (&net.Resolver{}).LookupPort(context.Background(), "tcp", port)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", s.opts.Listen, err)
	}
	for i, k := range s.kinds() {
		number := 0
		if first != 0 {
			number = first + i
		}
		addr := net.JoinHostPort(host, strconv.Itoa(number))
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			return fmt.Errorf("listen on %s for %s: %w", addr, k.name, err)
		}
		s.fronts = append(s.fronts, &front{kind: k, s: s, ln: ln})
	}
	return nil
}

func (s *Server) openImages() error {
	s.images = world.NewImages()
	if s.opts.StateDir != "" {
		var err error
		if s.images, err = world.OpenImages(filepath.Join(s.opts.StateDir, "registry")); err != nil {
			return err
		}
	}
	for _, host := range []string{"registry.fly.io", s.Host(), fmt.Sprintf("localhost:%d", s.Port())} {
		s.images.AddHost(host)
	}
	for _, ref := range s.opts.SeedImages {
		if err := s.images.Seed(ref); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) openPlatforms() error {
	for i, f := range s.fronts {
		if f.kind.apps {
			w, err := world.New(s.worldOptions(f.kind.name, uint64(i))) //nolint:gosec // a small index
			if err != nil {
				return err
			}
			f.world = w
		}
		if err := f.kind.open(f); err != nil {
			return err
		}
		f.http = &http.Server{Handler: http.HandlerFunc(f.serve), ReadHeaderTimeout: 10 * time.Second}
	}
	return nil
}

func (s *Server) worldOptions(name string, index uint64) world.Options {
	o := world.Options{
		Exec: s.opts.Exec, WorkDir: s.opts.Dir, Now: s.opts.Now, RestartBackoff: s.opts.RestartBackoff, Images: s.images, Log: s.logf,
	}
	if s.opts.Seed != 0 {
		o.Seed = s.opts.Seed + index // each platform has identifiers of its own
	}
	if s.opts.StateDir != "" {
		o.Dir = filepath.Join(s.opts.StateDir, name)
	}
	if !s.opts.NoPostgres {
		o.StartDatabase = startPostgres
	}
	return o
}

// Start begins to serve and returns at once.
func (s *Server) Start() {
	for _, f := range s.fronts {
		go func() { _ = f.http.Serve(f.ln) }()
	}
	s.keep.start()
}

// SeedImage makes an image reference exist; see Options.SeedImages.
func (s *Server) SeedImage(ref string) error { return s.images.Seed(ref) }

// AddFaults puts more faults in force.
func (s *Server) AddFaults(f ...Fault) { s.faults.add(f...) }

// ClearFaults removes all faults and the latency.
func (s *Server) ClearFaults() { s.faults.clear() }

// Requests are the API requests so far, to all platforms, in the order of their answers.
func (s *Server) Requests() []Request { return s.record.all() }

// Close stops the server and everything that it started: no machine and no
// database is left when it returns. With Options.StateDir the state is saved first.
func (s *Server) Close() error {
	s.once.Do(func() {
		s.hangUp()
		s.err = errors.Join(s.keep.end(), s.closeWorlds())
		if s.lock != nil {
			_ = s.lock.Close()
		}
	})
	return s.err
}

// abandon is Close for a server that never started: what was kept stays as it is.
func (s *Server) abandon() error {
	s.keep = nil
	return s.Close()
}

// hangUp ends all requests and gives the addresses back.
func (s *Server) hangUp() {
	close(s.stop)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var all sync.WaitGroup
	for _, f := range s.fronts {
		all.Go(func() {
			if f.http != nil && f.http.Shutdown(ctx) != nil {
				_ = f.http.Close()
			}
			_ = f.ln.Close()
		})
	}
	all.Wait()
}

func (s *Server) closeWorlds() error {
	errList := make([]error, len(s.fronts))
	var all sync.WaitGroup
	for i, f := range s.fronts {
		all.Go(func() {
			if view, ok := f.view.(io.Closer); ok { // its streams and timers, before the world that they look at
				errList[i] = view.Close()
			}
			if f.world != nil {
				errList[i] = errors.Join(errList[i], f.world.Close())
			}
		})
	}
	all.Wait()
	return errors.Join(errList...)
}

func (s *Server) logf(format string, args ...any) {
	if s.opts.Log != nil {
		s.opts.Log(fmt.Sprintf(format, args...))
	}
}
