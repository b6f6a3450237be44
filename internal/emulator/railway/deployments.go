package railway

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// The statuses of a deployment.
const (
	statusInitializing = "INITIALIZING"
	statusQueued       = "QUEUED"
	statusBuilding     = "BUILDING"
	statusDeploying    = "DEPLOYING"
	statusSuccess      = "SUCCESS"
	statusFailed       = "FAILED"
	statusCrashed      = "CRASHED"
	statusRemoving     = "REMOVING"
	statusRemoved      = "REMOVED"
)

// unfinished reports whether a deployment is still on its way.
func (d *deployment) unfinished() bool {
	switch d.Status {
	case statusInitializing, statusQueued, statusBuilding, statusDeploying:
		return true
	}
	return false
}

// deploy makes a deployment of what the instance is configured for. Callers hold s.mu.
func (s *Server) deploy(i *instance) *deployment {
	d := s.newDeployment(i, "deploy")
	d.Settings, d.Kept = i.Settings, cloneVariables(i.Variables)
	d.Image = i.Settings.Image
	if d.Image == "" {
		d.Upload = i.Upload
	}
	s.launch(d, i)
	return d
}

// newDeployment adds an empty one.
func (s *Server) newDeployment(i *instance, reason string) *deployment {
	now := s.w.Now()
	d := &deployment{
		ID: s.uuid(), ProjectID: i.ProjectID, EnvironmentID: i.EnvironmentID, ServiceID: i.ServiceID, SnapshotID: s.uuid(),
		Status: statusInitializing, Reason: reason, CreatedAt: now, UpdatedAt: now, StatusAt: now,
	}
	s.st.Deployments = append(s.st.Deployments, d)
	return d
}

func cloneVariables(in map[string]*variable) map[string]*variable {
	out := make(map[string]*variable, len(in))
	for k, v := range in {
		c := *v
		out[k] = &c
	}
	return out
}

// launch starts a deployment's work. One of the same service that is still on
// its way is superseded. Callers hold s.mu.
func (s *Server) launch(d *deployment, i *instance) {
	for _, o := range s.st.Deployments {
		if o != d && o.ServiceID == d.ServiceID && o.EnvironmentID == d.EnvironmentID && o.unfinished() {
			s.remove(o)
		}
	}
	d.Variables = s.variablesOf(d, i)
	s.begin(d, i)
}

// variablesOf renders the variables that a deployment was made with.
func (s *Server) variablesOf(d *deployment, i *instance) map[string]string {
	out := s.provided(i)
	frozen := *i
	frozen.Variables = d.Kept
	for name, v := range d.Kept {
		out[name] = s.render(&frozen, i.EnvironmentID, v.Value, 0)
	}
	return out
}

// setStatus moves a deployment on. Callers hold s.mu.
func (s *Server) setStatus(d *deployment, status string) {
	if d.Status == status {
		return
	}
	d.Status, d.StatusAt, d.UpdatedAt = status, s.w.Now(), s.w.Now()
	s.w.Logf("railway deployment %s of %s: %s", d.ID, s.serviceName(d.ServiceID), status)
	s.touch()
}

// remove ends a deployment: its work and its processes. Callers hold s.mu.
func (s *Server) remove(d *deployment) {
	if d.Status == statusRemoved {
		return
	}
	if r := s.running[d.ID]; r != nil {
		r.cancel()
		for _, m := range r.machines {
			_ = m.Destroy(true) // it is gone already if this fails
		}
		delete(s.running, d.ID)
	}
	if i := s.st.instance(d.ServiceID, d.EnvironmentID); i != nil && i.Active == d.ID {
		i.Active, d.Retired = "", s.w.Now()
	}
	if d.Status != statusFailed {
		s.setStatus(d, statusRemoved)
	}
}

// retained reports whether the deployment's image is still there.
func (s *Server) retained(d *deployment) bool {
	return s.opts.ImageRetention == 0 || d.Retired.IsZero() || s.w.Now().Sub(d.Retired) < s.opts.ImageRetention
}

