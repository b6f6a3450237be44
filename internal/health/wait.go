package health

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
)

// Defaults of WaitOptions.
const (
	DefaultBudget      = 2 * time.Minute
	DefaultInterval    = 2 * time.Second
	DefaultConsecutive = 1
)

// WaitOptions says how long and how hard Wait tries.
type WaitOptions struct {
	Budget      time.Duration // for everything; 0 means DefaultBudget
	Interval    time.Duration // between attempts, jittered by a fifth; 0 means DefaultInterval
	Consecutive int           // successes in a row that are needed; 0 means DefaultConsecutive
	FailFast    []int         // statuses that waiting does not cure, for example 401 and 404

	// Prepare may change the check before each attempt, for example its
	// DialAddr to that of the machine whose turn it is. May be nil.
	Prepare func(attempt int, c *Check)
	// OnAttempt is told about each attempt. May be nil.
	OnAttempt func(Attempt)

	Now   func() time.Time                                 // time.Now when nil
	Sleep func(ctx context.Context, d time.Duration) error // sleeps for real when nil
	Rand  func() float64                                   // in [0,1); math/rand when nil
}

// Attempt is the progress of Wait after one probe.
type Attempt struct {
	N       int // the first is 1
	InARow  int // successes up to now
	Needed  int
	Result  Result
	Elapsed time.Duration
	Next    time.Duration // until the next attempt, 0 when there is none
}

// Outcome is how a wait ended.
type Outcome string

// The outcomes.
const (
	Healthy   Outcome = "healthy"
	Unhealthy Outcome = "unhealthy" // waiting longer would not help
	TimedOut  Outcome = "timed_out"
)

// WaitResult is the end of a wait.
type WaitResult struct {
	Outcome  Outcome
	Attempts int
	InARow   int
	Needed   int
	Budget   time.Duration
	Elapsed  time.Duration
	Last     Result // the last probe
	// Reason is why the app is not healthy: the last failure that was the
	// app's own, not one that the end of the budget caused. Empty when Healthy.
	Reason string
}

// Err is nil for Healthy, else an error with exit 3 (unhealthy) or 7 (timed out).
func (w WaitResult) Err() error {
	switch w.Outcome {
	case Healthy:
		return nil
	case TimedOut:
		return errs.New(errs.Timeout, "%s was not healthy within %s: %s", w.Last.Name, w.Budget, w.Reason).
			WithHint("look at the app's logs, or wait longer with --wait")
	default:
		return errs.New(errs.CheckFailed, "%s is unhealthy: %s", w.Last.Name, w.Reason)
	}
}

// Wait probes until the check has passed the needed number of times in a row,
// the budget is over, or waiting has become pointless: a status of FailFast, a
// check that is wrong in itself, or a name that still does not exist after half
// of the budget. The error is the context's when it ends first.
func (p *Prober) Wait(ctx context.Context, c Check, o WaitOptions) (WaitResult, error) {
	o = o.withDefaults()
	start := o.Now()
	w := WaitResult{Needed: o.Consecutive, Budget: o.Budget}
	for {
		left := o.Budget - o.Now().Sub(start)
		attempt, cut := c, false
		if o.Prepare != nil {
			o.Prepare(w.Attempts+1, &attempt)
		}
		if left < attempt.timeout() {
			attempt.Timeout, cut = max(left, time.Millisecond), true
		}
		w.Attempts++
		w.Last = p.Probe(ctx, attempt)
		w.Elapsed = o.Now().Sub(start)
		if err := ctx.Err(); err != nil {
			return w, fmt.Errorf("wait for %s: %w", w.Last.Name, context.Cause(ctx))
		}
		w.note(cut)
		done := w.finished(o)
		pause := time.Duration(0)
		if !done {
			pause = o.pause()
			if w.Elapsed+pause >= o.Budget {
				w.Outcome, done, pause = TimedOut, true, 0
			}
		}
		o.report(w, pause)
		if done {
			return w.end(o), nil
		}
		if err := o.Sleep(ctx, pause); err != nil {
			return w, fmt.Errorf("wait for %s: %w", w.Last.Name, err)
		}
	}
}

// note counts the last probe and remembers why it failed. A timeout that the
// end of the budget caused says less than the failure before it.
func (w *WaitResult) note(cut bool) {
	if w.Last.Healthy() {
		w.InARow++
		return
	}
	w.InARow = 0
	if cut && w.Last.Failure() == FailTimeout && w.Reason != "" {
		return
	}
	w.Reason = w.Last.Reason()
}

// finished decides whether the last probe ends the wait.
func (w *WaitResult) finished(o WaitOptions) bool {
	switch f := w.Last.Failure(); {
	case w.InARow >= o.Consecutive:
		w.Outcome = Healthy
	case w.Last.Healthy():
		return false
	case f == FailCheck:
		w.Outcome = Unhealthy
	case w.Last.Status != 0 && slices.Contains(o.FailFast, w.Last.Status):
		w.Outcome = Unhealthy
	case f == FailNoHost && w.Elapsed >= o.Budget/2:
		w.Outcome = Unhealthy
	default:
		return false
	}
	return true
}

// end completes the result.
func (w WaitResult) end(o WaitOptions) WaitResult {
	if w.Outcome == Healthy {
		w.Reason = ""
		return w
	}
	if w.Outcome == TimedOut && w.InARow > 0 {
		why := fmt.Sprintf("only %d of %d successes in a row", w.InARow, o.Consecutive)
		if w.Reason != "" {
			why += ", the last failure: " + w.Reason
		}
		w.Reason = why
	}
	return w
}

func (o WaitOptions) withDefaults() WaitOptions {
	if o.Budget <= 0 {
		o.Budget = DefaultBudget
	}
	if o.Interval <= 0 {
		o.Interval = DefaultInterval
	}
	if o.Consecutive <= 0 {
		o.Consecutive = DefaultConsecutive
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	return o
}

// pause is the interval, give or take a fifth, so that many waiters spread out.
func (o WaitOptions) pause() time.Duration {
	return time.Duration(float64(o.Interval) * (0.8 + 0.4*o.Rand()))
}

func (o WaitOptions) report(w WaitResult, next time.Duration) {
	if o.OnAttempt != nil {
		o.OnAttempt(Attempt{N: w.Attempts, InARow: w.InARow, Needed: o.Consecutive, Result: w.Last, Elapsed: w.Elapsed, Next: next})
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
