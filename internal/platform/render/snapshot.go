package render

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// snapshot is an app as it was read: three requests.
type snapshot struct {
	at      time.Time
	svc     *service // nil when there is none
	env     map[string]string
	deploys []deploy // newest first
	ledger  ledger
	lock    *lockEntry
}

// draft is an app of which Render knows nothing yet: its service is made by the
// first roll-out, with what has been gathered here.
type draft struct {
	environment string            // id
	secrets     map[string]string // staged
	lock        *lockEntry
}

// recentDeploys is how far back a snapshot looks.
const recentDeploys = 50

// look gives the app as it was read within the last seconds, or reads it.
func (p *Platform) look(ctx context.Context, app string) (*snapshot, error) {
	p.mu.Lock()
	s := p.seen[app]
	p.mu.Unlock()
	if s != nil && p.now().Sub(s.at) < p.o.Fresh {
		return s, nil
	}
	return p.read(ctx, app)
}

// read reads the app now.
func (p *Platform) read(ctx context.Context, app string) (*snapshot, error) {
	svc, err := p.findService(ctx, app)
	if err != nil {
		return nil, err
	}
	s := &snapshot{svc: svc, ledger: ledger{V: 1}}
	if svc != nil {
		if s.env, err = p.readEnv(ctx, svc.ID); err != nil {
			return nil, explain(err, "read the variables of %q", app)
		}
		if s.deploys, err = p.listDeploys(ctx, svc.ID, recentDeploys); err != nil {
			return nil, explain(err, "list the deploys of %q", app)
		}
		s.ledger, s.lock = readLedger(s.env[stateName]), readLock(s.env[lockName])
	}
	s.at = p.now()
	p.mu.Lock()
	p.seen[app] = s
	p.mu.Unlock()
	return s, nil
}

// forget makes the next look read again.
func (p *Platform) forget(app string) {
	p.mu.Lock()
	delete(p.seen, app)
	p.mu.Unlock()
}

// known is a snapshot of an app that has a service, or NotFound.
func (p *Platform) known(ctx context.Context, app string) (*snapshot, error) {
	s, err := p.look(ctx, app)
	if err != nil {
		return nil, err
	}
	if s.svc == nil {
		return nil, noApp(app)
	}
	return s, nil
}

func noApp(app string) error {
	return errs.New(errs.NotFound, "no service %q on Render", app).WithHint("run: opsctl deploy")
}

// findService finds the web service of that name; nil when there is none.
func (p *Platform) findService(ctx context.Context, app string) (*service, error) {
	query := url.Values{"name": {app}, "includePreviews": {"false"}}
	ownerID, err := p.knownOwner(ctx)
	if err != nil {
		return nil, err
	}
	if ownerID != "" {
		query.Set("ownerId", ownerID)
	}
	all, err := list[service](ctx, p, "/services", query, "service", 0)
	if err != nil {
		return nil, explain(err, "look for the service %q", app)
	}
	all = slices.DeleteFunc(all, func(s service) bool { return s.Name != app })
	if len(all) == 0 {
		return nil, nil
	}
	web := slices.DeleteFunc(slices.Clone(all), func(s service) bool { return s.Type != "web_service" })
	if len(web) == 0 {
		return nil, errs.New(errs.Conflict, "%q is a %s on Render, not a web service", app, strings.ReplaceAll(all[0].Type, "_", " ")).
			WithHint("choose another `app` for this environment in opsctl.yaml")
	}
	if i := slices.IndexFunc(web, func(s service) bool { return s.OwnerID != web[0].OwnerID }); i > 0 {
		return nil, errs.New(errs.Usage, "several workspaces have a service %q: %s and %s", app, web[0].OwnerID, web[i].OwnerID).
			WithHint("set RENDER_WORKSPACE to one of them")
	}
	p.mu.Lock()
	p.owner = web[0].OwnerID
	p.mu.Unlock()
	return new(slices.MinFunc(web, older)), nil
}

// older puts the service that was made first in front.
func older(a, b service) int {
	if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
		return c
	}
	return strings.Compare(a.ID, b.ID)
}

func (p *Platform) readEnv(ctx context.Context, id string) (map[string]string, error) {
	vars, err := list[envVar](ctx, p, servicePath(id)+"/env-vars", nil, "envVar", 0)
	if err != nil {
		return nil, err
	}
	out := make(map[string]string, len(vars))
	for _, v := range vars {
		out[v.Key] = v.Value
	}
	return out, nil
}

