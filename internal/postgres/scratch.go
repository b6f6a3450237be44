package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/execx"
)

const (
	dirPrefix    = "opsctl-pg-" // every scratch directory's name starts with it; Sweep looks for it
	startTimeout = 60 * time.Second
	stopTimeout  = 10 * time.Second
	pollEvery    = 5 * time.Millisecond
)

// ScratchOptions describes a throw-away cluster. The zero value is the newest
// PostgreSQL found, reachable only through a socket in a private directory.
type ScratchOptions struct {
	Install *Install // the programs; nil finds them by Major
	Major   int      // wanted major version; 0 is the newest
	Parent  string   // directory to make the cluster's directory in; "" is the temporary directory

	Listen   string // address for TCP with scram-sha-256, such as "127.0.0.1"; "" is the socket only
	Port     int    // TCP port; 0 picks a free one
	User     string // the superuser; "" is postgres
	Password string // needed with Listen; never written to a file
	Database string // created and owned by User; "" is postgres

	Settings map[string]string // server settings on top of ours
	CacheDir string            // keeps an initialised data directory for the next start; "" runs initdb each time

	// Home is a directory of the caller's that holds the cluster: Stop shuts the
	// server down in order and leaves the files, and a cluster that is there is
	// started again (Major must be its version). "" makes a directory that Stop removes.
	Home string
	// Archive keeps all write-ahead log in Home, for BaseBackup and Recover.
	Archive bool
	// Recover fills the data directory from a base backup in place of initdb.
	Recover *Recovery
}

// Cluster is a running scratch cluster. It is removed by Stop, or when the
// context that it was started with ends; one with a Home is only shut down.
type Cluster struct {
	opts    ScratchOptions
	install *Install
	dir     string   // removed at the end: holds the socket, and the data when there is no Home
	lock    *os.File // of the owner record
	kept    *os.File // the lock on Home
	port    int
	process *execx.Process
	done    chan struct{} // closed when the server has ended
	waitErr error         // valid after done

	stopOnce sync.Once
	stopErr  error
	cancel   func() bool
}

// StartScratch sweeps what killed runs left, makes a cluster and returns when
// it accepts connections. Nothing of it survives Stop, the end of ctx, or an
// error; when opsctl itself is killed, the next StartScratch removes it.
func StartScratch(ctx context.Context, o ScratchOptions) (*Cluster, error) {
	if o.User == "" {
		o.User = "postgres"
	}
	if o.Listen != "" && o.Password == "" {
		return nil, errs.New(errs.Failure, "a scratch cluster that listens on %s needs a password", o.Listen)
	}
	in := o.Install
	if in == nil {
		var err error
		if in, err = Find(ctx, FindOptions{Major: o.Major, Programs: ServerPrograms, NeededBy: "a scratch cluster"}); err != nil {
			return nil, err
		}
	}
	identity, err := unprivileged()
	if err != nil {
		return nil, err
	}
	Sweep(ctx, o.Parent)
	dir, lock, err := makeDir(o.Parent, identity)
	if err != nil {
		return nil, err
	}
	c := &Cluster{opts: o, install: in, dir: dir, lock: lock, done: make(chan struct{})}
	if o.Home != "" {
		if c.kept, err = claimHome(o.Home, identity); err != nil {
			return nil, errors.Join(err, removeOwned(dir, lock))
		}
	}
	if err := c.start(ctx, identity); err != nil {
		stopErr := c.Stop(context.WithoutCancel(ctx))
		if ctx.Err() != nil {
			return nil, errors.Join(context.Cause(ctx), stopErr)
		}
		return nil, errors.Join(fmt.Errorf("start a scratch cluster of PostgreSQL %s: %w", in.Version, err), stopErr)
	}
	c.cancel = context.AfterFunc(ctx, func() { c.stop(context.WithoutCancel(ctx)) })
	return c, nil
}

