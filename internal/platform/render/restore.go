package render

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// Restore puts an earlier release back.
//
// While its deploy still serves, as after a deploy that failed, only the settings
// and plain variables are put back: nothing is restarted. Else Render's own
// roll-back is used, which starts the artifact of then; it takes no push into
// account, so deploys by a push are switched off, which Render's API does not do
// by itself. Render documents that a roll-back also uses the variables of then,
// secrets included, without changing what is saved: the next deploy sees the
// saved ones again. So the plain variables of then are saved first, and both
// agree on them. The release command is taken off, lest it runs again. Where
// Render has thrown the artifact away, the image is deployed anew.
func (p *Platform) Restore(ctx context.Context, app string, to platform.Release, report platform.Report) (platform.Release, error) {
	s, err := p.read(ctx, app)
	if err != nil {
		return to, err
	}
	if s.svc == nil {
		return to, noApp(app)
	}
	target, err := p.target(ctx, s, to)
	if err != nil {
		return to, err
	}
	if err := p.stillMine(ctx, app, s.svc.ID); err != nil {
		return to, err
	}
	r := rollout{Platform: p, app: app, svc: s.svc, want: s.asItWas(target, to), report: report}
	for _, d := range s.deploys {
		if d.underWay() {
			report("end the deploy %s, which is under way", d.ID)
			if err := r.end(ctx, d); err != nil {
				return to, err
			}
		}
	}
	running, err := p.liveDeploy(ctx, s)
	if err != nil {
		return to, err
	}
	if running != nil && !s.svc.suspended() && s.ledger.root(running.ID) == s.ledger.root(target.ID) {
		return r.putBack(ctx, s, *running)
	}
	return r.rollBack(ctx, s, target, running)
}

// target is the deploy to put back: one that has served.
func (p *Platform) target(ctx context.Context, s *snapshot, to platform.Release) (deploy, error) {
	i := slices.IndexFunc(s.deploys, func(d deploy) bool { return d.ID == to.Version })
	var d deploy
	if i >= 0 {
		d = s.deploys[i]
	} else {
		var err error
		if to.Version != "" {
			d, err = p.getDeploy(ctx, s.svc.ID, to.Version)
		}
		if to.Version == "" || missing(err) || status(err) == http.StatusBadRequest {
			return d, errs.New(errs.NotFound, "no release %q of %q on Render", to.Version, s.svc.Name).WithHint("run: opsctl history")
		}
		if err != nil {
			return d, explain(err, "look for the release %s", to.Version)
		}
	}
	if releaseStatus(d.Status) != platform.Complete {
		return d, errs.New(errs.NotFound, "release %s of %q never served: %s", d.ID, s.svc.Name, d.Status).WithHint("run: opsctl history, and choose one that is complete")
	}
	return d, nil
}

// asItWas is the release of a deploy: as it was written down, or else as the
// caller knows it.
func (s *snapshot) asItWas(d deploy, to platform.Release) platform.Release {
	r := s.release(d)
	if _, written := s.ledger.find(d.ID); !written {
		known := s.current(d)
		r.Label, r.Env, r.Port, r.Health = to.Label, to.Env, to.Port, to.Health
		r.Instances, r.Size = to.Instances, to.Size
		if to.Port == 0 { // nobody knows: what is set up stays
			r.Label, r.Env, r.Port, r.Health = known.Label, known.Env, known.Port, known.Health
		}
	}
	if r.Image == "" {
		r.Image = to.Image
	}
	r.Timeout, r.Region = to.Timeout, s.svc.Details.Region
	if commit, ok := strings.CutPrefix(r.Image, "git:"); ok {
		r.Source = &platform.Source{Identity: r.Image, Commit: commit, Remote: s.svc.Repo, Branch: s.svc.Branch}
	}
	return r
}

// putBack restores the settings of what serves on.
func (r *rollout) putBack(ctx context.Context, s *snapshot, running deploy) (platform.Release, error) {
	r.report("deploy %s serves on: put its settings back", running.ID)
	if err := r.resettle(ctx, s); err != nil {
		return r.want, err
	}
	of := ""
	if e, ok := s.ledger.find(running.ID); ok {
		of = e.Of
	}
	err := r.scale(ctx, r.want.Instances)
	r.want.Version = running.ID
	return r.want, r.record(ctx, running.ID, of, err)
}

// resettle sets the service up for what runs, without deploying anything.
func (r *rollout) resettle(ctx context.Context, s *snapshot) error {
	if err := r.configure(ctx, r.app, s, r.want, true, false); err != nil {
		return err
	}
	_, _, err := r.byItself(ctx, s, false)
	return err
}

// rollBack deploys what ran then. Where that fails, what serves on gets its
// settings back.
func (r *rollout) rollBack(ctx context.Context, s *snapshot, target deploy, running *deploy) (platform.Release, error) {
	r.report("release %s: %s", target.ID, platform.ShortImage(r.want.Image))
	command := r.want.Command
	id, err := r.rollBackTo(ctx, s, target)
	if err != nil {
		if id != "" {
			err = r.record(ctx, id, s.ledger.root(target.ID), err)
		}
		r.compensate(ctx, s, running)
		return r.want, err
	}
	r.want.Version, r.want.Command, r.want.Restored = id, command, true
	r.want.Status, r.want.Message = platform.Complete, ""
	if len(command) > 0 {
		if err := r.commandBack(ctx, s, command); err != nil {
			r.report("the release command could not be set again; the next deploy does so: %v", err)
		}
	}
	return r.want, r.record(ctx, id, s.ledger.root(target.ID), r.scale(ctx, r.want.Instances))
}

