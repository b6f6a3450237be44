package railway

import (
	"encoding/json"
	"errors"
	"fmt"
)

// snapshotVersion is raised when old snapshots can no longer be read.
const snapshotVersion = 1

type snapshotDoc struct {
	Version int    `json:"version"`
	State   *state `json:"state"`
}

// Snapshot returns everything that the API keeps. It holds variables and
// passwords, so it is as secret as they are. Processes, databases and logs are
// the world's to keep.
func (s *Server) Snapshot() (json.RawMessage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return json.Marshal(snapshotDoc{snapshotVersion, s.st})
}

// Restore makes an API without projects what Snapshot returned, in a world
// that has been restored before: services answer under their old names, those
// that the world doesn't run are started again, and deployments that were
// under way begin anew.
func (s *Server) Restore(raw json.RawMessage) error {
	doc := snapshotDoc{State: newState()}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return fmt.Errorf("railway snapshot: %w", err)
	}
	if doc.Version != snapshotVersion || doc.State == nil {
		return fmt.Errorf("railway snapshot: version %d cannot be read", doc.Version)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.st.Projects) > 0 {
		return errors.New("railway snapshot: there are projects already")
	}
	s.st = doc.State
	for _, wf := range s.st.Workflows {
		if wf.Status == "Running" {
			wf.Status, wf.Error = "Error", "interrupted"
		}
	}
	var err error
	for _, i := range s.st.Instances {
		if i.Variables == nil {
			i.Variables = map[string]*variable{}
		}
		s.w.NewApp(i.App)
		if i.PrivatePort != 0 {
			_, e := s.privatePort(i)
			err = errors.Join(err, e)
		}
		for _, d := range s.st.ServiceDomains {
			if d.ServiceID == i.ServiceID && d.EnvironmentID == i.EnvironmentID {
				s.open(i, d)
			}
		}
		for _, d := range s.st.CustomDomains {
			if d.ServiceID == i.ServiceID && d.EnvironmentID == i.EnvironmentID && d.Valid {
				s.addHost(i, d.Domain)
			}
		}
	}
	for _, p := range s.st.Proxies {
		i := s.st.instance(p.ServiceID, p.EnvironmentID)
		if i == nil {
			continue
		}
		f, e := s.forwardTo("proxy/"+p.ID, p.Port, s.targetOf(i))
		if err = errors.Join(err, e); e == nil {
			p.Port = f.port()
		}
	}
	for _, d := range s.st.Deployments {
		if i := s.st.instance(d.ServiceID, d.EnvironmentID); i != nil {
			s.resume(d, i)
		}
	}
	s.touch()
	return err
}
