package compose

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/execx"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/platform/compose/front"
)

// answer is what the fake engine says to a command.
type answer struct {
	out, stderr string
	exit        int
}

// fake is an adapter to an engine that answers by the beginning of the command.
func fake(t *testing.T, answers map[string]answer, change func(*Options)) *Platform {
	t.Helper()
	o := Options{
		Lookup: func(string) (string, bool) { return "", false },
		Sleep:  func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
		Run: func(_ context.Context, c execx.Cmd) error {
			line := strings.Join(c.Args, " ")
			for _, prefix := range slices.Backward(slices.Sorted(maps.Keys(answers))) { // the longest first
				a := answers[prefix]
				if !strings.HasPrefix(line, prefix) {
					continue
				}
				if c.Stdout != nil {
					_, _ = io.WriteString(c.Stdout, a.out)
				}
				if a.exit != 0 {
					return &execx.Error{Program: "docker", Exit: a.exit, Stderr: a.stderr, Cause: errors.New("exit status")}
				}
				return nil
			}
			t.Errorf("an unexpected command: %s", line)
			return errors.New("unexpected")
		},
	}
	if change != nil {
		change(&o)
	}
	p, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWhoAmI(t *testing.T) {
	tests := []struct {
		name string
		info answer
		want string
		code errs.Code
		hint string
	}{
		{"docker", answer{out: `{"ServerVersion":"29.1.0","Name":"box","Architecture":"x86_64","OSType":"linux","LoggingDriver":"json-file"}`}, "Docker 29.1.0 on box", "", ""},
		{"podman", answer{out: `{"host":{"arch":"arm64","hostname":"pod","logDriver":"journald"},"version":{"Version":"5.2.0"}}`}, "Podman 5.2.0 on pod", "", ""},
		{"no right", answer{exit: 1, stderr: "Got permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: dial unix /var/run/docker.sock: connect: permission denied"}, "", errs.Auth, "group docker"},
		{"not running", answer{exit: 1, stderr: "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"}, "", errs.Failure, "DOCKER_HOST"},
		{"not running, and exit 0", answer{out: `{"ServerErrors":["Cannot connect to the Docker daemon at tcp://box:2375. Is the docker daemon running?"]}`}, "", errs.Failure, "DOCKER_HOST"},
		{"windows", answer{out: `{"ServerVersion":"29.1.0","Name":"box","OSType":"windows"}`}, "", errs.Failure, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id, err := fake(t, map[string]answer{"info": tt.info}, nil).WhoAmI(t.Context())
			if id.Account != tt.want || errs.CodeOf(err) != tt.code || !strings.Contains(errs.HintOf(err), tt.hint) {
				t.Errorf("%+v, %v, %s", id, err, errs.HintOf(err))
			}
		})
	}
}

func TestReasonsOfTheEngine(t *testing.T) {
	for _, tt := range []struct {
		stderr, want string
		code         errs.Code
	}{
		{"Error response from daemon: pull access denied for x, repository does not exist\nSee 'docker run --help'.", "pull access denied for x, repository does not exist", errs.Failure},
		{"docker: Error response from daemon: driver failed programming external connectivity: Bind for 127.0.0.1:3000 failed: port is already allocated.", "driver failed programming external connectivity: Bind for 127.0.0.1:3000 failed: port is already allocated.", errs.Conflict},
		{"Error: write /var/lib/docker/x: no space left on device", "write /var/lib/docker/x: no space left on device", errs.Failure},
	} {
		err := explain(&execx.Error{Program: "docker", Exit: 1, Stderr: tt.stderr, Cause: errors.New("exit status 1")}, "do it")
		if err.Error() != "do it: "+tt.want || errs.CodeOf(err) != tt.code {
			t.Errorf("%q became %q (%s)", tt.stderr, err, errs.CodeOf(err))
		}
	}
	if err := explain(fmt.Errorf("x: %w", context.Canceled), "do it"); errs.CodeOf(err) != errs.Interrupted {
		t.Errorf("%v", err)
	}
}

func TestNames(t *testing.T) {
	for app, ok := range map[string]bool{"shop": true, "my-erp-2": true, "Shop": false, "a_b": false, "-a": false, "a-": false, "": false, "../x": false, strings.Repeat("a", 51): false} {
		if err := validApp(app); (err == nil) != ok {
			t.Errorf("%q: %v", app, err)
		}
	}
	for address, ok := range map[string]bool{"127.0.0.1:3000": true, "0.0.0.0:80": true, "[::1]:3000": true, ":3000": true, "3000": false, "host:": false, "host:http": false} {
		if _, _, err := hostPort(address); (err == nil) != ok {
			t.Errorf("%q: %v", address, err)
		}
	}
	p := fake(t, nil, func(o *Options) {
		o.Lookup = func(name string) (string, bool) { return "ssh://me@box", name == "DOCKER_HOST" }
	})
	for published, want := range map[string]string{"0.0.0.0:3000": "http://box:3000", "127.0.0.1:3000": "http://127.0.0.1:3000"} {
		if got := p.address(published); got != want {
			t.Errorf("%s is reached at %s", published, got)
		}
	}
}