func (p *Platform) listDeploys(ctx context.Context, id string, most int) ([]deploy, error) {
	all, err := list[deploy](ctx, p, servicePath(id)+"/deploys", nil, "deploy", most)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b deploy) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return all, nil
}

func servicePath(id string) string { return "/services/" + url.PathEscape(id) }

// amend changes the ledger: it is read, changed and written in one go, so that
// nothing of what another part wrote meanwhile is lost.
func (p *Platform) amend(ctx context.Context, app string, svc *service, change func(*ledger)) error {
	p.stating.Lock()
	defer p.stating.Unlock()
	l, err := p.readState(ctx, svc.ID)
	if err != nil {
		return explain(err, "read opsctl's notes on %q", app)
	}
	change(&l)
	if err := p.stillMine(ctx, app, svc.ID); err != nil {
		return err
	}
	return p.writeState(ctx, app, svc.ID, l)
}

func (p *Platform) readState(ctx context.Context, id string) (ledger, error) {
	var v envVar
	err := p.call(ctx, http.MethodGet, envPath(id, stateName), nil, nil, &v)
	if err != nil && !missing(err) {
		return ledger{}, err
	}
	return readLedger(v.Value), nil
}

func (p *Platform) writeState(ctx context.Context, app, id string, l ledger) error {
	p.mu.Lock()
	if len(p.found) > 0 && l.Stores == nil {
		l.Stores = map[string]string{}
	}
	maps.Copy(l.Stores, p.found)
	p.mu.Unlock()
	err := p.call(ctx, http.MethodPut, envPath(id, stateName), nil, map[string]string{"value": l.text()}, nil)
	p.forget(app)
	return explain(err, "write opsctl's notes on %q", app)
}

func envPath(id, name string) string {
	return servicePath(id) + "/env-vars/" + url.PathEscape(name)
}

// liveDeploy is the deploy that serves; nil when none does. It is looked for
// further back only when the newest have all failed.
func (p *Platform) liveDeploy(ctx context.Context, s *snapshot) (*deploy, error) {
	isLive := func(d deploy) bool { return d.Status == live }
	if i := slices.IndexFunc(s.deploys, isLive); i >= 0 {
		return &s.deploys[i], nil
	}
	if len(s.deploys) < recentDeploys {
		return nil, nil
	}
	found, err := list[deploy](ctx, p, servicePath(s.svc.ID)+"/deploys", url.Values{"status": {live}}, "deploy", 1)
	if err != nil || len(found) == 0 {
		return nil, explain(err, "look for the deploy that serves")
	}
	return &found[0], nil
}

// release puts together what is known of a deploy.
func (s *snapshot) release(d deploy) platform.Release {
	r := platform.Release{
		Version: d.ID, Image: d.content(), Strategy: strategy, Region: s.svc.Details.Region,
		Status: releaseStatus(d.Status), Message: reason(d.Status), Created: d.CreatedAt, Author: author(d), Restored: d.Trigger == "rollback",
	}
	e, ok := s.ledger.find(d.ID)
	if conf := s.ledger.Conf; !ok && conf != nil && conf.Version == "" && s.ledger.ours(d) {
		e, ok = *conf, true // of a run that was cut off before it could write down the deploy
	}
	if !ok {
		return r
	}
	r.Label, r.Image, r.Port, r.Health, r.Command = e.Label, e.Image, e.Port, e.Health, e.Command
	r.Instances, r.Size, r.Env = e.Instances, e.Size, s.ledger.env(e)
	r.Restored = r.Restored || e.Of != ""
	return r
}

// settle writes down a deploy that went live for what is set up, when a run was cut
// off, or could not write, before it did so itself.
func (s *snapshot) settle(l *ledger) {
	if l.Conf == nil || l.Conf.Version != "" {
		return
	}
	for _, d := range s.deploys {
		if _, written := l.find(d.ID); !written && d.Status == live && l.ours(d) {
			l.record(d.ID, "", nil)
			return
		}
	}
}

// author is what began a deploy: Render tells no name.
func author(d deploy) string { return strings.ReplaceAll(d.Trigger, "_", " ") }