func (c *Cluster) start(ctx context.Context, identity *execx.User) error {
	again := c.opts.Home != "" && initialised(c.DataDir())
	switch {
	case again:
		if err := clearStale(c.DataDir()); err != nil {
			return err
		}
	case c.opts.Recover != nil:
		if err := c.opts.Recover.fill(ctx, c.DataDir(), identity); err != nil {
			return err
		}
	default:
		if err := c.initialise(ctx, identity); err != nil {
			return err
		}
	}
	if c.opts.Archive && !again {
		if err := c.prepareArchive(ctx, identity); err != nil {
			return err
		}
	}
	if err := c.launch(ctx, identity); err != nil {
		return err
	}
	if again {
		return nil
	}
	return c.prepare(ctx)
}

// launch starts the server directly and polls its pid file, which is quicker
// than pg_ctl's own wait of 100 ms.
func (c *Cluster) launch(ctx context.Context, identity *execx.User) error {
	c.port = 5432
	if c.opts.Listen != "" {
		c.port = c.opts.Port
		if c.port == 0 {
			var err error
			if c.port, err = freePort(c.opts.Listen); err != nil {
				return err
			}
		}
	}
	args := []string{"-D", c.DataDir()}
	for k, v := range c.settings() {
		args = append(args, "-c", k+"="+v)
	}
	program, args := mortal(ctx, c.install.Path("postgres"), args)
	p, err := c.spawn(context.WithoutCancel(ctx), execx.Cmd{ // Stop ends it with the right signal
		Path: program, Args: args, Env: childEnv(), Dir: c.dir, User: identity,
	})
	if err != nil {
		close(c.done)
		return err
	}
	c.process = p
	go func() {
		c.waitErr = p.Wait()
		close(c.done)
	}()
	return c.waitReady(ctx)
}

// spawn starts the server from a thread of its own that lives as long as it: the
// kernel sends the signal that mortal asked for when the starting thread ends,
// which Go's other threads may do at any time.
func (c *Cluster) spawn(ctx context.Context, cmd execx.Cmd) (*execx.Process, error) {
	var p *execx.Process
	errc := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		var err error
		p, err = execx.Start(ctx, cmd)
		errc <- err
		if err == nil {
			<-c.done
		}
	}()
	err := <-errc
	return p, err
}

func (c *Cluster) settings() map[string]string {
	s := map[string]string{
		"port": strconv.Itoa(c.port), "listen_addresses": c.opts.Listen,
		"unix_socket_directories": c.SocketDir(), "unix_socket_permissions": "0700",
		// The data is thrown away, so durability is waste.
		"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off",
		"max_wal_size": "4GB", "logging_collector": "off", "restart_after_crash": "off",
		// Kept in the data directory, so that removing it removes everything.
		"dynamic_shared_memory_type": "mmap",
	}
	if c.opts.Archive {
		maps.Copy(s, archiveSettings())
	}
	if c.opts.Recover != nil {
		maps.Copy(s, c.opts.Recover.settings())
	}
	maps.Copy(s, c.opts.Settings)
	return s
}

// waitReady waits until the last line of postmaster.pid says "ready"
// (PostgreSQL 10 and newer write the state there).
func (c *Cluster) waitReady(ctx context.Context) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	timeout := time.NewTimer(startTimeout)
	defer timeout.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-c.done:
			return fmt.Errorf("the server ended: %w", c.exitError())
		case <-timeout.C:
			return errs.New(errs.Timeout, "the server was not ready after %s", startTimeout)
		case <-tick.C:
			pid, err := os.ReadFile(filepath.Join(c.DataDir(), "postmaster.pid"))
			if lines := strings.Split(strings.TrimSpace(string(pid)), "\n"); err == nil && len(lines) >= 8 && strings.TrimSpace(lines[7]) == "ready" {
				return nil
			}
		}
	}
}

func (c *Cluster) exitError() error {
	if c.waitErr == nil {
		return errors.New("exit status 0")
	}
	if failed, ok := errors.AsType[*execx.Error](c.waitErr); ok {
		failed.Program = "postgres" // not what started it
	}
	return c.waitErr
}