func TestDigests(t *testing.T) {
	i := &image{ID: "sha256:aa", RepoDigests: []string{"ghcr.io/acme/erp@sha256:bb", "redis@sha256:cc"}}
	for ref, want := range map[string]string{
		"ghcr.io/acme/erp:1": "sha256:bb", "docker.io/library/redis:7": "sha256:cc", "redis": "sha256:cc", "localhost:5000/erp:1": "sha256:aa",
		"other@sha256:dd": "sha256:dd", "x@sha256:aa": "sha256:aa", "localhost/opsctl/erp:1": "sha256:aa",
	} {
		if got := digestOf(i, ref); got != want {
			t.Errorf("%s: %s, want %s", ref, got, want)
		}
	}
}

func TestResolveImageWhenTheRegistryFails(t *testing.T) {
	const here = `[{"Id":"sha256:aa","RepoDigests":["ghcr.io/acme/erp@sha256:bb"]}]`
	for _, tt := range []struct {
		name          string
		inspect, pull answer
		digest        string
		code          errs.Code
	}{
		{"unreachable, here", answer{out: here}, answer{exit: 1, stderr: "Error response from daemon: Get \"https://ghcr.io/v2/\": dial tcp: lookup ghcr.io: no such host"}, "sha256:bb", ""},
		{"gone there, here", answer{out: here}, answer{exit: 1, stderr: "Error response from daemon: manifest unknown"}, "", errs.NotFound},
		{"unreachable, not here", answer{exit: 1, stderr: "Error: No such image: ghcr.io/acme/erp:1"}, answer{exit: 1, stderr: "dial tcp: i/o timeout"}, "", errs.Failure},
	} {
		p := fake(t, map[string]answer{"image inspect": tt.inspect, "pull": tt.pull}, nil)
		got, err := p.ResolveImage(t.Context(), "erp", "ghcr.io/acme/erp:1")
		if got.Digest != tt.digest || errs.CodeOf(err) != tt.code {
			t.Errorf("%s: %+v, %v", tt.name, got, err)
		}
	}
}

func TestVerdicts(t *testing.T) {
	made := func(change func(*container)) container {
		c := container{Name: "/x-app-1-1"}
		c.State.Status, c.State.Running = "running", true
		if change != nil {
			change(&c)
		}
		return c
	}
	checked := func(health string, passing bool) front.Status {
		return front.Status{Targets: []front.TargetStatus{{Target: front.Target{Name: "x-app-1-1", Health: health}, Checked: true, Passing: passing, Output: "HTTP 503"}}}
	}
	unhealthy := func(c *container) { c.State.Health = &containerHealth{Status: "unhealthy"} }
	for _, tt := range []struct {
		name   string
		c      container
		status front.Status
		dead   bool
		passes bool
	}{
		{"healthy", made(nil), checked("/", true), false, true},
		{"sick", made(nil), checked("/", false), false, false},
		{"not checked", made(nil), front.Status{}, false, false},
		{"the path decides, not the image", made(unhealthy), checked("/", true), false, true},
		{"no path: the image decides", made(unhealthy), checked("", true), false, false},
		{"restarts", made(func(c *container) { c.State.Running, c.State.Restarting, c.RestartCount = false, true, 1 }), checked("/", true), false, false},
		{"a crash loop", made(func(c *container) { c.RestartCount = crashLimit }), checked("/", false), true, false},
		{"exited", made(func(c *container) { c.State.Status, c.State.Running = "exited", false }), checked("/", true), true, false},
		{"no memory", made(func(c *container) { c.State.Running, c.State.OOMKilled = false, true }), checked("/", false), true, false},
	} {
		passed, seen := passes(tt.c, tt.status)
		if err := dead(tt.c); (err != nil) != tt.dead || passed != tt.passes || seen == "" && !passed {
			t.Errorf("%s: dead %v, passes %v, seen %q", tt.name, err, passed, seen)
		}
	}
}

func TestLedgerKeepsTheNewest(t *testing.T) {
	l, err := parseLedger("")
	if err != nil || l.Next != 1 {
		t.Fatal(l, err)
	}
	for n := range maxLedger + 20 {
		l.Releases = append([]platform.Release{{Version: fmt.Sprint(n)}}, l.Releases...)
	}
	back, err := parseLedger(l.String())
	if err != nil || len(back.Releases) != maxLedger || back.Releases[0].Version != fmt.Sprint(maxLedger+19) {
		t.Errorf("%d, %v", len(back.Releases), err)
	}
}

