package deploy_test

import (
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/deploy"
	"github.com/opsctl/opsctl/internal/errs"
)

// The most requests of a deploy that finds nothing to change, the image's registry
// included; rate limits count each (Railway's smallest plan has 100 an hour).
const (
	mostForNothing = 6
	mostForThree   = 25 // of an image update of three machines on Fly.io
)

// counter counts requests, and takes its time with each.
type counter struct {
	latency time.Duration
	n       atomic.Int64
}

func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	c.n.Add(1)
	time.Sleep(c.latency)
	return http.DefaultTransport.RoundTrip(r)
}

func TestADeployOfNothingAsksLittle(t *testing.T) {
	for _, p := range places() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			s := p.stage(t)
			if _, err := s.run(t.Context(), t, nil, "v1"); err != nil {
				t.Fatalf("%v\n%s", err, errs.HintOf(err))
			}
			before := len(s.server.Requests())
			result, err := s.run(t.Context(), t, nil, "v1")
			if err != nil || result.Outcome != deploy.Unchanged {
				t.Fatalf("%+v, %v", result, err)
			}
			list := s.server.Requests()[before:]
			if len(list) > mostForNothing {
				for _, r := range list {
					t.Log(r.Method, r.Path, r.Operation, r.Status)
				}
				t.Errorf("%d requests, want at most %d", len(list), mostForNothing)
			}
		})
	}
}

func TestAnImageUpdateOfThreeMachinesAsksLittle(t *testing.T) {
	s := places()[0].stage(t)
	if _, err := s.three(t, nil, "v1"); err != nil {
		t.Fatalf("%v\n%s", err, errs.HintOf(err))
	}
	before := len(s.server.Requests())
	if _, err := s.three(t, nil, "v2"); err != nil {
		t.Fatalf("%v\n%s", err, errs.HintOf(err))
	}
	list := s.server.Requests()[before:]
	if len(list) > mostForThree {
		for _, r := range list {
			t.Log(r.Method, r.Path, r.Operation, r.Status)
		}
		t.Errorf("%d requests, want at most %d", len(list), mostForThree)
	}
}

// three deploys an image to three machines, without a release command.
func (s *stage) three(tb testing.TB, base http.RoundTripper, image string) (deploy.Result, error) {
	tb.Helper()
	p, err := s.place.open(tb.Context(), lookupIn(s.server.Env()), quick(base))
	if err != nil {
		return deploy.Result{}, err
	}
	e := s.with(p)
	req := s.request(image)
	req.Release.Instances, req.Command = 3, nil
	prepared, err := e.Prepare(tb.Context(), req)
	if err != nil {
		return deploy.Result{}, err
	}
	return e.Apply(tb.Context(), prepared)
}

// BenchmarkDeploy is a deploy over an API that takes 50 ms for each answer: of nothing
// new on every platform, and of a new image to three machines on Fly.io.
func BenchmarkDeploy(b *testing.B) {
	for _, p := range places() {
		b.Run(p.name+"/nothing", func(b *testing.B) {
			s := p.stage(b)
			if _, err := s.three(b, nil, "v1"); err != nil {
				b.Fatal(err)
			}
			net := &counter{latency: 50 * time.Millisecond}
			for b.Loop() {
				if _, err := s.three(b, net, "v1"); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(net.n.Load())/float64(b.N), "requests/op")
		})
	}
	b.Run("fly/three machines", func(b *testing.B) {
		s := places()[0].stage(b)
		if _, err := s.three(b, nil, "v1"); err != nil {
			b.Fatal(err)
		}
		net := &counter{latency: 50 * time.Millisecond}
		images := [2]string{"v2", "v1"}
		for n := 0; b.Loop(); n++ {
			if _, err := s.three(b, net, images[n%2]); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(net.n.Load())/float64(b.N), "requests/op")
	})
}

// Two deploys at once, from two machines: one is refused, and says who holds the lock.
func TestTwoDeploysAtOnce(t *testing.T) {
	for _, p := range places() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			s := p.stage(t)
			if _, err := s.run(t.Context(), t, nil, "v1"); err != nil {
				t.Fatalf("%v\n%s", err, errs.HintOf(err))
			}
			// The first is held up in the middle of its roll-out until the second was refused.
			reached, refused := make(chan struct{}), make(chan struct{})
			first := s.engine(t.Context(), t, nil)
			first.Event = func(e deploy.Event) {
				if e.Step == "roll out" && e.Status == deploy.Started {
					close(reached)
					<-refused
				}
			}
			done := make(chan error, 1)
			go func() {
				prepared, err := first.Prepare(t.Context(), s.request("v2"))
				if err == nil {
					_, err = first.Apply(t.Context(), prepared)
				}
				done <- err
			}()
			select {
			case <-reached:
			case err := <-done:
				t.Fatalf("the first ended early: %v", err)
			}
			second := s.engine(t.Context(), t, nil)
			second.StateDir, second.Holder = filepath.Join(t.TempDir(), "other"), "other@there"
			req := s.request("v1")
			req.Release.Env["LOG_LEVEL"] = "debug"
			prepared, err := second.Prepare(t.Context(), req)
			if err == nil {
				_, err = second.Apply(t.Context(), prepared)
			}
			if errs.ExitCode(err) != 6 || !strings.Contains(err.Error(), "tester@here") {
				t.Errorf("the second: exit %d, %v", errs.ExitCode(err), err)
			}
			close(refused)
			if err := <-done; err != nil {
				t.Errorf("the first: %v", errors.Join(err, errors.New(errs.HintOf(err))))
			}
			if got := s.settled(t.Context(), t); got != "v2" {
				t.Errorf("%q runs", got)
			}
		})
	}
}
