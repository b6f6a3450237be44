package fly

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/superfly/fly-go"
	"golang.org/x/sync/errgroup"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// The strategies.
const (
	rolling   = "rolling"
	immediate = "immediate"
	canary    = "canary"
	bluegreen = "bluegreen"
)

// strategies are those of Facts, the usual one first.
func strategies() []string { return []string{rolling, canary, bluegreen, immediate} }

// defaultTimeout is how long one machine may take to become healthy.
const defaultTimeout = 3 * time.Minute

// parallel is how many machines are changed at once where a strategy allows it.
const parallel = 8

// rollout brings an app's machines to a release.
type rollout struct {
	*Platform
	app    string
	want   platform.Release
	config func(*fly.Machine) *fly.MachineConfig // what a machine is to become; nil for one that is made from nothing
	report platform.Report
}

// RollOut brings the release up as its strategy says. rolling updates the machines
// one by one; with a single machine a second one carries the traffic meanwhile.
// canary lets one machine more try the release first; immediate updates all at
// once; bluegreen makes new machines beside the old ones. What is missing is
// created, what is too many is destroyed.
func (p *Platform) RollOut(ctx context.Context, app string, want platform.Release, report platform.Report) (platform.RolledOut, error) {
	done := platform.RolledOut{Release: want}
	if err := p.lostLock(app); err != nil {
		return done, err
	}
	if want.Size != "" {
		if _, err := parseSize(want.Size); err != nil {
			return done, err
		}
	}
	fleet, err := p.fleet(ctx, app)
	if err != nil {
		return done, err
	}
	if err := strategyFits(want.Strategy, fleet.app()); err != nil {
		return done, err
	}
	if err := p.stillFirst(ctx, app, fleet.app()); err != nil {
		return done, err
	}
	p.own.released(want.Label)
	return done, p.rollout(app, want, report).run(ctx, fleet)
}

// rollout is one that lays the release over what each machine has.
func (p *Platform) rollout(app string, want platform.Release, report platform.Report) rollout {
	return rollout{p, app, want, func(m *fly.Machine) *fly.MachineConfig {
		var base *fly.MachineConfig
		if m != nil {
			base = m.GetConfig()
		}
		c := machineConfig(base, want)
		p.mu.Lock()
		defer p.mu.Unlock()
		if id := p.clusters[app]; id != "" {
			c.Metadata[metaPostgres] = id
		}
		return c
	}, report}
}

// strategyFits refuses a strategy that the app's machines exclude: a volume belongs
// to one machine, so a new one beside it would come up without the data.
func strategyFits(strategy string, machines []*fly.Machine) error {
	switch strategy {
	case "", rolling, immediate:
		return nil
	case canary, bluegreen:
	default:
		return errs.New(errs.Usage, "Fly.io has no strategy %q", strategy).WithHint("it has %s", strings.Join(strategies(), ", "))
	}
	for _, m := range machines {
		if mounts := m.GetConfig().Mounts; len(mounts) > 0 {
			return errs.New(errs.Usage, "strategy %s makes new machines, and machine %s has a volume at %s, which cannot go with it", strategy, m.ID, mounts[0].Path).
				WithHint("set strategy: %s in opsctl.yaml", rolling)
		}
	}
	return nil
}

// run brings the first machines to the release; those beyond the wanted number go.
func (r rollout) run(ctx context.Context, fleet fleet) error {
	if r.want.Timeout == 0 {
		r.want.Timeout = defaultTimeout
	}
	machines := fleet.app()
	slices.SortStableFunc(machines, func(a, b *fly.Machine) int { return fleet.order(a) - fleet.order(b) })
	keep := machines[:min(len(machines), r.want.Instances)]
	behind := slices.DeleteFunc(slices.Clone(keep), func(m *fly.Machine) bool { return runs(m, r.want) })
	switch {
	case len(behind) == 0:
	case r.want.Strategy == bluegreen:
		return r.bluegreen(ctx, fleet)
	case r.want.Strategy == immediate:
		if err := r.updateAll(ctx, behind); err != nil {
			return err
		}
	case r.want.Strategy == canary, len(machines) == 1 && len(keep) == 1 && len(keep[0].GetConfig().Mounts) == 0:
		if err := r.updateBehindStandIn(ctx, behind); err != nil {
			return err
		}
	default:
		if err := r.updateEach(ctx, behind); err != nil {
			return err
		}
	}
	if err := r.uncordon(ctx, keep, fleet.cordoned); err != nil {
		return err
	}
	made, err := r.createMissing(ctx, machines, r.want.Instances-len(keep))
	if err != nil {
		return err
	}
	if len(made) == 0 && len(keep) == len(machines) && !r.standsIn(machines) {
		return nil // nothing was made, so nothing can be too many
	}
	return r.trim(ctx, append(ids(keep), made...), ids(machines))
}

