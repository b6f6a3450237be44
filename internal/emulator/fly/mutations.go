package fly

import (
	"fmt"
	"strconv"
	"time"
)

// mutation is a resolver of one input object.
type mutation func(in map[string]any) (any, error)

// mutations is the root of all writes. Resolvers run with s.mu held.
func (s *Server) mutations() *object {
	table := map[string]mutation{
		"createApp": s.gqlCreateApp, "createRelease": s.gqlCreateRelease, "updateRelease": s.gqlUpdateRelease,
		"allocateIpAddress": s.gqlAllocateIP, "releaseIpAddress": s.gqlReleaseIP, "setSecrets": s.gqlSetSecrets, "unsetSecrets": s.gqlUnsetSecrets,
		"createAddOn": s.gqlCreateAddOn, "deleteAddOn": s.gqlDeleteAddOn, "createLimitedAccessToken": s.gqlCreateToken,
		"validateWireGuardPeers": gqlValidatePeers, "createBuild": s.gqlCreateBuild,
	}
	fields := map[string]any{}
	for name, f := range table {
		fields[name] = resolver(func(args map[string]any) (any, error) {
			in, _ := args["input"].(map[string]any)
			if in == nil {
				in = map[string]any{}
			}
			return f(in)
		})
	}
	fields["deleteApp"] = resolver(s.gqlDeleteApp)
	return &object{"Mutations", fields}
}

func payload(typ string, in map[string]any, fields map[string]any) *object {
	fields["clientMutationId"] = in["clientMutationId"]
	return &object{typ, fields}
}

func (s *Server) gqlCreateApp(in map[string]any) (any, error) {
	org := s.orgSlug(str(in, "organizationId"))
	if org == "" {
		return nil, fail(404, "Could not find Organization")
	}
	a, err := s.newApp(str(in, "name"), org, str(in, "network"), "")
	if err != nil {
		return nil, err
	}
	return payload("CreateAppPayload", in, map[string]any{"app": s.gqlApp(a)}), nil
}

func (s *Server) gqlDeleteApp(args map[string]any) (any, error) {
	a, err := s.appArg(str(args, "appId"))
	if err != nil {
		return nil, err
	}
	delete(s.apps, a.name)
	s.w.DeleteApp(a.name)
	return &object{"DeleteAppPayload", map[string]any{"organization": s.gqlOrg(a.org)}}, nil
}

func (s *Server) gqlCreateRelease(in map[string]any) (any, error) {
	a, err := s.appArg(str(in, "appId"))
	if err != nil {
		return nil, err
	}
	rel, err := s.newRelease(a, str(in, "image"), str(in, "strategy"), in["definition"])
	if err != nil {
		return nil, err
	}
	return payload("CreateReleasePayload", in, map[string]any{"app": s.gqlApp(a), "release": s.gqlRelease(rel, "Release")}), nil
}

func (s *Server) gqlUpdateRelease(in map[string]any) (any, error) {
	rel, err := s.setRelease(str(in, "releaseId"), str(in, "status"), in["metadata"])
	if err != nil {
		return nil, err
	}
	return payload("UpdateReleasePayload", in, map[string]any{"release": s.gqlRelease(rel, "Release")}), nil
}

func (s *Server) gqlAllocateIP(in map[string]any) (any, error) {
	a, err := s.appArg(str(in, "appId"))
	if err != nil {
		return nil, err
	}
	ip, err := s.newIP(a, str(in, "type"), str(in, "region"))
	if err != nil {
		return nil, err
	}
	return payload("AllocateIPAddressPayload", in, map[string]any{"app": s.gqlApp(a), "ipAddress": ip.gql()}), nil
}

func (s *Server) gqlReleaseIP(in map[string]any) (any, error) {
	for _, a := range s.apps {
		if id := str(in, "appId"); id != "" && id != a.name && id != a.id {
			continue
		}
		for i, ip := range a.ips {
			if ip.id == str(in, "ipAddressId") || ip.ip == str(in, "ip") {
				a.ips = append(a.ips[:i], a.ips[i+1:]...)
				return payload("ReleaseIPAddressPayload", in, map[string]any{"app": s.gqlApp(a)}), nil
			}
		}
	}
	return nil, fail(404, "Could not find IPAddress")
}

func (s *Server) gqlSetSecrets(in map[string]any) (any, error) {
	a, err := s.appArg(str(in, "appId"))
	if err != nil {
		return nil, err
	}
	values := map[string]*string{}
	if all, _ := in["replaceAll"].(bool); all {
		for k := range a.secrets.values {
			values[k] = nil
		}
	}
	list, _ := in["secrets"].([]any)
	for _, e := range list {
		kv, _ := e.(map[string]any)
		key, _ := kv["key"].(string)
		value, _ := kv["value"].(string)
		values[key] = &value
	}
	if err := a.secrets.apply(a.id, values, s.w.Now()); err != nil {
		return nil, err
	}
	return payload("SetSecretsPayload", in, map[string]any{"app": s.gqlApp(a), "release": nil}), nil
}

func (s *Server) gqlUnsetSecrets(in map[string]any) (any, error) {
	a, err := s.appArg(str(in, "appId"))
	if err != nil {
		return nil, err
	}
	values := map[string]*string{}
	keys, _ := in["keys"].([]any)
	for _, k := range keys {
		values[fmt.Sprint(k)] = nil
	}
	if err := a.secrets.apply(a.id, values, s.w.Now()); err != nil {
		return nil, err
	}
	return payload("UnsetSecretsPayload", in, map[string]any{"app": s.gqlApp(a), "release": nil}), nil
}

func (s *Server) gqlCreateToken(in map[string]any) (any, error) {
	org := s.orgSlug(str(in, "organizationId"))
	if org == "" {
		return nil, fail(404, "Could not find Organization")
	}
	token := "fo1_" + s.w.Hex(32)
	return payload("CreateLimitedAccessTokenPayload", in, map[string]any{"limitedAccessToken": &object{"LimitedAccessToken", map[string]any{
		"id": s.w.Hex(10), "name": str(in, "name"), "profile": str(in, "profile"), "profileParams": in["profileParams"], "token": token,
		"tokenHeader": "Bearer " + token, "organization": s.gqlOrg(org), "user": s.gqlUser(), "createdAt": stamp(s.w.Now()),
		"expiresAt": stamp(s.w.Now().Add(20 * 365 * 24 * time.Hour)), "revokedAt": nil, "revokedBy": nil,
	}}}), nil
}

// gqlValidatePeers knows no WireGuard peer: clients fall back to polling logs.
func gqlValidatePeers(in map[string]any) (any, error) {
	ips, _ := in["peerIps"].([]any)
	if ips == nil {
		ips = []any{}
	}
	return payload("ValidateWireGuardPeersPayload", in, map[string]any{"invalidPeerIps": ips, "validPeerIps": []any{}}), nil
}

func (s *Server) gqlCreateBuild(in map[string]any) (any, error) {
	if _, err := s.appArg(str(in, "appName")); err != nil {
		return nil, err
	}
	return payload("CreateBuildPayload", in, map[string]any{"id": strconv.FormatInt(s.num(), 10), "status": "started"}), nil
}
