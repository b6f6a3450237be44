package deploy

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/health"
	"github.com/opsctl/opsctl/internal/platform"
)

// label is the shape of the ids that newID makes. An app that reports one as
// its release takes it from OPSCTL_RELEASE, so it can be held to it.
var label = regexp.MustCompile(`^\d{8}-\d{6}-[0-9a-f]{6}$`)

// gate probes the app from outside until it is healthy often enough in a row.
// When the app reports an opsctl release, it has to be the new one.
func (r *run) gate(ctx context.Context) (string, error) {
	state, err := r.Platform.Observe(ctx, r.p.Request.App.Name)
	if err != nil {
		return "", err
	}
	r.url = state.URL
	return r.probe(ctx, state.URL+r.release.Health, r.release.Label)
}

func (r *run) probe(ctx context.Context, url, want string) (string, error) {
	gate := r.p.Request.Gate
	check := health.Check{Name: url, URL: url}
	watched, over := context.WithCancelCause(ctx)
	defer over(nil)
	failures := 0
	options := health.WaitOptions{
		Budget: gate.Timeout, Interval: gate.Interval, Consecutive: gate.Consecutive,
		OnAttempt: func(a health.Attempt) {
			detail := fmt.Sprintf("%d of %d", a.InARow, a.Needed)
			if !a.Result.Healthy() {
				detail += ": " + a.Result.Reason()
				if failures++; failures%lookEvery == 0 {
					if gone := r.gone(ctx); gone != nil {
						over(gone)
					}
				}
			}
			r.emit("health", Progress, r.redact(detail), 0)
			if b := a.Result.Body; b != nil && label.MatchString(b.ReleaseID) && check.Expect.Release == "" {
				check.Expect.Release = want
			}
		},
	}
	// The expectation is set by what the first answer says, so each attempt takes the check anew.
	options.Prepare = func(_ int, c *health.Check) { c.Expect.Release = check.Expect.Release }
	// The first answer tells whether the app says which release it is; only then is counted,
	// or answers of the version before would count.
	once := options
	once.Consecutive = 1
	result, err := r.Prober.Wait(watched, check, once)
	if err == nil && result.Outcome == health.Healthy {
		options.Budget = max(gate.Timeout-result.Elapsed, gate.Interval)
		result, err = r.Prober.Wait(watched, check, options)
	}
	if cause := context.Cause(watched); cause != nil && ctx.Err() == nil {
		return "", r.withLines(cause, r.lastLines(ctx))
	}
	if err != nil {
		return "", err
	}
	if result.Outcome != health.Healthy {
		err := errs.New(errs.CheckFailed, "%s is not healthy after %s: %s", url, strings.TrimSuffix(gate.Timeout.String(), "0s"), result.Reason).
			WithHint("look at: opsctl logs")
		return "", r.withLines(err, r.lastLines(ctx))
	}
	detail := fmt.Sprintf("%s answered well %d times in a row", url, result.Needed)
	if check.Expect.Release != "" {
		detail += ", as the new release"
	}
	return detail, nil
}

// lookEvery is after how many failed probes the platform is asked whether anything still runs.
const lookEvery = 3

// gone is an error when no instance of the app runs any more, so that waiting for it
// is of no use; nil also when that cannot be told.
func (r *run) gone(ctx context.Context) error {
	state, err := r.Platform.Observe(ctx, r.p.Request.App.Name)
	if err != nil {
		return nil //nolint:nilerr // the probes go on
	}
	for _, i := range state.Instances {
		if i.State == platform.Started || i.Idle {
			return nil
		}
	}
	if len(state.Instances) == 0 {
		return errs.New(errs.Failure, "no instance of %q runs", r.p.Request.App.Name)
	}
	return errs.New(errs.Failure, "every instance of %q has ended (%s: %s)", r.p.Request.App.Name, state.Instances[0].ID, state.Instances[0].State)
}

// lastLines are the newest lines of the app's log; none when they cannot be had.
func (r *run) lastLines(ctx context.Context) []string {
	logs, ok := r.Platform.(platform.Logs)
	if !ok {
		return nil
	}
	short, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	var lines []string
	_ = logs.Logs(short, r.p.Request.App.Name, platform.LogQuery{Limit: 20}, func(l platform.LogLine) error { // what there is helps
		lines = append(lines, l.Message)
		return nil
	})
	return lines
}