// rollBackTo makes the deploy and follows it. It returns its id, also when it failed.
func (r *rollout) rollBackTo(ctx context.Context, s *snapshot, target deploy) (string, error) {
	if err := r.configure(ctx, r.app, s, r.want, false, s.svc.suspended()); err != nil {
		return "", err
	}
	_, before, err := r.byItself(ctx, s, false)
	if err != nil {
		return "", err
	}
	r.old = r.instances(ctx)
	r.want.Command = nil // it does not run
	if s.svc.suspended() {
		if err := r.stillMine(ctx, r.app, r.svc.ID); err != nil {
			return "", err
		}
		if err := r.call(again(ctx), http.MethodPost, servicePath(r.svc.ID)+"/resume", nil, nil, nil); err != nil {
			return "", explain(err, "resume %q", r.app)
		}
	}
	id, err := r.start(ctx, "/rollback", map[string]string{"deployId": target.ID}, before, func(d deploy) bool { return d.Trigger == "rollback" })
	if st := status(err); (st == http.StatusNotFound || st == http.StatusGone || st == http.StatusConflict || st == http.StatusBadRequest) && r.want.Image != "" {
		r.report("Render does not roll back to it any more: deploy %s anew", platform.ShortImage(r.want.Image))
		id, err = r.deploy(ctx, before)
	}
	if err != nil {
		return "", err
	}
	_, err = r.follow(ctx, id)
	return id, err
}

// compensateTime is what putting settings back may take, also when the caller gives up meanwhile.
const compensateTime = time.Minute

// compensate gives what serves on its settings back after a roll-back that failed.
// One that may be on its way still, as after Ctrl-C, keeps its own: the next run
// knows it by them.
func (r *rollout) compensate(ctx context.Context, s *snapshot, running *deploy) {
	if running == nil || s.svc.suspended() || ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), compensateTime)
	defer cancel()
	err := func() error {
		now, err := r.read(ctx, r.app)
		if err != nil {
			return err
		}
		serves, err := r.liveDeploy(ctx, now)
		if err != nil || now.svc == nil || serves == nil || serves.ID != running.ID {
			return err // something else has come: its settings are its own
		}
		if i := slices.IndexFunc(now.deploys, func(d deploy) bool { return d.underWay() }); i >= 0 {
			return errs.New(errs.Conflict, "deploy %s is under way", now.deploys[i].ID)
		}
		was := rollout{Platform: r.Platform, app: r.app, svc: now.svc, want: s.setUp(*running), report: r.report}
		if err := was.resettle(ctx, now); err != nil {
			return err
		}
		of := ""
		if e, ok := s.ledger.find(running.ID); ok {
			of = e.Of
		}
		return was.record(ctx, running.ID, of, nil)
	}()
	if err != nil {
		r.report("the settings of deploy %s, which serves on, could not be put back: %v", running.ID, err)
		return
	}
	r.report("deploy %s serves on, with its settings", running.ID)
}

// setUp is the release of a deploy with what it was set up for: as it is written
// down, or else as the service is.
func (s *snapshot) setUp(d deploy) platform.Release { return s.asItWas(d, *s.current(d)) }

// commandBack sets the release command again, which a roll-back had taken off.
func (r *rollout) commandBack(ctx context.Context, s *snapshot, command []string) error {
	line, err := shellCommand(command)
	if err != nil {
		return err
	}
	if err := r.patch(ctx, r.app, r.svc.ID, serviceBody{Details: &detailsBody{PreDeploy: &line}}); err != nil {
		return err
	}
	_, _, err = r.byItself(ctx, s, false)
	return err
}

// Remove suspends the service: what is left to do when a first deploy has failed.
// Deleting it would also take away its address, its domains and the secrets that
// were set by hand, and a new service of the same name counts against the limit
// of 20 an hour. A suspended service costs nothing and serves nothing; the next
// deploy sets it up, resumes it, and goes on as a first one.
func (p *Platform) Remove(ctx context.Context, app string, report platform.Report) error {
	s, err := p.read(ctx, app)
	if err != nil {
		return err
	}
	if s.svc == nil {
		p.mu.Lock()
		_, drafted := p.drafts[app]
		p.mu.Unlock()
		if !drafted {
			return noApp(app)
		}
		return nil
	}
	if err := p.stillMine(ctx, app, s.svc.ID); err != nil {
		return err
	}
	r := rollout{Platform: p, app: app, svc: s.svc, report: report}
	for _, d := range s.deploys {
		if !d.underWay() {
			continue
		}
		if err := r.end(ctx, d); err != nil {
			return err
		}
	}
	if s.svc.suspended() {
		return nil
	}
	report("suspend the service %s", app)
	err = p.call(again(ctx), http.MethodPost, "/services/"+url.PathEscape(s.svc.ID)+"/suspend", nil, nil, nil)
	p.forget(app)
	return explain(err, "suspend %q", app)
}
