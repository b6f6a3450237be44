package render

import (
	"context"
	"net/http"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// scale brings the service to a number of instances and waits for them; 0 leaves
// it. Where Render scales by itself it decides.
func (r *rollout) scale(ctx context.Context, n int) error {
	if n <= 0 || n == r.svc.Details.NumInstances {
		return nil
	}
	if r.svc.scalesItself() {
		r.report("Render scales %s itself: the number of instances stays its own", r.app)
		return nil
	}
	if err := r.stillMine(ctx, r.app, r.svc.ID); err != nil {
		return err
	}
	r.report("%d instances, %d before", n, r.svc.Details.NumInstances)
	err := r.call(again(ctx), http.MethodPost, servicePath(r.svc.ID)+"/scale", nil, map[string]int{"numInstances": n}, nil)
	r.forget(r.app)
	if err != nil {
		return explain(err, "scale %q to %d instances", r.app, n)
	}
	deadline := r.now().Add(r.limit(updating))
	for look := r.pause(); ; {
		ids, err := r.instanceIDs(ctx, r.svc.ID)
		if err == nil && len(ids) == n {
			r.svc.Details.NumInstances = n
			return nil
		}
		if err != nil && !transient(err) {
			return explain(err, "look at the instances of %q", r.app)
		}
		if r.now().After(deadline) {
			return errs.New(errs.Timeout, "%q has %d instances after %s, not %d", r.app, len(ids), r.limit(updating), n).WithHint("look at: opsctl status; Render may still be at it")
		}
		if err := look.wait(ctx); err != nil {
			return err
		}
	}
}

// Scale changes the number of instances at once, and their type by a deploy of the
// same release, which Render needs for that. The region of a service is fixed.
func (p *Platform) Scale(ctx context.Context, app string, to platform.Scale, report platform.Report) error {
	p.forget(app)
	s, err := p.known(ctx, app)
	if err != nil {
		return err
	}
	if err := check(platform.Release{Size: to.Size, Region: to.Region}, s.svc); err != nil {
		return err
	}
	running, err := p.liveDeploy(ctx, s)
	if err != nil {
		return err
	}
	if running == nil || s.svc.suspended() {
		return errs.New(errs.Conflict, "%q does not run", app).WithHint("run: opsctl deploy")
	}
	want := *s.current(*running)
	r := rollout{Platform: p, app: app, svc: s.svc, want: want, report: report}
	if to.Size != "" && to.Size != s.svc.Details.Plan {
		if err := r.resize(ctx, s, to.Size); err != nil {
			return err
		}
	}
	return r.scale(ctx, to.Instances)
}

// resize changes the instance type and deploys what runs once more. The release
// command does not run again.
func (r *rollout) resize(ctx context.Context, s *snapshot, size string) error {
	r.want.Size = size
	if commit, ok := strings.CutPrefix(r.want.Image, "git:"); ok {
		r.want.Source = &platform.Source{Identity: r.want.Image, Commit: commit, Remote: s.svc.Repo, Branch: s.svc.Branch}
	}
	of := s.ledger.root(r.want.Version)
	if err := r.configure(ctx, r.app, s, r.want, false, false); err != nil {
		return err
	}
	id, before, err := r.byItself(ctx, s, true)
	if err != nil {
		return err
	}
	r.old = r.instances(ctx)
	if id == "" {
		if id, err = r.deploy(ctx, before); err != nil {
			return err
		}
	}
	r.want.Command = nil // it was not run
	_, err = r.follow(ctx, id)
	if of == r.want.Version {
		of = ""
	}
	return r.record(ctx, id, of, err)
}
