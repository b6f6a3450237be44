package world

import (
	"context"
	"errors"
	"sync"
)

// DatabaseSpec is what a platform asks a database server for.
type DatabaseSpec struct {
	Name     string // for messages and directories
	Major    int    // PostgreSQL major version that is wanted
	User     string
	Password string
	Database string
	Dir      string // where its files go
}

// Running is a database server that accepts connections.
type Running struct {
	Host  string
	Port  int
	Major int // what really runs
	Stop  func() error
}

// StartDatabase starts a server; it returns when the server accepts connections.
type StartDatabase func(ctx context.Context, spec DatabaseSpec) (Running, error)

// ErrNoDatabases is returned when the world was made without StartDatabase.
var ErrNoDatabases = errors.New("this emulator runs without database servers")

// Database is one server of the world.
type Database struct {
	Spec    DatabaseSpec
	running Running
	once    sync.Once
	err     error
}

// NewDatabase starts a database server that Close stops.
func (w *World) NewDatabase(ctx context.Context, spec DatabaseSpec) (*Database, error) {
	if w.opts.StartDatabase == nil {
		return nil, ErrNoDatabases
	}
	spec.Dir = w.opts.Dir
	run, err := w.opts.StartDatabase(ctx, spec)
	if err != nil {
		return nil, err
	}
	db := &Database{Spec: spec, running: run}
	w.mu.Lock()
	closed := w.closed
	if !closed {
		w.dbs = append(w.dbs, db)
	}
	w.mu.Unlock()
	if closed {
		_ = db.stop()
		return nil, errors.New("the emulator is shutting down")
	}
	return db, nil
}

// Addr is where the server listens.
func (d *Database) Addr() (host string, port int) { return d.running.Host, d.running.Port }

// Major is the PostgreSQL major version that really runs.
func (d *Database) Major() int { return d.running.Major }

// Stop stops the server for good.
func (d *Database) Stop() error { return d.stop() }

func (d *Database) stop() error {
	d.once.Do(func() { d.err = d.running.Stop() })
	return d.err
}
