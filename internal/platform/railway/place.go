package railway

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
)

// defaultEnvironment is the one that Railway gives to a new project.
const defaultEnvironment = "production"

// What is asked of a project. A list of projects has no services of each, except
// their names: the queries of the hour are few.
const (
	projectFields = ` id name workspaceId
		environments(first: 100) { edges { node { id name } }` + pageInfo + `}
		services(first: 500) { edges { node { id name } }` + pageInfo + `} `
	projectList = ` edges { node {` + projectFields + `} } pageInfo { hasNextPage endCursor } `
)

// named is anything with an id and a name.
type namedNode struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func (n namedNode) is(want string) bool { return n.ID == want || strings.EqualFold(n.Name, want) }

type projectNode struct {
	namedNode

	WorkspaceID  string                `json:"workspaceId"`
	Environments connection[namedNode] `json:"environments"`
	Services     connection[namedNode] `json:"services"`
}

// place is where an app is: the project and the environment, and what else is there.
type place struct {
	workspace   string // id; may be ""
	project     namedNode
	environment namedNode
	services    []namedNode // of the project, in any environment
}

// service is the id of the service of that name; "" when there is none.
func (l *place) service(name string) string {
	for _, s := range l.services {
		if s.Name == name {
			return s.ID
		}
	}
	return ""
}

// vars are the ids as GraphQL variables, with more of them.
func (l *place) vars(more map[string]any) map[string]any {
	out := map[string]any{"project": l.project.ID, "environment": l.environment.ID}
	maps.Copy(out, more)
	return out
}

// projectName is the project that an app belongs to.
func (p *Platform) projectName(app string) string { return cmp.Or(p.o.Project, app) }

// environmentName is the environment that was asked for.
func (p *Platform) environmentName() string { return cmp.Or(p.o.Environment, defaultEnvironment) }

// where finds the project and the environment of an app; NotFound when there
// is one missing.
func (p *Platform) where(ctx context.Context, app string) (*place, error) {
	p.mu.Lock()
	known := p.places[app]
	p.mu.Unlock()
	if known != nil {
		return known, nil
	}
	node, err := p.findProject(ctx, app)
	if err != nil {
		return nil, err
	}
	if node == nil {
		return nil, errs.New(errs.NotFound, "no project %q on Railway", p.projectName(app)).WithHint("run: opsctl deploy")
	}
	return p.placeIn(ctx, app, *node)
}

// placeIn finds the environment within a project, and remembers both.
func (p *Platform) placeIn(ctx context.Context, app string, node projectNode) (*place, error) {
	id, err := p.who(ctx)
	if err != nil {
		return nil, err
	}
	environment, err := p.findEnvironment(id, node)
	if err != nil {
		return nil, err
	}
	if environment == nil {
		return nil, errs.New(errs.NotFound, "no environment %q in the project %q on Railway", p.environmentName(), node.Name).WithHint("run: opsctl deploy")
	}
	l := &place{workspace: node.WorkspaceID, project: node.namedNode, environment: *environment, services: node.Services.nodes()}
	p.mu.Lock()
	p.places[app] = l
	p.mu.Unlock()
	return l, nil
}

// findProject finds the project of an app by its id or name, with all that is
// in it; nil when there is none.
func (p *Platform) findProject(ctx context.Context, app string) (*projectNode, error) {
	node, err := p.locate(ctx, app)
	if node == nil || err != nil {
		return nil, err
	}
	return node, p.complete(ctx, node)
}

func (p *Platform) locate(ctx context.Context, app string) (*projectNode, error) {
	id, err := p.who(ctx)
	if err != nil {
		return nil, err
	}
	if id.kind == projectToken {
		return p.boundProject(id)
	}
	if want := p.env(envProject); want != "" {
		return p.projectByID(ctx, id, want)
	}
	home, err := p.workspaceOf(id, "")
	if err != nil && p.o.Workspace != "" {
		return nil, err
	}
	found := p.matching(id.projects, app, home)
	if len(found) == 0 && !id.listed {
		for _, w := range id.workspaces {
			if home != "" && w.ID != home {
				continue
			}
			more, err := p.listProjects(ctx, w.ID)
			if err != nil {
				return nil, err
			}
			found = append(found, p.matching(more, app, home)...)
		}
	}
	if len(found) > 1 {
		return nil, errs.New(errs.Usage, "%d projects are called %q in your workspaces", len(found), p.projectName(app)).
			WithHint("say which workspace, or set %s", envProject)
	}
	if len(found) == 0 {
		return nil, nil
	}
	return &found[0], nil
}

func (p *Platform) matching(list []projectNode, app, home string) []projectNode {
	var out []projectNode
	for _, n := range list {
		if n.is(p.projectName(app)) && (home == "" || n.WorkspaceID == "" || n.WorkspaceID == home) {
			out = append(out, n)
		}
	}
	return out
}

// boundProject is the one project that a project token reaches.
func (p *Platform) boundProject(id *identity) (*projectNode, error) {
	node := id.projects[0]
	for _, want := range []string{p.o.Project, p.env(envProject)} {
		if want != "" && !node.is(want) {
			return nil, errs.New(errs.Auth, "the token is bound to the project %q, and %q was asked for", node.Name, want).WithHint("%s", p.tokenHint())
		}
	}
	return &node, nil
}

