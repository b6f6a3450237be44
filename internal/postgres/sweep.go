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

// owner identifies a process across the reuse of process ids.
type owner struct {
	Pid   int    `json:"pid"`
	Start string `json:"start"` // as the system reports it; compared, never parsed
}

func writeOwner(dir string) error {
	start, _, _ := processInfo(os.Getpid())
	data, err := json.Marshal(owner{Pid: os.Getpid(), Start: start})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, ownerFile), data, 0o600)
}

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
			if stale(dir) && sweepOne(dir) {
				removed = append(removed, dir)
			}
		}
	}
	return removed
}

// stale tells whether dir is ours and its owner is gone. A directory of
// another user is never touched: what it says about processes is not trusted.
func stale(dir string) bool {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() || !ownedByUs(info) {
		return false
	}
	data, err := os.ReadFile(filepath.Join(dir, ownerFile))
	var o owner
	if err != nil || json.Unmarshal(data, &o) != nil || o.Pid <= 0 {
		return time.Since(info.ModTime()) > orphanAge
	}
	return !o.alive()
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
