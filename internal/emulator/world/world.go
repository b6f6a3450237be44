// Package world is what the emulated platforms have in common: apps with
// machines that are real processes, health checks that really run, logs, an
// image registry and databases. The platforms' APIs (emulator/fly and its
// siblings) are views of it: they translate their own documents into a Spec
// and a machine's state back into their own answers.
//
// Everything in it lives as long as the process. Close ends every process and
// removes every file that the world made.
package world

import (
	"context"
	"math/rand/v2"
	"os"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
)

// Options configure a World. The zero value works: a temporary directory,
// the real clock, machines that run a built-in placeholder.
type Options struct {
	// Exec is the command that stands for every image, such as
	// {"node", "server.js"}. Empty means a placeholder inside the emulator
	// that answers every HTTP request with 200 and the machine's identity.
	Exec []string
	// WorkDir is the directory the processes run in; empty means a private one.
	WorkDir string
	// Dir keeps the machines' homes and the databases, for a world that Restore
	// makes; empty means a temporary directory that Close removes.
	Dir string
	// Cache keeps what database servers share, for the next world too (an empty
	// data directory, 25 MB); empty means a directory in Dir.
	Cache string
	// Now is the clock for everything that is shown; nil means time.Now.
	Now func() time.Time
	// Seed makes identifiers repeatable; 0 means random ones.
	Seed uint64
	// RestartBackoff is the pause before a crashed process is started again,
	// doubled each time up to ten times its value; 0 means 500 ms.
	RestartBackoff time.Duration
	// Images is the registry; worlds may share one. Nil makes one, in memory.
	Images *Images
	// StartDatabase starts a database server; nil means that databases are refused.
	StartDatabase StartDatabase
	// Log receives one line for each thing that happens to a machine or a database; may be nil.
	Log func(format string, args ...any)
}

// World is the shared state. All methods are safe for concurrent use.
type World struct {
	opts    Options
	ownDir  bool
	Images  *Images
	ids     *idSource
	spawner *spawner

	mu      sync.Mutex
	apps    map[string]*App
	dbs     []*Database
	redis   []*Redis
	changed chan struct{}
	closed  bool
	loops   sync.WaitGroup
}

// New makes an empty world.
func New(opts Options) (*World, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.RestartBackoff <= 0 {
		opts.RestartBackoff = 500 * time.Millisecond
	}
	if opts.Seed == 0 {
		opts.Seed = rand.Uint64()
	}
	if opts.Log == nil {
		opts.Log = func(string, ...any) {}
	}
	w := &World{opts: opts, apps: map[string]*App{}, changed: make(chan struct{})}
	if opts.Dir == "" {
		dir, err := os.MkdirTemp("", "opsctl-emulator-")
		if err != nil {
			return nil, err
		}
		w.opts.Dir, w.ownDir = dir, true
	}
	w.ids = newIDSource(opts.Seed, opts.Now)
	if w.Images = opts.Images; w.Images == nil {
		w.Images = NewImages()
	}
	w.spawner = newSpawner()
	return w, nil
}

// Now is the world's clock.
func (w *World) Now() time.Time { return w.opts.Now() }

// Logf reports an event to whoever runs the emulator. Never pass it a secret.
func (w *World) Logf(format string, args ...any) { w.opts.Log(format, args...) }

// Hex returns n random hexadecimal digits.
func (w *World) Hex(n int) string { return w.ids.hex(n) }

// ULID returns a 26-character identifier that sorts by time.
func (w *World) ULID() string { return w.ids.ulid() }

// Changed returns a channel that is closed at the next change of anything.
// Take it before looking, then look, then wait: no change is missed.
func (w *World) Changed() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changed
}

// Touch wakes everyone who waits for a change.
func (w *World) Touch() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.touch()
}

func (w *World) touch() {
	close(w.changed)
	w.changed = make(chan struct{})
}

