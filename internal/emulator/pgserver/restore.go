package pgserver

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/world"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/postgres"
)

// plan chooses the base backup for a point, and sees to it that the archive has
// what comes after it. The caller holds s.busy.
func (s *Server) plan(ctx context.Context, at world.RestorePoint) (*postgres.Recovery, error) {
	c := s.running()
	if c == nil {
		return nil, world.ErrDatabaseStopped
	}
	from, now := s.Window()
	s.mu.Lock()
	bases := slices.Clone(s.meta.Bases)
	s.mu.Unlock()
	r := &postgres.Recovery{WAL: c.WALDir(), Time: at.Time}
	if at.Backup != "" {
		if !slices.ContainsFunc(bases, func(b base) bool { return b.Backup != nil && b.Name == at.Backup }) {
			return nil, world.ErrNoBackup
		}
		r.Base, r.Time = c.BaseDir(at.Backup), time.Time{}
		return r, nil
	}
	if at.Time.IsZero() {
		r.All, at.Time = true, now
	}
	if at.Time.Before(from) || at.Time.After(now) {
		return nil, &world.OutsideWindowError{At: at.Time, From: from, To: now}
	}
	for _, b := range bases { // in the order of Since
		if !b.Since.After(at.Time) {
			r.Base = c.BaseDir(b.Name)
		}
	}
	if r.Base == "" {
		return nil, &world.OutsideWindowError{At: at.Time, From: from, To: now}
	}
	return r, c.ArchiveNow(ctx)
}

// Restore starts a new server with the content of another time.
func (s *Server) Restore(ctx context.Context, at world.RestorePoint, spec world.DatabaseSpec) (world.DatabaseServer, error) {
	s.busy.Lock() // nobody removes the base meanwhile; a backup that runs is waited for
	defer s.busy.Unlock()
	recovery, err := s.plan(ctx, at)
	if err != nil {
		return nil, err
	}
	spec.User, spec.Database, spec.Major = s.spec.User, s.spec.Database, s.install.Major
	if spec.Password == "" {
		spec.Password = s.spec.Password
	}
	n, err := open(ctx, spec)
	if err != nil {
		return nil, err
	}
	if err = n.clear(); err == nil {
		n.meta.Bases = []base{{Name: postgres.InitialBase}} // Recovery leaves it there
		err = n.recover(ctx, recovery)
	}
	if err != nil {
		return nil, errs.Wrap(errors.Join(err, n.Stop(false)), errs.Failure, "restore the managed database %s", spec.Name)
	}
	return n, nil
}

// recover starts the cluster from a base backup and log. Its window begins now.
func (s *Server) recover(ctx context.Context, r *postgres.Recovery) error {
	if err := s.launch(ctx, r); err != nil {
		return err
	}
	if err := s.resetOwner(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.meta.Major, s.meta.From, s.meta.Rewinding = s.install.Major, time.Now(), false
	return s.meta.write(s.home)
}

// Rewind replaces the server's content in place. When that fails, the server
// runs on with what it had.
func (s *Server) Rewind(ctx context.Context, at world.RestorePoint) error {
	if !s.busy.TryLock() {
		return world.ErrBackupRuns
	}
	defer s.busy.Unlock()
	recovery, err := s.plan(ctx, at)
	if err != nil {
		return err
	}
	limit := at.Time
	if at.Backup != "" {
		limit = s.since(at.Backup)
	}
	if err := s.mark(true); err != nil {
		return err
	}
	if err := s.running().Stop(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	before := s.forget(limit)
	if err = os.Rename(s.data(), s.aside()); err == nil {
		err = s.recover(ctx, recovery)
	}
	if err != nil {
		return errors.Join(err, s.undo(ctx, before))
	}
	return errors.Join(os.RemoveAll(s.aside()), s.sweep())
}

func (s *Server) data() string  { return filepath.Join(s.home, "data") }
func (s *Server) aside() string { return filepath.Join(s.home, "data.before") }

// mark notes in the home that a rewind is under way, or over.
func (s *Server) mark(rewinding bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.meta.Rewinding = rewinding
	return s.meta.write(s.home)
}

// settle ends a rewind that a killed emulator left: it has happened, or it has not.
func (s *Server) settle() error {
	if _, err := os.Stat(s.aside()); err == nil && s.meta.Rewinding {
		if err := errors.Join(os.RemoveAll(s.data()), os.Rename(s.aside(), s.data())); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(s.aside()); err != nil || !s.meta.Rewinding {
		return err
	}
	return s.mark(false)
}

// sweep removes base backups that are no longer in the list.
func (s *Server) sweep() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	entries, err := os.ReadDir(filepath.Join(s.home, "base"))
	for _, e := range entries {
		if !slices.ContainsFunc(s.meta.Bases, func(b base) bool { return b.Name == e.Name() }) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(s.home, "base", e.Name())))
		}
	}
	return err
}

// forget takes the backups after the moment out of the list: what led to them
// is undone. It returns the list as it was.
func (s *Server) forget(after time.Time) meta {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.meta
	s.meta.Bases = nil
	for _, b := range before.Bases {
		if after.IsZero() || !b.Since.After(after) {
			s.meta.Bases = append(s.meta.Bases, b)
		}
	}
	return before
}

// undo brings the server back after a failed rewind.
func (s *Server) undo(ctx context.Context, before meta) error {
	_ = s.running().Stop(context.WithoutCancel(ctx)) // the new one may not have started
	s.mu.Lock()
	s.meta = before
	s.mu.Unlock()
	return errors.Join(s.settle(), s.launch(ctx, nil))
}

func (s *Server) since(backup string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.meta.Bases {
		if b.Name == backup {
			return b.Since
		}
	}
	return time.Time{}
}
