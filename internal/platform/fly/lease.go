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

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/httpx"
	"github.com/opsctl/opsctl/internal/platform"
)

// leaseTTL is how long a machine stays locked after its holder died; leases
// are renewed three times as often.
const leaseTTL = 20 * time.Second

// leaseSet is the lock of an app: a lease on its oldest machine. Whoever deploys
// begins with that one, flyctl too, which leases them all; and no machine is changed
// that another one changed since it was read. One lease costs two requests, where
// one on each machine would cost two for each.
type leaseSet struct {
	p    *Platform
	app  string
	stop context.CancelFunc
	done chan struct{}
	once sync.Once

	first   bool      // there was no machine to lease
	renewed time.Time // when a lease was last given; guarded by p.mu
	lost    error     // why the lock is no longer ours; guarded by p.mu
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

// Lock takes the lease. An app without machines has nothing to lock: until there is one,
// nothing keeps another run away, and nobody can see that this one is going on. The
// first machine is made so that only one run can make it, and under the lease at once,
// see launchFirst; the other run ends there with a Conflict.
func (p *Platform) Lock(ctx context.Context, app, holder string) (platform.Lease, error) {
	p.mu.Lock()
	p.holder = holder
	p.mu.Unlock()
	p.cache.goOn()
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	set := &leaseSet{p: p, app: app, stop: stop, done: make(chan struct{}), renewed: p.now()}
	if err := p.lockOldest(ctx, app); err != nil {
		close(set.done)
		return nil, errors.Join(err, set.Release(context.WithoutCancel(ctx)))
	}
	if set.first = len(p.held()) == 0; !set.first {
		if machines, err := p.appMachines(ctx, app); err == nil { // read under the lease
			p.own.found(ids(machines))
		}
	}
	p.mu.Lock()
	p.lock = set
	p.mu.Unlock()
	go set.renew(background)
	return set, nil
}

// lockTries is how often the oldest machine may turn out to be another one.
const lockTries = 3

// lockOldest takes the lease on the oldest machine. What was read before is used
// to find it, and read anew under the lease: a machine that was made since is no
// older, and one that is gone makes it begin again.
func (p *Platform) lockOldest(ctx context.Context, app string) error {
	if oldest, err := p.oldest(ctx, app); err == nil && oldest == "" {
		p.cache.forget(kindMachines) // the first machines may have been made since
	}
	var err error
	for range lockTries {
		oldest, e := p.oldest(ctx, app)
		if errs.CodeOf(e) == errs.NotFound {
			return nil // a first deploy: the app is still to be made
		}
		if e != nil || oldest == "" {
			return e
		}
		err = p.acquire(ctx, app, oldest)
		if code := errs.CodeOf(err); err != nil && code != errs.NotFound {
			return err
		}
		p.cache.forget(kindMachines, kindSecrets, kindLedger)
		now, e := p.oldest(ctx, app)
		if e != nil || err == nil && now == oldest {
			return e
		}
		if err == nil {
			if e := p.giveBack(ctx, app, oldest); e != nil {
				return e
			}
		}
	}
	if err == nil {
		err = errs.New(errs.Conflict, "%q has other machines each time one looks", app).WithHint("somebody else deploys it; run the same command again in a minute")
	}
	return err
}

// oldest is the id of the app's oldest machine, "" when it has none.
func (p *Platform) oldest(ctx context.Context, app string) (string, error) {
	machines, err := p.appMachines(ctx, app)
	if err != nil || len(machines) == 0 {
		return "", err
	}
	return machines[0].ID, nil
}

// handOver takes the lock to a machine that stays before the one that carries it is destroyed.
func (p *Platform) handOver(ctx context.Context, app, from, to string) error {
	if p.nonce(from) == nil || p.nonce(to) != nil {
		return nil
	}
	return p.acquire(ctx, app, to)
}

// acquire takes, or renews, the lease on a machine.
func (p *Platform) acquire(ctx context.Context, app, id string) error {
	nonce, err := p.postLease(ctx, app, id)
	if status(err) == http.StatusConflict {
		info, told, e := p.findLease(ctx, app, id)
		if e != nil || info == nil || told == "" || !p.locking(app) || !p.names(info.Holder) {
			return lockedBy(app, info)
		}
		nonce, err = told, nil // it was given to us, and the answer was lost: this machine is one that we have just made
	}
	if err != nil {
		return explain(err, "lock machine %s", id)
	}
	p.keepNonce(id, nonce)
	return nil
}

// names tells whether a holder is this run.
func (p *Platform) names(holder string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.holder != "" && holder == p.holder
}

// postLease asks for the lease on a machine, or for more time, and returns its nonce.
func (p *Platform) postLease(ctx context.Context, app, id string) (string, error) {
	p.mu.Lock()
	holder := p.holder
	p.mu.Unlock()
	in := map[string]any{"ttl": int(leaseTTL.Seconds()), "description": holder}
	path := fmt.Sprintf("%s/lease?ttl=%d", machinePath(app, id), int(leaseTTL.Seconds()))
	var got leaseAnswer
	if err := p.machinesCall(httpx.WithRetryable(ctx), http.MethodPost, path, in, &got, p.nonce(id)); err != nil {
		return "", err
	}
	return cmp.Or(got.Data.Nonce, got.Nonce), nil
}

// keepNonce notes that a lease was given.
func (p *Platform) keepNonce(id, nonce string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nonces[id] = nonce
	if p.lock != nil {
		p.lock.renewed = p.now()
	}
}

// lockedBy is the Conflict with whoever holds a lock; info is nil when that is not known.
func lockedBy(app string, info *platform.LockInfo) error {
	return errs.New(errs.Conflict, "%q is locked by %s", app, holderText(info)).
		WithHint("wait for that run to end; a dead one's lock ends by itself within %s\nto see it: opsctl lock status", leaseTTL)
}

func holderText(info *platform.LockInfo) string {
	switch {
	case info == nil:
		return "somebody else"
	case info.Expires.IsZero():
		return info.Holder
	default:
		return info.Holder + ", until " + info.Expires.Format(time.RFC3339) + " unless renewed"
	}
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
	p.show(id, info.Holder, d.Nonce)
	return info, d.Nonce, nil
}

// LockedBy looks for a lease on any machine of the app. BreakLock then breaks this one
// and no other. Nobody holds one while the app has no machines, see Lock.
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
	p.forgetShown()
	return nil, nil
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
			s.renewAll(ctx)
		}
	}
}

func (s *leaseSet) renewAll(ctx context.Context) {
	for id := range s.p.held() {
		one, cancel := context.WithTimeout(ctx, leaseTTL/4)
		s.renewOne(one, id)
		cancel()
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

// giveBack ends the lease on a machine. One that is gone needs nothing.
func (p *Platform) giveBack(ctx context.Context, app, id string) error {
	err := p.machinesCall(ctx, http.MethodDelete, machinePath(app, id)+"/lease", nil, new(json.RawMessage), p.nonce(id))
	p.mu.Lock()
	delete(p.nonces, id)
	p.mu.Unlock()
	if status(err) == http.StatusNotFound {
		return nil
	}
	return explain(err, "unlock machine %s", id)
}

// Release gives the lease back. A run has ended: the next one reads everything anew.
func (s *leaseSet) Release(ctx context.Context) error {
	var failed error
	s.once.Do(func() {
		s.stop()
		<-s.done
		s.p.cache.run(false)
		s.p.mu.Lock()
		s.p.lock = nil
		s.p.mu.Unlock()
		for id := range s.p.held() {
			failed = errors.Join(failed, s.p.giveBack(ctx, s.app, id))
		}
	})
	return failed
}
