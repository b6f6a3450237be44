package fly

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/superfly/fly-go"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/httpx"
	"github.com/opsctl/opsctl/internal/platform"
)

// execSeconds is what a command that only reads may take in a machine.
const execSeconds = 10

// environCommands print the environment that a command in the machine gets, which
// is the app's, each variable ended by a NUL: so that a newline in a value is no
// end of it. /proc/1 would not do: there is Fly's own init.
func environCommands() [][]string {
	return [][]string{{"cat", "/proc/self/environ"}, {"env", "-0"}}
}

// ReadVariables reads the environment of a started machine. Fly's API never gives
// a secret back; only the machines have them.
func (p *Platform) ReadVariables(ctx context.Context, app string) (*platform.VariableSet, error) {
	machines, err := p.appMachines(ctx, app)
	if err != nil {
		if errs.CodeOf(err) == errs.NotFound {
			return nil, noApp(app)
		}
		return nil, err
	}
	secrets, err := p.appSecrets(ctx, app)
	if err != nil {
		return nil, found(err)
	}
	m := newestStarted(machines)
	if m == nil {
		return nil, errs.New(errs.Failure, "no machine of %q is started, and only a started one has the values of its secrets", app).
			WithHint("bring it up with opsctl deploy, or start one with fly machine start; then run the same command again")
	}
	env, err := p.environ(ctx, app, m.ID)
	if err != nil {
		return nil, err
	}
	set := &platform.VariableSet{Source: "machine " + m.ID}
	unread := func(name, reason string) {
		set.Unread = append(set.Unread, platform.Unread{Name: name, Reason: reason})
	}
	secret := map[string]bool{}
	for _, s := range secrets {
		secret[s.Name] = true
		value, has := env[s.Name]
		after, known := setAfter(s, started(m))
		switch {
		case !known:
			unread(s.Name, "Fly does not say when it was set, so the machine may have an older value")
		case after:
			unread(s.Name, "it was set after the machine started, which still has the value before; the next deploy or restart brings the new one")
		case !has:
			unread(s.Name, "the machine does not have it")
		case strings.ContainsRune(value, '\uFFFD'):
			unread(s.Name, "its value is no valid UTF-8, which the API cannot carry")
		default:
			set.Values = append(set.Values, platform.Variable{Name: s.Name, Value: value})
		}
	}
	for name, value := range release(m.GetConfig()).Env {
		if !secret[name] {
			set.Values = append(set.Values, platform.Variable{Name: name, Value: value, Plain: true})
		}
	}
	slices.SortFunc(set.Values, func(a, b platform.Variable) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(set.Unread, func(a, b platform.Unread) int { return strings.Compare(a.Name, b.Name) })
	return set, nil
}

// newestStarted is a started machine of the newest release, a healthy one first.
func newestStarted(machines []*fly.Machine) *fly.Machine {
	var best *fly.Machine
	rank := func(m *fly.Machine) int {
		n := 2 * releaseNumber(m.GetConfig())
		if instance(m).Health != platform.Unhealthy {
			n++
		}
		return n
	}
	for _, m := range machines {
		if m.State == fly.MachineStateStarted && (best == nil || rank(m) > rank(best)) {
			best = m
		}
	}
	return best
}

// pending tells whether a machine has yet to get a secret: one that there is began
// before it was set, or there is none. It is what `fly secrets list` calls staged or partial.
func pending(s fly.AppSecret, machines []*fly.Machine) bool {
	for _, m := range machines {
		if after, known := setAfter(s, started(m)); known && after {
			return true
		}
	}
	return len(machines) == 0
}

// setAfter tells whether a secret was set after a moment. It is not known when Fly
// does not say when it was set. A time in whole seconds counts as the end of its
// second: a value of the same second may be the newer one.
func setAfter(s fly.AppSecret, moment time.Time) (after, known bool) {
	if s.UpdatedAt == nil || moment.IsZero() {
		return false, false
	}
	at, err := time.Parse(time.RFC3339, *s.UpdatedAt)
	if err != nil || at.IsZero() {
		return false, false
	}
	if at.Nanosecond() == 0 {
		return !at.Before(moment.Truncate(time.Second)), true
	}
	return at.Truncate(time.Millisecond).After(moment.Truncate(time.Millisecond)), true
}

// started is when a machine last got its secrets: it was made, updated, or started
// by somebody. Few events are kept, so the time in the id of its version counts too.
func started(m *fly.Machine) time.Time {
	at, _ := time.Parse(time.RFC3339, m.CreatedAt)
	if v := ulidTime(m.InstanceID); v.After(at) {
		at = v
	}
	for _, e := range m.Events {
		switch e.Type {
		case "launch", "update", "start", "restart":
			if e.Source == "user" && e.Time().After(at) {
				at = e.Time()
			}
		}
	}
	return at
}

// ulidTime is the moment in the first ten characters of a ULID; zero for anything else.
func ulidTime(id string) time.Time {
	const digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	if len(id) != 26 {
		return time.Time{}
	}
	ms := int64(0)
	for _, c := range id[:10] {
		i := strings.IndexRune(digits, c)
		if i < 0 {
			return time.Time{}
		}
		ms = ms<<5 | int64(i)
	}
	return time.UnixMilli(ms)
}

// execResult is the answer of the exec endpoint, also of a command that failed.
type execResult struct {
	ExitCode int    `json:"exit_code"`
	Stdout   string `json:"stdout"`
	Stderr   string `json:"stderr"`
}

// environ is the environment that a machine gives to its processes.
func (p *Platform) environ(ctx context.Context, app, id string) (map[string]string, error) {
	var last error
	for _, command := range environCommands() {
		got, err := p.exec(ctx, app, id, command)
		switch st := status(err); {
		case err != nil && (st == 0 || transient(err) && st != http.StatusInternalServerError || st == http.StatusUnauthorized || st == http.StatusForbidden):
			return nil, explain(err, "read the environment of machine %s", id)
		case st == http.StatusPreconditionFailed:
			return nil, errs.Wrap(err, errs.Conflict, "machine %s does not run any more", id).WithHint("a deploy may be going on; run the same command again")
		case err != nil:
			last = explain(err, "run %s in machine %s", command[0], id)
		case got.ExitCode != 0: // what it printed is not shown: part of the environment may be in it
			last = errs.New(errs.Failure, "%s ended with exit code %d in machine %s", command[0], got.ExitCode, id)
		default:
			return environment(got.Stdout, id)
		}
	}
	return nil, errs.Wrap(last, errs.Failure, "the image has no program that shows its environment").
		WithHint("an image without cat and env (distroless) cannot be read; keep the values where they were set from")
}

// exec runs a command that changes nothing in a machine.
func (p *Platform) exec(ctx context.Context, app, id string, command []string) (execResult, error) {
	var out execResult
	in := map[string]any{"command": command, "timeout": execSeconds}
	err := p.machinesCall(httpx.WithRetryable(ctx), http.MethodPost, machinePath(app, id)+"/exec", in, &out, p.nonce(id))
	return out, err
}

// environment reads NAME=value entries that each end with a NUL.
func environment(text, id string) (map[string]string, error) {
	if !strings.HasSuffix(text, "\x00") {
		return nil, errs.New(errs.Failure, "the environment of machine %s came back cut off", id).
			WithHint("run the same command again; if it stays so, the environment is larger than the API gives back")
	}
	env := map[string]string{}
	for entry := range strings.SplitSeq(strings.TrimSuffix(text, "\x00"), "\x00") {
		if name, value, ok := strings.Cut(entry, "="); ok {
			env[name] = value
		}
	}
	return env, nil
}
