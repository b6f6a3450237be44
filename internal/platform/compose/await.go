package compose

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/platform/compose/front"
)

// crashLimit is how many exits during one roll-out make a crash loop.
const crashLimit = 3

// lastLines is how much of a failed container's output an error shows.
const lastLines = 20

// await waits until containers pass their checks. It gives up early when one has
// exited for good or keeps crashing.
func (r *rollout) await(ctx context.Context, waited []string) error {
	deadline := r.o.Now().Add(r.want.Timeout)
	waiting := slices.Clone(waited)
	for {
		found, err := r.inspect(ctx, waiting...)
		if err != nil {
			return err
		}
		status, err := r.checks(ctx)
		if err != nil {
			return err
		}
		var behind []string
		why := ""
		for _, name := range waiting {
			at := slices.IndexFunc(found, func(c container) bool { return c.name() == name })
			if at < 0 {
				return errs.New(errs.Conflict, "the container %s is gone: somebody else has removed it", name)
			}
			if dead(found[at]) != nil {
				return r.withTail(ctx, name, dead(r.lastExit(ctx, found[at])))
			}
			if ok, seen := passes(found[at], status); !ok {
				behind, why = append(behind, name), seen
			}
		}
		if waiting = behind; len(waiting) == 0 {
			return nil
		}
		if r.o.Now().After(deadline) {
			err := errs.New(errs.Timeout, "%s does not pass its health check after %s: %s", waiting[len(waiting)-1], r.want.Timeout, why)
			return r.withTail(ctx, waiting[len(waiting)-1], err)
		}
		if err := r.o.Sleep(ctx, r.o.Poll); err != nil {
			return err
		}
	}
}

// checks asks the front what its checks see.
func (p *rollout) checks(ctx context.Context) (front.Status, error) {
	var s front.Status
	out, err := p.ofProxy(ctx, p.app, "", "status")
	if err != nil {
		return s, explain(err, "ask the front of %q for the health of the app", p.app)
	}
	return s, json.Unmarshal(out, &s)
}

// lastExit gives a container that the engine has started again the exit code that it
// ended with before, which the engine tells in its events alone.
func (p *Platform) lastExit(ctx context.Context, c container) container {
	if !c.State.Running {
		return c
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	out, _ := p.engine.out(ctx, "events", "--since", c.Created.Format(time.RFC3339), "--until", p.o.Now().Format(time.RFC3339Nano),
		"--filter", "container="+c.ID, "--filter", "event=die", "--format", "{{.Actor.Attributes.exitCode}}")
	c.State.ExitCode = platform.ExitUnknown // where it cannot be had
	for _, line := range lines(out) {
		if code, err := strconv.Atoi(line); err == nil {
			c.State.ExitCode = code
		}
	}
	return c
}

// dead tells why a container is beyond hope; nil when it is not.
func dead(c container) error {
	switch {
	case c.State.OOMKilled && !c.State.Running:
		return errs.New(errs.Failure, "%s ran out of memory", c.name())
	case c.RestartCount >= crashLimit:
		code := ""
		if c.State.ExitCode != platform.ExitUnknown {
			code = fmt.Sprintf(": exit code %d", c.State.ExitCode)
		}
		return errs.New(errs.Failure, "%s keeps crashing%s, %d times", c.name(), code, c.RestartCount)
	case c.State.Status == "exited" || c.State.Status == "dead":
		return errs.New(errs.Failure, "%s stopped: exit code %d", c.name(), c.State.ExitCode)
	}
	return nil
}

// passes tells whether a container may take traffic, and if not, what was seen last.
// Without a path to ask for, its image's own check decides where it has one, and an
// open port where it has none.
func passes(c container, status front.Status) (ok bool, seen string) {
	if !c.State.Running || c.State.Restarting {
		return false, "it is " + c.State.Status
	}
	at := slices.IndexFunc(status.Targets, func(t front.TargetStatus) bool { return t.Name == c.name() })
	if at < 0 || !status.Targets[at].Checked {
		return false, "it was not checked yet"
	}
	t := status.Targets[at]
	if !t.Passing {
		return false, t.Output
	}
	if t.Health == "" && c.State.Health != nil {
		return ownHealth(c) == platform.Healthy, "its image's check says " + c.State.Health.Status
	}
	return true, t.Output
}

// withTail adds the last lines that a container printed to an error.
func (p *Platform) withTail(ctx context.Context, name string, err error) error {
	printed := p.tail(ctx, name, lastLines)
	if len(printed) == 0 {
		return err
	}
	return errs.Wrap(err, errs.CodeOf(err), "").WithHint("it last printed:\n%s", errs.Redact(strings.Join(printed, "\n")))
}
