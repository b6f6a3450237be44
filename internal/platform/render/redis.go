package render

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// cacheTimeout is how long a new Key Value may take.
const cacheTimeout = 10 * time.Minute

// FindRedis finds a Key Value, which speaks Redis, by name; see FindPostgres.
func (p *Platform) FindRedis(ctx context.Context, app, name string) (*platform.Cache, error) {
	id, err := p.storeID(ctx, app, name, "red-")
	if err != nil {
		return nil, err
	}
	if id != "" {
		c := &platform.Cache{ID: id, Name: name}
		if err := p.connectCache(ctx, c); !missing(err) {
			return c, err
		}
	}
	ownerID, err := p.ownerID(ctx, "")
	if err != nil {
		return nil, err
	}
	found, err := p.findCache(ctx, ownerID, name)
	if err != nil || found == nil {
		return nil, err
	}
	c := &platform.Cache{ID: found.ID, Name: found.Name, Status: found.Status}
	if found.Status == available {
		err = p.connectCache(ctx, c)
	}
	return c, err
}

func (p *Platform) findCache(ctx context.Context, ownerID, name string) (*keyValue, error) {
	all, err := list[keyValue](ctx, p, "/key-value", url.Values{"name": {name}, "ownerId": {ownerID}}, "keyValue", 0)
	if err != nil {
		return nil, explain(err, "look for the Key Value %q", name)
	}
	for _, kv := range all {
		if kv.Name == name {
			return &kv, nil
		}
	}
	return nil, nil
}

func (p *Platform) connectCache(ctx context.Context, c *platform.Cache) error {
	var info struct {
		Internal string `json:"internalConnectionString"`
	}
	if err := p.call(ctx, http.MethodGet, "/key-value/"+url.PathEscape(c.ID)+"/connection-info", nil, nil, &info); err != nil {
		return explain(err, "read the URL of the Key Value %q", c.Name)
	}
	c.URL = info.Internal
	p.remember(c.Name, c.ID)
	return nil
}

// CreateRedis makes a Key Value. It evicts nothing: what an app puts there may be
// sessions and queues. Only Render's own network reaches it. Render decides on its version.
func (p *Platform) CreateRedis(ctx context.Context, spec platform.CacheSpec, report platform.Report) (*platform.Cache, error) {
	ownerID, err := p.ownerID(ctx, spec.Org)
	if err != nil {
		return nil, err
	}
	if err := checkRegion(spec.Region, nil); err != nil {
		return nil, err
	}
	find := func() (string, error) {
		kv, err := p.findCache(ctx, ownerID, spec.Name)
		if kv == nil {
			return "", err
		}
		return kv.ID, err
	}
	environment, err := p.environmentID(ctx, ownerID)
	if err != nil {
		return nil, err
	}
	in := map[string]any{"name": spec.Name, "ownerId": ownerID, "plan": spec.Plan, "maxmemoryPolicy": "noeviction", "ipAllowList": []any{}}
	if spec.Plan == "" || spec.Plan == "basic" {
		in["plan"] = "starter"
	}
	if spec.Region != "" {
		in["region"] = spec.Region
	}
	if environment != "" {
		in["environmentId"] = environment
	}
	id, err := p.findOrMake(ctx, "/key-value", in, find, "Key Value "+spec.Name)
	if err != nil {
		return nil, err
	}
	report("Key Value %s (%s)", spec.Name, id)
	deadline := p.now().Add(cacheTimeout)
	for look := p.pause(); ; {
		var kv keyValue
		err := p.call(ctx, http.MethodGet, "/key-value/"+url.PathEscape(id), nil, nil, &kv)
		if err != nil && !transient(err) && !missing(err) {
			return nil, explain(err, "look at the Key Value %s", id)
		}
		if err == nil && kv.Status == available {
			c := &platform.Cache{ID: kv.ID, Name: kv.Name, Status: kv.Status}
			return c, p.connectCache(ctx, c)
		}
		if p.now().After(deadline) {
			return nil, errs.New(errs.Timeout, "Key Value %s is not ready after %s: it is %s", id, cacheTimeout, kv.Status).WithHint("run the same command again: it waits for the same one")
		}
		if err := look.wait(ctx); err != nil {
			return nil, err
		}
	}
}
