package railway

import (
	"maps"
	"slices"
)

// guard wraps the fields of a root: a caller without a valid token gets
// nothing but what is public.
func guard(c *caller, typ string, fields map[string]any, public ...string) *object {
	for name, f := range fields {
		r, is := f.(resolver)
		if !is || slices.Contains(public, name) {
			continue
		}
		fields[name] = resolver(func(args arguments) (any, error) {
			if err := c.anybody(); err != nil {
				return nil, err
			}
			return r(args)
		})
	}
	return &object{typ, fields}
}

// queries is the root of all reads. Resolvers run with s.mu held.
func (s *Server) queries(c *caller) *object {
	fields := map[string]any{
		"me": s.me(c), "apiToken": s.apiToken(c), "projectToken": s.projectToken(c),
		"workspace": resolver(func(args arguments) (any, error) {
			if err := c.everything(); err != nil || args.str("workspaceId") != s.st.Workspace {
				return nil, errUnauthorized
			}
			return s.workspace(c), nil
		}),
		"projects": resolver(func(args arguments) (any, error) {
			if err := c.everything(); err != nil {
				return nil, err
			}
			return s.page("QueryProjectsConnection", s.projectList(c, args), args)
		}),
		"project": resolver(func(args arguments) (any, error) {
			p, err := s.project(c, args.str("id"))
			if err != nil {
				return nil, err
			}
			return s.projectObject(c, p), nil
		}),
		"environments": resolver(func(args arguments) (any, error) {
			p, err := s.project(c, args.str("projectId"))
			if err != nil {
				return nil, err
			}
			return s.page("QueryEnvironmentsConnection", s.environmentList(c, p.ID, args), args)
		}),
		"environment": resolver(func(args arguments) (any, error) {
			e, err := s.environment(c, args.str("id"))
			if err != nil {
				return nil, err
			}
			return s.environmentObject(c, e), nil
		}),
		"service": resolver(func(args arguments) (any, error) {
			v, err := s.service(c, args.str("id"))
			if err != nil {
				return nil, err
			}
			return s.serviceObject(c, v), nil
		}),
		"customDomain": s.readCustomDomain(c),
		"customDomainAvailable": resolver(func(args arguments) (any, error) {
			taken := slices.ContainsFunc(s.st.CustomDomains, func(d *customDomain) bool { return d.Domain == args.str("domain") })
			text := "Domain is available"
			if taken {
				text = "Domain is not available"
			}
			return &object{"DomainAvailable", map[string]any{"available": !taken, "message": text}}, nil
		}),
		"template": resolver(s.readTemplate), "workflowStatus": s.workflowStatus(c),
		"volumeInstance": resolver(func(args arguments) (any, error) {
			v, err := s.onVolume(c, args.str("id"))
			if err != nil {
				return nil, err
			}
			return s.volumeInstanceObject(c, v), nil
		}),
		"volumeInstanceBackupList": s.listBackups(c), "volumeInstanceBackupScheduleList": s.listSchedules(c),
		"regions": lazy(func() any { return regionObjects() }),
	}
	maps.Copy(fields, s.serviceQueries(c))
	return guard(c, "Query", fields, "template")
}

// serviceQueries are those about services and their deployments.
func (s *Server) serviceQueries(c *caller) map[string]any {
	return map[string]any{
		"serviceInstance":              s.onInstance(c, func(i *instance) any { return s.instanceObject(c, i) }),
		"serviceInstanceLimits":        s.onInstance(c, func(i *instance) any { return limitsDoc(i, true) }),
		"serviceInstanceLimitOverride": s.onInstance(c, func(i *instance) any { return limitsDoc(i, false) }),
		"serviceInstanceIsUpdatable":   s.onInstance(c, func(*instance) any { return true }),
		"domains":                      s.onInstance(c, func(i *instance) any { return s.allDomains(i) }),
		"tcpProxies": s.onInstance(c, func(i *instance) any {
			out := []*object{}
			for _, p := range s.st.Proxies {
				if p.ServiceID == i.ServiceID && p.EnvironmentID == i.EnvironmentID {
					out = append(out, s.proxyObject(p))
				}
			}
			return out
		}),
		"variables": s.readVariables(c), "variablesForServiceDeployment": s.deploymentVariables(c),
		"deployments":        s.listDeployments(c),
		"deployment":         s.oneDeployment(c, "id", func(d *deployment, _ arguments) (any, error) { return s.deploymentObject(c, d), nil }),
		"deploymentSnapshot": s.oneDeployment(c, "deploymentId", func(d *deployment, _ arguments) (any, error) { return s.snapshotObject(d), nil }),
		"deploymentEvents": s.oneDeployment(c, "id", func(d *deployment, args arguments) (any, error) {
			return s.page("QueryDeploymentEventsConnection", s.eventObjects(d), args)
		}),
		"buildLogs":                s.logs(c, s.buildEntries),
		"deploymentLogs":           s.logs(c, func(d *deployment) []entry { return s.runEntries(d) }),
		"environmentLogs":          s.environmentLogs(c),
		"environmentStagedChanges": s.stagedChanges(c),
		"environmentPatch": resolver(func(args arguments) (any, error) {
			p := find(s.st.Patches, func(p *patch) bool { return p.ID == args.str("id") })
			if p == nil {
				return nil, notFound("EnvironmentPatch")
			}
			if err := c.mayEnvironment(p.EnvironmentID); err != nil {
				return nil, err
			}
			return s.patchObject(c, p), nil
		}),
	}
}

