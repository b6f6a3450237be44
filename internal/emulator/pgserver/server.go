// Package pgserver runs real PostgreSQL servers for the emulated platforms'
// managed databases: with backups (pg_basebackup), an archive of all
// write-ahead log, and recovery to any moment since the server began.
package pgserver

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/world"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/postgres"
)

// superuser is the servers' own; nobody outside gets its password.
const superuser = "postgres"

// Server is one database server. It implements world.DatabaseServer.
type Server struct {
	spec    world.DatabaseSpec
	install *postgres.Install
	home    string
	release func() error // gives up a temporary home

	busy sync.Mutex // held during a backup, a rewind, and while a base is being copied

	mu      sync.Mutex
	cluster *postgres.Cluster // nil once stopped
	meta    meta
}

// Start starts the server that is in spec.Home, or a new one. Where the wanted
// version and newer ones are missing, the newest that is installed runs in its
// place: Server.Major says which. It fits world.Options.StartDatabase.
func Start(ctx context.Context, spec world.DatabaseSpec) (world.DatabaseServer, error) {
	s, err := open(ctx, spec)
	if err != nil {
		return nil, err
	}
	again := s.meta.complete()
	prepare := s.clear
	if again {
		prepare = s.settle
	}
	if err := prepare(); err != nil {
		return nil, errors.Join(err, s.release())
	}
	if err := s.begin(ctx, again); err != nil {
		return nil, errs.Wrap(errors.Join(err, s.Stop(again)), errs.Failure, "start the managed database %s", spec.Name)
	}
	return s, nil
}

// begin starts the cluster and, in a new one, makes what clients find in it.
func (s *Server) begin(ctx context.Context, again bool) error {
	if err := s.launch(ctx, nil); err != nil {
		return err
	}
	if again {
		return nil
	}
	if err := s.createOwner(ctx); err != nil {
		return err
	}
	now := time.Now()
	s.meta = meta{Major: s.install.Major, From: now, Bases: []base{{Name: postgres.InitialBase, Since: now}}}
	return s.save()
}

// open finds the programs and the home.
func open(ctx context.Context, spec world.DatabaseSpec) (*Server, error) {
	s := &Server{spec: spec, home: spec.Home, release: func() error { return nil }}
	var err error
	if spec.Home == "" {
		s.home, s.release, err = postgres.TempHome(ctx)
	} else {
		s.home, err = place(spec.Home)
	}
	if err != nil {
		return nil, errs.Wrap(err, errs.Failure, "find a directory for the database %s", spec.Name)
	}
	if s.meta, err = readMeta(s.home); err != nil {
		return nil, errors.Join(err, s.release())
	}
	if s.install, err = find(ctx, spec.Major, s.meta.Major); err != nil {
		return nil, errors.Join(err, s.release())
	}
	return s, nil
}

// find prefers the wanted version; data that is there already decides alone.
func find(ctx context.Context, wanted, there int) (*postgres.Install, error) {
	o := postgres.FindOptions{Major: wanted, Programs: postgres.ServerPrograms, NeededBy: "the emulator's managed PostgreSQL"}
	if there != 0 {
		o.Major = there
		in, err := postgres.Find(ctx, o)
		if err == nil && in.Major != there {
			err = errs.New(errs.Failure, "the kept database needs PostgreSQL %d, which is not installed", there)
		}
		return in, err
	}
	in, err := postgres.Find(ctx, o)
	if err != nil {
		o.Major = 0
		if newest, e := postgres.Find(ctx, o); e == nil {
			return newest, nil
		}
	}
	return in, err
}

// launch runs the cluster in the home; recovery is nil for one that is there
// or begins empty. A wanted port that is taken is replaced by a free one.
func (s *Server) launch(ctx context.Context, recovery *postgres.Recovery) error {
	o := postgres.ScratchOptions{
		Install: s.install, Major: s.install.Major, Listen: "127.0.0.1", Port: s.spec.Port, User: superuser, Password: rand.Text(),
		CacheDir: s.spec.Cache, Home: s.home, Archive: true, Recover: recovery,
	}
	if o.Port != 0 && !free(o.Port) {
		o.Port = 0
	}
	// The server outlives the call that asked for it: Stop ends it, not ctx.
	c, err := postgres.StartScratch(context.WithoutCancel(ctx), o)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.cluster, s.spec.Port = c, c.Port()
	s.mu.Unlock()
	return nil
}

// clear removes what an unfinished start left.
func (s *Server) clear() error {
	for _, sub := range []string{"data", "wal", "base", metaFile} {
		if err := os.RemoveAll(filepath.Join(s.home, sub)); err != nil {
			return err
		}
	}
	return nil
}

// Addr is where the server listens.
func (s *Server) Addr() (host string, port int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return "127.0.0.1", s.spec.Port
}

// Major is the version that runs.
func (s *Server) Major() int { return s.install.Major }

// Backups are those that were asked for, oldest first.
func (s *Server) Backups() []world.Backup {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []world.Backup
	for _, b := range s.meta.Bases {
		if b.Backup != nil {
			out = append(out, *b.Backup)
		}
	}
	return out
}

// Window is from the first base backup to now.
func (s *Server) Window() (from, to time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.meta.From, time.Now()
}

// Backup makes a base backup under the id.
func (s *Server) Backup(ctx context.Context, id, label string) (world.Backup, error) {
	if !s.busy.TryLock() {
		return world.Backup{}, world.ErrBackupRuns
	}
	defer s.busy.Unlock()
	c := s.running()
	if c == nil {
		return world.Backup{}, world.ErrDatabaseStopped
	}
	b := world.Backup{ID: id, Label: label, Started: time.Now()}
	var err error
	if b.Size, err = c.BaseBackup(ctx, id, "opsctl"); err != nil {
		return world.Backup{}, err
	}
	b.Finished = time.Now()
	return b, s.add(base{Name: id, Since: b.Finished, Backup: &b})
}

// DeleteBackup removes a backup. What lies after it can still be restored, from
// an earlier base.
func (s *Server) DeleteBackup(id string) error {
	if !s.busy.TryLock() {
		return world.ErrBackupRuns
	}
	defer s.busy.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.meta.Bases, func(b base) bool { return b.Backup != nil && b.Name == id })
	if i < 0 {
		return world.ErrNoBackup
	}
	s.meta.Bases = slices.Delete(s.meta.Bases, i, i+1)
	if err := s.meta.write(s.home); err != nil {
		return err
	}
	return os.RemoveAll(filepath.Join(s.home, "base", id))
}

func (s *Server) running() *postgres.Cluster {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cluster
}

func (s *Server) add(b base) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.meta.Bases = append(s.meta.Bases, b)
	return s.meta.write(s.home)
}

func (s *Server) save() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.meta.write(s.home)
}

// Stop ends the server. With keep the next Start with this home finds it.
func (s *Server) Stop(keep bool) error {
	s.busy.Lock() // a backup or a copy that runs is waited for
	defer s.busy.Unlock()
	s.mu.Lock()
	c := s.cluster
	s.cluster = nil
	s.mu.Unlock()
	var err error
	switch {
	case c == nil:
	case keep:
		err = c.Stop(context.Background())
	default:
		err = c.Discard()
	}
	if !keep {
		err = errors.Join(err, os.RemoveAll(s.home))
	}
	return errors.Join(err, s.release())
}
