package health

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"time"
)

// phase is where a request is.
type phase int

const (
	phaseDNS phase = iota
	phaseConnect
	phaseTLS
	phaseFirstByte
	phaseTransfer
	phaseEnd
)

func (p phase) String() string {
	return [...]string{"looking up the name", "connecting", "the TLS handshake", "waiting for the answer", "reading the answer", "the end"}[p]
}

// watch measures the phases of one request, which follow each other. The
// transport's goroutines may still call it after the probe gave up.
type watch struct {
	mu    sync.Mutex
	at    phase
	since time.Time
	spent [phaseEnd]time.Duration
}

func newWatch() *watch { return &watch{since: time.Now()} }

// enter ends the running phase and begins p; it never goes backwards.
func (w *watch) enter(p phase) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p <= w.at {
		return
	}
	now := time.Now()
	w.spent[w.at] += now.Sub(w.since)
	w.at, w.since = p, now
}

func (w *watch) current() phase {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

// stop ends the measurement and returns it.
func (w *watch) stop() Phases {
	w.enter(phaseEnd)
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.spent
	return Phases{DNS: s[phaseDNS], Connect: s[phaseConnect], TLS: s[phaseTLS], FirstByte: s[phaseFirstByte], Transfer: s[phaseTransfer]}
}

// exchange is one request on its own connection.
type exchange struct {
	prober *Prober
	check  Check
	watch  *watch
	first  *url.URL // the check's own URL
	own    bool     // the request goes to the app that the check names

	mu        sync.Mutex
	dialled   string
	failed    phase
	transport *http.Transport
}

func (e *exchange) do(ctx context.Context, target *url.URL, method string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, e.trace()), method, target.String(), nil)
	if err != nil {
		return nil, err
	}
	e.setHeader(req)
	e.transport = &http.Transport{
		DialContext:            e.dial,
		TLSClientConfig:        &tls.Config{RootCAs: e.prober.RootCAs, ServerName: e.serverName(target), MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:      true,
		DisableKeepAlives:      true,
		DisableCompression:     true, // the bytes counted are the bytes sent
		MaxResponseHeaderBytes: maxHeader,
	}
	resp, err := e.transport.RoundTrip(req)
	if err != nil {
		e.failed = e.watch.current()
	}
	return resp, err
}

func (e *exchange) close() {
	if e.transport != nil {
		e.transport.CloseIdleConnections()
	}
}

func (e *exchange) failedIn() phase { return e.failed }

func (e *exchange) remote() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.dialled
}

func (e *exchange) setHeader(req *http.Request) {
	req.Header.Set("Accept", "application/health+json, application/json;q=0.9, */*;q=0.5")
	req.Header.Set("User-Agent", "opsctl-health")
	if e.prober.UserAgent != "" {
		req.Header.Set("User-Agent", e.prober.UserAgent)
	}
	for k, v := range e.check.Header {
		// Credentials are for the host that the user named, not for the one it points to.
		if k = http.CanonicalHeaderKey(k); !e.own && (k == "Authorization" || k == "Cookie" || k == "Proxy-Authorization") {
			continue
		}
		req.Header[k] = v
	}
	if u := req.URL.User; u != nil && e.own && req.Header.Get("Authorization") == "" {
		password, _ := u.Password()
		req.SetBasicAuth(u.Username(), password)
	}
	if e.own && e.check.Host != "" {
		req.Host = e.check.Host
	}
}

func (e *exchange) serverName(target *url.URL) string {
	if !e.own || e.check.Host == "" {
		return target.Hostname()
	}
	if host, _, err := net.SplitHostPort(e.check.Host); err == nil {
		return host
	}
	return e.check.Host
}

// dial connects to the first address of the wanted family and to no other.
func (e *exchange) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if e.own {
		addr = e.ownAddr()
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", addr, err)
	}
	ip, err := e.prober.resolve(ctx, host, e.check.Family)
	if err != nil {
		return nil, err
	}
	e.watch.enter(phaseConnect)
	to := net.JoinHostPort(ip.String(), port)
	e.mu.Lock()
	e.dialled = to
	e.mu.Unlock()
	conn, err := (&net.Dialer{FallbackDelay: -1}).DialContext(ctx, network, to)
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// ownAddr is where the app that the check names is reached.
func (e *exchange) ownAddr() string {
	if e.check.DialAddr != "" {
		return e.check.DialAddr
	}
	port := e.first.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[e.first.Scheme]
	}
	return net.JoinHostPort(e.first.Hostname(), port)
}

func (e *exchange) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		TLSHandshakeStart:    func() { e.watch.enter(phaseTLS) },
		TLSHandshakeDone:     func(_ tls.ConnectionState, err error) { e.ready(err) },
		GotConn:              func(httptrace.GotConnInfo) { e.ready(nil) },
		GotFirstResponseByte: func() { e.watch.enter(phaseTransfer) },
	}
}

// ready begins the wait for the answer, unless the handshake failed: then the
// failure belongs to the TLS phase.
func (e *exchange) ready(err error) {
	if err == nil {
		e.watch.enter(phaseFirstByte)
	}
}
