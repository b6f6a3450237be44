package emulator_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/superfly/fly-go/flaps"

	flygo "github.com/superfly/fly-go"

	"github.com/opsctl/opsctl/internal/emulator"
)

func TestApps(t *testing.T) {
	s := start(t, func(o *emulator.Options) { o.TakenNames = []string{"theirs"}; o.Orgs = []string{"personal", "acme"} })
	c := connect(t, s)
	create := func(name, org, key string) (int, map[string]any) {
		return c.call("POST", "/v1/apps", map[string]any{"name": name, "org_slug": org, "idempotency_key": key})
	}
	code, first := create("shop", "personal", "k1")
	if code != 201 {
		t.Fatalf("create: %d %v", code, first)
	}
	for _, tt := range []struct {
		what, name, org, key string
		code                 int
		status               string
	}{
		{"again with the key", "shop", "personal", "k1", 201, ""},
		{"again without", "shop", "personal", "", 422, "name_taken"},
		{"with another key", "shop", "personal", "k2", 422, "name_taken"},
		{"another app with the key", "shop2", "personal", "k1", 422, "unknown"},
		{"somebody else's name", "theirs", "personal", "", 422, "name_taken"},
		{"a bad name", "Shop_1", "personal", "", 400, "unknown"},
		{"an unknown org", "shop3", "nobody", "", 404, "unknown"},
		{"no org", "shop3", "", "", 400, "unknown"},
		{"another org", "shop4", "acme", "", 201, ""},
	} {
		code, doc := create(tt.name, tt.org, tt.key)
		if code != tt.code || (tt.status != "" && doc["status"] != tt.status) {
			t.Errorf("%s: %d %v, want %d %s", tt.what, code, doc, tt.code, tt.status)
		}
		if tt.what == "again with the key" && doc["id"] != first["id"] {
			t.Errorf("the same key gave another app: %v", doc)
		}
	}
	for name, want := range map[string]int{"shop": 200, "free": 404, "theirs": 403} {
		if code, _ := c.call("GET", "/v1/apps/"+name, nil); code != want {
			t.Errorf("get %s: %d, want %d", name, code, want)
		}
	}
	apps, err := c.flaps.ListApps(c.ctx, flaps.ListAppsRequest{OrgSlug: "acme"})
	if err != nil || len(apps) != 1 || apps[0].Name != "shop4" || apps[0].Status != "pending" {
		t.Errorf("acme has %+v %v", apps, err)
	}
	if _, err := c.flaps.GetRegions(c.ctx); err != nil {
		t.Error(err)
	}
	places, err := c.flaps.GetPlacements(c.ctx, &flaps.GetPlacementsRequest{Org: "acme", Region: "fra,ams", Count: 2})
	if err != nil || len(places) != 2 {
		t.Errorf("placements %v %v", places, err)
	}
	if _, doc := c.call("GET", "/v1/tokens/current", nil); len(doc["tokens"].([]any)) != 2 {
		t.Errorf("tokens %v", doc)
	}
	if code, doc := c.call("POST", "/v1/apps/shop/deploy_token", map[string]any{"expiry": "1h"}); code != 200 || !strings.HasPrefix(doc["token"].(string), "fo1_") {
		t.Errorf("deploy token %d", code)
	}
}