// canRollback: it ran once, is not what runs now, and its image is kept.
func (s *Server) canRollback(d *deployment) bool {
	i := s.st.instance(d.ServiceID, d.EnvironmentID)
	return i != nil && d.Succeeded && i.Active != d.ID && s.retained(d)
}

func (s *Server) deploymentObjects(c *caller, keep func(*deployment) bool) []*object {
	var out []*object
	for _, d := range slices.Backward(s.st.Deployments) { // the newest first
		if keep(d) && c.mayEnvironment(d.EnvironmentID) == nil && !s.lagging(d.CreatedAt) {
			out = append(out, s.deploymentObject(c, d))
		}
	}
	return out
}

func (s *Server) deploymentObject(c *caller, d *deployment) *object {
	i := s.st.instance(d.ServiceID, d.EnvironmentID)
	var url any
	if i != nil {
		url = orNil(s.publicDomain(i))
	}
	return &object{"Deployment", map[string]any{
		"id": d.ID, "projectId": d.ProjectID, "environmentId": d.EnvironmentID, "serviceId": d.ServiceID, "snapshotId": d.SnapshotID,
		"status": d.Status, "statusUpdatedAt": stamp(d.StatusAt), "createdAt": stamp(d.CreatedAt), "updatedAt": stamp(d.UpdatedAt),
		"url": url, "staticUrl": url, "canRollback": s.canRollback(d), "canRedeploy": !d.unfinished() && s.retained(d), "diagnosis": nil,
		"deploymentStopped": d.Stopped, "suggestAddServiceDomain": d.Status == statusSuccess && url == nil, "sockets": []*object{},
		"meta":      lazy(func() any { return s.meta(d) }),
		"instances": lazy(func() any { return s.replicaObjects(d) }),
		"creator": lazy(func() any {
			return &object{"DeploymentCreator", map[string]any{"id": s.st.User, "email": s.opts.Email, "name": nil, "avatar": nil}}
		}),
		"service":     resolver(func(arguments) (any, error) { return s.serviceOrError(c, d.ServiceID) }),
		"environment": lazy(func() any { return s.environmentObject(c, s.st.environment(d.EnvironmentID)) }),
	}}
}

// meta is the DeploymentMeta scalar.
func (s *Server) meta(d *deployment) map[string]any {
	set := d.Settings
	deploy := map[string]any{
		"startCommand": orNil(set.StartCommand), "healthcheckPath": orNil(set.HealthcheckPath), "healthcheckTimeout": orNil(set.HealthcheckTimeout),
		"numReplicas": len(set.replicas()), "multiRegionConfig": set.multiRegion(), "restartPolicyType": set.restartPolicy(), "restartPolicyMaxRetries": set.maxRetries(),
		"sleepApplication": set.SleepApplication, "preDeployCommand": orNilList(set.PreDeployCommand),
		"overlapSeconds": orNil(set.OverlapSeconds), "drainingSeconds": orNil(set.DrainingSeconds), "cronSchedule": orNil(set.CronSchedule),
	}
	out := map[string]any{
		"reason": d.Reason, "logsV2": true, "runtime": "V2", "volumeMounts": []string{},
		"serviceManifest": map[string]any{"deploy": deploy, "build": map[string]any{"builder": set.builder(), "buildCommand": orNil(set.BuildCommand), "dockerfilePath": orNil(set.DockerfilePath)}},
	}
	for key, v := range map[string]string{
		"image": d.Image, "imageDigest": d.Digest, "cliMessage": d.Message, "patchId": d.PatchID, "repo": set.Repo, "branch": set.Branch, "originalDeploymentId": d.From,
	} {
		if v != "" {
			out[key] = v
		}
	}
	if d.Message != "" {
		out["commitMessage"] = d.Message
	}
	return out
}

func orNilList(list []string) any {
	if len(list) == 0 {
		return nil
	}
	return list
}

// replicaObjects are a deployment's instances with their statuses.
func (s *Server) replicaObjects(d *deployment) []*object {
	var machines []*world.Machine
	if r := s.running[d.ID]; r != nil {
		machines = r.machines
	}
	out := []*object{}
	for _, id := range d.Replicas {
		status := statusRemoved
		for _, m := range machines {
			if m.ID == id {
				status = replicaStatus(m)
			}
		}
		out = append(out, &object{"DeploymentDeploymentInstance", map[string]any{"id": id, "status": status}})
	}
	return out
}

