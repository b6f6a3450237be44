package render_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/render"
	"github.com/opsctl/opsctl/internal/emulator/world"
	"github.com/opsctl/opsctl/internal/spectest"
)

// TestMain lets the test binary stand for the deployed app.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "app" {
		os.Exit(testApp(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// testApp is a small web app that behaves as its image's tag says.
func testApp(args []string) int {
	if len(args) > 0 {
		return testCommand(args[0])
	}
	image := os.Getenv(render.ImageVariable)
	fmt.Println("listening as", os.Getenv("RENDER_INSTANCE_ID"))
	if strings.Contains(image, ":crash") {
		fmt.Fprintln(os.Stderr, "error: no database")
		return 7
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	if os.Getenv("RENDER_SERVICE_TYPE") == "worker" {
		<-stop
		return 0
	}
	ln, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	srv := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/health":
			if strings.Contains(image, ":sick") {
				http.Error(rw, "database unreachable", http.StatusServiceUnavailable)
			}
		case "/env":
			fmt.Fprint(rw, os.Getenv(r.URL.Query().Get("name")))
		case "/exit":
			os.Exit(5)
		default:
			fmt.Fprint(rw, image)
		}
	})}
	go func() { _ = srv.Serve(ln) }()
	<-stop
	_ = srv.Shutdown(context.Background())
	fmt.Println("bye")
	return 0
}

func testCommand(name string) int {
	switch name {
	case "migrate":
		fmt.Println("migrating with", os.Getenv("DATABASE_URL"))
		return 0
	case "fail":
		fmt.Fprintln(os.Stderr, "relation exists")
		return 3
	case "sleep":
		time.Sleep(time.Minute)
		return 0
	}
	return 2
}

var document = sync.OnceValues(spectest.LoadRender)

// Every other test validates its exchanges when the document is there; this one
// says so when it is not.
func TestTheDocumentIsThere(t *testing.T) {
	spectest.Require(t, spectest.RenderFile)
	if _, err := document(); err != nil {
		t.Fatal(err)
	}
}

const key = "rnd_test"

// fixture is an API with its world, and a client whose exchanges are validated.
type fixture struct {
	t     *testing.T
	world *world.World
	api   *render.Server
	srv   *httptest.Server
	check *spectest.Checker
	http  *http.Client
	self  string
}

