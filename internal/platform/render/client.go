// Package render deploys to Render: web services by image or from a repository,
// PostgreSQL, Key Value, domains, logs and recovery.
//
// Written from Render's public API document (September 2025) and what its own
// command-line client of August 2026 knows beyond it. Three things shape it:
// creating a service deploys it, so the service is made by the first roll-out;
// variables are saved at once and seen by the next deploy, so secrets are staged
// by nature; and nothing can be attached to a deploy, so what a release was is
// kept in one plain variable, see ledger.
package render

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/httpx"
	"github.com/opsctl/opsctl/internal/platform"
)

// defaultHost is the public address of the API, in the form of RENDER_HOST.
const defaultHost = "https://api.render.com/v1/"

// maxAnswer bounds what is read of any answer.
const maxAnswer = 16 << 20

// pageLimit is the most that a list gives at once.
const pageLimit = 100

// The defaults of Options.
const (
	defaultPoll   = time.Second
	defaultSettle = time.Second
	defaultFresh  = 5 * time.Second
)

// Options configures New. Lookup reads the environment under the names that
// Render's own client uses: RENDER_API_KEY, RENDER_HOST (with /v1/),
// RENDER_WORKSPACE.
type Options struct {
	Lookup func(string) (string, bool)
	HTTP   httpx.Options
	Now    func() time.Time                                 // nil: time.Now
	Sleep  func(ctx context.Context, d time.Duration) error // nil: real

	Owner       string // workspace, its id or its name; "" is RENDER_WORKSPACE, and else the only one
	Project     string // its name; "" puts nothing in a project
	Environment string // of the project; "" is "production"
	// RegistryCredential is the id or name under which the credentials of a
	// private registry are known to Render; "" is RENDER_REGISTRY_CREDENTIAL, and
	// else the only one of that registry.
	RegistryCredential string

	Poll     time.Duration // the first pause between two looks at a deploy; grows to five times that
	Settle   time.Duration // from writing the lock to reading it back
	Fresh    time.Duration // how long what was read of an app is not read again
	PageSize int           // of lists, 1..100; 0 is 100
}

// Platform is the adapter. It is safe for use by one deploy at a time.
type Platform struct {
	o     Options
	http  *http.Client
	base  string // ends with /v1
	key   string
	agent string
	now   func() time.Time
	sleep func(ctx context.Context, d time.Duration) error

	stating sync.Mutex // held while the ledger is read, changed and written

	mu     sync.Mutex
	owner  string               // id of the workspace, once it is known
	seen   map[string]*snapshot // app -> what was read lately
	locks  map[string]lockEntry // app -> the lock that this process took
	drafts map[string]*draft    // app -> what the first roll-out is to begin with
	found  map[string]string    // name of a database or cache -> id, to be written down
}

var (
	_ platform.Platform      = (*Platform)(nil)
	_ platform.Logs          = (*Platform)(nil)
	_ platform.Databases     = (*Platform)(nil)
	_ platform.Caches        = (*Platform)(nil)
	_ platform.Builder       = (*Platform)(nil)
	_ platform.Variables     = (*Platform)(nil)
	_ platform.Domains       = (*Platform)(nil)
	_ platform.Scaler        = (*Platform)(nil)
	_ platform.NativeBackups = (*Platform)(nil)
)

