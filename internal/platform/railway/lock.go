package railway

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"sync"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/httpx"
	"github.com/opsctl/opsctl/internal/platform"
)

// A lock ends by itself this long after its holder died, and is renewed twice as often.
const (
	lockTTL   = 10 * time.Minute
	lockRenew = lockTTL / 2
)

// clockSkew is how many seconds this machine's clock may be ahead of Railway's.
const clockSkew = 120

// lease is a lock held by this process. Railway has none, so it is written into
// OPSCTL_LOCK and read back: of two that write at once, the last one wins.
type lease struct {
	p       *Platform
	app     string
	record  lockRecord
	written bool // false while the app does not exist

	stop context.CancelFunc
	done chan struct{}
	once sync.Once
}

// Lock takes the lock of an app. That of an app which does not exist yet is
// written as soon as CreateApp has made it.
func (p *Platform) Lock(ctx context.Context, app, holder string) (platform.Lease, error) {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	l := &lease{p: p, app: app, stop: stop, done: make(chan struct{}), record: lockRecord{Holder: holder, ID: lockID()}}
	if err := p.take(ctx, l); err != nil {
		stop()
		return nil, err
	}
	p.mu.Lock()
	p.leases[app] = l
	p.mu.Unlock()
	go l.renew(background)
	return l, nil
}

func lockID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

func (p *Platform) take(ctx context.Context, l *lease) error {
	p.writing.Lock()
	defer p.writing.Unlock()
	v, err := p.lookAgain(ctx, l.app)
	if errs.CodeOf(err) == errs.NotFound {
		return nil // a first deploy: the app is still to be made
	}
	if err != nil {
		return err
	}
	if err := p.heldBy(v, l.record.ID); err != nil {
		return err
	}
	if err := foreignDeploy(v); err != nil {
		return err
	}
	l.record.Since = p.o.Now().UTC().Truncate(time.Second)
	l.record.Expires = l.record.Since.Add(lockTTL)
	wrote := p.setLock(ctx, v, &l.record)
	if wrote != nil && !uncertain(wrote) {
		return p.explain(wrote, "take the lock of %q", l.app)
	}
	if err := p.o.Sleep(ctx, p.o.Settle); err != nil {
		return err
	}
	if v, err = p.lookAgain(ctx, l.app); err != nil {
		return err
	}
	if err := p.heldBy(v, l.record.ID); err != nil {
		return err
	}
	if held := v.record.Lock; held == nil || held.ID != l.record.ID {
		if wrote != nil {
			return p.explain(wrote, "take the lock of %q", l.app)
		}
		return errs.New(errs.Conflict, "%q: the lock was taken away at once", l.app).WithHint("run the same command again")
	}
	l.written = true
	return nil
}

// setLock writes the lock, once: the same again, later, could take a lock away
// that somebody else has taken in between. The error is not explained yet.
func (p *Platform) setLock(ctx context.Context, v *view, to *lockRecord) error {
	input := v.upsertInput(map[string]string{varLock: to.text()}, false)
	return p.mutate(httpx.WithoutRetry(ctx), upsertText, map[string]any{"input": input}, nil, false)
}

// amend changes the lock to what change returns, by one at a time within the
// process. It is read right before, and left when change says errUnchanged.
func (p *Platform) amend(ctx context.Context, app string, change func(held *lockRecord) (*lockRecord, error)) error {
	p.writing.Lock()
	defer p.writing.Unlock()
	for attempt := 1; ; attempt++ {
		v, err := p.lookAgain(ctx, app)
		if err != nil {
			return err
		}
		to, err := change(v.record.Lock)
		if errors.Is(err, errUnchanged) {
			return nil
		}
		if err != nil {
			return err
		}
		err = p.setLock(ctx, v, to)
		if err == nil || !transient(err) || attempt == queryAttempts {
			return p.explain(err, "write the lock of %q", app)
		}
		if err := p.pause(ctx, attempt); err != nil {
			return err
		}
	}
}

// stillMine is the conflict with whoever has the lock that this process took;
// nil while it has it, or never took it. Callers hold p.writing.
func (p *Platform) stillMine(v *view) error {
	p.mu.Lock()
	l := p.leases[v.app]
	p.mu.Unlock()
	if l == nil || !l.written {
		return nil
	}
	held := v.record.Lock
	switch {
	case held != nil && held.ID == l.record.ID:
		return nil
	case held != nil:
		return errs.New(errs.Conflict, "the lock of %q was taken over by %s, at %s", v.app, held.Holder, held.Since.Format(time.RFC3339)).
			WithHint("wait for that run to end, then run the same command again")
	}
	return errs.New(errs.Conflict, "the lock of %q, which %s held, was broken by somebody", v.app, l.record.Holder).WithHint("run the same command again")
}

