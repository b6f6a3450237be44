package fly

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/superfly/fly-go"
	"golang.org/x/sync/errgroup"

	"github.com/opsctl/opsctl/internal/platform"
)

// defaultTimeout is how long one machine may take to become healthy.
const defaultTimeout = 3 * time.Minute

// rollout brings an app's machines to a release.
type rollout struct {
	*Platform
	app    string
	want   platform.Release
	config func(*fly.Machine) *fly.MachineConfig // what a machine is to become
	report platform.Report
}

// RollOut updates the machines one by one, creates what is missing and
// destroys what is too many. With a single machine a second one carries the
// traffic meanwhile, so that there is no gap.
func (p *Platform) RollOut(ctx context.Context, app string, want platform.Release, report platform.Report) (platform.RolledOut, error) {
	done := platform.RolledOut{Release: want}
	machines, err := p.appMachines(ctx, app)
	if err != nil {
		return done, err
	}
	r := rollout{p, app, want, func(m *fly.Machine) *fly.MachineConfig { return machineConfig(m.GetConfig(), want) }, report}
	return done, r.run(ctx, machines)
}

// run brings the first machines to the release; those beyond the wanted number go.
func (r rollout) run(ctx context.Context, machines []*fly.Machine) error {
	if r.want.Timeout == 0 {
		r.want.Timeout = defaultTimeout
	}
	keep := machines[:min(len(machines), r.want.Instances)]
	behind := slices.DeleteFunc(slices.Clone(keep), func(m *fly.Machine) bool { return runs(m, r.want) })
	var err error
	switch {
	case len(behind) == 0:
	case r.want.Strategy == "immediate":
		err = r.updateAll(ctx, behind)
	case len(machines) == 1 && len(keep) == 1 && len(keep[0].GetConfig().Mounts) == 0:
		err = r.updateBehindStandIn(ctx, keep[0])
	default:
		err = r.updateEach(ctx, behind)
	}
	if err != nil {
		return err
	}
	known := ids(keep)
	for range r.want.Instances - len(keep) {
		m, err := r.create(ctx, machines)
		if err != nil {
			return err
		}
		known = append(known, m.ID)
	}
	return r.trim(ctx, known, ids(machines))
}

// trim destroys the machines that are too many: those that were there before
// and are not wanted, and those of this very roll-out that nobody knows of,
// because the answer to their creation was lost.
func (r rollout) trim(ctx context.Context, known, before []string) error {
	now, err := r.appMachines(ctx, r.app)
	if err != nil {
		return err
	}
	for _, m := range now {
		ours := m.GetMetadataByKey(metaLabel) == r.want.Label && r.want.Label != ""
		if slices.Contains(known, m.ID) || !slices.Contains(before, m.ID) && !ours {
			continue
		}
		r.report("destroy machine %s: %d wanted", m.ID, r.want.Instances)
		if err := r.destroy(ctx, r.app, m.ID); err != nil {
			return err
		}
	}
	return nil
}

func ids(machines []*fly.Machine) []string {
	out := make([]string, len(machines))
	for i, m := range machines {
		out[i] = m.ID
	}
	return out
}

// runs tells whether a machine runs the release already: what a failed deploy
// never reached must not be restarted to put the version before back.
func runs(m *fly.Machine, want platform.Release) bool {
	c := m.GetConfig()
	return m.State == fly.MachineStateStarted && releaseVersion(c) == want.Version && platform.SameImage(c.Image, want.Image)
}

func (r rollout) updateEach(ctx context.Context, machines []*fly.Machine) error {
	for i, m := range machines {
		r.report("machine %s (%d of %d)", m.ID, i+1, len(machines))
		if err := r.updateAndAwait(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

func (r rollout) updateAll(ctx context.Context, machines []*fly.Machine) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for _, m := range machines {
		r.report("machine %s", m.ID)
		group.Go(func() error { return r.updateAndAwait(ctx, m) })
	}
	return group.Wait()
}

// updateBehindStandIn starts a second machine with the new release first. Only
// when that one is healthy is the machine itself updated, in place, so that
// its earlier versions stay known to the platform; then the stand-in goes.
func (r rollout) updateBehindStandIn(ctx context.Context, m *fly.Machine) (err error) {
	standIn, err := r.launch(ctx, r.app, fly.LaunchMachineInput{Config: r.config(m), Region: m.Region})
	if err != nil {
		return err
	}
	r.report("machine %s stands in", standIn.ID)
	defer func() {
		// Also after a failure or Ctrl-C: a stand-in left behind would be a second instance.
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = errors.Join(err, r.destroy(cleanup, r.app, standIn.ID))
	}()
	if err := r.await(ctx, r.app, standIn, r.want.Timeout); err != nil {
		return err
	}
	r.report("machine %s", m.ID)
	return r.updateAndAwait(ctx, m)
}

func (r rollout) updateAndAwait(ctx context.Context, m *fly.Machine) error {
	updated, err := r.update(ctx, r.app, m, r.config(m))
	if err != nil {
		return err
	}
	return r.await(ctx, r.app, updated, r.want.Timeout)
}

func (r rollout) create(ctx context.Context, machines []*fly.Machine) (*fly.Machine, error) {
	var base *fly.MachineConfig
	if len(machines) > 0 && len(machines[0].GetConfig().Mounts) == 0 { // a volume belongs to one machine
		base = machines[0].GetConfig()
	}
	m, err := r.launch(ctx, r.app, fly.LaunchMachineInput{Config: machineConfig(base, r.want), Region: r.want.Region})
	if err != nil {
		return nil, err
	}
	r.report("machine %s created in %s", m.ID, m.Region)
	return m, r.await(ctx, r.app, m, r.want.Timeout)
}

// Remove destroys the app's machines.
func (p *Platform) Remove(ctx context.Context, app string, report platform.Report) error {
	machines, err := p.appMachines(ctx, app)
	if err != nil {
		return err
	}
	for _, m := range machines {
		report("destroy machine %s", m.ID)
		if err := p.destroy(ctx, app, m.ID); err != nil {
			return err
		}
	}
	return nil
}
