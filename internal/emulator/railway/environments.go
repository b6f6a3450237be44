package railway

import "slices"

func (s *Server) environmentList(c *caller, projectID string, args arguments) []*object {
	var out []*object
	for _, e := range s.st.environments(projectID) {
		if want, given := args["isEphemeral"].(bool); given && want != e.Ephemeral {
			continue
		}
		if !s.lagging(e.CreatedAt) {
			out = append(out, s.environmentObject(c, e))
		}
	}
	return out
}

func (s *Server) newEnvironment(p *projectDoc, name string) *environmentDoc {
	now := s.w.Now()
	e := &environmentDoc{ID: s.uuid(), ProjectID: p.ID, Name: name, CreatedAt: now, UpdatedAt: now}
	s.st.Environments = append(s.st.Environments, e)
	return e
}

func (s *Server) environmentObject(c *caller, e *environmentDoc) *object {
	return &object{"Environment", map[string]any{
		"id": e.ID, "name": e.Name, "projectId": e.ProjectID, "createdAt": stamp(e.CreatedAt), "updatedAt": stamp(e.UpdatedAt), "deletedAt": nil,
		"isEphemeral": e.Ephemeral, "canAccess": c.mayEnvironment(e.ID) == nil, "meta": nil, "canvasGroupRefs": map[string]any{},
		"configEtag": lazy(func() any { return s.configEtag(e) }),
		"config": resolver(func(args arguments) (any, error) {
			return s.guarded(c, e, func() any { return s.config(e, args.flag("decryptVariables")) })
		}),
		"unmergedChangesCount": lazy(func() any { return s.stagedCount(e.ID) }),
		"sourceEnvironment": lazy(func() any {
			if src := s.st.environment(e.Source); src != nil {
				return s.environmentObject(c, src)
			}
			return nil
		}),
		"serviceInstances": s.connection("EnvironmentServiceInstancesConnection", func() []*object {
			var out []*object
			for _, i := range s.st.instances(e.ID) {
				if c.mayEnvironment(e.ID) == nil && !s.lagging(i.CreatedAt) {
					out = append(out, s.instanceObject(c, i))
				}
			}
			return out
		}),
		"deployments": s.connection("EnvironmentDeploymentsConnection", func() []*object {
			return s.deploymentObjects(c, func(d *deployment) bool { return d.EnvironmentID == e.ID })
		}),
		"volumeInstances": s.connection("EnvironmentVolumeInstancesConnection", func() []*object {
			var out []*object
			for _, v := range s.st.VolumeInstances {
				if v.EnvironmentID == e.ID && c.mayEnvironment(e.ID) == nil {
					out = append(out, s.volumeInstanceObject(c, v))
				}
			}
			return out
		}),
		"variables":          s.connection("EnvironmentVariablesConnection", func() []*object { return s.variableObjects(c, e) }),
		"deploymentTriggers": s.connection("EnvironmentDeploymentTriggersConnection", none),
	}}
}

// guarded answers what belongs to an environment to those who may see it.
func (s *Server) guarded(c *caller, e *environmentDoc, f func() any) (any, error) {
	if err := c.mayEnvironment(e.ID); err != nil {
		return nil, err
	}
	return f(), nil
}

func (s *Server) createEnvironment(c *caller) resolver {
	return func(args arguments) (any, error) {
		in, err := input[struct {
			ProjectID, Name, SourceEnvironmentID                                         string
			Ephemeral, SkipInitialDeploys, StageInitialChanges, ApplyChangesInBackground bool
		}](args, "input")
		if err != nil {
			return nil, err
		}
		if err := c.everything(); err != nil {
			return nil, err
		}
		p, err := s.project(c, in.ProjectID)
		if err != nil {
			return nil, err
		}
		for _, e := range s.st.environments(p.ID) {
			if e.Name == in.Name {
				return nil, fail("An environment named %q already exists in this project", in.Name)
			}
		}
		if in.SourceEnvironmentID != "" {
			if _, err := s.environment(c, in.SourceEnvironmentID); err != nil {
				return nil, err
			}
		}
		e := s.newEnvironment(p, in.Name)
		e.Ephemeral, e.Source = in.Ephemeral, in.SourceEnvironmentID
		if in.SourceEnvironmentID != "" {
			s.copyEnvironment(in.SourceEnvironmentID, e, in.SkipInitialDeploys)
		} else {
			for _, v := range s.st.services(p.ID) {
				s.newInstance(v, e)
			}
		}
		s.touch()
		return s.environmentObject(c, e), nil
	}
}

// copyEnvironment gives the new environment the services and variables of another.
func (s *Server) copyEnvironment(from string, to *environmentDoc, skipDeploys bool) {
	for name, v := range s.st.Shared[from] {
		s.setVariable(s.shared(to.ID), name, v.Value)
	}
	for _, src := range s.st.instances(from) {
		i := s.newInstance(s.st.service(src.ServiceID), to)
		i.Settings, i.Upload, i.CPUs, i.MemoryGB = src.Settings, src.Upload, src.CPUs, src.MemoryGB
		for name, v := range src.Variables {
			s.setVariable(i.Variables, name, v.Value)
		}
		for _, vi := range s.st.volumesOf(src.ServiceID, from) {
			s.newVolumeInstance(s.st.volume(vi.VolumeID), to.ID, src.ServiceID, vi.MountPath)
		}
		if err := s.ports(i); err != nil {
			s.w.Logf("railway: copy %s into %s: %v", s.serviceName(i.ServiceID), to.Name, err)
		}
		if !skipDeploys && i.deployable() {
			s.deploy(i)
		}
	}
}

func (s *Server) deleteEnvironment(c *caller) resolver {
	return func(args arguments) (any, error) {
		if err := c.everything(); err != nil {
			return nil, err
		}
		e, err := s.environment(c, args.str("id"))
		if err != nil {
			return nil, err
		}
		for _, i := range s.st.instances(e.ID) {
			s.removeInstance(i)
		}
		s.st.Environments = slices.DeleteFunc(s.st.Environments, func(o *environmentDoc) bool { return o == e })
		s.touch()
		return true, nil
	}
}

func (s *Server) renameEnvironment(c *caller) resolver {
	return func(args arguments) (any, error) {
		in, err := input[struct{ Name string }](args, "input")
		if err != nil {
			return nil, err
		}
		e, err := s.environment(c, args.str("id"))
		if err != nil {
			return nil, err
		}
		e.Name, e.UpdatedAt = in.Name, s.w.Now()
		s.touch()
		return s.environmentObject(c, e), nil
	}
}