func (p *Platform) projectByID(ctx context.Context, id *identity, want string) (*projectNode, error) {
	node := projectNode{}
	if i := slices.IndexFunc(id.projects, func(n projectNode) bool { return n.ID == want }); i >= 0 {
		node = id.projects[i]
	} else {
		fresh, err := p.readProject(ctx, want)
		if e, ok := errors.AsType[*errs.Error](err); ok && e.Hint == "" {
			return nil, e.WithHint("is the id in %s right, and does the token reach that project?", envProject)
		}
		if err != nil {
			return nil, err
		}
		node = *fresh
	}
	if p.o.Project != "" && !node.is(p.o.Project) {
		return nil, errs.New(errs.Usage, "%s is the project %q, and %q was asked for", envProject, node.Name, p.o.Project).WithHint("unset %s, or leave the project out", envProject)
	}
	return &node, nil
}

func (p *Platform) readProject(ctx context.Context, id string) (*projectNode, error) {
	var data struct {
		Project projectNode `json:"project"`
	}
	const text = "query($project: String!) { project(id: $project) {" + projectFields + "} }"
	if err := p.query(ctx, text, map[string]any{"project": id}, &data); err != nil {
		return nil, p.explain(err, "look at the project %s", id)
	}
	return &data.Project, p.complete(ctx, &data.Project)
}

// reread looks at the project of a place again: services came or went.
func (p *Platform) reread(ctx context.Context, app string, l *place) (*place, error) {
	node, err := p.readProject(ctx, l.project.ID)
	if err != nil {
		return nil, err
	}
	next := *l
	next.services = node.Services.nodes()
	p.mu.Lock()
	p.places[app] = &next
	p.mu.Unlock()
	return &next, nil
}

func (p *Platform) listProjects(ctx context.Context, workspaceID string) ([]projectNode, error) {
	var all []projectNode
	after := ""
	for {
		var data struct {
			Projects connection[projectNode] `json:"projects"`
		}
		const text = "query($workspace: String, $after: String) { projects(workspaceId: $workspace, first: 100, after: $after) {" + projectList + "} }"
		vars := map[string]any{"workspace": workspaceID}
		if after != "" {
			vars["after"] = after
		}
		if err := p.query(ctx, text, vars, &data); err != nil {
			return nil, p.explain(err, "list the projects")
		}
		all = append(all, data.Projects.nodes()...)
		if after = data.Projects.PageInfo.EndCursor; !data.Projects.PageInfo.HasNextPage || after == "" {
			return all, nil
		}
	}
}

// workspaceOf is the id of the workspace to work in: the one asked for, or the
// only one. org is what the caller asks for beside Options.Workspace.
func (p *Platform) workspaceOf(id *identity, org string) (string, error) {
	want := cmp.Or(org, p.o.Workspace)
	names := make([]string, 0, len(id.workspaces))
	for _, w := range id.workspaces {
		if want != "" && (w.ID == want || strings.EqualFold(w.Name, want)) {
			return w.ID, nil
		}
		names = append(names, w.Name)
	}
	switch {
	case want != "":
		return "", errs.New(errs.Usage, "no workspace %q that the token reaches", want).WithHint("there are: %s", strings.Join(names, ", "))
	case len(id.workspaces) == 1:
		return id.workspaces[0].ID, nil
	default:
		return "", errs.New(errs.Usage, "the token reaches %d workspaces", len(id.workspaces)).WithHint("say which one with org in opsctl.yaml: %s", strings.Join(names, ", "))
	}
}

// findEnvironment finds the environment within a project; nil when there is none.
func (p *Platform) findEnvironment(id *identity, node projectNode) (*namedNode, error) {
	list := node.Environments.nodes()
	byID := func(want string) *namedNode {
		if i := slices.IndexFunc(list, func(n namedNode) bool { return n.ID == want }); i >= 0 {
			return &list[i]
		}
		return nil
	}
	if id.kind == projectToken {
		bound := byID(id.environment)
		if bound == nil {
			bound = &namedNode{ID: id.environment, Name: id.environment}
		}
		for _, want := range []string{p.o.Environment, p.env(envEnvironment)} {
			if want != "" && !bound.is(want) {
				return nil, errs.New(errs.Auth, "the token is bound to the environment %q of the project %q, and %q was asked for", bound.Name, node.Name, want).WithHint("%s", p.tokenHint())
			}
		}
		return bound, nil
	}
	if want := p.env(envEnvironment); want != "" {
		found := byID(want)
		if found == nil {
			return nil, errs.New(errs.NotFound, "%s is no environment of the project %q", envEnvironment, node.Name).WithHint("unset it: the environment is found by its name")
		}
		if p.o.Environment != "" && !found.is(p.o.Environment) {
			return nil, errs.New(errs.Usage, "%s is the environment %q, and %q was asked for", envEnvironment, found.Name, p.o.Environment).WithHint("unset %s", envEnvironment)
		}
		return found, nil
	}
	for i, n := range list {
		if n.is(p.environmentName()) {
			return &list[i], nil
		}
	}
	return nil, nil
}

// serviceOf is the id of the app's service; NotFound when there is none.
func (p *Platform) serviceOf(l *place, app string) (string, error) {
	if want := p.env(envService); want != "" {
		for _, s := range l.services {
			if s.ID == want {
				return want, nil
			}
		}
		return "", errs.New(errs.NotFound, "%s is no service of the project %q", envService, l.project.Name).WithHint("unset it: the service is found by the app's name")
	}
	if id := l.service(app); id != "" {
		return id, nil
	}
	return "", errs.New(errs.NotFound, "no service %q in the project %q on Railway", app, l.project.Name).WithHint("run: opsctl deploy")
}
