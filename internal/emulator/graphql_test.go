package emulator_test

import (
	"strings"
	"testing"

	flygo "github.com/superfly/fly-go"
)

// Every GraphQL call that Fly's clients were seen to make, answered in the form of the schema.
func TestGraphQL(t *testing.T) {
	s := start(t)
	c := connect(t, s)
	c.app("shop")
	c.launch("shop", web("shop:v1"))
	check := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	u, err := c.gql.GetCurrentUser(c.ctx)
	check("viewer", err)
	if u == nil || u.Email != "dev@example.com" {
		t.Errorf("viewer %+v", u)
	}
	orgs, err := c.gql.GetOrganizations(c.ctx, flygo.AdminOnly)
	check("organizations", err)
	if len(orgs) != 1 || orgs[0].Slug != "personal" {
		t.Errorf("organizations %+v", orgs)
	}
	_, err = c.gql.GetOrganizationBySlug(c.ctx, "personal")
	check("organization", err)
	app, err := c.gql.GetApp(c.ctx, "shop")
	check("app", err)
	if app.Name != "shop" || app.Status != "deployed" || app.ImageDetails.Tag != "v1" || len(app.Machines.Nodes) != 1 {
		t.Errorf("app %+v", app)
	}
	if app.AppURL != s.AppURL("shop") {
		t.Errorf("appUrl %s, want %s", app.AppURL, s.AppURL("shop"))
	}
	compact, err := c.gql.GetAppCompact(c.ctx, "shop")
	check("appcompact", err)
	if compact.Organization == nil || compact.Organization.Slug != "personal" {
		t.Errorf("appcompact %+v", compact)
	}
	_, err = c.gql.GetAppBasic(c.ctx, "shop")
	check("appbasic", err)
	_, err = c.gql.GetAppNetwork(c.ctx, "shop")
	check("network", err)
	_, err = c.gql.GetEgressIPAddresses(c.ctx, "shop")
	check("egress", err)
	img, err := c.gql.ResolveImageForApp(c.ctx, "shop", "registry.fly.io/shop:v2")
	check("image", err)
	if img == nil || !strings.HasPrefix(img.Digest, "sha256:") {
		t.Errorf("image %+v", img)
	}
	img, err = c.gql.ResolveImageForApp(c.ctx, "shop", "registry.fly.io/shop:nope")
	check("unknown image", err)
	if img != nil {
		t.Errorf("an unknown image resolves to %+v", img)
	}
	_, err = c.gql.CanPerformBluegreenDeployment(c.ctx, "shop")
	check("bluegreen", err)

	_, err = c.gql.AllocateIPAddress(c.ctx, "shop", "v6", "", "", "")
	check("allocate", err)
	shared, err := c.gql.AllocateSharedIPAddress(c.ctx, "shop")
	check("allocate shared", err)
	if shared == nil {
		t.Error("no shared address")
	}
	ips, err := c.gql.GetIPAddresses(c.ctx, "shop")
	check("ipAddresses", err)
	if len(ips) != 2 {
		t.Errorf("addresses %+v", ips)
	}

	rel, err := c.gql.CreateRelease(c.ctx, flygo.CreateReleaseInput{
		AppId: "shop", Image: "registry.fly.io/shop:v1", PlatformVersion: "machines", Strategy: "ROLLING", Definition: map[string]any{"app": "shop"},
	})
	check("createRelease", err)
	_, err = c.gql.UpdateRelease(c.ctx, flygo.UpdateReleaseInput{ReleaseId: rel.CreateRelease.Release.Id, Status: "complete"})
	check("updateRelease", err)
	list, err := c.gql.GetAppReleasesMachines(c.ctx, "shop", "", 25)
	check("releases", err)
	if len(list) != 1 || list[0].Status != "complete" || !list[0].Stable || list[0].ImageRef != "registry.fly.io/shop:v1" {
		t.Errorf("releases %+v", list)
	}
	current, err := c.gql.GetAppCurrentReleaseMachines(c.ctx, "shop")
	check("current release", err)
	if current.Version != 1 {
		t.Errorf("current release %+v", current)
	}
}

func (c *clients) query(query string, vars map[string]any) (data map[string]any, code string) {
	c.t.Helper()
	status, doc := c.call("POST", "/graphql", map[string]any{"query": query, "variables": vars})
	if status != 200 {
		c.t.Errorf("GraphQL answers with status %d", status)
	}
	data, _ = doc["data"].(map[string]any)
	if errs, _ := doc["errors"].([]any); len(errs) > 0 {
		ext, _ := errs[0].(map[string]any)["extensions"].(map[string]any)
		code, _ = ext["code"].(string)
	}
	return data, code
}

