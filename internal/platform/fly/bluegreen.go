package fly

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/superfly/fly-go"

	"github.com/opsctl/opsctl/internal/httpx"
)

// safeToDestroy is the tag of machines that a blue-green roll-out has given up;
// flyctl knows it too.
const safeToDestroy = "safe_to_destroy"

const (
	// settleTime is what the proxies get to learn where visitors are to go, and
	// requests under way to be answered, before the old machines are stopped.
	settleTime = 5 * time.Second
	// stopTime is what an old machine gets to end by itself.
	stopTime = time.Minute
)

// bluegreen makes new machines ("green") beside those that there are ("blue"). The
// greens get no visitors until all of them are healthy; then they get all, and the
// blues go. Whatever fails before a blue is stopped is undone: the greens are destroyed.
func (r rollout) bluegreen(ctx context.Context, fleet fleet) error {
	blues := fleet.app()
	greens, err := r.makeGreens(ctx, blues)
	if err == nil {
		err = r.switchOver(ctx, greens, blues, fleet.cordoned)
	}
	if err != nil {
		return errors.Join(err, r.abort(ctx, blues, fleet.cordoned))
	}
	return r.retire(ctx, greens, blues)
}

// makeGreens creates the new machines and waits until they are healthy.
func (r rollout) makeGreens(ctx context.Context, blues []*fly.Machine) ([]*fly.Machine, error) {
	var greens []*fly.Machine
	for i := range r.want.Instances {
		var like *fly.Machine
		region := r.want.Region
		if len(blues) > 0 {
			like = blues[min(i, len(blues)-1)]
			if region == "" {
				region = like.Region
			}
		}
		config := r.config(like)
		if like != nil {
			rememberBefore(config, like.GetConfig(), len(blues))
		}
		launch := r.launch
		if like == nil && i == 0 {
			launch = r.launchFirst
		}
		m, err := launch(ctx, r.app, fly.LaunchMachineInput{Config: config, Region: region, SkipServiceRegistration: true})
		if err != nil {
			return nil, err
		}
		r.report("green machine %s (%d of %d) in %s", m.ID, i+1, r.want.Instances, m.Region)
		greens = append(greens, m)
	}
	return greens, each(ctx, greens, func(ctx context.Context, m *fly.Machine) error {
		return r.await(ctx, r.app, m, r.want.Timeout)
	})
}

// switchOver sends the visitors to the greens.
func (r rollout) switchOver(ctx context.Context, greens, blues []*fly.Machine, cordoned map[string]bool) error {
	for _, m := range greens {
		if err := r.cordon(ctx, m.ID, false); err != nil {
			return err
		}
	}
	r.report("%d green machines take the traffic", len(greens))
	for _, m := range blues {
		if err := r.condemn(ctx, m.ID); err != nil {
			return err
		}
	}
	if err := r.sleep(ctx, settleTime); err != nil {
		return err
	}
	for _, m := range blues {
		if !cordoned[m.ID] {
			if err := r.cordon(ctx, m.ID, true); err != nil {
				return err
			}
		}
	}
	return r.sleep(ctx, settleTime)
}

// retire stops and destroys the blues. One that does not stop in time is destroyed all the same.
func (r rollout) retire(ctx context.Context, greens, blues []*fly.Machine) error {
	if len(greens) > 0 {
		for _, m := range blues {
			if err := r.handOver(ctx, r.app, m.ID, greens[0].ID); err != nil {
				return err
			}
		}
	}
	_ = each(ctx, blues, func(ctx context.Context, m *fly.Machine) error { return r.stop(ctx, m.ID) })
	for _, m := range blues {
		r.report("destroy blue machine %s", m.ID)
		if err := r.destroy(ctx, r.app, m.ID); err != nil {
			return err
		}
	}
	// A green whose creation was answered with an error is one too many.
	return r.trim(ctx, ids(greens), ids(blues))
}

// abort gives the blues their visitors back, and destroys the greens, also those
// that nobody knows of.
func (r rollout) abort(ctx context.Context, blues []*fly.Machine, cordoned map[string]bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	r.cache.forget(kindMachines)
	now, err := r.fleet(ctx, r.app)
	if err != nil {
		return err
	}
	before := ids(blues)
	var failed error
	for _, m := range now.app() {
		switch {
		case slices.Contains(before, m.ID):
			if now.cordoned[m.ID] && !cordoned[m.ID] {
				failed = errors.Join(failed, r.cordon(ctx, m.ID, false))
			}
			if condemned(m) != 0 {
				failed = errors.Join(failed, r.pardon(ctx, m.ID))
			}
		case m.GetMetadataByKey(metaLabel) == r.want.Label && releaseVersion(m.GetConfig()) == r.want.Version:
			r.report("destroy green machine %s", m.ID)
			failed = errors.Join(failed, r.destroy(ctx, r.app, m.ID))
		}
	}
	return failed
}

// cordon takes the visitors from a machine, or gives them back.
func (p *Platform) cordon(ctx context.Context, app, id string, on bool) error {
	verb := "uncordon"
	if on {
		verb = "cordon"
	}
	err := p.machinesCall(httpx.WithRetryable(ctx), http.MethodPost, machinePath(app, id)+"/"+verb, nil, nil, p.nonce(id))
	return explain(err, "%s machine %s", verb, id)
}

func (r rollout) cordon(ctx context.Context, id string, on bool) error {
	return r.Platform.cordon(ctx, r.app, id, on)
}

// condemn tags a machine, so that whoever comes after a crash knows that it is to go.
// It is no new version of the machine.
func (r rollout) condemn(ctx context.Context, id string) error {
	path := machinePath(r.app, id) + "/metadata/" + fly.MachineConfigMetadataKeyFlyctlBGTag
	err := r.machinesCall(httpx.WithRetryable(ctx), http.MethodPost, path, map[string]string{"value": safeToDestroy}, nil, r.nonce(id))
	return explain(err, "tag machine %s", id)
}

// pardon takes the tag away.
func (r rollout) pardon(ctx context.Context, id string) error {
	path := machinePath(r.app, id) + "/metadata/" + fly.MachineConfigMetadataKeyFlyctlBGTag
	err := r.machinesCall(ctx, http.MethodDelete, path, nil, nil, r.nonce(id))
	if status(err) == http.StatusNotFound {
		return nil
	}
	return explain(err, "take the tag from machine %s", id)
}

// stop asks a machine to end, and waits for it.
func (r rollout) stop(ctx context.Context, id string) error {
	if err := r.machinesCall(httpx.WithRetryable(ctx), http.MethodPost, machinePath(r.app, id)+"/stop", map[string]any{}, nil, r.nonce(id)); err != nil {
		return explain(err, "stop machine %s", id)
	}
	w := watch{Platform: r.Platform, app: r.app, want: &fly.Machine{ID: id}}
	return explain(w.wait(ctx, stopTime, fly.MachineStateStopped, fly.MachineStateDestroyed), "wait for machine %s to stop", id)
}
