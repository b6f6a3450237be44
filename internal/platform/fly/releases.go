package fly

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/httpx"
	"github.com/opsctl/opsctl/internal/platform"
)

// ledgerEntry is a release in the GraphQL API.
type ledgerEntry struct {
	ID        string    `json:"id"`
	Version   int       `json:"version"`
	Status    string    `json:"status"`
	Image     string    `json:"imageRef"`
	Strategy  string    `json:"deploymentStrategy"`
	CreatedAt time.Time `json:"createdAt"`
	User      *struct {
		Email string `json:"email"`
	} `json:"user"`
	Definition json.RawMessage `json:"configDefinition"`
}

const ledgerFields = `id version status imageRef deploymentStrategy user { email } createdAt configDefinition`

// ledger is the newest entries, of so many that were asked for.
type ledger struct {
	entries []ledgerEntry
	limit   int
}

// BeginRelease opens an entry in the release ledger, where `fly releases` shows it
// too. What it runs with is kept there, in the words of fly.toml: a blue-green
// roll-out replaces the machines, and their versions go with them.
func (p *Platform) BeginRelease(ctx context.Context, app string, r platform.Release) (platform.Release, error) {
	if r.Size != "" { // nothing is changed yet
		if _, err := parseSize(r.Size); err != nil {
			return r, err
		}
	}
	in := map[string]any{"app_name": app, "image": r.Image, "strategy": strings.ToUpper(r.Strategy), "definition": p.definition(ctx, app, r)}
	var out struct {
		Release struct {
			ID      string `json:"id"`
			Version int    `json:"version"`
		} `json:"release"`
	}
	err := p.uiexCall(ctx, http.MethodPost, "/releases", in, &out)
	if err != nil {
		if entry := p.opened(ctx, app, r, err); entry != nil { // it was, and its answer was lost
			out.Release.ID, out.Release.Version = entry.ID, entry.Version
			err = nil
		}
	}
	if err != nil {
		return r, explain(err, "open a release of %q", app)
	}
	r.ID, r.Version = out.Release.ID, strconv.Itoa(out.Release.Version)
	return r, p.setStatus(ctx, r, platform.Running)
}

// opened finds the entry that a request made whose answer was lost; nil when it made none.
func (p *Platform) opened(ctx context.Context, app string, r platform.Release, cause error) *ledgerEntry {
	if r.Label == "" || ctx.Err() != nil || !transient(cause) || status(cause) == http.StatusTooManyRequests {
		return nil
	}
	list, err := p.ledger(ctx, app, 5)
	if err != nil {
		return nil
	}
	for _, e := range list {
		if read := parseDefinition(e.Definition); read != nil && read.Own.Label == r.Label && platform.SameImage(e.Image, r.Image) {
			return &e
		}
	}
	return nil
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
	list, err := p.ledger(ctx, app, limit)
	if err != nil {
		return nil, err
	}
	out := make([]platform.Release, 0, len(list))
	for _, e := range list {
		out = append(out, e.release())
	}
	return out, nil
}

// release is an entry in the words of package platform.
func (e ledgerEntry) release() platform.Release {
	r := platform.Release{}
	if d := parseDefinition(e.Definition); d != nil {
		r = d.release()
	}
	r.ID, r.Version, r.Image, r.Created = e.ID, strconv.Itoa(e.Version), e.Image, e.CreatedAt
	r.Strategy, r.Status = strings.ToLower(e.Strategy), platform.ReleaseStatus(strings.ToLower(e.Status))
	if e.User != nil {
		r.Author = e.User.Email
	}
	return r
}

// ledger reads the newest entries, at most limit.
func (p *Platform) ledger(ctx context.Context, app string, limit int) ([]ledgerEntry, error) {
	if have, ok := get[ledger](p.cache, kindLedger, app); ok && (limit <= have.limit || len(have.entries) < have.limit) {
		return have.entries[:min(limit, len(have.entries))], nil
	}
	begun := p.cache.begin(kindLedger)
	var all []ledgerEntry
	const text = `query($app: String!, $limit: Int!, $after: String) { app(name: $app) { releases: releasesUnprocessed(first: $limit, after: $after) {
		nodes { ` + ledgerFields + ` } pageInfo { hasNextPage endCursor } } } }`
	var after *string
	for len(all) < limit {
		var data struct {
			App struct {
				Releases struct {
					Nodes    []ledgerEntry `json:"nodes"`
					PageInfo pageInfo      `json:"pageInfo"`
				} `json:"releases"`
			} `json:"app"`
		}
		vars := map[string]any{"app": app, "limit": limit - len(all), "after": after}
		if err := p.query(ctx, fmt.Sprintf("list the releases of %q", app), text, vars, &data); err != nil {
			return nil, err
		}
		page := data.App.Releases
		all = append(all, page.Nodes...)
		if !page.PageInfo.HasNextPage || len(page.Nodes) == 0 {
			break
		}
		after = &page.PageInfo.EndCursor
	}
	all = all[:min(limit, len(all))]
	p.cache.put(kindLedger, app, ledger{entries: all, limit: limit}, begun)
	return all, nil
}

// entry finds a release in the ledger by its number.
func (p *Platform) entry(ctx context.Context, app, version string) (*ledgerEntry, error) {
	list, err := p.ledger(ctx, app, foldedLedger)
	if err != nil && errs.CodeOf(err) != errs.NotFound {
		return nil, err
	}
	for _, e := range list {
		if strconv.Itoa(e.Version) == version {
			return &e, nil
		}
	}
	return nil, nil
}
