package health

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
)

// fakeTime advances only by sleeping, and by cost for each probe.
type fakeTime struct {
	now   time.Time
	slept []time.Duration
}

func (f *fakeTime) options(o WaitOptions) WaitOptions {
	f.now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	o.Now = func() time.Time { return f.now }
	o.Sleep = func(ctx context.Context, d time.Duration) error {
		f.now = f.now.Add(d)
		f.slept = append(f.slept, d)
		return ctx.Err()
	}
	o.Rand = func() float64 { return 0.5 } // exactly the interval
	return o
}

// sequence answers with the statuses in turn, the last one for ever.
func sequence(statuses ...int) http.HandlerFunc {
	var n atomic.Int64
	return func(w http.ResponseWriter, _ *http.Request) {
		i := min(int(n.Add(1)), len(statuses)) - 1
		w.WriteHeader(statuses[i])
	}
}

func TestWait(t *testing.T) {
	notFound := fixedResolver{err: &net.DNSError{Err: "no such host", Name: "new.example", IsNotFound: true}}
	tests := []struct {
		name     string
		answers  http.HandlerFunc
		url      string
		resolver Resolver
		o        WaitOptions
		outcome  Outcome
		attempts int
		reason   string
		exit     int
	}{
		{name: "at once", answers: sequence(200), outcome: Healthy, attempts: 1},
		{name: "after a while", answers: sequence(503, 502, 200), outcome: Healthy, attempts: 3},
		{name: "three in a row", answers: sequence(200, 200, 503, 200, 200, 200), o: WaitOptions{Consecutive: 3}, outcome: Healthy, attempts: 6},
		{name: "never", answers: sequence(503), o: WaitOptions{Budget: 10 * time.Second}, outcome: TimedOut, attempts: 5,
			reason: "status 503, expected 200-299", exit: 7},
		{name: "flapping", answers: sequence(200, 503, 200, 503, 200), o: WaitOptions{Budget: 10 * time.Second, Consecutive: 3}, outcome: TimedOut, attempts: 5,
			reason: "only 1 of 3 successes in a row, the last failure: status 503", exit: 7},
		{name: "almost", answers: sequence(200), o: WaitOptions{Budget: 4 * time.Second, Consecutive: 3}, outcome: TimedOut, attempts: 2,
			reason: "only 2 of 3 successes in a row", exit: 7},
		{name: "fail fast", answers: sequence(503, 404), o: WaitOptions{FailFast: []int{401, 404}}, outcome: Unhealthy, attempts: 2,
			reason: "status 404, expected 200-299", exit: 3},
		{name: "a name that does not exist is waited for half the budget", url: "http://new.example/", resolver: notFound,
			o: WaitOptions{Budget: 20 * time.Second}, outcome: Unhealthy, attempts: 6, reason: "no such host: new.example", exit: 3},
		{name: "connection refused is waited for", url: "http://" + closedPort(t), o: WaitOptions{Budget: 6 * time.Second}, outcome: TimedOut, attempts: 3,
			reason: "connection refused by 127.0.0.1:", exit: 7},
		{name: "a wrong check is not", url: "nonsense", outcome: Unhealthy, attempts: 1, reason: `cannot probe "nonsense"`, exit: 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.url == "" {
				tt.url = serve(t, tt.answers)
			}
			var f fakeTime
			w, err := (&Prober{Resolver: tt.resolver}).Wait(t.Context(), Check{URL: tt.url}, f.options(tt.o))
			if err != nil {
				t.Fatal(err)
			}
			if w.Outcome != tt.outcome || w.Attempts != tt.attempts || !strings.HasPrefix(w.Reason, tt.reason) || (w.Reason == "") != (tt.reason == "") {
				t.Errorf("= %s after %d: %q, want %s after %d: %q", w.Outcome, w.Attempts, w.Reason, tt.outcome, tt.attempts, tt.reason)
			}
			if got := errs.ExitCode(w.Err()); got != tt.exit {
				t.Errorf("exit %d (%v), want %d", got, w.Err(), tt.exit)
			}
			if len(f.slept) != tt.attempts-1 || slices.ContainsFunc(f.slept, func(d time.Duration) bool { return d != DefaultInterval }) {
				t.Errorf("slept %v", f.slept)
			}
		})
	}
}

