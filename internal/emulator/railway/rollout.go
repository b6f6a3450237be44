package railway

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// The steps of a deployment, as its events name them.
const (
	stepSnapshot  = "SNAPSHOT_CODE"
	stepBuild     = "BUILD_IMAGE"
	stepPublish   = "PUBLISH_IMAGE"
	stepPreDeploy = "PRE_DEPLOY_COMMAND"
	stepContainer = "CREATE_CONTAINER"
	stepNetwork   = "CONFIGURE_NETWORK"
	stepVolumes   = "MIGRATE_VOLUMES"
	stepHealth    = "HEALTHCHECK"
	stepDrain     = "DRAIN_INSTANCES"
)

// defaultHealthTimeout is how long a new version has to become healthy.
const defaultHealthTimeout = 300 * time.Second

// rollout is the work on a deployment that is on its way or serves.
type rollout struct {
	s        *Server
	d        *deployment
	i        *instance
	cancel   context.CancelFunc
	machines []*world.Machine // guarded by s.mu
	paused   []*world.Machine // the old version, stopped because of a volume
}

// failure is why a deployment ends without success.
type failure struct {
	status, message string
}

func (f *failure) Error() string { return f.message }

// errOver: the deployment was removed meanwhile, there is nothing more to do.
var errOver = errors.New("the deployment is over")

// begin starts the work. Callers hold s.mu.
func (s *Server) begin(d *deployment, i *instance) {
	ctx, cancel := context.WithCancel(s.ctx)
	r := &rollout{s: s, d: d, i: i, cancel: cancel}
	s.running[d.ID] = r
	s.touch()
	s.background(func(context.Context) {
		defer cancel()
		r.run(ctx)
	})
}

// run takes the deployment from INITIALIZING to its end, and then watches it.
func (r *rollout) run(ctx context.Context) {
	err := r.steps(ctx)
	if err == nil {
		r.watch(ctx)
		return
	}
	var f *failure
	if !errors.As(err, &f) {
		return // removed, or the emulator ends
	}
	s := r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if !r.d.unfinished() {
		return // removed just now
	}
	for _, m := range r.machines {
		_ = m.Destroy(true)
	}
	for _, m := range r.paused {
		m.Start(nil)
	}
	delete(s.running, r.d.ID)
	s.setStatus(r.d, f.status)
}

func (r *rollout) steps(ctx context.Context) error {
	for _, st := range []string{statusQueued, statusBuilding} {
		if err := r.enter(ctx, st); err != nil {
			return err
		}
	}
	if err := r.build(); err != nil {
		return err
	}
	if err := r.enter(ctx, statusDeploying); err != nil {
		return err
	}
	if engine := engineOf(r.d.Image); engine != "" {
		return r.serveDatabase(ctx, engine)
	}
	if err := r.preDeploy(ctx); err != nil {
		return err
	}
	r.pauseOld(ctx)
	if err := r.create(ctx); err != nil {
		return err
	}
	if err := r.health(ctx); err != nil {
		return err
	}
	return r.takeOver()
}

// enter moves the deployment to a passing status and stays there for a moment.
func (r *rollout) enter(ctx context.Context, status string) error {
	r.s.mu.Lock()
	over := !r.d.unfinished()
	if !over {
		r.s.setStatus(r.d, status)
	}
	r.s.mu.Unlock()
	if over {
		return errOver
	}
	return pause(ctx, r.s.opts.Step)
}

// pause waits, or returns ctx's error.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// step begins an event; the function that it returns ends it.
func (r *rollout) step(name string) func(p eventPayload) {
	s := r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	e := &event{ID: s.uuid(), Step: name, CreatedAt: s.w.Now()}
	r.d.Events = append(r.d.Events, e)
	s.touch()
	return func(p eventPayload) {
		s.mu.Lock()
		defer s.mu.Unlock()
		e.Completed = s.w.Now()
		p.DurationMS = since(e.CreatedAt, e.Completed)
		e.Payload = &p
		s.touch()
	}
}

// logf writes into the build log, which also has the health checks.
func (r *rollout) logf(format string, args ...any) { r.write("info", format, args...) }

func (r *rollout) errorf(format string, args ...any) { r.write("error", format, args...) }

func (r *rollout) write(severity, format string, args ...any) {
	s := r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	for line := range strings.SplitSeq(fmt.Sprintf(format, args...), "\n") {
		r.d.BuildLogs = append(r.d.BuildLogs, logLine{s.w.Now(), line, severity})
	}
	s.touch()
}

