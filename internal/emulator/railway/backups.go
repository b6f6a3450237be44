package railway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// backup is a copy of a volume. Of a PostgreSQL volume it is a real one; of
// any other only the record is kept.
type backup struct {
	ID, VolumeInstanceID, Name, ScheduleID string
	World                                  string // the database server's own id for it
	UsedMB                                 int
	CreatedAt, ExpiresAt                   time.Time
}

// retention is how long a scheduled backup is kept, by kind.
func retention(kind string) (time.Duration, string) {
	const day = 24 * time.Hour
	switch kind {
	case "DAILY":
		return 6 * day, "0 0 * * *"
	case "WEEKLY":
		return 30 * day, "0 0 * * 0"
	case "MONTHLY":
		return 90 * day, "0 0 1 * *"
	}
	return 0, ""
}

// begun starts a workflow and answers with its id. Callers hold s.mu; work
// runs without it.
func (s *Server) begun(work func(ctx context.Context) error) *object {
	id := s.startWorkflow(work)
	return &object{"WorkflowId", map[string]any{"workflowId": id}}
}

// startWorkflow runs work in the background under an id that workflowStatus knows.
func (s *Server) startWorkflow(work func(ctx context.Context) error) string {
	id := "workflow/" + s.uuid()
	wf := &workflow{Status: "Running"}
	s.st.Workflows[id] = wf
	s.background(func(ctx context.Context) {
		err := pause(ctx, s.opts.Step)
		if err == nil {
			err = work(ctx)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		wf.Status = "Complete"
		if err != nil {
			wf.Status, wf.Error = "Error", err.Error()
		}
		s.touch()
	})
	return id
}

func (s *Server) workflowStatus(c *caller) resolver {
	return func(args arguments) (any, error) {
		if err := c.anybody(); err != nil {
			return nil, err
		}
		wf := s.st.Workflows[args.str("workflowId")]
		if wf == nil {
			return &object{"WorkflowResult", map[string]any{"status": "NotFound", "error": nil}}, nil
		}
		return &object{"WorkflowResult", map[string]any{"status": wf.Status, "error": orNil(wf.Error)}}, nil
	}
}

func (s *Server) listBackups(c *caller) resolver {
	return func(args arguments) (any, error) {
		v, err := s.onVolume(c, args.str("volumeInstanceId"))
		if err != nil {
			return nil, err
		}
		s.expireBackups()
		out := []*object{}
		for _, b := range slices.Backward(s.st.Backups) { // the newest first
			if b.VolumeInstanceID == v.ID {
				out = append(out, &object{"VolumeInstanceBackup", map[string]any{
					"id": b.ID, "name": orNil(b.Name), "externalId": "backup_" + b.ID[:8], "createdAt": stamp(b.CreatedAt), "expiresAt": stampOrNil(b.ExpiresAt),
					"creatorId": s.st.User, "scheduleId": orNil(b.ScheduleID), "usedMB": b.UsedMB, "referencedMB": b.UsedMB, "volumeInstanceSizeMB": v.SizeMB,
				}})
			}
		}
		return out, nil
	}
}

// expireBackups removes those whose time is over.
func (s *Server) expireBackups() {
	now := s.w.Now()
	for _, b := range filter(s.st.Backups, func(b *backup) bool { return !b.ExpiresAt.IsZero() && b.ExpiresAt.Before(now) }) {
		s.dropBackup(b)
	}
}

func (s *Server) dropBackup(b *backup) {
	s.st.Backups = slices.DeleteFunc(s.st.Backups, func(o *backup) bool { return o == b })
	if v := s.st.volumeInstance(b.VolumeInstanceID); v != nil && b.World != "" {
		if db := s.w.Database(v.Postgres); db != nil {
			s.background(func(context.Context) { _ = db.DeleteBackup(b.World) }) // a rewind may have removed it already
		}
	}
}

func (s *Server) createBackup(c *caller) resolver {
	return func(args arguments) (any, error) {
		v, err := s.onVolume(c, args.str("volumeInstanceId"))
		if err != nil {
			return nil, err
		}
		if s.usedMB(v) > float64(v.SizeMB)/2 {
			return nil, fail("Manual backups are limited to 50%% of the volume size")
		}
		name := args.str("name")
		if name == "" {
			name = "Manual"
		}
		return s.begun(func(ctx context.Context) error { return s.backUp(ctx, v, &backup{Name: name}) }), nil
	}
}

// backUp makes the backup and enters it in the list.
func (s *Server) backUp(ctx context.Context, v *volumeInstance, b *backup) error {
	s.mu.Lock()
	db := s.w.Database(v.Postgres)
	s.mu.Unlock()
	if db != nil {
		made, err := db.Backup(ctx, b.Name)
		if err != nil {
			return err
		}
		b.World, b.UsedMB = made.ID, int(made.Size>>20)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b.ID, b.VolumeInstanceID, b.CreatedAt = s.uuid(), v.ID, s.w.Now()
	s.st.Backups = append(s.st.Backups, b)
	s.touch()
	return nil
}

// RunSchedule makes the backups that are due for a kind of schedule (DAILY,
// WEEKLY, MONTHLY), as if its hour had come.
func (s *Server) RunSchedule(ctx context.Context, kind string) error {
	keep, _ := retention(kind)
	if keep == 0 {
		return fmt.Errorf("no backup schedule %q", kind)
	}
	s.mu.Lock()
	due := filter(s.st.VolumeInstances, func(v *volumeInstance) bool { return slices.Contains(v.Schedules, kind) })
	s.mu.Unlock()
	var err error
	for _, v := range due {
		err = errors.Join(err, s.backUp(ctx, v, &backup{Name: kind, ScheduleID: scheduleID(v, kind), ExpiresAt: s.w.Now().Add(keep)}))
	}
	return err
}

func (s *Server) onBackup(c *caller, args arguments) (*volumeInstance, *backup, error) {
	v, err := s.onVolume(c, args.str("volumeInstanceId"))
	if err != nil {
		return nil, nil, err
	}
	b := find(s.st.Backups, func(b *backup) bool { return b.ID == args.str("volumeInstanceBackupId") && b.VolumeInstanceID == v.ID })
	if b == nil {
		return nil, nil, notFound("VolumeInstanceBackup")
	}
	return v, b, nil
}

func (s *Server) deleteBackup(c *caller) resolver {
	return func(args arguments) (any, error) {
		_, b, err := s.onBackup(c, args)
		if err != nil {
			return nil, err
		}
		return s.begun(func(context.Context) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.dropBackup(b)
			s.touch()
			return nil
		}), nil
	}
}

// lockBackup keeps a backup for good.
func (s *Server) lockBackup(c *caller) resolver {
	return func(args arguments) (any, error) {
		_, b, err := s.onBackup(c, args)
		if err != nil {
			return nil, err
		}
		b.ExpiresAt = time.Time{}
		s.touch()
		return true, nil
	}
}

// restoreBackup stages a volume with the backup's content in the place of the
// service's; the commit of the staged change brings it about. Newer backups go.
func (s *Server) restoreBackup(c *caller) resolver {
	return func(args arguments) (any, error) {
		v, b, err := s.onBackup(c, args)
		if err != nil {
			return nil, err
		}
		if v.ServiceID == "" {
			return nil, fail("The volume is not mounted to a service")
		}
		return s.begun(func(context.Context) error { s.stageRestore(v, b); return nil }), nil
	}
}

func (s *Server) stageRestore(v *volumeInstance, b *backup) {
	s.mu.Lock()
	defer s.mu.Unlock()
	vol := s.newVolume(s.st.volume(v.VolumeID).ProjectID, b.CreatedAt.UTC().Format("2006-01-02 15:04"))
	fresh := s.newVolumeInstance(vol, v.EnvironmentID, "", v.MountPath)
	fresh.SizeMB, fresh.Region, fresh.Restore = v.SizeMB, v.Region, b.ID
	s.stage(v.EnvironmentID, map[string]any{"services": map[string]any{v.ServiceID: map[string]any{"volumeMounts": map[string]any{
		vol.ID: map[string]any{"mountPath": v.MountPath}, v.VolumeID: nil,
	}}}}, true)
}

// fill gives a volume that a restore made its content, when it is mounted. It
// runs without s.mu: the old server's data at the backup goes into a new one.
func (s *Server) fill(ctx context.Context, v *volumeInstance, password string) error {
	s.mu.Lock()
	b := find(s.st.Backups, func(b *backup) bool { return b.ID == v.Restore })
	v.Restore = ""
	if b == nil {
		s.mu.Unlock()
		return errors.New("the backup is gone")
	}
	old := s.st.volumeInstance(b.VolumeInstanceID)
	source := s.w.Database(old.Postgres)
	v.Redis = old.Redis // a record only: the server goes on with what it has
	s.mu.Unlock()
	if source != nil {
		db, err := s.w.RestoreDatabase(ctx, source, world.RestorePoint{Backup: b.World}, world.DatabaseSpec{Name: v.ID, Password: password})
		if err != nil {
			return err
		}
		s.mu.Lock()
		v.Postgres = db.ID
		s.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range filter(s.st.Backups, func(o *backup) bool { return o.VolumeInstanceID == old.ID && o.CreatedAt.After(b.CreatedAt) }) {
		s.dropBackup(o)
	}
	s.touch()
	return nil
}

func scheduleID(v *volumeInstance, kind string) string { return v.ID + "/" + kind }

func (s *Server) listSchedules(c *caller) resolver {
	return func(args arguments) (any, error) {
		v, err := s.onVolume(c, args.str("volumeInstanceId"))
		if err != nil {
			return nil, err
		}
		out := []*object{}
		for _, kind := range v.Schedules {
			keep, cron := retention(kind)
			out = append(out, &object{"VolumeInstanceBackupSchedule", map[string]any{
				"id": scheduleID(v, kind), "kind": kind, "name": kind, "cron": cron, "retentionSeconds": int(keep.Seconds()), "createdAt": stamp(v.CreatedAt),
			}})
		}
		return out, nil
	}
}

func (s *Server) updateSchedules(c *caller) resolver {
	return func(args arguments) (any, error) {
		v, err := s.onVolume(c, args.str("volumeInstanceId"))
		if err != nil {
			return nil, err
		}
		kinds := args.list("kinds")
		for _, k := range kinds {
			if keep, _ := retention(k); keep == 0 {
				return nil, invalid(`Value %q does not exist in "VolumeInstanceBackupScheduleKind" enum.`, k)
			}
		}
		v.Schedules = kinds
		s.touch()
		return true, nil
	}
}
