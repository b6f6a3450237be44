package deploy_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/deploy"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/health"
)

// killer is a network that kills its own process at a request, before it is sent or
// after its answer was received.
type killer struct {
	at    int64
	after bool
	count atomic.Int64
}

func (k *killer) RoundTrip(r *http.Request) (*http.Response, error) {
	mine := k.count.Add(1)-1 == k.at
	if mine && !k.after {
		kill()
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if mine {
		kill()
	}
	return resp, err
}

func kill() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // until it comes
}

// crashJob is a deploy for a process of its own.
type crashJob struct {
	Place, Registry, Image, Dir string
	Env                         map[string]string
	At                          int64
	After                       bool
}

// crashingDeploy is that process: it never comes to its end if it has a request to die at.
func crashingDeploy() error {
	var job crashJob
	if err := json.NewDecoder(os.Stdin).Decode(&job); err != nil {
		return err
	}
	for _, p := range places() {
		if p.name != job.Place {
			continue
		}
		ctx := context.Background()
		adapter, err := p.open(ctx, lookupIn(job.Env), quick(&killer{at: job.At, after: job.After}))
		if err != nil {
			return err
		}
		e := &deploy.Engine{Platform: adapter, StateDir: job.Dir, Holder: "tester@here", Prober: &health.Prober{}, Sleep: pause}
		prepared, err := e.Prepare(ctx, requestFor(p, job.Registry, job.Image))
		if err != nil {
			return err
		}
		_, err = e.Apply(ctx, prepared)
		return err
	}
	return fmt.Errorf("no place %q", job.Place)
}

// A deploy is killed at each of its requests; the next one finds one app, ends with the
// right version everywhere, and leaves no lock.
func TestADeployThatIsKilledIsTakenUp(t *testing.T) {
	for _, p := range places() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			total := countRequests(t, p)
			for _, first := range []bool{true, false} { // a first deploy, an update
				for n := range total {
					if underRace && n%9 != 0 {
						continue
					}
					if first && n%3 != 0 { // the end of it is the same; a third is enough
						continue
					}
					after := n%2 == 1
					t.Run(fmt.Sprintf("first=%v at=%d after=%v", first, n, after), func(t *testing.T) {
						t.Parallel()
						killAndTakeUp(t, p, first, n, after)
					})
				}
			}
		})
	}
}

func killAndTakeUp(t *testing.T, p place, first bool, at int64, after bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	s := p.stage(t)
	if !first {
		if _, err := s.run(ctx, t, nil, "v1"); err != nil {
			t.Fatalf("before: %v\n%s", err, errs.HintOf(err))
		}
	}
	job, err := json.Marshal(crashJob{Place: p.name, Env: s.server.Env(), Dir: s.dir, Registry: s.server.Host(), Image: "v2", At: at, After: after})
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(ctx, self)
	child.Env = append(os.Environ(), "OPSCTL_TEST_ROLE=crash")
	child.Stdin = r
	go func() {
		_, _ = w.Write(job)
		_ = w.Close()
	}()
	out, err := child.CombinedOutput()
	_ = r.Close()
	var died *exec.ExitError
	if errors.As(err, &died) && died.Exited() {
		t.Fatalf("it was to be killed, and ended by itself: %v\n%s", err, out)
	}
	if _, err := s.run(ctx, t, nil, "v2"); err != nil {
		t.Fatalf("the next deploy: %v\n%s", err, errs.HintOf(err))
	}
	if got := s.settled(ctx, t); got != "v2" {
		t.Errorf("%q runs, want v2", strconv.Quote(got))
	}
	if list, err := s.engine(ctx, t, nil).Platform.Releases(ctx, "shop", 20); err != nil {
		t.Error(err)
	} else {
		for _, entry := range list[1:] {
			if entry.Status == "running" {
				t.Errorf("an entry of the ledger is still open: %+v", entry)
			}
		}
	}
}