// mutations is the root of all writes. Resolvers run with s.mu held.
func (s *Server) mutations(c *caller) *object {
	return guard(c, "Mutation", map[string]any{
		"projectCreate": s.createProject(c), "projectUpdate": s.updateProject(c), "projectDelete": s.deleteProject(c), "projectScheduleDelete": s.deleteProject(c),
		"projectTokenCreate": s.createProjectToken(c),
		"environmentCreate":  s.createEnvironment(c), "environmentDelete": s.deleteEnvironment(c), "environmentRename": s.renameEnvironment(c),
		"serviceCreate": s.createService(c), "serviceUpdate": s.updateService(c), "serviceConnect": s.connectService(c), "serviceDisconnect": s.disconnectService(c),
		"serviceDelete": s.deleteService(c), "serviceInstanceUpdate": s.updateInstance(c), "serviceInstanceLimitsUpdate": s.updateLimits(c),
		"serviceInstanceDeployV2": resolver(func(args arguments) (any, error) {
			d, err := s.deployInstance(c)(args)
			if err != nil {
				return nil, err
			}
			return d.ID, nil
		}),
		"serviceInstanceDeploy": s.deployed(c), "serviceInstanceRedeploy": s.deployed(c),
		"variableCollectionUpsert": s.upsertCollection(c), "variableUpsert": s.upsertVariable(c), "variableDelete": s.deleteVariable(c),
		"environmentStageChanges": s.stageChanges(c), "environmentPatchCommitStaged": s.commitStaged(c), "environmentPatchCommit": s.commitPatch(c),
		"deploymentRedeploy": s.redeploy(c), "deploymentRestart": s.restartDeployment(c), "deploymentCancel": s.cancelDeployment(c),
		"deploymentStop": s.stopDeployment(c), "deploymentRemove": s.removeDeployment(c), "deploymentRollback": s.rollback(c),
		"serviceDomainCreate": s.createServiceDomain(c), "serviceDomainDelete": s.deleteServiceDomain(c),
		"customDomainCreate": s.createCustomDomain(c), "customDomainDelete": s.deleteCustomDomain(c), "customDomainIssueCertificate": s.issueCertificate(c),
		"tcpProxyCreate": s.createProxy(c), "tcpProxyDelete": s.deleteProxy(c),
		"templateDeployV2": s.deployTemplate(c), "templateDeploy": s.deployTemplate(c),
		"enablePitrForHaCluster": s.enablePITR(c, true), "disablePitrForHaCluster": s.enablePITR(c, false), "volumeInstancePITRRestore": s.restorePITR(c),
		"volumeCreate": s.createVolume(c), "volumeUpdate": s.updateVolume(c), "volumeDelete": s.deleteVolume(c), "volumeInstanceUpdate": s.updateVolumeInstance(c),
		"volumeInstanceBackupCreate": s.createBackup(c), "volumeInstanceBackupDelete": s.deleteBackup(c), "volumeInstanceBackupLock": s.lockBackup(c),
		"volumeInstanceBackupRestore": s.restoreBackup(c), "volumeInstanceBackupScheduleUpdate": s.updateSchedules(c),
	})
}

func (s *Server) deployed(c *caller) resolver {
	return func(args arguments) (any, error) {
		_, err := s.deployInstance(c)(args)
		return err == nil, err
	}
}

func (s *Server) onInstance(c *caller, f func(*instance) any) resolver {
	return func(args arguments) (any, error) {
		i, err := s.instance(c, args.str("serviceId"), args.str("environmentId"))
		if err != nil {
			return nil, err
		}
		return f(i), nil
	}
}

func (s *Server) oneDeployment(c *caller, key string, f func(*deployment, arguments) (any, error)) resolver {
	return func(args arguments) (any, error) {
		d, err := s.deployment(c, args.str(key))
		if err != nil {
			return nil, err
		}
		return f(d, args)
	}
}
