package fly

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/superfly/fly-go"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// expectation is what a run is going to ask for, see Expect.
type expectation struct{ app, image string }

// Expect tells which app, and which image of it ("" for none), is asked for next.
// WhoAmI then asks for all of it in one request. It changes no answer.
func (p *Platform) Expect(app, image string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = expectation{app, image}
}

// about is what does not change in the life of an app.
type about struct {
	Hostname, URL  string
	OrgID, OrgSlug string
}

// appDocument is the part of GraphQL's App that any of our questions needs.
type appDocument struct {
	Hostname     string `json:"hostname"`
	AppURL       string `json:"appUrl"`
	Organization *struct {
		ID   string `json:"id"`
		Slug string `json:"slug"`
	} `json:"organization"`
	Releases *struct {
		Nodes    []ledgerEntry `json:"nodes"`
		PageInfo pageInfo      `json:"pageInfo"`
	} `json:"releases"`
	Image *imageDocument `json:"image"`
}

type imageDocument struct {
	Digest         string `json:"digest"`
	CompressedSize string `json:"compressedSize"`
}

const (
	aboutFields  = `id hostname appUrl organization { id slug }`
	imageFields  = `id digest ref compressedSize: compressedSizeFull`
	viewerFields = `... on User { id email } ... on Macaroon { email }`
)

func (a appDocument) about() about {
	out := about{Hostname: a.Hostname, URL: strings.TrimRight(a.AppURL, "/")}
	if a.Organization != nil {
		out.OrgID, out.OrgSlug = a.Organization.ID, a.Organization.Slug
	}
	return out
}

// address is where the app is reached.
func (a about) address(app string) string {
	switch {
	case a.URL != "":
		return a.URL
	case a.Hostname != "":
		return "https://" + a.Hostname
	default:
		return "https://" + app + ".fly.dev"
	}
}

// aboutTries is how often a new app is looked for in the GraphQL API, which may see it later.
const aboutTries = 20

// about asks for an app. NotFound when there is none, Conflict when it is somebody else's.
func (p *Platform) about(ctx context.Context, app string) (about, error) {
	return kept(p.cache, kindAbout, app, func() (about, error) {
		for try := 1; ; try++ {
			got, err := p.fold(ctx, fmt.Sprintf("look for the app %q", app), expectation{app: app})
			if got.App != nil {
				return got.App.about(), nil
			}
			if err != nil && errs.CodeOf(err) != errs.NotFound {
				return about{}, err
			}
			if err := p.exists(ctx, app); err != nil { // it tells a free name from a taken one
				return about{}, err
			}
			if try == aboutTries {
				return about{}, errs.New(errs.Failure, "the app %q is there, and Fly.io's GraphQL API does not see it", app).WithHint("run the same command again in a minute")
			}
			if err := p.sleep(ctx, pollInterval); err != nil {
				return about{}, err
			}
		}
	})
}

// exists fails with NotFound or Conflict when the app is not there, or not ours.
func (p *Platform) exists(ctx context.Context, app string) error {
	_, err := p.flaps.GetApp(ctx, app)
	switch status(err) {
	case http.StatusNotFound:
		return noApp(app)
	case http.StatusForbidden:
		return errs.Wrap(err, errs.Conflict, "the app %q is not yours to see", app).
			WithHint("the name is taken by another organization: choose another `app` for this environment in opsctl.yaml;\nor the token is one of another app: make one with `fly tokens create deploy`")
	default:
		return explain(err, "look for the app %q", app)
	}
}

func noApp(app string) error {
	return errs.New(errs.NotFound, "no app %q on Fly.io", app).WithHint("run: opsctl deploy")
}

// org is the organization of an app that exists.
func (a about) org() string {
	if a.OrgSlug == "" {
		return defaultOrg
	}
	return a.OrgSlug
}

// foldedLedger is how many releases are asked for along with the rest.
const foldedLedger = 50

// folded is the answer to several questions. What is missing was not answered.
type folded struct {
	Viewer *struct{ Email string } `json:"viewer"`
	App    *appDocument            `json:"app"`
	AddOns *addOnPage              `json:"addOns"`
}

// fold asks at once for whose credentials these are, and for what is expected to be
// asked for next, which is kept. An error may come along with a part of the answers:
// one question that is refused is no reason to ask the others again.
func (p *Platform) fold(ctx context.Context, what string, e expectation) (folded, error) {
	text, vars := `query { viewer { `+viewerFields+` } }`, map[string]any{}
	if e.app != "" {
		head, image := `query($app: String!, $limit: Int!`, ""
		vars["app"], vars["limit"] = e.app, foldedLedger
		if e.image != "" {
			head, image = head+`, $ref: String!`, ` image(ref: $ref) { `+imageFields+` }`
			vars["ref"] = e.image
		}
		text = head + `) { viewer { ` + viewerFields + ` } app(name: $app) { ` + aboutFields + image + ` releases: releasesUnprocessed(first: $limit) { nodes { ` + ledgerFields + ` } pageInfo { hasNextPage endCursor } } }
			addOns(type: upstash_redis, first: 100) { ` + addOnFields + ` } }`
	}
	begun := [3]int{p.cache.begin(kindLedger), p.cache.begin(kindImage), p.cache.begin(kindAddOns)}
	var got folded
	err := p.query(ctx, what, text, vars, &got)
	p.keepFolded(e, got.App, got.AddOns, begun)
	return got, err
}

// keepFolded keeps what came along. What is missing will be asked for again, and then said.
func (p *Platform) keepFolded(e expectation, app *appDocument, addOns *addOnPage, begun [3]int) {
	if addOns != nil && !addOns.PageInfo.HasNextPage {
		p.cache.put(kindAddOns, "", addOns.Nodes, begun[2])
	}
	if app == nil {
		return
	}
	p.cache.put(kindAbout, e.app, app.about(), p.cache.begin(kindAbout))
	if r := app.Releases; r != nil && !r.PageInfo.HasNextPage || r != nil && len(r.Nodes) == foldedLedger {
		p.cache.put(kindLedger, e.app, ledger{entries: r.Nodes, limit: foldedLedger}, begun[0])
	}
	if e.image != "" && app.Image != nil && app.Image.Digest != "" {
		p.cache.put(kindImage, e.app+" "+e.image, *app.Image, begun[1])
	}
}

// state puts together what Observe tells.
func state(app string, a about, machines []*fly.Machine, secrets []fly.AppSecret) *platform.State {
	s := &platform.State{App: app, URL: a.address(app)}
	for _, one := range secrets {
		s.Secrets = append(s.Secrets, platform.Secret{Name: one.Name, Digest: one.Digest, Pending: pending(one, machines)})
	}
	sortByName(s.Secrets)
	for _, m := range machines {
		s.Instances = append(s.Instances, instance(m))
	}
	if len(machines) > 0 {
		current := currentRelease(machines)
		s.Current = &current
		s.Mixed = mixed(machines, current)
	}
	return s
}
