package render

import (
	"context"
	"fmt"
	"maps"
	"path"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// ImageVariable tells a process of the emulator which image it stands for,
// since one command stands for all. The real platform has no such variable.
const ImageVariable = "OPSCTL_EMULATOR_IMAGE"

// failure is why a deploy failed, in the words of the events.
type failure struct {
	exit     *int   // the process ended with that status
	early    bool   // it ended well, but should not have ended
	sick     string // it never passed its health check
	timeout  time.Duration
	canceled bool
	build    string // id of a build that failed
	message  string // for the log
}

// carryOut takes a deploy through its life. It runs without s.mu, one at a
// time for a service.
func (s *Server) carryOut(ctx context.Context, v *service, d *deploy) {
	if !s.begin(v, d) || !s.build(ctx, v, d) || !s.preDeploy(ctx, v, d) {
		return
	}
	if !s.advance(d, statusUpdate) {
		return
	}
	s.say(v, "==> Deploying...")
	f := s.replace(ctx, v, d.Run, func() bool { // with s.mu
		if d.done() {
			return false
		}
		for _, old := range v.Deploys {
			if old.Status == statusLive {
				old.Status, old.UpdatedAt = statusPast, s.w.Now()
			}
		}
		s.finish(v, d, statusLive, nil)
		return true
	})
	if f == nil {
		s.say(v, "==> Your service is live")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.canceled {
		s.finish(v, d, statusCanceled, nil)
		return
	}
	s.sayLocked(v, "app", "==> "+f.message)
	s.finish(v, d, statusUpdateFailed, f)
}

// advance changes the status of a deploy that hasn't ended.
func (s *Server) advance(d *deploy, status string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.done() {
		return false
	}
	d.Status, d.UpdatedAt = status, s.w.Now()
	s.w.Touch()
	return true
}

// begin decides what the deploy runs. Settings and variables are those of this
// moment, not of when it was asked for.
func (s *Server) begin(v *service, d *deploy) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.done() {
		return false
	}
	now := s.w.Now()
	d.StartedAt, d.UpdatedAt = &now, now
	d.Status = statusUpdate
	s.event(v, "deploy_started", map[string]any{"deployId": d.ID, "trigger": s.trigger(d)})
	det := v.Details
	r := &run{
		DeployID: d.ID, Env: map[string]string{}, GroupEnv: s.groupEnv(v), Native: det.native(), Command: det.DockerCommand, PreDeploy: det.PreDeployCommand,
		HealthPath: det.HealthCheckPath, Instances: det.NumInstances, MaxShutdown: det.MaxShutdown,
	}
	if r.Native {
		r.Command = det.StartCommand
	}
	for _, e := range v.Env {
		r.Env[e.Key] = e.Value
	}
	if target := v.deploy(d.RollbackTo); target != nil {
		t := target.Run
		r.Env, r.Command, r.HealthPath, r.PreDeploy, r.Commit = maps.Clone(t.Env), t.Command, t.HealthPath, t.PreDeploy, t.Commit
		if r.Env == nil {
			r.Env = map[string]string{}
		}
	}
	d.Run = r
	if v.ImagePath != "" {
		return s.pull(v, d)
	}
	switch last := v.lastLive(); {
	case r.Commit != nil:
	case d.DeployOnly && last != nil:
		r.Commit = last.Run.Commit
	default:
		r.Commit = s.head(v, d.What)
		d.Status = statusBuild
	}
	d.Commit = r.Commit
	return true
}

// pull resolves the image; one that isn't there ends the deploy. Callers hold s.mu.
func (s *Server) pull(v *service, d *deploy) bool {
	ref := d.Image.Ref
	s.sayLocked(v, "build", "==> Pulling "+ref+"...")
	img, found := s.w.Images.Resolve(ref)
	if !found {
		message := "failed to pull image " + ref + ": manifest unknown"
		s.sayLocked(v, "build", "==> "+message)
		s.event(v, "image_pull_failed", map[string]any{"message": message, "imageURL": ref})
		s.finish(v, d, statusUpdateFailed, &failure{message: message})
		return false
	}
	d.Image = &imageRef{Ref: ref, Sha: img.Digest}
	d.Run.Image = d.Image
	return true
}

// build stands for the build of a commit.
func (s *Server) build(ctx context.Context, v *service, d *deploy) bool {
	s.mu.Lock()
	needed, c, parts := d.Status == statusBuild, d.Commit, v.dockerParts()
	id := s.id("bld")
	if needed {
		s.event(v, "build_started", map[string]any{"buildId": id, "trigger": s.trigger(d)})
		s.sayLocked(v, "build", "==> Cloning from "+v.Repo)
		s.sayLocked(v, "build", "==> Checking out commit "+c.ID+" in branch "+v.Branch)
	}
	s.mu.Unlock()
	if !needed {
		return true
	}
	var err error
	if s.opts.Build != nil {
		err = s.opts.Build(v.Repo, c.ID)
	}
	for _, name := range parts {
		if err == nil && s.opts.HasFile != nil && !s.opts.HasFile(v.Repo, c.ID, name) {
			err = fmt.Errorf("%s: no such file or directory in the repository", name)
		}
	}
	if s.opts.BuildTime > 0 {
		select {
		case <-time.After(s.opts.BuildTime):
		case <-ctx.Done():
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ended := map[string]any{"buildId": id, "buildStatus": "succeeded", "status": 2, "reason": map[string]any{}}
	switch {
	case d.done() || ctx.Err() != nil:
		ended["buildStatus"], ended["status"] = "canceled", 4
	case err != nil:
		ended["buildStatus"], ended["status"] = "failed", 3
	}
	s.event(v, "build_ended", ended)
	switch {
	case d.done():
		return false
	case ctx.Err() != nil:
		s.finish(v, d, statusCanceled, nil)
		return false
	case err != nil:
		s.sayLocked(v, "build", "==> Build failed: "+err.Error())
		s.finish(v, d, statusBuildFailed, &failure{build: id, message: err.Error()})
		return false
	}
	s.sayLocked(v, "build", "==> Build successful")
	return true
}

// dockerParts are what a Docker build needs, as paths in the repository. Callers hold s.mu.
func (v *service) dockerParts() []string {
	if v.Details.Runtime != "docker" {
		return nil
	}
	return []string{path.Join(".", v.RootDir, v.Details.DockerfilePath), path.Join(".", v.RootDir, v.Details.DockerContext)}
}

// preDeploy runs the pre-deploy command on an instance of its own, while the
// version before goes on serving.
func (s *Server) preDeploy(ctx context.Context, v *service, d *deploy) bool {
	if d.Run.PreDeploy == "" || v.Type == staticSite || v.Type == cronJob {
		return true
	}
	if !s.advance(d, statusPreDeploy) {
		return false
	}
	s.say(v, "==> Starting pre-deploy: "+d.Run.PreDeploy)
	s.mu.Lock()
	execution := s.id("dce")
	s.event(v, "pre_deploy_started", map[string]any{"deployCommandExecutionId": execution, "deployId": d.ID})
	m := s.task(v, d.Run, d.Run.PreDeploy, v.ID+"-"+s.w.Hex(5))
	s.mu.Unlock()
	f := s.await(ctx, m, s.opts.DeployTimeout)

	s.mu.Lock()
	defer s.mu.Unlock()
	ended := map[string]any{"deployCommandExecutionId": execution, "deployId": d.ID, "preDeployStatus": "succeeded", "status": 2, "reason": map[string]any{}}
	if d.done() || (f != nil && f.canceled) {
		ended["preDeployStatus"], ended["status"] = "canceled", 4
	} else if f != nil {
		ended["preDeployStatus"], ended["status"], ended["reason"] = "failed", 3, f.reason()
	}
	s.event(v, "pre_deploy_ended", ended)
	switch {
	case d.done():
		return false
	case f == nil:
		s.sayLocked(v, "app", "==> Pre-deploy complete!")
		return true
	case f.canceled:
		s.finish(v, d, statusCanceled, nil)
	default:
		s.sayLocked(v, "app", "==> Pre-deploy has failed: "+f.message)
		s.finish(v, d, statusPreDeployFailed, f)
	}
	return false
}

// task starts a command that ends, with what a run has. Callers hold s.mu.
func (s *Server) task(v *service, r *run, command, id string) *world.Machine {
	sp := world.Spec{Env: s.environ(v, r, id), Identity: s.identity(v, r, id), Restart: world.RestartNo, StopTimeout: time.Duration(r.MaxShutdown) * time.Second}
	if r.Native {
		sp.Argv = []string{"sh", "-c", command}
	} else {
		sp.Argv, _ = words(command)
	}
	return v.app.NewMachine(v.Details.Region, sp, id, true, false)
}

// await waits until a task has ended, and ends it when its time is over.
func (s *Server) await(ctx context.Context, m *world.Machine, budget time.Duration) *failure {
	bounded, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	var exit *world.Exit
	err := s.w.Await(bounded, func() bool {
		snap := m.Snapshot()
		exit = lastExit(snap)
		return exit != nil || gone(snap.State)
	})
	_ = m.Destroy(true)
	switch {
	case ctx.Err() != nil || (err == nil && exit == nil):
		return &failure{canceled: true, message: "canceled"}
	case err != nil:
		return &failure{timeout: budget, message: fmt.Sprintf("timed out after %s", budget)}
	case exit.Code != 0:
		return &failure{exit: &exit.Code, message: fmt.Sprintf("exited with status %d", exit.Code)}
	}
	return nil
}

func gone(st world.State) bool { return st == world.Destroyed || st == world.Destroying }

// lastExit is the newest end of the machine's process that nobody asked for.
func lastExit(snap world.Snapshot) *world.Exit {
	for _, e := range snap.Events {
		if e.Exit != nil && !e.Exit.Requested {
			return e.Exit
		}
	}
	return nil
}

// reason is the failure as the events tell it.
func (f *failure) reason() map[string]any {
	if f == nil {
		return map[string]any{}
	}
	if f.build != "" {
		return map[string]any{"buildFailed": map[string]any{"id": f.build}}
	}
	doc := map[string]any{"evicted": false, "earlyExit": f.early}
	if f.exit != nil && !f.early {
		doc["nonZeroExit"] = *f.exit
	}
	if f.sick != "" {
		doc["unhealthy"] = f.sick
	}
	if f.timeout > 0 {
		doc["timedOutSeconds"], doc["timedOutReason"] = seconds(f.timeout), f.message
	}
	return map[string]any{"failure": doc}
}

// finish ends a deploy and tells so. Callers hold s.mu.
func (s *Server) finish(v *service, d *deploy, status string, f *failure) {
	if d.done() {
		return
	}
	now := s.w.Now()
	d.Status, d.UpdatedAt, d.FinishedAt = status, now, &now
	word, code := "failed", 3
	switch status {
	case statusLive:
		word, code = "succeeded", 2
	case statusCanceled:
		word, code = "canceled", 4
	}
	if d.StartedAt != nil {
		s.event(v, "deploy_ended", map[string]any{"deployId": d.ID, "deployStatus": word, "status": code, "reason": f.reason()})
	}
	s.w.Logf("service %s: deploy %s is %s", v.Name, d.ID, status)
	s.w.Touch()
}
