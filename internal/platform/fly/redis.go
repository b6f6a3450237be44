package fly

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// payAsYouGo is the plan of a Redis for which none is asked: nothing is paid for
// what is not used.
const payAsYouGo = "pay-as-you-go"

// redisTimeout is how long a new Redis may take to have an address.
const redisTimeout = 5 * time.Minute

// pageInfo is the end of a page of a GraphQL list.
type pageInfo struct {
	HasNextPage bool   `json:"hasNextPage"`
	EndCursor   string `json:"endCursor"`
}

// addOn is a service of an extension provider, here Upstash's Redis. Its publicUrl
// is the one for apps: the name resolves to an address in the organization's own
// network. privateIp is that address.
type addOn struct {
	ID            string `json:"id"`
	Name          string `json:"name"`
	Status        string `json:"status"`
	ErrorMessage  string `json:"errorMessage"`
	PublicURL     string `json:"publicUrl"`
	PrimaryRegion string `json:"primaryRegion"`
	Organization  struct {
		ID   string `json:"id"`
		Slug string `json:"slug"`
	} `json:"organization"`
}

type addOnPage struct {
	Nodes    []addOn  `json:"nodes"`
	PageInfo pageInfo `json:"pageInfo"`
}

const addOnFields = `nodes { id name status errorMessage publicUrl primaryRegion organization { id slug } } pageInfo { hasNextPage endCursor }`

// FindRedis finds an Upstash Redis by name in the app's organization.
func (p *Platform) FindRedis(ctx context.Context, app, name string) (*platform.Cache, error) {
	a, err := p.about(ctx, app)
	if errs.CodeOf(err) == errs.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found, err := p.findAddOn(ctx, a.org(), name)
	if found == nil || err != nil {
		return nil, err
	}
	return found.cache(), nil
}

func (a addOn) cache() *platform.Cache {
	return &platform.Cache{ID: a.ID, Name: a.Name, Status: cmp.Or(a.Status, "ready"), URL: a.PublicURL}
}

