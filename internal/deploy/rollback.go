package deploy

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// RollbackTarget finds the release to return to: the given version, or the
// newest finished one before the current. It changes nothing.
func (e *Engine) RollbackTarget(ctx context.Context, app string, version string) (*platform.State, platform.Release, error) {
	state, err := e.Platform.Observe(ctx, app)
	if err != nil {
		return nil, platform.Release{}, err
	}
	if state.Current == nil {
		return nil, platform.Release{}, errs.New(errs.NotFound, "%q runs nothing yet", app).WithHint("run: opsctl deploy")
	}
	ledger, err := e.Platform.Releases(ctx, app, ledgerDepth)
	if err != nil {
		return nil, platform.Release{}, err
	}
	if version != "" {
		r, err := named(ledger, app, version)
		return state, r, err // also one that never became healthy: the gate decides, and what runs now comes back
	}
	if r, ok := before(ledger, state.Current); ok {
		return state, r, nil
	}
	return nil, platform.Release{}, errs.New(errs.NotFound, "%q has no finished release before %s", app, releaseName(state.Current.Version)).WithHint("run: opsctl history")
}

// named finds a release by its name, or by the beginning of it when that is one release only.
func named(ledger []platform.Release, app, version string) (platform.Release, error) {
	var found []platform.Release
	for _, r := range ledger {
		if r.Version == version {
			return r, nil
		}
		if len(version) >= 4 && strings.HasPrefix(r.Version, version) {
			found = append(found, r)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return platform.Release{}, errs.New(errs.NotFound, "%q has no release %s", app, version).WithHint("run: opsctl history")
	default:
		return platform.Release{}, errs.New(errs.Usage, "%d releases of %q begin with %s", len(found), app, version).WithHint("give more of the name; run: opsctl history")
	}
}

// before is the newest finished release before the current one that was not left by
// a rollback. When the current one itself put an earlier one back, that earlier one is
// no step back, and neither is what came after it.
func before(ledger []platform.Release, current *platform.Release) (platform.Release, bool) {
	at := slices.IndexFunc(ledger, func(r platform.Release) bool { return r.Version == current.Version })
	if at < 0 {
		return platform.Release{}, false
	}
	older := ledger[at+1:]
	if ledger[at].Restored { // where it came from is where to look on from
		origin := slices.IndexFunc(older, func(r platform.Release) bool { return platform.SameImage(r.Image, current.Image) && !r.Restored })
		if origin >= 0 {
			older = older[origin+1:]
		}
	}
	for i, r := range older {
		left := i > 0 && older[i-1].Restored
		if r.Status == platform.Complete && !left {
			return r, true
		}
	}
	return platform.Release{}, false
}

// Rollback puts a release back and holds it to the health gate.
func (e *Engine) Rollback(ctx context.Context, app string, state *platform.State, to platform.Release, gate Gate) (Result, error) {
	if state.Current != nil && state.Current.Version == to.Version && !state.Mixed {
		return Result{Run: e.newID(), Command: "rollback", Took: "0s", Outcome: Unchanged, App: app, URL: state.URL, Release: to.Version, Image: state.Current.Image, Changes: []Change{}}, nil
	}
	p := &Prepared{Request: Request{App: platform.AppSpec{Name: app}, Gate: gate}, Observed: Observed{State: state}, Image: platform.Image{Ref: to.Image}, previous: *state.Current}
	p.Changes = []Change{{Action: Replace, Object: "release", Old: state.Current.Version, New: to.Version, Reason: "rollback"}}
	r := &run{Engine: e, p: p, id: e.newID(), command: "rollback", journal: OpenJournal(e.StateDir), began: e.now(), release: to, url: state.URL}
	var err error
	if p.CutOff, p.Running, err = e.lastRun(); err != nil {
		return Result{}, err
	}
	return r.alone(ctx, r.rollback)
}

func (r *run) rollback(ctx context.Context) (Outcome, error) {
	app := r.p.Request.App.Name
	target := r.release.Version
	var lease platform.Lease
	steps := []step{
		{name: "lock", run: func(ctx context.Context) (string, error) {
			var err error
			lease, err = r.lock(ctx)
			if err != nil {
				return "", err
			}
			return "", r.stillAsPlanned(ctx)
		}},
		r.hook(PreRollback),
		{name: "restore", run: func(ctx context.Context) (string, error) {
			r.rolling = true
			to := r.release
			to.Timeout = r.p.Request.Gate.Timeout
			now, err := r.Platform.Restore(ctx, app, to, r.report("restore"))
			if err == nil && now.Version != "" {
				r.release.Version = now.Version
			}
			return releaseName(to.Version), err
		}},
		{name: "health", run: r.gateRestored},
	}
	defer func() { r.unlock(ctx, lease) }()
	for _, s := range steps {
		if err := r.do(ctx, s); err != nil {
			if ctx.Err() != nil {
				return Interrupted, errs.Wrap(err, errs.Interrupted, "rollback stopped").WithHint("run it again: opsctl rollback --to %s", target)
			}
			return r.rollbackFailed(ctx, err)
		}
	}
	r.markLeft(ctx)
	r.outcome = RolledBack
	r.hookAfter(ctx, PostRollback)
	return RolledBack, nil
}

// rollbackFailed puts back what ran before a rollback that did not come to a healthy end.
func (r *run) rollbackFailed(ctx context.Context, cause error) (Outcome, error) {
	if !r.rolling {
		return FailedRun, errs.Wrap(cause, errs.CodeOf(cause), "rollback failed, and nothing was changed").WithHint("%s", joinHints(errs.HintOf(cause), "look at: opsctl status"))
	}
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	r.p.restorable = true
	if _, undone, err := r.undo(undo); err == nil {
		return FailedRun, errs.Wrap(cause, errs.RolledBack, "rollback failed, %s", undone).WithHint("%s", joinHints(errs.HintOf(cause), "choose another release: opsctl history"))
	}
	next := "look at: opsctl status\nto have back what ran before: opsctl rollback --to " + r.p.previous.Version
	return FailedRun, errs.Wrap(cause, errs.Partial, "rollback failed, and putting back what ran before failed too").WithHint("%s", joinHints(errs.HintOf(cause), next))
}

// markLeft notes in the ledger which releases were left, so that no later rollback
// returns to them by itself: the one that ran and those that were skipped. The one that
// was put back counts again, whatever became of it before.
func (r *run) markLeft(ctx context.Context) {
	book, ok := r.Platform.(platform.Ledger)
	if !ok {
		return // the platform has noted that this is a rollback
	}
	app, left := r.p.Request.App.Name, r.p.Observed.State.Current.Version
	ledger, err := r.Platform.Releases(ctx, app, ledgerDepth)
	from := slices.IndexFunc(ledger, func(e platform.Release) bool { return e.Version == left })
	to := slices.IndexFunc(ledger, func(e platform.Release) bool { return e.Version == r.release.Version })
	for i, entry := range ledger {
		switch {
		case i == to && entry.Status != platform.Complete:
			entry.Message = ""
			err = errors.Join(err, book.EndRelease(ctx, app, entry, platform.Complete))
		case i != to && i >= from && (to < 0 || i < to) && entry.Status == platform.Complete: // newest first
			entry.Message = "rolled back to release " + r.release.Version
			err = errors.Join(err, book.EndRelease(ctx, app, entry, platform.Failed))
		}
	}
	if err != nil {
		r.emit("ledger", Warned, r.redact(err.Error()), 0)
	}
}

// gateRestored probes the health path of the release that runs now, which need
// not be that of the one before.
func (r *run) gateRestored(ctx context.Context) (string, error) {
	state, err := r.Platform.Observe(ctx, r.p.Request.App.Name)
	if err != nil {
		return "", err
	}
	if state.Current == nil || state.Current.Health == "" {
		return "it has no health path", nil
	}
	r.release.Image = state.Current.Image
	return r.probe(ctx, state.URL+state.Current.Health, "")
}
