package render

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// A lock lasts lockFor, and is renewed every lockRenew while its holder lives.
const (
	lockFor   = 10 * time.Minute
	lockRenew = 5 * time.Minute
)

// Lock writes the holder into the ledger, and reads it back after a moment to see
// that nobody else wrote at the same time. Before there is a service there is
// nothing to write to: then only this process knows of the lock, and the first
// roll-out takes it over. A deploy under way that opsctl did not begin is a
// Conflict, too.
func (p *Platform) Lock(ctx context.Context, app, holder string) (platform.Lease, error) {
	s, err := p.read(ctx, app)
	if err != nil {
		return nil, err
	}
	now := p.now().UTC()
	mine := lockEntry{Holder: holder, Since: now, Expires: now.Add(lockFor)}
	if s.svc == nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		d := p.drafts[app]
		if d == nil {
			d = &draft{}
			p.drafts[app] = d
		}
		if d.lock.held(now) && d.lock.Holder != holder {
			return nil, lockedError(app, *d.lock)
		}
		d.lock = &mine
		return p.renewed(ctx, app, mine), nil
	}
	if i := slices.IndexFunc(s.deploys, func(d deploy) bool { return d.underWay() && !s.ledger.ours(d) }); i >= 0 {
		d := s.deploys[i]
		return nil, errs.New(errs.Conflict, "a deploy of %q that opsctl did not begin is under way: %s, begun by %s, %s", app, d.ID, author(d), phase(d.Status)).
			WithHint("wait for it, or cancel it at https://dashboard.render.com; then run the same command again")
	}
	if err := p.take(ctx, app, s.svc, mine); err != nil {
		return nil, err
	}
	if err := p.sleep(ctx, p.o.Settle); err != nil {
		return nil, err
	}
	l, err := p.readState(ctx, s.svc.ID)
	if err != nil {
		return nil, explain(err, "read the lock of %q back", app)
	}
	if l.Lock == nil || !l.Lock.is(mine) {
		if l.Lock == nil {
			return nil, errs.New(errs.Conflict, "the lock of %q was taken away at once", app).WithHint("run the same command again")
		}
		return nil, lockedError(app, *l.Lock)
	}
	return p.renewed(ctx, app, mine), nil
}

// take writes the lock unless somebody else holds it.
func (p *Platform) take(ctx context.Context, app string, svc *service, mine lockEntry) error {
	p.stating.Lock()
	defer p.stating.Unlock()
	l, err := p.readState(ctx, svc.ID)
	if err != nil {
		return explain(err, "read the lock of %q", app)
	}
	if l.Lock.held(p.now()) && l.Lock.Holder != mine.Holder {
		return lockedError(app, *l.Lock)
	}
	l.Lock = &mine
	return p.writeState(ctx, app, svc.ID, l)
}

func (l *lockEntry) held(now time.Time) bool { return l != nil && now.Before(l.Expires) }

// is tells whether it is the very same lock, renewed or not.
func (l *lockEntry) is(other lockEntry) bool {
	return l != nil && l.Holder == other.Holder && l.Since.Equal(other.Since)
}

func lockedError(app string, l lockEntry) error {
	return errs.New(errs.Conflict, "%q is locked by %s since %s, until %s unless renewed", app, l.Holder, l.Since.Format(time.RFC3339), l.Expires.Format(time.RFC3339)).
		WithHint("wait for that deploy; when its process is gone, run: opsctl lock release")
}

// LockedBy reads the lock; an expired one is none.
func (p *Platform) LockedBy(ctx context.Context, app string) (*platform.LockInfo, error) {
	s, err := p.read(ctx, app)
	if err != nil {
		return nil, err
	}
	l := s.ledger.Lock
	if s.svc == nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		d := p.drafts[app]
		if d == nil {
			return nil, noApp(app)
		}
		l = d.lock
	}
	if !l.held(p.now()) {
		return nil, nil
	}
	return &platform.LockInfo{Holder: l.Holder, Since: l.Since, Expires: l.Expires}, nil
}

// BreakLock takes the lock off the ledger. A deploy that is under way goes on.
func (p *Platform) BreakLock(ctx context.Context, app string) error {
	return p.unlock(ctx, app, nil)
}

// unlock removes the lock; only this one, unless only is nil.
func (p *Platform) unlock(ctx context.Context, app string, only *lockEntry) error {
	s, err := p.read(ctx, app)
	if err != nil {
		return err
	}
	if s.svc == nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		if d := p.drafts[app]; d != nil && (only == nil || d.lock.is(*only)) {
			d.lock = nil
		}
		return nil
	}
	if s.ledger.Lock == nil || only != nil && !s.ledger.Lock.is(*only) {
		return nil
	}
	return p.amend(ctx, app, s.svc, func(l *ledger) {
		if only == nil || l.Lock.is(*only) {
			l.Lock = nil
		}
	})
}

// lease is a held lock, renewed in the background until it is released.
type lease struct {
	p    *Platform
	app  string
	lock lockEntry
	stop context.CancelFunc
	done chan struct{}
	once sync.Once
	err  error
}

func (p *Platform) renewed(ctx context.Context, app string, lock lockEntry) *lease {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	l := &lease{p: p, app: app, lock: lock, stop: stop, done: make(chan struct{})}
	go l.renew(ctx)
	return l
}

func (l *lease) renew(ctx context.Context) {
	defer close(l.done)
	for l.p.sleep(ctx, lockRenew) == nil {
		// A renewal that fails is tried again with the next; the lock outlasts one.
		_ = l.extend(ctx)
	}
}

func (l *lease) extend(ctx context.Context) error {
	svc, err := l.p.findService(ctx, l.app)
	if err != nil || svc == nil {
		return err
	}
	until := l.p.now().UTC().Add(lockFor)
	return l.p.amend(ctx, l.app, svc, func(g *ledger) {
		if g.Lock.is(l.lock) {
			g.Lock.Expires = until
		}
	})
}

// Release gives the lock back, if it is still this one.
func (l *lease) Release(ctx context.Context) error {
	l.once.Do(func() {
		l.stop()
		<-l.done
		if err := l.p.unlock(ctx, l.app, &l.lock); err != nil {
			l.err = fmt.Errorf("release the lock of %q: %w", l.app, err)
		}
	})
	return l.err
}
