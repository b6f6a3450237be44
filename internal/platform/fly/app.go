package fly

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/superfly/fly-go"
	"github.com/superfly/fly-go/flaps"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/httpx"
	"github.com/opsctl/opsctl/internal/platform"
)

// WhoAmI asks the GraphQL API, as `fly auth whoami` does.
func (p *Platform) WhoAmI(ctx context.Context) (platform.Identity, error) {
	var data struct {
		Viewer struct{ Email string } `json:"viewer"`
	}
	const text = `query { viewer { ... on User { id email } ... on Macaroon { email } } }`
	if err := p.query(ctx, "ask Fly.io who you are", text, nil, &data); err != nil {
		return platform.Identity{}, err
	}
	kind := "personal"
	if len(p.tokens.GetMacaroonTokens()) > 0 {
		kind = "macaroon"
	}
	return platform.Identity{Account: data.Viewer.Email, Token: kind}, nil
}

// CreateApp makes the app and gives it addresses. It may be called again.
func (p *Platform) CreateApp(ctx context.Context, spec platform.AppSpec) error {
	if err := p.findOrCreate(ctx, spec); err != nil {
		return err
	}
	return p.ensureAddresses(ctx, spec.Name)
}

func (p *Platform) findOrCreate(ctx context.Context, spec platform.AppSpec) error {
	_, err := p.flaps.GetApp(ctx, spec.Name)
	switch status(err) {
	case http.StatusForbidden:
		return errs.New(errs.Conflict, "the app name %q is taken by another organization", spec.Name).
			WithHint("choose another `app` for this environment in opsctl.yaml")
	case http.StatusNotFound:
	default:
		return explain(err, "look for the app %q", spec.Name)
	}
	org := spec.Org
	if org == "" {
		org = defaultOrg
	}
	// The key makes a repeated request find the app that the first one made.
	in := map[string]string{"name": spec.Name, "org_slug": org, "idempotency_key": "opsctl-" + org + "-" + spec.Name}
	if err := p.machinesCall(httpx.WithRetryable(ctx), http.MethodPost, "/apps", in, nil, nil); err != nil {
		if status(err) == http.StatusUnprocessableEntity {
			return errs.Wrap(err, errs.Conflict, "create the app %q", spec.Name).WithHint("choose another `app` for this environment in opsctl.yaml")
		}
		return explain(err, "create the app %q", spec.Name)
	}
	// The new app may take a moment to be seen by every part of the API.
	for range 20 {
		if _, err = p.flaps.GetApp(ctx, spec.Name); err == nil {
			return nil
		}
		if st := status(err); st != http.StatusNotFound && st != http.StatusUnauthorized {
			break
		}
		if err := p.sleep(ctx, pollInterval); err != nil {
			return err
		}
	}
	return explain(err, "find the new app %q", spec.Name)
}

// ensureAddresses gives the app a shared IPv4 and an IPv6 address, without
// which nothing reaches it.
func (p *Platform) ensureAddresses(ctx context.Context, app string) error {
	have, err := p.flaps.GetIPAssignments(ctx, app)
	if err != nil {
		return explain(err, "list the addresses of %q", app)
	}
	v4 := slices.ContainsFunc(have.IPs, func(ip flaps.IPAssignment) bool { return !strings.Contains(ip.IP, ":") })
	v6 := slices.ContainsFunc(have.IPs, func(ip flaps.IPAssignment) bool { return strings.Contains(ip.IP, ":") && !ip.IsFlycast() })
	if !v4 {
		if err := p.assign(ctx, app, "shared_v4"); err != nil {
			return err
		}
	}
	if !v6 {
		return p.assign(ctx, app, "v6")
	}
	return nil
}

func (p *Platform) assign(ctx context.Context, app, kind string) error {
	path := "/apps/" + url.PathEscape(app) + "/ip_assignments"
	return explain(p.machinesCall(ctx, http.MethodPost, path, map[string]string{"type": kind}, nil, nil), "give %q an address", app)
}

// Observe reads the app, its machines and the names of its secrets.
func (p *Platform) Observe(ctx context.Context, app string) (*platform.State, error) {
	if _, err := p.flaps.GetApp(ctx, app); err != nil {
		if st := status(err); st == http.StatusNotFound {
			return nil, errs.New(errs.NotFound, "no app %q on Fly.io", app).WithHint("run: opsctl deploy")
		}
		if status(err) == http.StatusForbidden {
			return nil, errs.Wrap(err, errs.Conflict, "the app %q is not yours to see", app).
				WithHint("the name is taken by another organization: choose another `app` for this environment in opsctl.yaml;\nor the token is one of another app: make one with `fly tokens create deploy`")
		}
		return nil, explain(err, "look for the app %q", app)
	}
	machines, err := p.appMachines(ctx, app)
	if err != nil {
		return nil, found(err)
	}
	secrets, err := p.flaps.ListAppSecrets(ctx, app, nil, false)
	if err != nil {
		return nil, found(explain(err, "list the secrets of %q", app))
	}
	address, err := p.address(ctx, app)
	if err != nil {
		return nil, found(err)
	}
	state := &platform.State{App: app, URL: address}
	for _, s := range secrets {
		state.Secrets = append(state.Secrets, platform.Secret{Name: s.Name, Digest: s.Digest, Pending: pending(s, machines)})
	}
	slices.SortFunc(state.Secrets, func(a, b platform.Secret) int { return strings.Compare(a.Name, b.Name) })
	for _, m := range machines {
		state.Instances = append(state.Instances, instance(m))
	}
	if len(machines) > 0 {
		newest := slices.MaxFunc(machines, func(a, b *fly.Machine) int { return releaseNumber(a.GetConfig()) - releaseNumber(b.GetConfig()) })
		current := release(newest.GetConfig())
		current.Region, current.Instances = newest.Region, len(machines)
		state.Current = &current
		state.Mixed = slices.ContainsFunc(machines, func(m *fly.Machine) bool {
			return releaseVersion(m.GetConfig()) != current.Version || !platform.SameImage(m.GetConfig().Image, current.Image)
		})
	}
	return state, nil
}

