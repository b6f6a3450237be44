package render

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// defaultPlan is the smallest instance type that may run a release command.
const defaultPlan = "starter"

// create makes the service with all that is known of it in one request, which
// also deploys it. A request whose answer was lost is looked for by name, and so
// is a service of the same name that another run made at the same moment: the
// older one stays. It returns the first deploy's id, "" when Render told none.
func (p *Platform) create(ctx context.Context, app string, want platform.Release) (*service, string, error) {
	body, err := p.createBody(ctx, app, want)
	if err != nil {
		return nil, "", err
	}
	var out struct {
		Service  *service `json:"service"`
		DeployID string   `json:"deployId"`
	}
	err = p.once(ctx,
		func() error { return p.call(ctx, http.MethodPost, "/services", nil, body, &out) },
		func() (bool, error) {
			found, err := p.findService(ctx, app)
			out.Service = found
			return found != nil, err
		})
	switch status(err) {
	case 0:
	case http.StatusConflict:
		return nil, "", errs.Wrap(err, errs.Conflict, "create the service %q", app).WithHint("choose another `app` for this environment in opsctl.yaml")
	case http.StatusBadRequest:
		return nil, "", errs.Wrap(err, errs.Usage, "create the service %q", app).
			WithHint("see the message; a private image needs credentials registered at https://dashboard.render.com, a repository needs access for Render")
	}
	if err != nil {
		return nil, "", explain(err, "create the service %q", app)
	}
	svc, err := p.only(ctx, app, out.Service)
	if err != nil {
		return nil, "", err
	}
	if out.DeployID == "" { // found, since the answer was lost: it may be another run's
		if err := p.stillMine(ctx, app, svc.ID); err != nil {
			return nil, "", err
		}
	}
	p.mu.Lock()
	delete(p.drafts, app)
	p.mu.Unlock()
	p.forget(app)
	return svc, out.DeployID, nil
}

// only makes sure that a new service is the only one of its name. Of two that were
// made at once the younger is deleted, by the run that made it: each run deletes
// nothing but its own, only for an older one, and never one that serves.
func (p *Platform) only(ctx context.Context, app string, made *service) (*service, error) {
	first, err := p.findService(ctx, app)
	if made == nil && err == nil {
		return nil, errs.New(errs.Failure, "Render made no service %q", app).WithHint("run the same command again")
	}
	if err != nil || first == nil || first.ID == made.ID || older(*first, *made) > 0 {
		return made, nil //nolint:nilerr // that it could not be looked for is no reason to lose the one that is there
	}
	deploys, err := p.listDeploys(ctx, made.ID, recentDeploys)
	if err != nil {
		return nil, explain(err, "see whether %s, the second service %q, serves", made.ID, app)
	}
	if slices.ContainsFunc(deploys, func(d deploy) bool { return d.Status == live || d.Status == updating }) {
		return nil, errs.New(errs.Conflict, "there are two services %q: %s, which somebody else made at the same time, and %s, which serves", app, first.ID, made.ID).
			WithHint("delete one of them at https://dashboard.render.com; opsctl uses the older one, %s", first.ID)
	}
	if err := p.call(ctx, http.MethodDelete, servicePath(made.ID), nil, nil, nil); err != nil && !missing(err) {
		return nil, explain(err, "delete %s, the second service %q", made.ID, app)
	}
	return nil, errs.New(errs.Conflict, "somebody else made the service %q at the same time", app).WithHint("run the same command again")
}

func (p *Platform) createBody(ctx context.Context, app string, want platform.Release) (serviceBody, error) {
	ownerID, err := p.ownerID(ctx, "")
	if err != nil {
		return serviceBody{}, err
	}
	line, err := shellCommand(want.Command)
	if err != nil {
		return serviceBody{}, err
	}
	plan := want.Size
	if plan == "" {
		plan = defaultPlan
	}
	body := serviceBody{
		Type: "web_service", Name: app, OwnerID: ownerID, AutoDeploy: "no",
		Details: &detailsBody{Plan: plan, Region: want.Region, NumInstances: want.Instances},
	}
	if want.Health != "" {
		body.Details.Health = &want.Health
	}
	if line != "" {
		body.Details.PreDeploy = &line
	}
	if err := p.origin(ctx, &body, nil, ownerID, want); err != nil {
		return serviceBody{}, err
	}
	notes := ledger{V: 1}
	notes.configure(want, p.now())
	env := map[string]string{}
	p.mu.Lock()
	if d := p.drafts[app]; d != nil {
		maps.Copy(env, d.secrets)
		if d.lock != nil {
			env[lockName] = d.lock.text()
		}
		body.EnvironmentID = d.environment
	}
	notes.Stores = maps.Clone(p.found)
	p.mu.Unlock()
	maps.Copy(env, releaseEnv(want))
	env[stateName] = notes.text()
	for _, name := range slices.Sorted(maps.Keys(env)) {
		body.EnvVars = append(body.EnvVars, envVar{name, env[name]})
	}
	return body, nil
}
