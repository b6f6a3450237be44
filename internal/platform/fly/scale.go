package fly

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/superfly/fly-go"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// Scale changes the number, size or region of the machines that run. They keep their
// release. A new size restarts them one by one; a new region makes new machines
// there, and destroys the old ones once those are healthy.
func (p *Platform) Scale(ctx context.Context, app string, to platform.Scale, report platform.Report) error {
	if to.Size != "" {
		if _, err := parseSize(to.Size); err != nil {
			return err
		}
	}
	if err := p.regionExists(ctx, to.Region); err != nil {
		return err
	}
	p.cache.forget(kindMachines)
	fleet, err := p.fleet(ctx, app)
	if err != nil {
		return err
	}
	machines := fleet.app()
	if len(machines) == 0 {
		return errs.New(errs.NotFound, "%q has no machines", app).WithHint("run: opsctl deploy")
	}
	want := currentRelease(machines)
	if mixed(machines, want) {
		return errs.New(errs.Conflict, "the machines of %q do not all run the same release", app).WithHint("run opsctl deploy first, or opsctl rollback")
	}
	want.Size, want.Strategy = to.Size, rolling
	if to.Instances > 0 {
		want.Instances = to.Instances
	}
	moves := to.Region != "" && slices.ContainsFunc(machines, func(m *fly.Machine) bool { return m.Region != to.Region })
	if moves {
		if err := strategyFits(bluegreen, machines); err != nil {
			return errs.Wrap(err, errs.Usage, "machines cannot be moved to %s", to.Region).
				WithHint("a volume stays in its region: copy the data to a new app there")
		}
		want.Region, want.Strategy, want.Timeout = to.Region, bluegreen, defaultTimeout
	}
	r := rollout{p, app, want, func(m *fly.Machine) *fly.MachineConfig { return scaled(m, machines[0], want) }, report}
	if moves {
		return r.bluegreen(ctx, fleet)
	}
	return r.run(ctx, fleet)
}

// scaled is a machine's config in another number, size or region; everything else
// stays, also what opsctl does not know. like is for a machine that is made.
func scaled(m, like *fly.Machine, want platform.Release) *fly.MachineConfig {
	if m != nil {
		like = m
	}
	c := machineConfig(like.GetConfig(), want)
	c.Services = like.GetConfig().Services // with the checks as they are
	if m == nil {
		c.Mounts = nil
	}
	return c
}

// regionExists refuses a region that Fly.io does not have. "" is fine.
func (p *Platform) regionExists(ctx context.Context, code string) error {
	if code == "" {
		return nil
	}
	var got struct {
		Regions []struct {
			Code       string `json:"code"`
			Deprecated bool   `json:"deprecated"`
		} `json:"regions"`
	}
	if err := p.machinesCall(ctx, http.MethodGet, "/platform/regions", nil, &got, nil); err != nil {
		return explain(err, "list the regions")
	}
	var codes []string
	for _, r := range got.Regions {
		if r.Code == code {
			return nil
		}
		if !r.Deprecated {
			codes = append(codes, r.Code)
		}
	}
	slices.Sort(codes)
	return errs.New(errs.Usage, "Fly.io has no region %q", code).WithHint("it has %s", strings.Join(codes, ", "))
}
