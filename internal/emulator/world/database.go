package world

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// databasesDir is below the world's directory, with one directory a server.
const databasesDir = "databases"

// DatabaseSpec is what a platform asks a database server for.
type DatabaseSpec struct {
	Name     string // for messages
	Major    int    // PostgreSQL major version that is wanted
	User     string
	Password string
	Database string

	// The world fills these in.
	Home  string // directory that keeps the server; "" is a temporary one
	Cache string // directory for what servers share; may be removed at any time
	Port  int    // wanted port; 0, or a port that is taken, means a free one
}

// DatabaseServer is a running PostgreSQL server; pgserver.Server is the real
// one. All times are the real clock's, as the server's are, whatever the
// world's clock says.
type DatabaseServer interface {
	// Addr is where it accepts connections.
	Addr() (host string, port int)
	// Major is the version that really runs.
	Major() int
	// Backup makes a backup under the id and returns when it is complete.
	Backup(ctx context.Context, id, label string) (Backup, error)
	// Backups are the backups that were asked for, oldest first.
	Backups() []Backup
	// DeleteBackup removes a backup, or fails with ErrNoBackup.
	DeleteBackup(id string) error
	// Window is the time that Restore can bring back.
	Window() (from, to time.Time)
	// Restore starts a new server with the content of another time. The user and
	// the database are this server's; an empty password, too.
	Restore(ctx context.Context, at RestorePoint, spec DatabaseSpec) (DatabaseServer, error)
	// Rewind gives this server the content of another time, in place.
	Rewind(ctx context.Context, at RestorePoint) error
	// Query runs a statement as the superuser and returns the first column of its rows.
	Query(ctx context.Context, database, statement string) ([]string, error)
	// Stop ends it, and removes its files unless keep is true.
	Stop(keep bool) error
}

// StartDatabase starts a server, or the one that is in spec.Home already. It
// returns when the server accepts connections.
type StartDatabase func(ctx context.Context, spec DatabaseSpec) (DatabaseServer, error)

