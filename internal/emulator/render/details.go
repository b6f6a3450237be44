package render

import (
	"encoding/json"
	"slices"
	"strings"
)

// details are the settings that depend on a service's type.
type details struct {
	Runtime, Plan, Region string
	DockerCommand         string
	DockerContext         string
	DockerfilePath        string
	BuildCommand          string
	StartCommand          string
	PreDeployCommand      string
	HealthCheckPath       string
	Schedule, PublishPath string
	SubdomainPolicy       string
	PullRequestPreviews   string
	NumInstances          int
	MaxShutdown           int             // seconds
	Autoscaling           json.RawMessage `json:",omitempty"`
	Maintenance           json.RawMessage `json:",omitempty"`
	Previews              json.RawMessage `json:",omitempty"`
	Cache                 json.RawMessage `json:",omitempty"`
	Disk                  *disk
}

type disk struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	MountPath string `json:"mountPath"`
	SizeGB    int    `json:"sizeGB"`
}

// detailsInput is serviceDetails of a request; what is nil stays.
type detailsInput struct {
	Runtime             *string         `json:"runtime"`
	Env                 *string         `json:"env"` // the older name of runtime
	Plan                *string         `json:"plan"`
	Region              *string         `json:"region"`
	PreDeployCommand    *string         `json:"preDeployCommand"`
	HealthCheckPath     *string         `json:"healthCheckPath"`
	Schedule            *string         `json:"schedule"`
	PublishPath         *string         `json:"publishPath"`
	BuildCommand        *string         `json:"buildCommand"` // of a static site
	SubdomainPolicy     *string         `json:"renderSubdomainPolicy"`
	PullRequestPreviews *string         `json:"pullRequestPreviewsEnabled"`
	NumInstances        *int            `json:"numInstances"`
	MaxShutdown         *int            `json:"maxShutdownDelaySeconds"`
	Autoscaling         json.RawMessage `json:"autoscaling"`
	Maintenance         json.RawMessage `json:"maintenanceMode"`
	Previews            json.RawMessage `json:"previews"`
	Cache               json.RawMessage `json:"cache"`
	Disk                *disk           `json:"disk"`
	Specific            struct {
		DockerCommand  *string `json:"dockerCommand"`
		DockerContext  *string `json:"dockerContext"`
		DockerfilePath *string `json:"dockerfilePath"`
		CredentialID   *string `json:"registryCredentialId"`
		BuildCommand   *string `json:"buildCommand"`
		StartCommand   *string `json:"startCommand"`
	} `json:"envSpecificDetails"`
}

const (
	webService    = "web_service"
	privateServ   = "private_service"
	worker        = "background_worker"
	cronJob       = "cron_job"
	staticSite    = "static_site"
	defaultRegion = "oregon"
	// appPort is where a service listens unless it says otherwise in PORT.
	appPort = 10000
)

func serviceTypes() []string { return []string{webService, privateServ, worker, cronJob, staticSite} }

// shortType is RENDER_SERVICE_TYPE and the type in links of environment groups.
func shortType(t string) string {
	return map[string]string{webService: "web", privateServ: "pserv", worker: "worker", cronJob: "cron", staticSite: "static"}[t]
}

func regions() []string { return []string{"frankfurt", "oregon", "ohio", "singapore", "virginia"} }

func runtimes() []string {
	return []string{"docker", "elixir", "go", "node", "python", "ruby", "rust", "image"}
}

func plans() []string {
	return []string{"starter", "starter_plus", "standard", "standard_plus", "pro", "pro_plus", "pro_max", "pro_ultra", "free", "custom"}
}

// newDetails are the settings of a new service.
func (s *Server) newDetails(typ string, in detailsInput) (details, error) {
	d := details{
		Plan: "starter", Region: defaultRegion, NumInstances: 1, MaxShutdown: 30, DockerContext: ".", DockerfilePath: "./Dockerfile",
		SubdomainPolicy: "enabled", PullRequestPreviews: "no",
	}
	if in.Region != nil {
		d.Region = *in.Region
	}
	if in.NumInstances != nil {
		d.NumInstances = *in.NumInstances
	}
	if given(in.Autoscaling) {
		d.Autoscaling = in.Autoscaling
	}
	if in.Disk != nil {
		d.Disk = in.Disk
		d.Disk.ID = s.id("dsk")
		if d.Disk.SizeGB == 0 {
			d.Disk.SizeGB = 10
		}
	}
	switch {
	case !slices.Contains(regions(), d.Region):
		return d, bad("invalid region %q", d.Region)
	case typ == cronJob && in.Schedule == nil:
		return d, bad("a cron job needs a schedule")
	case d.NumInstances < 1 || d.NumInstances > 100:
		return d, bad("numInstances must be between 1 and 100")
	case d.Disk != nil && d.NumInstances > 1:
		return d, bad("a service with a disk has one instance")
	}
	if err := d.change(in); err != nil {
		return d, err
	}
	if typ != staticSite && d.Runtime == "" {
		return d, bad("serviceDetails.runtime is required")
	}
	return d, nil
}