// prepare sets the password and makes the database.
func (c *Cluster) prepare(ctx context.Context) error {
	if c.opts.Password == "" && (c.opts.Database == "" || c.opts.Database == "postgres") {
		return nil
	}
	conn, err := pgx.Connect(ctx, c.SocketURL("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if c.opts.Password != "" {
		literal, err := conn.PgConn().EscapeString(c.opts.Password)
		if err != nil {
			return err
		}
		if _, err := conn.Exec(ctx, "SET log_statement = 'none'; ALTER ROLE "+QuoteIdent(c.opts.User)+" PASSWORD '"+literal+"'"); err != nil {
			return errors.New("set the superuser's password: refused by the server") // the server's text may repeat the statement
		}
	}
	if db := c.opts.Database; db != "" && db != "postgres" {
		if _, err := conn.Exec(ctx, "CREATE DATABASE "+QuoteIdent(db)); err != nil {
			return fmt.Errorf("create database %q: %w", db, err)
		}
	}
	return nil
}

// Stop ends the server at once and removes its directory; one with a Home is
// shut down in order, and its files stay. It can be called more than once and
// from several goroutines; all wait for the end.
func (c *Cluster) Stop(ctx context.Context) error {
	if c.cancel != nil {
		c.cancel()
	}
	c.stop(ctx)
	return c.stopErr
}

// stop does not look at cancel, which may not be set yet when ctx ends.
func (c *Cluster) stop(ctx context.Context) {
	c.stopOnce.Do(func() {
		c.stopServer(ctx)
		c.stopErr = removeOwned(c.dir, c.lock)
		if c.kept != nil {
			_ = c.kept.Close()
		}
	})
}

// stopServer asks for an immediate shutdown (SIGQUIT: no checkpoint, the data
// goes away anyway), or a fast one (SIGINT) when the data stays, and kills what
// does not obey.
func (c *Cluster) stopServer(ctx context.Context) {
	if c.process == nil {
		return
	}
	signals := []os.Signal{syscall.SIGQUIT, syscall.SIGKILL}
	if c.opts.Home != "" {
		signals = append([]os.Signal{syscall.SIGINT}, signals...)
	}
	for _, sig := range signals {
		signal(c.process.Pid(), sig)
		select {
		case <-c.done:
			return
		case <-ctx.Done():
		case <-time.After(stopTimeout):
		}
	}
	<-c.done
}

// Done is closed when the server has ended, by Stop or by itself.
func (c *Cluster) Done() <-chan struct{} { return c.done }

// Install is the PostgreSQL that runs the cluster.
func (c *Cluster) Install() *Install { return c.install }

// DataDir is the server's data directory.
func (c *Cluster) DataDir() string {
	if c.opts.Home != "" {
		return filepath.Join(c.opts.Home, "data")
	}
	return filepath.Join(c.dir, "data")
}

// SocketDir is the directory of the server's socket.
func (c *Cluster) SocketDir() string { return filepath.Join(c.dir, "s") }

// Port is the TCP port, or the number in the socket's name.
func (c *Cluster) Port() int { return c.port }

// URL is the connection URL of the cluster's database: over TCP and with the
// password when it listens, otherwise over the socket.
func (c *Cluster) URL() string {
	db := c.opts.Database
	if db == "" {
		db = "postgres"
	}
	return c.URLFor(db)
}

// URLFor is URL for another database of the cluster.
func (c *Cluster) URLFor(database string) string {
	if c.opts.Listen == "" {
		return c.SocketURL(database)
	}
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(c.opts.User, c.opts.Password),
		Host: net.JoinHostPort(c.opts.Listen, strconv.Itoa(c.port)), Path: "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// SocketURL is the connection URL over the private socket, as the superuser
// and without a password.
func (c *Cluster) SocketURL(database string) string {
	q := url.Values{"host": {c.SocketDir()}, "port": {strconv.Itoa(c.port)}}
	u := url.URL{Scheme: "postgres", User: url.User(c.opts.User), Path: "/" + database, RawQuery: q.Encode()}
	return u.String()
}

// QuoteIdent quotes an SQL identifier.
func QuoteIdent(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func freePort(host string) (int, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}