// New makes the adapter; it asks nothing yet. Without a key it fails with code Auth.
func New(_ context.Context, o Options) (*Platform, error) {
	get := func(name string) string {
		v, _ := o.Lookup(name)
		return v
	}
	key := get("RENDER_API_KEY")
	if key == "" {
		return nil, errs.New(errs.Auth, "no Render API key").
			WithHint("set RENDER_API_KEY to a key made under Account Settings, API Keys, at https://dashboard.render.com\nto try without an account, run: opsctl emulate")
	}
	host := get("RENDER_HOST")
	if host == "" {
		host = defaultHost
	}
	host = strings.TrimRight(host, "/")
	if u, err := url.Parse(host); err != nil || u.Host == "" {
		return nil, errs.New(errs.Usage, "RENDER_HOST is not a base URL").WithHint("it looks like %s", defaultHost)
	}
	if o.Owner == "" {
		o.Owner = get("RENDER_WORKSPACE")
	}
	if o.RegistryCredential == "" {
		o.RegistryCredential = get("RENDER_REGISTRY_CREDENTIAL")
	}
	if o.Environment == "" {
		o.Environment = "production"
	}
	for _, d := range []struct {
		field *time.Duration
		def   time.Duration
	}{{&o.Poll, defaultPoll}, {&o.Settle, defaultSettle}, {&o.Fresh, defaultFresh}} {
		if *d.field <= 0 {
			*d.field = d.def
		}
	}
	if o.PageSize <= 0 || o.PageSize > pageLimit {
		o.PageSize = pageLimit
	}
	p := &Platform{
		o: o, http: httpx.New(o.HTTP), base: host, key: key, agent: o.HTTP.UserAgent, now: o.Now, sleep: o.Sleep,
		seen: map[string]*snapshot{}, locks: map[string]lockEntry{}, drafts: map[string]*draft{}, found: map[string]string{},
	}
	if p.now == nil {
		p.now = time.Now
	}
	if p.sleep == nil {
		p.sleep = sleep
	}
	if isOwnerID(o.Owner) {
		p.owner = o.Owner
	}
	return p, nil
}

// Name is "render".
func (p *Platform) Name() string { return "render" }

// SourceKind is a commit: Render builds what it fetches from a repository.
func (p *Platform) SourceKind() string { return platform.SourceGit }

// call sends a request; in and out are JSON and may be nil. An answer without
// a body leaves out as it is.
func (p *Platform) call(ctx context.Context, method, path string, query url.Values, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	target := p.base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+p.key)
	req.Header.Set("Accept", "application/json")
	if p.agent != "" {
		req.Header.Set("User-Agent", p.agent)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return httpx.RedactError(err)
	}
	defer resp.Body.Close()
	answer, err := httpx.ReadBody(resp, maxAnswer)
	if err != nil {
		return fmt.Errorf("read the answer of %s %s: %w", method, httpx.RedactURL(req.URL), err)
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return &apiError{status: resp.StatusCode, requestID: requestID(resp.Header), body: answer}
	}
	if out == nil || len(bytes.TrimSpace(answer)) == 0 {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		// The answer may hold secrets, so it is not shown.
		return fmt.Errorf("understand the answer of %s %s: it is not what the API document says", method, httpx.RedactURL(req.URL))
	}
	return nil
}

// again marks a request as one that does no more when it is sent twice.
func again(ctx context.Context) context.Context { return httpx.WithRetryable(ctx) }

// list reads a list, whose items are {"cursor": c, key: {...}}, page by page,
// until most items have come (0 means all). The last page is the one that is shorter
// than was asked for: each item has a cursor, the last one of all, too.
func list[T any](ctx context.Context, p *Platform, path string, query url.Values, key string, most int) ([]T, error) {
	q := url.Values{}
	maps.Copy(q, query)
	limit := p.o.PageSize
	if most > 0 {
		limit = min(limit, most)
	}
	q.Set("limit", strconv.Itoa(limit))
	var all []T
	for {
		var page []map[string]json.RawMessage
		if err := p.call(ctx, http.MethodGet, path, q, nil, &page); err != nil {
			return nil, err
		}
		cursor := ""
		for _, item := range page {
			var v T
			if err := json.Unmarshal(item[key], &v); err != nil {
				return nil, fmt.Errorf("understand the list %s: an item has no %s", path, key)
			}
			all = append(all, v)
			_ = json.Unmarshal(item["cursor"], &cursor) // a last page may leave it out
		}
		if cursor == "" || cursor == q.Get("cursor") || most > 0 && len(all) >= most || len(page) < limit {
			return all, nil
		}
		q.Set("cursor", cursor)
	}
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

// pause is a growing wait between two looks.
type pause struct {
	p *Platform
	d time.Duration
}

func (p *Platform) pause() *pause { return &pause{p, p.o.Poll} }

// wait sleeps, each time half as long again, up to five times the first.
func (w *pause) wait(ctx context.Context) error {
	d := w.d
	w.d = min(w.d+w.d/2, 5*w.p.o.Poll)
	return w.p.sleep(ctx, d)
}
