package compose

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// lockTries bounds how often a lock that has just ended is tried again.
const lockTries = 3

// lease is a container that runs as long as it is renewed: its name is the lock,
// which the engine gives to one only, and it ends by itself when its holder dies.
type lease struct {
	p    *Platform
	id   string
	stop context.CancelFunc
	done chan struct{}
	once sync.Once
	err  error
}

// Lock starts the container whose name is the lock.
func (p *Platform) Lock(ctx context.Context, app, holder string) (platform.Lease, error) {
	if err := validApp(app); err != nil {
		return nil, err
	}
	image, err := p.frontImage(ctx)
	if err != nil {
		return nil, err
	}
	for range lockTries {
		var l labelSet
		l.add(labelApp, app)
		l.add(labelRole, roleLock)
		l.add(labelHolder, holder)
		l.add(labelSince, p.o.Now().UTC().Format(time.RFC3339))
		args := append([]string{"run", "--detach", "--rm", "--name", lockName(app), "--network", "none", "--read-only", "--cap-drop", "ALL"}, l...)
		out, err := p.engine.out(ctx, append(args, image, "hold", strconv.Itoa(int(lockTTL.Seconds())))...)
		switch {
		case err == nil:
			return p.hold(ctx, strings.TrimSpace(string(out))), nil
		case !taken(err):
			return nil, explain(err, "lock %q", app)
		}
		held, err := p.find(ctx, lockName(app))
		if err != nil {
			return nil, err
		}
		if held != nil && held.State.Running {
			return nil, heldBy(app, lockInfo(*held))
		}
		if held != nil { // it has ended, and not been removed
			if err := p.remove(ctx, held.ID); err != nil {
				return nil, err
			}
		}
	}
	return nil, errs.New(errs.Conflict, "%q is being locked by others all the time", app).WithHint("run the same command again")
}

func heldBy(app string, info *platform.LockInfo) error {
	return errs.New(errs.Conflict, "%q is locked by %s, since %s", app, info.Holder, info.Since.Format(time.RFC3339)).
		WithHint("wait for that run to end; a dead one's lock ends by itself within %s\nto see it: opsctl lock status", lockTTL)
}

func lockInfo(c container) *platform.LockInfo {
	since, _ := time.Parse(time.RFC3339, c.Config.Labels[labelSince])
	holder := c.Config.Labels[labelHolder]
	if holder == "" {
		holder = "somebody"
	}
	return &platform.LockInfo{Holder: holder, Since: since}
}

func (p *Platform) hold(ctx context.Context, id string) *lease {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	l := &lease{p: p, id: id, stop: stop, done: make(chan struct{})}
	go l.renew(background)
	return l
}

// renew says every few seconds that the holder lives.
func (l *lease) renew(ctx context.Context) {
	defer close(l.done)
	tick := time.NewTicker(lockTTL / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			one, cancel := context.WithTimeout(ctx, lockTTL/4)
			_ = l.p.engine.quiet(one, "kill", "--signal", "HUP", l.id) // the next one may get through
			cancel()
		}
	}
}

// Release gives the lock back: by the container's id, so that another one's is safe.
func (l *lease) Release(ctx context.Context) error {
	l.once.Do(func() {
		l.stop()
		<-l.done
		l.err = l.p.remove(ctx, l.id)
	})
	return l.err
}

// LockedBy looks at the container whose name is the lock.
func (p *Platform) LockedBy(ctx context.Context, app string) (*platform.LockInfo, error) {
	held, err := p.find(ctx, lockName(app))
	if err != nil || held == nil || !held.State.Running {
		return nil, err
	}
	return lockInfo(*held), nil
}

// BreakLock removes the lock's container.
func (p *Platform) BreakLock(ctx context.Context, app string) error {
	return p.remove(ctx, lockName(app))
}
