package render

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// maxSingle is how many variables are written one by one. That loses nothing of
// what others write at the same time, but Render takes 30 writes a minute; more
// of them are written as a whole.
const maxSingle = 10

// StageSecrets saves the values. Render shows them to the next deploy, and to
// nothing before. For an app without a service they are kept until the first
// roll-out, which makes it with them.
func (p *Platform) StageSecrets(ctx context.Context, app string, changes map[string]*string) error {
	if len(changes) == 0 {
		return nil
	}
	for name := range changes {
		if internal(name) {
			return errs.New(errs.Usage, "%s is set by opsctl itself on Render", name).WithHint("give the secret another name")
		}
	}
	s, err := p.read(ctx, app)
	if err != nil {
		return err
	}
	if s.svc == nil {
		d := p.draftOf(app)
		if d == nil {
			return noApp(app)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		apply(d.secrets, changes)
		return nil
	}
	// Written down first: a run that is cut off between leaves a secret that is
	// said to wait and does not, rather than one that waits and is not said to.
	names := slices.Sorted(maps.Keys(changes))
	err = p.amend(ctx, app, s.svc, func(l *ledger) {
		s.settle(l)
		l.stage(names)
		dropPlain(l, changes)
	})
	if err != nil {
		return err
	}
	return p.writeEnv(ctx, app, s.svc.ID, changes)
}

// dropPlain makes what was a plain variable a secret when it is staged as one.
func dropPlain(l *ledger, changes map[string]*string) {
	if l.Conf == nil {
		return
	}
	env := l.env(*l.Conf)
	before := len(env)
	for name := range changes {
		delete(env, name)
	}
	if len(env) != before {
		l.Conf.Env = l.addEnv(env)
	}
}

func apply(env map[string]string, changes map[string]*string) {
	for name, value := range changes {
		if value == nil {
			delete(env, name)
		} else {
			env[name] = *value
		}
	}
}

// writeEnv changes variables of a service and leaves all others alone.
func (p *Platform) writeEnv(ctx context.Context, app, id string, changes map[string]*string) error {
	if len(changes) == 0 {
		return nil
	}
	if err := p.stillMine(ctx, app, id); err != nil {
		return err
	}
	defer p.forget(app)
	if len(changes) > maxSingle {
		return explain(p.replaceEnv(ctx, id, changes), "set the variables of %q", app)
	}
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		if err := p.writeOne(ctx, id, name, changes[name]); err != nil {
			return explain(err, "set the variable %s of %q", name, app)
		}
	}
	return nil
}

func (p *Platform) writeOne(ctx context.Context, id, name string, value *string) error {
	if value != nil {
		return p.call(ctx, http.MethodPut, envPath(id, name), nil, map[string]string{"value": *value}, nil)
	}
	err := p.call(ctx, http.MethodDelete, envPath(id, name), nil, nil, nil)
	if missing(err) { // it is gone, which is what was asked for
		return nil
	}
	return err
}

// replaceEnv writes all variables at once. Render replaces the whole set and has
// no condition for it, so: it is read right before; read again after; and a
// variable that was there before, or that somebody wrote over ours, is set once
// more by itself. What is left is a variable that somebody else adds within the
// moment between the first reading and the writing.
func (p *Platform) replaceEnv(ctx context.Context, id string, changes map[string]*string) error {
	p.stating.Lock() // the ledger is among them
	defer p.stating.Unlock()
	want, err := p.readEnv(ctx, id)
	if err != nil {
		return err
	}
	apply(want, changes)
	all := make([]envVar, 0, len(want))
	for _, name := range slices.Sorted(maps.Keys(want)) {
		all = append(all, envVar{name, want[name]})
	}
	if err := p.call(ctx, http.MethodPut, servicePath(id)+"/env-vars", nil, all, nil); err != nil {
		return err
	}
	have, err := p.readEnv(ctx, id)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		value, there := have[name]
		_, ours := changes[name]
		if there && (value == want[name] || !ours) { // one that is not ours may have been changed since
			continue
		}
		if err := p.writeOne(ctx, id, name, new(want[name])); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		if _, there := have[name]; there && changes[name] == nil {
			if err := p.writeOne(ctx, id, name, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// ReadVariables gives what is saved on the service: what its next deploy sees,
// whether it runs or not. What comes from environment groups is not in it, since
// it belongs to the group.
func (p *Platform) ReadVariables(ctx context.Context, app string) (*platform.VariableSet, error) {
	s, err := p.look(ctx, app)
	if err != nil {
		return nil, err
	}
	env, plain, source := s.env, s.ledger.plain(), "what waits for the first deploy"
	switch d := p.draftOf(app); {
	case s.svc != nil:
		source = "service " + s.svc.ID
	case d != nil:
		env = d.secrets
	default:
		return nil, noApp(app)
	}
	set := &platform.VariableSet{Source: source}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if internal(name) {
			continue
		}
		_, is := plain[name]
		set.Values = append(set.Values, platform.Variable{Name: name, Value: env[name], Plain: is})
	}
	return set, nil
}
