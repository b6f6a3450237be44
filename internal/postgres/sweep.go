package postgres

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ownerFile says which process made a scratch directory.
const ownerFile = "owner.json"

// orphanAge is how old a directory without a readable owner record must be
// before it is removed: its maker may be about to write the record.
const orphanAge = 10 * time.Minute

// owner identifies a process. While it lives it holds a lock on the record,
// which tells more than a process id: another container that shares the
// temporary directory does not see our processes, but it sees the lock.
type owner struct {
	Pid    int    `json:"pid"`
	Start  string `json:"start"` // as the system reports it; compared, never parsed
	Locked bool   `json:"locked"`
}

// writeOwner makes the record; the file is to be closed when dir is removed.
func writeOwner(dir string) (*os.File, error) {
	start, _, _ := processInfo(os.Getpid())
	return createLocked(filepath.Join(dir, ownerFile), func(locked bool) ([]byte, error) {
		return json.Marshal(owner{Pid: os.Getpid(), Start: start, Locked: locked})
	})
}

// alive is asked only where there are no locks.
func (o owner) alive() bool {
	start, _, ok := processInfo(o.Pid)
	return ok && start == o.Start
}

// Sweep removes the scratch clusters whose opsctl was killed: it stops their
// servers and deletes their directories, in parent and in the usual temporary
// directories. It returns the directories that it removed. What it cannot
// remove stays for the next time; that is no error for the caller.
func Sweep(ctx context.Context, parent string) []string {
	var removed, seen []string
	for _, p := range parents(parent) {
		if seen = append(seen, p); slices.Contains(seen[:len(seen)-1], p) {
			continue
		}
		dirs, _ := filepath.Glob(filepath.Join(p, dirPrefix+"*"))
		for _, dir := range dirs {
			if ctx.Err() != nil {
				return removed
			}
			if release, ok := claim(dir); ok {
				if sweepOne(dir) {
					removed = append(removed, dir)
				}
				release()
			}
		}
	}
	return removed
}

// claim tells whether dir is ours and its owner is gone; release is to be
// called when it is removed. A directory of another user is never touched:
// what it says about processes is not trusted.
func claim(dir string) (release func(), ok bool) {
	release = func() {}
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() || !ownedByUs(info) {
		return release, false
	}
	path := filepath.Join(dir, ownerFile)
	data, err := os.ReadFile(path)
	var o owner
	if err != nil || json.Unmarshal(data, &o) != nil || o.Pid <= 0 {
		return release, time.Since(info.ModTime()) > orphanAge
	}
	if !o.Locked {
		return release, !o.alive()
	}
	f := tryLock(path)
	if f == nil {
		return release, false
	}
	return func() { _ = f.Close() }, true
}

// sweepOne stops the server of a stale directory and removes it.
func sweepOne(dir string) bool {
	data := filepath.Join(dir, "data")
	if pid := postmasterPid(data); pid > 1 {
		for _, sig := range []os.Signal{syscall.SIGQUIT, syscall.SIGKILL} {
			if !runs(pid, data) {
				break
			}
			signal(pid, sig)
			for range 100 {
				if !runs(pid, data) {
					break
				}
				time.Sleep(20 * time.Millisecond)
			}
		}
	}
	return os.RemoveAll(dir) == nil
}

func postmasterPid(data string) int {
	content, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(content), "\n")
	pid, _ := strconv.Atoi(strings.TrimSpace(first))
	return pid
}

// runs tells whether pid is a server on this data directory, and not another
// process that got the number since.
func runs(pid int, data string) bool {
	_, command, ok := processInfo(pid)
	return ok && strings.Contains(command, data)
}

func signal(pid int, sig os.Signal) {
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Signal(sig) // already gone is what we want
	}
}
