package fly

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/superfly/fly-go/flaps"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// shownLease is a lease that somebody was shown, and may have decided upon.
type shownLease struct{ id, holder, nonce string }

func (p *Platform) show(id, holder, nonce string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shown = &shownLease{id, holder, nonce}
}

func (p *Platform) forgetShown() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shown = nil
}

// BreakLock gives back the leases of whoever holds them, with the nonces that the API
// tells. When LockedBy, or a Conflict, has shown who that is, no other's are broken:
// whoever took the lock since is a Conflict.
func (p *Platform) BreakLock(ctx context.Context, app string) error {
	p.mu.Lock()
	shown := p.shown
	p.mu.Unlock()
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
		if shown != nil && !shown.is(m.ID, info, nonce) {
			return takenSince(app, info)
		}
		err = p.machinesCall(ctx, http.MethodDelete, machinePath(app, m.ID)+"/lease", nil, new(json.RawMessage), http.Header{http.CanonicalHeaderKey(flaps.NonceHeader): {nonce}})
		switch st := status(err); {
		case err == nil || st == http.StatusNotFound:
		case st == http.StatusConflict: // taken by another one between the look and now
			if info, _, err = p.findLease(ctx, app, m.ID); err != nil {
				return err
			}
			if info != nil {
				return takenSince(app, info)
			}
		default:
			return explain(err, "unlock machine %s", m.ID)
		}
	}
	p.forgetShown()
	return nil
}

// is tells whether a lease is the one that was shown, or one of the same holder on
// another machine: flyctl leases them all.
func (s *shownLease) is(id string, info *platform.LockInfo, nonce string) bool {
	if id == s.id && nonce != "" && s.nonce != "" {
		return nonce == s.nonce
	}
	return info.Holder == s.holder
}

func takenSince(app string, info *platform.LockInfo) error {
	return errs.New(errs.Conflict, "the lock of %q was taken meanwhile by %s", app, holderText(info)).
		WithHint("it was left alone; to see it: opsctl lock status")
}
