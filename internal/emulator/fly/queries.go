package fly

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// queries is the root of all reads. Resolvers run with s.mu held.
func (s *Server) queries() *object {
	return &object{"Queries", map[string]any{
		"viewer": lazy(func() any { return s.gqlUser() }), "currentUser": lazy(func() any { return s.gqlUser() }),
		"organizations":                 s.connection("Organization", s.gqlOrgs()),
		"organization":                  resolver(s.gqlOrgArg),
		"personalOrganization":          lazy(func() any { return s.gqlOrg(s.opts.Orgs[0]) }),
		"app":                           resolver(s.gqlAppArg),
		"apps":                          resolver(s.gqlApps),
		"appNameAvailable":              resolver(s.gqlNameAvailable),
		"canPerformBluegreenDeployment": true,
		"addOns":                        resolver(s.gqlAddOns),
		"addOn":                         resolver(s.gqlAddOnArg),
		"addOnPlans":                    s.connection("AddOnPlan", addOnPlans()),
		"machine":                       resolver(s.gqlMachineArg),
		"node":                          resolver(s.gqlNode),
		"latestImageDetails":            resolver(gqlLatestImage),
		"nearestRegion":                 lazy(func() any { return gqlRegions()[2] }),
		"platform": &object{"FlyPlatform", map[string]any{
			"requestRegion": defaultRegion, "regions": lazy(func() any { return gqlRegions() }),
		}},
	}}
}

func (s *Server) gqlUser() *object {
	return &object{"User", map[string]any{
		"id": "user-1", "email": s.opts.Email, "name": "Emulator", "username": "emulator", "avatarUrl": "", "enablePaidHobby": false,
		"emailVerified": true, "featureFlags": []string{}, "createdAt": stamp(s.w.Now()), "internalNumericId": 1, "lastRegion": defaultRegion,
		"hasNodeproxyApps": false, "twoFactorProtection": false, "hasRecoveryCodes": false, "trust": "HIGH", "organizations": s.connection("Organization", s.gqlOrgs()),
	}}
}

func (s *Server) gqlOrgs() []*object {
	out := make([]*object, 0, len(s.opts.Orgs))
	for _, slug := range s.opts.Orgs {
		out = append(out, s.gqlOrg(slug))
	}
	return out
}

func (s *Server) gqlOrg(slug string) *object {
	typ := "SHARED"
	if slug == "personal" {
		typ = "PERSONAL"
	}
	return &object{"Organization", map[string]any{
		"id": "org-" + slug, "slug": slug, "rawSlug": slug, "name": orgName(slug), "type": typ, "paidPlan": true, "billable": true,
		"viewerRole": "admin", "internalNumericId": "1", "billingStatus": "CURRENT", "provisionsBetaExtensions": false,
		"isCreditCardSaved": true, "remoteBuilderImage": "", "remoteBuilderApp": nil, "trust": "HIGH", "highRisk": false,
		"apps": resolver(func(args map[string]any) (any, error) {
			return s.connection("App", s.gqlAppList(slug))(args)
		}),
		"members":             lazy(func() any { return s.gqlMembers() }),
		"limitedAccessTokens": s.connection("LimitedAccessToken", nil), "delegatedWireGuardTokens": s.connection("DelegatedWireGuardToken", nil),
		"wireGuardPeers": s.connection("WireGuardPeer", nil), "wireGuardPeer": resolver(gqlNoPeer), "loggedCertificates": s.connection("LoggedCertificate", nil),
		"allowedReplaySourceOrgSlugs": []string{}, "allowAllCrossNetworkReplays": false, "addOnSsoLink": nil, "settings": nil,
	}}
}

// orgSlug is the slug of an organization's id or slug, or "".
func (s *Server) orgSlug(idOrSlug string) string {
	slug := strings.TrimPrefix(idOrSlug, "org-")
	if contains(s.opts.Orgs, slug) {
		return slug
	}
	return ""
}

func (s *Server) gqlOrgArg(args map[string]any) (any, error) {
	for _, key := range []string{"slug", "id", "name"} {
		if slug := s.orgSlug(strings.ToLower(str(args, key))); slug != "" {
			return s.gqlOrg(slug), nil
		}
	}
	return nil, fail(404, "Could not find Organization")
}

