package railway

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// The kinds of token.
const (
	accountToken   = "account"
	workspaceToken = "workspace"
	projectToken   = "project"
)

// token is the credential in use.
type token struct {
	value   string
	from    string // the variable it is from
	project bool   // it is sent as a project token
}

// identity is what the API says about the token.
type identity struct {
	kind       string
	account    string
	workspaces []workspace
	projects   []projectNode // of an account or workspace token, as far as they were listed
	listed     bool          // projects has all of them

	// Of a project token, which is bound to one environment.
	project, environment string
}

type workspace struct {
	ID       string                  `json:"id"`
	Name     string                  `json:"name"`
	Projects connection[projectNode] `json:"projects"`
}

// tokenHint says what to do about a refused token.
func (p *Platform) tokenHint() string {
	p.mu.Lock()
	from, id := p.token.from, p.identity
	p.mu.Unlock()
	switch {
	case id != nil && id.kind == projectToken:
		return fmt.Sprintf("the project token in %s reaches one environment of one project, and makes no projects or environments;\nuse an account or workspace token in %s (and unset %s, which is read first)", from, envAPIToken, envProjectToken)
	case id != nil && id.kind == workspaceToken:
		return fmt.Sprintf("the workspace token in %s reaches one workspace: is it the right one, and does its role suffice?", from)
	case from == envProjectToken:
		return fmt.Sprintf("the project token in %s was refused: make one in Project Settings, Tokens;\naccount and workspace tokens belong in %s (and %s has to be unset, since it is read first)", from, envAPIToken, envProjectToken)
	default:
		return fmt.Sprintf("the token in %s was refused: make one on railway.com in Account Settings, Tokens; project tokens belong in %s", from, envProjectToken)
	}
}

// WhoAmI says whose token it is, which of the three kinds, and what it may do.
func (p *Platform) WhoAmI(ctx context.Context) (platform.Identity, error) {
	id, err := p.who(ctx)
	if err != nil {
		return platform.Identity{}, err
	}
	out := platform.Identity{Account: id.account, Token: id.kind}
	switch id.kind {
	case accountToken:
		out.Token = "account (all workspaces of the account)"
	case workspaceToken:
		out.Token = "workspace (every project of " + id.account + ")"
	case projectToken:
		out.Token = "project (deploys to one environment, makes no projects)"
	}
	return out, nil
}

// who asks once in the life of the process. Which question is answered tells
// the kind of token: each kind is refused the questions of the others.
func (p *Platform) who(ctx context.Context) (*identity, error) {
	p.mu.Lock()
	known, tok := p.identity, p.token
	p.mu.Unlock()
	if known != nil {
		return known, nil
	}
	id, err := p.probe(ctx, tok)
	if err != nil {
		return nil, p.explain(err, "ask Railway who you are")
	}
	p.mu.Lock()
	p.identity = id
	p.mu.Unlock()
	return id, nil
}

func (p *Platform) probe(ctx context.Context, tok token) (*identity, error) {
	if tok.project {
		return p.probeProject(ctx)
	}
	id, err := p.probeAccount(ctx)
	if !refused(err) {
		return id, err
	}
	id, err = p.probeWorkspace(ctx)
	if !refused(err) {
		return id, err
	}
	// A project token in the wrong variable works when it is sent as what it is.
	p.setProject(true)
	id, perr := p.probeProject(ctx)
	if perr != nil {
		p.setProject(false)
		return nil, err
	}
	return id, nil
}

func (p *Platform) setProject(is bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.token.project = is
}

// wanted is the part of the first question that looks for the project, so that
// no second one is needed, and its variables.
func (p *Platform) wanted() (head, field string, vars map[string]any) {
	if id := p.env(envProject); id != "" {
		return "($project: String!)", "project(id: $project) {" + projectFields + "}", map[string]any{"project": id}
	}
	return "", "", nil
}

func (p *Platform) probeAccount(ctx context.Context) (*identity, error) {
	head, field, vars := p.wanted()
	inner := "projects(first: 100) {" + projectList + "}"
	if field != "" {
		inner = ""
	}
	var data struct {
		Me struct {
			Name       string      `json:"name"`
			Email      string      `json:"email"`
			Workspaces []workspace `json:"workspaces"`
		} `json:"me"`
		Project *projectNode `json:"project"`
	}
	text := "query" + head + " { me { id name email workspaces { id name " + inner + " } } " + field + " }"
	if err := p.query(ctx, text, vars, &data); err != nil {
		return nil, wrongProject(err)
	}
	id := &identity{kind: accountToken, account: cmp.Or(data.Me.Email, data.Me.Name), workspaces: data.Me.Workspaces, listed: field == ""}
	for _, w := range id.workspaces {
		for _, n := range w.Projects.nodes() {
			n.WorkspaceID = cmp.Or(n.WorkspaceID, w.ID)
			id.projects = append(id.projects, n)
		}
		id.listed = id.listed && !w.Projects.PageInfo.HasNextPage
	}
	if data.Project != nil {
		id.projects = append(id.projects, *data.Project)
	}
	return id, nil
}

func (p *Platform) probeWorkspace(ctx context.Context) (*identity, error) {
	head, field, vars := p.wanted()
	if field == "" {
		field = "projects(first: 100) {" + projectList + "}"
	}
	var data struct {
		APIToken struct {
			Workspaces []workspace `json:"workspaces"`
		} `json:"apiToken"`
		Project  *projectNode             `json:"project"`
		Projects *connection[projectNode] `json:"projects"`
	}
	text := "query" + head + " { apiToken { workspaces { id name } } " + field + " }"
	if err := p.query(ctx, text, vars, &data); err != nil {
		return nil, wrongProject(err)
	}
	id := &identity{kind: workspaceToken, workspaces: data.APIToken.Workspaces}
	names := make([]string, 0, len(id.workspaces))
	for _, w := range id.workspaces {
		names = append(names, w.Name)
	}
	id.account = strings.Join(names, ", ")
	if data.Project != nil {
		id.projects = append(id.projects, *data.Project)
	}
	if data.Projects != nil {
		id.projects = data.Projects.nodes()
		id.listed = !data.Projects.PageInfo.HasNextPage
	}
	return id, nil
}

func (p *Platform) probeProject(ctx context.Context) (*identity, error) {
	var data struct {
		Token struct {
			ProjectID     string      `json:"projectId"`
			EnvironmentID string      `json:"environmentId"`
			Name          string      `json:"name"`
			Project       projectNode `json:"project"`
		} `json:"projectToken"`
	}
	text := "query { projectToken { projectId environmentId name project {" + projectFields + "} } }"
	if err := p.query(ctx, text, nil, &data); err != nil {
		return nil, err
	}
	t := data.Token
	t.Project.ID = cmp.Or(t.Project.ID, t.ProjectID)
	id := &identity{kind: projectToken, project: t.ProjectID, environment: t.EnvironmentID, projects: []projectNode{t.Project}, listed: true}
	id.account = "token " + t.Name + " of project " + t.Project.Name
	return id, nil
}

// wrongProject tells a project that is not there apart from a token that is refused.
func wrongProject(err error) error {
	e, ok := asAPI(err)
	if !ok || e.field() != "project" {
		return err
	}
	return errs.Wrap(err, errs.NotFound, "look for the project in %s", envProject).
		WithHint("is the id right, and does the token reach that project? Without %s the project is found by its name", envProject)
}
