package railway

import (
	"cmp"
	"context"
	"net"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/platform"
)

// Observe reads the app and its deployments.
func (p *Platform) Observe(ctx context.Context, app string) (*platform.State, error) {
	v, err := p.look(ctx, app)
	if err != nil {
		return nil, err
	}
	state := &platform.State{App: app, URL: v.url()}
	active := v.active()
	for _, d := range active {
		list := v.instances(d)
		state.Instances = append(state.Instances, list...)
		state.Mixed = state.Mixed || d.ID != active[0].ID && len(list) > 0
	}
	if len(active) > 0 {
		current := v.release(active[0])
		current.Instances = cmp.Or(len(v.instances(active[0])), current.Instances)
		state.Current = &current
	}
	state.Secrets = v.secrets(active)
	return state, nil
}

// url is where the app is reached; "" when it has no address.
func (v *view) url() string {
	for _, d := range v.instance.Domains.Service {
		return webAddress(d.Domain)
	}
	for _, d := range v.instance.Domains.Custom {
		return webAddress(d.Domain)
	}
	return ""
}

// webAddress is the URL of a domain. One of this machine, such as the emulator's, has no certificate.
func webAddress(domain string) string {
	if strings.Contains(domain, "://") {
		return strings.TrimRight(domain, "/")
	}
	if loopback(domain) {
		return "http://" + domain
	}
	return "https://" + domain
}

// loopback tells whether a host, with or without a port, is this machine.
func loopback(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || net.ParseIP(host).IsLoopback()
}

// active are the deployments that serve, the current one first. One that
// crashed counts only when nothing else serves.
func (v *view) active() []deployment {
	var out, crashed []deployment
	for _, d := range v.deployments {
		switch d.Status {
		case statusSuccess, statusSleeping:
			out = append(out, d)
		case statusCrashed:
			crashed = append(crashed, d)
		}
	}
	if len(out) == 0 && len(crashed) > 0 {
		return crashed[:1]
	}
	return out
}

// instances are the copies of a deployment that there are.
func (v *view) instances(d deployment) []platform.Instance {
	release := v.release(d)
	region := cmp.Or(d.meta().region(), v.instance.Region)
	var out []platform.Instance
	for _, i := range d.Instances {
		one := platform.Instance{
			ID: i.ID, Region: region, State: strings.ToLower(i.Status), Release: release.Version, Image: release.Image,
			Health: platform.Unknown, Began: d.Created,
		}
		switch i.Status {
		case "REMOVED", "REMOVING", "STOPPED", "SKIPPED":
			continue
		case "RUNNING":
			one.State = platform.Started
			// Railway checks the health before it calls a deployment a success, and not again.
			if d.Status == statusSuccess && release.Health != "" {
				one.Health = platform.Healthy
			}
		case "CRASHED", "EXITED", "RESTARTING":
			one.Health = platform.Unhealthy
			one.Failing = []string{"the process is " + one.State}
		}
		out = append(out, one)
	}
	return out
}

// release is a deployment in the words of package platform: as opsctl wrote it
// down, and for what somebody else deployed, as the platform tells.
func (v *view) release(d deployment) platform.Release {
	m := d.meta()
	e, ours := v.record.Releases[d.ID]
	if !ours {
		e = v.record.newest()
		e.Restored, e.Label, e.Command, e.Failed = false, "", nil, false
		e.Image, e.Env = "", nil // another release's variables are not this one's
		e.Health = cmp.Or(v.instance.HealthcheckPath, e.Health)
		e.Instances = cmp.Or(v.instance.Replicas, e.Instances)
	}
	r := e.release(d.ID)
	// The platform's word counts, but it knows a build from source by its commit at most.
	if r.Image == "" || !strings.Contains(r.Image, ":sha256:") || strings.Contains(r.Image, "@") {
		r.Image = cmp.Or(m.Image, r.Image)
	}
	if r.Image == "" {
		r.Image = "deployment:" + cmp.Or(m.ImageDigest, m.CommitHash, d.ID)
	}
	r.Region = cmp.Or(m.region(), r.Region, v.instance.Region)
	r.Restored = r.Restored || m.Reason == "rollback"
	r.Created, r.Status = d.Created, releaseStatus(d, e)
	if d.Creator != nil {
		r.Author = cmp.Or(d.Creator.Email, d.Creator.Name)
	}
	r.Message = cmp.Or(m.CLIMessage, m.CommitMessage)
	return r
}

func releaseStatus(d deployment, e entry) platform.ReleaseStatus {
	switch {
	case e.Failed || d.Status == statusFailed || d.Status == statusCrashed:
		return platform.Failed
	case d.Status == statusSkipped:
		return platform.Interrupted
	case unfinished(d.Status):
		return platform.Running
	default: // also what was superseded
		return platform.Complete
	}
}

// secrets are the variables that are neither opsctl's nor of the release.
func (v *view) secrets(active []deployment) []platform.Secret {
	var out []platform.Secret
	for _, n := range v.nodes {
		if hidden(n.Name) || v.plain(n.Name) {
			continue
		}
		pending := len(active) == 0 || slices.Contains(v.record.Staged, n.Name) || n.Updated.After(active[0].Created)
		out = append(out, platform.Secret{Name: n.Name, Pending: pending})
	}
	return out
}

// Releases lists the deployments, which are Railway's own ledger.
func (p *Platform) Releases(ctx context.Context, app string, limit int) ([]platform.Release, error) {
	v, err := p.look(ctx, app)
	if err != nil {
		return nil, err
	}
	list := v.deployments
	if limit > 0 {
		list = list[:min(limit, len(list))]
	}
	out := make([]platform.Release, 0, len(list))
	for _, d := range list {
		out = append(out, v.release(d))
	}
	return out, nil
}