func replicaStatus(m *world.Machine) string {
	snap := m.Snapshot()
	switch snap.State {
	case world.Created:
		return "CREATED"
	case world.Starting:
		return "INITIALIZING"
	case world.Started:
		return "RUNNING"
	case world.Replacing, world.Restarting:
		return "RESTARTING"
	case world.Destroying, world.Stopping:
		return "REMOVING"
	case world.Destroyed:
		return statusRemoved
	}
	for _, e := range snap.Events {
		if e.Type == "exit" {
			switch {
			case e.Again:
				return "RESTARTING"
			case e.Exit.Requested:
				return "STOPPED"
			case e.Exit.Code != 0:
				return statusCrashed
			}
			return "EXITED"
		}
	}
	return "STOPPED"
}

// listDeployments answers `deployments`.
func (s *Server) listDeployments(c *caller) resolver {
	return func(args arguments) (any, error) {
		in, err := input[struct {
			EnvironmentID, ProjectID, ServiceID string
			IncludeDeleted                      bool
			Status                              *struct{ In, NotIn names }
		}](args, "input")
		if err != nil {
			return nil, err
		}
		switch {
		case in.ProjectID == "" && in.EnvironmentID == "" && in.ServiceID == "":
			return nil, invalid("A projectId, environmentId or serviceId must be given")
		case in.ProjectID != "":
			_, err = s.project(c, in.ProjectID)
		}
		if err == nil && in.EnvironmentID != "" {
			_, err = s.environment(c, in.EnvironmentID)
		}
		if err == nil && in.ServiceID != "" {
			_, err = s.service(c, in.ServiceID)
		}
		if err != nil {
			return nil, err
		}
		fits := func(want, got string) bool { return want == "" || want == got }
		return s.page("QueryDeploymentsConnection", s.deploymentObjects(c, func(d *deployment) bool {
			if in.Status != nil && (len(in.Status.In) > 0 && !slices.Contains(in.Status.In, d.Status) || slices.Contains(in.Status.NotIn, d.Status)) {
				return false
			}
			return fits(in.ProjectID, d.ProjectID) && fits(in.EnvironmentID, d.EnvironmentID) && fits(in.ServiceID, d.ServiceID)
		}), args)
	}
}

func (s *Server) eventObjects(d *deployment) []*object {
	out := []*object{}
	for _, e := range d.Events {
		var payload any
		if p := e.Payload; p != nil {
			payload = &object{"DeploymentEventPayload", map[string]any{
				"error": orNil(p.Error), "reason": orNil(p.Reason), "detail": orNil(p.Detail), "attempt": orNil(p.Attempt), "maxAttempts": orNil(p.MaxAttempts),
				"skipped": orNil(p.Skipped), "durationMs": p.DurationMS,
			}}
		}
		out = append(out, &object{"DeploymentEvent", map[string]any{
			"id": e.ID, "step": e.Step, "createdAt": stamp(e.CreatedAt), "completedAt": stampOrNil(e.Completed), "payload": payload,
		}})
	}
	return out
}

// snapshotObject is what a deployment runs with; sealed variables are left out.
func (s *Server) snapshotObject(d *deployment) *object {
	vars := maps.Clone(d.Variables)
	maps.DeleteFunc(vars, func(name, _ string) bool { return d.Kept[name] != nil && d.Kept[name].Sealed })
	return &object{"DeploymentSnapshot", map[string]any{
		"id": d.SnapshotID, "createdAt": stamp(d.CreatedAt), "updatedAt": stamp(d.UpdatedAt), "variables": vars,
	}}
}

// command joins the parts of a pre-deploy command.
func (set settings) command() string {
	var parts []string
	for _, p := range set.PreDeployCommand {
		if p = strings.TrimSpace(p); p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, " && ")
}

// seconds is a number of them as a duration.
func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// since is the time that an event took, in milliseconds.
func since(from, to time.Time) int64 { return to.Sub(from).Milliseconds() }
