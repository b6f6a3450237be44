package railway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/pgserver"
	"github.com/opsctl/opsctl/internal/emulator/railway"
	"github.com/opsctl/opsctl/internal/emulator/world"
	"github.com/opsctl/opsctl/internal/spectest"
)

// TestMain lets the test binary stand for the deployed app.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "app" {
		os.Exit(testApp())
	}
	dir, err := os.MkdirTemp("", "opsctl-railway-cache-")
	if err != nil {
		panic(err)
	}
	cache = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// cache is what the tests' database servers are copied from.
var cache string

// testApp is a small web app whose image decides how it behaves.
func testApp() int {
	image := os.Getenv(railway.ImageVariable)
	fmt.Println("listening on", os.Getenv("PORT"))
	fmt.Println(`{"level":"warn","message":"structured","user":7}`)
	if strings.Contains(image, ":crash") {
		return 7
	}
	if strings.Contains(image, ":done") {
		return 0
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	ln, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	srv := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/health":
			fmt.Println("asked as", r.Host)
			if strings.Contains(image, ":sick") {
				rw.WriteHeader(http.StatusServiceUnavailable)
			}
			if strings.Contains(image, ":moved") {
				rw.WriteHeader(http.StatusNoContent) // only 200 is healthy
			}
		case "/env":
			_, _ = fmt.Fprint(rw, os.Getenv(r.URL.Query().Get("name")))
		case "/say":
			fmt.Println(r.URL.Query().Get("line"))
		case "/exit":
			os.Exit(9)
		default:
			_, _ = fmt.Fprint(rw, image)
		}
	})}
	go func() { _ = srv.Serve(ln) }()
	<-stop
	fmt.Println("bye")
	_ = srv.Shutdown(context.Background())
	return 0
}

// rig is an emulator of Railway alone, with a client whose exchanges are validated.
type rig struct {
	t     *testing.T
	ctx   context.Context
	world *world.World
	s     *railway.Server
	url   string
	v     *spectest.GraphQL
	http  *http.Client
	token string // "Header: value"
}

func images() []string {
	var out []string
	for _, tag := range []string{"v1", "v2", "sick", "crash", "done", "moved"} {
		out = append(out, "ghcr.io/acme/shop:"+tag)
	}
	return out
}

func worldOptions(t *testing.T) world.Options {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return world.Options{
		Exec: []string{self, "app"}, RestartBackoff: 10 * time.Millisecond, Seed: 1, Cache: cache,
		StartDatabase: func(ctx context.Context, spec world.DatabaseSpec) (world.DatabaseServer, error) {
			return pgserver.Start(ctx, spec)
		},
	}
}

func start(t *testing.T, change ...func(*railway.Options)) *rig {
	t.Helper()
	w, err := world.New(worldOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	return over(t, w, change...)
}

// over makes the API for a world that is there.
func over(t *testing.T, w *world.World, change ...func(*railway.Options)) *rig {
	t.Helper()
	for _, ref := range images() {
		if err := w.Images.Seed(ref); err != nil {
			t.Fatal(err)
		}
	}
	opts := railway.Options{World: w, Probe: 10 * time.Millisecond}
	for _, c := range change {
		c(&opts)
	}
	s := railway.New(opts)
	srv := httptest.NewServer(s)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(func() {
		cancel()
		if err := s.Close(); err != nil {
			t.Errorf("close the API: %v", err)
		}
		srv.Close()
		if err := w.Close(); err != nil {
			t.Errorf("close the world: %v", err)
		}
	})
	v := spectest.NewGraphQL(t, spectest.RailwayFile)
	return &rig{t, ctx, w, s, srv.URL, v, &http.Client{Transport: v.Transport("/graphql/v2", nil)}, "Authorization: Bearer account"}
}

// as is the same rig with another token.
func (r *rig) as(header string) *rig {
	c := *r
	c.token = header
	return &c
}

// unchecked is the same rig without validation, for what doesn't fit the schema.
func (r *rig) unchecked() *rig {
	c := *r
	c.http = http.DefaultClient
	return &c
}

// vars are variables; m is any JSON object.
type m = map[string]any

// ask sends an operation; problem is "CODE: message" of the first error.
func (r *rig) ask(query string, vars m) (data m, problem string) {
	r.t.Helper()
	body, err := json.Marshal(m{"query": query, "variables": vars})
	if err != nil {
		r.t.Fatal(err)
	}
	_, _, answer := r.post("/graphql/v2", "application/json", body)
	var out struct {
		Data   m
		Errors []struct {
			Message    string
			Extensions struct{ Code string }
		}
	}
	if err := json.Unmarshal(answer, &out); err != nil {
		r.t.Fatalf("%s: %s", query, answer)
	}
	if len(out.Errors) > 0 {
		return out.Data, out.Errors[0].Extensions.Code + ": " + out.Errors[0].Message
	}
	return out.Data, ""
}

func (r *rig) post(path, typ string, body []byte) (int, http.Header, []byte) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.ctx, http.MethodPost, r.url+path, bytes.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", typ)
	if k, v, ok := strings.Cut(r.token, ": "); ok {
		req.Header.Set(k, v)
	}
	resp, err := r.http.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, answer
}

