package emulator_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/emulator"
)

// binary runs a platform's own command-line client against the emulator, with
// a home of its own and nothing else of this environment.
type binary struct {
	t    *testing.T
	path string
	dir  string
	env  []string
}

// newBinary skips the test unless the variable names the client's binary:
// neither is to be had as a Go module.
func newBinary(t *testing.T, variable string, s *emulator.Server) *binary {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		t.Skipf("set %s to the platform's own client to run it against the emulator", variable)
	}
	b := &binary{t: t, path: path, dir: t.TempDir()}
	b.env = []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "CI=true", "NO_COLOR=1", "TERM=dumb"}
	for k, v := range s.Env() {
		b.env = append(b.env, k+"="+v)
	}
	return b
}

// run wants the command to end well and its output to hold all of the words.
func (b *binary) run(want string, args ...string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, b.path, args...) //nolint:gosec // the client that the developer named
	cmd.Env, cmd.Dir = b.env, b.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.t.Errorf("%s: %v\n%s", strings.Join(args, " "), err, out)
		return
	}
	for word := range strings.FieldsSeq(want) {
		if !strings.Contains(string(out), word) {
			b.t.Errorf("%s: no %q in\n%s", strings.Join(args, " "), word, out)
		}
	}
}

func TestFlyctl(t *testing.T) {
	s := start(t)
	fly := newBinary(t, "OPSCTL_FLYCTL", s)
	toml := `app = "shop"
primary_region = "fra"
[deploy]
release_command = "` + selfPath(t) + ` app migrate"
[http_service]
internal_port = 3000
[[http_service.checks]]
path = "/health"
interval = "2s"
timeout = "2s"
grace_period = "1s"
`
	if err := os.WriteFile(filepath.Join(fly.dir, "fly.toml"), []byte(toml), 0o600); err != nil {
		t.Fatal(err)
	}
	fly.run("dev@example.com", "auth", "whoami")
	fly.run("shop", "apps", "create", "shop", "--org", "personal")
	fly.run("shop", "apps", "list")
	fly.run("", "secrets", "set", "--stage", "KEY=value", "-a", "shop")
	fly.run("KEY", "secrets", "list", "-a", "shop")
	fly.run("", "deploy", "--image", "registry.fly.io/shop:v1", "--ha=false", "--yes")
	fly.run("complete", "releases", "-a", "shop")
	fly.run("shop started", "status", "-a", "shop")
	fly.run("listening", "logs", "--no-tail", "-a", "shop")
	fly.run("", "deploy", "--image", "registry.fly.io/shop:v2", "--ha=false", "--yes")
	fly.run("", "deploy", "--image", "registry.fly.io/shop:v1", "--strategy", "bluegreen", "--yes")
	fly.run("", "machine", "run", "registry.fly.io/shop:v1", "-a", "shop", "--region", "fra")
	fly.run("started", "machine", "list", "-a", "shop")
	fly.run("data", "volumes", "create", "data", "--region", "fra", "--size", "1", "-a", "shop", "--yes")
	fly.run("data", "volumes", "list", "-a", "shop")
	fly.run("", "certs", "add", "shop.example.com", "-a", "shop")
	fly.run("", "ips", "list", "-a", "shop")
}

func TestRenderCLI(t *testing.T) {
	s := start(t)
	render := newBinary(t, "OPSCTL_RENDER_CLI", s)
	if code, _, body := ask(t, "POST", s.RenderURL()+"/v1/services", "t", renderService); code != 201 {
		t.Fatalf("%d %s", code, body)
	}
	_, _, list := ask(t, "GET", s.RenderURL()+"/v1/services?name=shop", "t", "")
	_, id, _ := strings.Cut(list, `"id":"srv-`)
	id, _, _ = strings.Cut("srv-"+id, `"`)
	render.run("@", "whoami", "-o", "json")
	render.run("shop", "services", "list", "-o", "json")
	render.run("live", "deploys", "create", id, "--wait", "--confirm", "-o", "json")
	render.run("live", "deploys", "list", id, "-o", "json")
}