func TestWaitNeverExceedsItsBudget(t *testing.T) {
	addr := rawServer(t, drip("HTTP/1.1 200 OK\r\n\r\n"))
	begin := time.Now()
	w, err := (&Prober{}).Wait(t.Context(), Check{URL: "http://" + addr}, WaitOptions{Budget: 200 * time.Millisecond, Interval: 10 * time.Millisecond})
	if err != nil || w.Outcome != TimedOut {
		t.Errorf("%+v, %v", w, err)
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
}

// The timeout that the end of the budget causes does not hide why the app was
// not healthy before.
func TestWaitRemembersTheRealReason(t *testing.T) {
	var n atomic.Int64
	stop := make(chan struct{})
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	})
	defer close(stop)
	w, err := (&Prober{}).Wait(t.Context(), Check{URL: u}, WaitOptions{Budget: 300 * time.Millisecond, Interval: 10 * time.Millisecond})
	if err != nil || w.Outcome != TimedOut || !strings.HasPrefix(w.Reason, "status 503") {
		t.Errorf("%s %q, %v", w.Outcome, w.Reason, err)
	}
}

func TestWaitPreparesAndReports(t *testing.T) {
	good, bad := serve(t, sequence(200)), serve(t, sequence(503))
	var attempts []Attempt
	var f fakeTime
	o := f.options(WaitOptions{
		Consecutive: 2,
		Prepare: func(n int, c *Check) {
			c.DialAddr = strings.TrimPrefix(bad, "http://")
			if n > 1 {
				c.DialAddr = strings.TrimPrefix(good, "http://")
			}
		},
		OnAttempt: func(a Attempt) { attempts = append(attempts, a) },
	})
	w, err := (&Prober{Resolver: noResolver{}}).Wait(t.Context(), Check{URL: "http://erp.example.com/"}, o)
	if err != nil || w.Outcome != Healthy {
		t.Fatalf("%+v, %v", w, err)
	}
	var got []string
	for _, a := range attempts {
		got = append(got, a.Result.Remote+" "+string(a.Result.State)+" "+a.Elapsed.String()+" "+a.Next.String())
	}
	g, b := strings.TrimPrefix(good, "http://"), strings.TrimPrefix(bad, "http://")
	want := []string{b + " fail 0s 2s", g + " pass 2s 2s", g + " pass 4s 0s"}
	if !slices.Equal(got, want) {
		t.Errorf("attempts %q, want %q", got, want)
	}
}

func TestWaitEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	u := serve(t, sequence(503))
	var f fakeTime
	o := f.options(WaitOptions{OnAttempt: func(Attempt) { cancel() }})
	if _, err := (&Prober{}).Wait(ctx, Check{URL: u}, o); !errors.Is(err, context.Canceled) || errs.ExitCode(err) != 130 {
		t.Errorf("err = %v", err)
	}
}

func TestWaitAll(t *testing.T) {
	checks := []Check{{URL: serve(t, sequence(503, 200))}, {URL: serve(t, sequence(404))}}
	o := WaitOptions{Interval: time.Millisecond, FailFast: []int{404}}
	ws, err := (&Prober{}).WaitAll(t.Context(), checks, 0, o)
	if err != nil || ws[0].Outcome != Healthy || ws[1].Outcome != Unhealthy {
		t.Errorf("%+v, %v", ws, err)
	}
}

// Whatever the random number, a pause stays within a fifth of the interval.
func TestPauseIsJittered(t *testing.T) {
	for _, r := range []float64{0, 0.25, 0.5, 0.999999} {
		o := WaitOptions{Interval: time.Second, Rand: func() float64 { return r }}
		if d := o.pause(); d < 800*time.Millisecond || d > 1200*time.Millisecond {
			t.Errorf("pause(%v) = %v", r, d)
		}
	}
}
