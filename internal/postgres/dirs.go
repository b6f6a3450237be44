package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/execx"
)

// maxDir bounds the directory's path: a socket's path may have 107 bytes on
// Linux and 103 on macOS, and "/s/.s.PGSQL.65535" is added to it.
const maxDir = 80

// unprivileged is the identity for the server's programs, which refuse to run
// as root: PostgreSQL's own user, else nobody. It is nil when not root.
func unprivileged() (*execx.User, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "_postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errU := strconv.ParseUint(u.Uid, 10, 32)
		gid, errG := strconv.ParseUint(u.Gid, 10, 32)
		if errU == nil && errG == nil && uid != 0 {
			return &execx.User{UID: uint32(uid), GID: uint32(gid), Home: "/"}, nil
		}
	}
	return nil, errs.New(errs.Failure, "PostgreSQL's programs refuse to run as root, and there is no user postgres or nobody").
		WithHint("run opsctl as an ordinary user, or create the user: useradd --system postgres")
}

// parents are the directories to try, in order.
func parents(preferred string) []string {
	list := []string{os.TempDir(), "/tmp", "/var/tmp"}
	if preferred != "" {
		list = append([]string{preferred}, list...)
	}
	return list
}

// makeDir makes the cluster's directory with its owner record, whose lock is
// held until the returned file is closed. The directory
// belongs to us, so that Sweep can trust what it reads in it; the data and
// socket directories in it are private to the server's identity.
func makeDir(preferred string, identity *execx.User) (string, *os.File, error) {
	var first error
	for _, parent := range parents(preferred) {
		dir, lock, err := makeDirIn(parent, identity)
		if err == nil {
			return dir, lock, nil
		}
		if first == nil {
			first = err
		}
	}
	return "", nil, fmt.Errorf("make a directory for a scratch cluster: %w", first)
}

func makeDirIn(parent string, identity *execx.User) (dir string, lock *os.File, err error) {
	if identity != nil && !traversable(parent) {
		return "", nil, fmt.Errorf("%s cannot be entered by the user that runs PostgreSQL", parent)
	}
	if dir, lock, err = ownedDir(parent); err != nil {
		return "", nil, err
	}
	if err = fillDir(dir, identity); err != nil {
		return "", nil, errors.Join(err, removeOwned(dir, lock))
	}
	return dir, lock, nil
}

// ownedDir makes a private directory (mode 0700) with its locked owner record.
func ownedDir(parent string) (string, *os.File, error) {
	dir, err := os.MkdirTemp(parent, dirPrefix)
	if err != nil {
		return "", nil, err
	}
	lock, err := writeOwner(dir)
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	return dir, lock, nil
}

// removeOwned removes the directory, then gives up its lock.
func removeOwned(dir string, lock *os.File) error {
	if runtime.GOOS == "windows" { // where an open file cannot be removed
		_ = lock.Close()
	}
	err := removeAll(dir)
	_ = lock.Close()
	return err
}

func fillDir(dir string, identity *execx.User) error {
	if len(dir) > maxDir {
		return fmt.Errorf("%s is too long for a socket's path", dir)
	}
	if identity != nil { // others may pass through, but see nothing
		if err := os.Chmod(dir, 0o711); err != nil {
			return err
		}
	}
	for _, sub := range []string{"data", "s"} {
		path := filepath.Join(dir, sub)
		if err := os.Mkdir(path, 0o700); err != nil {
			return err
		}
		if identity != nil {
			if err := os.Lchown(path, int(identity.UID), int(identity.GID)); err != nil {
				return err
			}
		}
	}
	return nil
}

// traversable tells whether every directory down to path lets others pass:
// a test's temporary directory often does not.
func traversable(path string) bool {
	path, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	for {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		up := filepath.Dir(path)
		if up == path {
			return true
		}
		path = up
	}
}

// removeAll removes dir, again if a process that is just ending still writes.
func removeAll(dir string) error {
	var err error
	for range 20 {
		if err = os.RemoveAll(dir); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return err
}

// TempDir makes a private directory that Sweep removes when this process is
// killed; remove does so at its end. It may hold data as secret as a database.
func TempDir(ctx context.Context) (dir string, remove func() error, err error) {
	Sweep(ctx, "")
	dir, lock, err := ownedDir("")
	if err != nil {
		return "", nil, err
	}
	return dir, func() error { return removeOwned(dir, lock) }, nil
}

// TempHome is TempDir for a cluster's home (ScratchOptions.Home): below a
// directory that the user who runs PostgreSQL can enter, which the one for
// temporary files need not be.
func TempHome(ctx context.Context) (dir string, remove func() error, err error) {
	Sweep(ctx, "")
	for _, parent := range parents("") {
		if !Enterable(parent) {
			continue
		}
		if dir, lock, err := ownedDir(parent); err == nil {
			return dir, func() error { return removeOwned(dir, lock) }, nil
		}
	}
	return "", nil, errors.New("no directory for temporary files can be entered by the user that runs PostgreSQL")
}
