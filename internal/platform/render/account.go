package render

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// WhoAmI names the user behind the key, and the workspace that everything is
// done in. With the id of a workspace (RENDER_WORKSPACE) it is one request. With
// several workspaces and none chosen it is a Usage error that lists them.
func (p *Platform) WhoAmI(ctx context.Context) (platform.Identity, error) {
	var user struct{ Email, Name string }
	if err := p.call(ctx, http.MethodGet, "/users", nil, nil, &user); err != nil {
		return platform.Identity{}, explain(err, "ask Render who you are")
	}
	account := user.Email
	if account == "" {
		account = user.Name
	}
	workspace := p.o.Owner
	if !isOwnerID(workspace) {
		o, err := p.chooseOwner(ctx, workspace)
		if err != nil {
			return platform.Identity{}, err
		}
		workspace = o.Name
	}
	return platform.Identity{Account: fmt.Sprintf("%s (workspace %s)", account, workspace), Token: "api key", Scope: "all that the user may do, in each of their workspaces"}, nil
}

// knownOwner is the id of the workspace as far as it is settled: "" when none
// was named. Then a service is looked for in all.
func (p *Platform) knownOwner(ctx context.Context) (string, error) {
	p.mu.Lock()
	id := p.owner
	p.mu.Unlock()
	if id != "" || p.o.Owner == "" {
		return id, nil
	}
	o, err := p.chooseOwner(ctx, p.o.Owner)
	return o.ID, err
}

// ownerID is the id of the workspace to make things in. org is what the caller
// asked for, "" for what was configured.
func (p *Platform) ownerID(ctx context.Context, org string) (string, error) {
	if isOwnerID(org) {
		return org, nil
	}
	if org == "" {
		if id, err := p.knownOwner(ctx); err != nil || id != "" {
			return id, err
		}
	}
	o, err := p.chooseOwner(ctx, org)
	return o.ID, err
}

// chooseOwner finds the workspace of that name or id; "" is the only one there is.
func (p *Platform) chooseOwner(ctx context.Context, name string) (owner, error) {
	all, err := list[owner](ctx, p, "/owners", nil, "owner", 0)
	if err != nil {
		return owner{}, explain(err, "list the workspaces")
	}
	fits := slices.DeleteFunc(slices.Clone(all), func(o owner) bool { return name != "" && o.Name != name && o.ID != name })
	switch {
	case len(fits) == 1:
		p.mu.Lock()
		p.owner = fits[0].ID
		p.mu.Unlock()
		return fits[0], nil
	case len(all) == 0:
		return owner{}, errs.New(errs.Auth, "the key sees no workspace").WithHint("%s", keyHint)
	}
	names := make([]string, len(all))
	for i, o := range all {
		names[i] = fmt.Sprintf("  %s  %s", o.ID, o.Name)
	}
	hint := "set RENDER_WORKSPACE to the id of one of\n" + strings.Join(names, "\n")
	if name == "" {
		return owner{}, errs.New(errs.Usage, "the key sees %d workspaces, and none is chosen", len(all)).WithHint("%s", hint)
	}
	return owner{}, errs.New(errs.Usage, "no workspace %q, or several of that name", name).WithHint("%s", hint)
}

// environmentID finds or makes the project and the environment that new things
// belong to; "" when no project is configured.
func (p *Platform) environmentID(ctx context.Context, ownerID string) (string, error) {
	if p.o.Project == "" {
		return "", nil
	}
	id, err := p.projectID(ctx, ownerID)
	if err != nil {
		return "", err
	}
	type environment struct{ ID, Name string }
	find := func() (string, error) {
		all, err := list[environment](ctx, p, "/environments", url.Values{"projectId": {id}, "name": {p.o.Environment}}, "environment", 0)
		if err != nil {
			return "", explain(err, "look for the environment %q", p.o.Environment)
		}
		for _, e := range all {
			if e.Name == p.o.Environment {
				return e.ID, nil
			}
		}
		return "", nil
	}
	return p.findOrMake(ctx, "/environments", map[string]any{"name": p.o.Environment, "projectId": id}, find, "environment "+p.o.Environment)
}

func (p *Platform) projectID(ctx context.Context, ownerID string) (string, error) {
	type project struct{ ID, Name string }
	find := func() (string, error) {
		all, err := list[project](ctx, p, "/projects", url.Values{"name": {p.o.Project}, "ownerId": {ownerID}}, "project", 0)
		if err != nil {
			return "", explain(err, "look for the project %q", p.o.Project)
		}
		for _, e := range all {
			if e.Name == p.o.Project {
				return e.ID, nil
			}
		}
		return "", nil
	}
	in := map[string]any{"name": p.o.Project, "ownerId": ownerID, "environments": []map[string]string{{"name": p.o.Environment}}}
	return p.findOrMake(ctx, "/projects", in, find, "project "+p.o.Project)
}

// findOrMake gives the id of what find finds, and makes it when there is none.
func (p *Platform) findOrMake(ctx context.Context, path string, in any, find func() (string, error), what string) (string, error) {
	id, err := find()
	if err != nil || id != "" {
		return id, err
	}
	var out struct{ ID string }
	err = p.once(ctx,
		func() error { return p.call(ctx, http.MethodPost, path, nil, in, &out) },
		func() (bool, error) {
			id, err := find()
			out.ID = id
			return id != "", err
		})
	return out.ID, explain(err, "create the %s", what)
}