// findAddOn looks for a Redis by name; nil when there is none.
func (p *Platform) findAddOn(ctx context.Context, org, name string) (*addOn, error) {
	list, err := p.addOns(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(list, func(a addOn) bool {
		return a.Name == name && (a.Organization.Slug == "" || a.Organization.Slug == org)
	})
	if i < 0 {
		return nil, nil
	}
	return &list[i], nil
}

// addOns lists every Redis that the token sees.
func (p *Platform) addOns(ctx context.Context) ([]addOn, error) {
	return kept(p.cache, kindAddOns, "", func() ([]addOn, error) {
		const text = `query($after: String) { addOns(type: upstash_redis, first: 100, after: $after) { ` + addOnFields + ` } }`
		var all []addOn
		var after *string
		for {
			var data struct {
				AddOns addOnPage `json:"addOns"`
			}
			if err := p.query(ctx, "list the Redis databases", text, map[string]any{"after": after}, &data); err != nil {
				return nil, err
			}
			all = append(all, data.AddOns.Nodes...)
			if !data.AddOns.PageInfo.HasNextPage || len(data.AddOns.Nodes) == 0 {
				return all, nil
			}
			after = &data.AddOns.PageInfo.EndCursor
		}
	})
}

// CreateRedis makes an Upstash Redis, or finds the one of that name, and waits until it has an address.
func (p *Platform) CreateRedis(ctx context.Context, spec platform.CacheSpec, report platform.Report) (*platform.Cache, error) {
	a, err := p.about(ctx, spec.App)
	if err != nil {
		return nil, err
	}
	p.cache.forget(kindAddOns)
	have, err := p.findAddOn(ctx, a.org(), spec.Name)
	if err != nil {
		return nil, err
	}
	if have == nil {
		plan, err := p.redisPlan(ctx, spec.Plan)
		if err != nil {
			return nil, err
		}
		if have, err = p.createAddOn(ctx, a, spec, plan); err != nil {
			return nil, err
		}
		report("redis %s (%s) is being created", have.Name, have.ID)
	}
	return p.awaitAddOn(ctx, a.org(), *have)
}

// createAddOn makes it. A request whose answer was lost is not sent again before it
// has been looked whether it was carried out.
func (p *Platform) createAddOn(ctx context.Context, a about, spec platform.CacheSpec, plan string) (*addOn, error) {
	const text = `mutation($input: CreateAddOnInput!) { createAddOn(input: $input) { addOn { id name status publicUrl organization { id slug } } } }`
	in := map[string]any{
		"organizationId": a.OrgID, "name": spec.Name, "planId": plan, "primaryRegion": spec.Region,
		"readRegions": []string{}, "type": "upstash_redis", "options": map[string]any{"eviction": false},
	}
	what := fmt.Sprintf("create the Redis %q", spec.Name)
	for try := 1; ; try++ {
		var data struct {
			CreateAddOn struct {
				AddOn addOn `json:"addOn"`
			} `json:"createAddOn"`
		}
		err := p.mutate(ctx, what, text, map[string]any{"input": in}, &data)
		p.cache.forget(kindAddOns)
		if err == nil {
			return &data.CreateAddOn.AddOn, nil
		}
		if !lost(ctx, err) {
			return nil, explain(err, "%s", what)
		}
		if found, e := p.findAddOn(ctx, a.org(), spec.Name); found != nil || e != nil || try == createTries {
			return found, firstOf(e, onlyIf(found == nil, explain(err, "%s", what)))
		}
	}
}

// createTries is how often something is made whose answer is lost each time, and of
// which nothing is found.
const createTries = 3

// lost tells whether an error leaves it open that the request was carried out.
func lost(ctx context.Context, err error) bool {
	st := status(err)
	return ctx.Err() == nil && transient(err) && st != 429
}

func firstOf(list ...error) error {
	for _, err := range list {
		if err != nil {
			return err
		}
	}
	return nil
}

func onlyIf(condition bool, err error) error {
	if condition {
		return err
	}
	return nil
}

// redisPlan finds the id of a plan by its id or name; "" is pay-as-you-go.
func (p *Platform) redisPlan(ctx context.Context, plan string) (string, error) {
	var data struct {
		Plans struct {
			Nodes []struct {
				ID          string `json:"id"`
				Name        string `json:"name"`
				DisplayName string `json:"displayName"`
			} `json:"nodes"`
		} `json:"addOnPlans"`
	}
	const text = `query { addOnPlans(type: upstash_redis, first: 100) { nodes { id name displayName } } }`
	if err := p.query(ctx, "list the plans of Redis", text, nil, &data); err != nil {
		return "", err
	}
	wanted := []string{cmp.Or(plan, payAsYouGo)}
	if plan == "" {
		wanted = append(wanted, "payg")
	}
	var names []string
	for _, n := range data.Plans.Nodes {
		for _, w := range wanted {
			if w == n.ID || samePlan(w, n.Name) || samePlan(w, n.DisplayName) {
				return n.ID, nil
			}
		}
		names = append(names, cmp.Or(n.DisplayName, n.Name))
	}
	return "", errs.New(errs.Usage, "Upstash has no Redis plan %q", wanted[0]).WithHint("it has %s", strings.Join(names, ", "))
}

// samePlan compares names of plans as people write them: "Pay-as-you-go", "pay as you go".
func samePlan(a, b string) bool {
	plain := strings.NewReplacer("-", "", "_", "", " ", "")
	return strings.EqualFold(plain.Replace(a), plain.Replace(b))
}

// awaitAddOn waits until a Redis has an address.
func (p *Platform) awaitAddOn(ctx context.Context, org string, a addOn) (*platform.Cache, error) {
	deadline := p.now().Add(redisTimeout)
	name, id := a.Name, a.ID
	for {
		switch {
		case a.Status == "error" || a.Status == "failed":
			return nil, errs.New(errs.Failure, "redis %s (%s) failed: %s", name, id, cmp.Or(a.ErrorMessage, a.Status))
		case a.PublicURL != "" && (a.Status == "" || a.Status == "ready"):
			return a.cache(), nil
		case p.now().After(deadline):
			return nil, errs.New(errs.Timeout, "redis %s (%s) has no address after %s: it is %s", name, id, redisTimeout, cmp.Or(a.Status, "of unknown status")).
				WithHint("run the same command again: it waits for the same one")
		}
		if err := p.sleep(ctx, 2*pollInterval); err != nil {
			return nil, err
		}
		p.cache.forget(kindAddOns)
		now, err := p.findAddOn(ctx, org, name)
		if err != nil {
			return nil, err
		}
		if now != nil {
			a = *now
		}
	}
}