// must is ask for an operation that has to succeed; path leads to a part of
// its data: "project.id", "deployments.edges.0.node".
func (r *rig) must(path, query string, vars m) any {
	r.t.Helper()
	data, problem := r.ask(query, vars)
	if problem != "" {
		r.t.Fatalf("%s: %s", query, problem)
	}
	v := dig(data, path)
	if v == nil && path != "" {
		r.t.Fatalf("%s: no %s in %v", query, path, data)
	}
	return v
}

func (r *rig) text(path, query string, vars m) string {
	r.t.Helper()
	s, _ := r.must(path, query, vars).(string)
	return s
}

// refused expects an error that contains the text.
func (r *rig) refused(want, query string, vars m) {
	r.t.Helper()
	if data, problem := r.ask(query, vars); !strings.Contains(problem, want) {
		r.t.Errorf("%s: %q (%v), want an error with %q", query, problem, data, want)
	}
}

func dig(v any, path string) any {
	if path == "" {
		return v
	}
	for key := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case m:
			v = x[key]
		case []any:
			i := 0
			if _, err := fmt.Sscan(key, &i); err != nil || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

// eventually waits for the world to come to something.
func (r *rig) eventually(what string, cond func() bool) {
	r.t.Helper()
	for !cond() {
		select {
		case <-r.world.Changed():
		case <-time.After(10 * time.Millisecond):
		case <-r.ctx.Done():
			r.t.Fatalf("never came true: %s", what)
		}
	}
}

// site is a project with one service.
type site struct {
	*rig
	project, env, service string
}

func (r *rig) site() *site {
	r.t.Helper()
	p := r.must("projectCreate", `mutation { projectCreate(input: {name: "shop", description: "d"}) { id environments { edges { node { id name } } } } }`, nil)
	s := &site{r, dig(p, "id").(string), dig(p, "environments.edges.0.node.id").(string), ""}
	s.service = r.text("serviceCreate.id", `mutation($i: ServiceCreateInput!) { serviceCreate(input: $i) { id name projectId } }`,
		m{"i": m{"projectId": s.project, "environmentId": s.env, "name": "web"}})
	return s
}

func (s *site) update(input m) {
	s.t.Helper()
	s.must("serviceInstanceUpdate", `mutation($s: String!, $e: String, $i: ServiceInstanceUpdateInput!) { serviceInstanceUpdate(serviceId: $s, environmentId: $e, input: $i) }`,
		m{"s": s.service, "e": s.env, "i": input})
}

func (s *site) deploy() string {
	s.t.Helper()
	return s.text("serviceInstanceDeployV2", `mutation($s: String!, $e: String!) { serviceInstanceDeployV2(serviceId: $s, environmentId: $e) }`, m{"s": s.service, "e": s.env})
}

func (s *site) release(image string) string {
	s.t.Helper()
	s.update(m{"source": m{"image": image}})
	return s.deploy()
}

func (r *rig) status(id string) string {
	r.t.Helper()
	return r.text("deployment.status", `query($id: String!) { deployment(id: $id) { id status statusUpdatedAt instances { id status } diagnosis meta canRollback canRedeploy deploymentStopped url staticUrl creator { email } service { name } environment { name } } }`, m{"id": id})
}

// ends waits for a deployment's status.
func (r *rig) ends(id, want string) {
	r.t.Helper()
	last := ""
	r.eventually("deployment is "+want, func() bool {
		last = r.status(id)
		if last != want && (last == "FAILED" || last == "CRASHED") {
			r.t.Fatalf("the deployment is %s, want %s:\n%s", last, want, strings.Join(r.lines("buildLogs", id), "\n"))
		}
		return last == want
	})
}

func (r *rig) lines(field, deployment string) []string {
	r.t.Helper()
	list, _ := r.must(field, fmt.Sprintf(`query($d: String!) { %s(deploymentId: $d, limit: 500) { timestamp message severity attributes { key value } tags { deploymentId serviceId deploymentInstanceId } } }`, field), m{"d": deployment}).([]any)
	var out []string
	for _, l := range list {
		out = append(out, dig(l, "message").(string))
	}
	return out
}

// page asks the app itself, through the addresses that may take traffic.
func (s *site) page(path string) string {
	s.t.Helper()
	backends := s.world.App("web-production").Backends()
	if len(backends) == 0 {
		return ""
	}
	req, err := http.NewRequestWithContext(s.ctx, http.MethodGet, "http://"+backends[0]+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return ""
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	return string(body)
}

// says waits until the app answers so: without a health check a version counts
// as active before it listens.
func (s *site) says(path, want string) {
	s.t.Helper()
	s.eventually(path+" says "+want, func() bool { return s.page(path) == want })
}
