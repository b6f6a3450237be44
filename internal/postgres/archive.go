package postgres

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/execx"
)

// InitialBase is the name of the base backup that every archived cluster has:
// the data directory before its first start.
const InitialBase = "initial"

// switchTimeout is how long a segment may take into the archive before another
// one is asked for.
const switchTimeout = 5 * time.Second

// archiveSettings send every segment of the write-ahead log to HOME/wal. The
// server runs the command in its data directory, so that no path needs quoting
// and the home may move.
func archiveSettings() map[string]string {
	command := `cp %p ../wal/%f.new && mv ../wal/%f.new ../wal/%f`
	if runtime.GOOS == "windows" {
		command = `copy "%p" "..\wal\%f.new" && move /y "..\wal\%f.new" "..\wal\%f"`
	}
	return map[string]string{
		"archive_mode": "on", "archive_command": command, "wal_level": "replica",
		// What was committed is in the log even when the server is killed.
		"synchronous_commit": "on", "max_wal_size": "256MB", "min_wal_size": "8MB",
	}
}

// WALDir is where an archived cluster's write-ahead log goes.
func (c *Cluster) WALDir() string { return filepath.Join(c.opts.Home, "wal") }

// BaseDir is the directory of the named base backup.
func (c *Cluster) BaseDir(name string) string { return filepath.Join(c.opts.Home, "base", name) }

// prepareArchive makes the initial base backup, which costs next to nothing: the
// data directory as it is before the first start. A recovered cluster has what
// it was made from, base backup and log, and goes on from there.
func (c *Cluster) prepareArchive(ctx context.Context, identity *execx.User) error {
	if c.opts.Home == "" {
		return errors.New("an archived cluster needs a home")
	}
	base := c.BaseDir(InitialBase)
	if r := c.opts.Recover; r != nil {
		if r.WAL == c.WALDir() {
			return nil // in place
		}
		if err := linkOrCopy(ctx, r.WAL, c.WALDir(), identity); err != nil {
			return err
		}
		return linkOrCopy(ctx, r.Base, base, identity)
	}
	// Another process may have made the template meanwhile, from an initdb of its own.
	if t := c.template(); t != "" && usable(t) && sameCluster(t, c.DataDir()) {
		return linkOrCopy(ctx, t, base, identity)
	}
	if err := os.Mkdir(base, 0o700); err != nil {
		return err
	}
	return copyTree(ctx, c.DataDir(), base, identity)
}

// ArchiveNow returns when all that was committed before the call is in the
// archive. It commits a transaction of its own first: recovery to a moment
// needs a commit after it to know that the moment is over.
func (c *Cluster) ArchiveNow(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, c.SocketURL("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for range 6 {
		var segment string
		if _, err := conn.Exec(ctx, "select txid_current()"); err != nil {
			return err
		}
		if err := conn.QueryRow(ctx, "select pg_walfile_name(pg_current_wal_insert_lsn())").Scan(&segment); err != nil {
			return err
		}
		if _, err := conn.Exec(ctx, "select pg_switch_wal()"); err != nil {
			return err
		}
		// The position may have been the very start of a segment, which stays open: then again.
		if done, err := appears(ctx, filepath.Join(c.WALDir(), segment), switchTimeout); done || err != nil {
			return err
		}
	}
	return errs.New(errs.Timeout, "the server does not archive its write-ahead log")
}

func appears(ctx context.Context, path string, within time.Duration) (bool, error) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	timeout := time.NewTimer(within)
	defer timeout.Stop()
	for {
		if _, err := os.Stat(path); err == nil {
			return true, nil
		}
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-timeout.C:
			return false, nil
		case <-tick.C:
		}
	}
}

// BaseBackup makes a base backup of the running server in BaseDir(name) with
// pg_basebackup, and returns its size in bytes. The log that it needs is in the
// archive when it returns.
func (c *Cluster) BaseBackup(ctx context.Context, name, label string) (int64, error) {
	identity, err := unprivileged()
	if err != nil {
		return 0, err
	}
	dir := c.BaseDir(name)
	err = execx.Run(ctx, execx.Cmd{
		Path: c.install.Path("pg_basebackup"),
		Args: []string{
			"-h", c.SocketDir(), "-p", strconv.Itoa(c.port), "-U", c.opts.User, "-w", "-D", dir,
			// The log is taken from the archive. "none" would wait for that, but look once a second only.
			"-c", "fast", "-X", "fetch", "-l", strings.ToValidUTF8(label, "?"), "--no-sync",
		},
		Env: childEnv(), Dir: c.dir, User: identity,
	})
	if err != nil {
		return 0, errors.Join(err, os.RemoveAll(dir))
	}
	if err := c.ArchiveNow(ctx); err != nil {
		return 0, errors.Join(err, os.RemoveAll(dir))
	}
	return TreeSize(dir)
}

// Recovery says what a cluster is made from: a base backup and the archived log
// after it. The new cluster's archive begins with that log, so its own history
// can be recovered from InitialBase.
type Recovery struct {
	Base string // the backup's data directory, which is copied
	WAL  string // the archive
	// Time is the moment to recover to: what was committed by then is there. The
	// archive must hold a later commit (ArchiveNow). Zero stops at the backup's
	// end, or with All at the end of the archive.
	Time time.Time
	All  bool
}

// fill makes the data directory; the server does the rest when it starts.
func (r *Recovery) fill(ctx context.Context, data string, identity *execx.User) error {
	if err := emptyDir(data); err != nil {
		return err
	}
	if err := copyTree(ctx, r.Base, data, identity); err != nil {
		return err
	}
	// All log comes from the archive: what an initial base holds is shorter.
	if err := emptyDir(filepath.Join(data, "pg_wal")); err != nil {
		return err
	}
	signal := filepath.Join(data, "recovery.signal")
	if err := os.WriteFile(signal, nil, 0o600); err != nil {
		return err
	}
	if identity != nil {
		return os.Lchown(signal, int(identity.UID), int(identity.GID))
	}
	return nil
}

// settings are ignored once the recovery is over (there is no recovery.signal
// then). The log is followed along the newest timeline; the end of a backup,
// though, is on the backup's own.
func (r *Recovery) settings() map[string]string {
	s := map[string]string{
		"restore_command": "cp ../wal/%f %p", "recovery_target_action": "promote", "recovery_target_timeline": "latest",
		"hot_standby": "off", // no connection before the end
	}
	if runtime.GOOS == "windows" {
		s["restore_command"] = `copy "..\wal\%f" "%p"`
	}
	switch {
	case !r.Time.IsZero():
		s["recovery_target_time"] = r.Time.UTC().Format("2006-01-02 15:04:05.999999+00")
	case !r.All:
		s["recovery_target"], s["recovery_target_timeline"] = "immediate", "current"
	}
	return s
}