// Await returns nil as soon as cond is true, or ctx's error. cond is called
// after every change, without any lock held.
func (w *World) Await(ctx context.Context, cond func() bool) error {
	for {
		changed := w.Changed()
		if cond() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// App is a named group of machines behind one address.
type App struct {
	Name string
	Logs *Logs
	w    *World

	hosts    []string // guarded by w.mu, lower case
	machines []*Machine
	next     int // round robin
}

// NewApp adds an app, which is reached under the given host names. It reports
// false when the name is taken, and returns the app that has it.
func (w *World) NewApp(name string, hosts ...string) (*App, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if a, ok := w.apps[name]; ok {
		return a, false
	}
	a := &App{Name: name, Logs: newLogs(w), w: w}
	for _, h := range hosts {
		a.hosts = append(a.hosts, strings.ToLower(h))
	}
	w.apps[name] = a
	w.touch()
	return a, true
}

// AddHost makes the app reachable under one more host name.
func (a *App) AddHost(host string) {
	a.w.mu.Lock()
	defer a.w.mu.Unlock()
	a.hosts = append(a.hosts, strings.ToLower(host))
}

// RemoveHost takes a host name away.
func (a *App) RemoveHost(host string) {
	a.w.mu.Lock()
	defer a.w.mu.Unlock()
	for i, h := range a.hosts {
		if h == strings.ToLower(host) {
			a.hosts = append(a.hosts[:i], a.hosts[i+1:]...)
			return
		}
	}
}

// DeleteApp destroys the app's machines and forgets it. It returns at once.
func (w *World) DeleteApp(name string) {
	w.mu.Lock()
	a := w.apps[name]
	delete(w.apps, name)
	w.touch()
	w.mu.Unlock()
	if a == nil {
		return
	}
	for _, m := range a.Machines() {
		_ = m.Destroy(true) // it is gone already if this fails
	}
}

// App returns the app of that name, or nil.
func (w *World) App(name string) *App {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.apps[name]
}

// Apps returns all apps by name.
func (w *World) Apps() []*App {
	w.mu.Lock()
	defer w.mu.Unlock()
	apps := make([]*App, 0, len(w.apps))
	for _, a := range w.apps {
		apps = append(apps, a)
	}
	sort.Slice(apps, func(i, j int) bool { return apps[i].Name < apps[j].Name })
	return apps
}

// AppByHost returns the app that answers to the host name (without port), or nil.
func (w *World) AppByHost(host string) *App {
	host = strings.ToLower(host)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.apps {
		if slices.Contains(a.hosts, host) {
			return a
		}
	}
	return nil
}

// Machines returns the app's machines, oldest first, destroyed ones included.
func (a *App) Machines() []*Machine {
	a.w.mu.Lock()
	defer a.w.mu.Unlock()
	return append([]*Machine(nil), a.machines...)
}

// Backends returns the addresses of the machines that may take traffic now,
// rotated by one at each call.
func (a *App) Backends() []string {
	a.w.mu.Lock()
	defer a.w.mu.Unlock()
	var addrs []string
	for _, m := range a.machines {
		if m.routable() {
			addrs = append(addrs, m.addr())
		}
	}
	if n := len(addrs); n > 1 {
		a.next = (a.next + 1) % n
		addrs = append(addrs[a.next:], addrs[:a.next]...)
	}
	return addrs
}

// Close ends all machines and databases and removes the world's files. No
// process that the world started is left when it returns.
func (w *World) Close() error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil
	}
	w.closed = true
	var machines []*Machine
	for _, a := range w.apps {
		machines = append(machines, a.machines...)
	}
	dbs, redis := slices.Clone(w.dbs), slices.Clone(w.redis)
	w.touch()
	w.mu.Unlock()

	for _, m := range machines {
		m.shutdown()
	}
	w.loops.Wait()
	for _, r := range redis {
		r.Stop()
	}
	var err error
	for _, db := range dbs {
		if e := db.stop(!w.ownDir); e != nil && err == nil {
			err = e
		}
	}
	w.spawner.close()
	if w.ownDir {
		if e := os.RemoveAll(w.opts.Dir); e != nil && err == nil {
			err = e
		}
	}
	return err
}
