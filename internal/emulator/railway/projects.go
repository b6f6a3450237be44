package railway

import (
	"slices"
	"strings"
)

func (s *Server) me(c *caller) resolver {
	return func(arguments) (any, error) {
		if c.kind != account {
			return nil, c.refused()
		}
		name, _, _ := strings.Cut(s.opts.Email, "@")
		return &object{"User", map[string]any{
			"id": s.st.User, "name": name, "username": name, "email": s.opts.Email, "avatar": nil, "has2FA": false, "hasPasskeys": false, "isAdmin": false,
			"isConductor": false, "isVerified": true, "agreedFairUse": true, "createdAt": stamp(s.w.Now()), "lastLogin": stamp(s.w.Now()),
			"termsAgreedOn": nil, "registrationStatus": "ONBOARDED", "workspace": nil, "riskLevel": nil,
			"flags": []string{}, "featureFlags": []*object{}, "platformFeatureFlags": []*object{},
			"workspaces": lazy(func() any { return []*object{s.workspace(c)} }),
			"projects":   s.connection("UserProjectsConnection", func() []*object { return s.projectList(c, arguments{}) }),
		}}, nil
	}
}

// workspaceName is the name of the one workspace that there is.
const workspaceName = "Emulator"

func (s *Server) workspace(c *caller) *object {
	return &object{"Workspace", map[string]any{
		"id": s.st.Workspace, "name": workspaceName, "avatar": nil, "createdAt": stamp(s.w.Now()), "updatedAt": stamp(s.w.Now()), "plan": "PRO",
		"preferredRegion": nil, "has2FAEnforcement": false, "hasSAML": false, "redactedDueTo2FAPending": false, "team": nil,
		"subscriptionModel": "USER", "projectCount": resolver(func(arguments) (any, error) { return len(s.st.Projects), nil }),
		"members": []*object{{"WorkspaceMember", map[string]any{
			"id": s.st.User, "email": s.opts.Email, "name": nil, "avatar": nil, "role": "ADMIN", "twoFactorAuthEnabled": nil, "featureFlags": nil,
		}}},
		"projects": s.connection("WorkspaceProjectsConnection", func() []*object { return s.projectList(c, arguments{}) }),
	}}
}

func (s *Server) apiToken(c *caller) resolver {
	return func(arguments) (any, error) {
		if err := c.everything(); err != nil {
			return nil, err
		}
		return &object{"ApiTokenContext", map[string]any{
			"workspaces": []*object{{"ApiTokenWorkspace", map[string]any{"id": s.st.Workspace, "name": workspaceName}}},
		}}, nil
	}
}

func (s *Server) projectToken(c *caller) resolver {
	return func(arguments) (any, error) {
		if c.kind != project {
			return nil, errNoToken
		}
		return &object{"ProjectToken", map[string]any{
			"id": c.token[:min(4, len(c.token))] + "-token", "name": c.name, "displayToken": "****", "createdAt": stamp(c.created),
			"projectId": c.projectID, "environmentId": c.environmentID,
			"project":     lazy(func() any { return s.projectObject(c, s.st.project(c.projectID)) }),
			"environment": lazy(func() any { return s.environmentObject(c, s.st.environment(c.environmentID)) }),
		}}, nil
	}
}

// projectList answers `projects`, the newest first as the platform does.
func (s *Server) projectList(c *caller, args arguments) []*object {
	list := slices.Clone(s.st.Projects)
	slices.Reverse(list)
	if args.str("orderBy") == "NAME_ASC" {
		slices.SortFunc(list, func(a, b *projectDoc) int { return strings.Compare(a.Name, b.Name) })
	}
	var out []*object
	for _, p := range list {
		if !s.lagging(p.CreatedAt) && (args.str("workspaceId") == "" || args.str("workspaceId") == s.st.Workspace) {
			out = append(out, s.projectObject(c, p))
		}
	}
	return out
}

