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
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	err = flock(f)
	for range 10 { // `history` may be asking just now, and a fork holds it for a moment
		if err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
		err = flock(f)
	}
	if err != nil {
		by, _ := os.ReadFile(path)
		f.Close()
		return nil, errs.New(errs.Conflict, "another deploy is running on this machine: %s", strings.TrimSpace(string(by))).
			WithHint("wait for it to end, or stop it")
	}
	if holder == "" {
		return &localLock{f}, nil // only asked whether it is free
	}
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(holder+"\n"), 0) // only for the message above
	}
	return &localLock{f}, nil
}

func (l *localLock) release() { l.file.Close() }
