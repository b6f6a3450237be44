package fly

import (
	"context"
	"slices"

	"github.com/superfly/fly-go"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// Restore gives each machine back the very configuration that it had in the
// release. Machines that did not exist then are destroyed; what is missing is
// created in the image of the others. When no machine remembers the release,
// because a blue-green roll-out has replaced them since, the ledger says how it ran.
func (p *Platform) Restore(ctx context.Context, app string, to platform.Release, report platform.Report) (platform.Release, error) {
	if err := p.lostLock(app); err != nil {
		return to, err
	}
	p.cache.forget(kindMachines)
	fleet, err := p.fleet(ctx, app)
	if err != nil {
		return to, err
	}
	machines := fleet.app()
	past, err := p.pastConfigs(ctx, app, machines, to.Version)
	if err != nil {
		return to, err
	}
	var then platform.Release
	config := func(m *fly.Machine) *fly.MachineConfig { return past.of(m, then) }
	if len(past) > 0 {
		then = past.release(machines)
	} else {
		d, recorded, err := p.recorded(ctx, app, machines, to)
		if err != nil {
			return to, err
		}
		then = recorded
		config = func(m *fly.Machine) *fly.MachineConfig {
			if m == nil {
				return d.config(nil, then)
			}
			return d.config(m.GetConfig(), then)
		}
	}
	if to.Instances > 0 { // what was put aside a moment ago knows better than its configuration, which scaling leaves as it is
		then.Instances = to.Instances
	}
	if then.Instances == 0 {
		then.Instances = max(len(past), 1)
	}
	if len(machines) > 0 {
		then.Region = machines[0].Region // a release does not move the app
	}
	then.Strategy, then.Timeout = rolling, to.Timeout
	report("%s: %s", releaseName(to.Version), platform.ShortImage(then.Image))
	fleet.rank = past.rank
	return then, rollout{p, app, then, config, report}.run(ctx, fleet)
}

// releaseName is a release for people.
func releaseName(version string) string {
	if version == "" {
		return "what ran before opsctl"
	}
	return "release " + version
}

// pastConfigs are the configs that machines had in a release, by machine.
type pastConfigs map[string]*fly.MachineConfig

// pastConfigs asks each machine for the config that it had in a release.
func (p *Platform) pastConfigs(ctx context.Context, app string, machines []*fly.Machine, version string) (pastConfigs, error) {
	past := pastConfigs{}
	for _, m := range machines {
		config, err := p.configIn(ctx, app, m, version)
		if err != nil {
			return nil, err
		}
		if config != nil {
			past[m.ID] = config
		}
	}
	return past, nil
}

// release is what the first machine that was part of it says of the release.
func (past pastConfigs) release(machines []*fly.Machine) platform.Release {
	i := slices.IndexFunc(machines, func(m *fly.Machine) bool { return past[m.ID] != nil })
	then := release(past[machines[i].ID])
	then.Size = "" // each machine gets its own back
	return then
}

// of is what a machine is to become.
func (past pastConfigs) of(m *fly.Machine, then platform.Release) *fly.MachineConfig {
	if m != nil && past[m.ID] != nil {
		return past[m.ID]
	}
	for _, config := range past { // all alike, but for volumes
		like := *config
		like.Mounts = nil
		if m != nil {
			like.Mounts = m.GetConfig().Mounts
		}
		return machineConfig(&like, then)
	}
	return nil
}

// rank puts the machines that were part of the release first.
func (past pastConfigs) rank(m *fly.Machine) int {
	if past[m.ID] == nil {
		return 1
	}
	return 0
}

// configIn is the newest configuration that a machine had in a release; nil when it had none.
func (p *Platform) configIn(ctx context.Context, app string, m *fly.Machine, version string) (*fly.MachineConfig, error) {
	if releaseVersion(m.GetConfig()) == version {
		return m.GetConfig(), nil
	}
	versions, err := p.versions(ctx, app, m.ID)
	if err != nil {
		return nil, err
	}
	for _, config := range versions {
		if releaseVersion(config) == version {
			return config, nil
		}
	}
	return nil, nil
}

// recorded is a release that no machine remembers, as the ledger has it, or, of what
// ran before opsctl, as the machines that took its place note it.
func (p *Platform) recorded(ctx context.Context, app string, machines []*fly.Machine, to platform.Release) (definition, platform.Release, error) {
	if to.Version == "" {
		if then := before(machines); then != nil {
			return definition{}, *then, nil
		}
	} else {
		entry, err := p.entry(ctx, app, to.Version)
		if err != nil {
			return definition{}, to, err
		}
		if entry != nil {
			if d := parseDefinition(entry.Definition); d != nil {
				then := entry.release()
				if then.Instances == 0 {
					then.Instances = len(machines)
				}
				return *d, then, nil
			}
		}
	}
	return definition{}, to, errs.New(errs.NotFound, "no machine of %q remembers %s, and the list of releases does not say how it ran", app, releaseName(to.Version)).
		WithHint("run: opsctl history, and deploy the image of that release with --image")
}