// change applies what a request may change later.
func (d *details) change(in detailsInput) error {
	sp := in.Specific
	runtime := in.Runtime
	if runtime == nil {
		runtime = in.Env
	}
	for to, from := range map[*string]*string{
		&d.Runtime: runtime, &d.Plan: in.Plan, &d.PreDeployCommand: in.PreDeployCommand, &d.HealthCheckPath: in.HealthCheckPath,
		&d.Schedule: in.Schedule, &d.PublishPath: in.PublishPath, &d.SubdomainPolicy: in.SubdomainPolicy,
		&d.PullRequestPreviews: in.PullRequestPreviews, &d.DockerCommand: sp.DockerCommand, &d.DockerContext: sp.DockerContext,
		&d.DockerfilePath: sp.DockerfilePath, &d.StartCommand: sp.StartCommand,
	} {
		if from != nil {
			*to = *from
		}
	}
	for _, from := range []*string{in.BuildCommand, sp.BuildCommand} {
		if from != nil {
			d.BuildCommand = *from
		}
	}
	for to, from := range map[*json.RawMessage]json.RawMessage{&d.Maintenance: in.Maintenance, &d.Previews: in.Previews, &d.Cache: in.Cache} {
		if given(from) {
			*to = from
		}
	}
	if in.MaxShutdown != nil {
		d.MaxShutdown = *in.MaxShutdown
	}
	return d.valid()
}

// given reports whether a part of a request is there and not null.
func given(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

func (d *details) valid() error {
	switch {
	case d.Runtime != "" && !slices.Contains(runtimes(), d.Runtime):
		return bad("invalid runtime %q", d.Runtime)
	case !slices.Contains(plans(), d.Plan):
		return bad("invalid plan %q", d.Plan)
	case d.MaxShutdown < 1 || d.MaxShutdown > 300:
		return bad("maxShutdownDelaySeconds must be between 1 and 300")
	case d.HealthCheckPath != "" && !strings.HasPrefix(d.HealthCheckPath, "/"):
		return bad("healthCheckPath must begin with /")
	case d.PreDeployCommand != "" && d.Plan == "free":
		return bad("a pre-deploy command needs a paid plan")
	}
	for _, cmd := range []string{d.PreDeployCommand, d.DockerCommand} {
		if _, fine := words(cmd); !fine {
			return bad("a command has unbalanced quotes")
		}
	}
	return nil
}

// native runtimes run their commands in a shell; images have their own.
func (d *details) native() bool { return d.Runtime != "docker" && d.Runtime != "image" }

// doc is serviceDetails as the API shows it.
func (s *Server) detailsDoc(v *service) map[string]any {
	d := v.Details
	if v.Type == staticSite {
		return map[string]any{
			"buildCommand": d.BuildCommand, "publishPath": d.PublishPath, "url": s.url(v), "buildPlan": "starter",
			"pullRequestPreviewsEnabled": d.PullRequestPreviews, "renderSubdomainPolicy": d.SubdomainPolicy,
		}
	}
	specific := map[string]any{"dockerCommand": d.DockerCommand, "dockerContext": d.DockerContext, "dockerfilePath": d.DockerfilePath}
	if d.native() {
		specific = map[string]any{"buildCommand": d.BuildCommand, "startCommand": d.StartCommand}
	}
	if d.PreDeployCommand != "" {
		specific["preDeployCommand"] = d.PreDeployCommand
	}
	doc := map[string]any{
		"env": d.Runtime, "runtime": d.Runtime, "envSpecificDetails": specific, "plan": d.Plan, "region": d.Region, "buildPlan": "starter",
	}
	if v.Type == cronJob {
		doc["schedule"] = d.Schedule
		return doc
	}
	doc["numInstances"], doc["maxShutdownDelaySeconds"], doc["pullRequestPreviewsEnabled"] = d.NumInstances, d.MaxShutdown, d.PullRequestPreviews
	for name, raw := range map[string]json.RawMessage{"autoscaling": d.Autoscaling, "previews": d.Previews} {
		if raw != nil {
			doc[name] = raw
		}
	}
	if d.Disk != nil {
		doc["disk"] = d.Disk
	}
	if v.Type == worker {
		return doc
	}
	doc["url"], doc["openPorts"] = s.url(v), []any{}
	if v.Running != nil {
		doc["openPorts"] = []any{map[string]any{"port": appPort, "protocol": "TCP"}}
	}
	if v.Type == webService {
		doc["healthCheckPath"], doc["renderSubdomainPolicy"] = d.HealthCheckPath, d.SubdomainPolicy
		for name, raw := range map[string]json.RawMessage{"maintenanceMode": d.Maintenance, "cache": d.Cache} {
			if raw != nil {
				doc[name] = raw
			}
		}
	}
	return doc
}

// words splits a command line at blanks outside quotes, as a shell would.
func words(text string) (out []string, fine bool) {
	var word strings.Builder
	var quote rune
	inside, escaped := false, false
	for _, c := range text {
		switch {
		case escaped:
			word.WriteRune(c)
			escaped = false
		case c == '\\' && quote != '\'':
			escaped, inside = true, true
		case quote != 0:
			if c == quote {
				quote = 0
			} else {
				word.WriteRune(c)
			}
		case c == '"' || c == '\'':
			quote, inside = c, true
		case strings.ContainsRune(" \t\r\n", c):
			if inside {
				out = append(out, word.String())
				word.Reset()
			}
			inside = false
		default:
			word.WriteRune(c)
			inside = true
		}
	}
	if inside {
		out = append(out, word.String())
	}
	return out, quote == 0 && !escaped
}
