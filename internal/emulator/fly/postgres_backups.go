package fly

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// pgBackup is one backup of a cluster. Whatever its type, the server makes a
// full one. Its times are the real clock's, as those that can be restored.
type pgBackup struct {
	id, typ, status string
	started         time.Time
	done            world.Backup // once completed
}

// The states of a backup; the published schema names none.
const (
	backupRuns   = "running"
	backupDone   = "completed"
	backupFailed = "failed"
)

func listPGBackups(_ *http.Request, c *cluster) (reply, error) {
	docs := make([]any, 0, len(c.backups))
	for _, b := range slices.Backward(c.backups) {
		d := map[string]any{"id": b.id, "type": b.typ, "status": b.status, "started_at": stamp(b.started)}
		if b.status == backupDone {
			d["size_bytes"], d["finished_at"] = b.done.Size, stamp(b.done.Finished)
		}
		docs = append(docs, d)
	}
	return ok(map[string]any{"data": docs})
}

// backupCluster answers without an id, as the platform does, and before the
// backup is made.
func (s *Server) backupCluster(r *http.Request, c *cluster) (reply, error) {
	var in struct {
		Type string `json:"type"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	switch {
	case !contains([]string{"full", "incr", "diff"}, in.Type):
		return reply{}, fail(http.StatusUnprocessableEntity, "type must be full, incr or diff")
	case c.db == nil:
		return reply{}, fail(http.StatusConflict, "cluster is not ready")
	case slices.ContainsFunc(c.backups, func(b *pgBackup) bool { return b.status == backupRuns }):
		return reply{}, fail(http.StatusConflict, "a backup is already in progress")
	}
	b := &pgBackup{id: s.w.ULID(), typ: in.Type, status: backupRuns, started: time.Now()}
	c.backups = append(c.backups, b)
	go s.runBackup(c.db, c.name, b)
	return reply{code: http.StatusAccepted}, nil
}

func (s *Server) runBackup(db *world.Database, name string, b *pgBackup) {
	made, err := db.Backup(context.Background(), b.typ)
	s.mu.Lock()
	defer s.mu.Unlock()
	b.status, b.done = backupDone, made
	if err != nil {
		b.status = backupFailed
		s.w.Logf("postgres %s: backup failed: %v", name, err)
	}
	s.w.Touch()
}

// restoreCluster makes a new cluster from a backup or a moment of this one.
func (s *Server) restoreCluster(r *http.Request, c *cluster) (reply, error) {
	var in struct {
		Backup string `json:"backup_id"`
		Time   string `json:"pitr_time"`
		Name   string `json:"name"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	if (in.Backup == "") == (in.Time == "") {
		return reply{}, fail(http.StatusUnprocessableEntity, "exactly one of backup_id and pitr_time is required")
	}
	if c.db == nil {
		return reply{}, fail(http.StatusUnprocessableEntity, "cluster is not ready")
	}
	var at world.RestorePoint
	if in.Backup != "" {
		i := slices.IndexFunc(c.backups, func(b *pgBackup) bool { return b.id == in.Backup })
		switch {
		case i < 0:
			return reply{}, notFound("backup")
		case c.backups[i].status != backupDone:
			return reply{}, fail(http.StatusUnprocessableEntity, "backup is "+c.backups[i].status)
		}
		at.Backup = c.backups[i].done.ID
	} else {
		var err error
		if at.Time, err = time.Parse(time.RFC3339, in.Time); err != nil {
			return reply{}, fail(http.StatusUnprocessableEntity, "pitr_time must be an RFC 3339 time with an offset")
		}
		if from, to := c.db.Window(); at.Time.Before(from) || at.Time.After(to) {
			return reply{}, fail(http.StatusUnprocessableEntity, "pitr_time is outside the recovery window")
		}
	}
	return s.copyCluster(c, at, cmp.Or(in.Name, c.name+"-restored"))
}

// forkCluster makes a new cluster from what this one holds now.
func (s *Server) forkCluster(r *http.Request, c *cluster) (reply, error) {
	var in struct {
		Name string `json:"name"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	if c.db == nil {
		return reply{}, fail(http.StatusConflict, "cluster is not ready")
	}
	return s.copyCluster(c, world.RestorePoint{}, cmp.Or(in.Name, c.name+"-fork"))
}

// copyCluster makes a new cluster with another's settings and its content at a
// point. The source is not touched. Callers hold s.mu.
func (s *Server) copyCluster(c *cluster, at world.RestorePoint, name string) (reply, error) {
	n := &cluster{
		id: s.w.Hex(16), name: name, org: c.org, region: c.region, plan: c.plan, major: c.major, poolMode: c.poolMode, status: "creating",
		diskGB: c.diskGB, postgis: c.postgis, copied: true, createdAt: s.w.Now(),
	}
	from, source := c.db, maps.Clone(c.users)
	s.addCluster(n)
	password := n.users[pgUser]
	s.begin(n, func(ctx context.Context) (*world.Database, error) {
		db, err := s.w.RestoreDatabase(ctx, from, at, world.DatabaseSpec{Name: n.name, Password: password})
		if err != nil {
			return nil, err
		}
		return db, s.adoptUsers(ctx, n, db, source)
	})
	return reply{code: http.StatusCreated, body: s.clusterReply(n)}, nil
}

// adoptUsers gives the copy the source's users that its content has.
func (s *Server) adoptUsers(ctx context.Context, n *cluster, db *world.Database, source map[string]string) error {
	names, err := db.Query(ctx, "", "select rolname from pg_roles where rolcanlogin and not rolsuper")
	if err != nil {
		return errors.Join(err, db.Stop())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		if password, known := source[name]; known && name != pgUser {
			n.users[name] = password
		}
	}
	return nil
}
