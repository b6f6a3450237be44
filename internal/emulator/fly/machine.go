package fly

import (
	"encoding/json"
	"maps"
	"net/http"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// machine is a Fly machine: a world machine with a versioned config, a lease
// and the secrets it was last given.
type machine struct {
	m         *world.Machine
	id        string
	name      string
	region    string
	privateIP string
	createdAt time.Time
	updatedAt time.Time

	config    config
	doc       map[string]any // the config as it came
	version   string
	versions  []machineVersion // oldest first
	image     world.Image
	secrets   map[string]string
	noSecrets bool
	lease     *lease
}

type machineVersion struct {
	version string
	doc     map[string]any
}

// machineInput is the body of create and update.
type machineInput struct {
	Config            json.RawMessage `json:"config"`
	Name              string          `json:"name"`
	Region            string          `json:"region"`
	LeaseTTL          int             `json:"lease_ttl"`
	MinSecretsVersion *uint64         `json:"min_secrets_version"`
	SkipLaunch        bool            `json:"skip_launch"`
	SkipSecrets       bool            `json:"skip_secrets"`
	SkipRegistration  bool            `json:"skip_service_registration"`
	CurrentVersion    string          `json:"current_version"`
}

const machinePath = "/v1/apps/{app}/machines/{id}"

func (s *Server) machineRoutes() {
	s.handle("GET /v1/apps/{app}/machines", s.listMachines)
	s.handle("POST /v1/apps/{app}/machines", s.createMachine)
	s.handle("GET "+machinePath, s.getMachine)
	s.handle("POST "+machinePath, s.updateMachine)
	s.handle("DELETE "+machinePath, s.destroyMachine)
	s.handle("POST "+machinePath+"/start", s.startMachine)
	s.handle("POST "+machinePath+"/stop", s.stopMachine)
	s.handle("POST "+machinePath+"/suspend", s.suspendMachine)
	s.handle("POST "+machinePath+"/restart", s.restartMachine)
	s.handle("POST "+machinePath+"/signal", s.signalMachine)
	s.handle("POST "+machinePath+"/exec", s.execMachine)
	s.handle("POST "+machinePath+"/cordon", s.cordon(true))
	s.handle("POST "+machinePath+"/uncordon", s.cordon(false))
	s.handle("GET "+machinePath+"/wait", s.waitMachine)
	s.handle("GET "+machinePath+"/lease", s.getLease)
	s.handle("POST "+machinePath+"/lease", s.acquireLease)
	s.handle("DELETE "+machinePath+"/lease", s.releaseLease)
	s.handle("GET "+machinePath+"/versions", s.listVersions)
	s.handle("GET "+machinePath+"/events", s.listEvents)
	s.handle("GET "+machinePath+"/ps", s.listProcesses)
	s.handle("GET "+machinePath+"/metadata", s.getMetadata)
	s.handle("GET "+machinePath+"/metadata/{key}", s.getMetadataKey)
	s.handle("POST "+machinePath+"/metadata/{key}", s.setMetadata)
	s.handle("DELETE "+machinePath+"/metadata/{key}", s.deleteMetadata)
}

// machine finds the machine that the request's path names. Callers hold s.mu.
func (s *Server) machine(r *http.Request) (*app, *machine, error) {
	a, err := s.find(r.PathValue("app"))
	if err != nil {
		return nil, nil, err
	}
	for _, m := range a.machines {
		if m.id == r.PathValue("id") {
			if r.Method == http.MethodGet && s.lagging(m.createdAt) {
				break
			}
			return a, m, nil
		}
	}
	return nil, nil, notFound("machine")
}

// writable is machine for a change: it must exist still, and the caller must
// hold the lease if anybody does. Callers hold s.mu.
func (s *Server) writable(r *http.Request) (*app, *machine, error) {
	a, m, err := s.machine(r)
	if err != nil {
		return nil, nil, err
	}
	if st := m.m.Snapshot().State; st == world.Destroyed || st == world.Destroying {
		return nil, nil, fail(http.StatusNotFound, "machine not found: it has been destroyed")
	}
	return a, m, s.mayWrite(m, r.Header.Get(nonceHeader))
}

func (s *Server) createMachine(r *http.Request) (reply, error) {
	var in machineInput
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.find(r.PathValue("app"))
	if err != nil {
		return reply{}, err
	}
	m := &machine{id: s.w.Hex(14), name: in.Name, region: in.Region, createdAt: s.w.Now()}
	m.privateIP = "fdaa:0:1:a7b:" + m.id[0:4] + ":" + m.id[4:8] + ":" + m.id[8:12] + ":2"
	if m.name == "" {
		m.name = "machine-" + s.w.Hex(6)
	}
	if m.region == "" {
		m.region = defaultRegion
	}
	if !knownRegion(m.region) {
		return reply{}, fail(http.StatusBadRequest, "region "+m.region+" not found")
	}
	for _, other := range a.active() {
		if other.name == m.name {
			return reply{}, fail(http.StatusConflict, "already_exists: unique machine name violation, machine "+other.id+" already exists with name "+m.name)
		}
	}
	if err := s.configure(a, m, in); err != nil {
		return reply{}, err
	}
	m.m = a.w.NewMachine(m.region, s.spec(a, m), m.id, in.SkipRegistration, in.SkipLaunch)
	a.machines = append(a.machines, m)
	s.attachVolumes(a, m)
	doc := s.machineDoc(m)
	if in.LeaseTTL > 0 {
		m.lease = s.newLease(in.LeaseTTL, "")
		doc["nonce"] = m.lease.nonce
	}
	return ok(doc)
}

// configure gives the machine a new config as a new version, and the app's
// secrets as they are now. Nothing is changed when it fails.
func (s *Server) configure(a *app, m *machine, in machineInput) error {
	c, doc, err := parseConfig(in.Config)
	if err != nil {
		return err
	}
	img, found := s.w.Images.Resolve(c.Image)
	if !found {
		return fail(http.StatusBadRequest, "failed to resolve image "+c.Image+": MANIFEST_UNKNOWN: manifest unknown")
	}
	if in.MinSecretsVersion != nil && *in.MinSecretsVersion > a.secrets.version {
		return fail(http.StatusBadRequest, "min_secrets_version is newer than the app's secrets")
	}
	if in.Name != "" {
		m.name = in.Name
	}
	m.config, m.doc, m.image, m.noSecrets = c, doc, img, in.SkipSecrets
	m.version, m.updatedAt = s.w.ULID(), s.w.Now()
	m.versions = append(m.versions, machineVersion{m.version, doc})
	s.giveSecrets(a, m)
	return nil
}

func (s *Server) giveSecrets(a *app, m *machine) {
	m.secrets = nil
	if !m.noSecrets {
		m.secrets = a.secrets.snapshot()
	}
}

func (s *Server) updateMachine(r *http.Request) (reply, error) {
	var in machineInput
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, m, err := s.writable(r)
	if err != nil {
		return reply{}, err
	}
	if in.CurrentVersion != "" && in.CurrentVersion != m.version {
		return reply{}, fail(http.StatusConflict, "machine version mismatch: current version is "+m.version)
	}
	if in.Region != "" && in.Region != m.region {
		return reply{}, fail(http.StatusBadRequest, "a machine's region cannot be changed")
	}
	if err := s.configure(a, m, in); err != nil {
		return reply{}, err
	}
	if in.SkipRegistration {
		m.m.SetCordoned(true)
	}
	m.m.Update(s.spec(a, m), !in.SkipLaunch)
	s.attachVolumes(a, m)
	doc := s.machineDoc(m)
	if in.LeaseTTL > 0 {
		m.lease = s.newLease(in.LeaseTTL, "")
		doc["nonce"] = m.lease.nonce
	}
	return ok(doc)
}

func (s *Server) getMachine(r *http.Request) (reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, m, err := s.machine(r)
	if err != nil {
		return reply{}, err
	}
	doc := s.machineDoc(m)
	if v := r.URL.Query().Get("version"); v != "" {
		for _, old := range m.versions {
			if old.version == v {
				doc["config"], doc["version"], doc["instance_id"] = old.doc, v, v
				return ok(doc)
			}
		}
		return reply{}, notFound("machine version")
	}
	s.withLease(r, m, doc)
	return ok(doc)
}

func (s *Server) withLease(r *http.Request, m *machine, doc map[string]any) {
	if l := s.held(m); l != nil && r.URL.Query().Get("include_leases") == "true" {
		doc["lease"] = map[string]any{"description": l.description, "expires_at": l.expires.Unix(), "owner": l.owner}
	}
}

func (s *Server) listMachines(r *http.Request) (reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.visible(r.PathValue("app"))
	if err != nil {
		return reply{}, err
	}
	q := r.URL.Query()
	var list []*machine
	for _, m := range a.machines {
		st := m.m.Snapshot().State
		switch {
		case st == world.Destroyed && q.Get("include_deleted") != "true":
		case q.Get("region") != "" && q.Get("region") != m.region:
		case q.Get("state") != "" && q.Get("state") != string(st):
		case !m.hasMetadata(q), s.lagging(m.createdAt):
		default:
			list = append(list, m)
		}
	}
	list, next := page(s, r, list, func(m *machine) string { return m.id })
	docs := make([]any, 0, len(list))
	for _, m := range list {
		doc := s.machineDoc(m)
		if q.Get("summary") == "true" {
			doc["config"], doc["incomplete_config"] = nil, map[string]any{"metadata": m.doc["metadata"]}
			delete(doc, "config")
		}
		s.withLease(r, m, doc)
		docs = append(docs, doc)
	}
	rep := reply{code: http.StatusOK, body: docs}
	if next != "" {
		rep.header = http.Header{"Fly-Next-Cursor": {next}}
	}
	return rep, nil
}

// hasMetadata applies the filters metadata.KEY=VALUE.
func (m *machine) hasMetadata(q map[string][]string) bool {
	for k, vs := range q {
		const prefix = "metadata."
		if len(k) > len(prefix) && k[:len(prefix)] == prefix && m.config.Metadata[k[len(prefix):]] != vs[0] {
			return false
		}
	}
	return true
}

// machineDoc is the machine as the API shows it. Callers hold s.mu.
func (s *Server) machineDoc(m *machine) map[string]any {
	snap := m.m.Snapshot()
	checks := make([]any, 0, len(snap.Checks))
	for _, c := range snap.Checks {
		checks = append(checks, map[string]any{"name": c.Name, "status": c.Status, "output": c.Output, "updated_at": stamp(c.Updated)})
	}
	events := make([]any, 0, len(snap.Events))
	for _, e := range snap.Events {
		events = append(events, eventDoc(e))
	}
	updated := m.updatedAt
	if snap.Changed.After(updated) {
		updated = snap.Changed
	}
	return map[string]any{
		"id": m.id, "name": m.name, "state": string(snap.State), "region": m.region, "version": m.version, "instance_id": m.version,
		"private_ip": m.privateIP, "created_at": stamp(m.createdAt), "updated_at": stamp(updated), "host_status": "ok",
		"cordoned": snap.Cordoned, "config": compat(m.doc), "checks": checks, "events": events,
		"image_ref": map[string]any{
			"registry": m.image.Registry, "repository": m.image.Repository, "tag": m.image.Tag, "digest": m.image.Digest, "labels": map[string]any{},
		},
	}
}

// compat shows autostop the way the API answers older clients: a boolean
// instead of "off" and "stop".
func compat(doc map[string]any) map[string]any {
	services, _ := doc["services"].([]any)
	if len(services) == 0 {
		return doc
	}
	out := make(map[string]any, len(doc))
	maps.Copy(out, doc)
	list := make([]any, len(services))
	for i, svc := range services {
		list[i] = svc
		old, isMap := svc.(map[string]any)
		if !isMap || (old["autostop"] != "off" && old["autostop"] != "stop") {
			continue
		}
		c := make(map[string]any, len(old))
		maps.Copy(c, old)
		c["autostop"] = old["autostop"] == "stop"
		list[i] = c
	}
	out["services"] = list
	return out
}

func eventDoc(e world.Event) map[string]any {
	d := map[string]any{"id": e.ID, "type": e.Type, "status": string(e.Status), "source": e.Source, "timestamp": e.Time.UnixMilli()}
	switch {
	case e.Exit != nil:
		sig := -1
		if e.Exit.Signal != 0 {
			sig = e.Exit.Signal
		}
		d["request"] = map[string]any{"exit_event": map[string]any{
			"exit_code": e.Exit.Code, "guest_exit_code": e.Exit.Code, "guest_signal": sig, "signal": sig, "oom_killed": e.Exit.OOM,
			"requested_stop": e.Exit.Requested, "restarting": e.Again, "exited_at": stamp(e.Exit.At),
		}}
	case e.Type == "start":
		d["request"] = map[string]any{"restart_count": e.Retries}
	}
	return d
}
