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
	a, err := p.about(ctx, app)
	if err != nil {
		return nil, err
	}
	fleet, err := p.fleet(ctx, app)
	if errs.CodeOf(err) == errs.NotFound { // is the app gone, or only this part of it?
		if gone := p.exists(ctx, app); gone != nil {
			p.cache.forget(kindAbout)
			return nil, gone
		}
	}
	if err != nil {
		return nil, found(err)
	}
	if err := fleet.managed(app); err != nil {
		return nil, err
	}
	secrets, err := p.appSecrets(ctx, app)
	if err != nil {
		return nil, found(err)
	}
	return state(app, a, fleet.app(), secrets), nil
}

func sortByName(secrets []platform.Secret) {
	slices.SortFunc(secrets, func(a, b platform.Secret) int { return strings.Compare(a.Name, b.Name) })
}

// currentRelease is the newest release that a machine is configured for.
func currentRelease(machines []*fly.Machine) platform.Release {
	newest := slices.MaxFunc(machines, func(a, b *fly.Machine) int { return releaseNumber(a.GetConfig()) - releaseNumber(b.GetConfig()) })
	current := release(newest.GetConfig())
	current.Region, current.Instances = newest.Region, len(machines)
	return current
}

func mixed(machines []*fly.Machine, current platform.Release) bool {
	return slices.ContainsFunc(machines, func(m *fly.Machine) bool {
		return releaseVersion(m.GetConfig()) != current.Version || !platform.SameImage(m.GetConfig().Image, current.Image)
	})
}

// found keeps a missing part of an app that exists from looking like a missing app.
func found(err error) error {
	if errs.CodeOf(err) == errs.NotFound {
		return errs.Wrap(err, errs.Failure, "")
	}
	return err
}

// ResolveImage asks the platform, which can see its own registry and the public ones.
func (p *Platform) ResolveImage(ctx context.Context, app, ref string) (platform.Image, error) {
	image, err := kept(p.cache, kindImage, app+" "+ref, func() (imageDocument, error) {
		var data struct {
			App *appDocument `json:"app"`
		}
		const text = `query($app: String!, $ref: String!) { app(name: $app) { id image(ref: $ref) { ` + imageFields + ` } } }`
		if err := p.query(ctx, fmt.Sprintf("look for the image %q", ref), text, map[string]any{"app": app, "ref": ref}, &data); err != nil {
			return imageDocument{}, err
		}
		if data.App == nil || data.App.Image == nil || data.App.Image.Digest == "" {
			return imageDocument{}, errs.New(errs.NotFound, "no image %q that Fly.io can see", ref).
				WithHint("push it first, or leave --image out to build it from the Dockerfile")
		}
		return *data.App.Image, nil
	})
	if err != nil {
		return platform.Image{}, err
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
