package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// undoTimeout bounds the compensations of a failed deploy, which run on even
// when the deploy itself was interrupted.
const undoTimeout = 10 * time.Minute

// run is a deploy under way.
type run struct {
	*Engine
	p         *Prepared
	id        string
	command   string // deploy or rollback
	journal   *Journal
	release   platform.Release
	url       string
	began     time.Time
	rolling   bool     // instances have been touched
	renewed   bool     // of a deploy that failed: an instance was made anew, and so has got what waited for that
	untouched bool     // of a roll-out that failed: the release command did, so no instance was changed, only settings
	migrated  bool     // the release command has run
	outcome   Outcome  // for hooks: how it ended
	staged    []string // secrets that were staged by this run
	kept      []string
	printed   errs.Redactor // the same, for lines that the app printed
	secrets   errs.Redactor // the values of the app's secrets, kept out of everything that is shown or written
}

// step is a part of a deploy.
type step struct {
	name   string
	silent bool          // when it is skipped, nothing is said of it
	skip   func() string // a reason not to run it; "" to run it; nil always runs
	run    func(ctx context.Context) (detail string, err error)
}

// Apply carries out what was prepared. When it fails after instances were
// touched, the previous release is put back and the error has code RolledBack.
func (e *Engine) Apply(ctx context.Context, p *Prepared) (Result, error) {
	r := &run{Engine: e, p: p, id: e.newID(), command: "deploy", journal: OpenJournal(e.StateDir), began: e.now()}
	r.learn()
	if len(p.Changes) == 0 {
		if p.CutOff != nil {
			return r.alone(ctx, r.tidy)
		}
		return r.result(Unchanged), nil
	}
	return r.alone(ctx, r.locked)
}

// alone does the work of a run while no other run of this machine can, and
// keeps its beginning and its end in the journal.
func (r *run) alone(ctx context.Context, work func(context.Context) (Outcome, error)) (Result, error) {
	local, err := lockLocal(r.StateDir, r.Holder)
	if err != nil {
		return Result{}, err
	}
	defer local.release()
	if r.p.prints != nil { // a rollback has none: it sets nothing
		if err := r.p.prints.Reload(); err != nil {
			return Result{}, err
		}
	}
	if err := r.begin(); err != nil {
		return Result{}, err
	}
	outcome, err := work(ctx)
	result := r.result(outcome)
	return result, errors.Join(err, r.end(result, err))
}

// begin and end write the journal; a journal that cannot be written stops a deploy before it starts.
func (r *run) begin() error {
	return r.journal.Append(Record{
		Time: r.now(), Run: r.id, Kind: "begin", Command: r.command, By: r.Holder, App: r.p.Request.App.Name,
		Image: r.p.Image.Pinned(), From: r.p.previous.Version,
	})
}

func (r *run) end(result Result, err error) error {
	rec := Record{Time: r.now(), Run: r.id, Kind: "end", Outcome: result.Outcome, Release: result.Release, Image: result.Image}
	if err != nil {
		rec.Detail = r.redact(err.Error())
	}
	return r.journal.Append(rec)
}

// locked runs the steps under the platform's lock.
func (r *run) locked(ctx context.Context) (Outcome, error) {
	var lease platform.Lease
	err := r.do(ctx, step{name: "lock", run: func(ctx context.Context) (string, error) {
		var err error
		lease, err = r.lock(ctx)
		return "", err
	}})
	if err != nil {
		return r.failed(ctx, err)
	}
	defer r.unlock(ctx, lease)
	if err := r.planUnderLock(ctx); err != nil {
		return r.failed(ctx, err)
	}
	if len(r.p.Changes) == 0 {
		return Unchanged, nil
	}
	if err := r.rememberAccount(r.p.Identity.Account); err != nil {
		r.emit("account", Warned, r.redact(err.Error()), 0)
	}
	r.closeCutOff(ctx)
	for _, s := range r.steps() {
		if err := r.do(ctx, s); err != nil {
			outcome, err := r.failed(ctx, err)
			r.outcome = outcome
			r.hookAfter(ctx, DeployFailed)
			return outcome, err
		}
		if s.name == imageStep && r.sameAfterAll() {
			return Unchanged, nil
		}
	}
	r.outcome = Deployed
	r.hookAfter(ctx, PostDeploy)
	return Deployed, nil
}