// checkLock reads the lock again, right before something is done that cannot
// be undone by whoever may have taken it over.
func (p *Platform) checkLock(ctx context.Context, app string) error {
	p.mu.Lock()
	held := p.leases[app] != nil
	p.mu.Unlock()
	if !held {
		return nil
	}
	p.writing.Lock()
	defer p.writing.Unlock()
	v, err := p.lookAgain(ctx, app)
	if err != nil {
		return err
	}
	return p.stillMine(v)
}

// lockCreated writes the lock that this process holds of an app that did not exist.
func (p *Platform) lockCreated(ctx context.Context, app string) error {
	p.mu.Lock()
	l := p.leases[app]
	p.mu.Unlock()
	if l == nil || l.written {
		return nil
	}
	return p.take(ctx, l)
}

// heldBy is the conflict with whoever else holds the lock; nil when nobody does.
func (p *Platform) heldBy(v *view, id string) error {
	held := v.record.Lock
	if held == nil || held.ID == id || !held.Expires.After(p.o.Now()) {
		return nil
	}
	return errs.New(errs.Conflict, "%q is locked by %s, until %s unless renewed", v.app, held.Holder, held.Expires.Format(time.RFC3339)).
		WithHint("wait for that run to end; a dead one's lock ends by itself within %s\nto see it: opsctl lock status", lockTTL)
}

// foreignDeploy is the conflict with a deployment under way that is not opsctl's.
func foreignDeploy(v *view) error {
	for _, d := range v.deployments {
		if !unfinished(d.Status) || v.ours(d) {
			continue
		}
		by := "somebody"
		if d.Creator != nil {
			by = cmp.Or(d.Creator.Email, d.Creator.Name, by)
		}
		return errs.New(errs.Conflict, "a deployment of %q is under way: %s, begun by %s at %s (%s)", v.app, d.Status, by, d.Created.Format(time.RFC3339), cmp.Or(d.meta().Reason, d.ID)).
			WithHint("wait until it has ended, or cancel it in Railway's dashboard")
	}
	return nil
}

// ours tells that opsctl began a deployment.
func (v *view) ours(d deployment) bool {
	if _, ok := v.record.Releases[d.ID]; ok {
		return true
	}
	next := v.record.Next
	return next != nil && d.fits(next.Image, time.Unix(next.At, 0))
}

// LockedBy tells who holds the lock.
func (p *Platform) LockedBy(ctx context.Context, app string) (*platform.LockInfo, error) {
	v, err := p.lookAgain(ctx, app)
	if err != nil {
		return nil, err
	}
	held := v.record.Lock
	if held == nil || !held.Expires.After(p.o.Now()) {
		return nil, nil
	}
	return &platform.LockInfo{Holder: held.Holder, Since: held.Since, Expires: held.Expires}, nil
}

// BreakLock takes the lock away from whoever holds it.
func (p *Platform) BreakLock(ctx context.Context, app string) error {
	return p.amend(ctx, app, func(held *lockRecord) (*lockRecord, error) {
		if held == nil {
			return nil, errUnchanged
		}
		return nil, nil
	})
}

// renew keeps the lock until it is released. A renewal that fails is tried
// again; one that finds somebody else's lock ends.
func (l *lease) renew(ctx context.Context) {
	defer close(l.done)
	tick := time.NewTicker(lockRenew)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			one, cancel := context.WithTimeout(ctx, lockRenew/2)
			_ = l.p.amend(one, l.app, func(held *lockRecord) (*lockRecord, error) {
				if held == nil || held.ID != l.record.ID {
					return nil, errUnchanged
				}
				longer := *held
				longer.Expires = l.p.o.Now().UTC().Truncate(time.Second).Add(lockTTL)
				return &longer, nil
			})
			cancel()
		}
	}
}

// Release gives the lock back, unless somebody has broken it and taken it.
func (l *lease) Release(ctx context.Context) error {
	var failed error
	l.once.Do(func() {
		l.stop()
		<-l.done
		l.p.mu.Lock()
		if l.p.leases[l.app] == l {
			delete(l.p.leases, l.app)
		}
		l.p.mu.Unlock()
		if !l.written {
			return
		}
		failed = l.p.amend(ctx, l.app, func(held *lockRecord) (*lockRecord, error) {
			if held == nil || held.ID != l.record.ID {
				return nil, errUnchanged
			}
			return nil, nil
		})
		if errs.CodeOf(failed) == errs.NotFound {
			failed = nil
		}
	})
	return failed
}
