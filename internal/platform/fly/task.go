package fly

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"time"

	"github.com/superfly/fly-go"
	"github.com/superfly/fly-go/flaps"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// taskGroup is the process group of release commands, flyctl's and ours.
const taskGroup = fly.MachineProcessGroupFlyAppReleaseCommand

// RunTask runs a command in a machine of its own, as flyctl runs release
// commands: the platform has no such feature of its own. The machine destroys
// itself, and stays readable for its exit code.
func (p *Platform) RunTask(ctx context.Context, app string, task platform.Task) (result platform.TaskResult, err error) {
	if err := p.finishTasks(ctx, app, task.Timeout); err != nil {
		return result, err
	}
	m, err := p.launch(ctx, app, fly.LaunchMachineInput{Config: taskConfig(task), Region: task.Region, SkipLaunch: true})
	if err != nil {
		return result, err
	}
	result.ID = m.ID
	defer func() {
		if err == nil {
			return
		}
		// Stop it: a migration that goes on alone after the deploy gave up is worse than one cut off.
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		result.Log = p.lastLines(cleanup, app, m.ID, 0, logLines)
		err = errors.Join(err, p.destroy(cleanup, app, m.ID))
	}()
	if err := p.startTask(ctx, app, m.ID); err != nil {
		return result, err
	}
	result.Started = true
	end, err := p.awaitEnd(ctx, app, m.ID, task.Timeout)
	if err != nil {
		return result, err
	}
	result.Log = p.lastLines(ctx, app, m.ID, 0, logLines)
	result.ExitCode, result.OOM = end.ExitCode, end.OOMKilled
	if end.ExitCode == 0 && end.GuestExitCode != 0 {
		result.ExitCode = end.GuestExitCode
	}
	return result, nil
}

// finishTasks waits for the release commands of killed runs, and removes them:
// two migrations at once would be worse than waiting. The caller holds the lock.
func (p *Platform) finishTasks(ctx context.Context, app string, timeout time.Duration) error {
	fleet, err := p.fleet(ctx, app)
	if err != nil {
		return err
	}
	for _, m := range fleet.all {
		if m.GetConfig() == nil || !m.IsActive() || !m.HasProcessGroup(taskGroup) {
			continue
		}
		if m.State == fly.MachineStateStarted || m.State == "starting" {
			if _, err := p.awaitEnd(ctx, app, m.ID, timeout); ctx.Err() != nil {
				return err
			}
		}
		if err := p.destroy(ctx, app, m.ID); err != nil {
			return err
		}
	}
	return nil
}

func taskConfig(task platform.Task) *fly.MachineConfig {
	env := maps.Clone(task.Env)
	if env == nil {
		env = map[string]string{}
	}
	env["RELEASE_COMMAND"] = "1"
	env["FLY_PROCESS_GROUP"] = taskGroup
	env["PRIMARY_REGION"] = task.Region
	env["OPSCTL_RELEASE"] = task.Release.Label
	return &fly.MachineConfig{
		Image: task.Image,
		Init:  fly.MachineInit{Cmd: task.Command},
		Env:   env,
		Guest: &fly.MachineGuest{CPUKind: "shared", CPUs: 1, MemoryMB: 1024},
		Metadata: map[string]string{
			fly.MachineConfigMetadataKeyFlyPlatformVersion: fly.MachineFlyPlatformVersion2,
			fly.MachineConfigMetadataKeyFlyProcessGroup:    taskGroup,
			metaLabel: task.Release.Label,
		},
		AutoDestroy: true,
		Restart:     &fly.MachineRestart{Policy: fly.MachineRestartPolicyNo},
		DNS:         &fly.DNSConfig{SkipRegistration: true},
	}
}

// startTask waits until the image is there and starts the prepared machine.
func (p *Platform) startTask(ctx context.Context, app, id string) error {
	deadline := p.now().Add(startTimeout)
	for {
		err := p.flaps.Wait(ctx, app, id, flaps.WithWaitStates(fly.MachineStateStopped), flaps.WithWaitTimeout(time.Minute))
		if err == nil {
			break
		}
		// A machine that is not seen yet, and one that is not prepared within a minute.
		if st := status(err); !transient(err) && st != http.StatusNotFound || p.now().After(deadline) {
			return explain(err, "prepare the machine for the release command")
		}
		if err := p.sleep(ctx, pollInterval); err != nil {
			return err
		}
	}
	return explain(p.machinesCall(ctx, http.MethodPost, machinePath(app, id)+"/start", nil, nil, nil), "start the release command")
}

// startTimeout is how long the pull of a large image may take.
const startTimeout = 5 * time.Minute

// goneLimit is how often a destroyed machine is looked at for its exit event.
const goneLimit = 20

// awaitEnd waits for the exit event of a machine that was started. Trouble of
// the API is waited out: giving up would cut the command off.
func (p *Platform) awaitEnd(ctx context.Context, app, id string, timeout time.Duration) (*fly.MachineExitEvent, error) {
	deadline := p.now().Add(timeout)
	w := watch{Platform: p, app: app, want: &fly.Machine{ID: id}}
	for gone := 0; ; {
		if left := min(deadline.Sub(p.now()), waitMost); left >= time.Second && gone == 0 {
			// The machine destroys itself at the end. One call that blocks takes the place of
			// many that look; whatever it says, what counts is what is seen then.
			_ = w.wait(ctx, left, fly.MachineStateDestroyed, "failed")
		}
		m, err := p.flaps.Get(ctx, app, id)
		switch {
		case err != nil && status(err) != http.StatusNotFound && !transient(err):
			return nil, explain(err, "watch the release command")
		case err == nil:
			for _, e := range m.Events {
				if e.Type == "exit" && e.Request != nil && e.Request.ExitEvent != nil {
					return e.Request.ExitEvent, nil
				}
			}
			if m.State == "failed" || m.State == "launch_failed" {
				return nil, errs.New(errs.Failure, "the release command's machine %s is %s", id, m.State)
			}
			if !m.IsActive() {
				if gone++; gone >= goneLimit {
					return nil, errs.New(errs.Failure, "the release command's machine %s is gone, without a word of how it ended", id)
				}
			}
		}
		if p.now().After(deadline) {
			return nil, errs.New(errs.Timeout, "the release command did not end within %s", timeout).
				WithHint("raise release.timeout in opsctl.yaml, or look at: opsctl logs --instance %s", id)
		}
		if err := p.sleep(ctx, pollInterval); err != nil {
			return nil, err
		}
	}
}