// planUnderLock makes sure that the plan is still right, now that nobody else can change
// anything. What a run of this machine that was killed had begun, the platform may have
// brought to its end since: then the plan is made again.
func (r *run) planUnderLock(ctx context.Context) error {
	err := r.stillAsPlanned(ctx)
	if errs.CodeOf(err) != errs.Conflict || r.p.CutOff == nil || r.p.Request.Fixed {
		return err
	}
	r.emit("lock", Warned, "what the run that was cut off had begun has come about meanwhile; planned again", 0)
	fresh, err := r.Prepare(ctx, r.p.Request)
	if err != nil {
		return err
	}
	fresh.CutOff = r.p.CutOff
	r.p = fresh
	r.learn()
	return nil
}

// unlock gives the platform's lock back, also after an interruption.
func (r *run) unlock(ctx context.Context, lease platform.Lease) {
	if lease == nil {
		return
	}
	release, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	err := lease.Release(release)
	if err != nil { // by another way, or it would keep the next deploy away for a while
		err = r.breakOwn(release)
	}
	if err != nil {
		r.emit("unlock", Warned, r.redact(err.Error()), 0)
	}
}

// sameAfterAll tells, once the image is built, that it is the one that runs, and
// nothing else was to be changed.
func (r *run) sameAfterAll() bool {
	want := r.p.desired
	want.Release.Image = r.p.Image.Pinned()
	r.p.Changes = Plan(want, r.p.Observed)
	return len(r.p.Changes) == 0
}

// stillAsPlanned refuses to go on when somebody else deployed between the plan
// and the lock: the plan, and the release to return to, would be wrong.
func (r *run) stillAsPlanned(ctx context.Context) error {
	state, err := r.look(ctx, r.p.Request.App.Name, r.p.prints)
	if errs.CodeOf(err) == errs.NotFound && r.p.Observed.State == nil {
		return nil
	}
	if err != nil {
		return err
	}
	version := func(s *platform.State) string {
		if s == nil || s.Current == nil {
			return "none"
		}
		return cmp.Or(s.Current.Version, "none of opsctl")
	}
	if was, is := version(r.p.Observed.State), version(state); was != is {
		return errs.New(errs.Conflict, "%q was changed since it was planned: release %s, now %s", r.p.Request.App.Name, was, is).
			WithHint("run the same command again")
	}
	if !sameInstances(r.p.Observed.State, state) {
		return errs.New(errs.Conflict, "the instances of %q were changed since it was planned", r.p.Request.App.Name).WithHint("run the same command again")
	}
	return asFound(r.p.platformSecrets(), state.Secrets)
}

