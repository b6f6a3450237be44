package examples_test

import (
	"context"
	"crypto/rand"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/execx"
)

// engine is a Docker engine, driven by its command line. All that it is told to
// make has one name in front, and is removed at the end.
type engine struct {
	bin string
	id  string // prefix of every name, value of the label
}

// needEngine wants OPSCTL_CONTAINERS=1, because the builds take minutes and the base
// images have to be there. scripts/containers.sh brings all that.
func needEngine(t *testing.T) *engine {
	t.Helper()
	if os.Getenv("OPSCTL_CONTAINERS") != "1" {
		t.Skip("builds and runs images for minutes: run it with `make containers`")
	}
	e := &engine{bin: os.Getenv("DOCKER_BIN"), id: os.Getenv("OPSCTL_CONTAINERS_ID")}
	if e.bin == "" {
		e.bin = "docker"
	}
	if e.id == "" {
		e.id = "opsctl-test-" + strings.ToLower(rand.Text()[:8])
	}
	if out, err := e.try(t.Context(), nil, "info", "--format", "{{.ServerVersion}}"); err != nil {
		t.Fatalf("OPSCTL_CONTAINERS is set, and no Docker engine answers: %v\n%s", err, out)
	}
	t.Cleanup(func() { e.removeAll(t) })
	return e
}

func (e *engine) name(part string) string { return e.id + "-" + part }

// labels mark what a killed test leaves behind, for scripts/containers.sh to remove.
func (e *engine) labels() []string { return []string{"--label", "opsctl.test=" + e.id} }

func (e *engine) try(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	var out log
	err := execx.Run(ctx, execx.Cmd{
		Path: e.bin, Args: args, Env: append(os.Environ(), "DOCKER_BUILDKIT=1", "BUILDKIT_PROGRESS=plain"),
		Stdin: stdin, Stdout: &out, Stderr: &out,
	})
	return strings.TrimSpace(out.String()), err
}

// run returns what docker said on both streams.
func (e *engine) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := e.try(t.Context(), nil, args...)
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (e *engine) inspect(t *testing.T, name, format string) string {
	t.Helper()
	return e.run(t, "inspect", "--format", format, name)
}

// build returns how long the build took. OPSCTL_CONTAINERS_BUILD_FLAGS is for engines
// that reach a registry only with flags such as --network=host.
func (e *engine) build(t *testing.T, dir, tag string, flags ...string) time.Duration {
	t.Helper()
	args := slices.Concat([]string{"build", "--tag", tag}, flags, strings.Fields(os.Getenv("OPSCTL_CONTAINERS_BUILD_FLAGS")), []string{dir})
	started := time.Now()
	out := e.run(t, args...)
	took := time.Since(started)
	if steps := slowSteps(out); len(steps) > 0 {
		t.Logf("of %.1fs: %s", took.Seconds(), strings.Join(steps, ", "))
	}
	return took
}

// slowSteps are the instructions of a build that took a second or more, with their
// times. Stages run at the same time, so the times do not add up.
func slowSteps(out string) (steps []string) {
	name := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^(#\d+) (?:\[(\S+ \d+/\d+)\]|DONE ([1-9][0-9]*\.\d+s)$)`).FindAllStringSubmatch(out, -1) {
		if m[2] != "" {
			name[m[1]] = m[2]
		} else if name[m[1]] != "" {
			steps = append(steps, name[m[1]]+" "+m[3])
		}
	}
	return steps
}

func (e *engine) removeAll(t *testing.T) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	label := "label=opsctl.test=" + e.id
	for _, kind := range []struct{ list, remove []string }{
		{[]string{"ps", "--all", "--quiet", "--filter", label}, []string{"rm", "--force", "--volumes"}},
		{[]string{"network", "ls", "--quiet", "--filter", label}, []string{"network", "rm"}},
		{[]string{"images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", "reference=" + e.id + "*"}, []string{"rmi", "--force"}},
	} {
		out, err := e.try(ctx, nil, kind.list...)
		if err != nil {
			t.Errorf("cannot look for leftovers: %v\n%s", err, out)
			continue
		}
		if left := strings.Fields(out); len(left) > 0 {
			if out, err := e.try(ctx, nil, append(kind.remove, left...)...); err != nil {
				t.Errorf("cannot remove %v: %v\n%s", left, err, out)
			}
		}
	}
}