// spec is what the deployment's processes run: the service, or with a command that.
func (r *rollout) spec(replica, region, command string) world.Spec {
	set := r.d.Settings
	env := maps.Clone(r.d.Variables)
	maps.Copy(env, map[string]string{
		"RAILWAY_DEPLOYMENT_ID": r.d.ID, "RAILWAY_SNAPSHOT_ID": r.d.SnapshotID, "RAILWAY_REPLICA_ID": replica, "RAILWAY_REPLICA_REGION": region,
		ImageVariable: r.d.Image,
	})
	if r.d.Image == "" {
		env[ImageVariable] = r.d.Digest
	}
	sp := world.Spec{Env: env, Port: 8080, Identity: map[string]string{"deployment": r.d.ID, "replica": replica, "image": env[ImageVariable]}}
	if p, err := strconv.Atoi(env["PORT"]); err == nil && p > 0 {
		sp.Port = p
	}
	switch set.restartPolicy() {
	case "ALWAYS":
		sp.Restart = world.RestartAlways
	case "NEVER":
		sp.Restart = world.RestartNo
	default:
		sp.Restart, sp.MaxRetries = world.RestartOnFailure, set.maxRetries()
	}
	sp.StopSignal, sp.StopTimeout = syscall.SIGTERM, r.drain()
	if set.StartCommand != "" {
		sp.Argv = shell(set.StartCommand)
	}
	if command != "" {
		sp.Argv, sp.Port, sp.Restart, sp.AutoDestroy = shell(command), 0, world.RestartNo, true
	}
	return sp
}

// shell runs a command as the platform does.
func shell(command string) []string { return []string{"/bin/sh", "-c", command} }

// drain is the time from SIGTERM to SIGKILL. The platform's default is none at all.
func (r *rollout) drain() time.Duration {
	n := r.d.Settings.DrainingSeconds
	if v, err := strconv.Atoi(r.d.Variables["RAILWAY_DEPLOYMENT_DRAINING_SECONDS"]); err == nil && n == 0 {
		n = v
	}
	return max(seconds(n), 50*time.Millisecond)
}

// preDeploy runs the pre-deploy command as a process of its own and waits for it.
func (r *rollout) preDeploy(ctx context.Context) error {
	command := r.d.Settings.command()
	if command == "" {
		return nil
	}
	done := r.step(stepPreDeploy)
	m, err := r.add(r.d.Settings.replicas()[0], command, false)
	if err != nil {
		return err
	}
	var exit *world.Exit
	err = r.s.w.Await(ctx, func() bool {
		for _, e := range m.Snapshot().Events {
			if e.Type == "exit" {
				exit = e.Exit
			}
		}
		return exit != nil
	})
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err() // it was ended together with the deployment
	}
	if exit.Code == 0 {
		done(eventPayload{})
		return nil
	}
	r.errorf("Pre-deploy command failed with exit code %d", exit.Code)
	done(eventPayload{Error: "Pre-deploy command failed", Reason: "exit", Detail: fmt.Sprintf("Process exited with code %d", exit.Code)})
	return &failure{statusFailed, "pre-deploy command failed"}
}

// add starts a machine of the deployment. A replica gets no traffic yet.
func (r *rollout) add(region, command string, replica bool) (*world.Machine, error) {
	s := r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	app := s.app(r.i)
	if app == nil || !r.d.unfinished() {
		return nil, errOver
	}
	id := s.uuid()
	m := app.NewMachine(region, r.spec(id, region, command), id, true, false)
	r.machines = append(r.machines, m)
	r.d.Machines = append(r.d.Machines, id)
	if replica {
		r.d.Replicas = append(r.d.Replicas, id)
	}
	return m, nil
}

// replicas are the machines that are the service.
func (r *rollout) replicas() []*world.Machine {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	var out []*world.Machine
	for _, m := range r.machines {
		for _, id := range r.d.Replicas {
			if id == m.ID {
				out = append(out, m)
			}
		}
	}
	return out
}

// pauseOld stops the old version of a service that has a volume: two versions
// are never on one volume.
func (r *rollout) pauseOld(ctx context.Context) {
	s := r.s
	s.mu.Lock()
	old := s.running[r.i.Active]
	if len(s.st.volumesOf(r.i.ServiceID, r.i.EnvironmentID)) == 0 || old == nil {
		s.mu.Unlock()
		return
	}
	r.paused = append(r.paused, old.machines...)
	s.mu.Unlock()
	done := r.step(stepVolumes)
	for _, m := range r.paused {
		m.Stop(syscall.SIGTERM, old.drain())
	}
	_ = s.w.Await(ctx, func() bool { // ctx's error is met at the next step
		for _, m := range r.paused {
			if m.Snapshot().Addr != "" {
				return false
			}
		}
		return true
	})
	done(eventPayload{})
}

func (r *rollout) create(ctx context.Context) error {
	done := r.step(stepContainer)
	for _, region := range r.d.Settings.replicas() {
		if _, err := r.add(region, "", true); err != nil {
			return err
		}
	}
	err := r.s.w.Await(ctx, func() bool {
		for _, m := range r.replicas() {
			if snap := m.Snapshot(); !snap.Reached[world.Started] {
				return false
			}
		}
		return true
	})
	if err != nil {
		return err
	}
	done(eventPayload{})
	r.step(stepNetwork)(eventPayload{})
	return nil
}
