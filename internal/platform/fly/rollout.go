package fly

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/superfly/fly-go"
	"golang.org/x/sync/errgroup"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// defaultTimeout is how long one machine may take to become healthy.
const defaultTimeout = 3 * time.Minute

// RollOut updates the machines one by one, creates what is missing and
// destroys what is too many. With a single machine a second one carries the
// traffic meanwhile, so that there is no gap.
func (p *Platform) RollOut(ctx context.Context, app string, want platform.Release, report platform.Report) error {
	if want.Timeout == 0 {
		want.Timeout = defaultTimeout
	}
	machines, err := p.appMachines(ctx, app)
	if err != nil {
		return err
	}
	keep := machines[:min(len(machines), want.Instances)]
	extra := machines[len(keep):]
	behind := slices.DeleteFunc(slices.Clone(keep), func(m *fly.Machine) bool { return runs(m, want) })
	switch {
	case len(behind) == 0:
	case want.Strategy == "immediate":
		err = p.updateAll(ctx, app, behind, want, report)
	case len(keep) == 1 && len(extra) == 0 && len(keep[0].GetConfig().Mounts) == 0:
		err = p.updateBehindStandIn(ctx, app, keep[0], want, report)
	default:
		err = p.updateEach(ctx, app, behind, want, report)
	}
	if err != nil {
		return err
	}
	for range want.Instances - len(keep) {
		if err := p.create(ctx, app, machines, want, report); err != nil {
			return err
		}
	}
	for _, m := range extra {
		report("destroy machine %s: %d wanted", m.ID, want.Instances)
		if err := p.destroy(ctx, app, m.ID); err != nil {
			return err
		}
	}
	return nil
}

// runs tells whether a machine runs the release already: what a failed deploy
// never reached must not be restarted to put the version before back.
func runs(m *fly.Machine, want platform.Release) bool {
	c := m.GetConfig()
	return m.State == fly.MachineStateStarted && releaseVersion(c) == want.Version && platform.SameImage(c.Image, want.Image)
}

func (p *Platform) updateEach(ctx context.Context, app string, machines []*fly.Machine, want platform.Release, report platform.Report) error {
	for i, m := range machines {
		report("machine %s (%d of %d)", m.ID, i+1, len(machines))
		if err := p.updateAndAwait(ctx, app, m, machineConfig(m.GetConfig(), want), want.Timeout); err != nil {
			return err
		}
	}
	return nil
}

func (p *Platform) updateAll(ctx context.Context, app string, machines []*fly.Machine, want platform.Release, report platform.Report) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for _, m := range machines {
		report("machine %s", m.ID)
		group.Go(func() error {
			return p.updateAndAwait(ctx, app, m, machineConfig(m.GetConfig(), want), want.Timeout)
		})
	}
	return group.Wait()
}

// updateBehindStandIn starts a second machine with the new release first. Only
// when that one is healthy is the machine itself updated, in place, so that
// its earlier versions stay known to the platform; then the stand-in goes.
func (p *Platform) updateBehindStandIn(ctx context.Context, app string, m *fly.Machine, want platform.Release, report platform.Report) (err error) {
	config := machineConfig(m.GetConfig(), want)
	standIn, err := p.launch(ctx, app, config, m.Region)
	if err != nil {
		return err
	}
	report("machine %s stands in", standIn.ID)
	defer func() {
		// Also after a failure or Ctrl-C: a stand-in left behind would be a second instance.
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = errors.Join(err, p.destroy(cleanup, app, standIn.ID))
	}()
	if err := p.await(ctx, app, standIn, want.Timeout); err != nil {
		return err
	}
	report("machine %s", m.ID)
	return p.updateAndAwait(ctx, app, m, config, want.Timeout)
}

func (p *Platform) updateAndAwait(ctx context.Context, app string, m *fly.Machine, config *fly.MachineConfig, timeout time.Duration) error {
	updated, err := p.update(ctx, app, m, config)
	if err != nil {
		return err
	}
	return p.await(ctx, app, updated, timeout)
}

func (p *Platform) create(ctx context.Context, app string, machines []*fly.Machine, want platform.Release, report platform.Report) error {
	var base *fly.MachineConfig
	if len(machines) > 0 && len(machines[0].GetConfig().Mounts) == 0 { // a volume belongs to one machine
		base = machines[0].GetConfig()
	}
	m, err := p.launch(ctx, app, machineConfig(base, want), want.Region)
	if err != nil {
		return err
	}
	report("machine %s created in %s", m.ID, m.Region)
	return p.await(ctx, app, m, want.Timeout)
}

// Restore puts back the configs that the machines had in the release. Machines
// that did not exist then are destroyed.
func (p *Platform) Restore(ctx context.Context, app string, version int, report platform.Report) error {
	then, err := p.definition(ctx, app, version)
	if err != nil {
		return err
	}
	report("release %d: %s", version, platform.ShortImage(then.Image))
	return p.RollOut(ctx, app, then, report)
}

// definition finds a release in the machines' past.
func (p *Platform) definition(ctx context.Context, app string, version int) (platform.Release, error) {
	machines, err := p.appMachines(ctx, app)
	if err != nil {
		return platform.Release{}, err
	}
	for _, m := range machines {
		past, err := p.versions(ctx, app, m.ID)
		if err != nil {
			return platform.Release{}, err
		}
		for _, config := range slices.Concat([]*fly.MachineConfig{m.GetConfig()}, past) {
			if releaseVersion(config) != version {
				continue
			}
			r := release(config)
			if r.Instances == 0 {
				r.Instances = len(machines)
			}
			if r.Region == "" {
				r.Region = m.Region
			}
			r.Strategy = "rolling"
			return r, nil
		}
	}
	return platform.Release{}, errs.New(errs.NotFound, "no machine of %q remembers release %d", app, version).
		WithHint("run: opsctl history, and deploy the image of that release with --image")
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
