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

// How long the phases of a deploy may take. Render's own limits are 120 minutes
// for a build, 30 for the release command and 15 for the start of the app.
const (
	defaultTimeout = 3 * time.Minute // for one instance to become healthy
	buildTimeout   = 2 * time.Hour
	pullTimeout    = 15 * time.Minute
	commandTimeout = 31 * time.Minute
)

func (p *Platform) getDeploy(ctx context.Context, svc, id string) (deploy, error) {
	var d deploy
	err := p.call(ctx, http.MethodGet, servicePath(svc)+"/deploys/"+url.PathEscape(id), nil, nil, &d)
	return d, err
}

func (r *rollout) getDeploy(ctx context.Context, id string) (deploy, error) {
	return r.Platform.getDeploy(ctx, r.svc.ID, id)
}

// follow looks at a deploy until it is live, has failed, or takes too long; then
// it is cancelled, so that the version before serves on. It returns what is known
// of the release command.
func (r *rollout) follow(ctx context.Context, id string) (*platform.TaskResult, error) {
	defer r.forget(r.app)
	look, last, ran := r.pause(), "", false
	began, limit := r.now(), r.limit(queued)
	for {
		d, err := r.getDeploy(ctx, id)
		switch {
		case err != nil && !transient(err) && !missing(err): // a new one may take a moment to show
			return nil, explain(err, "look at the deploy %s", id)
		case err == nil && d.Status != last:
			if d.underWay() {
				r.report("deploy %s %s", id, phase(d.Status))
			}
			last, began, limit = d.Status, r.now(), r.limit(d.Status)
			ran = ran || d.Status == preDeploying
		}
		if err == nil && !d.underWay() {
			return r.over(ctx, d, ran)
		}
		if err == nil && d.Status == updating {
			if why := r.crashed(ctx, d); why != "" {
				return r.giveUp(ctx, d, errs.Failure, "the new version does not stay up: "+why, ran)
			}
		}
		if r.now().Sub(began) > limit {
			d.ID = id
			return r.giveUp(ctx, d, errs.Timeout, "it "+phase(last)+" for more than "+limit.String(), ran)
		}
		if err := look.wait(ctx); err != nil {
			return nil, err
		}
	}
}

// limit is how long a deploy may stay in a status.
func (r *rollout) limit(status string) time.Duration {
	switch status {
	case building:
		if r.want.Source != nil {
			return buildTimeout
		}
		return pullTimeout
	case preDeploying:
		return commandTimeout
	case updating:
		each := r.want.Timeout
		if each <= 0 {
			each = defaultTimeout
		}
		return each * time.Duration(max(1, r.want.Instances))
	}
	return queueTimeout
}

// over is the end of a deploy.
func (r *rollout) over(ctx context.Context, d deploy, ran bool) (*platform.TaskResult, error) {
	task := r.task(ctx, d, ran)
	switch d.Status {
	case live:
		r.report("deploy %s is live", d.ID)
		return task, nil
	case deactivated:
		return task, errs.New(errs.Conflict, "deploy %s was live, and another deploy has replaced it", d.ID).WithHint("see who deployed: opsctl history")
	}
	what := reason(d.Status)
	if d.Status != preFailed { // of the command all is said by its result
		if why := r.why(ctx, d); why != "" {
			what += ": " + why
		}
	}
	return task, r.failure(ctx, d, errs.Failure, what, task)
}

// giveUp cancels a deploy that will not end well, or not in time.
func (r *rollout) giveUp(ctx context.Context, d deploy, code errs.Code, what string, ran bool) (*platform.TaskResult, error) {
	task := r.task(ctx, d, ran)
	err := r.failure(ctx, d, code, what, task)
	if cerr := r.cancel(ctx, d.ID); cerr != nil {
		r.report("deploy %s could not be cancelled: %v", d.ID, cerr)
	}
	return task, err
}

// failure says why, with the last lines that the new version printed.
func (r *rollout) failure(ctx context.Context, d deploy, code errs.Code, what string, task *platform.TaskResult) error {
	e := errs.New(code, "deploy %s of %q failed: %s", d.ID, r.app, what)
	var lines []string
	if d.Status == preFailed && task != nil {
		lines = task.Log
	} else {
		lines = r.linesOf(ctx, d)
	}
	if len(lines) == 0 {
		return e.WithHint("see the deploy at https://dashboard.render.com/web/%s/deploys/%s", r.svc.ID, d.ID)
	}
	return e.WithHint("its last lines:\n  %s", strings.Join(lines, "\n  "))
}

// cancel ends a deploy under way and waits until Render says so. One that is over
// already is no error.
func (r *rollout) cancel(ctx context.Context, id string) error {
	// Also after a time-out or Ctrl-C of the caller, or it would go live later.
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer stop()
	err := r.call(again(ctx), http.MethodPost, servicePath(r.svc.ID)+"/deploys/"+url.PathEscape(id)+"/cancel", nil, nil, nil)
	if st := status(err); err != nil && st != http.StatusBadRequest && st != http.StatusConflict && !missing(err) {
		return explain(err, "cancel the deploy %s", id)
	}
	for look := r.pause(); ; {
		d, err := r.getDeploy(ctx, id)
		if err == nil && !d.underWay() || missing(err) {
			return nil
		}
		if err != nil && !transient(err) {
			return explain(err, "look at the cancelled deploy %s", id)
		}
		if err := look.wait(ctx); err != nil {
			return err
		}
	}
}

// end ends a deploy of an earlier run. A release command that runs is waited for:
// one cut off, or two at once, would be worse.
func (r *rollout) end(ctx context.Context, d deploy) error {
	deadline := r.now().Add(commandTimeout)
	for look := r.pause(); d.Status == preDeploying && r.now().Before(deadline); {
		if err := look.wait(ctx); err != nil {
			return err
		}
		now, err := r.getDeploy(ctx, d.ID)
		if err != nil && !transient(err) {
			return explain(err, "look at the deploy %s", d.ID)
		}
		if err == nil {
			d = now
		}
	}
	if !d.underWay() {
		return nil
	}
	return r.cancel(ctx, d.ID)
}

// instances are the ids of the running instances; nil when they cannot be had,
// since they only help to tell old from new.
func (r *rollout) instances(ctx context.Context) []string {
	ids, err := r.instanceIDs(ctx, r.svc.ID)
	if err != nil {
		return nil
	}
	return ids
}

// instanceIDs are the ids of the running instances, the oldest first.
func (p *Platform) instanceIDs(ctx context.Context, svc string) ([]string, error) {
	var all []struct {
		ID        string    `json:"id"`
		CreatedAt time.Time `json:"createdAt"`
	}
	if err := p.call(ctx, http.MethodGet, servicePath(svc)+"/instances", nil, nil, &all); err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b struct {
		ID        string    `json:"id"`
		CreatedAt time.Time `json:"createdAt"`
	},
	) int {
		if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	ids := make([]string, len(all))
	for i, x := range all {
		ids[i] = x.ID
	}
	return ids, nil
}
