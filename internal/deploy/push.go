package deploy

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// Pushed is what a push changed.
type Pushed struct {
	Set   []string `json:"set"`
	Unset []string `json:"unset"`
}

// readBackTimeout bounds what is asked after a push that was cut off or failed.
const readBackTimeout = 30 * time.Second

// PushVariables stages what the plan says, and unsets the names in prune, in one
// request and without a restart, while no deploy can run. It reads back what
// stands on the platform, and remembers it as deploy does.
func (e *Engine) PushVariables(ctx context.Context, p *VariablePlan, prune []string) (Pushed, error) {
	done := Pushed{Set: []string{}, Unset: []string{}}
	changes, err := p.changes(prune)
	if err != nil || len(changes) == 0 {
		return done, err
	}
	local, err := lockLocal(e.StateDir, e.Holder)
	if err != nil {
		return done, err
	}
	defer local.release()
	if err := p.prints.Reload(); err != nil {
		return done, err
	}
	lease, err := e.Platform.Lock(ctx, p.App, e.Holder+" (env push)")
	if err != nil {
		return done, err
	}
	defer e.releaseLease(ctx, lease)
	now, err := e.look(ctx, p.App, p.prints)
	if err != nil {
		return done, err
	}
	if err := asFound(p.State.Secrets, now.Secrets); err != nil {
		return done, err
	}
	if err := e.Platform.StageSecrets(ctx, p.App, changes); err != nil {
		return done, e.unanswered(ctx, p, changes, err)
	}
	state, err := e.shows(ctx, p, changes)
	if err != nil {
		return done, errs.Wrap(err, errs.Partial, "the platform took the values, and does not show them yet").
			WithHint("run the same command again: it sets them once more, and remembers them")
	}
	values := map[string]string{}
	for name, value := range changes {
		if value == nil {
			done.Unset = append(done.Unset, name)
			continue
		}
		done.Set, values[name] = append(done.Set, name), *value
	}
	slices.Sort(done.Set)
	slices.Sort(done.Unset)
	if err := errors.Join(p.prints.Save(values, state.Secrets), p.prints.Forget(done.Unset)); err != nil {
		return done, errs.Wrap(err, errs.Partial, "the values are set, and this machine could not remember them").
			WithHint("the next comparison calls them unknown; nothing else is lost")
	}
	return done, nil
}

// Carries fails for a variable that no program could be given.
func (p *VariablePlan) Carries() error {
	_, err := p.changes(nil)
	return err
}

// changes are what the platform is asked for.
func (p *VariablePlan) changes(prune []string) (map[string]*string, error) {
	changes := map[string]*string{}
	for _, v := range p.Variables {
		switch {
		case v.State == VariableInvalid:
			return nil, carries(v.Name, p.values[v.Name])
		case v.Pushes():
			value := p.values[v.Name]
			changes[v.Name] = &value
		case v.State == VariableOnly && v.Keep == "" && slices.Contains(prune, v.Name):
			changes[v.Name] = nil
		}
	}
	return changes, nil
}

func (e *Engine) releaseLease(ctx context.Context, lease platform.Lease) {
	release, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	if err := lease.Release(release); err != nil {
		e.emit("unlock", Warned, err.Error(), 0)
	}
}

// shows reads back until the platform shows what it was asked for; it may take a
// moment until every part of its API does.
func (e *Engine) shows(ctx context.Context, p *VariablePlan, changes map[string]*string) (*platform.State, error) {
	for try := 1; ; try++ {
		state, err := e.look(ctx, p.App, p.prints)
		if err != nil {
			return nil, err
		}
		var wrong []string
		moved := changedDigests(p.State.Secrets, state.Secrets)
		for _, v := range p.Variables {
			value, asked := changes[v.Name]
			there := slices.ContainsFunc(state.Secrets, func(s platform.Secret) bool { return s.Name == v.Name })
			// A value that is known to be another one has another digest.
			if asked && (there != (value != nil) || v.State == VariableChange && v.Digest != "" && !slices.Contains(moved, v.Name)) {
				wrong = append(wrong, v.Name)
			}
		}
		if len(wrong) == 0 {
			return state, nil
		}
		if try == 5 {
			return nil, errs.New(errs.Failure, "%s is not as asked for", strings.Join(wrong, ", "))
		}
		if err := e.sleep(ctx, time.Second); err != nil {
			return nil, err
		}
	}
}

// unanswered looks at what became of a request that failed, or whose answer was
// lost: the values cannot be seen, so it says what moved and counts nothing as done.
func (e *Engine) unanswered(ctx context.Context, p *VariablePlan, changes map[string]*string, cause error) error {
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), readBackTimeout)
	defer cancel()
	code := errs.CodeOf(cause)
	if ctx.Err() != nil {
		code = errs.Interrupted
	}
	again := "run the same command again: it sets all of them once more"
	state, err := e.look(asking, p.App, p.prints)
	if err != nil {
		if code != errs.Interrupted {
			code = errs.Partial
		}
		return errs.Wrap(cause, code, "it is not known whether the variables were set").WithHint("%s", joinHints(errs.HintOf(cause), again))
	}
	var moved []string
	for _, name := range changedDigests(p.State.Secrets, state.Secrets) {
		if _, asked := changes[name]; asked {
			moved = append(moved, name)
		}
	}
	if len(moved) == 0 {
		return errs.Wrap(cause, code, "nothing was set: the platform has what it had before").WithHint("%s", joinHints(errs.HintOf(cause), again))
	}
	if code != errs.Interrupted {
		code = errs.Partial
	}
	return errs.Wrap(cause, code, "the answer was lost; %d of %d names have changed on the platform (%s), and whether to these values is not known",
		len(moved), len(changes), strings.Join(moved, ", ")).WithHint("%s", joinHints(errs.HintOf(cause), again))
}

func joinHints(hints ...string) string {
	return strings.Join(slices.DeleteFunc(hints, func(h string) bool { return h == "" }), "\n")
}
