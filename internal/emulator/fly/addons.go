package fly

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// addOn is a third-party service, here only Upstash Redis: a server of the
// world's that speaks the Redis protocol, without TLS.
type addOn struct {
	id, name, typ, plan, org, region string
	readRegions                      []any
	options                          any
	createdAt                        time.Time
	redis                            *world.Redis
}

func addOnPlans() []*object {
	plan := func(id, name string, cents int) *object {
		return &object{"AddOnPlan", map[string]any{
			"id": id, "name": name, "displayName": name, "description": name, "maxDataSize": "256 MB", "pricePerMonth": cents,
			"maxCommandsPerSec": 1000, "maxConcurrentConnections": 1000, "maxDailyBandwidth": "5 GB", "maxDailyCommands": nil, "maxRequestSize": "1 MB",
		}}
	}
	return []*object{plan("plan-payg", "Pay-as-you-go", 0), plan("plan-fixed-250", "Fixed 250MB", 1000)}
}

func addOnPlan(id string) *object {
	for _, p := range addOnPlans() {
		if p.fields["id"] == id {
			return p
		}
	}
	return nil
}

func (s *Server) gqlAddOn(ad *addOn) *object {
	plan := addOnPlan(ad.plan)
	planName := any(nil)
	if plan != nil {
		planName = plan.fields["displayName"]
	}
	host, _ := ad.redis.Addr()
	return &object{"AddOn", map[string]any{
		"id": ad.id, "name": ad.name, "primaryRegion": ad.region, "readRegions": ad.readRegions, "options": ad.options, "metadata": nil,
		"status": "ready", "errorMessage": nil, "password": ad.redis.Password, "hostname": host, "privateIp": "fdaa:0:1:0:1::ff", "ssoLink": nil, "stats": nil,
		"publicUrl": ad.redis.URL(), "environment": nil, "token": nil, "organization": s.gqlOrg(ad.org),
		"addOnPlan": plan, "addOnPlanName": planName, "app": nil, "apps": s.connection("App", nil), "createdAt": stamp(ad.createdAt), "updatedAt": stamp(ad.createdAt),
		"addOnProvider": &object{"AddOnProvider", map[string]any{"id": ad.typ, "name": ad.typ, "displayName": "Upstash for Redis"}},
	}}
}

func (s *Server) gqlAddOns(args map[string]any) (any, error) {
	var list []*object
	for _, ad := range s.addOns {
		if t := str(args, "type"); t == "" || t == ad.typ {
			list = append(list, s.gqlAddOn(ad))
		}
	}
	slices.SortFunc(list, func(a, b *object) int { return strings.Compare(str(a.fields, "name"), str(b.fields, "name")) })
	return s.connection("AddOn", list)(args)
}

func (s *Server) findAddOn(id, name string) *addOn {
	for _, ad := range s.addOns {
		if ad.id == id || (name != "" && ad.name == name) {
			return ad
		}
	}
	return nil
}

func (s *Server) gqlAddOnArg(args map[string]any) (any, error) {
	if ad := s.findAddOn(str(args, "id"), str(args, "name")); ad != nil {
		return s.gqlAddOn(ad), nil
	}
	return nil, fail(404, "Could not find AddOn")
}

func (s *Server) gqlCreateAddOn(in map[string]any) (any, error) {
	org := s.orgSlug(str(in, "organizationId"))
	switch {
	case org == "":
		return nil, fail(404, "Could not find Organization")
	case str(in, "type") != "upstash_redis":
		return nil, fail(422, "the emulator has no add-on of type "+str(in, "type"))
	}
	ad := &addOn{
		id: s.w.Hex(20), name: str(in, "name"), typ: str(in, "type"), plan: str(in, "planId"), org: org, region: str(in, "primaryRegion"),
		options: in["options"], createdAt: s.w.Now(),
	}
	ad.readRegions, _ = in["readRegions"].([]any)
	if ad.name == "" {
		ad.name = "redis-" + ad.id[:8]
	}
	if s.findAddOn("", ad.name) != nil {
		return nil, fail(422, "Name has already been taken")
	}
	if str(in, "planId") != "" && addOnPlan(ad.plan) == nil {
		return nil, fail(404, "Could not find AddOnPlan")
	}
	var err error
	if ad.redis, err = s.w.NewRedis(context.Background(), ad.name); err != nil {
		return nil, err
	}
	s.addOns[ad.id] = ad
	return payload("CreateAddOnPayload", in, map[string]any{"addOn": s.gqlAddOn(ad)}), nil
}

func (s *Server) gqlDeleteAddOn(in map[string]any) (any, error) {
	ad := s.findAddOn(str(in, "addOnId"), str(in, "name"))
	if ad == nil {
		return nil, fail(404, "Could not find AddOn")
	}
	delete(s.addOns, ad.id)
	ad.redis.Stop()
	return payload("DeleteAddOnPayload", in, map[string]any{"deletedAddOnName": ad.name}), nil
}