// Backup is a complete backup of a database server.
type Backup struct {
	ID       string    `json:"id"`
	Label    string    `json:"label"`
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`
	Size     int64     `json:"size"` // bytes
}

// RestorePoint is what to restore: the end of a backup, or a moment within the
// window. The zero value is the present.
type RestorePoint struct {
	Backup string
	Time   time.Time
}

// Errors that the platforms have answers for.
var (
	// ErrNoDatabases is returned when the world was made without StartDatabase.
	ErrNoDatabases = errors.New("this emulator runs without database servers")
	// ErrNoBackup: there is no backup of that id.
	ErrNoBackup = errors.New("backup not found")
	// ErrBackupRuns: one at a time.
	ErrBackupRuns = errors.New("another backup or restore of this database is in progress")
	// ErrDatabaseStopped: the server was stopped for good.
	ErrDatabaseStopped = errors.New("the database is stopped")
)

// OutsideWindowError is a moment that cannot be restored.
type OutsideWindowError struct{ At, From, To time.Time }

func (e *OutsideWindowError) Error() string {
	return fmt.Sprintf("%s is outside the recovery window, which is %s to %s", stamp(e.At), stamp(e.From), stamp(e.To))
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// Database is one server of the world, with a second address that stands for
// a connection pooler. A platform remembers it by its ID.
type Database struct {
	ID   string
	Spec DatabaseSpec

	w      *World
	server DatabaseServer
	pooler *passThrough
	gone   atomic.Bool // its files are to go when it stops
	once   sync.Once
	err    error
}

// NewDatabase starts a database server that Close stops.
func (w *World) NewDatabase(ctx context.Context, spec DatabaseSpec) (*Database, error) {
	if w.opts.StartDatabase == nil {
		return nil, ErrNoDatabases
	}
	id := w.databaseID(&spec)
	srv, err := w.opts.StartDatabase(ctx, spec)
	if err != nil {
		return nil, err
	}
	return w.addDatabase(id, spec, srv, 0)
}

// RestoreDatabase starts a new server with the content that another has, or had
// at a moment, or has in a backup. Only Name and Password of the spec count: the
// version, the user and the database are the source's, and so is an empty
// password. Errors to expect: ErrNoBackup, *OutsideWindowError,
// ErrDatabaseStopped.
func (w *World) RestoreDatabase(ctx context.Context, from *Database, at RestorePoint, spec DatabaseSpec) (*Database, error) {
	spec.Major, spec.User, spec.Database = from.Spec.Major, from.Spec.User, from.Spec.Database
	if spec.Password == "" {
		spec.Password = from.Spec.Password
	}
	id := w.databaseID(&spec)
	srv, err := from.server.Restore(ctx, at, spec)
	if err != nil {
		return nil, err
	}
	return w.addDatabase(id, spec, srv, 0)
}

func (w *World) databaseID(spec *DatabaseSpec) string {
	id := w.Hex(12)
	w.place(id, spec)
	return id
}

// place says where a server's files go.
func (w *World) place(id string, spec *DatabaseSpec) {
	if spec.Cache = w.opts.Cache; spec.Cache == "" {
		spec.Cache = filepath.Join(w.opts.Dir, "templates")
	}
	if !w.ownDir {
		spec.Home = filepath.Join(w.opts.Dir, databasesDir, id)
	}
}

// addDatabase makes the server known, with a pooler on that port or a free one.
func (w *World) addDatabase(id string, spec DatabaseSpec, srv DatabaseServer, poolerPort int) (*Database, error) {
	db := &Database{ID: id, Spec: spec, w: w, server: srv}
	_, db.Spec.Port = srv.Addr()
	var err error
	if db.pooler, err = newPassThrough(poolerPort, func() (string, int) { return srv.Addr() }); err != nil {
		return nil, errors.Join(err, srv.Stop(!w.ownDir))
	}
	w.mu.Lock()
	closed := w.closed
	if !closed {
		w.dbs = append(w.dbs, db)
		w.touch()
	}
	w.mu.Unlock()
	if closed {
		return nil, errors.Join(errors.New("the emulator is shutting down"), db.stop(!w.ownDir))
	}
	return db, nil
}

// Database returns the server with that id, or nil.
func (w *World) Database(id string) *Database {
	for _, db := range w.Databases() {
		if db.ID == id {
			return db
		}
	}
	return nil
}

// Databases returns all running servers, oldest first.
func (w *World) Databases() []*Database {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.dbs)
}

// Addr is where the server listens.
func (d *Database) Addr() (host string, port int) { return d.server.Addr() }

// PoolerAddr is a second address of the server, that a platform shows as the
// pooler's. It pools nothing: each connection is handed to the server as it is.
func (d *Database) PoolerAddr() (host string, port int) { return d.pooler.addr() }

// Major is the PostgreSQL major version that really runs.
func (d *Database) Major() int { return d.server.Major() }

// Backup makes a backup and returns when it is complete: label is free text. One
// at a time, or it is ErrBackupRuns.
func (d *Database) Backup(ctx context.Context, label string) (Backup, error) {
	return d.server.Backup(ctx, strings.ToLower(d.w.ULID()), label)
}

// Backups are the backups so far, oldest first.
func (d *Database) Backups() []Backup { return d.server.Backups() }

// DeleteBackup removes a backup, or fails with ErrNoBackup.
func (d *Database) DeleteBackup(id string) error { return d.server.DeleteBackup(id) }

// Window is the time that RestoreDatabase and Rewind can bring back, on the real clock.
func (d *Database) Window() (from, to time.Time) { return d.server.Window() }

// Rewind gives the server the content of another time, in place: connections are
// cut, the addresses stay. Backups that are newer than the point are removed,
// and the window begins anew. Errors are those of RestoreDatabase.
func (d *Database) Rewind(ctx context.Context, at RestorePoint) error {
	return d.server.Rewind(ctx, at)
}

// Query runs a statement as the superuser, in the named database or in the
// server's own ("postgres") when that is empty, and returns the first column of
// its rows as text. An error that PostgreSQL reports is a *pgconn.PgError.
func (d *Database) Query(ctx context.Context, database, statement string) ([]string, error) {
	return d.server.Query(ctx, database, statement)
}

// Stop stops the server for good: its data is gone.
func (d *Database) Stop() error {
	d.gone.Store(true)
	err := d.stop(false)
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	d.w.dbs = slices.DeleteFunc(d.w.dbs, func(o *Database) bool { return o == d })
	return err
}

// Drop is Stop that does not wait, as a platform's own answer does not; the
// world's Close does.
func (d *Database) Drop() {
	d.gone.Store(true)
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	if !d.w.closed { // else Close stops it
		d.w.loops.Go(func() {
			if err := d.Stop(); err != nil {
				d.w.Logf("database %s: %v", d.Spec.Name, err)
			}
		})
	}
}

func (d *Database) stop(keep bool) error {
	d.once.Do(func() {
		d.pooler.close()
		d.err = d.server.Stop(keep && !d.gone.Load())
	})
	return d.err
}
