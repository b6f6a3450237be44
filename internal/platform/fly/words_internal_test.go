package fly

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/superfly/fly-go"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

func TestSizes(t *testing.T) {
	for _, tt := range []struct {
		size, canonical string
		cpus, memory    int
	}{
		{"shared-cpu-1x", "shared-cpu-1x", 1, 256},
		{"shared-cpu-1x:256mb", "shared-cpu-1x", 1, 256},
		{"shared-cpu-1x:512", "shared-cpu-1x:512mb", 1, 512},
		{"shared-cpu-2x:1024mb", "shared-cpu-2x:1gb", 2, 1024},
		{"performance-2x", "performance-2x", 2, 4096},
		{"performance-2x:16GB", "performance-2x:16gb", 2, 16384},
	} {
		g, err := parseSize(tt.size)
		if err != nil || g.CPUs != tt.cpus || g.MemoryMB != tt.memory || sizeOf(g) != tt.canonical || canonicalSize(tt.size) != tt.canonical {
			t.Errorf("%s: %+v (%s), %v", tt.size, g, sizeOf(g), err)
		}
	}
	for _, size := range []string{"galactic", "shared-cpu-3x", "shared-cpu-1x:", "shared-cpu-1x:100mb", "shared-cpu-1x:4gb", "shared-cpu-1x:300mb", "performance-1x:1gb", "performance-1x:-2gb", ""} {
		if _, err := parseSize(size); errs.CodeOf(err) != errs.Usage || errs.HintOf(err) == "" {
			t.Errorf("%q: %v", size, err)
		}
	}
	if s := Sizes(); s[0] != "shared-cpu-1x" || !slices.Contains(s, "performance-16x") || slices.ContainsFunc(s, func(n string) bool { return strings.Contains(n, "a100") }) {
		t.Errorf("%v", s)
	}
	if _, err := parseSize(defaultSize); err != nil {
		t.Error(err)
	}
}

// What is asked for is reported in the very words, so that a plan sees no change.
func TestASizeIsReportedAsItWasAskedFor(t *testing.T) {
	for _, size := range []string{"shared-cpu-1x:1024mb", "shared-cpu-1x:1gb", "shared-cpu-2x", "shared-cpu-2x:512mb"} {
		c := machineConfig(nil, platform.Release{Image: "i", Port: 1, Size: size})
		if got := release(c).Size; got != size {
			t.Errorf("%q is reported as %q", size, got)
		}
		c.Guest.MemoryMB *= 2 // somebody else resized it
		if got := release(c).Size; got == size {
			t.Errorf("%q is still reported as %q", size, got)
		}
	}
}

// An entry of the ledger is read back as it was written, by us or by flyctl.
func TestDefinitions(t *testing.T) {
	r := platform.Release{
		Label: "l", Image: "registry.fly.io/a:1", Port: 8080, Health: "/up", Env: map[string]string{"A": "1"},
		Instances: 3, Region: "fra", Size: "performance-1x:4gb", Strategy: "bluegreen", Version: "7", ID: "x",
	}
	base := &fly.MachineConfig{
		Guest:    &fly.MachineGuest{CPUKind: "shared", CPUs: 1, MemoryMB: 256, KernelArgs: []string{"quiet"}},
		Services: []fly.MachineService{{InternalPort: 1}, {InternalPort: 9000, Protocol: "udp"}},
		Metadata: map[string]string{"team": "a"},
	}
	config := machineConfig(base, r)
	recorded := *config
	recorded.Image, recorded.Env, recorded.Metadata = "", nil, nil
	src, err := json.Marshal(definition{
		PrimaryRegion: r.Region, Env: r.Env, HTTPService: &httpService{InternalPort: r.Port, Checks: []httpCheck{{Path: r.Health}}},
		Own: own{Label: r.Label, Instances: r.Instances, Machine: &recorded},
	})
	if err != nil {
		t.Fatal(err)
	}
	d := parseDefinition(src)
	got := d.release()
	if got.Port != 8080 || got.Health != "/up" || got.Env["A"] != "1" || got.Instances != 3 || got.Region != "fra" || got.Size != r.Size || got.Label != "l" {
		t.Errorf("%+v", got)
	}
	got.Image, got.Version, got.ID = r.Image, r.Version, r.ID
	later := machineConfig(base, platform.Release{Image: "other", Port: 1, Size: "shared-cpu-8x", Env: map[string]string{"B": "2"}})
	later.Services = later.Services[:1]
	back := d.config(later, got)
	if back.Image != r.Image || !reflect.DeepEqual(back.Env, config.Env) || len(back.Services) != 2 || back.Services[1].InternalPort != 9000 ||
		sizeOf(back.Guest) != r.Size || back.Guest.KernelArgs[0] != "quiet" || back.Metadata["team"] != "a" {
		t.Errorf("%+v", back)
	}

	flyctl := `{"app":"a","primary_region":"ams","env":{"X":"y"},"http_service":{"internal_port":3000,"force_https":true,"checks":[{"grace_period":"10s","path":"/healthz"}]},
		"vm":[{"memory":"2gb","cpu_kind":"shared","cpus":2}],"deploy":{"release_command":"x"}}`
	got = parseDefinition(json.RawMessage(flyctl)).release()
	want := platform.Release{Port: 3000, Health: "/healthz", Env: map[string]string{"X": "y"}, Region: "ams", Size: "shared-cpu-2x:2gb"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("of flyctl: %+v", got)
	}
	for _, src := range []string{``, `null`, `{}`, `[]`, `"x"`, `{"app":"a"}`} {
		if d := parseDefinition(json.RawMessage(src)); d != nil {
			t.Errorf("%s: %+v", src, d)
		}
	}
}