// found keeps a missing part of an app that exists from looking like a missing app.
func found(err error) error {
	if errs.CodeOf(err) == errs.NotFound {
		return errs.Wrap(err, errs.Failure, "")
	}
	return err
}

// address is where the app is reached.
func (p *Platform) address(ctx context.Context, app string) (string, error) {
	var data struct {
		App struct {
			Hostname string `json:"hostname"`
			AppURL   string `json:"appUrl"`
		} `json:"app"`
	}
	const text = `query($name: String!) { app(name: $name) { id hostname appUrl } }`
	if err := p.query(ctx, fmt.Sprintf("ask for the address of %q", app), text, map[string]any{"name": app}, &data); err != nil {
		return "", err
	}
	switch {
	case data.App.AppURL != "":
		return strings.TrimRight(data.App.AppURL, "/"), nil
	case data.App.Hostname != "":
		return "https://" + data.App.Hostname, nil
	default:
		return "https://" + app + ".fly.dev", nil
	}
}

// ResolveImage asks the platform, which can see its own registry and the public ones.
func (p *Platform) ResolveImage(ctx context.Context, app, ref string) (platform.Image, error) {
	var data struct {
		App struct {
			Image *struct {
				Digest         string `json:"digest"`
				CompressedSize string `json:"compressedSize"`
			} `json:"image"`
		} `json:"app"`
	}
	const text = `query($app: String!, $ref: String!) { app(name: $app) { id image(ref: $ref) { id digest ref compressedSize: compressedSizeFull } } }`
	vars := map[string]any{"app": app, "ref": ref}
	if err := p.query(ctx, fmt.Sprintf("look for the image %q", ref), text, vars, &data); err != nil {
		return platform.Image{}, err
	}
	image := data.App.Image
	if image == nil || image.Digest == "" {
		return platform.Image{}, errs.New(errs.NotFound, "no image %q that Fly.io can see", ref).
			WithHint("push it first, or leave --image out to build it from the Dockerfile")
	}
	size, _ := strconv.ParseInt(image.CompressedSize, 10, 64) // a missing size is not worth failing for
	return platform.Image{Ref: ref, Digest: image.Digest, Size: size}, nil
}

// StageSecrets changes the secrets; machines get them with their next update.
func (p *Platform) StageSecrets(ctx context.Context, app string, changes map[string]*string) error {
	if len(changes) == 0 {
		return nil
	}
	var resp fly.UpdateAppSecretsResp
	// The same values again are the same secrets, so a lost answer is no harm.
	err := p.machinesCall(httpx.WithRetryable(ctx), http.MethodPost, "/apps/"+url.PathEscape(app)+"/secrets", fly.UpdateAppSecretsRequest{Values: changes}, &resp, nil)
	if err != nil {
		return explain(err, "set the secrets of %q", app)
	}
	p.mu.Lock()
	p.secrets[app] = resp.Version
	p.mu.Unlock()
	if slices.ContainsFunc(resp.Secrets, inWholeSeconds) {
		return p.sleep(ctx, time.Second) // or a machine that begins in this second could not be told from one before
	}
	return nil
}

func inWholeSeconds(s fly.AppSecret) bool {
	if s.UpdatedAt == nil {
		return false
	}
	at, err := time.Parse(time.RFC3339, *s.UpdatedAt)
	return err == nil && at.Nanosecond() == 0
}

// minSecrets is the version of the secrets that machines must see at least;
// nil when this process has staged none.
func (p *Platform) minSecrets(app string) *uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if v, ok := p.secrets[app]; ok {
		return &v
	}
	return nil
}

// PushTarget is Fly's registry: user "x" with the token as password.
func (p *Platform) PushTarget(_ context.Context, app, tag string) (platform.PushTarget, error) {
	return platform.PushTarget{
		Ref: p.registry + "/" + app + ":" + tag, Username: "x", Password: p.tokens.Docker(),
		Insecure: loopback(p.registry), Architecture: "linux/amd64",
	}, nil
}

// loopback tells whether a registry is one of this machine, such as the emulator's.
func loopback(host string) bool {
	name, _, _ := strings.Cut(host, ":")
	return name == "localhost" || strings.HasPrefix(name, "127.") || strings.HasSuffix(name, ".localhost")
}
