package fly

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"sort"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// config is the part of a machine's config (fly.MachineConfig) that the
// emulator acts on; the whole document is kept beside it as it came.
type config struct {
	Image    string            `json:"image"`
	Env      map[string]string `json:"env"`
	Metadata map[string]string `json:"metadata"`
	Init     struct {
		Exec       []string `json:"exec"`
		Entrypoint []string `json:"entrypoint"`
		Cmd        []string `json:"cmd"`
	} `json:"init"`
	Restart struct {
		Policy     string `json:"policy"`
		MaxRetries int    `json:"max_retries"`
	} `json:"restart"`
	Services []struct {
		Protocol     string  `json:"protocol"`
		InternalPort int     `json:"internal_port"`
		Checks       []check `json:"checks"`
	} `json:"services"`
	Checks      map[string]check `json:"checks"`
	AutoDestroy bool             `json:"auto_destroy"`
	StopConfig  struct {
		Signal  string   `json:"signal"`
		Timeout duration `json:"timeout"`
	} `json:"stop_config"`
	Mounts []struct {
		Volume string `json:"volume"`
	} `json:"mounts"`
}

type check struct {
	Port          int      `json:"port"`
	Type          string   `json:"type"`
	Kind          string   `json:"kind"`
	Interval      duration `json:"interval"`
	Timeout       duration `json:"timeout"`
	Grace         duration `json:"grace_period"`
	Method        string   `json:"method"`
	Path          string   `json:"path"`
	Protocol      string   `json:"protocol"`
	TLSSkipVerify bool     `json:"tls_skip_verify"`
	Headers       []struct {
		Name   string   `json:"name"`
		Values []string `json:"values"`
	} `json:"headers"`
}

// duration is "10s" or a number of nanoseconds.
type duration time.Duration

// UnmarshalJSON accepts both forms.
func (d *duration) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		if s == "" {
			return nil
		}
		v, err := time.ParseDuration(s)
		*d = duration(v)
		return err
	}
	var n int64
	if err := json.Unmarshal(b, &n); err != nil {
		return fmt.Errorf("duration %s is neither a string nor a number", b)
	}
	*d = duration(n)
	return nil
}

// parseConfig reads a machine config and checks what the platform would check.
func parseConfig(raw json.RawMessage) (config, map[string]any, error) {
	var c config
	var doc map[string]any
	if len(raw) == 0 || string(raw) == "null" {
		return c, nil, fail(http.StatusBadRequest, "invalid machine config: config is required")
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return c, nil, fail(http.StatusBadRequest, "invalid machine config: "+err.Error())
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return c, nil, fail(http.StatusBadRequest, "invalid machine config: "+err.Error())
	}
	if c.Image == "" {
		return c, nil, fail(http.StatusBadRequest, "invalid machine config: image is required")
	}
	switch c.Restart.Policy {
	case "", "no", "always", "on-failure":
	default:
		return c, nil, fail(http.StatusBadRequest, "invalid machine config: restart policy "+c.Restart.Policy)
	}
	if c.StopConfig.Signal != "" {
		if _, err := world.ParseSignal(c.StopConfig.Signal); err != nil {
			return c, nil, fail(http.StatusBadRequest, "invalid machine config: "+err.Error())
		}
	}
	for i, svc := range c.Services {
		if svc.InternalPort < 1 || svc.InternalPort > 65535 {
			return c, nil, fail(http.StatusBadRequest, fmt.Sprintf("invalid machine config: services[%d].internal_port must be 1 to 65535", i))
		}
	}
	prune(doc)
	return c, doc, nil
}

// prune drops nulls: clients send them for absent values, the API never shows them.
func prune(v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if e == nil {
				delete(v, k)
			}
			prune(e)
		}
	case []any:
		for _, e := range v {
			prune(e)
		}
	}
}

// spec turns a machine's config into what the world runs. Callers hold s.mu.
func (s *Server) spec(a *app, m *machine) world.Spec {
	c := m.config
	sp := world.Spec{
		Env: map[string]string{}, Restart: world.RestartPolicy(c.Restart.Policy), MaxRetries: c.Restart.MaxRetries,
		StopTimeout: time.Duration(c.StopConfig.Timeout), AutoDestroy: c.AutoDestroy,
	}
	if sp.Restart == "" {
		sp.Restart = world.RestartOnFailure
	}
	if sp.MaxRetries == 0 {
		sp.MaxRetries = 10
	}
	if sig, err := world.ParseSignal(c.StopConfig.Signal); err == nil {
		sp.StopSignal = sig
	}
	switch { // exec replaces everything, entrypoint and cmd what the image says
	case len(c.Init.Exec) > 0:
		sp.Argv = c.Init.Exec
	case len(c.Init.Entrypoint)+len(c.Init.Cmd) > 0:
		sp.Argv = append(append([]string{}, c.Init.Entrypoint...), c.Init.Cmd...)
	}
	maps.Copy(sp.Env, m.secrets)
	maps.Copy(sp.Env, c.Env)
	sp.Identity = s.identity(a, m)
	maps.Copy(sp.Env, sp.Identity)
	sp.Port, sp.Checks = c.checks()
	return sp
}

// identity is the environment that Fly gives to every machine.
func (s *Server) identity(a *app, m *machine) map[string]string {
	region := m.config.Env["PRIMARY_REGION"]
	if region == "" {
		region = m.region
	}
	group := m.config.Metadata["fly_process_group"]
	if group == "" {
		group = "app"
	}
	return map[string]string{
		"FLY_APP_NAME": a.name, "FLY_MACHINE_ID": m.id, "FLY_ALLOC_ID": m.id, "FLY_IMAGE_REF": m.config.Image,
		"FLY_REGION": m.region, "PRIMARY_REGION": region, "FLY_MACHINE_VERSION": m.version,
		"FLY_PROCESS_GROUP": group, "FLY_PRIVATE_IP": m.privateIP,
	}
}

// checks returns the port that the app listens on, and all checks. Service
// checks get the names that Fly shows, and both they and top-level checks of
// kind readiness decide about routing.
func (c config) checks() (port int, out []world.Check) {
	for _, svc := range c.Services {
		if port == 0 {
			port = svc.InternalPort
		}
		for _, ck := range svc.Checks {
			if ck.Port == 0 {
				ck.Port = svc.InternalPort
			}
			w := ck.world()
			w.Gate = true
			w.Name = fmt.Sprintf("servicecheck-%02d-%s-%d", len(out), w.Type, ck.Port)
			out = append(out, w)
		}
	}
	names := make([]string, 0, len(c.Checks))
	for n := range c.Checks {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		ck := c.Checks[n]
		if port == 0 {
			port = ck.Port
		}
		w := ck.world()
		w.Name, w.Gate = n, ck.Kind == "readiness"
		out = append(out, w)
	}
	return port, out
}

func (c check) world() world.Check {
	w := world.Check{
		Type: strings.ToLower(c.Type), Port: c.Port, Method: c.Method, Path: c.Path, TLS: c.Protocol == "https", SkipTLS: c.TLSSkipVerify,
		Interval: time.Duration(c.Interval), Timeout: time.Duration(c.Timeout), Grace: time.Duration(c.Grace), Headers: http.Header{},
	}
	if w.Type == "" {
		w.Type = "http"
	}
	for _, h := range c.Headers {
		w.Headers[h.Name] = h.Values
	}
	return w
}