func TestTokens(t *testing.T) {
	s := start(t, func(o *emulator.Options) { o.ValidTokens = []string{"fo1_good"} })
	if got := s.Env()["FLY_API_TOKEN"]; got != "fo1_good" {
		t.Errorf("Env hands out %q", got)
	}
	for header, want := range map[string]int{
		"": 401, "Bearer ": 401, "Bearer fo1_bad": 401, "Bearer fo1_good": 200, "FlyV1 fo1_good": 200, "FlyV1 fm2_x,fo1_good": 200, "Bearer FlyV1 fo1_good": 200,
	} {
		for _, path := range []string{"/v1/tokens/current", "/v2/", "/api/v1/organizations/personal"} {
			req, err := http.NewRequest("GET", s.URL()+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if header != "" {
				req.Header.Set("Authorization", header)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != want {
				t.Errorf("%q on %s: %d, want %d", header, path, resp.StatusCode, want)
			}
		}
	}
}

func TestPagingAndLag(t *testing.T) {
	clock := newClock(time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC))
	s := start(t, func(o *emulator.Options) { o.Now = clock.Now; o.Lag = time.Second; o.PageSize = 2 })
	c := connect(t, s)
	c.app("shop")
	if code, _ := c.call("GET", "/v1/apps/shop", nil); code != 404 {
		t.Errorf("right after its creation the app reads as %d, want 404", code)
	}
	clock.Add(2 * time.Second)
	if code, _ := c.call("GET", "/v1/apps/shop", nil); code != 200 {
		t.Errorf("a moment later: %d", code)
	}
	var ids []string
	for range 5 {
		m, err := c.flaps.Launch(c.ctx, "shop", flygo.LaunchMachineInput{Config: web("shop:v1"), Region: "fra", SkipLaunch: true})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, m.ID)
	}
	if code, _ := c.call("GET", "/v1/apps/shop/machines/"+ids[0], nil); code != 404 {
		t.Errorf("right after its creation the machine reads as %d, want 404", code)
	}
	clock.Add(2 * time.Second)
	var got []string
	cursor := ""
	for pages := 1; ; pages++ {
		_, body, h := c.send("GET", "/v1/apps/shop/machines?limit=10&cursor="+cursor, nil)
		for _, id := range ids {
			if strings.Contains(string(body), `"id":"`+id+`"`) {
				got = append(got, id)
			}
		}
		if cursor = h.Get("fly-next-cursor"); cursor == "" {
			if pages != 3 {
				t.Errorf("%d pages, want 3", pages)
			}
			break
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(ids) {
		t.Errorf("pages hold %v, want %v", got, ids)
	}
	for i := range 3 {
		c.app(fmt.Sprintf("more-%d", i))
	}
	clock.Add(2 * time.Second)
	apps, err := c.gql.GetApps(c.ctx, nil)
	if err != nil || len(apps) != 4 {
		t.Errorf("GraphQL pages hold %d apps, want 4: %v", len(apps), err)
	}
}

func TestAddressesVolumesAndCertificates(t *testing.T) {
	s := start(t)
	c := connect(t, s)
	c.app("shop")
	for _, typ := range []string{"shared_v4", "shared_v4", "v6", "private_v6"} {
		if _, err := c.flaps.AssignIP(c.ctx, "shop", flaps.AssignIPRequest{Type: typ}); err != nil {
			t.Fatal(err)
		}
	}
	ips, err := c.flaps.GetIPAssignments(c.ctx, "shop")
	if err != nil || len(ips.IPs) != 3 || !ips.IPs[0].Shared {
		t.Fatalf("addresses %+v %v", ips, err)
	}
	if err := c.flaps.DeleteIPAssignment(c.ctx, "shop", ips.IPs[1].IP); err != nil {
		t.Error(err)
	}
	if code, _ := c.call("POST", "/v1/apps/shop/ip_assignments", map[string]any{"type": "v5"}); code != 400 {
		t.Errorf("type v5: %d", code)
	}

	v, err := c.flaps.CreateVolume(c.ctx, "shop", flygo.CreateVolumeRequest{Name: "data", Region: "fra", SizeGb: new(2)})
	if err != nil {
		t.Fatal(err)
	}
	cfg := web("shop:v1")
	cfg.Mounts = []flygo.MachineMount{{Volume: v.ID, Path: "/data"}}
	m := c.launch("shop", cfg)
	vols, err := c.flaps.GetVolumes(c.ctx, "shop")
	if err != nil || len(vols) != 1 || vols[0].AttachedMachine == nil || *vols[0].AttachedMachine != m.ID {
		t.Errorf("volumes %+v %v", vols, err)
	}
	if err := c.flaps.CreateVolumeSnapshot(c.ctx, "shop", v.ID); err != nil {
		t.Error(err)
	}
	snaps, err := c.flaps.GetVolumeSnapshots(c.ctx, "shop", v.ID)
	if err != nil || len(snaps) != 1 || snaps[0].Status != "created" {
		t.Fatalf("snapshots %+v %v", snaps, err)
	}
	_, err = c.flaps.CreateVolume(c.ctx, "shop", flygo.CreateVolumeRequest{Name: "small", SizeGb: new(1), SnapshotID: &snaps[0].ID})
	wantStatus(t, "a volume smaller than its snapshot", err, 400)
	if _, needs, err := c.flaps.ExtendVolume(c.ctx, "shop", v.ID, 5); err != nil || !needs {
		t.Errorf("extend: %v %v", needs, err)
	}
	_, err = c.flaps.DeleteVolume(c.ctx, "shop", v.ID)
	wantStatus(t, "deleting a volume in use", err, 412)

	cert, err := c.flaps.CreateACMECertificate(c.ctx, "shop", flygo.CreateCertificateRequest{Hostname: "erp.example.com"})
	if err != nil || cert.Status != "pending_ownership" || cert.DNSRequirements.CNAME == "" {
		t.Fatalf("certificate %+v %v", cert, err)
	}
	if cert, err = c.flaps.CheckCertificate(c.ctx, "shop", "erp.example.com"); err != nil || cert.Status != "active" {
		t.Errorf("checked certificate %+v %v", cert, err)
	}
	list, err := c.flaps.ListCertificates(c.ctx, "shop", nil)
	if err != nil || len(list.Certificates) != 1 || !list.Certificates[0].Configured {
		t.Errorf("certificates %+v %v", list, err)
	}
	_, err = c.flaps.CreateACMECertificate(c.ctx, "shop", flygo.CreateCertificateRequest{Hostname: "erp.example.com"})
	wantStatus(t, "the same domain again", err, 422)
	if err := c.flaps.DeleteCertificate(c.ctx, "shop", "erp.example.com"); err != nil {
		t.Error(err)
	}
}

// The custom domain of an app reaches it, as its own host name does.
func TestCustomDomain(t *testing.T) {
	s := start(t)
	c := connect(t, s)
	c.app("shop")
	m := c.launch("shop", web("shop:v1"))
	c.healthy("shop", m.ID)
	if _, err := c.flaps.CreateACMECertificate(c.ctx, "shop", flygo.CreateCertificateRequest{Hostname: "erp.example.com"}); err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]int{"erp.example.com": 200, "shop.localhost:4280": 200, "shop.fly.dev": 200, "other.localhost": 404, "other.fly.dev": 404} {
		req, _ := http.NewRequest("GET", s.URL()+"/", nil)
		req.Host = host
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("host %s: %d, want %d", host, resp.StatusCode, want)
		}
	}
}