// do runs one step and tells the journal and the listener.
func (r *run) do(ctx context.Context, s step) error {
	if s.skip != nil {
		if why := s.skip(); why != "" {
			if !s.silent {
				r.emit(s.name, Skipped, why, 0)
			}
			return nil
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	r.emit(s.name, Started, "", 0)
	began := r.now()
	rec := Record{Run: r.id, Kind: "step", Step: s.name, Status: Started, Time: began}
	if err := r.journal.Append(rec); err != nil {
		return err
	}
	detail, err := s.run(ctx)
	took := r.now().Sub(began)
	rec.Time, rec.Status, rec.Took, rec.Release = r.now(), Done, took.Round(time.Millisecond).String(), r.release.Version
	if err != nil {
		rec.Status, rec.Detail = Failed, r.redact(err.Error())
		r.emit(s.name, Failed, r.redact(err.Error()), took)
	} else {
		r.emit(s.name, Done, detail, took)
	}
	if logged := r.journal.Append(rec); logged != nil {
		if !r.rolling || err != nil {
			return errors.Join(err, logged)
		}
		r.emit(s.name, Warned, r.redact(logged.Error()), 0) // a full disk here is no reason to undo a deploy there
	}
	return err
}

// failed puts back what can be put back, and says what cannot.
func (r *run) failed(ctx context.Context, cause error) (Outcome, error) {
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	interrupted := ctx.Err() != nil
	r.closeLedger(undo, cause, interrupted)
	if !r.rolling {
		r.noteKept()
		if interrupted {
			return Interrupted, errs.Wrap(cause, errs.Interrupted, "the deploy stopped before any instance was changed")
		}
		e := errs.Wrap(cause, errs.CodeOf(cause), "deploy failed before any instance was changed")
		return FailedRun, e.WithHint("%s", r.hint(cause, r.stillRunning()))
	}
	if interrupted {
		r.emit("undo", Warned, "interrupted: the version before is being put back; a second Ctrl-C abandons that", 0)
	}
	outcome, undone, err := r.undo(undo)
	if err == nil && r.untouched && r.p.restorable {
		r.noteKept()
		e := errs.Wrap(cause, errs.CodeOf(cause), "deploy failed before any instance was changed")
		return FailedRun, e.WithHint("%s", r.hint(cause, r.stillRunning()))
	}
	r.renewed = r.p.restorable && r.anyRenewed(undo)
	r.noteKept()
	if err != nil && !r.p.restorable && errs.CodeOf(cause) == errs.Conflict && errs.CodeOf(err) == errs.Conflict {
		// A first deploy that met another one: what runs is the other's, and stays.
		return FailedRun, errs.Wrap(cause, errs.Conflict, "another deploy of the same app was first").WithHint("%s", r.hint(cause, "look at: opsctl status"))
	}
	if err != nil {
		e := errs.Wrap(errors.Join(cause, err), errs.Partial, "deploy failed, and putting the previous version back failed too")
		next := "look at: opsctl status\nthen run the same deploy with an image that works, or: opsctl rollback"
		return FailedRun, e.WithHint("%s", r.hint(cause, next))
	}
	code := errs.RolledBack
	switch {
	case interrupted:
		code, outcome = errs.Interrupted, Interrupted
	case outcome == Removed:
		code = errs.CodeOf(cause)
	}
	return outcome, errs.Wrap(cause, code, "deploy failed, %s", undone).WithHint("%s", r.hint(cause, ""))
}

// undo is the compensation of the roll-out.
func (r *run) undo(ctx context.Context) (Outcome, string, error) {
	began := r.now()
	report := func(format string, args ...any) { r.emit("undo", Progress, fmt.Sprintf(format, args...), 0) }
	app := r.p.Request.App.Name
	r.emit("undo", Started, "", 0)
	if !r.p.restorable {
		if err := r.Platform.Remove(ctx, app, report); err != nil {
			r.emit("undo", Failed, r.redact(err.Error()), r.now().Sub(began))
			return "", "", err
		}
		r.emit("undo", Undone, "the instances were destroyed: there is no earlier version", r.now().Sub(began))
		return Removed, "and its instances were destroyed: there is no earlier version to restore", nil
	}
	to := r.p.previous
	to.Timeout = r.p.Request.Gate.Timeout
	now, err := r.Platform.Restore(ctx, app, to, report)
	if err != nil {
		r.emit("undo", Failed, r.redact(err.Error()), r.now().Sub(began))
		return "", "", err
	}
	name := r.previousName()
	if now.Version != "" && now.Version != to.Version { // the platform made a new one of it
		name += ", as " + now.Version + ","
	}
	r.emit("undo", Undone, name+" runs again", r.now().Sub(began))
	return RolledBack, name + " was restored", nil
}

// redact masks the app's secrets and everything with the shape of one.
func (r *run) redact(text string) string { return r.secrets.Redact(text) }

// learn makes the values of the app's secrets known to redact.
func (r *run) learn() {
	r.secrets, r.printed = errs.Redactor{}, errs.Redactor{}
	for _, value := range r.p.secrets {
		r.secrets.Add(value)
		r.printed.AddForLines(value)
		if u, err := url.Parse(value); err == nil {
			if password, ok := u.User.Password(); ok {
				r.secrets.Add(password)
				r.printed.AddForLines(password)
			}
		}
	}
}

func (r *run) closeLedger(ctx context.Context, cause error, interrupted bool) {
	book, ok := r.Platform.(platform.Ledger)
	if !ok || r.release.ID == "" && r.release.Version == "" {
		return
	}
	status := platform.Failed
	if interrupted {
		status = platform.Interrupted
	}
	r.release.Message = r.redact(cause.Error())
	if err := book.EndRelease(ctx, r.p.Request.App.Name, r.release, status); err != nil {
		r.emit("ledger", Warned, r.redact(err.Error()), 0)
	}
}

func (r *run) result(o Outcome) Result {
	changes := r.p.Changes
	if changes == nil {
		changes = []Change{}
	}
	res := Result{
		Run: r.id, Command: r.command, Outcome: o, App: r.p.Request.App.Name, URL: r.url, Image: r.release.Image, Release: r.release.Version,
		Previous: r.p.previous.Version, Changes: changes, Kept: r.kept, Took: r.now().Sub(r.began).Round(time.Millisecond).String(),
	}
	if s := r.p.Observed.State; o == Unchanged && s != nil {
		res.URL = s.URL
		if s.Current != nil {
			res.Image, res.Release = s.Current.Image, s.Current.Version
		}
	}
	return res
}