func TestGraphQLErrorsAndForms(t *testing.T) {
	s := start(t)
	c := connect(t, s)
	c.app("shop")
	const q = `query($n: String!, $with: Boolean = false) {
		a: app(name: $n) { ...F ... on Node { id } config @include(if: $with) { valid } status @skip(if: true) }
		b: app(name: "nope") { id }
	} fragment F on App { name __typename organization { slug } organization { name } }`
	data, code := c.query(q, map[string]any{"n": "shop"})
	if code != "NOT_FOUND" || data["b"] != nil {
		t.Errorf("an unknown app: %v %q", data, code)
	}
	a := data["a"].(map[string]any)
	if a["name"] != "shop" || a["__typename"] != "App" || a["config"] != nil || a["status"] != nil || len(a["organization"].(map[string]any)) != 2 {
		t.Errorf("app %v", a)
	}
	data, _ = c.query(q, map[string]any{"n": "shop", "with": true})
	if data["a"].(map[string]any)["config"] == nil {
		t.Error("@include(if: $with) left config out")
	}
	for _, tt := range []struct{ query, code string }{
		{`{ app(name: "shop") { colour } }`, "undefinedField"},
		{`{ app(name: `, "parseError"},
		{`query A { viewer { email } } query B { viewer { email } }`, "operationNotFound"},
		{`query($n: String!) { app(name: $n) { id } }`, "badUserInput"},
		{`{ app(name: "shop") { ...Missing } }`, "undefinedFragment"},
		{`mutation { allocateIpAddress(input: {appId: "nope", type: v6}) { ipAddress { id } } }`, "NOT_FOUND"},
	} {
		if data, code := c.query(tt.query, nil); code != tt.code {
			t.Errorf("%s: code %q (%v), want %q", tt.query, code, data, tt.code)
		}
	}
}

func TestRedisAddOnsSecretsAndTokensOverGraphQL(t *testing.T) {
	s := start(t)
	c := connect(t, s)
	c.app("shop")
	data, code := c.query(`mutation($input: CreateAddOnInput!) { createAddOn(input: $input) { addOn { id name publicUrl status addOnPlan { displayName } organization { slug } } } }`,
		map[string]any{"input": map[string]any{"organizationId": "org-personal", "name": "cache", "planId": "plan-payg", "primaryRegion": "fra", "type": "upstash_redis", "options": map[string]any{"eviction": false}}})
	if code != "" {
		t.Fatalf("createAddOn: %v %s", data, code)
	}
	data, _ = c.query(`{ addOns(type: upstash_redis) { nodes { id name primaryRegion readRegions options addOnPlanName } } addOnPlans(type: upstash_redis) { nodes { id displayName } } }`, nil)
	if nodes := data["addOns"].(map[string]any)["nodes"].([]any); len(nodes) != 1 {
		t.Errorf("add-ons %v", nodes)
	}
	if data, code := c.query(`mutation { deleteAddOn(input: {name: "cache"}) { deletedAddOnName } }`, nil); code != "" {
		t.Errorf("deleteAddOn: %v %s", data, code)
	}
	if _, code := c.query(`{ addOn(name: "cache") { id } }`, nil); code != "NOT_FOUND" {
		t.Errorf("a deleted add-on: %q", code)
	}
	if _, code := c.query(`mutation { setSecrets(input: {appId: "shop", secrets: [{key: "A", value: "1"}, {key: "B", value: "2"}]}) { app { secrets { name digest createdAt } } } }`, nil); code != "" {
		t.Errorf("setSecrets: %s", code)
	}
	if _, code := c.query(`mutation { unsetSecrets(input: {appId: "shop", keys: ["A"]}) { app { secrets { name } } } }`, nil); code != "" {
		t.Errorf("unsetSecrets: %s", code)
	}
	secrets, err := c.flaps.ListAppSecrets(c.ctx, "shop", nil, true)
	if err != nil || len(secrets) != 1 || *secrets[0].Value != "2" {
		t.Errorf("secrets %+v %v", secrets, err)
	}
	data, code = c.query(`mutation { createLimitedAccessToken(input: {name: "ci", organizationId: "org-personal", profile: "deploy", profileParams: {app_id: "shop"}}) { limitedAccessToken { tokenHeader expiresAt } } }`, nil)
	if code != "" {
		t.Errorf("createLimitedAccessToken: %v %s", data, code)
	}
	if data, code = c.query(`mutation { validateWireGuardPeers(input: {peerIps: ["fdaa::1"]}) { invalidPeerIps validPeerIps } }`, nil); code != "" {
		t.Errorf("validateWireGuardPeers: %v %s", data, code)
	}
	if data, code = c.query(`mutation { createApp(input: {organizationId: "org-personal", name: "second"}) { app { id name } } deleteApp(appId: "second") { organization { id } } }`, nil); code != "" {
		t.Errorf("createApp and deleteApp: %v %s", data, code)
	}
	if data, code = c.query(`{ platform { requestRegion regions { code name } } nearestRegion { code } appNameAvailable(name: "third") personalOrganization { apps { nodes { name } } } }`, nil); code != "" {
		t.Errorf("platform: %v %s", data, code)
	}
}
