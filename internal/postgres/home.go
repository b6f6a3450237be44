package postgres

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/execx"
)

// homeLock is the file in a cluster's home that its user holds a lock on.
const homeLock = "lock.json"

// claimHome makes a cluster's home with what the server needs in it, and takes
// its lock: one process at a time has it.
func claimHome(home string, identity *execx.User) (*os.File, error) {
	mode := os.FileMode(0o700)
	if identity != nil { // others may pass through, but see nothing
		mode = 0o711
	}
	if err := os.MkdirAll(home, mode); err != nil {
		return nil, fmt.Errorf("keep a database server: %w", err)
	}
	if info, err := os.Lstat(home); err == nil && identity != nil && ownedByUs(info) {
		if err := os.Chmod(home, mode); err != nil {
			return nil, err
		}
	}
	if identity != nil && !traversable(home) {
		return nil, errs.New(errs.Failure, "%s cannot be entered by the user that runs PostgreSQL, which refuses to run as root", home).
			WithHint("choose a directory that every user may enter, or run opsctl as an ordinary user")
	}
	lock, err := lockHome(filepath.Join(home, homeLock))
	if err != nil {
		return nil, err
	}
	for _, sub := range []string{"data", "wal", "base"} {
		if err := ownDir(filepath.Join(home, sub), identity); err != nil {
			_ = lock.Close()
			return nil, err
		}
	}
	return lock, nil
}

func lockHome(path string) (*os.File, error) {
	if _, err := os.Lstat(path); err == nil {
		if f := tryLock(path); f != nil {
			return f, nil
		}
		return nil, errs.New(errs.Conflict, "another opsctl uses the database server in %s", filepath.Dir(path)).
			WithHint("end it first, or choose another directory")
	}
	_ = os.Remove(path + ".new") // of one that was killed
	return createLocked(path, func(bool) ([]byte, error) { return []byte("{}\n"), nil })
}

// ownDir makes a directory that is private to the server's user.
func ownDir(path string, identity *execx.User) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	if identity == nil {
		return nil
	}
	return os.Lchown(path, int(identity.UID), int(identity.GID))
}

// initialised tells whether the data directory holds a cluster.
func initialised(data string) bool {
	_, err := os.Stat(filepath.Join(data, "PG_VERSION"))
	return err == nil
}

// clearStale ends a server that outlived the opsctl that started it (the lock
// on the home is ours, so nobody uses it) and removes the process id file of
// one that was killed: another process may have its number by now.
func clearStale(data string) error {
	path := filepath.Join(data, "postmaster.pid")
	pid := postmasterPid(data)
	if pid > 1 && runs(pid, data) {
		signal(pid, syscall.SIGINT)
		for range 200 {
			if !runs(pid, data) {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		if runs(pid, data) {
			return errs.New(errs.Failure, "a PostgreSQL server (process %d) still runs in %s and does not end", pid, data)
		}
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

// Discard ends the server at once and removes its home as well.
func (c *Cluster) Discard() error {
	if c.process != nil {
		signal(c.process.Pid(), syscall.SIGQUIT)
		select {
		case <-c.done:
		case <-time.After(stopTimeout):
		}
	}
	if c.cancel != nil {
		c.cancel()
	}
	c.stop(context.Background())
	if c.opts.Home == "" || c.stopErr != nil {
		return c.stopErr
	}
	return removeAll(c.opts.Home)
}

// RemoveHome removes a cluster's home that nobody uses, with a server that
// outlived the opsctl that started it. One in use is an error with code Conflict.
func RemoveHome(home string) error {
	lock, err := lockHome(filepath.Join(home, homeLock))
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	if err := clearStale(filepath.Join(home, "data")); err != nil {
		return err
	}
	return removeAll(home)
}

// Enterable tells whether a home may be made in the directory: whether the
// user that runs PostgreSQL, where that is another one, may pass through.
func Enterable(dir string) bool {
	identity, err := unprivileged()
	return err == nil && (identity == nil || traversable(dir))
}
