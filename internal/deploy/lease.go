package deploy

import (
	"context"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// lock takes the platform's lock. One that this machine's last run left behind when it
// was killed is broken: the lock on disk has shown that it is dead. One of this very
// run, the answer to whose request was lost, is waited for.
func (r *run) lock(ctx context.Context) (platform.Lease, error) {
	deadline := r.now().Add(time.Minute)
	for broken := false; ; {
		lease, err := r.Platform.Lock(ctx, r.p.Request.App.Name, r.holderOf(r.id)+": "+r.command)
		if errs.CodeOf(err) != errs.Conflict {
			return lease, err
		}
		switch {
		case r.p.CutOff != nil && strings.Contains(err.Error(), r.holderOf(r.p.CutOff.ID)) && !broken:
			r.emit("lock", Warned, "the lock of the run that was cut off is taken over", 0)
			if err := r.Platform.BreakLock(ctx, r.p.Request.App.Name); err != nil {
				return nil, err
			}
			broken = true
			continue
		case !strings.Contains(err.Error(), r.id) || r.now().After(deadline):
			return nil, err
		}
		if err := r.sleep(ctx, 2*time.Second); err != nil {
			return nil, err
		}
	}
}

// holderOf is a run, as the platform's lock names it.
func (e *Engine) holderOf(run string) string { return e.Holder + " (run " + run + ")" }
