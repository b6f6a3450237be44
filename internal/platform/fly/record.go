package fly

import (
	"cmp"
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/superfly/fly-go"

	"github.com/opsctl/opsctl/internal/platform"
)

// definition is what an entry of the ledger says of how its release runs: a
// fly.toml as JSON, which is what flyctl writes there too, and a table of our
// own for what fly.toml has no word for.
type definition struct {
	App           string            `json:"app,omitempty"`
	PrimaryRegion string            `json:"primary_region,omitempty"`
	Env           map[string]string `json:"env,omitempty"`
	HTTPService   *httpService      `json:"http_service,omitempty"`
	VM            []vm              `json:"vm,omitempty"`
	Own           own               `json:"opsctl,omitzero"`
}

type httpService struct {
	InternalPort int         `json:"internal_port,omitempty"`
	Checks       []httpCheck `json:"checks,omitempty"`
}

type httpCheck struct {
	Path   string `json:"path,omitempty"`
	Method string `json:"method,omitempty"`
}

// vm is a machine's size; memory is "512mb", "1gb" or a number of megabytes.
type vm struct {
	Size     string `json:"size,omitempty"`
	Memory   any    `json:"memory,omitempty"`
	MemoryMB int    `json:"memory_mb,omitempty"`
	CPUs     int    `json:"cpus,omitempty"`
	CPUKind  string `json:"cpu_kind,omitempty"`
}

// own is what fly.toml does not have. Machine is the config that the release gave
// its machines, without what the rest of the definition says: no image, variables
// or metadata.
type own struct {
	Label     string             `json:"label,omitempty"`
	Instances int                `json:"instances,omitempty"`
	Machine   *fly.MachineConfig `json:"machine,omitempty"`
}

// definition describes a release that is about to be rolled out over the machines that there are.
func (p *Platform) definition(ctx context.Context, app string, r platform.Release) definition {
	var base *fly.MachineConfig
	if machines, err := p.appMachines(ctx, app); err == nil && len(machines) > 0 {
		base = machines[0].GetConfig()
	}
	config := *machineConfig(base, r)
	guest := config.Guest
	config.Image, config.Env, config.Metadata, config.Mounts, config.Files = "", nil, nil, nil, nil
	d := definition{
		App: app, PrimaryRegion: r.Region, Env: r.Env,
		HTTPService: &httpService{InternalPort: r.Port},
		VM:          []vm{{Size: guest.ToSize(), Memory: memoryWord(guest.MemoryMB)}},
		Own:         own{Label: r.Label, Instances: r.Instances, Machine: &config},
	}
	if r.Health != "" {
		d.HTTPService.Checks = []httpCheck{{Path: r.Health, Method: "GET"}}
	}
	return d
}

// parseDefinition reads what an entry says; nil when it says nothing that is understood.
func parseDefinition(src json.RawMessage) *definition {
	var d definition
	if len(src) == 0 || json.Unmarshal(src, &d) != nil || d.HTTPService == nil && d.Own.Machine == nil && d.Env == nil {
		return nil
	}
	return &d
}

// release is what the definition says of a release.
func (d definition) release() platform.Release {
	r := platform.Release{Label: d.Own.Label, Region: d.PrimaryRegion, Env: d.Env, Instances: d.Own.Instances}
	if d.HTTPService != nil {
		r.Port = d.HTTPService.InternalPort
		if len(d.HTTPService.Checks) > 0 {
			r.Health = d.HTTPService.Checks[0].Path
		}
	}
	if g := d.guest(); g != nil {
		r.Size = sizeOf(g)
	}
	return r
}

// guest is the size that the definition asks for; nil when it asks for none.
func (d definition) guest() *fly.MachineGuest {
	if d.Own.Machine != nil && d.Own.Machine.Guest != nil {
		return d.Own.Machine.Guest
	}
	if len(d.VM) == 0 {
		return nil
	}
	v := d.VM[0]
	g, err := parseSize(cmp.Or(v.Size, "shared-cpu-1x"))
	if err != nil {
		return nil
	}
	g.CPUKind, g.CPUs = cmp.Or(v.CPUKind, g.CPUKind), cmp.Or(v.CPUs, g.CPUs)
	switch m := v.Memory.(type) {
	case string:
		if n, ok := parseMemory(m); ok {
			g.MemoryMB = n
		}
	case float64:
		g.MemoryMB = int(m)
	}
	g.MemoryMB = cmp.Or(v.MemoryMB, g.MemoryMB)
	return g
}

// config is the config for a machine of the release, over the one that it has. The
// volumes stay where they are: they hold the data, not the release.
func (d definition) config(have *fly.MachineConfig, r platform.Release) *fly.MachineConfig {
	base := have
	if d.Own.Machine != nil {
		recorded := *d.Own.Machine
		if have != nil {
			recorded.Metadata, recorded.Mounts, recorded.Files = have.Metadata, have.Mounts, have.Files
		}
		base = &recorded
	}
	return machineConfig(base, r)
}

// metaBefore remembers, on machines that took the place of ones that opsctl had
// not made, what those ran: no release of the ledger says so.
const metaBefore = "opsctl_before"

// rememberBefore notes a config of before opsctl in the one that replaces its machine.
func rememberBefore(c, base *fly.MachineConfig, instances int) {
	if base == nil || releaseNumber(base) != 0 || c.Metadata[metaBefore] != "" {
		return
	}
	r := release(base)
	r.Instances = instances
	if src, err := json.Marshal(r); err == nil {
		c.Metadata[metaBefore] = string(src)
	}
}

// before is the release of before opsctl that machines remember; nil when none does.
func before(machines []*fly.Machine) *platform.Release {
	for _, m := range machines {
		var r platform.Release
		if src := m.GetMetadataByKey(metaBefore); src != "" && json.Unmarshal([]byte(src), &r) == nil && r.Image != "" {
			r.Version = ""
			return &r
		}
	}
	return nil
}

// memoryWord is an amount of memory as fly.toml has it.
func memoryWord(mb int) string {
	if mb%1024 == 0 {
		return strconv.Itoa(mb/1024) + "gb"
	}
	return strconv.Itoa(mb) + "mb"
}

// parseMemory reads "512", "512mb" or "2gb", in megabytes.
func parseMemory(s string) (int, bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	factor := 1
	if rest, ok := strings.CutSuffix(s, "gb"); ok {
		s, factor = rest, 1024
	} else {
		s = strings.TrimSuffix(s, "mb")
	}
	n, err := strconv.Atoi(strings.TrimSpace(s))
	return n * factor, err == nil && n > 0
}
