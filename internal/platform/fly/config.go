package fly

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/superfly/fly-go"

	"github.com/opsctl/opsctl/internal/platform"
)

// Metadata of opsctl's own on machines, beside Fly's.
const (
	metaLabel     = "opsctl_release"
	metaInstances = "opsctl_instances"
	metaSize      = "opsctl_size"     // as it was asked for
	metaPostgres  = "opsctl_postgres" // id of the app's database, which saves looking for it by name
)

// The health check of a service. The deadline is the deploy's; these only
// decide how soon a change is seen.
var (
	checkInterval = fly.Duration{Duration: 2 * time.Second}
	checkTimeout  = fly.Duration{Duration: 5 * time.Second}
	checkGrace    = fly.Duration{Duration: time.Second}
)

// internalEnv are variables that the adapter sets itself; they are no part of a release.
var internalEnv = []string{"PORT", "FLY_PROCESS_GROUP", "PRIMARY_REGION", "OPSCTL_RELEASE"}

// machineConfig lays a release over an existing config: what the user tuned on
// the machine (size, mounts, further services) stays.
func machineConfig(base *fly.MachineConfig, r platform.Release) *fly.MachineConfig {
	c := &fly.MachineConfig{}
	if base != nil {
		copied := *base
		c = &copied
	}
	c.Image = r.Image
	c.Env = maps.Clone(r.Env)
	if c.Env == nil {
		c.Env = map[string]string{}
	}
	c.Env["PORT"] = strconv.Itoa(r.Port)
	c.Env["FLY_PROCESS_GROUP"] = fly.MachineProcessGroupApp
	c.Env["PRIMARY_REGION"] = r.Region
	c.Env["OPSCTL_RELEASE"] = r.Label
	c.Metadata = maps.Clone(c.Metadata)
	if c.Metadata == nil {
		c.Metadata = map[string]string{}
	}
	maps.Copy(c.Metadata, map[string]string{
		fly.MachineConfigMetadataKeyFlyPlatformVersion: fly.MachineFlyPlatformVersion2,
		fly.MachineConfigMetadataKeyFlyProcessGroup:    fly.MachineProcessGroupApp,
		fly.MachineConfigMetadataKeyFlyReleaseId:       r.ID,
		fly.MachineConfigMetadataKeyFlyReleaseVersion:  cmp.Or(r.Version, "0"),
		metaLabel:     r.Label,
		metaInstances: strconv.Itoa(r.Instances),
	})
	delete(c.Metadata, fly.MachineConfigMetadataKeyFlyctlBGTag)
	switch {
	case r.Size != "":
		resize(c, r.Size)
	case c.Guest == nil:
		c.Guest, _ = parseSize(defaultSize)
	}
	if c.Restart == nil {
		c.Restart = &fly.MachineRestart{Policy: fly.MachineRestartPolicyOnFailure, MaxRetries: 10}
	}
	c.Services = services(c.Services, r)
	return c
}

// services replaces the first service, which is the app's, and keeps the rest.
func services(have []fly.MachineService, r platform.Release) []fly.MachineService {
	web := fly.MachineService{
		Autostop:  fly.Pointer(fly.MachineAutostopOff),
		Autostart: new(true),
		Concurrency: &fly.MachineServiceConcurrency{
			Type: "requests", SoftLimit: 200, HardLimit: 250,
		},
	}
	if len(have) > 0 {
		web = have[0]
	}
	web.Protocol, web.InternalPort = "tcp", r.Port
	if len(web.Ports) == 0 {
		web.Ports = []fly.MachinePort{
			{Port: new(80), Handlers: []string{"http"}, ForceHTTPS: true},
			{Port: new(443), Handlers: []string{"http", "tls"}},
		}
	}
	web.Checks = nil
	if r.Health != "" {
		web.Checks = []fly.MachineServiceCheck{{
			Type: new("http"), HTTPMethod: new("GET"), HTTPPath: new(r.Health),
			Interval: &checkInterval, Timeout: &checkTimeout, GracePeriod: &checkGrace,
		}}
	}
	if len(have) > 1 {
		return append([]fly.MachineService{web}, have[1:]...)
	}
	return []fly.MachineService{web}
}

// release reads back what machineConfig wrote.
func release(c *fly.MachineConfig) platform.Release {
	r := platform.Release{
		ID: c.Metadata[fly.MachineConfigMetadataKeyFlyReleaseId], Version: releaseVersion(c),
		Label: c.Metadata[metaLabel], Image: c.Image, Region: c.Env["PRIMARY_REGION"],
		Size: sizeText(c),
	}
	r.Instances, _ = strconv.Atoi(c.Metadata[metaInstances])
	for k, v := range c.Env {
		if !slices.Contains(internalEnv, k) {
			if r.Env == nil {
				r.Env = map[string]string{}
			}
			r.Env[k] = v
		}
	}
	if len(c.Services) > 0 {
		web := c.Services[0]
		r.Port = web.InternalPort
		if len(web.Checks) > 0 && web.Checks[0].HTTPPath != nil {
			r.Health = *web.Checks[0].HTTPPath
		}
	}
	return r
}

// releaseVersion is the number of the release that wrote a config; "" for what was
// there before opsctl.
func releaseVersion(c *fly.MachineConfig) string {
	n := releaseNumber(c)
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// releaseNumber is releaseVersion to compare by; 0 is before all others.
func releaseNumber(c *fly.MachineConfig) int {
	if c == nil {
		return 0
	}
	n, _ := strconv.Atoi(c.Metadata[fly.MachineConfigMetadataKeyFlyReleaseVersion])
	return n
}

// instance is a machine in the words of package platform.
func instance(m *fly.Machine) platform.Instance {
	i := platform.Instance{
		ID: m.ID, Region: m.Region, State: m.State, Release: releaseVersion(m.GetConfig()),
		Image: m.GetConfig().Image, Health: platform.Unknown, Began: started(m), Idle: idle(m),
	}
	m.RemoveCompatChecks()
	for _, c := range m.Checks {
		switch c.Status {
		case fly.Passing:
			if i.Health == platform.Unknown {
				i.Health = platform.Healthy
			}
		case fly.Critical, fly.Warning:
			i.Health = platform.Unhealthy
			i.Failing = append(i.Failing, checkOutput(c.Output))
		}
	}
	return i
}

// idle tells whether a machine is stopped because nobody asks for it: Fly's proxy may
// stop it, down to the last one, and starts it with the next request. One that ended
// by itself and badly is not idle.
func idle(m *fly.Machine) bool {
	if m.State != fly.MachineStateStopped && m.State != fly.MachineStateSuspended {
		return false
	}
	if last := newestExit(m); last != nil && last.ExitCode != 0 && !last.RequestedStop {
		return false
	}
	return slices.ContainsFunc(m.GetConfig().Services, func(s fly.MachineService) bool {
		stops := s.Autostop != nil && *s.Autostop != fly.MachineAutostopOff
		starts := s.Autostart != nil && *s.Autostart
		return stops && starts && (s.MinMachinesRunning == nil || *s.MinMachinesRunning == 0)
	})
}

// maxCheckOutput keeps a check's output to a line; apps answer with whole documents.
const maxCheckOutput = 120

// checkOutput is what a failed check saw, without the answer's body that Fly appends.
func checkOutput(s string) string {
	s, _, _ = strings.Cut(s, " Output:")
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	if len(s) > maxCheckOutput {
		s = strings.ToValidUTF8(s[:maxCheckOutput], "") + "…"
	}
	if s == "" {
		return "no output"
	}
	return s
}
