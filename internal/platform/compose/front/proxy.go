package front

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"sync"
	"time"
)

// The proxy's patience. upstreamIdle is shorter than the five seconds for which
// Node.js keeps an idle connection: a request must not meet its closing.
const (
	dialTimeout   = 2 * time.Second
	upstreamIdle  = 2 * time.Second
	headerTimeout = 30 * time.Second
	visitorIdle   = 2 * time.Minute
)

// proxy passes requests on to the targets in turn.
type proxy struct {
	handler http.Handler
	errors  *log.Logger

	mu      sync.Mutex
	config  Config
	checks  map[Target]*check // of targets and candidates
	active  map[string]int    // name to requests under way, also of targets that are no more
	waiting []*drain
	next    int
}

// drain waits until nothing is under way to some targets.
type drain struct {
	names []string
	done  chan struct{}
}

func newProxy(errorLog io.Writer) *proxy {
	p := &proxy{checks: map[Target]*check{}, active: map[string]int{}, errors: log.New(errorLog, "", log.LstdFlags)}
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}
	transport := &http.Transport{
		DialContext: dialer.DialContext, IdleConnTimeout: upstreamIdle, MaxIdleConnsPerHost: 256,
		DisableCompression: true, ResponseHeaderTimeout: 0, // slow answers are the app's business
	}
	p.handler = &httputil.ReverseProxy{
		Rewrite: rewrite, Transport: &balancer{p, transport}, ErrorLog: p.errors,
		FlushInterval: -1, // streams are passed on as they come
		ErrorHandler:  p.failed,
	}
	return p
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.handler.ServeHTTP(w, r) }

// errNoTarget is that no release runs.
var errNoTarget = errors.New("no instance of the app takes requests")

func (p *proxy) failed(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, context.Canceled): // the visitor has gone
		w.WriteHeader(http.StatusBadGateway)
	case errors.Is(err, errNoTarget):
		w.Header().Set("Retry-After", "5")
		http.Error(w, "the app is not running", http.StatusServiceUnavailable)
	default:
		p.errors.Printf("%s %s: %v", r.Method, r.URL.Path, err)
		http.Error(w, "the app did not answer", http.StatusBadGateway)
	}
}

// rewrite keeps the host that the visitor asked for. What a proxy in front says of
// the visitor is believed when it comes from a private address: that of the
// engine's own network, or of a proxy beside it.
func rewrite(r *httputil.ProxyRequest) {
	r.Out.URL.Scheme, r.Out.URL.Host = "http", "app" // the balancer puts the address in
	r.Out.Host = r.In.Host
	trusted := private(r.In.RemoteAddr)
	if trusted {
		r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
	}
	r.SetXForwarded()
	for _, name := range []string{"X-Forwarded-Proto", "X-Forwarded-Host"} {
		if said := r.In.Header.Values(name); trusted && len(said) > 0 {
			r.Out.Header[name] = said
		}
	}
}

func private(address string) bool {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return false
	}
	ip := at.Addr().Unmap()
	return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast()
}

// set takes a new configuration; requests that come from now on go by it.
func (p *proxy) set(c Config) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.config = c
	keep := map[Target]*check{}
	for _, t := range p.all() {
		if have, ok := p.checks[t]; ok {
			keep[t] = have
			continue
		}
		ctx, stop := context.WithCancel(context.Background())
		keep[t] = &check{stop: stop}
		go p.watch(ctx, t)
	}
	for t, c := range p.checks {
		if _, ok := keep[t]; !ok {
			c.stop()
		}
	}
	p.checks = keep
}

func (p *proxy) all() []Target {
	var out []Target
	seen := map[Target]bool{}
	for _, list := range [][]Target{p.config.Targets, p.config.Candidates} {
		for _, t := range list {
			if !seen[t] {
				seen[t] = true
				out = append(out, t)
			}
		}
	}
	return out
}

func (p *proxy) status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Status{Targets: []TargetStatus{}}
	for i, t := range p.all() {
		c := p.checks[t]
		s.Targets = append(s.Targets, TargetStatus{
			Target: t, Serving: i < len(p.config.Targets), Checked: c.done, Passing: c.passing, Output: c.output, Active: p.active[t.Name],
		})
	}
	return s
}

// pick takes the next target, and counts a request to it: in one step, so that no
// request is on its way to a target that was found idle. Those that failed their
// last checks, and those of skip, are taken only for want of others.
func (p *proxy) pick(skip map[string]bool) (Target, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.config.Targets)
	for _, well := range []bool{true, false} {
		for i := range n {
			at := (p.next + i) % n
			t := p.config.Targets[at]
			if skip[t.Name] || well && p.checks[t].failures >= failuresToLeave {
				continue
			}
			p.next = at + 1
			p.active[t.Name]++
			return t, true
		}
	}
	return Target{}, false
}

// release ends a request to a target.
func (p *proxy) release(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.active[name]--; p.active[name] <= 0 {
		delete(p.active, name)
	}
	p.waiting = withoutDone(p.waiting, p.active)
}

func withoutDone(waiting []*drain, active map[string]int) []*drain {
	var left []*drain
	for _, d := range waiting {
		busy := false
		for _, name := range d.names {
			busy = busy || active[name] > 0
		}
		if busy {
			left = append(left, d)
		} else {
			close(d.done)
		}
	}
	return left
}

// drained is closed once nothing is under way to the targets.
func (p *proxy) drained(names []string) <-chan struct{} {
	d := &drain{names: names, done: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = withoutDone(append(p.waiting, d), p.active)
	return d.done
}
