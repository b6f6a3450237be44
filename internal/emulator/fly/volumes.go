package fly

import (
	"net/http"
	"time"
)

// volume is a disk that exists on paper: the processes share this machine's.
type volume struct {
	id, name, region string
	sizeGB           int
	machine          string
	encrypted, auto  bool
	retention        int
	createdAt        time.Time
	snapshots        []*snapshot
}

type snapshot struct {
	id        string
	createdAt time.Time
	sizeGB    int
	retention int
}

func (s *Server) volumeRoutes() {
	s.handle("GET /v1/apps/{app}/volumes", s.listVolumes)
	s.handle("POST /v1/apps/{app}/volumes", s.createVolume)
	s.handle("GET /v1/apps/{app}/volumes/{id}", s.volumeCall(func(*http.Request, *volume) (any, error) { return nil, nil }))
	s.handle("PUT /v1/apps/{app}/volumes/{id}", s.volumeCall(updateVolume))
	s.handle("PUT /v1/apps/{app}/volumes/{id}/extend", s.volumeCall(extendVolume))
	s.handle("GET /v1/apps/{app}/volumes/{id}/snapshots", s.volumeCall(listSnapshots))
	s.handle("POST /v1/apps/{app}/volumes/{id}/snapshots", s.snapshotVolume)
	s.handle("DELETE /v1/apps/{app}/volumes/{id}", s.deleteVolume)
}

func (v *volume) doc() map[string]any {
	d := map[string]any{
		"id": v.id, "name": v.name, "state": "created", "region": v.region, "zone": "aaaa", "size_gb": v.sizeGB, "encrypted": v.encrypted,
		"created_at": stamp(v.createdAt), "auto_backup_enabled": v.auto, "snapshot_retention": v.retention, "host_status": "ok", "fstype": "ext4",
	}
	if v.machine != "" {
		d["attached_machine_id"] = v.machine
	}
	return d
}

// attachVolumes records which machine mounts which volume. Callers hold s.mu.
func (s *Server) attachVolumes(a *app, m *machine) {
	for _, v := range a.volumes {
		for _, mount := range m.config.Mounts {
			if mount.Volume == v.id {
				v.machine = m.id
			}
		}
	}
}

func (s *Server) listVolumes(r *http.Request) (reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.visible(r.PathValue("app"))
	if err != nil {
		return reply{}, err
	}
	list, next := page(s, r, a.volumes, func(v *volume) string { return v.id })
	docs := make([]any, 0, len(list))
	for _, v := range list {
		docs = append(docs, v.doc())
	}
	rep := reply{code: http.StatusOK, body: docs}
	if next != "" {
		rep.header = http.Header{"Fly-Next-Cursor": {next}}
	}
	return rep, nil
}

func (s *Server) createVolume(r *http.Request) (reply, error) {
	in := struct {
		Name       string `json:"name"`
		Region     string `json:"region"`
		SizeGB     *int   `json:"size_gb"`
		Encrypted  *bool  `json:"encrypted"`
		Retention  *int   `json:"snapshot_retention"`
		Auto       *bool  `json:"auto_backup_enabled"`
		SnapshotID string `json:"snapshot_id"`
	}{}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.find(r.PathValue("app"))
	if err != nil {
		return reply{}, err
	}
	v := &volume{
		id: "vol_" + s.w.Hex(16), name: in.Name, region: in.Region, sizeGB: 3, encrypted: true, auto: true, retention: 5, createdAt: s.w.Now(),
	}
	set(&v.sizeGB, in.SizeGB)
	set(&v.encrypted, in.Encrypted)
	set(&v.retention, in.Retention)
	set(&v.auto, in.Auto)
	if v.region == "" {
		v.region = defaultRegion
	}
	switch {
	case v.name == "":
		return reply{}, fail(http.StatusBadRequest, "name is required")
	case !knownRegion(v.region):
		return reply{}, fail(http.StatusBadRequest, "region "+v.region+" not found")
	}
	if in.SnapshotID != "" {
		snap := a.snapshot(in.SnapshotID)
		if snap == nil {
			return reply{}, notFound("snapshot")
		}
		if v.sizeGB < snap.sizeGB {
			return reply{}, fail(http.StatusBadRequest, "the volume must be at least as large as the snapshot's")
		}
	}
	a.volumes = append(a.volumes, v)
	return ok(v.doc())
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func (a *app) snapshot(id string) *snapshot {
	for _, v := range a.volumes {
		for _, sn := range v.snapshots {
			if sn.id == id {
				return sn
			}
		}
	}
	return nil
}

// volume finds the volume that the path names. Callers hold s.mu.
func (s *Server) volume(r *http.Request) (*app, int, error) {
	a, err := s.find(r.PathValue("app"))
	if err != nil {
		return nil, 0, err
	}
	for i, v := range a.volumes {
		if v.id == r.PathValue("id") {
			return a, i, nil
		}
	}
	return nil, 0, notFound("volume")
}

// volumeCall wraps a call on one volume; a nil body means the volume itself.
func (s *Server) volumeCall(f func(*http.Request, *volume) (any, error)) endpoint {
	return func(r *http.Request) (reply, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		a, i, err := s.volume(r)
		if err != nil {
			return reply{}, err
		}
		body, err := f(r, a.volumes[i])
		if err != nil {
			return reply{}, err
		}
		if body == nil {
			body = a.volumes[i].doc()
		}
		return ok(body)
	}
}

func updateVolume(r *http.Request, v *volume) (any, error) {
	var in struct {
		Retention *int  `json:"snapshot_retention"`
		Auto      *bool `json:"auto_backup_enabled"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	set(&v.retention, in.Retention)
	set(&v.auto, in.Auto)
	return nil, nil
}

func extendVolume(r *http.Request, v *volume) (any, error) {
	var in struct {
		SizeGB int `json:"size_gb"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if in.SizeGB < v.sizeGB {
		return nil, fail(http.StatusBadRequest, "volumes can't be shrunk")
	}
	v.sizeGB = in.SizeGB
	return map[string]any{"needs_restart": v.machine != "", "volume": v.doc()}, nil
}

func listSnapshots(_ *http.Request, v *volume) (any, error) {
	docs := make([]any, 0, len(v.snapshots))
	for _, sn := range v.snapshots {
		docs = append(docs, map[string]any{
			"id": sn.id, "status": "created", "created_at": stamp(sn.createdAt), "size": 0, "volume_size": sn.sizeGB << 30,
			"digest": "sha256:" + sn.id, "retention_days": sn.retention,
		})
	}
	return docs, nil
}

// snapshotVolume answers without an id, as the platform does: list again to find it.
func (s *Server) snapshotVolume(r *http.Request) (reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, i, err := s.volume(r)
	if err != nil {
		return reply{}, err
	}
	v := a.volumes[i]
	v.snapshots = append(v.snapshots, &snapshot{"vs_" + s.w.Hex(16), s.w.Now(), v.sizeGB, v.retention})
	return reply{code: http.StatusOK}, nil
}

func (s *Server) deleteVolume(r *http.Request) (reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, i, err := s.volume(r)
	if err != nil {
		return reply{}, err
	}
	v := a.volumes[i]
	if v.machine != "" {
		return reply{}, fail(http.StatusPreconditionFailed, "volume is attached to machine "+v.machine)
	}
	a.volumes = append(a.volumes[:i], a.volumes[i+1:]...)
	return ok(v.doc())
}