// standsIn tells whether the roll-out made a stand-in, whose creation may have been
// answered with an error.
func (r rollout) standsIn(machines []*fly.Machine) bool {
	return r.want.Strategy == canary || len(machines) == 1
}

// order puts the machines first that are to stay. What a blue-green roll-out that was
// cut off had given up is the last.
func (f fleet) order(m *fly.Machine) int {
	rank := 2 * condemned(m)
	if f.rank != nil {
		rank += f.rank(m)
	}
	return rank
}

// condemned is 1 for a machine that a blue-green roll-out has given up, else 0.
func condemned(m *fly.Machine) int {
	if m.GetMetadataByKey(fly.MachineConfigMetadataKeyFlyctlBGTag) == safeToDestroy {
		return 1
	}
	return 0
}

// uncordon gives visitors to machines that have none, left by a roll-out that was cut off.
func (r rollout) uncordon(ctx context.Context, machines []*fly.Machine, cordoned map[string]bool) error {
	for _, m := range machines {
		if cordoned[m.ID] {
			if err := r.cordon(ctx, m.ID, false); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r rollout) createMissing(ctx context.Context, machines []*fly.Machine, n int) ([]string, error) {
	var made []string
	for i := range n {
		m, err := r.create(ctx, machines, len(machines) == 0 && i == 0)
		if err != nil {
			return made, err
		}
		made = append(made, m.ID)
	}
	return made, nil
}

// trim destroys the machines that are too many: those that were there before
// and are not wanted, and those of this very roll-out that nobody knows of,
// because the answer to their creation was lost.
func (r rollout) trim(ctx context.Context, known, before []string) error {
	r.cache.forget(kindMachines)
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
		if len(known) > 0 {
			if err := r.handOver(ctx, r.app, m.ID, known[0]); err != nil {
				return err
			}
		}
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
	return (m.State == fly.MachineStateStarted || idle(m)) && releaseVersion(c) == want.Version && platform.SameImage(c.Image, want.Image) &&
		(want.Size == "" || canonicalSize(want.Size) == sizeOf(c.Guest))
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
	return each(ctx, machines, func(ctx context.Context, m *fly.Machine) error {
		r.report("machine %s", m.ID)
		return r.updateAndAwait(ctx, m)
	})
}

// each does something to several machines at once.
func each[T any](ctx context.Context, list []T, do func(context.Context, T) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, one := range list {
		group.Go(func() error { return do(ctx, one) })
	}
	return group.Wait()
}

// updateBehindStandIn starts one machine more with the new release first. Only when
// that one is healthy are the machines themselves updated, in place, so that their
// earlier versions stay known to the platform; then the stand-in goes.
func (r rollout) updateBehindStandIn(ctx context.Context, machines []*fly.Machine) (err error) {
	standIn, err := r.launch(ctx, r.app, fly.LaunchMachineInput{Config: r.config(machines[0]), Region: machines[0].Region})
	if err != nil {
		return err
	}
	r.report("machine %s tries the release first, and stands in", standIn.ID)
	defer func() {
		// Also after a failure or Ctrl-C: a stand-in left behind would be an instance too many.
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = errors.Join(err, r.destroy(cleanup, r.app, standIn.ID))
	}()
	if err := r.await(ctx, r.app, standIn, r.want.Timeout); err != nil {
		return err
	}
	return r.updateEach(ctx, machines)
}

func (r rollout) updateAndAwait(ctx context.Context, m *fly.Machine) error {
	updated, err := r.update(ctx, r.app, m, r.config(m))
	if err != nil {
		return err
	}
	return r.await(ctx, r.app, updated, r.want.Timeout)
}

// create makes a machine in the image of the first one that has no volume: a volume belongs to one machine.
func (r rollout) create(ctx context.Context, machines []*fly.Machine, first bool) (*fly.Machine, error) {
	var like *fly.Machine
	if len(machines) > 0 && len(machines[0].GetConfig().Mounts) == 0 {
		like = machines[0]
	}
	launch := r.launch
	if first {
		launch = r.launchFirst
	}
	m, err := launch(ctx, r.app, fly.LaunchMachineInput{Config: r.config(like), Region: r.want.Region})
	if err != nil {
		return nil, err
	}
	r.report("machine %s created in %s", m.ID, m.Region)
	return m, r.await(ctx, r.app, m, r.want.Timeout)
}
