package railway

import (
	"context"
	"maps"
	"syscall"
)

// onDeployment wraps a call on one deployment, with s.mu held.
func (s *Server) onDeployment(c *caller, f func(d *deployment, i *instance, args arguments) (any, error)) resolver {
	return func(args arguments) (any, error) {
		d, err := s.deployment(c, args.str("id"))
		if err != nil {
			return nil, err
		}
		i := s.st.instance(d.ServiceID, d.EnvironmentID)
		if i == nil {
			return nil, notFound("Service")
		}
		return f(d, i, args)
	}
}

func (s *Server) deployInstance(c *caller) func(args arguments) (*deployment, error) {
	return func(args arguments) (*deployment, error) {
		i, err := s.instance(c, args.str("serviceId"), args.str("environmentId"))
		if err != nil {
			return nil, err
		}
		if !i.deployable() {
			return nil, fail("Service has no source to deploy")
		}
		return s.deploy(i), nil
	}
}

// redeploy repeats a deployment's build and settings with today's variables.
// Its image tag is looked up anew unless the previous one is asked for.
func (s *Server) redeploy(c *caller) resolver {
	return s.onDeployment(c, func(d *deployment, i *instance, args arguments) (any, error) {
		if d.unfinished() || !s.retained(d) {
			return nil, fail("Cannot redeploy this deployment")
		}
		n := s.newDeployment(i, "redeploy")
		n.Settings, n.Kept, n.From, n.Message = d.Settings, cloneVariables(i.Variables), d.ID, d.Message
		n.Image, n.Upload = d.Image, d.Upload
		if d.Image != "" && args.flag("usePreviousImageTag") {
			n.Digest = d.Digest
		}
		s.launch(n, i)
		return s.deploymentObject(c, n), nil
	})
}

// rollback makes a new deployment of an old one's image, with the variables
// and the settings of that time. It answers true, without an id.
func (s *Server) rollback(c *caller) resolver {
	return s.onDeployment(c, func(d *deployment, i *instance, _ arguments) (any, error) {
		if !s.canRollback(d) {
			return nil, fail("Cannot roll back to this deployment")
		}
		n := s.newDeployment(i, "rollback")
		n.Settings, n.Kept, n.From, n.Message = d.Settings, cloneVariables(d.Kept), d.ID, d.Message
		n.Image, n.Upload, n.Digest = d.Image, d.Upload, d.Digest
		if !s.opts.KeepConfigOnRollback {
			i.Settings, i.Variables, i.UpdatedAt = d.Settings, cloneVariables(d.Kept), s.w.Now()
			if d.Upload != "" {
				i.Upload = d.Upload
			}
		}
		s.launch(n, i)
		return true, nil
	})
}

// cancelDeployment stops one that is on its way.
func (s *Server) cancelDeployment(c *caller) resolver {
	return s.onDeployment(c, func(d *deployment, _ *instance, _ arguments) (any, error) {
		if !d.unfinished() {
			return nil, fail("Cannot cancel a deployment that is not in progress")
		}
		r := s.running[d.ID]
		s.remove(d)
		if r != nil {
			for _, m := range r.paused {
				m.Start(nil)
			}
		}
		return true, nil
	})
}

func (s *Server) removeDeployment(c *caller) resolver {
	return s.onDeployment(c, func(d *deployment, _ *instance, _ arguments) (any, error) {
		s.remove(d)
		return true, nil
	})
}

// stopDeployment ends the processes and leaves the deployment in place.
func (s *Server) stopDeployment(c *caller) resolver {
	return s.onDeployment(c, func(d *deployment, _ *instance, _ arguments) (any, error) {
		r := s.running[d.ID]
		if r == nil || d.unfinished() {
			return nil, fail("Deployment is not running")
		}
		for _, m := range r.machines {
			m.Stop(syscall.SIGTERM, r.drain())
		}
		d.Stopped = true
		s.touch()
		return true, nil
	})
}

// restartDeployment starts the processes again: the same image, the same variables.
func (s *Server) restartDeployment(c *caller) resolver {
	return s.onDeployment(c, func(d *deployment, _ *instance, _ arguments) (any, error) {
		r := s.running[d.ID]
		if r == nil || d.unfinished() {
			return nil, fail("Deployment is not running")
		}
		for _, m := range r.machines {
			m.Restart(nil, syscall.SIGTERM, r.drain())
		}
		d.Stopped = false
		s.touch()
		return true, nil
	})
}

// resume brings a deployment of a snapshot back to life. Callers hold s.mu.
func (s *Server) resume(d *deployment, i *instance) {
	switch {
	case d.unfinished():
		s.destroyMachines(d, i) // a half-made version is made again
		d.Events, d.Machines, d.Replicas = nil, nil, nil
		d.Status = statusInitializing
		s.begin(d, i)
	case i.Active == d.ID:
		ctx, cancel := context.WithCancel(s.ctx)
		r := &rollout{s: s, d: d, i: i, cancel: cancel}
		s.running[d.ID] = r
		app := s.app(i)
		if engine := engineOf(d.Image); engine != "" {
			s.background(func(context.Context) { r.restartDatabase(ctx, engine) })
			return
		}
		regions := d.Settings.replicas()
		for n, id := range d.Replicas {
			region := regions[min(n, len(regions)-1)]
			m := app.Machine(id)
			if m == nil {
				m = app.NewMachine(region, r.spec(id, region, ""), id, false, d.Stopped)
			}
			r.machines = append(r.machines, m)
		}
		s.background(func(context.Context) {
			defer cancel()
			r.watch(ctx)
		})
	case d.Status == statusRemoving:
		s.destroyMachines(d, i)
		d.Status = statusRemoved
	}
}

// destroyMachines ends what the world has brought back of a deployment.
func (s *Server) destroyMachines(d *deployment, i *instance) {
	for _, id := range d.Machines {
		if m := s.app(i).Machine(id); m != nil {
			_ = m.Destroy(true)
		}
	}
}

// Deployments tells how many deployments have each status, for tests and for
// who runs the emulator.
func (s *Server) Deployments() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]int{}
	for _, d := range s.st.Deployments {
		out[d.Status]++
	}
	return maps.Clone(out)
}
