package railway

import (
	"cmp"
	"context"
	"fmt"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// Statuses of a deployment, as far as they decide something.
const (
	statusSuccess  = "SUCCESS"
	statusSleeping = "SLEEPING"
	statusCrashed  = "CRASHED"
	statusFailed   = "FAILED"
	statusSkipped  = "SKIPPED"
	statusRemoved  = "REMOVED"
	statusRemoving = "REMOVING"
	statusApproval = "NEEDS_APPROVAL"
)

// unfinished tells that a deployment is under way.
func unfinished(status string) bool {
	switch status {
	case statusSuccess, statusSleeping, statusCrashed, statusFailed, statusSkipped, statusRemoved, statusRemoving:
		return false
	}
	return true
}

// CreateApp makes the project, the environment, the service and an address for
// it, each only where it is missing. It may be called again.
func (p *Platform) CreateApp(ctx context.Context, spec platform.AppSpec) error {
	l, err := p.ensurePlace(ctx, spec)
	if err != nil {
		return err
	}
	l, made, err := p.ensureService(ctx, l, spec.Name)
	if err != nil {
		return err
	}
	v, err := p.lookAgain(ctx, spec.Name)
	if errs.CodeOf(err) == errs.NotFound {
		if !made { // it is in the project, but not in this environment
			if err = p.joinEnvironment(ctx, l, spec.Name); err != nil {
				return err
			}
		}
		err = p.awaitShown(ctx, fmt.Sprintf("the service %q", spec.Name), func() (bool, error) {
			v, err = p.lookAgain(ctx, spec.Name)
			return err == nil, err
		})
	}
	if err != nil {
		return err
	}
	if err := p.ensureDomain(ctx, v); err != nil {
		return err
	}
	return p.lockCreated(ctx, spec.Name)
}

func (p *Platform) ensurePlace(ctx context.Context, spec platform.AppSpec) (*place, error) {
	p.mu.Lock()
	known := p.places[spec.Name]
	p.mu.Unlock()
	if known != nil {
		return known, nil
	}
	node, err := p.findProject(ctx, spec.Name)
	if err != nil {
		return nil, err
	}
	id, err := p.who(ctx)
	if err != nil {
		return nil, err
	}
	if node == nil {
		if node, err = p.createProject(ctx, id, spec); err != nil {
			return nil, err
		}
	}
	environment, err := p.findEnvironment(id, *node)
	if err != nil {
		return nil, err
	}
	if environment == nil {
		if node, err = p.createEnvironment(ctx, id, *node); err != nil {
			return nil, err
		}
	}
	return p.placeIn(ctx, spec.Name, *node)
}

// once creates something that has no key against doubles: when it is not known
// whether it was made, it is looked for before it is made again.
func (p *Platform) once(ctx context.Context, create func() error, find func() (bool, error)) error {
	for attempt := 1; ; attempt++ {
		err := create()
		if err == nil || !uncertain(err) || attempt == queryAttempts {
			return err
		}
		if serr := p.o.Sleep(ctx, p.o.Poll); serr != nil {
			return serr
		}
		found, ferr := p.looks(ctx, find)
		if ferr != nil {
			return ferr
		}
		if found {
			return nil
		}
	}
}

// lookRounds is how often it is looked for something that may have been made,
// before it counts as not made: it takes a moment to show.
const lookRounds = 4

// looks looks for something until it is found, some times. Trouble of Railway's
// own counts as not found, except at the last look.
func (p *Platform) looks(ctx context.Context, find func() (bool, error)) (bool, error) {
	for round := 0; ; round++ {
		found, err := find()
		if found || err != nil && !transient(err) || round == lookRounds-1 {
			return found, err
		}
		if err := p.pause(ctx, round); err != nil {
			return false, err
		}
	}
}

func (p *Platform) createProject(ctx context.Context, id *identity, spec platform.AppSpec) (*projectNode, error) {
	name := p.projectName(spec.Name)
	home, err := p.workspaceOf(id, spec.Org)
	if err != nil {
		return nil, err
	}
	var made *projectNode
	find := func() (bool, error) {
		list, err := p.listProjects(ctx, home)
		if err != nil {
			return false, err
		}
		if found := p.matching(list, spec.Name, home); len(found) > 0 {
			made = &found[0]
			return true, nil
		}
		return false, nil
	}
	// What was read with the token may be old by now.
	if there, err := find(); there || err != nil {
		return made, err
	}
	create := func() error {
		var data struct {
			Project projectNode `json:"projectCreate"`
		}
		const text = "mutation($input: ProjectCreateInput!) { projectCreate(input: $input) {" + projectFields + "} }"
		in := map[string]any{"name": name, "workspaceId": home, "defaultEnvironmentName": p.environmentName()}
		err := p.mutate(ctx, text, map[string]any{"input": in}, &data, false)
		made = &data.Project
		return err
	}
	if err := p.once(ctx, create, find); err != nil {
		return nil, p.explain(err, "create the project %q", name)
	}
	return p.shownProject(ctx, id, made.ID, cmp.Or(made.WorkspaceID, home))
}

// shownProject waits until a project that was made, or was given an environment,
// can be read with the environment in it.
func (p *Platform) shownProject(ctx context.Context, id *identity, project, workspaceID string) (*projectNode, error) {
	var node *projectNode
	err := p.awaitShown(ctx, fmt.Sprintf("the environment %q", p.environmentName()), func() (bool, error) {
		fresh, err := p.readProject(ctx, project)
		if err != nil {
			return false, err
		}
		fresh.WorkspaceID = cmp.Or(fresh.WorkspaceID, workspaceID)
		node = fresh
		found, err := p.findEnvironment(id, *fresh)
		return found != nil, err
	})
	return node, err
}

func (p *Platform) createEnvironment(ctx context.Context, id *identity, node projectNode) (*projectNode, error) {
	create := func() error {
		const text = "mutation($input: EnvironmentCreateInput!) { environmentCreate(input: $input) { id name } }"
		in := map[string]any{"projectId": node.ID, "name": p.environmentName()}
		return p.mutate(ctx, text, map[string]any{"input": in}, nil, false)
	}
	find := func() (bool, error) {
		fresh, err := p.readProject(ctx, node.ID)
		if err != nil {
			return false, err
		}
		found, err := p.findEnvironment(id, *fresh)
		return found != nil, err
	}
	if err := p.once(ctx, create, find); err != nil {
		return nil, p.explain(err, "create the environment %q", p.environmentName())
	}
	return p.shownProject(ctx, id, node.ID, node.WorkspaceID)
}

// ensureService makes the service where it is missing, and tells whether it did.
func (p *Platform) ensureService(ctx context.Context, l *place, name string) (*place, bool, error) {
	if _, err := p.serviceOf(l, name); err == nil || p.env(envService) != "" {
		return l, false, err
	}
	// What was read with the project may be old by now.
	l, err := p.reread(ctx, name, l)
	if err != nil {
		return nil, false, err
	}
	if l.service(name) != "" {
		return l, false, nil
	}
	create := func() error {
		const text = "mutation($input: ServiceCreateInput!) { serviceCreate(input: $input) { id name } }"
		in := map[string]any{"projectId": l.project.ID, "environmentId": l.environment.ID, "name": name}
		return p.mutate(ctx, text, map[string]any{"input": in}, nil, false)
	}
	find := func() (bool, error) {
		now, err := p.reread(ctx, name, l)
		if err != nil {
			return false, err
		}
		l = now
		return l.service(name) != "", nil
	}
	if err := p.once(ctx, create, find); err != nil {
		return nil, false, p.explain(err, "create the service %q", name)
	}
	err = p.awaitShown(ctx, fmt.Sprintf("the service %q", name), find)
	return l, true, err
}

// joinEnvironment gives a service of the project an instance in the environment.
func (p *Platform) joinEnvironment(ctx context.Context, l *place, app string) error {
	service, err := p.serviceOf(l, app)
	if err != nil {
		return err
	}
	const text = `mutation($environment: String!, $patch: EnvironmentConfig!, $message: String) {
		committed: environmentPatchCommit(environmentId: $environment, patch: $patch, commitMessage: $message) }`
	patch := map[string]any{"services": map[string]any{service: map[string]any{"isCreated": true}}}
	err = p.commit(ctx, text, map[string]any{"environment": l.environment.ID, "patch": patch, "message": "opsctl: add " + app})
	return p.explain(err, "add the service %q to the environment %q", app, l.environment.Name)
}

// ensureDomain gives the service an address of Railway's own, without which
// nothing outside reaches it. Traffic goes to the port in PORT.
func (p *Platform) ensureDomain(ctx context.Context, v *view) error {
	if v.url() != "" {
		return nil
	}
	create := func() error {
		const text = "mutation($input: ServiceDomainCreateInput!) { serviceDomainCreate(input: $input) { domain } }"
		in := map[string]any{"serviceId": v.service, "environmentId": v.environment.ID}
		return p.mutate(ctx, text, map[string]any{"input": in}, nil, false)
	}
	find := func() (bool, error) {
		now, err := p.lookAgain(ctx, v.app)
		return err == nil && now.url() != "", err
	}
	if err := p.once(ctx, create, find); err != nil {
		return p.explain(err, "give the service %q an address", v.app)
	}
	return p.awaitShown(ctx, "the address of "+v.app, find)
}
