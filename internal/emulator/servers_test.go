package emulator_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/emulator"
)

// freePorts returns the first of n free ports in a row.
func freePorts(t *testing.T, n int) int {
	t.Helper()
	for range 50 {
		first, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := first.Addr().(*net.TCPAddr).Port
		free := port+n <= 65535
		for i := 1; i < n && free; i++ {
			ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port+i)))
			if free = err == nil; free {
				_ = ln.Close()
			}
		}
		_ = first.Close()
		if free {
			return port
		}
	}
	t.Fatal("found no free ports in a row")
	return 0
}

func portOf(t *testing.T, base string) int {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatalf("%q: %v", base, err)
	}
	return port
}

// With a fixed port the platforms have those after it.
func TestPortsInARow(t *testing.T) {
	port := freePorts(t, emulator.Ports)
	s := start(t, func(o *emulator.Options) { o.Listen = net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) })
	at := s.Endpoints()
	for i, base := range []string{at.Fly, at.Railway, at.Render, at.Sentry} {
		if got := portOf(t, base); got != port+i {
			t.Errorf("server %d of %+v is at port %d, want %d", i, at, got, port+i)
		}
	}
	if at.Registry != net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) {
		t.Errorf("registry %s", at.Registry)
	}
}

// A port that somebody has is an error that says which, and for whom it was.
func TestATakenPortIsNamed(t *testing.T) {
	port := freePorts(t, emulator.Ports)
	taken := net.JoinHostPort("127.0.0.1", strconv.Itoa(port+2))
	ln, err := net.Listen("tcp", taken)
	if err != nil {
		t.Skip(err)
	}
	defer func() { _ = ln.Close() }()
	s, err := emulator.New(emulator.Options{Listen: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), NoPostgres: true})
	if err == nil {
		_ = s.Close()
		t.Fatal("started on a port that is taken")
	}
	if !strings.Contains(err.Error(), taken+" for render") {
		t.Errorf("error %v", err)
	}
	again, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		t.Fatalf("the first port is not given back: %v", err)
	}
	_ = again.Close()
}

// Every server says where all of them are.
func TestInfo(t *testing.T) {
	s := start(t)
	at := s.Endpoints()
	for _, base := range []string{at.Fly, at.Railway, at.Render, at.Sentry} {
		resp, err := http.Get(base + "/_emulator/info")
		if err != nil {
			t.Fatal(err)
		}
		var info emulator.Info
		err = json.NewDecoder(resp.Body).Decode(&info)
		_ = resp.Body.Close()
		if err != nil || info.Schema != emulator.InfoSchema || info.Endpoints != at || info.Env["FLY_API_BASE_URL"] != at.Fly {
			t.Errorf("%s: %+v, %v", base, info, err)
		}
	}
	env := s.Env()
	for name, want := range map[string]string{
		"RENDER_HOST": at.Render + "/v1/", "RAILWAY_BACKBOARD_URL": at.Railway + "/graphql/v2", "SENTRY_URL": at.Sentry + "/", "FLY_REGISTRY_HOST": at.Registry,
	} {
		if env[name] != want {
			t.Errorf("%s=%s, want %s", name, env[name], want)
		}
	}
	for _, name := range []string{"RENDER_API_KEY", "RENDER_WORKSPACE", "RAILWAY_API_TOKEN", "SENTRY_AUTH_TOKEN", "SENTRY_DSN", "FLY_NO_UPDATE_CHECK"} {
		if env[name] == "" {
			t.Errorf("no %s", name)
		}
	}
}

// ask sends a request to any of the servers and returns the answer.
func ask(t *testing.T, method, address, token, body string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(data)
}

func query(doc string) string {
	data, _ := json.Marshal(map[string]string{"query": doc})
	return string(data)
}

