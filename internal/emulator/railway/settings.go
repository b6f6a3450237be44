package railway

import (
	"encoding/json"
	"maps"
	"slices"
)

// source is where a service comes from.
type source struct {
	Image, Repo string
}

// apply takes the source over; nil leaves the settings alone.
func (src *source) apply(set *settings) {
	if src != nil && (src.Image != "" || src.Repo != "") {
		set.Image, set.Repo = src.Image, src.Repo
	}
}

// credentials are for a private registry. The emulator's needs none.
type credentials struct{ Username, Password string }

// deployable reports whether there is something to deploy.
func (i *instance) deployable() bool {
	return i.Settings.Image != "" || i.Settings.Repo != "" || i.Upload != ""
}

func (set settings) builder() string {
	if set.Builder == "" {
		return "RAILPACK"
	}
	return set.Builder
}

func (set settings) restartPolicy() string {
	if set.RestartPolicyType == "" {
		return "ON_FAILURE"
	}
	return set.RestartPolicyType
}

func (set settings) maxRetries() int {
	if set.RestartPolicyMaxRetries == nil {
		return 10
	}
	return *set.RestartPolicyMaxRetries
}

// defaultRegion is where a service runs that names none.
const defaultRegion = "us-west2"

// replicas are the regions that run one each, one entry a replica.
func (set settings) replicas() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(set.Regions)) {
		for range set.Regions[name] {
			out = append(out, name)
		}
	}
	if len(set.Regions) > 0 {
		return out
	}
	name := set.Region
	if name == "" {
		name = defaultRegion
	}
	return slices.Repeat([]string{name}, max(set.NumReplicas, 1))
}

// multiRegion is multiRegionConfig as the API shows it.
func (set settings) multiRegion() map[string]any {
	count := map[string]int{}
	for _, name := range set.replicas() {
		count[name]++
	}
	out := map[string]any{}
	for name, n := range count {
		out[name] = map[string]any{"numReplicas": n}
	}
	return out
}

// settingsInput is ServiceInstanceUpdateInput. A field that isn't there is
// left alone; null takes a setting away.
type settingsInput map[string]json.RawMessage

// The fields of ServiceInstanceUpdateInput that are kept but mean nothing here.
func inert() []string {
	return []string{"nixpacksPlan", "ipv6EgressEnabled"}
}

// apply changes the settings; an unknown field or a value that the platform
// refuses is an error, and nothing has changed then.
func (in settingsInput) apply(to *settings) error {
	set := *to
	targets := map[string]any{
		"buildCommand": &set.BuildCommand, "builder": &set.Builder, "cronSchedule": &set.CronSchedule, "dockerfilePath": &set.DockerfilePath,
		"drainingSeconds": &set.DrainingSeconds, "healthcheckPath": &set.HealthcheckPath, "healthcheckTimeout": &set.HealthcheckTimeout,
		"numReplicas": &set.NumReplicas, "overlapSeconds": &set.OverlapSeconds, "preDeployCommand": (*names)(&set.PreDeployCommand),
		"railwayConfigFile": &set.RailwayConfigFile, "region": &set.Region, "restartPolicyMaxRetries": &set.RestartPolicyMaxRetries,
		"restartPolicyType": &set.RestartPolicyType, "rootDirectory": &set.RootDirectory, "sleepApplication": &set.SleepApplication,
		"startCommand": &set.StartCommand, "watchPatterns": (*names)(&set.WatchPatterns),
	}
	for name, raw := range in {
		var err error
		switch target := targets[name]; {
		case name == "source":
			err = setSource(&set, raw)
		case name == "multiRegionConfig":
			err = set.mergeRegions(raw)
		case name == "registryCredentials":
			set.Credentials = string(raw) != "null"
		case slices.Contains(inert(), name):
		case target == nil:
			return invalid(`Field %q is not defined by type "ServiceInstanceUpdateInput".`, name)
		case string(raw) == "null":
			clearSetting(target)
		default:
			err = json.Unmarshal(raw, target)
		}
		if err != nil {
			return invalid("%s got an invalid value", name)
		}
	}
	if _, given := in["numReplicas"]; given {
		set.Regions = nil
	}
	if err := set.check(); err != nil {
		return err
	}
	*to = set
	return nil
}

func setSource(set *settings, raw json.RawMessage) error {
	var src source
	if err := json.Unmarshal(raw, &src); err != nil {
		return err
	}
	set.Image, set.Repo = src.Image, src.Repo
	return nil
}

// mergeRegions lays {"us-west2": {"numReplicas": 2}, ...} over what there is, as
// the platform does: a region that is not named stays, null takes one away.
func (set *settings) mergeRegions(raw json.RawMessage) error {
	var in map[string]*struct{ NumReplicas int }
	if err := json.Unmarshal(raw, &in); err != nil {
		return err
	}
	out := map[string]int{}
	if in != nil && (len(set.Regions) > 0 || set.Region != "" || set.NumReplicas > 0) {
		for _, name := range set.replicas() {
			out[name]++
		}
	}
	for name, c := range in {
		if c == nil {
			delete(out, name)
		} else {
			out[name] = max(c.NumReplicas, 1)
		}
	}
	set.Regions = nil
	if len(out) > 0 {
		set.Regions = out
	}
	return nil
}

func clearSetting(target any) {
	switch t := target.(type) {
	case *string:
		*t = ""
	case *int:
		*t = 0
	case **int:
		*t = nil
	case *bool:
		*t = false
	case *names:
		*t = nil
	}
}

func (set settings) check() error {
	switch {
	case !slices.Contains([]string{"", "HEROKU", "NIXPACKS", "PAKETO", "RAILPACK"}, set.Builder):
		return invalid(`Value %q does not exist in "Builder" enum.`, set.Builder)
	case !slices.Contains([]string{"", "ALWAYS", "NEVER", "ON_FAILURE"}, set.RestartPolicyType):
		return invalid(`Value %q does not exist in "RestartPolicyType" enum.`, set.RestartPolicyType)
	case set.HealthcheckPath != "" && set.HealthcheckPath[0] != '/':
		return invalid("healthcheckPath must start with a slash")
	case set.HealthcheckTimeout < 0 || set.HealthcheckTimeout > 3600:
		return invalid("healthcheckTimeout must be between 0 and 3600 seconds")
	case set.NumReplicas < 0 || set.NumReplicas > 50:
		return invalid("numReplicas must be between 1 and 50")
	case set.OverlapSeconds < 0 || set.DrainingSeconds < 0:
		return invalid("overlapSeconds and drainingSeconds must not be negative")
	case !knownRegion(set.Region):
		return invalid("Region %s not found", set.Region)
	}
	for name := range set.Regions {
		if !knownRegion(name) {
			return invalid("Region %s not found", name)
		}
	}
	return nil
}

func (s *Server) updateInstance(c *caller) resolver {
	return func(args arguments) (any, error) {
		in, err := input[settingsInput](args, "input")
		if err != nil {
			return nil, err
		}
		list, err := s.instances(c, args.str("serviceId"), args.str("environmentId"))
		if err != nil {
			return nil, err
		}
		for _, i := range list {
			if err := in.apply(&i.Settings); err != nil {
				return nil, err
			}
			i.UpdatedAt = s.w.Now()
		}
		s.touch()
		return true, nil
	}
}
