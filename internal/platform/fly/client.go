// Package fly deploys to Fly.io: machines, secrets, the release ledger, and
// Managed Postgres.
//
// fly-go gives the types, the token rules and the reading calls. What changes
// something is called directly: its client repeats every request that was
// answered with 502 or 503, also one that may have made a machine. So is what it
// lacks: current_version compare-and-swap, machine versions, the release
// ledger, Managed Postgres; and what it does in a way that hurts: leases (every
// error is repeated for a minute), logs (a process-wide base URL), GraphQL (the
// status and the request id are lost).
package fly

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/superfly/fly-go/flaps"
	"github.com/superfly/fly-go/tokens"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/httpx"
	"github.com/opsctl/opsctl/internal/platform"
)

// The public addresses of Fly.io's services.
const (
	defaultAPI      = "https://api.fly.io"
	defaultFlaps    = "https://api.machines.dev"
	defaultRegistry = "registry.fly.io"
	defaultOrg      = "personal"
)

// maxAnswer bounds what is read of any answer.
const maxAnswer = 16 << 20

// Options configures New. Lookup reads the environment: the token and the base
// URLs under the names that flyctl uses.
type Options struct {
	Lookup func(string) (string, bool)
	HTTP   httpx.Options
	Now    func() time.Time                                 // nil: time.Now
	Sleep  func(ctx context.Context, d time.Duration) error // nil: real
}

// Platform is the adapter. It is safe for use by one deploy at a time.
type Platform struct {
	flaps    *flaps.Client
	http     *http.Client
	tokens   *tokens.Tokens
	api      string // api.fly.io
	uiex     string
	machines string // api.machines.dev
	registry string
	agent    string
	now      func() time.Time
	sleep    func(ctx context.Context, d time.Duration) error

	cache *cache

	mu       sync.Mutex
	nonces   map[string]string // machine id -> nonce of the lease we hold
	holder   string            // what our leases say of us
	lock     *leaseSet         // the lock that we hold, or have lost; nil for none
	shown    *shownLease       // the lease of somebody else that was seen last, nil for none
	secrets  map[string]uint64 // app -> version of the secrets staged by this process
	clusters map[string]string // app -> id of its database, as far as this process has seen it
	expected expectation
	own      ownership
}

var (
	_ platform.Platform      = (*Platform)(nil)
	_ platform.Tasks         = (*Platform)(nil)
	_ platform.Ledger        = (*Platform)(nil)
	_ platform.Logs          = (*Platform)(nil)
	_ platform.Databases     = (*Platform)(nil)
	_ platform.Caches        = (*Platform)(nil)
	_ platform.Registry      = (*Platform)(nil)
	_ platform.Variables     = (*Platform)(nil)
	_ platform.Domains       = (*Platform)(nil)
	_ platform.Scaler        = (*Platform)(nil)
	_ platform.NativeBackups = (*Platform)(nil)
)

// New makes the adapter. Without a token it fails with code Auth.
func New(ctx context.Context, o Options) (*Platform, error) {
	get := func(def string, names ...string) string {
		for _, name := range names {
			if v, ok := o.Lookup(name); ok && v != "" {
				return v
			}
		}
		return def
	}
	token := get("", "FLY_ACCESS_TOKEN", "FLY_API_TOKEN")
	if token == "" {
		return nil, errs.New(errs.Auth, "no Fly.io token").
			WithHint("set FLY_API_TOKEN, for instance to the output of: fly tokens create org\n(fly tokens create deploy makes one that does for an app that exists)\nto try without an account, run: opsctl emulate")
	}
	api := strings.TrimRight(get(defaultAPI, "FLY_API_BASE_URL"), "/")
	p := &Platform{
		tokens:   tokens.Parse(token),
		api:      api,
		uiex:     strings.TrimRight(get(api, "FLY_UIEX_BASE_URL"), "/"),
		machines: strings.TrimRight(get(defaultFlaps, "FLY_FLAPS_BASE_URL"), "/"),
		registry: get(defaultRegistry, "FLY_REGISTRY_HOST"),
		agent:    o.HTTP.UserAgent,
		now:      o.Now, sleep: o.Sleep,
		nonces: map[string]string{}, secrets: map[string]uint64{}, clusters: map[string]string{},
	}
	if p.now == nil {
		p.now = time.Now
	}
	p.cache = newCache(p.now)
	if p.sleep == nil {
		p.sleep = sleep
	}
	for _, base := range []string{p.api, p.uiex, p.machines} {
		if u, err := url.Parse(base); err != nil || u.Host == "" {
			return nil, errs.New(errs.Usage, "%q is not a base URL", base).WithHint("FLY_API_BASE_URL, FLY_FLAPS_BASE_URL and FLY_UIEX_BASE_URL start with http:// or https://")
		}
	}
	transport := httpx.NewTransport(o.HTTP)
	p.http = &http.Client{Transport: sameScheme{transport}}
	if _, err := p.tokens.Update(ctx); err != nil {
		return nil, errs.Wrap(err, errs.Auth, "prepare the Fly.io token")
	}
	machines, err := url.Parse(p.machines)
	if err != nil {
		return nil, err
	}
	client, err := flaps.NewWithOptions(ctx, flaps.NewClientOpts{UserAgent: p.agent, Tokens: p.tokens, Transport: at{sameScheme{transport}, machines}})
	if err != nil {
		return nil, err
	}
	p.flaps = client
	return p, nil
}

