package compose

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// defaultTaskTimeout is for tasks that name none.
const defaultTaskTimeout = 5 * time.Minute

// RunTask runs a command in a container of its own, in the app's network and with
// its secrets. The container stays, stopped, until the next task: for its log.
func (p *Platform) RunTask(ctx context.Context, app string, task platform.Task) (result platform.TaskResult, err error) {
	if task.Timeout == 0 {
		task.Timeout = defaultTaskTimeout
	}
	now, err := p.look(ctx, app)
	if err != nil {
		return result, err
	}
	if err := p.finishTasks(ctx, now, task.Timeout); err != nil {
		return result, err
	}
	if err := p.ensureNetwork(ctx, app); err != nil {
		return result, err
	}
	kept, err := parseSecrets(now.dump.Files[secretsFile])
	if err != nil {
		return result, err
	}
	release := task.Release
	release.Image = task.Image
	s, err := p.appSpec(ctx, app, release, task.Env, kept)
	if err != nil {
		return result, err
	}
	s.command, s.name = task.Command, fmt.Sprintf("%s-release-%s-%s", app, release.Version, p.o.Name())
	s.env["PORT"] = strconv.Itoa(release.Port)
	s.labels = containerLabels(app, "release", roleTask, 1, []any{s.image, s.command, s.flags})
	s.labels.released(release, kept.change)
	s.flags = append(withoutHealth(s.flags), "--restart", "no", "--no-healthcheck")
	if err := p.create(ctx, s); err != nil {
		return result, explain(err, "create the container of the release command")
	}
	result.ID = s.name
	defer func() {
		if err == nil {
			return
		}
		// Stop it: a migration that goes on alone after the deploy gave up is worse than one cut off.
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
		defer cancel()
		result.Log = p.tail(cleanup, s.name, lastLines)
		err = errors.Join(err, p.remove(cleanup, s.name))
	}()
	if err := p.engine.quiet(ctx, "start", s.name); err != nil {
		return result, explain(err, "start the release command %q", strings.Join(task.Command, " "))
	}
	result.Started = true
	end, err := p.awaitEnd(ctx, s.name, task.Timeout)
	if err != nil {
		return result, err
	}
	result.ExitCode, result.OOM = end.State.ExitCode, end.State.OOMKilled
	result.Log = p.tail(ctx, s.name, lastLines)
	return result, nil
}

// finishTasks waits for the release commands of killed runs, and removes all that
// there are: two migrations at once would be worse than waiting. The caller holds
// the lock.
func (p *Platform) finishTasks(ctx context.Context, now *seen, timeout time.Duration) error {
	for _, c := range now.containers {
		if c.role() != roleTask {
			continue
		}
		if c.State.Running {
			if _, err := p.awaitEnd(ctx, c.name(), timeout); ctx.Err() != nil {
				return err
			}
		}
		if err := p.remove(ctx, c.name()); err != nil {
			return err
		}
	}
	return nil
}

// awaitEnd waits until a container has exited.
func (p *Platform) awaitEnd(ctx context.Context, name string, timeout time.Duration) (*container, error) {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		// `wait` says the exit code, but ends with the connection too; what counts is what inspect says.
		err := p.engine.quiet(limited, "wait", name)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if limited.Err() != nil {
			return nil, errs.New(errs.Timeout, "the release command did not end within %s", timeout).
				WithHint("raise release.timeout in opsctl.yaml")
		}
		c, lookErr := p.find(limited, name)
		switch {
		case lookErr != nil && limited.Err() == nil:
			return nil, errors.Join(lookErr, err)
		case lookErr == nil && c == nil:
			return nil, errs.New(errs.Failure, "the release command's container %s is gone, without a word of how it ended", name)
		case lookErr == nil && (c.State.Status == "exited" || c.State.Status == "dead"):
			return c, nil
		}
		if err := p.o.Sleep(ctx, p.o.Poll); err != nil {
			return nil, err
		}
	}
}
