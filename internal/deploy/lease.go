package deploy

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// lockTries is how often a lock that turns out to be dead is taken over.
const lockTries = 3

// lock takes the platform's lock. One that a run of this machine left behind is broken:
// the lock on disk, which this run holds, has shown that no other run is going on here.
func (r *run) lock(ctx context.Context) (platform.Lease, error) {
	for try := 1; ; try++ {
		lease, err := r.Platform.Lock(ctx, r.p.Request.App.Name, r.holderOf(r.id)+": "+r.command)
		switch {
		case err == nil:
			return lease, nil
		case errs.CodeOf(err) != errs.Conflict:
			if broken := r.breakOwn(ctx); broken != nil { // it may have been taken, and the answer lost
				r.emit("lock", Warned, r.redact(broken.Error()), 0)
			}
			return nil, err
		case try == lockTries || !r.dead(err.Error()):
			return nil, err
		}
		if !strings.Contains(err.Error(), r.id) {
			r.emit("lock", Warned, "the lock of the run that was cut off is taken over", 0)
		}
		if err := r.Platform.BreakLock(ctx, r.p.Request.App.Name); err != nil {
			return nil, err
		}
		if err := r.sleep(ctx, time.Second); err != nil {
			return nil, err
		}
	}
}

// dead tells whether a lock is of a run of this machine, which cannot be going on.
func (r *run) dead(holder string) bool {
	runs, err := r.journal.Runs()
	if err != nil {
		return false
	}
	return slices.ContainsFunc(runs, func(one Run) bool { return strings.Contains(holder, r.holderOf(one.ID)) })
}

// breakOwn takes this run's lock away, if it stands.
func (r *run) breakOwn(ctx context.Context) error {
	app := r.p.Request.App.Name
	by, err := r.Platform.LockedBy(ctx, app)
	if errs.CodeOf(err) == errs.NotFound {
		return nil
	}
	if err != nil || by == nil || !strings.Contains(by.Holder, r.holderOf(r.id)) {
		return err
	}
	return r.Platform.BreakLock(ctx, app)
}

// holderOf is a run, as the platform's lock names it.
func (e *Engine) holderOf(run string) string { return e.Holder + " (run " + run + ")" }