// Name is "fly".
func (p *Platform) Name() string { return "fly" }

// sameScheme refuses to carry the token from https to http, wherever a redirect points.
type sameScheme struct{ base http.RoundTripper }

func (t sameScheme) RoundTrip(r *http.Request) (*http.Response, error) {
	if prev := r.Response; prev != nil && prev.Request.URL.Scheme == "https" && r.URL.Scheme != "https" {
		return nil, fmt.Errorf("%s redirects to %s, which is not encrypted", prev.Request.URL.Host, r.URL.Host)
	}
	return t.base.RoundTrip(r)
}

// at sends what fly-go asks to another address: it takes its own from the environment
// of the process, and not from Options.Lookup.
type at struct {
	next http.RoundTripper
	base *url.URL
}

func (t at) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Response != nil { // where a redirect points
		return t.next.RoundTrip(r)
	}
	sent := r.Clone(r.Context())
	sent.URL.Scheme, sent.URL.Host, sent.Host = t.base.Scheme, t.base.Host, ""
	if prefix := strings.TrimRight(t.base.Path, "/"); prefix != "" && !strings.HasPrefix(sent.URL.Path, prefix+"/") {
		sent.URL.Path, sent.URL.RawPath = prefix+sent.URL.Path, ""
	}
	return t.next.RoundTrip(sent)
}

// call sends a request that fly-go has no method for. in and out are JSON and may be nil.
func (p *Platform) call(ctx context.Context, method, target, auth string, in, out any, header http.Header) error {
	_, err := p.exchange(ctx, method, target, auth, in, out, header)
	return err
}

// exchange is call, and returns the headers of the answer.
func (p *Platform) exchange(ctx context.Context, method, target, auth string, in, out any, header http.Header) (http.Header, error) {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, header)
	req.Header.Set("Authorization", auth)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", p.agent)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return nil, httpx.RedactError(err)
	}
	defer resp.Body.Close()
	answer, err := httpx.ReadBody(resp, maxAnswer)
	if err != nil {
		return resp.Header, fmt.Errorf("read the answer of %s %s: %w", method, httpx.RedactURL(req.URL), err)
	}
	if resp.StatusCode >= 300 {
		return resp.Header, &apiError{status: resp.StatusCode, requestID: httpx.RequestID(resp.Header), body: answer}
	}
	if out == nil || len(answer) == 0 {
		return resp.Header, nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return resp.Header, fmt.Errorf("understand the answer of %s %s: %w", method, httpx.RedactURL(req.URL), err)
	}
	return resp.Header, nil
}

// machinesCall calls the Machines API, which takes macaroons only where there are any.
// A call that changes something makes what was read before stale, also when its answer was
// lost. Nothing of an app is changed any more once its lock is lost.
func (p *Platform) machinesCall(ctx context.Context, method, path string, in, out any, header http.Header) error {
	if stale := staleBy(path); method != http.MethodGet && len(stale) > 0 {
		if err := p.lostAt(path); err != nil {
			return err
		}
		p.cache.forget(stale...)
		defer p.cache.forget(stale...)
	}
	return p.call(ctx, method, p.machines+"/v1"+path, p.tokens.FlapsHeader(), in, out, header)
}

// staleBy is what a change at a path of the Machines API changes.
func staleBy(path string) []kind {
	path, _, _ = strings.Cut(path, "?")
	switch {
	case strings.HasSuffix(path, "/lease"), strings.HasSuffix(path, "/exec"), strings.HasPrefix(path, "/postgres"), strings.Contains(path, "/certificates"):
		return nil // nothing that is kept
	case strings.HasSuffix(path, "/secrets"):
		return []kind{kindSecrets}
	case strings.Contains(path, "/machines"):
		return []kind{kindMachines}
	default:
		return []kind{kindMachines, kindSecrets, kindAbout}
	}
}

// uiexCall calls the REST API of the release ledger, which always wants the word Bearer.
func (p *Platform) uiexCall(ctx context.Context, method, path string, in, out any) error {
	if method != http.MethodGet {
		p.cache.forget(kindLedger)
		defer p.cache.forget(kindLedger)
	}
	return p.call(ctx, method, p.uiex+"/api/v1"+path, "Bearer "+p.tokens.GraphQL(), in, out, nil)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
