package fly

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/superfly/fly-go"
	"github.com/superfly/fly-go/flaps"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/httpx"
	"github.com/opsctl/opsctl/internal/platform"
)

// pollInterval keeps well under Fly's limit of five Get Machine calls a second.
const pollInterval = 500 * time.Millisecond

// crashLimit is how many exits during one roll-out make a crash loop.
const crashLimit = 3

// logLines is how many of the last lines that a machine printed an error has.
const logLines = 20

// launch creates a machine. It is not repeated after a lost answer: that could
// make two.
func (p *Platform) launch(ctx context.Context, app string, in fly.LaunchMachineInput) (*fly.Machine, error) {
	in.MinSecretsVersion = p.minSecrets(app)
	var m fly.Machine
	if err := p.machinesCall(ctx, http.MethodPost, "/apps/"+url.PathEscape(app)+"/machines", in, &m, nil); err != nil {
		return nil, explain(err, "create a machine of %q", app)
	}
	p.own.made(m.ID)
	return &m, nil
}

// updateRequest is fly-go's with the field for compare-and-swap that it lacks.
type updateRequest struct {
	fly.LaunchMachineInput
	CurrentVersion string `json:"current_version,omitempty"`
}

// update replaces a machine's config, if nobody else changed it since it was read.
func (p *Platform) update(ctx context.Context, app string, m *fly.Machine, config *fly.MachineConfig) (*fly.Machine, error) {
	in := updateRequest{
		LaunchMachineInput: fly.LaunchMachineInput{Config: config, Region: m.Region, Name: m.Name, MinSecretsVersion: p.minSecrets(app)},
		CurrentVersion:     m.InstanceID,
	}
	var out fly.Machine
	// The version makes a repeated request harmless: it is refused when the first one was carried out.
	err := p.machinesCall(httpx.WithRetryable(ctx), http.MethodPost, machinePath(app, m.ID), in, &out, p.nonce(m.ID))
	if status(err) == http.StatusConflict {
		if now, e := p.flaps.Get(ctx, app, m.ID); e == nil && now.InstanceID != m.InstanceID && sameConfig(now.GetConfig(), config) {
			return now, nil // it was, and its answer was lost
		}
		return nil, p.refused(ctx, app, m.ID, errs.Wrap(err, errs.Conflict, "update machine %s", m.ID).
			WithHint("somebody else changed it; run the same command again"))
	}
	if err != nil {
		return nil, explain(err, "update machine %s", m.ID)
	}
	return &out, nil
}

// sameConfig tells whether a machine has the config that it was to get, as far as
// opsctl decides it: the API may spell the rest in another way.
func sameConfig(a, b *fly.MachineConfig) bool {
	return a != nil && a.Image == b.Image && a.Metadata[metaLabel] == b.Metadata[metaLabel] && releaseVersion(a) == releaseVersion(b) &&
		sizeOf(a.Guest) == sizeOf(b.Guest) && maps.Equal(a.Env, b.Env)
}

// destroy removes a machine; one that is gone already is fine.
func (p *Platform) destroy(ctx context.Context, app, id string) error {
	header := p.nonce(id)
	p.mu.Lock()
	nonce, leased := p.nonces[id]
	delete(p.nonces, id) // its lease goes with it, and must not be taken for a lost one
	p.mu.Unlock()
	err := p.machinesCall(httpx.WithRetryable(ctx), http.MethodDelete, machinePath(app, id)+"?force=true", nil, nil, header)
	if err == nil || status(err) == http.StatusNotFound {
		return nil
	}
	if leased {
		p.mu.Lock()
		p.nonces[id] = nonce
		p.mu.Unlock()
	}
	if status(err) == http.StatusConflict {
		return p.refused(ctx, app, id, explain(err, "destroy machine %s", id))
	}
	return explain(err, "destroy machine %s", id)
}

// versions lists the configs a machine has had, newest first.
func (p *Platform) versions(ctx context.Context, app, id string) ([]*fly.MachineConfig, error) {
	var list []struct {
		Config *fly.MachineConfig `json:"user_config"`
	}
	if err := p.machinesCall(ctx, http.MethodGet, machinePath(app, id)+"/versions", nil, &list, nil); err != nil {
		return nil, explain(err, "list the versions of machine %s", id)
	}
	var out []*fly.MachineConfig
	for _, v := range list {
		if v.Config != nil {
			out = append(out, v.Config)
		}
	}
	return out, nil
}

