package fly

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// maxWait is the longest that a wait blocks.
const maxWait = 60 * time.Second

func (s *Server) destroyMachine(r *http.Request) (reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, m, err := s.machine(r)
	if err == nil {
		err = s.mayWrite(m, r.Header.Get(nonceHeader))
	}
	if err != nil {
		return reply{}, err
	}
	q := r.URL.Query()
	if err := m.m.Destroy(q.Get("force") == "true" || q.Get("kill") == "true"); err != nil {
		return reply{}, fail(http.StatusPreconditionFailed, "failed_precondition: "+err.Error())
	}
	// Who looks next sees it going: a list must not show it as started any more.
	ctx, cancel := context.WithTimeout(r.Context(), time.Second)
	defer cancel()
	_ = s.w.Await(ctx, func() bool { // it goes all the same when this was too short
		st := m.m.Snapshot().State
		return st == world.Destroying || st == world.Destroyed
	})
	for _, v := range a.volumes {
		if v.machine == m.id {
			v.machine = ""
		}
	}
	return ok(map[string]any{"ok": true})
}

func (s *Server) startMachine(r *http.Request) (reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, m, err := s.writable(r)
	if err != nil {
		return reply{}, err
	}
	if st := m.m.Snapshot().State; st == world.Stopped || st == world.Suspended {
		s.giveSecrets(a, m)
	}
	spec := s.spec(a, m)
	prev := m.m.Start(&spec)
	return ok(map[string]any{"previous_state": string(prev), "migrated": false, "new_host": ""})
}

// stopArgs are a signal and a timeout from a JSON body or the query.
func stopArgs(r *http.Request) (sig syscall.Signal, timeout time.Duration, err error) {
	var in struct {
		Signal  json.RawMessage `json:"signal"`
		Timeout duration        `json:"timeout"`
	}
	if err := decode(r, &in); err != nil {
		return 0, 0, err
	}
	name := strings.Trim(string(in.Signal), `"`)
	if name == "null" {
		name = ""
	}
	timeout = time.Duration(in.Timeout)
	q := r.URL.Query()
	if name == "" {
		name = q.Get("signal")
	}
	if t := q.Get("timeout"); t != "" {
		if timeout, err = time.ParseDuration(t); err != nil {
			secs, err := strconv.Atoi(t)
			if err != nil {
				return 0, 0, fail(http.StatusBadRequest, "invalid timeout "+t)
			}
			timeout = time.Duration(secs) * time.Second
		}
	}
	if name != "" {
		if sig, err = world.ParseSignal(name); err != nil {
			return 0, 0, fail(http.StatusBadRequest, err.Error())
		}
	}
	return sig, timeout, nil
}

func (s *Server) stopMachine(r *http.Request) (reply, error) {
	sig, timeout, err := stopArgs(r)
	if err != nil {
		return reply{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, m, err := s.writable(r)
	if err != nil {
		return reply{}, err
	}
	m.m.Stop(sig, timeout)
	return ok(map[string]any{"ok": true})
}

func (s *Server) suspendMachine(r *http.Request) (reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, m, err := s.writable(r)
	if err != nil {
		return reply{}, err
	}
	m.m.Suspend()
	return ok(map[string]any{"ok": true})
}

func (s *Server) restartMachine(r *http.Request) (reply, error) {
	sig, timeout, err := stopArgs(r)
	if err != nil {
		return reply{}, err
	}
	if r.URL.Query().Get("force_stop") == "true" {
		sig = syscall.SIGKILL
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, m, err := s.writable(r)
	if err != nil {
		return reply{}, err
	}
	s.giveSecrets(a, m)
	spec := s.spec(a, m)
	m.m.Restart(&spec, sig, timeout)
	return ok(map[string]any{"ok": true})
}

func (s *Server) signalMachine(r *http.Request) (reply, error) {
	sig, _, err := stopArgs(r)
	if err != nil {
		return reply{}, err
	}
	if sig == 0 {
		return reply{}, fail(http.StatusBadRequest, "signal is required")
	}
	s.mu.Lock()
	_, m, err := s.machine(r)
	s.mu.Unlock()
	if err != nil {
		return reply{}, err
	}
	if err := m.m.Signal(sig); err != nil {
		return reply{}, fail(http.StatusBadRequest, err.Error())
	}
	return ok(map[string]any{"ok": true})
}

func (s *Server) cordon(on bool) endpoint {
	return func(r *http.Request) (reply, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		_, m, err := s.writable(r)
		if err != nil {
			return reply{}, err
		}
		m.m.SetCordoned(on)
		return ok(map[string]any{"ok": true})
	}
}

// waitMachine blocks until the machine is in one of the states, in the version
// that was asked for. A machine that is gone counts as having been in the
// states it passed, so that waiting for "started" finds a short release
// command that has ended already.
func (s *Server) waitMachine(r *http.Request) (reply, error) {
	s.mu.Lock()
	_, m, err := s.machine(r)
	s.mu.Unlock()
	if err != nil {
		return reply{}, err
	}
	q := r.URL.Query()
	states := map[world.State]bool{}
	for _, v := range q["state"] {
		for st := range strings.SplitSeq(v, ",") {
			states[world.State(st)] = true
		}
	}
	if len(states) == 0 {
		states[world.Started] = true
	}
	for st := range states {
		switch st {
		case "started", "stopped", "suspended", "destroyed", "failed", "settled":
		default:
			return reply{}, fail(http.StatusBadRequest, "invalid wait state "+string(st))
		}
	}
	version := q.Get("version")
	if version == "" {
		version = q.Get("instance_id")
	}
	timeout := maxWait
	if t := atoi(q.Get("timeout")); t > 0 {
		timeout = min(time.Duration(t)*time.Second, maxWait)
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	var body map[string]any
	err = s.w.Await(ctx, func() bool {
		body = s.waited(m, states, version, q.Get("from_event_id"))
		return body != nil
	})
	if err != nil {
		return reply{}, fail(http.StatusRequestTimeout, "deadline_exceeded: timeout waiting for machine "+m.id+" to reach "+strings.Join(q["state"], ",")+", it is "+string(m.m.Snapshot().State))
	}
	return ok(body)
}

// waited returns the answer of a wait that is over, or nil.
func (s *Server) waited(m *machine, states map[world.State]bool, version, fromEvent string) map[string]any {
	s.mu.Lock()
	current := m.version
	s.mu.Unlock()
	snap := m.m.Snapshot()
	done := states[snap.State] || (states["settled"] && !snap.State.Transient())
	if version != "" && version != current {
		done = states[world.Destroyed] && snap.State == world.Destroyed
	}
	if !done && snap.State == world.Destroyed && (version == "" || version == current) {
		for st := range states {
			done = done || snap.Reached[st]
		}
	}
	if fromEvent != "" && !done {
		for _, e := range snap.Events { // newest first
			if e.ID == fromEvent {
				break
			}
			done = done || states[e.Status]
		}
	}
	if !done {
		return nil
	}
	body := map[string]any{"ok": true, "state": string(snap.State), "version": current}
	if len(snap.Events) > 0 {
		body["event_id"] = snap.Events[0].ID
	}
	return body
}
