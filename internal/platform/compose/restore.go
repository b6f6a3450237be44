package compose

import (
	"context"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// Restore puts a release of the ledger back: its image, plain variables, port, health
// path and number of instances. Containers that run it still are not touched.
func (p *Platform) Restore(ctx context.Context, app string, to platform.Release, report platform.Report) (platform.Release, error) {
	now, err := p.look(ctx, app)
	if err != nil {
		return to, err
	}
	l, err := parseLedger(now.dump.Files[releasesFile])
	if err != nil {
		return to, err
	}
	entry := l.find(to.Version)
	if entry == nil || to.Version == "" {
		return to, errs.New(errs.NotFound, "%q has no release %q on this engine", app, to.Version).
			WithHint("run: opsctl history, and deploy the image of that release with --image")
	}
	then := *entry
	then.Timeout = to.Timeout
	report("release %s: %s", then.Version, platform.ShortImage(then.Image))
	return then, p.rollOut(ctx, app, then, report)
}

// Scale changes the number of containers of the current release.
func (p *Platform) Scale(ctx context.Context, app string, to platform.Scale, report platform.Report) error {
	switch {
	case to.Size != "":
		return errs.New(errs.Usage, "compose has no sizes").WithHint("set mem_limit and cpus of the app's service in the compose file, and deploy")
	case to.Region != "":
		return errs.New(errs.Usage, "compose has no regions").WithHint("name another engine in DOCKER_HOST")
	case to.Instances < 0:
		return errs.New(errs.Usage, "%d instances cannot be", to.Instances)
	case to.Instances == 0:
		return nil
	}
	now, err := p.look(ctx, app)
	if err != nil {
		return err
	}
	current := now.current()
	if current == nil {
		return errs.New(errs.NotFound, "%q runs nothing yet", app).WithHint("run: opsctl deploy")
	}
	current.Instances = to.Instances
	return p.rollOut(ctx, app, *current, report)
}
