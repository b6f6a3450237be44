package railway

import (
	"context"
	"strconv"
	"syscall"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// takeOver gives the traffic to the new version and takes it from the old one.
func (r *rollout) takeOver() error {
	s := r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if !r.d.unfinished() {
		return errOver
	}
	for _, m := range r.machines {
		m.SetCordoned(false)
	}
	old := s.st.deployment(r.i.Active)
	r.i.Active, r.d.Succeeded = r.d.ID, true
	s.setStatus(r.d, statusSuccess)
	if old != nil && old != r.d {
		old.Retired = s.w.Now()
		if o := s.running[old.ID]; o != nil {
			for _, m := range o.machines {
				m.SetCordoned(true)
			}
			s.background(func(ctx context.Context) { r.retire(ctx, o) })
		} else {
			s.setStatus(old, statusRemoved)
		}
	}
	for _, d := range s.st.Deployments { // one that crashed or stopped before gives way, too
		if d != r.d && d != old && d.ServiceID == r.d.ServiceID && d.EnvironmentID == r.d.EnvironmentID && d.Status == statusCrashed {
			s.remove(d)
		}
	}
	return nil
}

// retire ends the old version after the overlap, in its own draining time.
func (r *rollout) retire(ctx context.Context, old *rollout) {
	s := r.s
	done := r.step(stepDrain)
	s.mu.Lock()
	old.cancel()
	s.setStatus(old.d, statusRemoving)
	machines := append([]*world.Machine(nil), old.machines...)
	s.mu.Unlock()
	overlap := r.d.Settings.OverlapSeconds
	if v, err := strconv.Atoi(r.d.Variables["RAILWAY_DEPLOYMENT_OVERLAP_SECONDS"]); err == nil && overlap == 0 {
		overlap = v
	}
	if pause(ctx, seconds(overlap)) != nil {
		return
	}
	for _, m := range machines {
		m.Stop(syscall.SIGTERM, old.drain())
	}
	if s.w.Await(ctx, func() bool { return allEnded(machines) }) != nil {
		return
	}
	for _, m := range machines {
		_ = m.Destroy(true)
	}
	done(eventPayload{})
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, old.d.ID)
	s.setStatus(old.d, statusRemoved)
}

func allEnded(machines []*world.Machine) bool {
	for _, m := range machines {
		switch m.Snapshot().State {
		case world.Stopped, world.Suspended, world.Destroyed:
		default:
			return false
		}
	}
	return true
}

// ended tells how a replica ended when it won't be started again.
func ended(m *world.Machine) (exit *world.Exit, final bool) {
	snap := m.Snapshot()
	if snap.State != world.Stopped {
		return nil, false
	}
	for _, e := range snap.Events {
		if e.Type == "exit" {
			return e.Exit, !e.Again
		}
	}
	return nil, false
}

// watch keeps the status of a version that serves: CRASHED when a replica has
// ended with an error for good, SUCCESS again after a restart.
func (r *rollout) watch(ctx context.Context) {
	s := r.s
	for {
		changed := s.w.Changed()
		crashed, up := false, true
		for _, m := range r.replicas() {
			exit, final := ended(m)
			if final && exit.Code != 0 && !exit.Requested {
				crashed = true
			}
			up = up && m.Snapshot().State == world.Started
		}
		s.mu.Lock()
		switch {
		case ctx.Err() != nil:
		case r.d.Status == statusSuccess && crashed:
			s.setStatus(r.d, statusCrashed)
		case r.d.Status == statusCrashed && up && !crashed:
			s.setStatus(r.d, statusSuccess)
		}
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}
