// Package compose deploys to a Docker or Podman engine: the user's own machine or
// server. It drives the engine by its command line, so that contexts, DOCKER_HOST,
// SSH and TLS work as they do for the user, and needs no Compose plugin; but names
// and labels are Compose's, so that its commands see what opsctl runs.
//
// Of an app there is a network, the containers of its releases, those of its
// services (PostgreSQL, PgBouncer, Redis), and a front: a proxy of opsctl's own on
// the one published port, which is told where to send requests, so that a release
// is replaced without a gap. Secrets and the list of releases are files of mode 600
// in a volume of the app's, where every user of the engine sees the same.
package compose

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/execx"
	"github.com/opsctl/opsctl/internal/platform"
)

// Defaults of Options.
const (
	DefaultPublish = "127.0.0.1:3000"
	DefaultPooler  = "edoburu/pgbouncer:latest"
	defaultPoll    = 500 * time.Millisecond
	defaultDrain   = 10 * time.Second
	lockTTL        = 30 * time.Second
)

// Options configures New.
type Options struct {
	// Lookup reads the environment: DOCKER_BIN names the program; DOCKER_HOST,
	// DOCKER_CONTEXT and the like are the program's own.
	Lookup func(string) (string, bool)
	// File is the app's compose file; "" for none. See FindFile.
	File string
	// Service is the app's service in it; "" finds it.
	Service string
	// Publish is the address host:port at which the app is reached; "" is what the
	// compose file publishes, or else Port of this machine alone, or DefaultPublish.
	Publish string
	Port    int
	// PoolerImage is the image that has the program pgbouncer; "" is DefaultPooler.
	PoolerImage string
	// Pool limits the pooler; zero fields are 100 connections, 30 s and 5 minutes.
	Pool Pool
	// Executable is a program for the front's container: opsctl, or one that calls
	// front.Main; "" is the program that runs. See front.Source for what happens
	// where it is not one of the engine's system.
	Executable string

	Now   func() time.Time                                 // nil: time.Now
	Sleep func(ctx context.Context, d time.Duration) error // nil: real
	Run   func(ctx context.Context, c execx.Cmd) error     // nil: execx.Run
	Name  func() string                                    // short random names; nil: crypto/rand
	Poll  time.Duration                                    // between two looks at what has to become ready; 0: 500 ms
	Drain time.Duration                                    // what requests to an old release have to end; 0: 10 s
}

// Pool is how the pooler shares the database's connections.
type Pool struct {
	MaxConnections int           // of the app, over all its instances
	ConnectTimeout time.Duration // to get one
	IdleTimeout    time.Duration // until an unused one is given back
}

// Platform is the adapter. It is safe for use by one deploy at a time.
type Platform struct {
	engine engine
	o      Options

	mu    sync.Mutex
	info  *engineInfo             // what the engine says of itself, once asked
	files map[string]*composeFile // by app: the compose file, once read
}

var (
	_ platform.Platform  = (*Platform)(nil)
	_ platform.Tasks     = (*Platform)(nil)
	_ platform.Ledger    = (*Platform)(nil)
	_ platform.Logs      = (*Platform)(nil)
	_ platform.Databases = (*Platform)(nil)
	_ platform.Caches    = (*Platform)(nil)
	_ platform.Registry  = (*Platform)(nil)
	_ platform.Variables = (*Platform)(nil)
	_ platform.Scaler    = (*Platform)(nil)
)

// New makes the adapter. It asks the engine nothing yet; without a program to ask
// it with, it fails with code Failure.
func New(_ context.Context, o Options) (*Platform, error) {
	bin, err := findEngine(o)
	if err != nil {
		return nil, err
	}
	p := &Platform{o: o, files: map[string]*composeFile{}}
	p.engine = engine{bin: bin, run: o.Run, lookup: o.Lookup}
	if p.engine.run == nil {
		p.engine.run = execx.Run
	}
	if o.Now == nil {
		p.o.Now = time.Now
	}
	if o.Sleep == nil {
		p.o.Sleep = sleep
	}
	if o.Name == nil {
		p.o.Name = func() string { return randomHex(4) }
	}
	if o.Poll == 0 {
		p.o.Poll = defaultPoll
	}
	if o.Drain == 0 {
		p.o.Drain = defaultDrain
	}
	if o.PoolerImage == "" {
		p.o.PoolerImage = DefaultPooler
	}
	return p, nil
}

// findEngine is the program named by DOCKER_BIN, else docker, else podman.
func findEngine(o Options) (string, error) {
	if bin, ok := o.Lookup("DOCKER_BIN"); ok && bin != "" {
		return bin, nil
	}
	if o.Run != nil {
		return "docker", nil
	}
	bin, err := execx.Look("docker", "the compose platform", "install Docker (https://docs.docker.com/engine/install/) or Podman, or name the program in DOCKER_BIN")
	if err == nil {
		return bin, nil
	}
	if podman, e := execx.Look("podman", "", ""); e == nil {
		return podman, nil
	}
	return "", err
}

// Name is "compose".
func (p *Platform) Name() string { return "compose" }

// Facts are from the documentation of Docker Engine 20.10 to 29 and Compose 2.
func Facts() platform.Facts {
	return platform.Facts{
		Name: "compose", Title: "your own machine or server, with Docker or Podman", AsOf: "2026-08",
		Strategies: strategies(), Regions: []string{"local"}, Sizes: []string{},
		Tokens:         []string{"DOCKER_HOST"},
		Postgres:       "a container of postgres:16-alpine, or the compose file's service; its volume is kept",
		RecoveryWindow: "none; take backups with opsctl backup",
		Pooling:        "a PgBouncer container, transaction or session mode; without its image the app is connected directly",
		Redis:          "a container of redis:7-alpine with an append-only file, or the compose file's service",
		ReleaseCommand: "a container of its own, as long as release.timeout says",
		Source:         "built by the same engine, nothing is pushed",
		TimeLimits:     "none",
		RollBack:       "image, plain variables and number of instances of any of the last 10 releases; secrets and data stay",
		Cost:           "the machine",
	}
}

// The strategies. Both start the new containers first.
const (
	rolling   = "rolling"   // one after the other
	blueGreen = "bluegreen" // all of them, then traffic changes over at once
)

func strategies() []string { return []string{rolling, blueGreen} }

// validApp keeps to what is a name of a Compose project, of an image, and of a host.
func validApp(app string) error {
	if len(app) > 50 || !regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$`).MatchString(app) {
		return errs.New(errs.Usage, "%q is no name for an app on a Docker engine", app).
			WithHint("use lower-case letters, digits and hyphens, at most 50; set `app` for this environment in opsctl.yaml")
	}
	return nil
}

// WhoAmI asks the engine who it is: there are no credentials beside the right to
// use it. A user without that right gets an Auth error.
func (p *Platform) WhoAmI(ctx context.Context) (platform.Identity, error) {
	info, err := p.about(ctx)
	if err != nil {
		return platform.Identity{}, err
	}
	return platform.Identity{Account: info.Title + " " + info.Version + " on " + info.Host, Token: "engine"}, nil
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// osEnviron is the environment of a program that the engine's command line is run with.
func osEnviron(extra []string) []string { return append(os.Environ(), extra...) }

// lines splits a program's output, without empty ones.
func lines(out []byte) []string {
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' || r == '\r' })
}
