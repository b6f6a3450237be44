package health

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

func says(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func TestJudgement(t *testing.T) {
	const js = "application/json"
	status := func(s string) []StatusRange {
		r, err := ParseStatuses(s)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	tests := []struct {
		name   string
		answer http.HandlerFunc
		expect Expect
		state  State
		want   []string // "failure: part of the text"
	}{
		{"plain 200", says(200, "text/html", "<h1>hi</h1>"), Expect{}, Pass, nil},
		{"204", says(204, js, ""), Expect{}, Pass, nil},
		{"500", says(500, "text/plain", "oops"), Expect{}, Fail, []string{"status: status 500, expected 200-299"}},
		{"an expected 401", says(401, "text/plain", ""), Expect{Status: status("401")}, Pass, nil},
		{"an unexpected 200", says(200, "text/plain", ""), Expect{Status: status("401,5xx")}, Fail, []string{"status: status 200, expected 401,500-599"}},
		{"pass", says(200, js, `{"status":"pass"}`), Expect{}, Pass, nil},
		{"warn", says(200, js, `{"status":"warn","output":"disk at 85 %"}`), Expect{}, Warn, []string{`body: the body says "warn": disk at 85 %`}},
		{"fail in a 200", says(200, js, `{"status":"fail","checks":{"db":[{"status":"fail","output":"refused"}]}}`), Expect{}, Fail,
			[]string{`body: the body says "fail": db (refused) although the status is 200`}},
		{"DOWN with 503", says(503, js, `{"status":"DOWN","components":{"db":{"status":"DOWN"}}}`), Expect{}, Fail,
			[]string{`status: status 503, expected 200-299; the body says "DOWN": db`}},
		{"DOWN with 503 expected", says(503, js, `{"status":"DOWN"}`), Expect{Status: status("503")}, Pass, nil},
		{"pass with 503", says(503, js, `{"status":"pass"}`), Expect{Status: status("503")}, Fail, []string{`body: the body says "pass" although the status is 503`}},
		{"pass with a failing part", says(200, js, `{"status":"UP","checks":[{"name":"mq","status":"DOWN"}]}`), Expect{}, Warn,
			[]string{`body: the body says "UP" although these fail: mq`}},
		{"text found", says(200, "text/plain", "all good"), Expect{BodyContains: "good"}, Pass, nil},
		{"text missing", says(200, "text/plain", "all bad"), Expect{BodyContains: "good"}, Fail, []string{`body: the body does not contain "good"`}},
		{"json", says(200, js, `{"db":{"pool":[1,2]}}`), Expect{JSON: []JSONAssert{{"db.pool[1]", "2"}}}, Pass, nil},
		{"json, every problem is told", says(200, js, `{"a":1}`), Expect{JSON: []JSONAssert{{"a", "2"}, {"b", "1"}}}, Fail,
			[]string{`json: a is "1", expected "2"`, `json: b: $ has no member "b"`}},
		{"json of html", says(200, js, `<html>`), Expect{JSON: []JSONAssert{{"a", "2"}}}, Fail, []string{"json: the body is no JSON"}},
		{"release by releaseId", says(200, js, `{"status":"pass","releaseId":"abcdef1234567"}`), Expect{Release: "abcdef1"}, Pass, nil},
		{"release by version", says(200, js, `{"version":"1.6.0"}`), Expect{Release: "1.6.0"}, Pass, nil},
		{"the old release answers", says(200, js, `{"status":"pass","releaseId":"abcdef1"}`), Expect{Release: "1234567"}, Fail,
			[]string{"release: release abcdef1 answers, expected 1234567"}},
		{"no release", says(200, js, `{"status":"pass"}`), Expect{Release: "1234567"}, Fail, []string{"release: the answer names no release"}},
		{"too slow", func(http.ResponseWriter, *http.Request) { time.Sleep(30 * time.Millisecond) }, Expect{MaxLatency: time.Millisecond}, Fail, []string{"latency: took "}},
		{"certificate days without TLS", says(200, "text/plain", ""), Expect{TLSDays: 14}, Fail, []string{"certificate: no TLS"}},
		{"body that is not UTF-8", says(200, js, "{\"status\":\"pass\",\"output\":\"\xff\xfe\xfd\"}"), Expect{}, Pass, nil},
		{"a body of exactly 1 MiB is whole", says(200, js, strings.Repeat(" ", maxBody-17)+`{"status":"warn"}`), Expect{}, Warn, []string{`body: the body says "warn"`}},
		{"a body of more is not read", says(200, js, strings.Repeat(" ", maxBody-16)+`{"status":"fail"}`), Expect{}, Pass, nil},
		{"failures come before warnings", says(200, js, `{"status":"warn"}`), Expect{BodyContains: "x"}, Fail, []string{"body: the body does not", `body: the body says "warn"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res := (&Prober{}).Probe(t.Context(), Check{URL: serve(t, tt.answer), Expect: tt.expect})
			if res.State != tt.state || len(res.Problems) != len(tt.want) {
				t.Fatalf("state %s, problems %+v, want %s, %q", res.State, res.Problems, tt.state, tt.want)
			}
			for i, p := range res.Problems {
				if got := string(p.Failure) + ": " + p.Text; !strings.HasPrefix(got, tt.want[i]) {
					t.Errorf("problem %d = %q, want %q", i, got, tt.want[i])
				}
			}
		})
	}
}

func TestWhatIsSent(t *testing.T) {
	var got *http.Request
	u := serve(t, func(_ http.ResponseWriter, r *http.Request) { got = r })
	c := Check{
		URL: strings.Replace(u, "http://", "http://user:pw@", 1) + "/healthz?token=abc", Method: "head", Host: "erp.example.com",
		Header: http.Header{"x-tenant": {"acme"}, "Accept": {"text/plain"}},
	}
	res := (&Prober{UserAgent: "opsctl/test"}).Probe(t.Context(), c)
	if res.State != Pass {
		t.Fatalf("%+v", res.Problems)
	}
	user, password, _ := got.BasicAuth()
	for what, pair := range map[string][2]string{
		"method": {got.Method, "HEAD"}, "path": {got.URL.RequestURI(), "/healthz?token=abc"}, "host": {got.Host, "erp.example.com"},
		"agent": {got.UserAgent(), "opsctl/test"}, "header": {got.Header.Get("X-Tenant"), "acme"}, "accept": {got.Header.Get("Accept"), "text/plain"},
		"connection": {got.Header.Get("Connection"), "close"}, "user": {user + "/" + password, "user/pw"},
		"shown URL": {res.URL, u + "/healthz?..."},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s = %q, want %q", what, pair[0], pair[1])
		}
	}
}

func TestDialAddrKeepsTheName(t *testing.T) {
	var host string
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		host = r.Host
		if r.URL.Path == "/" {
			http.Redirect(w, r, "http://erp.example.com/health", http.StatusFound)
		}
	})
	addr := strings.TrimPrefix(u, "http://")
	tests := []struct {
		name  string
		check Check
	}{
		{"the URL names the app, DialAddr the machine", Check{URL: "http://erp.example.com/", DialAddr: addr}},
		{"the URL names the machine, Host the app", Check{URL: u, Host: "erp.example.com"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			host = ""
			res := (&Prober{Resolver: noResolver{}}).Probe(t.Context(), tt.check)
			if res.State != Pass || host != "erp.example.com" || res.Remote != addr || len(res.Hops) != 1 {
				t.Errorf("state %s %v, host %q, remote %q, hops %v", res.State, res.Problems, host, res.Remote, res.Hops)
			}
		})
	}
}

// noResolver fails the test's probe when a name is looked up.
type noResolver struct{}

func (noResolver) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	return nil, errors.New("looked up " + host)
}

type fixedResolver struct {
	ips []string
	err error
}

func (r fixedResolver) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	var out []netip.Addr
	for _, s := range r.ips {
		out = append(out, netip.MustParseAddr(s))
	}
	return out, r.err
}

func TestResolve(t *testing.T) {
	notFound := &net.DNSError{Err: "no such host", Name: "x", IsNotFound: true}
	tests := []struct {
		name, host string
		family     Family
		r          Resolver
		want, err  string
	}{
		{"first address", "app.example", AnyFamily, fixedResolver{ips: []string{"192.0.2.1", "2001:db8::1"}}, "192.0.2.1", ""},
		{"first of IPv6", "app.example", IPv6, fixedResolver{ips: []string{"192.0.2.1", "2001:db8::1"}}, "2001:db8::1", ""},
		{"mapped addresses are IPv4", "app.example", IPv4, fixedResolver{ips: []string{"::ffff:192.0.2.1"}}, "192.0.2.1", ""},
		{"none of the family", "app.example", IPv6, fixedResolver{ips: []string{"192.0.2.1"}}, "", "app.example has no IPv6 address"},
		{"none at all", "app.example", AnyFamily, fixedResolver{}, "", "app.example has no address"},
		{"not found", "app.example", AnyFamily, fixedResolver{err: notFound}, "", "no such host"},
		{"localhost", "localhost", AnyFamily, noResolver{}, "127.0.0.1", ""},
		{"under localhost", "Acme.LocalHost.", AnyFamily, noResolver{}, "127.0.0.1", ""},
		{"localhost by IPv6", "a.localhost", IPv6, noResolver{}, "::1", ""},
		{"a lookalike", "notlocalhost", AnyFamily, noResolver{}, "", "looked up notlocalhost"},
		{"invalid", "db.invalid", AnyFamily, noResolver{}, "", "no such host"},
		{"literal", "192.0.2.7", AnyFamily, noResolver{}, "192.0.2.7", ""},
		{"literal of the other family", "192.0.2.7", IPv6, noResolver{}, "", "192.0.2.7 has no IPv6 address"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ip, err := (&Prober{Resolver: tt.r}).resolve(t.Context(), tt.host, tt.family)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("err = %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil || ip.String() != tt.want {
				t.Errorf("= %v, %v, want %s", ip, err, tt.want)
			}
		})
	}
}

func TestPhasesAreMeasured(t *testing.T) {
	u := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(40 * time.Millisecond)
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		time.Sleep(40 * time.Millisecond)
		fmt.Fprint(w, "done")
	})
	res := (&Prober{}).Probe(t.Context(), Check{URL: u})
	p := res.Phases
	if p.FirstByte < 40*time.Millisecond || p.Transfer < 40*time.Millisecond || p.Connect <= 0 || p.TLS != 0 {
		t.Errorf("phases %+v", p)
	}
	if p.Sum() > res.Total {
		t.Errorf("phases take %v of a total of %v", p.Sum(), res.Total)
	}
}

func TestRedirects(t *testing.T) {
	other := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "auth=%q cookie=%q", r.Header.Get("Authorization"), r.Header.Get("Cookie"))
	})
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/away":
			http.Redirect(w, r, other+"/", http.StatusTemporaryRedirect)
		case "/mail":
			w.Header().Set("Location", "mailto:a@example.com")
			w.WriteHeader(http.StatusFound)
		case "/nowhere":
			w.WriteHeader(http.StatusFound)
		case "/post":
			http.Redirect(w, r, "/method", http.StatusSeeOther)
		case "/method":
			fmt.Fprint(w, r.Method)
		}
	})
	secret := http.Header{"Authorization": {"Bearer abc"}, "Cookie": {"s=1"}}
	tests := []struct {
		name    string
		check   Check
		state   State
		reason  string
		hops    int
		failure Failure
	}{
		{"for ever", Check{URL: u + "/loop"}, Fail, "gave up after 10 redirects, the last one to " + u + "/loop", 11, FailRedirect},
		{"fewer allowed", Check{URL: u + "/loop", MaxRedirects: 2}, Fail, "gave up after 2 redirects", 3, FailRedirect},
		{"not followed", Check{URL: u + "/loop", MaxRedirects: -1}, Fail, "status 302, expected 200-299", 0, FailStatus},
		{"the redirect is what is expected", Check{URL: u + "/loop", Expect: Expect{Status: []StatusRange{{302, 302}}}}, Pass, "", 0, ""},
		{"credentials stay at home", Check{URL: u + "/away", Header: secret, Expect: Expect{BodyContains: `auth="" cookie=""`}}, Pass, "", 1, ""},
		{"not a web address", Check{URL: u + "/mail"}, Fail, "status 302 leads to mailto:a@example.com", 0, FailRedirect},
		{"no location", Check{URL: u + "/nowhere"}, Fail, "status 302 without a usable Location", 0, FailRedirect},
		{"see other is a GET", Check{URL: u + "/post", Method: "POST", Expect: Expect{BodyContains: "GET"}}, Pass, "", 1, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res := (&Prober{}).Probe(t.Context(), tt.check)
			if res.State != tt.state || !strings.HasPrefix(res.Reason(), tt.reason) || len(res.Hops) != tt.hops || res.Failure() != tt.failure {
				t.Errorf("state %s, %s: %q, %d hops", res.State, res.Failure(), res.Reason(), len(res.Hops))
			}
		})
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []Check{
		{URL: ""}, {URL: "erp.example.com"}, {URL: "ftp://x/"}, {URL: "http://"}, {URL: "http://[::1"}, {URL: "http://x/%zz"},
		{URL: "http://x/", DialAddr: "nope"}, {URL: "http://x/", Family: 5}, {URL: "http://x/", Expect: Expect{JSON: []JSONAssert{{"a..b", ""}}}},
	} {
		res := (&Prober{}).Probe(t.Context(), c)
		if res.State != Fail || res.Failure() != FailCheck {
			t.Errorf("%+v: %s, %s", c, res.State, res.Failure())
		}
	}
}

func TestProbeAllKeepsTheOrderAndRunsTogether(t *testing.T) {
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/0" {
			time.Sleep(100 * time.Millisecond)
		}
	})
	var checks []Check
	var want []string
	for i := range 50 {
		checks = append(checks, Check{URL: fmt.Sprintf("%s/%d", u, i)})
		want = append(want, checks[i].URL)
	}
	var got []string
	for _, r := range (&Prober{}).ProbeAll(t.Context(), checks, 0) {
		got = append(got, r.URL)
		if !r.Healthy() {
			t.Errorf("%s: %s", r.URL, r.Reason())
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("order %v", got)
	}
}

func TestProbeAllIsBounded(t *testing.T) {
	running, most := make(chan struct{}, 100), 0
	u := serve(t, func(http.ResponseWriter, *http.Request) {
		running <- struct{}{}
		time.Sleep(5 * time.Millisecond)
		if n := len(running); n > 3 {
			t.Errorf("%d at once", n)
		}
		<-running
	})
	for _, r := range (&Prober{}).ProbeAll(t.Context(), make12(u), 3) {
		if r.Healthy() {
			most++
		}
	}
	if most != 12 {
		t.Errorf("%d healthy", most)
	}
}

func make12(u string) []Check {
	out := make([]Check, 12)
	for i := range out {
		out[i].URL = u
	}
	return out
}