func newWorld(t *testing.T, change ...func(*world.Options)) *world.World {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	opts := world.Options{Exec: []string{self, "app"}, RestartBackoff: 5 * time.Millisecond}
	for _, c := range change {
		c(&opts)
	}
	w, err := world.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	for _, tag := range []string{"v1", "v2", "v3", "crash", "sick"} {
		if err := w.Images.Seed("registry.example.com/shop:" + tag); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func start(t *testing.T, change ...func(*render.Options)) *fixture {
	t.Helper()
	return serve(t, newWorld(t), change...)
}

// serve makes an API for a world that is there.
func serve(t *testing.T, w *world.World, change ...func(*render.Options)) *fixture {
	t.Helper()
	opts := render.Options{World: w, ValidTokens: []string{key}, CheckInterval: 20 * time.Millisecond, Settle: 250 * time.Millisecond, Drain: 50 * time.Millisecond, DeployTimeout: 20 * time.Second}
	for _, c := range change {
		c(&opts)
	}
	api := render.New(opts)
	srv := httptest.NewServer(api)
	t.Cleanup(func() {
		_ = api.Close()
		srv.Close()
	})
	doc, err := document()
	if err != nil && spectest.Have(spectest.RenderFile) {
		t.Fatal(err)
	}
	self, _ := os.Executable()
	f := &fixture{t: t, world: w, api: api, srv: srv, check: doc.Check(t), self: self}
	f.check.Refused = true
	f.http = &http.Client{Transport: f.check.Transport(nil)}
	return f
}

// send sends a request and returns the answer as it is.
func (f *fixture) send(method, path string, body any) (int, []byte, http.Header) {
	f.t.Helper()
	var rd io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			f.t.Fatal(err)
		}
		rd = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(f.t.Context(), method, f.srv.URL+"/v1"+path, rd)
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := f.http.Do(req)
	if err != nil {
		f.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return resp.StatusCode, answer, resp.Header
}

// object is a JSON object with short ways to its parts.
type object map[string]any

func (o object) str(path ...string) string {
	for _, p := range path[:len(path)-1] {
		o = o.sub(p)
	}
	s, _ := o[path[len(path)-1]].(string)
	return s
}

func (o object) sub(name string) object {
	m, _ := o[name].(map[string]any)
	return m
}

// call wants a status and an object.
func (f *fixture) call(want int, method, path string, body any) object {
	f.t.Helper()
	code, answer, _ := f.send(method, path, body)
	if code != want {
		f.t.Fatalf("%s %s: %d %s, want %d", method, path, code, answer, want)
	}
	out := object{}
	if len(answer) > 0 {
		if err := json.Unmarshal(answer, &out); err != nil {
			f.t.Fatalf("%s %s: %v: %s", method, path, err, answer)
		}
	}
	return out
}

// list wants 200 and a list of {cursor, NAME}; it returns the items.
func (f *fixture) list(path, name string) (items []object, cursor string) {
	f.t.Helper()
	code, answer, _ := f.send("GET", path, nil)
	if code != 200 {
		f.t.Fatalf("GET %s: %d %s", path, code, answer)
	}
	var list []object
	if err := json.Unmarshal(answer, &list); err != nil {
		f.t.Fatal(err)
	}
	for _, e := range list {
		items = append(items, e.sub(name))
		cursor = e.str("cursor")
	}
	return items, cursor
}

// web is the body that creates a service of an image.
func web(name, tag string, change ...func(object)) object {
	o := object{
		"type": "web_service", "name": name, "ownerId": "tea-1", "image": object{"ownerId": "tea-1", "imagePath": "registry.example.com/shop:" + tag},
		"serviceDetails": object{"runtime": "image", "region": "frankfurt", "plan": "starter", "healthCheckPath": "/health", "maxShutdownDelaySeconds": 2},
	}
	for _, c := range change {
		c(o)
	}
	return o
}

func details(kv ...any) func(object) {
	return func(o object) {
		for i := 0; i < len(kv); i += 2 {
			o["serviceDetails"].(object)[kv[i].(string)] = kv[i+1]
		}
	}
}

// create makes a service and waits until its first deploy has ended as wanted.
func (f *fixture) create(body object, want string) (service, deploy string) {
	f.t.Helper()
	out := f.call(201, "POST", "/services", body)
	service, deploy = out.sub("service").str("id"), out.str("deployId")
	f.ended(service, deploy, want)
	return service, deploy
}

func (f *fixture) deploy(service string, body object, want string) string {
	f.t.Helper()
	id := f.call(201, "POST", "/services/"+service+"/deploys", body).str("id")
	f.ended(service, id, want)
	return id
}

// ended waits for a deploy's end.
func (f *fixture) ended(service, deploy, want string) object {
	f.t.Helper()
	var doc object
	f.eventually("the deploy is "+want, func() bool {
		doc = f.call(200, "GET", "/services/"+service+"/deploys/"+deploy, nil)
		st := doc.str("status")
		if st != want && doc["finishedAt"] != nil {
			f.t.Fatalf("the deploy ended as %s, want %s\n%s", st, want, f.log(service))
		}
		return st == want
	})
	return doc
}

func (f *fixture) status(service, deploy string) string {
	f.t.Helper()
	return f.call(200, "GET", "/services/"+service+"/deploys/"+deploy, nil).str("status")
}

func (f *fixture) eventually(what string, cond func() bool) {
	f.t.Helper()
	for end := time.Now().Add(20 * time.Second); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			f.t.Fatalf("gave up waiting until %s", what)
		}
	}
}

// log is all that the service has logged.
func (f *fixture) log(service string) string {
	f.t.Helper()
	out := f.call(200, "GET", "/logs?ownerId=tea-1&direction=forward&limit=100&resource="+service, nil)
	var b strings.Builder
	for _, l := range out["logs"].([]any) {
		b.WriteString(object(l.(map[string]any)).str("message") + "\n")
	}
	return b.String()
}

// visit gets a page of the app as the router would.
func (f *fixture) visit(host, path string) (int, string) {
	f.t.Helper()
	app := f.world.AppByHost(host)
	if app == nil {
		return 404, ""
	}
	backends := app.Backends()
	if len(backends) == 0 {
		return 503, ""
	}
	addr := backends[rand.IntN(len(backends))]
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}).Do(req)
	if err != nil {
		return 502, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

func (f *fixture) wantPage(host, path, part string) {
	f.t.Helper()
	if code, text := f.visit(host, path); code != 200 || !strings.Contains(text, part) {
		f.t.Errorf("http://%s%s: %d %q, want %q", host, path, code, text, part)
	}
}

func (f *fixture) events(service string) string {
	f.t.Helper()
	items, _ := f.list("/services/"+service+"/events?limit=100", "event")
	var types []string
	for i := range items {
		types = append(types, items[len(items)-1-i].str("type"))
	}
	return strings.Join(types, " ")
}
