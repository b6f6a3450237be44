package deploy

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
)

// localLock keeps two runs of one user on one machine apart, also before the
// platform has anything to lock. The kernel drops it when the process ends,
// however it ends.
type localLock struct{ file *os.File }

func lockLocal(dir, holder string) (*localLock, error) {
	lock, err := tryLock(dir)
	for range 10 { // somebody may be asking just now whether it is free
		if errs.CodeOf(err) != errs.Conflict {
			break
		}
		time.Sleep(100 * time.Millisecond)
		lock, err = tryLock(dir)
	}
	if err != nil {
		return nil, err
	}
	if err := lock.file.Truncate(0); err == nil {
		_, _ = lock.file.WriteAt([]byte(holder+"\n"), 0) // only for the message of tryLock
	}
	return lock, nil
}

// tryLock takes the lock if it is free, else fails with Conflict.
func tryLock(dir string) (*localLock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := flock(f); err != nil {
		by, _ := os.ReadFile(path) // only for the message
		_ = f.Close()
		return nil, errs.New(errs.Conflict, "another deploy is running on this machine: %s", strings.TrimSpace(string(by))).
			WithHint("wait for it to end, or stop it")
	}
	return &localLock{f}, nil
}

func (l *localLock) release() { l.file.Close() }
