package fly

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/superfly/fly-go"

	"github.com/opsctl/opsctl/internal/httpx"
	"github.com/opsctl/opsctl/internal/platform"
)

// BeginRelease opens an entry in the release ledger, where `fly releases` shows it too.
func (p *Platform) BeginRelease(ctx context.Context, app string, r platform.Release) (platform.Release, error) {
	in := map[string]any{
		"app_name": app, "image": r.Image, "strategy": strings.ToUpper(r.Strategy),
		"definition": map[string]any{
			"app": app, "primary_region": r.Region,
			"http_service": map[string]any{"internal_port": r.Port},
		},
	}
	var out struct {
		Release struct {
			ID      string `json:"id"`
			Version int    `json:"version"`
		} `json:"release"`
	}
	if err := p.uiexCall(ctx, http.MethodPost, "/releases", in, &out); err != nil {
		return r, explain(err, "open a release of %q", app)
	}
	r.ID, r.Version = out.Release.ID, strconv.Itoa(out.Release.Version)
	return r, p.setStatus(ctx, r, platform.Running)
}

// EndRelease closes the entry.
func (p *Platform) EndRelease(ctx context.Context, _ string, r platform.Release, s platform.ReleaseStatus) error {
	return p.setStatus(ctx, r, s)
}

func (p *Platform) setStatus(ctx context.Context, r platform.Release, s platform.ReleaseStatus) error {
	in := map[string]any{"status": string(s)}
	if r.Message != "" {
		in["metadata"] = map[string]any{"post_deployment_info": map[string]string{"flyctl_version": p.agent, "error": r.Message}}
	}
	return explain(p.uiexCall(httpx.WithRetryable(ctx), http.MethodPatch, "/releases/"+url.PathEscape(r.ID), in, nil), "mark release %s as %s", r.Version, s)
}

// Releases reads the ledger.
func (p *Platform) Releases(ctx context.Context, app string, limit int) ([]platform.Release, error) {
	var data struct {
		App struct {
			Releases struct {
				Nodes []fly.Release `json:"nodes"`
			} `json:"releases"`
		} `json:"app"`
	}
	const text = `query($app: String!, $limit: Int!) { app(name: $app) { releases: releasesUnprocessed(first: $limit) {
		nodes { id version status imageRef user { email } createdAt } } } }`
	if err := p.query(ctx, fmt.Sprintf("list the releases of %q", app), text, map[string]any{"app": app, "limit": limit}, &data); err != nil {
		return nil, err
	}
	list := data.App.Releases.Nodes
	out := make([]platform.Release, 0, len(list))
	for _, r := range list {
		out = append(out, platform.Release{
			ID: r.ID, Version: strconv.Itoa(r.Version), Image: r.ImageRef, Created: r.CreatedAt, Author: r.User.Email,
			Status: platform.ReleaseStatus(strings.ToLower(r.Status)),
		})
	}
	return out, nil
}
