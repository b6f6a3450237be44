package fly

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/superfly/fly-go"

	"github.com/opsctl/opsctl/internal/httpx"
)

// smokeTime is how long a machine without a health check has to stay up, as
// flyctl wants it too, before it counts as running.
const smokeTime = 10 * time.Second

// waitMost is the longest that a call of the wait endpoint may block.
const waitMost = 60 * time.Second

// The pauses between two looks at a machine that has started: soon, since its
// checks run at once, then as seldom as they are repeated.
const (
	firstLook = 250 * time.Millisecond
	lastLook  = 2 * time.Second
)

// await waits until a machine runs the version that want has, and passes its checks.
// It gives up early when the machine stops, fails or keeps crashing; trouble of the
// API is waited out.
func (p *Platform) await(ctx context.Context, app string, want *fly.Machine, timeout time.Duration) error {
	w := watch{Platform: p, app: app, want: want, timeout: timeout, deadline: p.now().Add(timeout), since: lastEvent(want)}
	if err := w.leaveTransit(ctx); err != nil {
		return err
	}
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		if err := p.sleep(ctx, w.until(pause)); err != nil {
			return err
		}
		if done, err := w.look(ctx); done || err != nil {
			return err
		}
	}
}

// watch is the wait for one machine.
type watch struct {
	*Platform
	app      string
	want     *fly.Machine
	timeout  time.Duration
	deadline time.Time
	since    int64 // events up to then are not of this roll-out
	last     *fly.Machine
	up       time.Time // since when it has been running, for machines without a check
}

// until shortens a pause that would end after the deadline, or after a machine
// without a check has been up long enough.
func (w *watch) until(pause time.Duration) time.Duration {
	pause = min(pause, max(w.deadline.Sub(w.now()), pollInterval))
	if !w.up.IsZero() {
		pause = min(pause, max(smokeTime-w.now().Sub(w.up), pollInterval))
	}
	return pause
}

// leaveTransit blocks until the machine has started or will not: one request
// where polling would take several.
func (w *watch) leaveTransit(ctx context.Context) error {
	for unseen := 0; ; {
		left := min(w.deadline.Sub(w.now()), waitMost)
		if left < time.Second {
			return nil // look tells what there is to say
		}
		err := w.wait(ctx, left, fly.MachineStateStarted, fly.MachineStateStopped, "failed")
		switch st := status(err); {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case st == http.StatusRequestTimeout: // it may come at once
			if e := w.sleep(ctx, pollInterval); e != nil {
				return e
			}
		case st == http.StatusNotFound || transient(err): // not seen by every part of the API yet, or trouble
			if e := w.sleep(ctx, pollInterval); e != nil {
				return e
			}
			if unseen++; st != http.StatusNotFound || unseen == unseenLimit {
				return nil
			}
		default: // a version that is gone again, states that are not known here
			return nil
		}
	}
}

// unseenLimit is how often a new machine is waited for that is not seen yet.
const unseenLimit = 20

// wait calls the wait endpoint once.
func (w *watch) wait(ctx context.Context, timeout time.Duration, states ...string) error {
	query := url.Values{"state": states, "timeout": {strconv.Itoa(int(timeout.Seconds()))}}
	if w.want.InstanceID != "" {
		query.Set("version", w.want.InstanceID)
	}
	return w.machinesCall(httpx.WithoutRetry(ctx), http.MethodGet, machinePath(w.app, w.want.ID)+"/wait?"+query.Encode(), nil, nil, nil)
}

// look reads the machine once, and tells whether it is as wanted.
func (w *watch) look(ctx context.Context) (bool, error) {
	m, err := w.flaps.Get(ctx, w.app, w.want.ID)
	late := w.now().After(w.deadline)
	switch {
	case status(err) == http.StatusNotFound && w.last == nil: // not seen by every part of the API yet
	case err != nil && (!transient(err) || late):
		return false, explain(err, "watch machine %s", w.want.ID)
	case err != nil:
	default:
		w.last = m
		state, err := verdict(m, w.want.InstanceID, w.since)
		if err != nil {
			return false, w.withLog(ctx, w.app, m.ID, w.since, err)
		}
		if state != running {
			w.up = time.Time{}
		} else if w.up.IsZero() {
			w.up = w.now()
		}
		if state == passing || state == running && w.now().Sub(w.up) >= smokeTime {
			return true, nil
		}
	}
	if late {
		return false, w.withLog(ctx, w.app, w.want.ID, w.since, timedOut(w.last, w.want.ID, w.timeout))
	}
	return false, nil
}
