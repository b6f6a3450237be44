package railway

import (
	"slices"
	"time"
)

type volume struct {
	ID, ProjectID, Name string
	CreatedAt           time.Time
}

// volumeInstance is a volume in an environment. Its id is what backups go by.
type volumeInstance struct {
	ID, VolumeID, EnvironmentID, ServiceID string
	MountPath, Region, State               string
	SizeMB                                 int
	Postgres, Redis                        string // ids of the world's servers whose data it has
	Schedules                              []string
	Restore                                string // id of the backup that a commit puts in its place
	CreatedAt, PITRSince                   time.Time
}

// volumeSize is what a new volume has room for.
const volumeSize = 50000

func (st *state) volume(id string) *volume {
	return find(st.Volumes, func(v *volume) bool { return v.ID == id })
}

func (st *state) volumeInstance(id string) *volumeInstance {
	return find(st.VolumeInstances, func(v *volumeInstance) bool { return v.ID == id })
}

// volumesOf are those mounted to a service in an environment.
func (st *state) volumesOf(serviceID, environmentID string) []*volumeInstance {
	return filter(st.VolumeInstances, func(v *volumeInstance) bool { return v.ServiceID == serviceID && v.EnvironmentID == environmentID })
}

func (s *Server) newVolume(projectID, name string) *volume {
	v := &volume{ID: s.uuid(), ProjectID: projectID, Name: name, CreatedAt: s.w.Now()}
	s.st.Volumes = append(s.st.Volumes, v)
	return v
}

func (s *Server) newVolumeInstance(v *volume, environmentID, serviceID, mountPath string) *volumeInstance {
	vi := &volumeInstance{
		ID: s.uuid(), VolumeID: v.ID, EnvironmentID: environmentID, ServiceID: serviceID, MountPath: mountPath, Region: defaultRegion, State: "READY",
		SizeMB: volumeSize, CreatedAt: s.w.Now(),
	}
	s.st.VolumeInstances = append(s.st.VolumeInstances, vi)
	return vi
}

func (s *Server) volumeObject(c *caller, v *volume) *object {
	return &object{"Volume", map[string]any{
		"id": v.ID, "name": v.Name, "projectId": v.ProjectID, "createdAt": stamp(v.CreatedAt),
		"project": lazy(func() any { return s.projectObject(c, s.st.project(v.ProjectID)) }),
		"volumeInstances": s.connection("VolumeVolumeInstancesConnection", func() []*object {
			var out []*object
			for _, vi := range s.st.VolumeInstances {
				if vi.VolumeID == v.ID && c.mayEnvironment(vi.EnvironmentID) == nil {
					out = append(out, s.volumeInstanceObject(c, vi))
				}
			}
			return out
		}),
	}}
}

func (s *Server) volumeInstanceObject(c *caller, v *volumeInstance) *object {
	return &object{"VolumeInstance", map[string]any{
		"id": v.ID, "volumeId": v.VolumeID, "environmentId": v.EnvironmentID, "serviceId": orNil(v.ServiceID), "mountPath": v.MountPath, "region": v.Region,
		"state": v.State, "sizeMB": v.SizeMB, "currentSizeMB": s.usedMB(v), "createdAt": stamp(v.CreatedAt), "deletedAt": nil, "externalId": "vol_" + v.ID[:8],
		"isPendingDeletion": false,
		"volume":            lazy(func() any { return s.volumeObject(c, s.st.volume(v.VolumeID)) }),
		"environment":       lazy(func() any { return s.environmentObject(c, s.st.environment(v.EnvironmentID)) }),
		"service":           resolver(func(arguments) (any, error) { return s.serviceOrError(c, v.ServiceID) }),
	}}
}

// onVolume finds a volume instance for a call. A volume's own id is refused, as it is there.
func (s *Server) onVolume(c *caller, id string) (*volumeInstance, error) {
	v := s.st.volumeInstance(id)
	if v == nil {
		return nil, notFound("VolumeInstance")
	}
	if err := c.mayEnvironment(v.EnvironmentID); err != nil {
		return nil, err
	}
	return v, nil
}

func (s *Server) createVolume(c *caller) resolver {
	return func(args arguments) (any, error) {
		in, err := input[struct{ EnvironmentID, MountPath, ProjectID, Region, ServiceID string }](args, "input")
		if err != nil {
			return nil, err
		}
		p, err := s.project(c, in.ProjectID)
		if err != nil {
			return nil, err
		}
		if in.MountPath == "" || in.MountPath[0] != '/' {
			return nil, invalid("mountPath must be absolute")
		}
		name := "volume-" + s.w.Hex(4)
		if in.ServiceID != "" {
			if _, err := s.service(c, in.ServiceID); err != nil {
				return nil, err
			}
			name = label(s.serviceName(in.ServiceID)) + "-volume"
		}
		v := s.newVolume(p.ID, name)
		for _, e := range s.st.environments(p.ID) {
			if (in.EnvironmentID == "" && !e.Ephemeral || e.ID == in.EnvironmentID) && c.mayEnvironment(e.ID) == nil {
				s.newVolumeInstance(v, e.ID, in.ServiceID, in.MountPath)
			}
		}
		s.touch()
		return s.volumeObject(c, v), nil
	}
}

func (s *Server) updateVolume(c *caller) resolver {
	return func(args arguments) (any, error) {
		in, err := input[struct{ Name *string }](args, "input")
		if err != nil {
			return nil, err
		}
		v := s.st.volume(args.str("volumeId"))
		if v == nil {
			return nil, notFound("Volume")
		}
		if err := c.mayProject(v.ProjectID); err != nil {
			return nil, err
		}
		assign(&v.Name, in.Name)
		return s.volumeObject(c, v), nil
	}
}

func (s *Server) updateVolumeInstance(c *caller) resolver {
	return func(args arguments) (any, error) {
		in, err := input[struct{ MountPath, ServiceID, State *string }](args, "input")
		if err != nil {
			return nil, err
		}
		found := false
		for _, v := range s.st.VolumeInstances {
			if v.VolumeID == args.str("volumeId") && (args.str("environmentId") == "" || args.str("environmentId") == v.EnvironmentID) && c.mayEnvironment(v.EnvironmentID) == nil {
				found = true
				assign(&v.MountPath, in.MountPath)
				assign(&v.ServiceID, in.ServiceID)
				assign(&v.State, in.State)
			}
		}
		if !found {
			return nil, notFound("Volume")
		}
		s.touch()
		return true, nil
	}
}

func (s *Server) deleteVolume(c *caller) resolver {
	return func(args arguments) (any, error) {
		v := s.st.volume(args.str("volumeId"))
		if v == nil {
			return nil, notFound("Volume")
		}
		if err := c.everything(); err != nil {
			return nil, err
		}
		for _, vi := range filter(s.st.VolumeInstances, func(vi *volumeInstance) bool { return vi.VolumeID == v.ID }) {
			s.stopBackend(vi.ID)
			s.st.Backups = slices.DeleteFunc(s.st.Backups, func(b *backup) bool { return b.VolumeInstanceID == vi.ID })
			s.st.VolumeInstances = slices.DeleteFunc(s.st.VolumeInstances, func(o *volumeInstance) bool { return o == vi })
		}
		s.st.Volumes = slices.DeleteFunc(s.st.Volumes, func(o *volume) bool { return o == v })
		s.touch()
		return true, nil
	}
}