// Machines that took the place of ones of before opsctl remember what those ran.
func TestBeforeOpsctl(t *testing.T) {
	old := &fly.MachineConfig{
		Image: "registry.fly.io/a:old", Env: map[string]string{"A": "1"}, Guest: &fly.MachineGuest{CPUKind: "shared", CPUs: 1, MemoryMB: 512},
		Services: []fly.MachineService{{InternalPort: 5000}},
	}
	green := machineConfig(old, platform.Release{Version: "3", Image: "new", Port: 3000})
	rememberBefore(green, old, 2)
	next := machineConfig(green, platform.Release{Version: "4", Image: "newer", Port: 3000})
	rememberBefore(next, green, 1)
	got := before([]*fly.Machine{{Config: next}})
	if got == nil || got.Image != old.Image || got.Port != 5000 || got.Env["A"] != "1" || got.Instances != 2 || got.Size != "shared-cpu-1x:512mb" || got.Version != "" {
		t.Errorf("%+v", got)
	}
	if none := before([]*fly.Machine{{Config: machineConfig(nil, platform.Release{Version: "1"})}}); none != nil {
		t.Errorf("%+v", none)
	}
}

func TestRecordsOfADomain(t *testing.T) {
	const requirements = `"dns_requirements":{"a":["66.0.0.1"],"aaaa":["2a09::1"],"cname":"x.shop.fly.dev",
		"acme_challenge":{"name":"_acme-challenge.%","target":"%.flydns.net"},"ownership":{"name":"_fly-ownership.%","app_value":"app-1"}}`
	for _, tt := range []struct{ name, doc, want string }{
		{"erp.example.com", `"status":"pending_validation"`, "CNAME erp.example.com x.shop.fly.dev"},
		{"example.com", `"status":"pending_validation"`, "A example.com 66.0.0.1, AAAA example.com 2a09::1"},
		{"example.co.uk", `"status":"pending_validation"`, "A example.co.uk 66.0.0.1, AAAA example.co.uk 2a09::1"},
		{"erp.example.co.uk", `"status":"pending_validation"`, "CNAME erp.example.co.uk x.shop.fly.dev"},
		{"erp.example.com", `"status":"pending_ownership"`, "CNAME erp.example.com x.shop.fly.dev, TXT _fly-ownership.erp.example.com app-1"},
		{"erp.example.com", `"status":"active"`, "CNAME erp.example.com x.shop.fly.dev found"},
		{"erp.example.com", `"status":"pending_validation","dns_records":{"cname":["X.shop.fly.dev."]}`, "CNAME erp.example.com x.shop.fly.dev found"},
		{"erp.example.com", `"status":"pending_validation","dns_records":{"resolved_addresses":["2a09::1"]}`, "CNAME erp.example.com x.shop.fly.dev found"},
		{"example.com", `"status":"pending_validation","dns_records":{"a":["66.0.0.1"]}`, "A example.com 66.0.0.1 found, AAAA example.com 2a09::1"},
		{"*.example.com", `"status":"pending_validation","dns_records":{"acme_challenge_cname":"*.example.com.flydns.net","ownership_txt":"app-1"}`,
			"CNAME *.example.com x.shop.fly.dev, CNAME _acme-challenge.*.example.com *.example.com.flydns.net found, TXT _fly-ownership.*.example.com app-1 found"},
	} {
		var c certificate
		src := `{"hostname":"` + tt.name + `",` + tt.doc + `,` + strings.ReplaceAll(requirements, "%", tt.name) + `}`
		if err := json.Unmarshal([]byte(src), &c); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range c.domain().Records {
			text := r.Type + " " + r.Name + " " + r.Value
			if r.Found {
				text += " found"
			}
			got = append(got, text)
		}
		if text := strings.Join(got, ", "); text != tt.want {
			t.Errorf("%s %s:\n%s, want\n%s", tt.name, tt.doc, text, tt.want)
		}
	}
	var c certificate
	const problems = `{"hostname":"a.example.com","status":"pending_validation","rate_limited_until":"2026-11-25T00:00:00Z","validation_errors":[{"code":"X","message":"m","remediation":"Set the record"},{"code":"Y","message":"n"}]}`
	if err := json.Unmarshal([]byte(problems), &c); err != nil {
		t.Fatal(err)
	}
	if d := c.domain(); d.Ready || d.Problem != "Set the record; n; Let's Encrypt issues no more certificates for it until 2026-11-25T00:00:00Z" {
		t.Errorf("%+v", d)
	}
}

