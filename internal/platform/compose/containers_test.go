package compose_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/platform/compose"
	"github.com/opsctl/opsctl/internal/platform/compose/front"
	"github.com/opsctl/opsctl/internal/platform/platformtest"
)

// rig is a real engine with the images of the tests' app. One is made for all tests.
type rig struct {
	bin     string
	front   string // program of the front, static
	program string // of the app, static
}

// app is what the suite calls its app; all that is made has it in its name or labels.
const app = "suite"

// needRig wants OPSCTL_CONTAINERS=1; scripts/containers.sh sets it and brings the engine.
func needRig(t *testing.T) *rig {
	t.Helper()
	if os.Getenv("OPSCTL_CONTAINERS") != "1" {
		t.Skip("needs a container engine: run it with `make containers`")
	}
	r, err := madeOnce()
	if err != nil {
		t.Fatal(err)
	}
	r.clear(t)
	t.Cleanup(func() { r.clear(t) })
	return r
}

// TestMain removes the programs that the tests have built.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "opsctl-compose-test-")
	if err != nil {
		panic(err)
	}
	programs = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

var programs string

var madeOnce = sync.OnceValues(func() (*rig, error) {
	dir := programs
	r := &rig{bin: os.Getenv("DOCKER_BIN"), front: filepath.Join(dir, "front"), program: filepath.Join(dir, "app")}
	if r.bin == "" {
		r.bin = "docker"
	}
	files, err := front.Source()
	if err != nil {
		return nil, err
	}
	for name, content := range files {
		file := filepath.Join(dir, "src", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			return nil, err
		}
	}
	for _, b := range []struct{ dir, out, pkg string }{{filepath.Join(dir, "src"), r.front, "."}, {".", r.program, "./testdata/app"}} {
		build := exec.Command("go", "build", "-o", b.out, b.pkg)
		build.Dir, build.Env = b.dir, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
		if out, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%w\n%s", err, out)
		}
	}
	_ = exec.Command(r.bin, "rmi", "--force", "localhost/opsctl/front:"+front.Protocol).Run() // of an older source
	for _, tag := range []string{"1", "2", "sick"} {
		if err := r.image("localhost/opsctl-test/suite:"+tag, "ENV IMAGE="+tag, `CMD ["/app"]`); err != nil {
			return nil, err
		}
	}
	if err := r.image("localhost/opsctl-test/suite:slow", "ENV IMAGE=slow SLOW=300ms", `CMD ["/app"]`); err != nil {
		return nil, err
	}
	return r, r.image("localhost/opsctl-test/suite:crash", `CMD ["/app", "crash"]`)
})

