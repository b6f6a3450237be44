package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/health"
	"github.com/opsctl/opsctl/internal/ui"
)

// healthOptions are the flags of `opsctl health`.
type healthOptions struct {
	status       string
	jsonPaths    []string
	bodyContains string
	maxTime      time.Duration
	timeout      time.Duration
	release      string
	host         string
	dial         string
	ip           int
	tlsMinDays   int

	wait        time.Duration
	interval    time.Duration
	consecutive int
	failFastOn  []int
}

func newHealthCmd(a *app) *cobra.Command {
	var o healthOptions
	cmd := &cobra.Command{
		Use:     "health URL...",
		Short:   "Ask a running app how it is",
		GroupID: "ship",
		Long: `Ask a running app how it is: one request to each URL, measured by phase.

The answer must have a status of 200-299, and a body in a known health format
(IETF health+json, Spring Boot, MicroProfile) must not say that the app fails.
The flags ask for more. Redirects are followed, no proxy is used, and each
attempt connects to one address only.

With --wait it asks again until the app has been healthy --consecutive times in
a row. Names under .localhost are this machine.

Exit status: 0 healthy, 2 wrong usage, 3 unhealthy, 7 not healthy within --wait.`,
		Example: `  opsctl health https://erp.example.com/api/health
  opsctl health http://localhost:3000/api/health --wait 2m --fail-fast-on 401,404
  opsctl health https://erp.example.com/api/health --release "$(git rev-parse HEAD)"
  opsctl health https://erp.example.com/readyz --json-path 'checks.db[0].status=pass' --max-time 500ms
  opsctl health http://127.0.0.1:8080/ --host acme.erp.example.com --status 200,302 --json`,
		RunE: func(cmd *cobra.Command, urls []string) error {
			if o.wait == 0 {
				for _, name := range []string{"interval", "consecutive", "fail-fast-on"} {
					if cmd.Flags().Changed(name) {
						return errs.New(errs.Usage, "--%s means nothing without --wait", name).WithHint("add for example --wait 2m")
					}
				}
			}
			return runHealth(cmd.Context(), a, o, urls)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.status, "status", "200-299", "`statuses` that are fine: 200, 200-299 or 2xx, separated by commas")
	f.StringArrayVar(&o.jsonPaths, "json-path", nil, "demand a value of the JSON body, as `PATH=VALUE` (repeatable)")
	f.StringVar(&o.bodyContains, "body-contains", "", "demand a `text` in the body")
	f.DurationVar(&o.maxTime, "max-time", 0, "demand that the whole answer takes no longer")
	f.StringVar(&o.release, "release", "", "demand that this `commit` or version answers (releaseId or version in the body)")
	f.IntVar(&o.tlsMinDays, "tls-min-days", 0, "demand that the certificates are valid for this many `days`")
	f.DurationVar(&o.timeout, "timeout", health.DefaultTimeout, "give up on one request after this time")
	f.StringVar(&o.host, "host", "", "`name` to ask for, in place of the URL's (Host header and TLS)")
	f.StringVar(&o.dial, "dial", "", "connect to this `host:port` in place of the URL's")
	f.IntVar(&o.ip, "ip", 0, "use only IP `version` 4 or 6")
	f.DurationVar(&o.wait, "wait", 0, "ask again until healthy, for at most this time")
	f.DurationVar(&o.interval, "interval", health.DefaultInterval, "pause between two requests of --wait")
	f.IntVar(&o.consecutive, "consecutive", 3, "healthy answers in a row that --wait needs")
	f.IntSliceVar(&o.failFastOn, "fail-fast-on", nil, "`statuses` that end --wait at once, separated by commas")
	return cmd
}

// runHealth probes the URLs, prints what it saw and returns the error that
// carries the exit status.
func runHealth(ctx context.Context, a *app, o healthOptions, urls []string) error {
	checks, err := o.checks(urls)
	if err != nil {
		return err
	}
	p := &health.Prober{UserAgent: "opsctl/" + buildVersion().Version, Now: a.now}
	if o.wait == 0 {
		results := p.ProbeAll(ctx, checks, 0)
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if err := printHealth(a, health.NewReport(results), results, nil); err != nil {
			return err
		}
		return a.healthError(resultErrors(results))
	}
	waits, err := p.WaitAll(ctx, checks, 0, health.WaitOptions{
		Budget: o.wait, Interval: o.interval, Consecutive: o.consecutive, FailFast: o.failFastOn,
		OnAttempt: waitProgress(a, len(checks) > 1),
	})
	if err != nil {
		return err
	}
	var results []health.Result
	var failures []error
	for _, w := range waits {
		results = append(results, w.Last)
		failures = append(failures, w.Err())
	}
	if err := printHealth(a, health.NewWaitReport(waits), results, waits); err != nil {
		return err
	}
	return a.healthError(failures)
}

// checks makes and validates one check per URL.
func (o healthOptions) checks(urls []string) ([]health.Check, error) {
	if len(urls) == 0 {
		return nil, errs.New(errs.Usage, "no URL to ask").WithHint("run: opsctl health https://host/path")
	}
	if err := o.validateNumbers(); err != nil {
		return nil, err
	}
	expect := health.Expect{BodyContains: o.bodyContains, MaxLatency: o.maxTime, Release: o.release, TLSDays: o.tlsMinDays}
	var err error
	if expect.Status, err = health.ParseStatuses(o.status); err != nil {
		return nil, err
	}
	for _, s := range o.jsonPaths {
		as, err := health.ParseJSONAssert(s)
		if err != nil {
			return nil, err
		}
		expect.JSON = append(expect.JSON, as)
	}
	checks := make([]health.Check, len(urls))
	for i, u := range urls {
		checks[i] = health.Check{URL: u, Host: o.host, DialAddr: o.dial, Family: health.Family(o.ip), Timeout: o.timeout, Expect: expect}
		if err := checks[i].Validate(); err != nil {
			return nil, err
		}
	}
	return checks, nil
}

func (o healthOptions) validateNumbers() error {
	for name, d := range map[string]time.Duration{"timeout": o.timeout, "interval": o.interval} {
		if d <= 0 {
			return errs.New(errs.Usage, "--%s must be longer than 0", name).WithHint("write it like 10s or 500ms")
		}
	}
	for name, d := range map[string]time.Duration{"wait": o.wait, "max-time": o.maxTime} {
		if d < 0 {
			return errs.New(errs.Usage, "--%s must not be negative", name).WithHint("write it like 2m or 500ms")
		}
	}
	if o.consecutive < 1 {
		return errs.New(errs.Usage, "--consecutive must be at least 1")
	}
	for _, s := range o.failFastOn {
		if s < 100 || s > 599 {
			return errs.New(errs.Usage, "--fail-fast-on %d is no HTTP status", s).WithHint("write statuses like 401,404")
		}
	}
	return nil
}

func resultErrors(results []health.Result) []error {
	out := make([]error, len(results))
	for i, r := range results {
		if !r.Healthy() {
			out[i] = errs.New(errs.CheckFailed, "%s is unhealthy: %s", r.Name, r.Reason())
		}
	}
	return out
}

// healthError folds the failures into one: unhealthy counts more than timed
// out. In text the blocks have told the reasons already; in JSON the error is
// one more object on stderr.
func (a *app) healthError(failures []error) error {
	total := len(failures)
	failures = slices.DeleteFunc(failures, func(err error) bool { return err == nil })
	if len(failures) == 0 {
		return nil
	}
	worst := failures[0]
	for _, err := range failures {
		if errs.CodeOf(err) == errs.CheckFailed {
			worst = err
			break
		}
	}
	if !a.global.JSON {
		return silent(errs.CodeOf(worst))
	}
	if total > 1 {
		return errs.Wrap(worst, errs.CodeOf(worst), "%d of %d are not healthy", len(failures), total)
	}
	return worst
}

// waitProgress tells on stderr how the wait goes: a line whenever the state
// or the reason changes, every attempt with --verbose.
func waitProgress(a *app, several bool) func(health.Attempt) {
	if a.global.Quiet || a.global.JSON {
		return nil
	}
	var mu sync.Mutex
	last := map[string]string{}
	return func(at health.Attempt) {
		mu.Lock()
		defer mu.Unlock()
		mark, text := ui.OK, fmt.Sprintf("healthy %d of %d times", at.InARow, at.Needed)
		if !at.Result.Healthy() {
			mark, text = ui.Fail, at.Result.Reason()
		}
		if last[at.Result.Name] == text && !a.global.Verbose {
			return
		}
		last[at.Result.Name] = text
		if several {
			text = at.Result.Name + ": " + text
		}
		fmt.Fprintf(a.io.Err, "%s %s %s\n", mark, text, ui.Faint(fmt.Sprintf("(attempt %d, %s)", at.N, strings.TrimSpace(ui.Duration(at.Elapsed)))))
	}
}