// appArg finds an app by its name or id. Callers hold s.mu.
func (s *Server) appArg(nameOrID string) (*app, error) {
	for _, a := range s.apps {
		if (a.name == nameOrID || a.id == nameOrID) && !s.lagging(a.createdAt) {
			return a, nil
		}
	}
	return nil, fail(404, "Could not find App")
}

func (s *Server) gqlAppArg(args map[string]any) (any, error) {
	name := str(args, "name")
	if name == "" {
		name = str(args, "id")
	}
	a, err := s.appArg(name)
	if err != nil {
		return nil, err
	}
	return s.gqlApp(a), nil
}

func (s *Server) gqlAppList(org string) []*object {
	var out []*object
	for _, a := range s.sorted(org) {
		out = append(out, s.gqlApp(a))
	}
	return out
}

func (s *Server) gqlApps(args map[string]any) (any, error) {
	org := ""
	if id := str(args, "organizationId"); id != "" {
		if org = s.orgSlug(id); org == "" {
			return nil, fail(404, "Could not find Organization")
		}
	}
	list := s.gqlAppList(org)
	if str(args, "role") != "" {
		list = nil // no app of the emulator has a role
	}
	return s.connection("App", list)(args)
}

func (s *Server) gqlNameAvailable(args map[string]any) (any, error) {
	name := str(args, "name")
	return s.apps[name] == nil && !contains(s.opts.TakenNames, name) && nameRule.MatchString(name), nil
}

func (s *Server) gqlApp(a *app) *object {
	current := func(typ string) lazy {
		return func() any {
			if list := a.ledger(1); len(list) > 0 {
				return s.gqlRelease(list[0], typ)
			}
			return (*object)(nil)
		}
	}
	releases := func(typ string) resolver {
		return func(args map[string]any) (any, error) {
			var list []*object
			for _, rel := range a.ledger(0) {
				if st := str(args, "status"); st == "" || st == rel.status {
					list = append(list, s.gqlRelease(rel, typ))
				}
			}
			return s.connection(typ, list)(args)
		}
	}
	return &object{"App", map[string]any{
		"id": a.name, "internalId": a.id, "internalNumericId": a.num, "key": a.id, "name": a.name, "hostname": a.name + ".fly.dev",
		"appUrl": s.appURL(a.name), "cnameTarget": fmt.Sprintf("%x.%s.fly.dev", a.num, a.name), "network": a.network, "networkId": 1,
		"status": lazy(func() any { return a.status() }), "state": lazy(func() any { return strings.ToUpper(a.status()) }),
		"deployed": lazy(func() any { return a.status() == "deployed" }), "createdAt": stamp(a.createdAt),
		"platformVersion": "machines", "runtime": "FIRECRACKER", "version": lazy(func() any { return len(a.releases) }), "role": nil,
		"organization": lazy(func() any { return s.gqlOrg(a.org) }), "currentLock": nil, "imageUpgradeAvailable": false,
		"currentRelease": current("Release"), "currentReleaseUnprocessed": current("ReleaseUnprocessed"),
		"releases": releases("Release"), "releasesUnprocessed": releases("ReleaseUnprocessed"),
		"config":              lazy(func() any { return a.gqlConfig() }),
		"services":            []*object{},
		"secrets":             lazy(func() any { return a.gqlSecrets() }),
		"addOns":              s.connection("AddOn", nil),
		"hasDeploymentSource": false, "healthChecks": s.connection("CheckState", nil),
		"ipAddresses": resolver(func(args map[string]any) (any, error) {
			return s.connection("IPAddress", a.gqlIPs())(args)
		}),
		"sharedIpAddress":    lazy(func() any { return a.sharedIP() }),
		"egressIpAddresses":  s.connection("EgressIPAddress", nil),
		"image":              resolver(s.gqlImage),
		"imageDetails":       lazy(func() any { return a.gqlImageDetails() }),
		"latestImageDetails": nil,
		"machines": resolver(func(args map[string]any) (any, error) {
			return s.connection("Machine", s.gqlMachines(a))(args)
		}),
		"regions":      lazy(func() any { return gqlRegions()[2:3] }),
		"certificates": s.connection("AppCertificate", a.gqlCerts()), "limitedAccessTokens": s.connection("LimitedAccessToken", nil),
		"certificate": resolver(a.gqlCertArg), "volumes": s.connection("Volume", s.gqlVolumes(a)), "hostIssues": s.connection("Issue", nil),
	}}
}