// A fault can mean a GraphQL operation or a field, and no other request.
func TestFaultOfAnOperation(t *testing.T) {
	s := start(t)
	for _, spec := range []string{"POST /graphql#viewer=503x1", "POST /graphql#Named=429:7"} {
		f, err := emulator.ParseFault(spec)
		if err != nil {
			t.Fatal(err)
		}
		s.AddFaults(f)
	}
	graphql := s.FlyURL() + "/graphql"
	if code, _, body := ask(t, "POST", graphql, "t", query("{ organizations { nodes { slug } } }")); code != 200 {
		t.Errorf("another field: %d %s", code, body)
	}
	if code, _, body := ask(t, "POST", graphql, "t", query("{ me: viewer { ... on User { email } } }")); code != 503 || !strings.Contains(body, `"errors"`) {
		t.Errorf("the field: %d %s", code, body)
	}
	if code, _, body := ask(t, "POST", graphql, "t", query("{ viewer { ... on User { email } } }")); code != 200 {
		t.Errorf("the field once more: %d %s", code, body)
	}
	if code, h, _ := ask(t, "POST", graphql, "t", query("query Named { platform { requestRegion } }")); code != 429 || h.Get("Retry-After") != "7" {
		t.Errorf("the operation: %d, Retry-After %q", code, h.Get("Retry-After"))
	}
	if reqs := s.Requests(); len(reqs) != 4 || strings.Join(reqs[3].Operation, " ") != "Named platform" || reqs[3].Platform != "fly" {
		t.Errorf("requests %+v", reqs)
	}
}

// A token works until its time is over; another one is a new one.
func TestTokensExpire(t *testing.T) {
	c := newClock(time.Now())
	s := start(t, func(o *emulator.Options) { o.TokenTTL, o.Now = time.Minute, c.Now })
	apps := s.FlyURL() + "/v1/apps?org_slug=personal"
	for _, step := range []struct {
		after time.Duration
		token string
		want  int
	}{{0, "one", 200}, {59 * time.Second, "one", 200}, {2 * time.Second, "one", 401}, {0, "two", 200}, {time.Hour, "two", 401}} {
		c.Add(step.after)
		if code, _, body := ask(t, "GET", apps, step.token, ""); code != step.want {
			t.Errorf("token %s %s later: %d %s, want %d", step.token, step.after, code, body, step.want)
		}
	}
}

// An expired token is refused in each platform's own words.
func TestExpiredTokensEverywhere(t *testing.T) {
	c := newClock(time.Now())
	s := start(t, func(o *emulator.Options) { o.TokenTTL, o.Now = time.Minute, c.Now })
	at := s.Endpoints()
	calls := []struct {
		method, address, body, fresh, stale string
		code                                int
	}{
		{"GET", at.Fly + "/v1/apps?org_slug=personal", "", `"apps"`, `"unauthorized"`, 401},
		{"POST", at.Railway + "/graphql/v2", query("{ me { email } }"), `"email":"`, "Not Authorized", 200},
		{"GET", at.Render + "/v1/owners", "", `"owner"`, `"message"`, 401},
		{"GET", at.Sentry + "/api/0/organizations/", "", `"slug"`, `"detail"`, 401},
	}
	for _, call := range calls {
		if code, _, body := ask(t, call.method, call.address, "t", call.body); code != 200 || !strings.Contains(body, call.fresh) {
			t.Errorf("%s: %d %s", call.address, code, body)
		}
	}
	c.Add(2 * time.Minute)
	for _, call := range calls {
		if code, _, body := ask(t, call.method, call.address, "t", call.body); code != call.code || !strings.Contains(body, call.stale) {
			t.Errorf("%s with an expired token: %d %s", call.address, code, body)
		}
	}
}

// Each platform refuses in its own words.
func TestFaultsLookLikeThePlatform(t *testing.T) {
	s := start(t)
	f, err := emulator.ParseFault("* /*=409")
	if err != nil {
		t.Fatal(err)
	}
	s.AddFaults(f)
	at := s.Endpoints()
	for _, tt := range []struct{ method, address, want string }{
		{"GET", at.Fly + "/v1/apps", `"status":"unknown"`},
		{"POST", at.Fly + "/v1/apps/a/machines/1/lease", "lease currently held"},
		{"POST", at.Fly + "/graphql", `"errors":[{"extensions":{"code":"CONFLICT"}`},
		{"GET", at.Fly + "/v2/", `"code":"UNKNOWN"`},
		{"POST", at.Railway + "/graphql/v2", `"errors":[{"`},
		{"GET", at.Render + "/v1/services", `"message":"`},
		{"GET", at.Sentry + "/api/0/organizations/", `"detail":"`},
	} {
		if code, _, body := ask(t, tt.method, tt.address, "t", ""); code != 409 || !strings.Contains(body, tt.want) {
			t.Errorf("%s %s: %d %s, want %s", tt.method, tt.address, code, body, tt.want)
		}
	}
}
