// Package railway deploys to Railway: services, variables, deployments, and the
// templates that make databases.
//
// The API is GraphQL with hand-written documents, since there is no official Go
// client and some thirty operations are needed. Log lines come over its
// WebSocket, the source of a build goes to the upload endpoint of `railway up`.
//
// Railway keeps no metadata of others, so what opsctl has to remember of an app
// (the lock, what is staged, the settings of each release) is in one plain
// variable of the service, OPSCTL_STATE.
package railway

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/httpx"
	"github.com/opsctl/opsctl/internal/platform"
)

// The public address of Railway's API, and the path of its GraphQL below it.
const (
	defaultBase = "https://backboard.railway.com"
	graphqlPath = "/graphql/v2"
)

// The variables that Railway's own client reads, too.
const (
	envProjectToken = "RAILWAY_TOKEN"
	envAPIToken     = "RAILWAY_API_TOKEN"
	envBase         = "RAILWAY_BACKBOARD_URL"
	envProject      = "RAILWAY_PROJECT_ID"
	envEnvironment  = "RAILWAY_ENVIRONMENT_ID"
	envService      = "RAILWAY_SERVICE_ID"
)

// maxAnswer bounds what is read of any answer.
const maxAnswer = 16 << 20

// viewTTL is how long what was read of an app is used again within the process.
const viewTTL = 10 * time.Second

// Options configures New. Lookup reads the environment: the token, the base URL
// and the ids, under the names that the railway command uses.
type Options struct {
	Lookup func(string) (string, bool)
	HTTP   httpx.Options

	Project     string // name or id; "" means the app's name
	Environment string // name or id; "" means production
	Workspace   string // name or id; "" for the only one

	Now      func() time.Time                                 // nil: time.Now
	Sleep    func(ctx context.Context, d time.Duration) error // nil: real
	Poll     time.Duration                                    // first wait between two looks at a deployment; 0 means 3 s, it grows to three times that
	Settle   time.Duration                                    // wait before it is read back whether a lock was won; 0 means 1.5 s
	Overlap  time.Duration                                    // old and new version run side by side; 0 means 10 s, negative none
	Draining time.Duration                                    // between SIGTERM and SIGKILL; 0 means 30 s, negative none
	Keychain authn.Keychain                                   // credentials of image registries; nil: those of Docker
}

// Platform is the adapter. It is safe for use by one deploy at a time.
type Platform struct {
	o         Options
	http      *http.Client
	transport http.RoundTripper
	base      string
	agent     string

	mu       sync.Mutex
	token    token
	identity *identity
	places   map[string]*place // by app
	views    map[string]*view  // by app
	data     map[string]*dataServices
	leases   map[string]*lease // by app: held by this process
	quota    quota

	writing sync.Mutex // one change of OPSCTL_STATE at a time
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

// New makes the adapter. Without a token it fails with code Auth. It asks nothing yet.
func New(_ context.Context, o Options) (*Platform, error) {
	p := &Platform{
		o: o, agent: o.HTTP.UserAgent, base: defaultBase,
		places: map[string]*place{}, views: map[string]*view{}, data: map[string]*dataServices{}, leases: map[string]*lease{},
	}
	switch {
	case p.env(envProjectToken) != "":
		p.token = token{value: p.env(envProjectToken), from: envProjectToken, project: true}
	case p.env(envAPIToken) != "":
		p.token = token{value: p.env(envAPIToken), from: envAPIToken}
	default:
		return nil, errs.New(errs.Auth, "no Railway token").
			WithHint("set %s to an account or workspace token (railway.com, Account Settings, Tokens),\nor %s to a project token (Project Settings, Tokens)\nto try without an account, run: opsctl emulate", envAPIToken, envProjectToken)
	}
	if v := p.env(envBase); v != "" {
		p.base = strings.TrimSuffix(strings.TrimRight(v, "/"), graphqlPath)
	}
	if u, err := url.Parse(p.base); err != nil || u.Host == "" {
		return nil, errs.New(errs.Usage, "%q is not a base URL", p.base).WithHint("%s starts with http:// or https://", envBase)
	}
	p.defaults()
	p.transport = httpx.NewTransport(o.HTTP)
	p.http = httpx.New(o.HTTP)
	return p, nil
}

func (p *Platform) defaults() {
	o := &p.o
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	for d, def := range map[*time.Duration]time.Duration{
		&o.Poll: 3 * time.Second, &o.Settle: 1500 * time.Millisecond, &o.Overlap: 10 * time.Second, &o.Draining: 30 * time.Second,
	} {
		switch {
		case *d == 0:
			*d = def
		case *d < 0:
			*d = 0
		}
	}
	if o.Keychain == nil {
		o.Keychain = authn.DefaultKeychain
	}
}

// env is a variable of the environment; "" when it is not set.
func (p *Platform) env(name string) string {
	v, _ := p.o.Lookup(name)
	return strings.TrimSpace(v)
}

// Name is "railway".
func (p *Platform) Name() string { return "railway" }

// forget drops what was read of every app: something was changed.
func (p *Platform) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.views)
	clear(p.data)
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
