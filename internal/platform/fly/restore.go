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
// created in the image of the others.
func (p *Platform) Restore(ctx context.Context, app string, to platform.Release, report platform.Report) (platform.Release, error) {
	machines, err := p.appMachines(ctx, app)
	if err != nil {
		return to, err
	}
	past := map[string]*fly.MachineConfig{}
	var then platform.Release
	for _, m := range machines {
		config, err := p.configIn(ctx, app, m, to.Version)
		if err != nil {
			return to, err
		}
		if config == nil {
			continue
		}
		past[m.ID] = config
		if then.Image == "" {
			then = release(config)
			then.Region = m.Region
		}
	}
	if len(past) == 0 {
		return to, errs.New(errs.NotFound, "no machine of %q remembers %s", app, releaseName(to.Version)).
			WithHint("run: opsctl history, and deploy the image of that release with --image")
	}
	if then.Instances == 0 {
		then.Instances = len(past)
	}
	then.Strategy, then.Timeout = "rolling", to.Timeout
	report("%s: %s", releaseName(to.Version), platform.ShortImage(then.Image))
	slices.SortStableFunc(machines, func(a, b *fly.Machine) int { return rank(past[a.ID]) - rank(past[b.ID]) })
	r := rollout{p, app, then, func(m *fly.Machine) *fly.MachineConfig {
		if c := past[m.ID]; c != nil {
			return c
		}
		return machineConfig(m.GetConfig(), then)
	}, report}
	return then, r.run(ctx, machines)
}

// releaseName is a release for people.
func releaseName(version string) string {
	if version == "" {
		return "what ran before opsctl"
	}
	return "release " + version
}

// rank puts the machines that were part of the release first.
func rank(config *fly.MachineConfig) int {
	if config == nil {
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
