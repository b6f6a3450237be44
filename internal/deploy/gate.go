package deploy

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/health"
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
	options := health.WaitOptions{
		Budget: gate.Timeout, Interval: gate.Interval, Consecutive: gate.Consecutive,
		OnAttempt: func(a health.Attempt) {
			detail := fmt.Sprintf("%d of %d", a.InARow, a.Needed)
			if !a.Result.Healthy() {
				detail += ": " + a.Result.Reason()
			}
			r.emit("health", Progress, r.redact(detail), 0)
			if b := a.Result.Body; b != nil && label.MatchString(b.ReleaseID) && check.Expect.Release == "" {
				check.Expect.Release = want
			}
		},
	}
	// The expectation is set by what the first answer says, so each attempt takes the check anew.
	options.Prepare = func(_ int, c *health.Check) { c.Expect.Release = check.Expect.Release }
	result, err := r.Prober.Wait(ctx, check, options)
	if err == nil && result.Needed == 1 && check.Expect.Release != "" && result.Outcome == health.Healthy {
		// The one answer that was needed came before it was known that the app tells its release.
		result, err = r.Prober.Wait(ctx, check, options)
	}
	if err != nil {
		return "", err
	}
	if result.Outcome != health.Healthy {
		return "", errs.New(errs.CheckFailed, "%s is not healthy after %s: %s", url, strings.TrimSuffix(gate.Timeout.String(), "0s"), result.Reason).
			WithHint("look at: opsctl logs")
	}
	detail := fmt.Sprintf("%s answered well %d times in a row", url, result.Needed)
	if check.Expect.Release != "" {
		detail += ", as the new release"
	}
	return detail, nil
}
