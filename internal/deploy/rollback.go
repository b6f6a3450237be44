package deploy

import (
	"context"
	"fmt"
	"strconv"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// RollbackTarget finds the release to return to: the given version, or the
// newest finished one before the current. It changes nothing.
func (e *Engine) RollbackTarget(ctx context.Context, app string, version int) (*platform.State, platform.Release, error) {
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
	for _, r := range ledger {
		switch {
		case version == 0 && r.Version < state.Current.Version && r.Status == platform.Complete,
			version != 0 && r.Version == version:
			return state, r, nil
		}
	}
	if version != 0 {
		return nil, platform.Release{}, errs.New(errs.NotFound, "%q has no release %d", app, version).WithHint("run: opsctl history")
	}
	return nil, platform.Release{}, errs.New(errs.NotFound, "%q has no finished release before %d", app, state.Current.Version).WithHint("run: opsctl history")
}

// Rollback puts a release back and holds it to the health gate.
func (e *Engine) Rollback(ctx context.Context, app string, state *platform.State, to platform.Release, gate Gate) (Result, error) {
	if state.Current != nil && state.Current.Version == to.Version && !state.Mixed {
		return Result{Outcome: Unchanged, App: app, URL: state.URL, Release: to.Version, Image: state.Current.Image, Changes: []Change{}}, nil
	}
	p := &Prepared{Request: Request{App: platform.AppSpec{Name: app}, Gate: gate}, Observed: Observed{State: state}, Image: platform.Image{Ref: to.Image}}
	p.Changes = []Change{{Action: Replace, Object: "release", Old: strconv.Itoa(state.Current.Version), New: strconv.Itoa(to.Version), Reason: "rollback"}}
	r := &run{Engine: e, p: p, id: e.newID(), command: "rollback", journal: OpenJournal(e.StateDir), began: e.now(), release: to, url: state.URL}
	var err error
	if p.CutOff, p.Running, err = e.lastRun(); err != nil {
		return Result{}, err
	}
	return r.alone(ctx, r.rollback)
}

func (r *run) rollback(ctx context.Context) (Outcome, error) {
	app := r.p.Request.App.Name
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
		{name: "restore", run: func(ctx context.Context) (string, error) {
			r.rolling = true
			return fmt.Sprintf("release %d", r.release.Version), r.Platform.Restore(ctx, app, r.release.Version, r.p.Request.Gate.Timeout, r.report("restore"))
		}},
		{name: "health", run: r.gateRestored},
	}
	defer func() { r.unlock(ctx, lease) }()
	for _, s := range steps {
		if err := r.do(ctx, s); err != nil {
			if ctx.Err() != nil {
				return Interrupted, errs.Wrap(err, errs.Interrupted, "rollback stopped").WithHint("run it again: opsctl rollback --to %d", r.release.Version)
			}
			code := errs.CodeOf(err)
			if r.rolling && code != errs.NotFound { // instances may differ now
				code = errs.Partial
			}
			return FailedRun, errs.Wrap(err, code, "rollback failed").WithHint("look at: opsctl status")
		}
	}
	r.markLeft(ctx)
	return RolledBack, nil
}

// markLeft marks the release that was left in the ledger, so that no later
// rollback returns to it.
func (r *run) markLeft(ctx context.Context) {
	app, left := r.p.Request.App.Name, r.p.Observed.State.Current.Version
	ledger, err := r.Platform.Releases(ctx, app, ledgerDepth)
	for _, entry := range ledger {
		if entry.Version == left && left != r.release.Version && entry.Status == platform.Complete {
			entry.Message = fmt.Sprintf("rolled back to release %d", r.release.Version)
			err = r.Platform.EndRelease(ctx, app, entry, platform.Failed)
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