func (a *app) gqlConfig() *object {
	var def any = map[string]any{}
	if list := a.ledger(1); len(list) > 0 && list[0].definition != nil {
		def = list[0].definition
	}
	return &object{"AppConfig", map[string]any{"definition": def, "errors": []string{}, "valid": true, "services": []*object{}}}
}

func (a *app) gqlSecrets() []*object {
	var out []*object
	for _, d := range a.secrets.docs(false) {
		doc := d.(map[string]any)
		out = append(out, &object{"Secret", map[string]any{
			"id": a.id + ":" + doc["name"].(string), "name": doc["name"], "digest": doc["digest"], "createdAt": doc["created_at"], "user": nil,
		}})
	}
	return out
}

func (a *app) gqlIPs() []*object {
	var out []*object
	for _, ip := range a.ips {
		if !ip.shared {
			out = append(out, ip.gql())
		}
	}
	return out
}

func (ip *ipAddress) gql() *object {
	return &object{"IPAddress", map[string]any{
		"id": ip.id, "address": ip.ip, "type": ip.typ, "region": ip.region, "createdAt": stamp(ip.createdAt), "network": nil, "serviceName": nil,
	}}
}

func (a *app) sharedIP() any {
	for _, ip := range a.ips {
		if ip.shared {
			return ip.ip
		}
	}
	return nil
}

// gqlImage resolves a reference to a digest; null means that there is no such image.
func (s *Server) gqlImage(args map[string]any) (any, error) {
	img, found := s.w.Images.Resolve(str(args, "ref"))
	if !found {
		return nil, nil
	}
	return s.imageObject(img), nil
}

func (s *Server) imageObject(img world.Image) *object {
	var manifest any
	_ = json.Unmarshal(img.Manifest, &manifest)
	var tag any
	if img.Tag != "" {
		tag = img.Tag
	}
	return &object{"Image", map[string]any{
		"id": img.Digest, "digest": img.Digest, "ref": img.Ref(), "absoluteRef": img.Ref(), "label": img.Tag, "registry": img.Registry,
		"repository": img.Repository, "tag": tag, "compressedSize": img.Size, "compressedSizeFull": strconv.FormatInt(img.Size, 10), "manifest": manifest,
		"createdAt": stamp(s.w.Now()),
	}}
}

func (a *app) gqlImageDetails() *object {
	for _, m := range a.active() {
		return &object{"ImageVersion", map[string]any{
			"registry": m.image.Registry, "repository": m.image.Repository, "tag": m.image.Tag, "digest": m.image.Digest, "version": nil,
		}}
	}
	return nil
}

func (s *Server) gqlRelease(rel *release, typ string) *object {
	return &object{typ, map[string]any{
		"id": rel.id, "version": rel.version, "status": rel.status, "stable": rel.status == "complete", "inProgress": rel.inProgress(),
		"imageRef": rel.image, "description": fmt.Sprintf("Release v%d", rel.version), "reason": "deploy", "deploymentStrategy": rel.strategy,
		"evaluationId": nil, "revertedTo": nil, "createdAt": stamp(rel.createdAt), "updatedAt": stamp(rel.updatedAt), "metadata": rel.metadata,
		"configDefinition": rel.definition, "user": lazy(func() any { return s.gqlUser() }),
		"image": lazy(func() any {
			img, found := s.w.Images.Resolve(rel.image)
			if !found {
				return (*object)(nil)
			}
			return s.imageObject(img)
		}),
	}}
}

func gqlRegions() []*object {
	out := make([]*object, 0, len(regions))
	for _, r := range regions {
		out = append(out, &object{"Region", map[string]any{
			"code": r.code, "name": r.name, "deprecated": false, "gatewayAvailable": true, "latitude": r.lat, "longitude": r.lon,
			"processGroup": nil, "requiresPaidPlan": r.paid,
		}})
	}
	return out
}
