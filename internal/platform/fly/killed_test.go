package fly_test

import (
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/httpx"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/platform/fly"
)

// dying lets so many requests through; after them nothing, as if its process were gone.
type dying struct{ left atomic.Int64 }

func (d *dying) RoundTrip(r *http.Request) (*http.Response, error) {
	if d.left.Add(-1) < 0 {
		return nil, errors.New("killed")
	}
	return http.DefaultTransport.RoundTrip(r)
}

// A blue-green roll-out that is killed at any request is made good by the next
// roll-out, whatever its strategy: the right machines, all of them with visitors.
func TestABlueGreenRollOutThatIsKilled(t *testing.T) {
	var finished atomic.Bool
	for n := int64(2); n <= 29; n += 3 {
		next := []string{"bluegreen", "rolling", "canary"}[n/3%3]
		t.Run(fmt.Sprintf("request %d, then %s", n, next), func(t *testing.T) {
			s := newSuite(t)
			s.rollOut("1", "rolling", nil)
			r := s.release("2", "bluegreen", func(r *platform.Release) { r.Timeout = 2 * time.Second })
			env := s.server.Env()
			d := &dying{}
			d.left.Store(n)
			killed, err := fly.New(t.Context(), fly.Options{
				Lookup: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
				HTTP:   httpx.Options{UserAgent: "opsctl/test", MaxAttempts: 1, Base: d},
				Sleep:  quick,
			})
			s.must(err)
			_, err = killed.RollOut(t.Context(), "suite", r, silent)
			if err == nil {
				finished.Store(true)
			}
			if _, err := s.get("/env?name=COLOR"); err != nil {
				t.Errorf("killed, and a visitor is not answered: %v", err)
			}
			s.rollOut("1", next, nil)
			state := s.observe()
			if len(state.Instances) != 2 || state.Mixed || state.Current.Env["COLOR"] != "1"+next {
				t.Fatalf("%+v", state.Instances)
			}
			for _, i := range state.Instances {
				if i.Health != platform.Healthy {
					t.Errorf("%+v", i)
				}
			}
			if got, err := s.get("/env?name=COLOR"); err != nil || got != "1"+next {
				t.Errorf("a visitor sees %q, %v", got, err)
			}
		})
	}
	t.Cleanup(func() {
		if !finished.Load() {
			t.Error("the last one was killed too: the numbers do not reach the end of a roll-out")
		}
	})
}

// Of a machine that was never there, the wait does not last for ever.
func TestAMachineThatIsNotSeen(t *testing.T) {
	s := newSuite(t)
	s.fault("GET /v1/apps/suite/machines/*=404")
	r := s.release("1", "rolling", func(r *platform.Release) { r.Instances, r.Timeout = 1, 3*time.Second })
	began := time.Now()
	if _, err := s.p.RollOut(t.Context(), "suite", r, silent); err == nil || time.Since(began) > 20*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}
