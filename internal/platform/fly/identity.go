package fly

import (
	"context"
	"net/http"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// tokenInfo is what the API tells of a macaroon.
type tokenInfo struct {
	OrgSlug             string   `json:"org_slug"`
	Apps                []string `json:"apps"`
	User                string   `json:"user"`
	RestrictedToMachine string   `json:"restricted_to_machine"`
}

// WhoAmI asks the GraphQL API, as `fly auth whoami` does. It begins a run, so
// nothing that was read before is used any more.
func (p *Platform) WhoAmI(ctx context.Context) (platform.Identity, error) {
	p.cache.run(true)
	p.mu.Lock()
	expected := p.expected
	p.mu.Unlock()
	const what = "ask Fly.io who you are"
	got, err := p.fold(ctx, what, expected)
	if got.Viewer == nil && err != nil && expected.app != "" && ctx.Err() == nil { // was it one of the other questions?
		got, err = p.fold(ctx, what, expectation{})
	}
	if got.Viewer == nil {
		if err == nil {
			err = errs.New(errs.Auth, "%s: Fly.io does not say", what).WithHint("%s", tokenHint)
		}
		return platform.Identity{}, err
	}
	id := platform.Identity{Account: got.Viewer.Email, Token: "personal", Scope: "all that the account may do, in each of its organizations"}
	if len(p.tokens.GetMacaroonTokens()) > 0 {
		p.describeMacaroon(ctx, &id)
	}
	return id, nil
}

// describeMacaroon says what a macaroon is limited to, as far as the API tells:
// it carries its limits in itself, with numbers in place of names.
func (p *Platform) describeMacaroon(ctx context.Context, id *platform.Identity) {
	id.Token, id.Scope = "macaroon", ""
	var got struct {
		Tokens []tokenInfo `json:"tokens"`
	}
	if err := p.machinesCall(ctx, http.MethodGet, "/tokens/current", nil, &got, nil); err != nil || len(got.Tokens) == 0 {
		return // who it is, is known; this only describes it better
	}
	var apps, orgs []string
	machine := ""
	for _, t := range got.Tokens {
		apps = append(apps, t.Apps...)
		if t.OrgSlug != "" {
			orgs = append(orgs, t.OrgSlug)
		}
		if t.User != "" && id.Account == "" {
			id.Account = t.User
		}
		if t.RestrictedToMachine != "" {
			machine = t.RestrictedToMachine
		}
	}
	switch {
	case machine != "":
		id.Token, id.Scope = "machine", "from machine "+machine+" alone"
	case len(apps) > 0:
		id.Token, id.Scope = "deploy", "the app "+strings.Join(apps, ", ")
	case len(orgs) > 0:
		id.Token, id.Scope = "organization", "the organization "+strings.Join(orgs, ", ")
	}
	if id.Account == "" && len(orgs) > 0 {
		id.Account = orgs[0]
	}
}
