package fly

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// renewOne asks for more time for the lease on a machine. Trouble of the API is left to
// the next time; a lease that is somebody else's by now is lost, and so is the lock.
func (s *leaseSet) renewOne(ctx context.Context, id string) {
	p := s.p
	nonce, err := p.postLease(ctx, s.app, id)
	if err == nil {
		s.again(id, nonce)
		return
	}
	if p.nonce(id) == nil {
		return // the machine was destroyed meanwhile, by us
	}
	if st := status(err); transient(err) || st == 0 || st == http.StatusUnauthorized || st == http.StatusForbidden {
		return
	}
	info, nonce, err := p.findLease(ctx, s.app, id)
	switch {
	case err != nil || p.nonce(id) == nil:
		return
	case p.isOurs(id, info, nonce):
		s.again(id, nonce)
		return
	case info == nil && s.silent():
		// It has run out, for nobody could be reached, and nobody took it.
		p.dropNonce(id)
		if p.acquire(ctx, s.app, id) == nil {
			return
		}
		info, _, _ = p.findLease(ctx, s.app, id)
	}
	s.lose(id, info)
}

// again notes that a lease was renewed, unless its machine was destroyed meanwhile.
func (s *leaseSet) again(id, nonce string) {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if _, ok := s.p.nonces[id]; ok {
		s.p.nonces[id] = cmp.Or(nonce, s.p.nonces[id])
		s.renewed = s.p.now()
	}
}

// silent tells whether the leases have run out since they were last renewed.
func (s *leaseSet) silent() bool {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	return s.p.now().Sub(s.renewed) > leaseTTL
}

// isOurs tells whether a lease that was found is our own, by its nonce, or, where the
// API does not tell that, by the holder, which names the run.
func (p *Platform) isOurs(id string, info *platform.LockInfo, nonce string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if info == nil {
		return false
	}
	if nonce != "" {
		return nonce == p.nonces[id]
	}
	return p.holder != "" && info.Holder == p.holder
}

func (p *Platform) dropNonce(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.nonces, id)
}

// lose remembers that the lock is gone, and who has it now; nil when nobody has.
func (s *leaseSet) lose(id string, now *platform.LockInfo) {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	delete(s.p.nonces, id)
	if s.lost != nil {
		return
	}
	who := "it was taken away, and nobody has it now"
	if now != nil {
		who = "it is held by " + holderText(now)
	}
	s.lost = errs.New(errs.Conflict, "the lock of %q was lost: %s", s.app, who).
		WithHint("nothing was changed since then; see who deploys: opsctl lock status, and how the app stands: opsctl status\nthen run the same command again")
}

// lostLock fails once the lock of an app, which this process held, is lost: whoever has
// it now must find things as they were left.
func (p *Platform) lostLock(app string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lock == nil || p.lock.app != app {
		return nil
	}
	return p.lock.lost
}

// lostAt is lostLock for the app that a path of the Machines API is of.
func (p *Platform) lostAt(path string) error {
	app, _, _ := strings.Cut(strings.TrimPrefix(path, "/apps/"), "/")
	app, err := url.PathUnescape(app)
	if err != nil {
		return err
	}
	return p.lostLock(app)
}

// refused turns a change of a machine that was answered with a conflict into one that
// says who holds the machine's lease, when somebody else does.
func (p *Platform) refused(ctx context.Context, app, id string, cause error) error {
	info, nonce, err := p.findLease(ctx, app, id)
	if err != nil || info == nil || p.isOurs(id, info, nonce) {
		return cause
	}
	p.mu.Lock()
	set, leased := p.lock, p.nonces[id] != ""
	p.mu.Unlock()
	if leased && set != nil && set.app == app {
		set.lose(id, info)
		return p.lostLock(app)
	}
	return lockedBy(app, info)
}
