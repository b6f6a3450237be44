package fly

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/superfly/fly-go/flaps"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/httpx"
	"github.com/opsctl/opsctl/internal/platform"
)

// leaseTTL is how long a machine stays locked after its holder died; leases
// are renewed three times as often.
const leaseTTL = 20 * time.Second

// leaseSet is a lease on every machine of an app.
type leaseSet struct {
	p      *Platform
	app    string
	holder string
	stop   context.CancelFunc
	done   chan struct{}
	once   sync.Once
}

// leaseAnswer is the envelope of the lease endpoint; the published schema shows
// the inner object alone, so both are read.
type leaseAnswer struct {
	Data struct {
		Nonce       string `json:"nonce"`
		Owner       string `json:"owner"`
		Description string `json:"description"`
		ExpiresAt   int64  `json:"expires_at"`
	} `json:"data"`
	Nonce string `json:"nonce"`
}

// Lock takes a lease on each machine. An app without machines has nothing to lock.
func (p *Platform) Lock(ctx context.Context, app, holder string) (platform.Lease, error) {
	machines, err := p.appMachines(ctx, app)
	if errs.CodeOf(err) == errs.NotFound {
		err = nil // a first deploy: the app is still to be made
	}
	if err != nil {
		return nil, err
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	set := &leaseSet{p: p, app: app, holder: holder, stop: stop, done: make(chan struct{})}
	for _, m := range machines {
		if err := p.acquire(ctx, app, m.ID, holder); err != nil {
			close(set.done)
			return nil, errors.Join(err, set.Release(context.WithoutCancel(ctx)))
		}
	}
	go set.renew(background)
	return set, nil
}

func (p *Platform) acquire(ctx context.Context, app, id, holder string) error {
	in := map[string]any{"ttl": int(leaseTTL.Seconds()), "description": holder}
	path := fmt.Sprintf("%s/lease?ttl=%d", machinePath(app, id), int(leaseTTL.Seconds()))
	var got leaseAnswer
	err := p.machinesCall(httpx.WithRetryable(ctx), http.MethodPost, path, in, &got, p.nonce(id))
	if status(err) == http.StatusConflict {
		return p.heldBy(ctx, app, id)
	}
	if err != nil {
		return explain(err, "lock machine %s", id)
	}
	nonce := got.Data.Nonce
	if nonce == "" {
		nonce = got.Nonce
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nonces[id] = nonce
	return nil
}

// heldBy says who holds the lease on a machine, as far as the API tells.
func (p *Platform) heldBy(ctx context.Context, app, id string) error {
	by := "somebody else"
	if info, _, err := p.findLease(ctx, app, id); err == nil && info != nil {
		by = info.Holder
		if !info.Expires.IsZero() {
			by += ", until " + info.Expires.Format(time.RFC3339) + " unless renewed"
		}
	}
	return errs.New(errs.Conflict, "%q is locked by %s", app, by).
		WithHint("wait for that run to end; a dead one's lock ends by itself within %s\nto see it: opsctl lock status", leaseTTL)
}

// findLease returns who holds the lease on a machine, and its nonce; nil when nobody does.
func (p *Platform) findLease(ctx context.Context, app, id string) (*platform.LockInfo, string, error) {
	var got leaseAnswer
	err := p.machinesCall(ctx, http.MethodGet, machinePath(app, id)+"/lease", nil, &got, nil)
	if status(err) == http.StatusNotFound {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", explain(err, "look for the lock on machine %s", id)
	}
	d := got.Data
	if d.Nonce == "" {
		d.Nonce = got.Nonce
	}
	if d.Nonce == "" && d.Description == "" && d.Owner == "" {
		return nil, "", nil
	}
	info := &platform.LockInfo{Holder: cmp.Or(d.Description, d.Owner, "somebody")}
	if d.ExpiresAt > 0 {
		info.Expires = time.Unix(d.ExpiresAt, 0).UTC()
		if info.Expires.Add(time.Second).Before(p.now()) { // it is told in whole seconds
			return nil, "", nil
		}
	}
	return info, d.Nonce, nil
}

// LockedBy looks for a lease on any machine of the app.
func (p *Platform) LockedBy(ctx context.Context, app string) (*platform.LockInfo, error) {
	machines, err := p.appMachines(ctx, app)
	if err != nil {
		return nil, err
	}
	for _, m := range machines {
		if info, _, err := p.findLease(ctx, app, m.ID); info != nil || err != nil {
			return info, err
		}
	}
	return nil, nil
}

// BreakLock gives back the leases of whoever holds them, with the nonces that the API tells.
func (p *Platform) BreakLock(ctx context.Context, app string) error {
	machines, err := p.appMachines(ctx, app)
	if err != nil {
		return err
	}
	for _, m := range machines {
		info, nonce, err := p.findLease(ctx, app, m.ID)
		if err != nil {
			return err
		}
		if info == nil {
			continue
		}
		err = p.machinesCall(ctx, http.MethodDelete, machinePath(app, m.ID)+"/lease", nil, new(json.RawMessage), http.Header{http.CanonicalHeaderKey(flaps.NonceHeader): {nonce}})
		if err != nil && status(err) != http.StatusNotFound {
			return explain(err, "unlock machine %s", m.ID)
		}
	}
	return nil
}

// renew keeps the leases until the set is released.
func (s *leaseSet) renew(ctx context.Context) {
	defer close(s.done)
	tick := time.NewTicker(leaseTTL / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			for id := range s.p.held() {
				// A lease that cannot be renewed shows at the next change of the machine, as a conflict.
				one, cancel := context.WithTimeout(ctx, leaseTTL/4)
				_ = s.p.acquire(one, s.app, id, s.holder)
				cancel()
			}
		}
	}
}

// held copies the map of nonces.
func (p *Platform) held() map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make(map[string]string, len(p.nonces))
	maps.Copy(out, p.nonces)
	return out
}

// Release gives the leases back. Machines that are gone need nothing.
func (s *leaseSet) Release(ctx context.Context) error {
	var failed error
	s.once.Do(func() {
		s.stop()
		<-s.done
		for id := range s.p.held() {
			err := s.p.machinesCall(ctx, http.MethodDelete, machinePath(s.app, id)+"/lease", nil, new(json.RawMessage), s.p.nonce(id))
			if st := status(err); err != nil && st != http.StatusNotFound {
				failed = errors.Join(failed, explain(err, "unlock machine %s", id))
			}
			s.p.mu.Lock()
			delete(s.p.nonces, id)
			s.p.mu.Unlock()
		}
	})
	return failed
}
