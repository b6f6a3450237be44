package fly

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// Restore makes a new API know what Snapshot described. The world must have
// been restored before; where the two differ, since one was written a moment
// before the other, what only one of them knows is dropped. Clusters that were
// being made are begun again, and copies of others have failed.
func (s *Server) Restore(state json.RawMessage) error {
	var st serverState
	if err := json.Unmarshal(state, &st); err != nil {
		return fmt.Errorf("read what the Fly API knew: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nextNum = st.NextNum
	for _, as := range st.Apps {
		if s.w.App(as.Name) == nil {
			continue
		}
		a, err := s.restoreApp(as)
		if err != nil {
			return fmt.Errorf("read what the Fly API knew: %w", err)
		}
		s.apps[a.name] = a
	}
	for key, name := range st.ByKey {
		if a := s.apps[name]; a != nil {
			s.byKey[key] = a
		}
	}
	for _, cs := range st.Clusters {
		s.recallCluster(cs)
	}
	for _, as := range st.AddOns {
		if r := s.w.Redis(as.Redis); r != nil {
			s.addOns[as.ID] = &addOn{as.ID, as.Name, as.Typ, as.Plan, as.Org, as.Region, as.ReadRegions, as.Options, as.CreatedAt, r}
		}
	}
	s.dropStrays()
	return nil
}

func (s *Server) restoreApp(st appState) (*app, error) {
	a := &app{w: s.w.App(st.Name), id: st.ID, num: st.Num, name: st.Name, org: st.Org, network: st.Network, createdAt: st.CreatedAt}
	a.secrets = secretStore{version: st.Secrets.Version}
	for name, v := range st.Secrets.Values {
		if a.secrets.values == nil {
			a.secrets.values = map[string]secret{}
		}
		a.secrets.values[name] = secret{v.Value, v.Digest, v.Created, v.Updated}
	}
	for _, ms := range st.Machines {
		m, err := restoreMachine(a, ms)
		if err != nil {
			return nil, err
		}
		if m != nil {
			a.machines = append(a.machines, m)
		}
	}
	for _, r := range st.Releases {
		rel := &release{a, r.ID, r.Version, r.Status, r.Strategy, r.Image, r.Definition, r.Metadata, r.User, r.CreatedAt, r.UpdatedAt}
		a.releases = append(a.releases, rel)
		s.releases[rel.id] = rel
	}
	for _, ip := range st.IPs {
		a.ips = append(a.ips, &ipAddress{ip.ID, ip.IP, ip.Typ, ip.Region, ip.Shared, ip.CreatedAt})
	}
	for _, c := range st.Certs {
		a.certs = append(a.certs, &certificate{c.Hostname, c.Custom, c.Active, c.CreatedAt, c.UpdatedAt})
	}
	for _, v := range st.Volumes {
		vol := &volume{v.ID, v.Name, v.Region, v.SizeGB, v.Machine, v.Encrypted, v.Auto, v.Retention, v.CreatedAt, nil}
		for _, sn := range v.Snapshots {
			vol.snapshots = append(vol.snapshots, &snapshot{sn.ID, sn.CreatedAt, sn.SizeGB, sn.Retention})
		}
		a.volumes = append(a.volumes, vol)
	}
	return a, nil
}

// restoreMachine returns nil for one that the world does not know.
func restoreMachine(a *app, st machineState) (*machine, error) {
	m := &machine{
		m: a.w.Machine(st.ID), id: st.ID, name: st.Name, region: st.Region, privateIP: st.PrivateIP, createdAt: st.CreatedAt, updatedAt: st.UpdatedAt,
		version: st.Version, image: st.Image, secrets: st.Secrets, noSecrets: st.NoSecrets,
	}
	if m.m == nil {
		return nil, nil
	}
	var err error
	if m.config, m.doc, err = parseConfig(st.Doc); err != nil {
		return nil, fmt.Errorf("machine %s of %s: %w", m.id, a.name, err)
	}
	for _, v := range st.Versions {
		m.versions = append(m.versions, machineVersion{v.Version, v.Doc})
	}
	if l := st.Lease; l != nil {
		m.lease = &lease{l.Nonce, l.Owner, l.Description, l.TTL, l.Expires}
	}
	return m, nil
}

// recallCluster makes the cluster known again.
func (s *Server) recallCluster(st clusterState) {
	c := &cluster{
		id: st.ID, name: st.Name, org: st.Org, region: st.Region, plan: st.Plan, major: st.Major, poolMode: st.PoolMode, status: st.Status,
		diskGB: st.DiskGB, postgis: st.PostGIS, copied: st.Copied, createdAt: st.CreatedAt, deletedAt: st.DeletedAt, users: st.Users,
		attached: st.Attached, db: s.w.Database(st.DB), cancel: func() {},
	}
	for _, b := range st.Backups {
		if b.Status == backupRuns {
			b.Status = backupFailed
		}
		c.backups = append(c.backups, &pgBackup{b.ID, b.Typ, b.Status, b.Started, b.Done})
	}
	s.clusters[c.id] = c
	switch {
	case c.db != nil || c.status == "deleted" || c.status == "failed":
	case c.status == "ready" || c.copied:
		c.status = "failed"
	default:
		s.begin(c, s.newServer(c))
	}
}

// newServer starts an empty server for the cluster.
func (s *Server) newServer(c *cluster) startServer {
	spec := world.DatabaseSpec{Name: c.name, Major: c.major, User: pgUser, Password: c.users[pgUser], Database: pgDatabase}
	return func(ctx context.Context) (*world.Database, error) { return s.w.NewDatabase(ctx, spec) }
}

// dropStrays ends what the world has and the API does not know: nobody could
// reach it. Callers hold s.mu.
func (s *Server) dropStrays() {
	used := map[string]bool{}
	for _, c := range s.clusters {
		if c.db != nil {
			used[c.db.ID] = true
		}
	}
	for _, ad := range s.addOns {
		used[ad.redis.ID] = true
	}
	for _, db := range s.w.Databases() {
		if !used[db.ID] {
			db.Drop()
		}
	}
	for _, r := range s.w.Redises() {
		if !used[r.ID] {
			r.Stop()
		}
	}
	for _, wa := range s.w.Apps() {
		a := s.apps[wa.Name]
		if a == nil {
			s.w.DeleteApp(wa.Name)
			continue
		}
		for _, wm := range wa.Machines() {
			if !slices.ContainsFunc(a.machines, func(m *machine) bool { return m.m == wm }) {
				_ = wm.Destroy(true) // nothing else happens to it
			}
		}
	}
}
