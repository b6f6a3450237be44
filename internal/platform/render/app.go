package render

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/opsctl/opsctl/internal/platform"
)

// defaultPort is what Render tells an app that sets no PORT of its own.
const defaultPort = 10000

// CreateApp makes the project and the environment, when they are configured. The
// service itself is made by the first roll-out, because creating it deploys it;
// until then the app is remembered by this process, with the secrets staged for it.
func (p *Platform) CreateApp(ctx context.Context, spec platform.AppSpec) error {
	s, err := p.read(ctx, spec.Name)
	if err != nil || s.svc != nil {
		return err
	}
	ownerID, err := p.ownerID(ctx, spec.Org)
	if err != nil {
		return err
	}
	environment, err := p.environmentID(ctx, ownerID)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.owner = ownerID
	d := p.drafts[spec.Name]
	if d == nil {
		d = &draft{}
		p.drafts[spec.Name] = d
	}
	if d.secrets == nil {
		d.secrets = map[string]string{}
	}
	d.environment = environment
	return nil
}

// draftOf is what is gathered for an app without a service; nil when CreateApp was
// not called for it.
func (p *Platform) draftOf(app string) *draft {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d := p.drafts[app]; d != nil && d.secrets != nil {
		return d
	}
	return nil
}

// Observe reads the service, its variables and its deploys: three requests. The
// instances are told from their number, and named APP-1 and so on: Render knows
// of them no more than an id, and that costs a request of its own (Logs finds it
// by that name). A suspended service has none, and no current release.
func (p *Platform) Observe(ctx context.Context, app string) (*platform.State, error) {
	s, err := p.look(ctx, app)
	if err != nil {
		return nil, err
	}
	if s.svc == nil {
		d := p.draftOf(app)
		if d == nil {
			return nil, noApp(app)
		}
		state := &platform.State{App: app, URL: "https://" + app + ".onrender.com"}
		for _, name := range slices.Sorted(maps.Keys(d.secrets)) {
			state.Secrets = append(state.Secrets, platform.Secret{Name: name, Pending: true})
		}
		return state, nil
	}
	state := &platform.State{App: app, URL: strings.TrimRight(s.svc.Details.URL, "/")}
	running, err := p.liveDeploy(ctx, s)
	if err != nil {
		return nil, err
	}
	runs := running != nil && !s.svc.suspended()
	plain := s.ledger.plain()
	for _, name := range slices.Sorted(maps.Keys(s.env)) {
		if _, is := plain[name]; !is && !internal(name) {
			state.Secrets = append(state.Secrets, platform.Secret{Name: name, Pending: !runs || slices.Contains(s.ledger.Staged, name)})
		}
	}
	if !runs {
		return state, nil
	}
	state.Current = s.current(*running)
	state.Mixed = len(s.deploys) > 0 && s.deploys[0].Status == updating
	for i := range s.svc.Details.NumInstances {
		state.Instances = append(state.Instances, platform.Instance{
			ID: instanceName(app, i), Region: s.svc.Details.Region, State: platform.Started,
			Release: running.ID, Image: state.Current.Image, Health: s.health(), Began: running.FinishedAt,
		})
	}
	return state, nil
}

func instanceName(app string, i int) string { return app + "-" + strconv.Itoa(i+1) }

// health is healthy where Render checks: it takes instances that fail out of
// service and replaces them, and says nothing of it in the API.
func (s *snapshot) health() platform.Health {
	if s.svc.Details.HealthCheckPath == "" {
		return platform.Unknown
	}
	return platform.Healthy
}

// current is the release that serves. What the service is set up with counts as
// its own unless opsctl has set the service up for another one since.
func (s *snapshot) current(d deploy) *platform.Release {
	r := s.release(d)
	_, written := s.ledger.find(d.ID)
	if conf := s.ledger.Conf; !written || conf == nil || conf.Version == d.ID {
		r.Health, r.Size = s.svc.Details.HealthCheckPath, s.svc.Details.Plan
		r.Label = s.env[releaseName]
		r.Port = defaultPort
		if n, err := strconv.Atoi(s.env[portName]); err == nil {
			r.Port = n
		}
		r.Env = nil
		for name := range s.ledger.plain() {
			if value, there := s.env[name]; there {
				if r.Env == nil {
					r.Env = map[string]string{}
				}
				r.Env[name] = value
			}
		}
	}
	r.Instances = s.svc.Details.NumInstances
	return &r
}

// Releases is Render's list of deploys, with what opsctl wrote down of them.
func (p *Platform) Releases(ctx context.Context, app string, limit int) ([]platform.Release, error) {
	s, err := p.look(ctx, app)
	if err != nil {
		return nil, err
	}
	if s.svc == nil {
		if p.draftOf(app) == nil {
			return nil, noApp(app)
		}
		return nil, nil
	}
	deploys := s.deploys
	if limit > recentDeploys && len(deploys) >= recentDeploys {
		if deploys, err = p.listDeploys(ctx, s.svc.ID, limit); err != nil {
			return nil, explain(err, "list the deploys of %q", app)
		}
	}
	var out []platform.Release
	for _, d := range deploys {
		if limit > 0 && len(out) == limit {
			break
		}
		out = append(out, s.release(d))
	}
	return out, nil
}

// host is the name under which Render serves the service.
func (s *service) host() string {
	if u, err := url.Parse(s.Details.URL); err == nil && u.Hostname() != "" {
		return u.Hostname()
	}
	return s.Name + ".onrender.com"
}