// progress is how far a machine has come.
type progress int

const (
	starting progress = iota
	running           // started, and there is no check that could say more
	passing           // started, and every check passes
)

// verdict tells how far a machine has come with a version; an error when it is beyond hope.
func verdict(m *fly.Machine, version string, since int64) (progress, error) {
	crashes := exits(m, since)
	if n := len(crashes); n >= crashLimit {
		return starting, errs.New(errs.Failure, "machine %s keeps crashing: exit code %d, %d times", m.ID, crashes[0].ExitCode, n)
	}
	switch m.State {
	case "failed", fly.MachineStateDestroyed, "launch_failed":
		return starting, errs.New(errs.Failure, "machine %s is %s", m.ID, m.State)
	case fly.MachineStateStopped:
		if len(crashes) > 0 {
			return starting, errs.New(errs.Failure, "machine %s stopped: exit code %d", m.ID, crashes[0].ExitCode)
		}
		return starting, nil
	case fly.MachineStateStarted:
	default:
		return starting, nil
	}
	if version != "" && m.InstanceID != version {
		return starting, nil
	}
	i := instance(m)
	wanted := len(m.GetConfig().Services) > 0 && len(m.GetConfig().Services[0].Checks) > 0
	switch {
	case !wanted && len(crashes) == 0:
		return running, nil
	case wanted && i.Health == platform.Healthy:
		return passing, nil
	default:
		return starting, nil
	}
}

// lastEvent is the time of a machine's newest event, in the API's milliseconds.
func lastEvent(m *fly.Machine) int64 {
	newest := int64(0)
	for _, e := range m.Events {
		newest = max(newest, e.Timestamp)
	}
	return newest
}

// exits lists the exits after a moment that were not asked for, newest first.
// Counting them by time, not by number, holds also where the API keeps few events.
func exits(m *fly.Machine, since int64) []*fly.MachineExitEvent {
	var out []*fly.MachineExitEvent
	for _, e := range m.Events {
		if e.Timestamp > since && e.Type == "exit" && e.Request != nil && e.Request.ExitEvent != nil && !e.Request.ExitEvent.RequestedStop {
			out = append(out, e.Request.ExitEvent)
		}
	}
	return out
}

// newestExit is the last exit, asked for or not; nil when there was none.
func newestExit(m *fly.Machine) *fly.MachineExitEvent {
	for _, e := range m.Events {
		if e.Type == "exit" && e.Request != nil && e.Request.ExitEvent != nil {
			return e.Request.ExitEvent
		}
	}
	return nil
}

func timedOut(m *fly.Machine, id string, after time.Duration) error {
	if m == nil {
		return errs.New(errs.Timeout, "machine %s was not seen within %s", id, after)
	}
	if failing := instance(m).Failing; len(failing) > 0 {
		return errs.New(errs.Timeout, "machine %s does not pass its health check after %s: %s", id, after, strings.Join(failing, "; "))
	}
	return errs.New(errs.Timeout, "machine %s is not healthy after %s: it is %s and its checks have not passed", id, after, m.State)
}

// withLog adds the last lines that a machine printed since a moment to an error.
func (p *Platform) withLog(ctx context.Context, app, id string, since int64, err error) error {
	lines := p.lastLines(ctx, app, id, since, logLines)
	if len(lines) == 0 {
		return err
	}
	return errs.Wrap(err, errs.CodeOf(err), "").WithHint("it last printed:\n%s", errs.Redact(strings.Join(lines, "\n")))
}

// nonce is the header with which a machine under our own lease is changed.
func (p *Platform) nonce(id string) http.Header {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n, ok := p.nonces[id]; ok {
		return http.Header{http.CanonicalHeaderKey(flaps.NonceHeader): {n}}
	}
	return nil
}

func machinePath(app, id string) string {
	return fmt.Sprintf("/apps/%s/machines/%s", url.PathEscape(app), url.PathEscape(id))
}
