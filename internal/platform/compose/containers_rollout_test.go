package compose_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/execx"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/platform/compose"
)

func silent(string, ...any) {}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.HintOf(err))
	}
}

// begin opens a release of an image of the tests.
func begin(t *testing.T, p *compose.Platform, image string, change func(*platform.Release)) platform.Release {
	t.Helper()
	resolved, err := p.ResolveImage(t.Context(), app, image)
	must(t, err)
	r := platform.Release{
		Image: resolved.Pinned(), Port: 3000, Health: "/api/health", Instances: 2, Strategy: "rolling", Timeout: 30 * time.Second,
		Label: "label-" + image[strings.LastIndex(image, ":")+1:],
	}
	if change != nil {
		change(&r)
	}
	r, err = p.BeginRelease(t.Context(), app, r)
	must(t, err)
	return r
}

// release brings one up.
func release(t *testing.T, p *compose.Platform, image string, change func(*platform.Release)) platform.Release {
	t.Helper()
	r := begin(t, p, image, change)
	_, err := p.RollOut(t.Context(), app, r, silent)
	must(t, err)
	must(t, p.EndRelease(t.Context(), app, r, platform.Complete))
	return r
}

// Visitors whose requests take a while hammer the app through releases, a rollback
// and a change of scale. The app drops what is under way when it is stopped, so each
// request that was let finish is one that the front saw to its end.
func TestContainersNoRequestIsLost(t *testing.T) {
	r := needRig(t)
	publish := freePort(t)
	p := r.client(t, publish, nil)
	must(t, p.CreateApp(t.Context(), platform.AppSpec{Name: app}))
	const slow = "localhost/opsctl-test/suite:slow"
	first := release(t, p, slow, func(r *platform.Release) { r.Label = "one" })

	ctx, stop := context.WithCancel(t.Context())
	var visitors sync.WaitGroup
	var answered, failed atomic.Int64
	for range 10 {
		visitors.Go(func() {
			for ctx.Err() == nil {
				resp, err := http.Post("http://"+publish+"/", "text/plain", strings.NewReader(strings.Repeat("x", 1000)))
				if err != nil {
					failed.Add(1)
					t.Errorf("a visitor: %v", err)
					return
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK || err != nil || !strings.HasSuffix(string(body), " 1000") {
					failed.Add(1)
					t.Errorf("a visitor: %d %q %v", resp.StatusCode, body, err)
					return
				}
				answered.Add(1)
			}
		})
	}
	release(t, p, slow, func(r *platform.Release) { r.Label, r.Strategy = "two", "bluegreen" })
	release(t, p, slow, func(r *platform.Release) { r.Label = "three" })
	_, err := p.Restore(t.Context(), app, first, silent)
	must(t, err)
	for _, n := range []int{3, 1} {
		must(t, p.Scale(t.Context(), app, platform.Scale{Instances: n}, silent))
	}
	stop()
	visitors.Wait()
	if n := answered.Load(); failed.Load() == 0 && n < 50 {
		t.Errorf("only %d requests", n)
	}
	t.Logf("%d requests answered, %d not", answered.Load(), failed.Load())
}

func TestContainersACrashEndsARollOutEarly(t *testing.T) {
	r := needRig(t)
	publish := freePort(t)
	p := r.client(t, publish, nil)
	must(t, p.CreateApp(t.Context(), platform.AppSpec{Name: app}))
	good := release(t, p, "localhost/opsctl-test/suite:1", nil)
	bad := begin(t, p, "localhost/opsctl-test/suite:crash", func(r *platform.Release) { r.Timeout = 5 * time.Minute })
	began := time.Now()
	_, err := p.RollOut(t.Context(), app, bad, silent)
	if errs.CodeOf(err) != errs.Failure || !strings.Contains(err.Error(), "exit code 7") || !strings.Contains(errs.HintOf(err), "hello") {
		t.Errorf("%v\n%s", err, errs.HintOf(err))
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
	state, err := p.Observe(t.Context(), app)
	must(t, err)
	if state.Current.Version != good.Version || state.Mixed || len(state.Instances) != 2 {
		t.Errorf("visitors were touched: %+v", state)
	}
}

// dying is an adapter whose process is killed after some commands: all that it
// starts then fails, and what it began is left as it is.
func (r *rig) dying(t *testing.T, publish string, commands int64) *compose.Platform {
	t.Helper()
	var n atomic.Int64
	return r.client(t, publish, func(o *compose.Options) {
		o.Run = func(ctx context.Context, c execx.Cmd) error {
			if n.Add(1) > commands {
				return errors.New("killed")
			}
			c.Path = r.bin
			return execx.Run(ctx, c)
		}
	})
}

// Wherever a deploy is killed, the next one ends well: the right version, on the right
// number of containers, and nothing else.
func TestContainersKilledAnywhere(t *testing.T) {
	r := needRig(t)
	publish := freePort(t)
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	p := r.client(t, publish, nil)
	for i := range 4 {
		commands := 1 + random.Int64N(45)
		killed := r.dying(t, publish, commands)
		err := killed.CreateApp(t.Context(), platform.AppSpec{Name: app})
		if err == nil {
			resolved, e := killed.ResolveImage(t.Context(), app, "localhost/opsctl-test/suite:1")
			rel := platform.Release{Image: resolved.Pinned(), Port: 3000, Health: "/api/health", Instances: 3, Timeout: 20 * time.Second, Label: "killed"}
			if err = e; err == nil {
				rel, err = killed.BeginRelease(t.Context(), app, rel)
			}
			if err == nil {
				_, err = killed.RollOut(t.Context(), app, rel, silent)
			}
		}
		t.Logf("killed after %d commands: %v", commands, err)
		must(t, p.CreateApp(t.Context(), platform.AppSpec{Name: app}))
		label := fmt.Sprintf("after-%d", i)
		want := release(t, p, "localhost/opsctl-test/suite:2", func(r *platform.Release) { r.Label = label })
		state, err := p.Observe(t.Context(), app)
		must(t, err)
		if state.Current.Version != want.Version || state.Mixed || len(state.Instances) != 2 {
			t.Fatalf("after %d commands: %+v", commands, state)
		}
		if body, err := visit(t.Context(), publish, "/api/health"); err != nil || !strings.Contains(body, label) {
			t.Fatalf("after %d commands, a visitor: %q, %v", commands, body, err)
		}
	}
}

// After a restart of its machine, which the front does not see coming, the app is
// reached as before.
func TestContainersTheFrontRemembers(t *testing.T) {
	r := needRig(t)
	publish := freePort(t)
	p := r.client(t, publish, nil)
	must(t, p.CreateApp(t.Context(), platform.AppSpec{Name: app}))
	value := "kept"
	must(t, p.StageSecrets(t.Context(), app, map[string]*string{"KEPT": &value}))
	release(t, p, "localhost/opsctl-test/suite:1", nil)
	r.docker(t, "kill", app+"-opsctl-front-1")
	set, err := p.ReadVariables(t.Context(), app) // without the front
	must(t, err)
	if len(set.Values) != 1 || set.Values[0].Value != value {
		t.Errorf("%+v", set)
	}
	r.docker(t, "start", app+"-opsctl-front-1")
	var last error
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if _, last = visit(t.Context(), publish, "/api/health"); last == nil {
			break
		}
	}
	must(t, last)
	// One that somebody has removed is made anew by the next deploy.
	r.docker(t, "rm", "--force", app+"-opsctl-front-1")
	release(t, p, "localhost/opsctl-test/suite:2", nil)
	if body, err := visit(t.Context(), publish, "/api/health"); err != nil || !strings.Contains(body, "label-2") {
		t.Errorf("%q, %v", body, err)
	}
}

func TestContainersAPortThatIsTaken(t *testing.T) {
	r := needRig(t)
	l, err := net.Listen("tcp", freePort(t))
	must(t, err)
	defer l.Close()
	err = r.client(t, l.Addr().String(), nil).CreateApp(t.Context(), platform.AppSpec{Name: app})
	if errs.CodeOf(err) != errs.Conflict || !strings.Contains(errs.HintOf(err), "another port") {
		t.Errorf("%v, %s", err, errs.HintOf(err))
	}
	l.Close()
	must(t, r.client(t, l.Addr().String(), nil).CreateApp(t.Context(), platform.AppSpec{Name: app}))
}

// Someone who follows the logs sees each line once, whatever is replaced meanwhile.
func TestContainersLogsOverReplacements(t *testing.T) {
	r := needRig(t)
	publish := freePort(t)
	p := r.client(t, publish, nil)
	must(t, p.CreateApp(t.Context(), platform.AppSpec{Name: app}))
	release(t, p, "localhost/opsctl-test/suite:1", nil)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var mu sync.Mutex
	seen := map[string]int{}
	done := make(chan error, 1)
	go func() {
		done <- p.Logs(ctx, app, platform.LogQuery{Follow: true}, func(l platform.LogLine) error {
			mu.Lock()
			defer mu.Unlock()
			seen[l.Message]++
			return nil
		})
	}()
	said := 0
	say := func(n int) {
		for range n {
			_, err := visit(ctx, publish, fmt.Sprintf("/say?line=line-%d", said))
			must(t, err)
			said++
		}
	}
	say(20)
	for i := range 3 {
		release(t, p, fmt.Sprintf("localhost/opsctl-test/suite:%d", 2-i%2), nil)
		say(20)
	}
	all := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(seen) >= said
	}
	for ctx.Err() == nil && !all() {
		time.Sleep(50 * time.Millisecond)
	}
	time.Sleep(300 * time.Millisecond) // for second ones, which must not come
	cancel()
	<-done
	for n := range said {
		if c := seen[fmt.Sprintf("line-%d", n)]; c != 1 {
			t.Errorf("line-%d was seen %d times", n, c)
		}
	}
}
