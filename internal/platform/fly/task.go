package fly

import (
	"context"
	"maps"
	"net/http"
	"time"

	"github.com/superfly/fly-go"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// RunTask runs a command in a machine of its own, as flyctl runs release
// commands: the platform has no such feature of its own. The machine destroys
// itself, and stays readable for its exit code.
func (p *Platform) RunTask(ctx context.Context, app string, task platform.Task) (platform.TaskResult, error) {
	m, err := p.flaps.Launch(ctx, app, fly.LaunchMachineInput{
		Config: taskConfig(task), Region: task.Region, SkipLaunch: true, MinSecretsVersion: p.minSecrets(app),
	})
	if err != nil {
		return platform.TaskResult{}, explain(err, "create the machine for the release command")
	}
	if err := p.startTask(ctx, app, m.ID); err != nil {
		return platform.TaskResult{ID: m.ID}, err
	}
	end, err := p.awaitEnd(ctx, app, m.ID, task.Timeout)
	result := platform.TaskResult{ID: m.ID}
	if err != nil {
		// Stop it: a migration that goes on alone after the deploy gave up is worse than one cut off.
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		result.Log = p.lastLines(cleanup, app, m.ID, 0, 20)
		_ = p.destroy(cleanup, app, m.ID)
		return result, err
	}
	result.Log = p.lastLines(ctx, app, m.ID, 0, 20)
	result.ExitCode, result.OOM = end.ExitCode, end.OOMKilled
	if end.ExitCode == 0 && end.GuestExitCode != 0 {
		result.ExitCode = end.GuestExitCode
	}
	return result, nil
}

func taskConfig(task platform.Task) *fly.MachineConfig {
	env := maps.Clone(task.Env)
	if env == nil {
		env = map[string]string{}
	}
	env["RELEASE_COMMAND"] = "1"
	env["FLY_PROCESS_GROUP"] = fly.MachineProcessGroupFlyAppReleaseCommand
	env["PRIMARY_REGION"] = task.Region
	env["OPSCTL_RELEASE"] = task.Release.Label
	return &fly.MachineConfig{
		Image: task.Image,
		Init:  fly.MachineInit{Cmd: task.Command},
		Env:   env,
		Guest: &fly.MachineGuest{CPUKind: "shared", CPUs: 1, MemoryMB: 1024},
		Metadata: map[string]string{
			fly.MachineConfigMetadataKeyFlyPlatformVersion: fly.MachineFlyPlatformVersion2,
			fly.MachineConfigMetadataKeyFlyProcessGroup:    fly.MachineProcessGroupFlyAppReleaseCommand,
			metaLabel: task.Release.Label,
		},
		AutoDestroy: true,
		Restart:     &fly.MachineRestart{Policy: fly.MachineRestartPolicyNo},
		DNS:         &fly.DNSConfig{SkipRegistration: true},
	}
}

// startTask starts the prepared machine, which needs a moment until it can be started.
func (p *Platform) startTask(ctx context.Context, app, id string) error {
	var err error
	for range 60 {
		if _, err = p.flaps.Start(ctx, app, id, ""); err == nil {
			return nil
		}
		if st := status(err); st != http.StatusNotFound && st != http.StatusPreconditionFailed && st != http.StatusConflict {
			break
		}
		if err := p.sleep(ctx, pollInterval); err != nil {
			return err
		}
	}
	return explain(err, "start the release command")
}

// awaitEnd waits for the exit event of a machine that was started.
func (p *Platform) awaitEnd(ctx context.Context, app, id string, timeout time.Duration) (*fly.MachineExitEvent, error) {
	deadline := p.now().Add(timeout)
	for {
		m, err := p.flaps.Get(ctx, app, id)
		if err != nil && status(err) != http.StatusNotFound {
			return nil, explain(err, "watch the release command")
		}
		if err == nil {
			for _, e := range m.Events {
				if e.Type == "exit" && e.Request != nil && e.Request.ExitEvent != nil {
					return e.Request.ExitEvent, nil
				}
			}
			if m.State == "failed" || m.State == "launch_failed" {
				return nil, errs.New(errs.Failure, "the release command's machine %s is %s", id, m.State)
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
