package deploy_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/deploy"
	"github.com/opsctl/opsctl/internal/errs"
)

var (
	faultSeed      = flag.Uint64("faults.seed", 0, "seed of the fault schedules; 0 takes a new one")
	faultSchedules = flag.Int("faults.schedules", 300, "how many fault schedules to try, over all platforms")
)

// faultKind is what goes wrong with a request.
type faultKind string

// The kinds. Late ones are carried out, and the answer is lost.
const (
	refused429 faultKind = "429"
	broken500  faultKind = "500"
	broken503  faultKind = "503"
	reset      faultKind = "reset"
	late502    faultKind = "late 502"
	lateReset  faultKind = "late reset" // as a time-out looks that comes after the work is done
)

func faultKinds() []faultKind {
	return []faultKind{refused429, broken500, broken503, reset, late502, lateReset}
}

// faulty is a network on which some requests go wrong: those with the numbers in at.
type faulty struct {
	at    map[int64]faultKind
	next  http.RoundTripper
	count atomic.Int64
	mu    sync.Mutex
	met   []string
}

func (f *faulty) RoundTrip(r *http.Request) (*http.Response, error) {
	n := f.count.Add(1) - 1
	kind, ok := f.at[n]
	if !ok {
		return f.next.RoundTrip(r)
	}
	f.mu.Lock()
	f.met = append(f.met, fmt.Sprintf("%s at %d: %s %s", kind, n, r.Method, r.URL.Path))
	f.mu.Unlock()
	if kind == late502 || kind == lateReset {
		resp, err := f.next.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	} else if r.Body != nil {
		_ = r.Body.Close()
	}
	status := map[faultKind]int{refused429: 429, broken500: 500, broken503: 503, late502: 502}[kind]
	if status == 0 {
		if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && kind == reset { // as if it had been sent
			trace.GetConn(r.URL.Host)
			trace.WroteHeaders()
		}
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	}
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(`{"error":"injected"}`)),
	}, nil
}

// Each single request of a deploy fails once, in one of the ways by turns (the schedules
// below take all of them): the deploy still ends
// right, or puts back what ran, and the next one ends right whatever this one left.
func TestEverySingleRequestMayFail(t *testing.T) {
	for _, p := range places() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			total := countRequests(t, p)
			t.Logf("%d requests", total)
			for n := range total {
				if underRace && n%5 != 0 {
					continue
				}
				kind := faultKinds()[n%int64(len(faultKinds()))]
				t.Run(fmt.Sprintf("%d %s", n, kind), func(t *testing.T) {
					t.Parallel()
					tryFaults(t, p, map[int64]faultKind{n: kind})
				})
			}
		})
	}
}

// Many faults, by chance. The seed is printed; -faults.seed repeats a run.
func TestFaultSchedules(t *testing.T) {
	seed := *faultSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-faults.seed=%d", seed)
	schedules := *faultSchedules
	if testing.Short() || underRace {
		schedules = 30
	}
	all := places()
	totals := make([]int64, len(all))
	for i, p := range all {
		totals[i] = countRequests(t, p)
	}
	for n := range schedules {
		i := n % len(all)
		r := rand.New(rand.NewPCG(seed, uint64(n)))
		at := map[int64]faultKind{}
		for range 1 + r.IntN(4) {
			at[r.Int64N(totals[i]+5)] = faultKinds()[r.IntN(len(faultKinds()))]
		}
		t.Run(fmt.Sprintf("%s %d", all[i].name, n), func(t *testing.T) {
			t.Parallel()
			tryFaults(t, all[i], at)
		})
	}
}

// countRequests is how many requests an update makes when nothing goes wrong.
func countRequests(t *testing.T, p place) int64 {
	t.Helper()
	s := p.stage(t)
	if _, err := s.run(t.Context(), t, nil, "v1"); err != nil {
		t.Fatalf("%v\n%s", err, errs.HintOf(err))
	}
	f := &faulty{}
	if _, err := s.run(t.Context(), t, f, "v2"); err != nil {
		t.Fatalf("%v\n%s", err, errs.HintOf(err))
	}
	return f.count.Load()
}

// tryFaults deploys over what runs on a network with faults, then again on a good one.
func tryFaults(t *testing.T, p place, at map[int64]faultKind) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	s := p.stage(t)
	if _, err := s.run(ctx, t, nil, "v1"); err != nil {
		t.Fatalf("without faults: %v\n%s", err, errs.HintOf(err))
	}
	f := &faulty{at: at}
	result, err := s.run(ctx, t, f, "v2")
	t.Logf("%v: outcome %q, %v", f.met, result.Outcome, err)
	switch {
	case err == nil:
		if got := s.settled(ctx, t); result.Outcome != deploy.Deployed || got != "v2" {
			t.Errorf("it ended well, as %q, and %q runs", result.Outcome, got)
		}
	case errs.CodeOf(err) == errs.RolledBack:
		if got := s.settled(ctx, t); got != "v1" {
			t.Errorf("it says that it was rolled back, and %q runs", got)
		}
	case errs.CodeOf(err) == errs.Partial: // it says that it does not know
	case errors.Is(err, context.DeadlineExceeded):
		t.Fatalf("it did not end: %v", err)
	case result.Outcome == "": // refused while it was prepared
		if got := s.settled(ctx, t); got != "v1" {
			t.Errorf("it was refused, and %q runs", got)
		}
	case strings.Contains(err.Error(), "before any instance was changed"):
		if got := s.settled(ctx, t); got != "v1" {
			t.Errorf("it says that nothing was changed, and %q runs", got)
		}
	default:
		t.Errorf("an end that no contract knows: %q, %v", result.Outcome, err)
	}
	if t.Failed() {
		return
	}
	if _, err := s.run(ctx, t, nil, "v2"); err != nil {
		t.Fatalf("the next deploy: %v\n%s", err, errs.HintOf(err))
	}
	if got := s.settled(ctx, t); got != "v2" {
		t.Errorf("after the next deploy %q runs", got)
	}
}
