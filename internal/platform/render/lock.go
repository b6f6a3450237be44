package render

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/httpx"
	"github.com/opsctl/opsctl/internal/platform"
)

// A lock lasts lockFor, and is renewed every lockRenew while its holder lives.
const (
	lockFor   = 10 * time.Minute
	lockRenew = 5 * time.Minute
)

// lockEntry is what OPSCTL_LOCK says. It is a variable of its own, so that who
// writes the ledger late cannot take a lock away.
type lockEntry struct {
	ID      string    `json:"id"` // random: one of the same holder's text is another lock
	Holder  string    `json:"holder"`
	Since   time.Time `json:"since"`
	Expires time.Time `json:"expires"`
}

// readLock reads the variable's text; nil when it is no lock.
func readLock(text string) *lockEntry {
	var l lockEntry
	if json.Unmarshal([]byte(text), &l) != nil || l.ID == "" {
		return nil
	}
	return &l
}

func (l lockEntry) text() string {
	data, err := json.Marshal(l)
	if err != nil {
		return "" // strings and times of this century always marshal
	}
	return string(data)
}

func (l *lockEntry) held(now time.Time) bool { return l != nil && now.Before(l.Expires) }

// is tells whether it is the very same lock, renewed or not.
func (l *lockEntry) is(other lockEntry) bool { return l != nil && l.ID == other.ID }

// Lock writes the holder into OPSCTL_LOCK, and reads it back after a moment to see
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
	mine := lockEntry{ID: rand.Text(), Holder: holder, Since: now, Expires: now.Add(lockFor)}
	if s.svc == nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		d := p.drafts[app]
		if d == nil {
			d = &draft{}
			p.drafts[app] = d
		}
		if d.lock.held(now) {
			return nil, lockedError(app, *d.lock)
		}
		d.lock = &mine
		p.locks[app] = mine
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
	p.mu.Lock()
	p.locks[app] = mine
	p.mu.Unlock()
	return p.renewed(ctx, app, mine), nil
}

// take writes the lock unless there is one, and reads it back.
func (p *Platform) take(ctx context.Context, app string, svc *service, mine lockEntry) error {
	for try := 1; ; try++ {
		wrote, err := p.changeLock(ctx, app, svc.ID, func(have *lockEntry) (*lockEntry, error) {
			if have.held(p.now()) && !have.is(mine) {
				return nil, lockedError(app, *have)
			}
			return &mine, nil
		})
		if err != nil {
			return err
		}
		if err := p.sleep(ctx, p.o.Settle); err != nil {
			return err
		}
		have, err := p.lockOf(ctx, svc.ID)
		switch {
		case err != nil:
			return explain(err, "read the lock of %q back", app)
		case have.is(mine):
			return nil
		case have.held(p.now()):
			return lockedError(app, *have)
		case wrote == nil:
			return errs.New(errs.Conflict, "the lock of %q was taken away at once", app).WithHint("run the same command again")
		case !transient(wrote) || try == tries:
			return explain(wrote, "write the lock of %q", app)
		}
	}
}

// changeLock changes the lock to what change makes of it; nil takes it off, and the
// same leaves it. It is read right before, and written by one request that is never
// repeated: a later one could take a lock away that somebody else has got meanwhile.
// wrote is how the writing went, err what kept from it.
func (p *Platform) changeLock(ctx context.Context, app, id string, change func(have *lockEntry) (*lockEntry, error)) (wrote, err error) {
	p.stating.Lock()
	defer p.stating.Unlock()
	have, err := p.lockOf(ctx, id)
	if err != nil {
		return nil, explain(err, "read the lock of %q", app)
	}
	to, err := change(have)
	if err != nil || to == have {
		return nil, err
	}
	defer p.forget(app)
	once := httpx.WithoutRetry(ctx)
	if to == nil {
		return p.writeOne(once, id, lockName, nil), nil
	}
	return p.writeOne(once, id, lockName, new(to.text())), nil
}

// lockOf reads the lock as it is now; nil when there is none.
func (p *Platform) lockOf(ctx context.Context, id string) (*lockEntry, error) {
	var v envVar
	err := p.call(ctx, http.MethodGet, envPath(id, lockName), nil, nil, &v)
	if err != nil && !missing(err) {
		return nil, err
	}
	return readLock(v.Value), nil
}

// stillMine is a Conflict when this process took the lock of the app and has lost
// it since. It is asked before every write and every deploy. Without a lock of this
// process it asks nothing.
func (p *Platform) stillMine(ctx context.Context, app, id string) error {
	p.mu.Lock()
	mine, locked := p.locks[app]
	p.mu.Unlock()
	if !locked {
		return nil
	}
	for try := 1; ; try++ {
		have, err := p.lockOf(ctx, id)
		switch {
		case err != nil:
			return explain(err, "see that the lock of %q is still held", app)
		case have.is(mine):
			return nil
		case have != nil:
			return errs.New(errs.Conflict, "the lock of %q was taken over by %s, at %s", app, have.Holder, have.Since.Format(time.RFC3339)).
				WithHint("wait for that deploy, then run the same command again")
		case try == tries:
			return errs.New(errs.Conflict, "the lock of %q, held by %s, was taken off", app, mine.Holder).
				WithHint("somebody ran opsctl lock release; run the same command again")
		}
		if err := p.sleep(ctx, p.o.Poll); err != nil { // of a service just made it may take a moment to show
			return err
		}
	}
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
	l := s.lock
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

// BreakLock takes the lock off. A deploy that is under way goes on.
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
	for try := 1; ; try++ {
		wrote, err := p.changeLock(ctx, app, s.svc.ID, func(have *lockEntry) (*lockEntry, error) {
			if only != nil && !have.is(*only) {
				return have, nil
			}
			return nil, nil
		})
		if err != nil || wrote == nil {
			return err
		}
		if !transient(wrote) || try == tries {
			return explain(wrote, "take the lock of %q off", app)
		}
		if err := p.sleep(ctx, p.o.Poll); err != nil {
			return err
		}
	}
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
	_, err = l.p.changeLock(ctx, l.app, svc.ID, func(have *lockEntry) (*lockEntry, error) {
		if !have.is(l.lock) {
			return have, nil
		}
		longer := *have
		longer.Expires = until
		return &longer, nil
	})
	return err
}

// Release gives the lock back, if it is still this one.
func (l *lease) Release(ctx context.Context) error {
	l.once.Do(func() {
		l.stop()
		<-l.done
		l.p.mu.Lock()
		if l.p.locks[l.app].ID == l.lock.ID {
			delete(l.p.locks, l.app)
		}
		l.p.mu.Unlock()
		if err := l.p.unlock(ctx, l.app, &l.lock); err != nil {
			l.err = fmt.Errorf("release the lock of %q: %w", l.app, err)
		}
	})
	return l.err
}