func (s *Server) projectObject(c *caller, p *projectDoc) *object {
	return &object{"Project", map[string]any{
		"id": p.ID, "name": p.Name, "description": orNil(p.Description), "createdAt": stamp(p.CreatedAt), "updatedAt": stamp(p.UpdatedAt),
		"deletedAt": nil, "expiredAt": nil, "isPublic": p.Public, "isTempProject": false, "prDeploys": p.PRDeploys, "botPrEnvironments": false,
		"focusedPrEnvironments": false, "workspaceId": s.st.Workspace, "workspace": lazy(func() any { return s.workspace(c) }), "teamId": nil, "team": nil,
		"subscriptionType": "pro", "subscriptionPlanLimit": map[string]any{}, "primaryEnvironmentId": p.BaseEnvironment, "baseEnvironmentId": p.BaseEnvironment,
		"baseEnvironment": lazy(func() any {
			if e := s.st.environment(p.BaseEnvironment); e != nil {
				return s.environmentObject(c, e)
			}
			return nil
		}),
		"environments": resolver(func(args arguments) (any, error) {
			return s.page("ProjectEnvironmentsConnection", s.environmentList(c, p.ID, args), args)
		}),
		"services": s.connection("ProjectServicesConnection", func() []*object {
			var out []*object
			for _, v := range s.st.services(p.ID) {
				if !s.lagging(v.CreatedAt) {
					out = append(out, s.serviceObject(c, v))
				}
			}
			return out
		}),
		"volumes": s.connection("ProjectVolumesConnection", func() []*object {
			var out []*object
			for _, v := range s.st.Volumes {
				if v.ProjectID == p.ID {
					out = append(out, s.volumeObject(c, v))
				}
			}
			return out
		}),
		"deployments": s.connection("ProjectDeploymentsConnection", func() []*object {
			return s.deploymentObjects(c, func(d *deployment) bool { return d.ProjectID == p.ID })
		}),
		"buckets": s.connection("ProjectBucketsConnection", none), "groups": s.connection("ProjectGroupsConnection", none),
		"plugins": s.connection("ProjectPluginsConnection", none), "members": []*object{}, "featureFlags": []*object{},
	}}
}

func none() []*object { return nil }

func (s *Server) createProject(c *caller) resolver {
	return func(args arguments) (any, error) {
		in, err := input[struct {
			Name                              string
			Description, WorkspaceID, Runtime string
			DefaultEnvironmentName            string
			IsPublic, PrDeploys, IsMonorepo   bool
			Repo                              *struct{ Branch, FullRepoName string }
		}](args, "input")
		if err != nil {
			return nil, err
		}
		if err := c.everything(); err != nil {
			return nil, err
		}
		if in.WorkspaceID != "" && in.WorkspaceID != s.st.Workspace {
			return nil, errUnauthorized
		}
		if in.WorkspaceID == "" && c.kind == workspace {
			in.WorkspaceID = s.st.Workspace
		}
		if in.Name == "" {
			in.Name = "project-" + s.w.Hex(6) // the platform invents two words
		}
		if in.DefaultEnvironmentName == "" {
			in.DefaultEnvironmentName = "production"
		}
		now := s.w.Now()
		p := &projectDoc{ID: s.uuid(), Name: in.Name, Description: in.Description, Public: in.IsPublic, PRDeploys: in.PrDeploys, CreatedAt: now, UpdatedAt: now}
		e := s.newEnvironment(p, in.DefaultEnvironmentName)
		p.BaseEnvironment = e.ID
		s.st.Projects = append(s.st.Projects, p)
		s.touch()
		return s.projectObject(c, p), nil
	}
}

func (s *Server) updateProject(c *caller) resolver {
	return func(args arguments) (any, error) {
		in, err := input[struct {
			Name, Description, BaseEnvironmentID                          *string
			IsPublic, PrDeploys, BotPrEnvironments, FocusedPrEnvironments *bool
		}](args, "input")
		if err != nil {
			return nil, err
		}
		p, err := s.project(c, args.str("id"))
		if err != nil {
			return nil, err
		}
		assign(&p.Name, in.Name)
		assign(&p.Description, in.Description)
		assign(&p.BaseEnvironment, in.BaseEnvironmentID)
		assign(&p.Public, in.IsPublic)
		assign(&p.PRDeploys, in.PrDeploys)
		p.UpdatedAt = s.w.Now()
		s.touch()
		return s.projectObject(c, p), nil
	}
}

// assign sets what was given.
func assign[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

func (s *Server) deleteProject(c *caller) resolver {
	return func(args arguments) (any, error) {
		if err := c.everything(); err != nil {
			return nil, err
		}
		p, err := s.project(c, args.str("id"))
		if err != nil {
			return nil, err
		}
		for _, v := range s.st.services(p.ID) {
			s.removeService(v, "")
		}
		s.st.Environments = slices.DeleteFunc(s.st.Environments, func(e *environmentDoc) bool { return e.ProjectID == p.ID })
		s.st.Projects = slices.DeleteFunc(s.st.Projects, func(o *projectDoc) bool { return o == p })
		s.touch()
		return true, nil
	}
}

func (s *Server) createProjectToken(c *caller) resolver {
	return func(args arguments) (any, error) {
		in, err := input[struct{ EnvironmentID, Name, ProjectID string }](args, "input")
		if err != nil {
			return nil, err
		}
		if err := c.everything(); err != nil {
			return nil, err
		}
		e, err := s.environment(c, in.EnvironmentID)
		if err != nil {
			return nil, err
		}
		if e.ProjectID != in.ProjectID {
			return nil, notFound("Environment")
		}
		value := s.uuid()
		s.st.Tokens[value] = &projectToken{ID: s.uuid(), Name: in.Name, ProjectID: in.ProjectID, EnvironmentID: in.EnvironmentID, CreatedAt: s.w.Now()}
		return value, nil
	}
}
