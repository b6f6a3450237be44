package fly

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/superfly/fly-go"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// firstName is the name of the first machine of an app that has none. The names of an
// app's machines are unique, so of two runs that find no machine, and so nothing to
// lock, only one gets to make it.
const firstName = "opsctl-first"

// firstTries is how often a first machine that cannot be made is looked for: it may
// not be listed yet, or its name not be free yet after it was destroyed.
const firstTries = 20

// ownership is what this process may destroy when there is nothing to restore.
type ownership struct {
	mu     sync.Mutex
	ids    map[string]bool // machines that it made, or that were there when it took the lock
	labels map[string]bool // of releases that it rolled out: a machine whose creation was answered with an error has one
}

func (o *ownership) made(id string) { o.found([]string{id}) }

func (o *ownership) found(ids []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ids == nil {
		o.ids = map[string]bool{}
	}
	for _, id := range ids {
		o.ids[id] = true
	}
}

func (o *ownership) released(label string) {
	if label == "" {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.labels == nil {
		o.labels = map[string]bool{}
	}
	o.labels[label] = true
}

func (o *ownership) has(m *fly.Machine) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ids[m.ID] || o.labels[m.GetMetadataByKey(metaLabel)]
}

// launchFirst makes the first machine of an app, under its lease when the lock is held.
// It fails with Conflict when another run was faster.
func (r rollout) launchFirst(ctx context.Context, app string, in fly.LaunchMachineInput) (*fly.Machine, error) {
	in.Name = firstName
	for try := 1; ; try++ {
		m, err := r.launch(ctx, app, in)
		if err == nil && r.locking(app) {
			// Not with the creation itself: such a lease does not say whose it is, and so a
			// dead one's could not be told from another's.
			return m, r.acquire(ctx, app, m.ID)
		}
		if err == nil || !nameTaken(err) {
			return m, err
		}
		if m := r.named(ctx, app, firstName); m != nil {
			return nil, r.alreadyBegun(ctx, app, m)
		}
		if try == firstTries {
			return nil, err
		}
		if err := r.sleep(ctx, pollInterval); err != nil {
			return nil, err
		}
	}
}

// nameTaken tells whether a machine was refused because another one has its name.
func nameTaken(err error) bool {
	return strings.Contains(err.Error(), "unique machine name")
}

// locking tells whether this process holds the app's lock, or would if there were a machine.
func (p *Platform) locking(app string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lock != nil && p.lock.app == app
}

// named finds an active machine by its name; nil when none is seen.
func (p *Platform) named(ctx context.Context, app, name string) *fly.Machine {
	p.cache.forget(kindMachines)
	now, err := p.fleet(ctx, app)
	if err != nil {
		return nil
	}
	i := slices.IndexFunc(now.all, func(m *fly.Machine) bool { return m.Name == name && m.IsActive() })
	if i < 0 {
		return nil
	}
	return now.all[i]
}

// stillFirst refuses to go on when somebody else made the app's first machines since
// the lock was taken, which then locked nothing.
func (p *Platform) stillFirst(ctx context.Context, app string, machines []*fly.Machine) error {
	p.mu.Lock()
	first := p.lock != nil && p.lock.app == app && p.lock.first
	p.mu.Unlock()
	if !first {
		return nil
	}
	for _, m := range machines {
		if !p.own.has(m) {
			return p.alreadyBegun(ctx, app, m)
		}
	}
	return nil
}

// alreadyBegun is the Conflict with another run that made the first machine.
func (p *Platform) alreadyBegun(ctx context.Context, app string, m *fly.Machine) error {
	info, _, err := p.findLease(ctx, app, m.ID)
	if err == nil && info != nil {
		return errs.Wrap(lockedBy(app, info), errs.Conflict, "%q was deployed for the first time by another run meanwhile", app)
	}
	return errs.New(errs.Conflict, "%q was deployed for the first time by another run meanwhile: machine %s", app, m.ID).
		WithHint("run the same command again: it goes on from what that run made")
}

// Remove destroys the app's machines: those that this process made, and those that were
// there when it took the lock. Another run's are left alone, and said in a Conflict.
func (p *Platform) Remove(ctx context.Context, app string, report platform.Report) error {
	if err := p.lostLock(app); err != nil {
		return err
	}
	p.cache.forget(kindMachines)
	machines, err := p.appMachines(ctx, app)
	if err != nil {
		return err
	}
	var others []string
	for _, m := range machines {
		if !p.own.has(m) {
			others = append(others, m.ID)
			continue
		}
		report("destroy machine %s", m.ID)
		if err := p.destroy(ctx, app, m.ID); err != nil {
			return err
		}
	}
	if len(others) > 0 {
		return errs.New(errs.Conflict, "machines of %q that another run made were left alone: %s", app, strings.Join(others, ", ")).
			WithHint("to see how the app stands: opsctl status")
	}
	return nil
}
