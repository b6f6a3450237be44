package examples_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/opsctl/opsctl/examples"
	"github.com/opsctl/opsctl/internal/execx"
	"github.com/opsctl/opsctl/internal/scaffold"
)

// release is what the app is told it is, as a deploy does.
const release = "test-release-7"

// tooling is the programs that the image installs for its build.
type tooling struct{ bin string }

func needTools(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("builds with Next.js, which takes a minute or two: not under -short")
	}
	for _, p := range []string{"node", "npm", "redis-server"} {
		if _, err := execx.Look(p, "this test", "install "+p); err != nil {
			t.Skip(err)
		}
	}
	needPostgres(t)
}

// installTools gets pnpm and esbuild in the versions that the rendered Dockerfile names.
func installTools(t *testing.T) tooling {
	t.Helper()
	repo := t.TempDir()
	write(t, repo)
	initRepo(t, repo)
	args := []string{"install", "--no-audit", "--no-fund", "--prefix", t.TempDir()}
	prefix := args[len(args)-1]
	for _, m := range regexp.MustCompile(`npm install --global (\S+)`).FindAllStringSubmatch(read(t, repo, "Dockerfile"), -1) {
		args = append(args, m[1])
	}
	run(t, prefix, "npm", args...)
	return tooling{bin: filepath.Join(prefix, "node_modules", ".bin")}
}

