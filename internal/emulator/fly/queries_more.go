package fly

import (
	"strconv"
	"strings"
)

func (s *Server) gqlMachines(a *app) []*object {
	var out []*object
	for _, m := range a.active() {
		out = append(out, s.gqlMachine(a, m))
	}
	return out
}

func (s *Server) gqlMachine(a *app, m *machine) *object {
	return &object{"Machine", map[string]any{
		"id": m.id, "name": m.name, "region": m.region, "state": string(m.m.Snapshot().State), "instanceId": m.version, "config": m.doc,
		"createdAt": stamp(m.createdAt), "updatedAt": stamp(m.updatedAt), "app": lazy(func() any { return s.gqlApp(a) }),
		"host": &object{"Host", map[string]any{"id": "host-1"}}, "egressIpAddresses": s.connection("EgressIPAddress", nil),
		"events": s.connection("MachineEvent", nil),
		"ips": s.connection("MachineIP", []*object{{"MachineIP", map[string]any{
			"id": m.id + "-ip", "family": "v6", "kind": "privatenet", "ip": m.privateIP, "maskSize": 112,
		}}}),
	}}
}

// gqlMachineArg finds a machine of any app: what flyctl asks when it is given
// nothing but a machine's id.
func (s *Server) gqlMachineArg(args map[string]any) (any, error) {
	for _, a := range s.apps {
		for _, m := range a.active() {
			if m.id == str(args, "machineId") {
				return s.gqlMachine(a, m), nil
			}
		}
	}
	return nil, fail(404, "Could not find Machine")
}

// gqlLatestImage knows of no image of Fly's own that has a newer version: the
// words are those by which flyctl tells that an image is the user's.
func gqlLatestImage(map[string]any) (any, error) { return nil, fail(404, "Unknown repository") }

func gqlNoPeer(map[string]any) (any, error) { return nil, fail(404, "Could not find WireGuardPeer") }

// gqlNode finds a thing by its id: a volume, an app or a machine.
func (s *Server) gqlNode(args map[string]any) (any, error) {
	id := str(args, "id")
	for _, a := range s.apps {
		if a.name == id || a.id == id {
			return s.gqlApp(a), nil
		}
		for _, v := range a.volumes {
			if v.id == id {
				return s.gqlVolume(a, v), nil
			}
		}
		for _, m := range a.active() {
			if m.id == id {
				return s.gqlMachine(a, m), nil
			}
		}
	}
	return nil, fail(404, "Could not find node with id '"+id+"'")
}

func (s *Server) gqlVolumes(a *app) []*object {
	out := make([]*object, 0, len(a.volumes))
	for _, v := range a.volumes {
		out = append(out, s.gqlVolume(a, v))
	}
	return out
}

func (s *Server) gqlVolume(a *app, v *volume) *object {
	var snaps []*object
	for _, sn := range v.snapshots {
		snaps = append(snaps, &object{"VolumeSnapshot", map[string]any{
			"id": sn.id, "createdAt": stamp(sn.createdAt), "digest": sn.id, "retentionDays": sn.retention, "size": strconv.Itoa(sn.sizeGB << 30),
		}})
	}
	return &object{"Volume", map[string]any{
		"id": v.id, "internalId": strings.TrimPrefix(v.id, "vol_"), "name": v.name, "region": v.region, "sizeGb": v.sizeGB, "encrypted": v.encrypted,
		"state": "created", "status": "created", "usedBytes": "0", "snapshotRetentionDays": v.retention, "createdAt": stamp(v.createdAt),
		"app": lazy(func() any { return s.gqlApp(a) }), "host": &object{"Host", map[string]any{"id": "host-1"}},
		"attachedAllocation": nil, "attachedAllocationId": nil, "attachedMachine": lazy(func() any { return s.attached(a, v) }),
		"snapshots": s.connection("VolumeSnapshot", snaps),
	}}
}

func (s *Server) attached(a *app, v *volume) any {
	for _, m := range a.active() {
		if m.id == v.machine {
			return s.gqlMachine(a, m)
		}
	}
	return (*object)(nil)
}

func (a *app) gqlCerts() []*object {
	out := make([]*object, 0, len(a.certs))
	for _, c := range a.certs {
		out = append(out, a.gqlCert(c))
	}
	return out
}

func (a *app) gqlCertArg(args map[string]any) (any, error) {
	for _, c := range a.certs {
		if c.hostname == str(args, "hostname") {
			return a.gqlCert(c), nil
		}
	}
	return nil, nil
}

func (a *app) gqlCert(c *certificate) *object {
	status := "Awaiting configuration"
	if c.active {
		status = "Ready"
	}
	return &object{"AppCertificate", map[string]any{
		"id": a.id + ":" + c.hostname, "hostname": c.hostname, "clientStatus": status, "configured": c.active, "createdAt": stamp(c.createdAt),
		"acmeDnsConfigured": c.active, "acmeAlpnConfigured": c.active, "certificateAuthority": "lets_encrypt", "source": "fly",
	}}
}

// gqlMembers are an organization's: the owner of the token.
func (s *Server) gqlMembers() *object {
	user := s.gqlUser()
	edge := &object{"OrganizationMembershipsEdge", map[string]any{
		"cursor": "1", "node": user, "joinedAt": stamp(s.w.Now()), "role": "ADMIN", "id": "membership-1",
	}}
	return &object{"OrganizationMembershipsConnection", map[string]any{
		"edges": []*object{edge}, "nodes": []*object{user}, "totalCount": 1,
		"pageInfo": &object{"PageInfo", map[string]any{"hasNextPage": false, "hasPreviousPage": false, "endCursor": nil, "startCursor": nil}},
	}}
}