// image imports one with the app alone.
func (r *rig) image(tag string, changes ...string) error {
	program, err := os.ReadFile(r.program)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	t := tar.NewWriter(&b)
	if err := t.WriteHeader(&tar.Header{Name: "app", Mode: 0o755, Size: int64(len(program))}); err != nil {
		return err
	}
	if _, err := t.Write(program); err != nil {
		return err
	}
	if err := t.Close(); err != nil {
		return err
	}
	args := []string{"import"}
	for _, c := range changes {
		args = append(args, "--change", c)
	}
	cmd := exec.Command(r.bin, append(args, "-", tag)...)
	cmd.Stdin = &b
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// docker runs a command, and returns what it printed.
func (r *rig) docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(context.WithoutCancel(t.Context()), r.bin, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// clear removes everything of the app, unless it is a real one of that name.
func (r *rig) clear(t *testing.T) {
	t.Helper()
	const label = "label=opsctl.app=" + app
	for release := range strings.SplitSeq(r.docker(t, "ps", "--all", "--filter", label, "--filter", "label=opsctl.release", "--format", `{{.Label "opsctl.release"}}`), "\n") {
		if release != "" && !strings.Contains(release, "localhost/opsctl-test/") && !strings.Contains(release, "/shop:v1@") {
			t.Fatalf("an app called %s is on this engine, and it is none of the tests': %s", app, release)
		}
	}
	for _, kind := range []struct{ list, remove []string }{
		{[]string{"ps", "--all", "--quiet"}, []string{"rm", "--force", "--volumes"}},
		{[]string{"network", "ls", "--quiet"}, []string{"network", "rm"}},
		{[]string{"volume", "ls", "--quiet"}, []string{"volume", "rm"}},
	} {
		if left := strings.Fields(r.docker(t, append(kind.list, "--filter", label)...)); len(left) > 0 {
			r.docker(t, append(kind.remove, left...)...)
		}
	}
	for tag := range strings.FieldsSeq(r.docker(t, "images", "--format", "{{.Repository}}:{{.Tag}}", "localhost/opsctl/"+app)) {
		r.docker(t, "rmi", tag)
	}
}

// freePort is below those that systems give to connections of their own: what it
// finds free stays so until it is published.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(10000))
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
	t.Fatal("no free port")
	return ""
}

// client is an adapter; change may alter its options.
func (r *rig) client(t *testing.T, publish string, change func(*compose.Options)) *compose.Platform {
	t.Helper()
	o := compose.Options{Lookup: os.LookupEnv, Publish: publish, Executable: r.front, Poll: 100 * time.Millisecond}
	if change != nil {
		change(&o)
	}
	p, err := compose.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// visit is a visitor of a published address.
func visit(ctx context.Context, publish, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+publish+path, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 500 {
		err = fmt.Errorf("HTTP %d: %s", resp.StatusCode, body)
	}
	return string(body), err
}

// outside is the adapter as the suite needs it: its services have names that only the
// app's network knows, so their addresses are put in.
type outside struct {
	*compose.Platform
	r *rig
	t *testing.T
}

func (o outside) reach(address string) string {
	u, err := url.Parse(address)
	if err != nil || address == "" {
		return address
	}
	const format = `{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}`
	u.Host = net.JoinHostPort(o.r.docker(o.t, "inspect", "--format", format, app+"-"+u.Hostname()+"-1"), u.Port())
	return u.String()
}

func (o outside) database(db *platform.Database, err error) (*platform.Database, error) {
	if db != nil {
		db.Direct, db.Pooled = o.reach(db.Direct), o.reach(db.Pooled)
	}
	return db, err
}

func (o outside) cache(c *platform.Cache, err error) (*platform.Cache, error) {
	if c != nil {
		c.URL = o.reach(c.URL)
	}
	return c, err
}

func (o outside) FindPostgres(ctx context.Context, app, name string) (*platform.Database, error) {
	return o.database(o.Platform.FindPostgres(ctx, app, name))
}

func (o outside) CreatePostgres(ctx context.Context, spec platform.DatabaseSpec, report platform.Report) (*platform.Database, error) {
	return o.database(o.Platform.CreatePostgres(ctx, spec, report))
}

func (o outside) FindRedis(ctx context.Context, app, name string) (*platform.Cache, error) {
	return o.cache(o.Platform.FindRedis(ctx, app, name))
}

func (o outside) CreateRedis(ctx context.Context, spec platform.CacheSpec, report platform.Report) (*platform.Cache, error) {
	return o.cache(o.Platform.CreateRedis(ctx, spec, report))
}

func TestContainersConformance(t *testing.T) {
	platformtest.Run(t, func(t *testing.T) platformtest.Setup {
		r := needRig(t)
		publish := freePort(t)
		return platformtest.Setup{
			Platform: outside{r.client(t, publish, nil), r, t}, Second: outside{r.client(t, publish, nil), r, t},
			Region: "local", Strategies: []string{"rolling", "bluegreen"},
			Images:  [3]string{"localhost/opsctl-test/suite:1", "localhost/opsctl-test/suite:2", "localhost/opsctl-test/suite:sick"},
			Success: []string{"/app", "hello"}, Failure: []string{"/app", "fail"},
			Get: func(ctx context.Context, _, path string) (string, error) { return visit(ctx, publish, path) },
		}
	})
}
