package railway

import (
	"context"
	"maps"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// enablePITR is for a cluster's members; here a cluster is its root alone.
func (s *Server) enablePITR(c *caller, enable bool) resolver {
	return func(args arguments) (any, error) {
		in, err := input[struct{ EnvironmentID, ProjectID, RootServiceID string }](args, "input")
		if err != nil {
			return nil, err
		}
		i, err := s.instance(c, in.RootServiceID, in.EnvironmentID)
		if err != nil {
			return nil, err
		}
		if engineOf(i.Settings.Image) != enginePostgres {
			return nil, fail("The service is no Postgres cluster")
		}
		p, e := s.st.project(i.ProjectID), s.st.environment(i.EnvironmentID)
		id := s.startWorkflow(func(context.Context) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			if !enable {
				maps.DeleteFunc(i.Variables, func(name string, _ *variable) bool { return strings.HasPrefix(name, "WAL_ARCHIVE_") })
				s.deploy(i)
				return nil
			}
			overlay := &templateService{Name: "Postgres", ClusterRole: "root", Variables: archiveVariables()}
			return s.compose(e, p, i, "", map[string]*templateService{"root": overlay}, false)
		})
		return &object{"TemplateDeployPayload", map[string]any{"projectId": in.ProjectID, "workflowId": id}}, nil
	}
}

func archiveVariables() map[string]struct{ DefaultValue, Value string } {
	return map[string]struct{ DefaultValue, Value string }{
		"WAL_ARCHIVE_BUCKET": {Value: "postgres-pitr"}, "WAL_ARCHIVE_PATH": {Value: "/pgbackrest"}, "WAL_ARCHIVE_REGION": {Value: "auto"},
		"WAL_ARCHIVE_ENDPOINT": {Value: "https://storage.railway.app"},
	}
}

// restorePITR makes a new service beside the database, with its content of
// another time.
func (s *Server) restorePITR(c *caller) resolver {
	return func(args arguments) (any, error) {
		v, err := s.onVolume(c, args.str("volumeInstanceId"))
		if err != nil {
			return nil, err
		}
		at, err := time.Parse(time.RFC3339, args.str("targetTimestamp"))
		if err != nil {
			return nil, invalid("targetTimestamp is no date")
		}
		i := s.st.instance(v.ServiceID, v.EnvironmentID)
		db := s.w.Database(v.Postgres)
		if i == nil || db == nil || v.PITRSince.IsZero() {
			return nil, fail("Point-in-time recovery is not enabled for this volume")
		}
		if from, to := s.window(v, db); at.Before(from) || at.After(to) {
			return nil, fail("The target is outside of the available restore window (%s to %s)", stamp(from), stamp(to))
		}
		name := args.str("newServiceName")
		if name == "" {
			name = s.serviceName(i.ServiceID) + "-restored-" + at.UTC().Format("20060102-1504")
		}
		if find(s.st.services(i.ProjectID), func(o *serviceDoc) bool { return o.Name == name }) != nil {
			return nil, fail("A service named %q already exists in this project", name)
		}
		return s.begun(func(ctx context.Context) error { return s.fork(ctx, i, v, db, at, name) }), nil
	}
}

// window is what can be restored: since the archive began, as far as the
// server has it.
func (s *Server) window(v *volumeInstance, db *world.Database) (from, to time.Time) {
	from, to = db.Window()
	if v.PITRSince.After(from) && v.PITRSince.Before(to) {
		from = v.PITRSince
	}
	return from, to
}

// fork restores into a new server and makes its service.
func (s *Server) fork(ctx context.Context, src *instance, v *volumeInstance, db *world.Database, at time.Time, name string) error {
	restored, err := s.w.RestoreDatabase(ctx, db, world.RestorePoint{Time: at}, world.DatabaseSpec{Name: name})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	svc, err := s.newService(s.st.project(src.ProjectID), name)
	if err != nil {
		_ = restored.Stop()
		return err
	}
	i := s.newInstance(svc, s.st.environment(src.EnvironmentID))
	i.Settings, i.Variables = src.Settings, cloneVariables(src.Variables)
	maps.DeleteFunc(i.Variables, func(n string, _ *variable) bool { return strings.HasPrefix(n, "WAL_ARCHIVE_") })
	s.setVariable(i.Variables, "WAL_RECOVER_FROM_BUCKET", "postgres-pitr")
	s.setVariable(i.Variables, "POSTGRES_RECOVERY_TARGET_TIME", at.UTC().Format(time.RFC3339Nano))
	vol := s.newVolume(i.ProjectID, label(name)+"-volume")
	vi := s.newVolumeInstance(vol, i.EnvironmentID, i.ServiceID, v.MountPath)
	vi.SizeMB, vi.Postgres = v.SizeMB, restored.ID
	if err := s.ports(i); err != nil {
		return err
	}
	if _, err := s.newProxy(i, 5432); err != nil {
		return err
	}
	s.deploy(i)
	s.touch()
	return nil
}