func TestLatencyAndFaults(t *testing.T) {
	s := start(t, func(o *emulator.Options) {
		o.Latency = 50 * time.Millisecond
		for _, spec := range []string{
			"POST /v1/apps=reset,late,count=1", "GET /v1/apps/*=429:3,count=1", "DELETE /v1/apps/*=hang",
		} {
			f, err := emulator.ParseFault(spec)
			if err != nil {
				t.Fatal(err)
			}
			o.Faults = append(o.Faults, f)
		}
	})
	c := connect(t, s)
	// The answer is lost, the app exists.
	if _, err := c.flaps.CreateApp(c.ctx, flaps.CreateAppRequest{Name: "shop", Org: "personal"}); err == nil {
		t.Error("the answer was to be lost")
	}
	req, _ := http.NewRequest("GET", s.URL()+"/v1/apps/shop", nil)
	req.Header.Set("Authorization", "Bearer x")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "3" || resp.Header.Get("fly-request-id") == "" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
	began := time.Now()
	if code, _ := c.call("GET", "/v1/apps/shop", nil); code != 200 || time.Since(began) < 50*time.Millisecond {
		t.Errorf("after the fault: %d in %s", code, time.Since(began))
	}
	hung, _ := http.NewRequest("DELETE", s.URL()+"/v1/apps/shop", nil)
	if resp, err := (&http.Client{Timeout: 200 * time.Millisecond}).Do(hung); err == nil {
		_ = resp.Body.Close()
		t.Error("a hanging request was answered")
	}
	s.ClearFaults()
	if code, _ := c.call("DELETE", "/v1/apps/shop", nil); code != 202 {
		t.Errorf("with the faults cleared: %d", code)
	}
	var faults int
	for _, r := range s.Requests() {
		if r.Fault != "" {
			faults++
		}
	}
	if faults < 2 {
		t.Errorf("%d requests are recorded with a fault, want the reset and the 429 at least", faults)
	}
}
