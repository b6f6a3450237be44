package deploy

import (
	"context"
	"time"

	"github.com/opsctl/opsctl/internal/platform"
)

// tidy clears away what is left of a run that was killed when its work was done.
func (r *run) tidy(ctx context.Context) (Outcome, error) {
	app := r.p.Request.App.Name
	by, err := r.Platform.LockedBy(ctx, app)
	if err == nil && by != nil && r.dead(by.Holder) {
		r.emit("lock", Warned, "the lock of the run that was cut off is taken away", 0)
		err = r.Platform.BreakLock(ctx, app)
	}
	if err != nil {
		r.emit("lock", Warned, r.redact(err.Error()), 0)
	}
	r.closeCutOff(ctx)
	return Unchanged, nil
}

// closeCutOff ends the ledger entry that a killed run left open. Its number may never
// have reached the journal; then it is one of ours that was opened since it began.
func (r *run) closeCutOff(ctx context.Context) {
	book, ok := r.Platform.(platform.Ledger)
	if !ok || r.p.CutOff == nil {
		return
	}
	cut := r.p.CutOff
	app := r.p.Request.App.Name
	ledger, err := r.Platform.Releases(ctx, app, ledgerDepth)
	for _, entry := range ledger {
		since := entry.Author == r.p.Identity.Account && !entry.Created.Before(cut.Started.Add(-clockSlack))
		if entry.Status == platform.Running && (entry.Version == cut.Release || cut.Release == "" && since) {
			err = book.EndRelease(ctx, app, entry, platform.Interrupted)
		}
	}
	if err != nil { // only the history looks odd
		r.emit("ledger", Warned, r.redact(err.Error()), 0)
	}
}

// clockSlack is how far the platform's clock and this one may be apart.
const clockSlack = time.Minute