// initRepo runs init, and again to see that it changes nothing.
func initRepo(t *testing.T, repo string) {
	t.Helper()
	for i, want := range []bool{true, false} {
		stack, err := scaffold.Detect(t.Context(), repo, scaffold.DetectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		plan, err := scaffold.Plan(stack, scaffold.Options{
			Environments: []scaffold.Environment{{Name: "production", Platform: "fly", Region: "fra", Instances: 2}},
		})
		if err != nil {
			t.Fatal(err)
		}
		results, err := scaffold.Apply(t.Context(), stack, plan, scaffold.ApplyOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range results {
			changed := r.Outcome == scaffold.Created || r.Outcome == scaffold.Edited
			if changed != want {
				t.Fatalf("run %d: %s is %s (%s)", i+1, r.Path, r.Outcome, r.Why)
			}
		}
	}
}

// extract writes the files of a txtar archive.
func extract(t *testing.T, dir, archive string) {
	t.Helper()
	a, err := txtar.ParseFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	files, err := txtar.FS(a)
	if err != nil {
		t.Fatal(err)
	}
	if err := examples.Write(dir, files); err != nil {
		t.Fatal(err)
	}
}

// image runs the commands of a rendered Dockerfile here, so that their flags are
// what is tested.
type image struct {
	dockerfile string
	replace    *strings.Replacer // of the folders that only the image has
	path       string
	env        []string
}

func imageOf(t *testing.T, repo string, tools tooling) *image {
	t.Helper()
	i := &image{
		dockerfile: read(t, repo, "Dockerfile"),
		replace:    strings.NewReplacer("/pnpm/store", t.TempDir(), "/out", t.TempDir()),
		path:       tools.bin + string(filepath.ListSeparator) + os.Getenv("PATH"),
	}
	deps, _, _ := strings.Cut(i.dockerfile[strings.Index(i.dockerfile, "AS deps"):], "\nFROM ")
	for _, m := range regexp.MustCompile(`(?m)^ENV (\S+=\S+)$`).FindAllStringSubmatch(deps, -1) {
		i.env = append(i.env, m[1])
	}
	return i
}

// deps makes the folder of the deps stage: what it copies, and no source.
func (i *image) deps(t *testing.T, repo string) string {
	t.Helper()
	dir := t.TempDir()
	_, stage, _ := strings.Cut(i.dockerfile, "AS deps\n")
	stage, _, _ = strings.Cut(stage, "\nFROM ")
	for _, m := range regexp.MustCompile(`(?m)^COPY (.+) \./$`).FindAllStringSubmatch(stage, -1) {
		for name := range strings.FieldsSeq(m[1]) {
			run(t, repo, "cp", "-a", name, dir+"/")
		}
	}
	return dir
}

// output runs the RUN instruction that holds start, without its mounts.
func (i *image) output(t *testing.T, repo, start string) (string, error) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?m)^RUN ((?:.*\\\n)*.*)$`).FindAllStringSubmatch(i.dockerfile, -1) {
		command := regexp.MustCompile(`--mount=\S+ *(\\\n)?\s*`).ReplaceAllString(m[1], "")
		if !strings.HasPrefix(strings.TrimSpace(command), start) {
			continue
		}
		began := time.Now()
		out, err := output(t.Context(), repo, append(i.env, "PATH="+i.path), "sh", "-c", i.replace.Replace(command))
		t.Logf("%s: %.1fs", start, time.Since(began).Seconds())
		return out, err
	}
	t.Fatalf("the Dockerfile runs no %q", start)
	return "", nil
}

func (i *image) run(t *testing.T, repo, start string) {
	t.Helper()
	if out, err := i.output(t, repo, start); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// assemble builds the app and lays it out in a folder of its own, as the Dockerfile's
// runner stage does: nothing of the repository is in reach.
func (i *image) assemble(t *testing.T, repo, build, migrations string) string {
	t.Helper()
	i.run(t, repo, build)
	i.run(t, repo, "esbuild")
	app := t.TempDir()
	for _, part := range [][2]string{
		{".next/standalone", "."}, {".next/static", ".next/static"}, {"public", "public"}, {migrations, migrations},
	} {
		copyTree(t, filepath.Join(repo, filepath.FromSlash(part[0])), filepath.Join(app, filepath.FromSlash(part[1])))
	}
	copyTree(t, i.replace.Replace("/out"), app)
	for _, file := range []string{"server.js", "migrate.mjs"} {
		if _, err := os.Stat(filepath.Join(app, file)); err != nil {
			t.Fatalf("the build made no %s: %v", file, err)
		}
	}
	return app
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Fatal(err)
	}
	// cp, because pnpm's standalone output is full of symbolic links.
	run(t, filepath.Dir(to), "cp", "-a", from+"/.", to+"/")
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// run runs a program to its end.
func run(t *testing.T, dir, program string, args ...string) {
	t.Helper()
	started := time.Now()
	out, err := output(t.Context(), dir, nil, program, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(program), strings.Join(args, " "), err, out)
	}
	if took := time.Since(started); took > time.Second {
		t.Logf("%s %s: %.1fs", filepath.Base(program), strings.Join(args[:min(2, len(args))], " "), took.Seconds())
	}
}

// output runs a program with no secret and no database in its environment, except env.
func output(ctx context.Context, dir string, env []string, program string, args ...string) (string, error) {
	var out log // one place for both streams
	err := execx.Run(ctx, execx.Cmd{
		Path: program, Args: args, Dir: dir, Env: append(bareEnv(), env...), Stdout: &out, Stderr: &out,
	})
	return out.String(), err
}

func bareEnv() []string {
	env := []string{"NEXT_TELEMETRY_DISABLED=1", "CI=true"}
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		switch {
		case strings.HasSuffix(name, "_URL"), strings.HasPrefix(name, "PG"), strings.HasPrefix(name, "CLERK"), name == "NODE_ENV", name == "CI":
		default:
			env = append(env, kv)
		}
	}
	return env
}

// app is the standalone server under test.
type app struct {
	url     string
	process *execx.Process
	ended   chan error
	log     *log
}

// log keeps what programs write, from several goroutines.
type log struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.String()
}

func startApp(t *testing.T, dir string, s *services) *app {
	t.Helper()
	return startServer(t, dir, append(s.env(), "CLERK_WEBHOOK_SECRET="+webhookSecret))
}

// startServer starts a standalone server as a platform does, and waits until it listens.
func startServer(t *testing.T, dir string, env []string) *app {
	t.Helper()
	port := freePort(t)
	a := &app{url: fmt.Sprintf("http://127.0.0.1:%d", port), ended: make(chan error, 1), log: &log{}}
	env = append(bareEnv(), append(env, "NODE_ENV=production", "HOSTNAME=127.0.0.1", fmt.Sprintf("PORT=%d", port), "OPSCTL_RELEASE="+release)...)
	ctx, cancel := context.WithCancel(context.Background())
	p, err := execx.Start(ctx, execx.Cmd{Path: "node", Args: []string{"server.js"}, Dir: dir, Env: env, Stdout: a.log, Stderr: a.log})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	a.process = p
	go func() { a.ended <- p.Wait(); close(a.ended) }()
	t.Cleanup(func() { cancel(); <-a.ended })
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		conn, err := net.Dial("tcp", strings.TrimPrefix(a.url, "http://"))
		if err == nil {
			conn.Close()
			return a
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server does not listen: %v\n%s", err, a.log)
		}
	}
}

func (a *app) get(t *testing.T, path string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, req)
}

func do(t *testing.T, req *http.Request) (int, http.Header, string) {
	t.Helper()
	client := http.Client{Timeout: 10 * time.Second}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(body)
}

func checkShutdown(t *testing.T, a *app) {
	started := time.Now()
	if err := a.process.Terminate(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-a.ended:
		if took := time.Since(started); took > 8*time.Second {
			t.Errorf("it took %s to end", took)
		}
	case <-time.After(10 * time.Second):
		t.Error("the server still runs 10 s after SIGTERM")
	}
}

type health struct {
	Status    string `json:"status"`
	Version   string `json:"version"`
	ReleaseID string `json:"releaseId"`
	ServiceID string `json:"serviceId"`
	Checks    map[string][]check
}

type check struct {
	Status string  `json:"status"`
	Value  float64 `json:"observedValue"`
	Unit   string  `json:"observedUnit"`
	Time   string  `json:"time"`
}

func (h health) of(service string) check {
	c := h.Checks[service+":responseTime"]
	if len(c) != 1 {
		return check{Status: "missing"}
	}
	return c[0]
}

func parseHealth(t *testing.T, body string) health {
	t.Helper()
	var h health
	if err := json.Unmarshal([]byte(body), &h); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return h
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
