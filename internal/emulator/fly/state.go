package fly

import (
	"encoding/json"
	"sort"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// The kept forms of what the API knows. Each has the fields of the type that it
// stands for; a test compares them. It is as secret as the secrets in it.
type (
	serverState struct {
		Apps     []appState
		ByKey    map[string]string // app by idempotency key
		Clusters []clusterState
		AddOns   []addOnState
		NextNum  int64
	}
	appState struct {
		ID, Name, Org, Network string
		Num                    int64
		CreatedAt              time.Time
		Machines               []machineState
		Secrets                secretsState
		Releases               []releaseState
		IPs                    []ipState
		Certs                  []certState
		Volumes                []volumeState
	}
	machineState struct {
		ID, Name, Region, PrivateIP, Version string
		CreatedAt, UpdatedAt                 time.Time
		Doc                                  json.RawMessage // the config
		Versions                             []versionState
		Image                                world.Image
		Secrets                              map[string]string
		NoSecrets                            bool
		Lease                                *leaseState
	}
	versionState struct {
		Version string
		Doc     map[string]any
	}
	leaseState struct {
		Nonce, Owner, Description string
		TTL                       time.Duration
		Expires                   time.Time
	}
	secretsState struct {
		Version uint64
		Values  map[string]secretState
	}
	secretState struct {
		Value, Digest    string
		Created, Updated time.Time
	}
	releaseState struct {
		ID, Status, Strategy, Image, User string
		Version                           int
		Definition, Metadata              any
		CreatedAt, UpdatedAt              time.Time
	}
	ipState struct {
		ID, IP, Typ, Region string
		Shared              bool
		CreatedAt           time.Time
	}
	certState struct {
		Hostname             string
		Custom, Active       bool
		CreatedAt, UpdatedAt time.Time
	}
	volumeState struct {
		ID, Name, Region, Machine string
		SizeGB, Retention         int
		Encrypted, Auto           bool
		CreatedAt                 time.Time
		Snapshots                 []snapshotState
	}
	snapshotState struct {
		ID                string
		CreatedAt         time.Time
		SizeGB, Retention int
	}
	clusterState struct {
		ID, Name, Org, Region, Plan, PoolMode, Status string
		Major, DiskGB                                 int
		PostGIS, Copied                               bool
		CreatedAt, DeletedAt                          time.Time
		Users                                         map[string]string
		DB                                            string // the world's id of the server, "" for none
		Attached                                      map[string]time.Time
		Backups                                       []backupState
	}
	backupState struct {
		ID, Typ, Status string
		Started         time.Time
		Done            world.Backup
	}
	addOnState struct {
		ID, Name, Typ, Plan, Org, Region string
		ReadRegions                      []any
		Options                          any
		CreatedAt                        time.Time
		Redis                            string // the world's id of the server
	}
)

// Snapshot describes all that the API knows beyond the world, for Restore.
func (s *Server) Snapshot() (json.RawMessage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := serverState{ByKey: map[string]string{}, NextNum: s.nextNum}
	for _, a := range s.apps {
		as, err := a.state()
		if err != nil {
			return nil, err
		}
		st.Apps = append(st.Apps, as)
	}
	for key, a := range s.byKey {
		if s.apps[a.name] == a {
			st.ByKey[key] = a.name
		}
	}
	for _, c := range s.clusters {
		st.Clusters = append(st.Clusters, c.state())
	}
	for _, ad := range s.addOns {
		st.AddOns = append(st.AddOns, addOnState{
			ad.id, ad.name, ad.typ, ad.plan, ad.org, ad.region, ad.readRegions, ad.options, ad.createdAt, ad.redis.ID,
		})
	}
	sort.Slice(st.Apps, func(i, j int) bool { return st.Apps[i].Name < st.Apps[j].Name })
	sort.Slice(st.Clusters, func(i, j int) bool { return st.Clusters[i].ID < st.Clusters[j].ID })
	sort.Slice(st.AddOns, func(i, j int) bool { return st.AddOns[i].ID < st.AddOns[j].ID })
	return json.Marshal(st)
}

func (a *app) state() (appState, error) {
	st := appState{ID: a.id, Name: a.name, Org: a.org, Network: a.network, Num: a.num, CreatedAt: a.createdAt}
	for _, m := range a.machines {
		doc, err := json.Marshal(m.doc)
		if err != nil {
			return st, err
		}
		ms := machineState{
			ID: m.id, Name: m.name, Region: m.region, PrivateIP: m.privateIP, Version: m.version, CreatedAt: m.createdAt, UpdatedAt: m.updatedAt,
			Doc: doc, Image: m.image, Secrets: m.secrets, NoSecrets: m.noSecrets,
		}
		for _, v := range m.versions {
			ms.Versions = append(ms.Versions, versionState{v.version, v.doc})
		}
		if l := m.lease; l != nil {
			ms.Lease = &leaseState{l.nonce, l.owner, l.description, l.ttl, l.expires}
		}
		st.Machines = append(st.Machines, ms)
	}
	st.Secrets = secretsState{Version: a.secrets.version, Values: map[string]secretState{}}
	for name, v := range a.secrets.values {
		st.Secrets.Values[name] = secretState{v.value, v.digest, v.created, v.updated}
	}
	for _, r := range a.releases {
		st.Releases = append(st.Releases, releaseState{
			r.id, r.status, r.strategy, r.image, r.user, r.version, r.definition, r.metadata, r.createdAt, r.updatedAt,
		})
	}
	for _, ip := range a.ips {
		st.IPs = append(st.IPs, ipState{ip.id, ip.ip, ip.typ, ip.region, ip.shared, ip.createdAt})
	}
	for _, c := range a.certs {
		st.Certs = append(st.Certs, certState{c.hostname, c.custom, c.active, c.createdAt, c.updatedAt})
	}
	for _, v := range a.volumes {
		vs := volumeState{v.id, v.name, v.region, v.machine, v.sizeGB, v.retention, v.encrypted, v.auto, v.createdAt, nil}
		for _, sn := range v.snapshots {
			vs.Snapshots = append(vs.Snapshots, snapshotState{sn.id, sn.createdAt, sn.sizeGB, sn.retention})
		}
		st.Volumes = append(st.Volumes, vs)
	}
	return st, nil
}

func (c *cluster) state() clusterState {
	st := clusterState{
		ID: c.id, Name: c.name, Org: c.org, Region: c.region, Plan: c.plan, PoolMode: c.poolMode, Status: c.status, Major: c.major,
		DiskGB: c.diskGB, PostGIS: c.postgis, Copied: c.copied, CreatedAt: c.createdAt, DeletedAt: c.deletedAt, Users: c.users, Attached: c.attached,
	}
	if c.db != nil {
		st.DB = c.db.ID
	}
	for _, b := range c.backups {
		st.Backups = append(st.Backups, backupState{b.id, b.typ, b.status, b.started, b.done})
	}
	return st
}
