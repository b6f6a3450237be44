package compose

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/platform/compose/front"
)

// defaultTimeout is how long a container may take to become healthy.
const defaultTimeout = 3 * time.Minute

// cleanupTimeout bounds what is done after a failure or Ctrl-C.
const cleanupTimeout = time.Minute

// rollout brings an app's containers to a release.
type rollout struct {
	*Platform
	app     string
	want    platform.Release
	report  platform.Report
	secrets secrets
	targets []front.Target // that take traffic now
	numbers []int          // of the release's containers that there are
}

// RollOut starts the new containers beside the old ones. Only when they pass their
// checks does the front send requests to them; then the old ones are let finish what
// they do, and are stopped. So nothing has changed for visitors when it fails.
func (p *Platform) RollOut(ctx context.Context, app string, want platform.Release, report platform.Report) (platform.RolledOut, error) {
	done := platform.RolledOut{Release: want}
	if want.Strategy != "" && !slices.Contains(strategies(), want.Strategy) {
		return done, errs.New(errs.Usage, "compose has no strategy %q", want.Strategy).
			WithHint("one of: %s; all of them start the new containers first", strings.Join(strategies(), ", "))
	}
	if want.Source != nil {
		return done, errs.New(errs.Usage, "compose takes images: what is built is built by this machine's engine").WithHint("leave --image out to build one")
	}
	return done, p.rollOut(ctx, app, want, report)
}

func (p *Platform) rollOut(ctx context.Context, app string, want platform.Release, report platform.Report) error {
	now, err := p.look(ctx, app)
	if err != nil {
		return err
	}
	if err := p.ensureNetwork(ctx, app); err != nil {
		return err
	}
	if err := p.ensureFront(ctx, app, now.front, report); err != nil {
		return err
	}
	for _, note := range p.notes(app) {
		report("%s", note)
	}
	if want.Timeout == 0 {
		want.Timeout = defaultTimeout
	}
	s, err := parseSecrets(now.dump.Files[secretsFile])
	if err != nil {
		return err
	}
	c, err := now.config()
	if err != nil {
		return err
	}
	// What was stopped for the release before is not needed any more, nor are those
	// that an interrupted run has only created.
	if err := p.remove(ctx, names(now.retired())...); err != nil {
		return err
	}
	r := &rollout{Platform: p, app: app, want: want, report: report, secrets: s}
	live := now.live()
	for _, t := range c.Targets { // of those that exist
		if slices.ContainsFunc(live, func(c container) bool { return c.name() == t.Name }) {
			r.targets = append(r.targets, t)
		}
	}
	return r.run(ctx, live)
}

// run keeps what runs the release already, which an earlier run may have begun, adds
// what is missing, and retires the rest.
func (r *rollout) run(ctx context.Context, live []container) error {
	var keep, old []container
	for _, c := range live {
		if runsRelease(c, r.want) && c.State.Running && len(keep) < r.want.Instances {
			keep = append(keep, c)
		} else {
			old = append(old, c)
		}
		if c.version() == r.want.Version {
			number, _ := strconv.Atoi(c.Config.Labels[composeNumber])
			r.numbers = append(r.numbers, number)
		}
	}
	missing := r.want.Instances - len(keep)
	batch, retire := 1, 1
	if r.want.Strategy == blueGreen {
		batch, retire = missing, len(old)
	}
	// Those kept may not have passed yet.
	if err := r.bring(ctx, keep, 0); err != nil {
		return err
	}
	for missing > 0 {
		n := min(batch, missing)
		if err := r.bring(ctx, nil, n); err != nil {
			return err
		}
		missing -= n
		gone := old[:min(retire, len(old))]
		if err := r.retire(ctx, gone); err != nil {
			return err
		}
		old = old[len(gone):]
	}
	return r.retire(ctx, old)
}

// bring has containers take traffic: those given, and n new ones. When they do not
// become healthy the new ones are removed again, and traffic goes where it went.
func (r *rollout) bring(ctx context.Context, have []container, n int) (err error) {
	have = slices.DeleteFunc(slices.Clone(have), func(c container) bool { return slices.Contains(r.targets, target(c)) })
	var made []string
	defer func() {
		if err == nil {
			return
		}
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
		defer cancel()
		steered := r.steer(cleanup, r.app, front.Config{Targets: r.targets})
		err = errors.Join(err, steered, r.remove(cleanup, made...))
	}()
	for range n {
		name, err := r.start(ctx)
		if name != "" {
			made = append(made, name)
		}
		if err != nil {
			return err
		}
	}
	fresh, err := r.inspect(ctx, append(names(have), made...)...)
	if err != nil || len(fresh) == 0 {
		return err
	}
	var candidates []front.Target
	for _, c := range fresh {
		candidates = append(candidates, target(c))
	}
	if err := r.steer(ctx, r.app, front.Config{Targets: r.targets, Candidates: candidates}); err != nil {
		return err
	}
	if err := r.await(ctx, names(fresh)); err != nil {
		return err
	}
	return r.serve(ctx, append(slices.Clone(r.targets), candidates...))
}

// serve changes where requests go.
func (r *rollout) serve(ctx context.Context, targets []front.Target) error {
	if targets == nil {
		targets = []front.Target{}
	}
	if err := r.steer(ctx, r.app, front.Config{Targets: targets}); err != nil {
		return err
	}
	r.targets = targets
	return nil
}

// start makes and starts a container of the release.
func (r *rollout) start(ctx context.Context) (string, error) {
	service, err := r.appService(r.app)
	if err != nil {
		return "", err
	}
	number := 1
	for slices.Contains(r.numbers, number) {
		number++
	}
	s, err := r.appSpec(ctx, r.app, r.want, r.want.Env, r.secrets)
	if err != nil {
		return "", err
	}
	s.env["PORT"] = strconv.Itoa(r.want.Port)
	s.name = fmt.Sprintf("%s-%s-%s-%d", r.app, service.name, r.want.Version, number)
	s.alias = service.name
	s.labels = containerLabels(r.app, service.name, roleApp, number, []any{s.image, s.command, s.flags, r.want.Env, r.want.Port})
	s.labels.released(r.want, r.secrets.change)
	s.flags = append(s.flags, "--restart", "unless-stopped")
	if err := r.create(ctx, s); taken(err) {
		// One that an interrupted run left: whether it is complete is not known.
		if err := r.remove(ctx, s.name); err != nil {
			return "", err
		}
		if err := r.create(ctx, s); err != nil {
			return s.name, explain(err, "create the container %s", s.name)
		}
	} else if err != nil {
		return s.name, explain(err, "create the container %s", s.name)
	}
	r.numbers = append(r.numbers, number)
	r.report("start %s", s.name)
	return s.name, explain(r.engine.quiet(ctx, "start", s.name), "start the container %s", s.name)
}

// retire takes containers out of the traffic, lets them finish, and stops them. They
// stay, stopped, until the next roll-out: for their logs.
func (r *rollout) retire(ctx context.Context, old []container) error {
	if len(old) == 0 {
		return nil
	}
	gone := names(old)
	left := slices.DeleteFunc(slices.Clone(r.targets), func(t front.Target) bool { return slices.Contains(gone, t.Name) })
	if err := r.serve(ctx, left); err != nil {
		return err
	}
	if err := r.drain(ctx, r.app, gone, r.report); err != nil {
		return err
	}
	r.report("stop %s", strings.Join(gone, ", "))
	return r.stop(ctx, gone...)
}

func names(list []container) []string {
	out := make([]string, len(list))
	for i, c := range list {
		out[i] = c.name()
	}
	return out
}