func TestFactsAreWhole(t *testing.T) {
	v := reflect.ValueOf(Facts())
	for i := range v.NumField() {
		if f := v.Field(i); f.IsZero() && f.Kind() != reflect.Bool { // false is a fact
			t.Errorf("%s is empty", v.Type().Field(i).Name)
		}
	}
}

// A machine that the proxy has stopped is idle; one that crashed, or that nothing would
// start again, is not.
func TestIdleMachines(t *testing.T) {
	service := func(stop fly.MachineAutostop, start bool, least int) []fly.MachineService {
		return []fly.MachineService{{Autostop: &stop, Autostart: &start, MinMachinesRunning: &least}}
	}
	exit := func(code int, asked bool) []*fly.MachineEvent {
		return []*fly.MachineEvent{{Type: "exit", Request: &fly.MachineRequest{ExitEvent: &fly.MachineExitEvent{ExitCode: code, RequestedStop: asked}}}}
	}
	for name, tt := range map[string]struct {
		state    string
		services []fly.MachineService
		events   []*fly.MachineEvent
		idle     bool
	}{
		"stopped by the proxy":           {"stopped", service(fly.MachineAutostopStop, true, 0), exit(143, true), true},
		"ended by itself, well":          {"stopped", service(fly.MachineAutostopStop, true, 0), exit(0, false), true},
		"suspended":                      {"suspended", service(fly.MachineAutostopSuspend, true, 0), nil, true},
		"crashed":                        {"stopped", service(fly.MachineAutostopStop, true, 0), exit(1, false), false},
		"running":                        {"started", service(fly.MachineAutostopStop, true, 0), nil, false},
		"stopped by hand":                {"stopped", service(fly.MachineAutostopOff, true, 0), exit(0, true), false},
		"nothing starts it":              {"stopped", service(fly.MachineAutostopStop, false, 0), nil, false},
		"one of those that are to run":   {"stopped", service(fly.MachineAutostopStop, true, 1), nil, false},
		"a worker, which has no service": {"stopped", nil, nil, false},
	} {
		m := &fly.Machine{State: tt.state, Config: &fly.MachineConfig{Services: tt.services}, Events: tt.events}
		if got := instance(m).Idle; got != tt.idle {
			t.Errorf("%s: idle %t", name, got)
		}
	}
}