func TestImagesBeyondTheNewestAreDropped(t *testing.T) {
	var dropped []string
	tags := ""
	var releases []platform.Release
	for n := 15; n >= 1; n-- {
		status := platform.Complete
		if n == 14 {
			status = platform.Failed
		}
		releases = append(releases, platform.Release{Version: fmt.Sprint(n), Status: status})
		tags += fmt.Sprintf("localhost/opsctl/shop:%d\n", n)
	}
	p := fake(t, nil, func(o *Options) {
		o.Run = func(_ context.Context, c execx.Cmd) error {
			if c.Args[0] == "rmi" {
				dropped = append(dropped, c.Args[1:]...)
			} else {
				_, _ = io.WriteString(c.Stdout, tags+"localhost/opsctl/shop:opsctl-build\n")
			}
			return nil
		}
	})
	p.dropImages(t.Context(), "shop", releases)
	want := []string{"4", "3", "2", "1", "opsctl-build"}
	for i := range want {
		want[i] = "localhost/opsctl/shop:" + want[i]
	}
	if !slices.Equal(dropped, want) {
		t.Errorf("dropped %v, want %v", dropped, want)
	}
}

func TestLockSaysWhoHoldsIt(t *testing.T) {
	held := container{ID: "1", Name: "/shop-opsctl-lock"}
	held.State.Running = true
	held.Config.Labels = map[string]string{labelHolder: "ann@box (run 7)", labelSince: "2026-08-01T10:00:00Z"}
	raw, err := json.Marshal([]container{held})
	if err != nil {
		t.Fatal(err)
	}
	p := fake(t, map[string]answer{
		"image inspect": {out: `[{"Id":"sha256:aa","Config":{"Labels":{"opsctl.front":"` + front.Protocol + `"}}}]`},
		"run --detach":  {exit: 125, stderr: `docker: Error response from daemon: Conflict. The container name "/shop-opsctl-lock" is already in use by container "1".`},
		"inspect":       {out: string(raw)},
	}, nil)
	_, err = p.Lock(t.Context(), "shop", "bob@box")
	if errs.CodeOf(err) != errs.Conflict || !strings.Contains(err.Error(), "ann@box (run 7)") || !strings.Contains(errs.HintOf(err), "opsctl lock status") {
		t.Errorf("%v, %s", err, errs.HintOf(err))
	}
}

func TestStrategies(t *testing.T) {
	_, err := fake(t, nil, nil).RollOut(t.Context(), "shop", platform.Release{Strategy: "canary"}, silently)
	if errs.CodeOf(err) != errs.Usage || !strings.Contains(errs.HintOf(err), "bluegreen") {
		t.Errorf("%v, %s", err, errs.HintOf(err))
	}
}

// The command's own words are no log lines, and long lines are cut.
func TestLogLines(t *testing.T) {
	p := fake(t, map[string]answer{"logs": {out: "2026-08-01T10:00:00.000000002Z two\n2026-08-01T10:00:00.000000001Z one  \n2026-08-01T10:00:00.000000002Z \n" +
		"2026-08-01T10:00:00.000000003Z " + strings.Repeat("x", 3<<20) + "\n2026-08-01T10:00:00.000000004Z no newline"}}, nil)
	got, err := p.past(t.Context(), "x", 0)
	if err != nil || len(got) != 5 {
		t.Fatalf("%d lines, %v", len(got), err)
	}
	if got[0].Message != "one  " || got[1].Message != "two" || got[2].Message != "" || len(got[3].Message) > maxLogLine || got[4].Message != "no newline" {
		t.Errorf("%q", []string{got[0].Message, got[1].Message, got[2].Message, got[4].Message})
	}
	if c := after(got[:3]); c.same != 2 || c.at.Nanosecond() != 2 {
		t.Errorf("cursor %+v", c)
	}
	p = fake(t, map[string]answer{"logs": {out: "Error: No such container: x\n", exit: 1}}, nil)
	if _, err := p.past(t.Context(), "x", 0); !gone(err) {
		t.Errorf("%v", err)
	}
}

// The front's image is made of a program only where it can run.
func TestProgramsForTheFront(t *testing.T) {
	if err := staticFor(filepath.Join("compose.go"), "amd64"); err == nil {
		t.Error("a text is no program")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := staticFor(self, "s390x"); err == nil {
		t.Error("a program of another architecture")
	}
	var built bytes.Buffer
	p := fake(t, nil, func(o *Options) {
		o.Executable = "compose.go"
		o.Run = func(_ context.Context, c execx.Cmd) error {
			switch c.Args[0] {
			case "info":
				_, _ = io.WriteString(c.Stdout, `{"ServerVersion":"29.1.0","Architecture":"aarch64","OSType":"linux"}`)
			case "image":
				return &execx.Error{Exit: 1, Stderr: "No such image", Cause: errors.New("exit")}
			case "build":
				raw, err := os.ReadFile(filepath.Join(c.Args[len(c.Args)-1], "Dockerfile"))
				built.Write(raw)
				return err
			}
			return nil
		}
	})
	if _, err := p.frontImage(t.Context()); err != nil || !strings.Contains(built.String(), "FROM golang:") {
		t.Errorf("%v, %q", err, built.String())
	}
}
