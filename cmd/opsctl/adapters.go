package main

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/config"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/platform/compose"
	"github.com/opsctl/opsctl/internal/platform/fly"
	"github.com/opsctl/opsctl/internal/platform/railway"
	"github.com/opsctl/opsctl/internal/platform/render"
)

// adapter is a platform that opsctl deploys to.
type adapter struct {
	facts   func() platform.Facts
	empty   platform.Platform // not connected: what it can do shows by its type
	address string            // variable with the API's base URL, for another one than the real service
	open    func(ctx context.Context, a *app, t target) (platform.Platform, error)
}

// adapters are all of them, by the names in opsctl.yaml.
func adapters() map[string]adapter {
	return map[string]adapter{
		"fly": {fly.Facts, (*fly.Platform)(nil), "FLY_FLAPS_BASE_URL", func(ctx context.Context, a *app, _ target) (platform.Platform, error) {
			return fly.New(ctx, fly.Options{Lookup: a.lookup, HTTP: a.httpOptions()})
		}},
		"railway": {railway.Facts, (*railway.Platform)(nil), "RAILWAY_BACKBOARD_URL", func(ctx context.Context, a *app, t target) (platform.Platform, error) {
			return railway.New(ctx, railway.Options{Lookup: a.lookup, HTTP: a.httpOptions(), Project: t.env.Project, Environment: t.name, Workspace: t.env.Org})
		}},
		"render": {render.Facts, (*render.Platform)(nil), "RENDER_HOST", func(ctx context.Context, a *app, t target) (platform.Platform, error) {
			return render.New(ctx, render.Options{Lookup: a.lookup, HTTP: a.httpOptions(), Owner: t.env.Org, Project: t.env.Project, Environment: t.name})
		}},
		"compose": {compose.Facts, (*compose.Platform)(nil), "DOCKER_HOST", func(ctx context.Context, a *app, t target) (platform.Platform, error) {
			o := compose.Options{Lookup: a.lookup, File: compose.FindFile(filepath.Dir(t.project.Path)), Port: t.project.Web.Port}
			if pg := t.project.Postgres; pg != nil {
				o.Pool = compose.Pool{MaxConnections: pg.Pool.MaxConnections, ConnectTimeout: pg.Pool.ConnectTimeout.D(), IdleTimeout: pg.Pool.IdleTimeout.D()}
			}
			return compose.New(ctx, o)
		}},
	}
}

// platform connects to the platform of a target.
func (a *app) platform(ctx context.Context, t target) (platform.Platform, error) {
	one, err := adapterOf(t.env.Platform)
	if err != nil {
		return nil, err
	}
	for _, name := range one.facts().Tokens {
		token := a.getenv(name)
		if a.redact.Add(token); strings.ContainsAny(token, "\r\n\x00") {
			return nil, errs.New(errs.Auth, "%s holds more than one line", name).WithHint("set it to the token alone")
		}
	}
	return one.open(ctx, a, t)
}

func adapterOf(name string) (adapter, error) {
	if one, ok := adapters()[name]; ok {
		return one, nil
	}
	if name == "vercel" {
		return adapter{}, errs.New(errs.Usage, "opsctl does not deploy to vercel: it ends requests and jobs after some minutes, and runs no container").
			WithHint("see: opsctl platforms")
	}
	e := errs.New(errs.Usage, "unknown platform %q", name)
	if near := errs.Closest(name, config.Platforms); near != "" {
		return adapter{}, e.WithHint("did you mean %s?", near)
	}
	return adapter{}, e.WithHint("one of: %s", strings.Join(config.Platforms, ", "))
}

// apiAddress is where the platform's API is, when it is not the real service's.
func (a *app) apiAddress(t target) string {
	one := adapters()[t.env.Platform]
	if one.address == "" {
		return ""
	}
	return a.getenv(one.address)
}

// checkStrategy refuses one that the platform does not have, with the nearest that it has.
func checkStrategy(t target, facts platform.Facts) error {
	want := t.env.Strategy
	if slices.Contains(facts.Strategies, want) {
		return nil
	}
	nearest := facts.Strategies[0]
	return errs.New(errs.Usage, "%s does not roll out %s", facts.Title, want).
		WithHint("set environments.%s.strategy to %s; %s has: %s", t.name, nearest, facts.Title, strings.Join(facts.Strategies, ", "))
}

// checkRegion refuses one that the platform does not have, with the nearest that it has.
func checkRegion(t target, facts platform.Facts) error {
	switch region := t.env.Region; {
	case len(facts.Regions) == 0 || slices.Contains(facts.Regions, region):
		return nil
	case region == "" && t.env.Platform == "compose":
		return nil
	case region == "":
		return errs.New(errs.Usage, "environments.%s names no region", t.name).WithHint("add one, such as: region: %s\n%s has: %s", facts.Regions[0], facts.Title, strings.Join(facts.Regions, ", "))
	default:
		return errs.New(errs.Usage, "%s has no region %q", facts.Title, region).
			WithHint("the nearest is: region: %s\n%s has: %s", regionNear(region, facts), facts.Title, strings.Join(facts.Regions, ", "))
	}
}

// ability is the adapter as one that can do T; asking for what the platform cannot
// do is a usage error with the nearest alternative.
func ability[T any](p platform.Platform, name string) (T, error) {
	able, ok := p.(T)
	if ok {
		return able, nil
	}
	alternative := ""
	for _, c := range platform.Capabilities() {
		if c.Name == name {
			alternative = c.Alternative
		}
	}
	return able, errs.New(errs.Usage, "%s has no %s that opsctl can use", p.Name(), name).
		WithHint("instead: %s\nwhat each platform can do: opsctl platforms", alternative)
}
