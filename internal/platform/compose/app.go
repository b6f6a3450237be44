package compose

import (
	"context"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/platform/compose/front"
)

func silently(string, ...any) {}

// CreateApp makes the app's network, its volume, and the front. It may be called again.
func (p *Platform) CreateApp(ctx context.Context, spec platform.AppSpec) error {
	app := spec.Name
	if err := validApp(app); err != nil {
		return err
	}
	if err := p.ensureNetwork(ctx, app); err != nil {
		return err
	}
	switch err := p.exists(ctx, app); {
	case errs.CodeOf(err) == errs.NotFound:
		err := p.engine.quiet(ctx, "volume", "create", "--label", labelApp+"="+app, "--label", composeProject+"="+app, "--label", composeVolume+"=opsctl", volumeName(app))
		if err != nil {
			return explain(err, "create the volume of %q", app)
		}
	case err != nil:
		return err
	}
	have, err := p.find(ctx, frontName(app))
	if err != nil {
		return err
	}
	return p.ensureFront(ctx, app, have, silently)
}

// ensureNetwork finds or makes the network that only the app's containers are in.
func (p *Platform) ensureNetwork(ctx context.Context, app string) error {
	name := networkName(app)
	err := p.engine.quiet(ctx, "network", "inspect", name)
	if err == nil {
		return nil
	}
	if !gone(err) && !saidAny(err, "not found") {
		return explain(err, "look for the network %s", name)
	}
	err = p.engine.quiet(ctx, "network", "create", "--label", composeProject+"="+app, "--label", composeNetwork+"=default", "--label", labelApp+"="+app, name)
	if taken(err) {
		return nil
	}
	return explain(err, "create the network %s", name)
}

// Observe reads the app's containers and state.
func (p *Platform) Observe(ctx context.Context, app string) (*platform.State, error) {
	now, err := p.look(ctx, app)
	if err != nil {
		return nil, err
	}
	s, err := parseSecrets(now.dump.Files[secretsFile])
	if err != nil {
		return nil, err
	}
	state := &platform.State{App: app}
	publish, err := p.publishedNow(app, now.front)
	if err != nil {
		return nil, err
	}
	state.URL = p.address(publish)
	live := now.live()
	for _, c := range live {
		state.Instances = append(state.Instances, now.instance(c))
	}
	if state.Current = now.current(); state.Current != nil {
		state.Mixed = slices.ContainsFunc(live, func(c container) bool { return !runsRelease(c, *state.Current) })
	}
	for _, name := range s.names() {
		waits := len(live) == 0 || slices.ContainsFunc(live, func(c container) bool { return c.secrets() < s.values[name].change })
		state.Secrets = append(state.Secrets, platform.Secret{Name: name, Digest: s.digest(name), Pending: waits})
	}
	return state, nil
}

// runsRelease tells whether a container is of a release.
func runsRelease(c container, r platform.Release) bool {
	return c.version() == r.Version && platform.SameImage(c.release().Image, r.Image)
}

// live are the app's own containers that run, should run, or take traffic. Those
// that were stopped stay for their logs until the next roll-out.
func (s *seen) live() []container {
	var out []container
	for _, c := range s.containers {
		if c.role() == roleApp && (c.State.Running || c.State.Restarting || c.State.Status == "paused" || s.serving(c.name())) {
			out = append(out, c)
		}
	}
	return out
}

// retired are the containers of earlier releases that were stopped.
func (s *seen) retired() []container {
	live := s.live()
	var out []container
	for _, c := range s.containers {
		if c.role() == roleApp && !slices.ContainsFunc(live, func(l container) bool { return l.ID == c.ID }) {
			out = append(out, c)
		}
	}
	return out
}

// current is the release that visitors get: of the newest container that takes
// traffic, or else of the newest that there is. Nil when nothing runs.
func (s *seen) current() *platform.Release {
	live := s.live()
	if len(live) == 0 {
		return nil
	}
	newest := live[len(live)-1]
	for _, c := range live {
		if s.serving(c.name()) {
			newest = c
		}
	}
	r := newest.release()
	r.Instances = len(live)
	return &r
}

// instance is a container in the words of package platform.
func (s *seen) instance(c container) platform.Instance {
	r := c.release()
	i := platform.Instance{
		ID: c.name(), State: c.State.Status, Release: c.version(), Image: r.Image, Health: platform.Unknown, Began: c.Created,
	}
	if c.State.Running && !c.State.Restarting {
		i.State = platform.Started
	}
	switch status := s.status(c.name()); {
	case i.State != platform.Started:
		i.Health = platform.Unhealthy
		i.Failing = []string{"the container is " + c.State.Status}
	case r.Health == "":
		i.Health = ownHealth(c)
	case status == nil || !status.Checked:
	case status.Passing:
		i.Health = platform.Healthy
	default:
		i.Health, i.Failing = platform.Unhealthy, []string{status.Output}
	}
	return i
}

// ownHealth is the verdict of the image's own health check.
func ownHealth(c container) platform.Health {
	if c.State.Health == nil {
		return platform.Unknown
	}
	switch c.State.Health.Status {
	case "healthy":
		return platform.Healthy
	case "unhealthy":
		return platform.Unhealthy
	default:
		return platform.Unknown
	}
}

// Remove stops and destroys the app's containers. Its services, volumes, secrets and
// releases stay, and the front, which says that the app is not running.
func (p *Platform) Remove(ctx context.Context, app string, report platform.Report) error {
	now, err := p.look(ctx, app)
	if err != nil {
		return err
	}
	var names []string
	for _, c := range now.containers {
		if c.role() == roleApp {
			names = append(names, c.name())
		}
	}
	if len(names) == 0 {
		return nil
	}
	if err := p.ensureFront(ctx, app, now.front, report); err != nil {
		return err
	}
	if err := p.steer(ctx, app, front.Config{Targets: []front.Target{}}); err != nil {
		return err
	}
	if err := p.drain(ctx, app, names, report); err != nil {
		return err
	}
	report("stop and remove %s", strings.Join(names, ", "))
	if err := p.stop(ctx, names...); err != nil {
		return err
	}
	return p.remove(ctx, names...)
}

// stop ends containers as their image wants it, with ten seconds of grace each or
// what the compose file says.
func (p *Platform) stop(ctx context.Context, names ...string) error {
	if len(names) == 0 {
		return nil
	}
	err := p.engine.quiet(ctx, append([]string{"stop"}, names...)...)
	if gone(err) {
		return nil
	}
	return explain(err, "stop %s", strings.Join(names, ", "))
}
