package render

import (
	"context"
	"fmt"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// renew replaces the instances by new ones of the same run: a restart.
func (s *Server) renew(ctx context.Context, v *service) {
	s.mu.Lock()
	r := v.Running
	s.mu.Unlock()
	if r == nil {
		return
	}
	if f := s.replace(ctx, v, r, func() bool { return true }); f != nil && !f.canceled {
		s.say(v, "==> Restart failed: "+f.message)
	}
}

// replace starts instances of r beside the running ones and lets them take
// over when all of them are healthy; those before are then stopped in their own
// time. When it fails the ones before have never noticed. commit is called with
// s.mu at the moment of the switch, and may still refuse. A disk belongs to one
// instance at a time, so a service with one is stopped first.
func (s *Server) replace(ctx context.Context, v *service, r *run, commit func() bool) *failure {
	s.mu.Lock()
	if v.Details.Disk != nil {
		old := v.Instances
		s.retire(v, old, 0)
		v.Instances = nil
		s.mu.Unlock()
		for _, in := range old {
			s.stopped(ctx, in.m)
		}
		s.mu.Lock()
	}
	var fresh []*instance
	if v.Type != staticSite && v.Type != cronJob {
		for range r.Instances {
			fresh = append(fresh, s.launch(v, r, true))
		}
	}
	s.mu.Unlock()

	f := s.healthy(ctx, v, r, fresh)

	s.mu.Lock()
	defer s.mu.Unlock()
	if f == nil && (ctx.Err() != nil || !commit()) {
		f = &failure{canceled: true, message: "canceled"}
	}
	if f != nil {
		for _, in := range fresh {
			_ = in.m.Destroy(true)
		}
		if v.Details.Disk != nil && v.Running != nil && ctx.Err() == nil {
			v.Instances = append(v.Instances, s.launch(v, v.Running, false))
		}
		return f
	}
	old := v.Instances // it may have been scaled meanwhile
	for _, in := range fresh {
		in.m.SetCordoned(false)
	}
	v.Instances, v.Running = fresh, r
	s.retire(v, old, s.opts.Drain)
	if v.Type != staticSite && v.Type != cronJob {
		s.resize(v)
	}
	return nil
}

// healthy waits until all instances are up and pass their checks. It gives up
// when one ends again and again, and when the time is over.
func (s *Server) healthy(ctx context.Context, v *service, r *run, list []*instance) *failure {
	bounded, cancel := context.WithTimeout(ctx, s.opts.DeployTimeout)
	defer cancel()
	for {
		var f *failure
		err := s.w.Await(bounded, func() bool {
			all := true
			for _, in := range list {
				snap := in.m.Snapshot()
				if f = s.hopeless(snap); f != nil {
					return true
				}
				all = all && ready(snap)
			}
			return all
		})
		switch {
		case ctx.Err() != nil:
			return &failure{canceled: true, message: "canceled"}
		case err != nil:
			return s.tooLate(r, list)
		case f != nil:
			return f
		case v.Type == webService || v.Type == privateServ || len(list) == 0:
			return nil
		}
		// Without a port, staying up is all that can be seen.
		before := endsOf(list)
		select {
		case <-time.After(s.opts.Settle):
		case <-bounded.Done():
			continue
		}
		steady := endsOf(list) == before
		for _, in := range list {
			steady = steady && ready(in.m.Snapshot())
		}
		if steady {
			return nil
		}
	}
}

func endsOf(list []*instance) int {
	n := 0
	for _, in := range list {
		n += ends(in.m.Snapshot())
	}
	return n
}

// ready: the process runs and all checks pass.
func ready(snap world.Snapshot) bool {
	for _, c := range snap.Checks {
		if c.Status != world.Passing {
			return false
		}
	}
	return snap.State == world.Started
}

// hopeless reports an instance that will not come up.
func (s *Server) hopeless(snap world.Snapshot) *failure {
	if gone(snap.State) {
		return &failure{canceled: true, message: "the instance is gone"}
	}
	if ends(snap) < s.opts.CrashLimit {
		return nil
	}
	code := lastExit(snap).Code
	return &failure{exit: &code, early: code == 0, message: fmt.Sprintf("Exited with status %d", code)}
}

// ends counts how often the process has ended by itself.
func ends(snap world.Snapshot) int {
	n := 0
	for _, e := range snap.Events {
		if e.Exit != nil && !e.Exit.Requested {
			n++
		}
	}
	return n
}

// tooLate says what was missing when the time was over.
func (s *Server) tooLate(r *run, list []*instance) *failure {
	f := &failure{timeout: s.opts.DeployTimeout, message: fmt.Sprintf("Timed out after %s", s.opts.DeployTimeout)}
	for _, in := range list {
		for _, c := range in.m.Snapshot().Checks {
			if c.Status != world.Passing {
				f.sick = c.Output
			}
		}
	}
	if f.sick != "" && r.HealthPath != "" {
		f.message += ": the health check at " + r.HealthPath + " did not pass: " + f.sick
	}
	return f
}

// watch tells in the events when an instance's process ends by itself, and when
// the instance is back.
func (s *Server) watch(ctx context.Context) {
	for {
		changed := s.w.Changed()
		s.mu.Lock()
		for _, v := range s.st.Services {
			s.look(v)
		}
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// look compares the service's instances with what was known. Callers hold s.mu.
func (s *Server) look(v *service) {
	if v.exits == nil {
		v.exits = map[string]int{}
	}
	for _, in := range v.Instances {
		if in.m == nil {
			continue
		}
		snap := in.m.Snapshot()
		n, known := ends(snap), v.exits[in.ID]
		switch {
		case n > max(known, -known):
			code := lastExit(snap).Code
			f := &failure{exit: &code, early: code == 0}
			s.event(v, "server_failed", map[string]any{"instanceID": in.ID, "reason": f.reason()["failure"]})
			v.exits[in.ID] = n
		case known > 0 && ready(snap):
			s.event(v, "server_available", map[string]any{})
			v.exits[in.ID] = -known // told
		}
	}
}
