package fly

import (
	"net/http"
	"time"
)

// nonceHeader carries the lease that a change is made under.
const nonceHeader = "fly-machine-lease-nonce"

// lease is a short claim on a machine.
type lease struct {
	nonce, owner, description string
	ttl                       time.Duration
	expires                   time.Time
}

func (s *Server) newLease(ttl int, description string) *lease {
	d := time.Duration(ttl) * time.Second
	return &lease{nonce: s.w.Hex(12), owner: s.opts.Email, description: description, ttl: d, expires: s.w.Now().Add(d)}
}

// held returns the machine's lease unless it has run out. Callers hold s.mu.
func (s *Server) held(m *machine) *lease {
	if m.lease != nil && !s.w.Now().Before(m.lease.expires) {
		m.lease = nil
	}
	return m.lease
}

func (s *Server) mayWrite(m *machine, nonce string) error {
	l := s.held(m)
	switch {
	case l == nil && nonce != "":
		return fail(http.StatusConflict, "lease not found: it has expired or was released")
	case l != nil && l.nonce != nonce:
		return fail(http.StatusConflict, "failed_precondition: machine "+m.id+" lease currently held by "+l.owner+", expires at "+stamp(l.expires))
	}
	return nil
}

func (l *lease) envelope(version string) map[string]any {
	return map[string]any{"status": "success", "data": map[string]any{
		"nonce": l.nonce, "expires_at": l.expires.Unix(), "owner": l.owner, "description": l.description, "version": version,
	}}
}

func (s *Server) getLease(r *http.Request) (reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, m, err := s.machine(r)
	if err != nil {
		return reply{}, err
	}
	l := s.held(m)
	if l == nil {
		return reply{}, notFound("lease")
	}
	// The nonce too: `fly machine leases clear` takes it from here to give back somebody else's lease.
	return ok(l.envelope(m.version))
}

// acquireLease takes a lease, or refreshes the one whose nonce the request carries.
func (s *Server) acquireLease(r *http.Request) (reply, error) {
	var in struct {
		TTL         int    `json:"ttl"`
		Description string `json:"description"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	if t := atoi(r.URL.Query().Get("ttl")); t > 0 {
		in.TTL = t
	}
	if in.TTL <= 0 {
		in.TTL = 300
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, m, err := s.writable(r)
	if err != nil {
		return reply{}, err
	}
	if l := s.held(m); l != nil { // writable has seen the right nonce
		l.ttl = time.Duration(in.TTL) * time.Second
		l.expires = s.w.Now().Add(l.ttl)
		return ok(l.envelope(m.version))
	}
	m.lease = s.newLease(in.TTL, in.Description)
	return ok(m.lease.envelope(m.version))
}

func (s *Server) releaseLease(r *http.Request) (reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, m, err := s.machine(r)
	if err == nil {
		err = s.mayWrite(m, r.Header.Get(nonceHeader))
	}
	if err != nil {
		return reply{}, err
	}
	m.lease = nil
	return ok(map[string]any{"ok": true})
}
