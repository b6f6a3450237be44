package main

import (
	"context"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/config"
	"github.com/opsctl/opsctl/internal/deploy"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/health"
	"github.com/opsctl/opsctl/internal/httpx"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/ui"
)

// target is one environment of the project on its platform.
type target struct {
	project *config.Project
	name    string // of the environment
	env     config.Environment
	moved   string // its platform in opsctl.yaml, when --platform names another one
}

// target finds the environment that --env names; platformFlag overrides its platform.
func (a *app) target(command, platformFlag string) (target, error) {
	p, err := a.requireProject(command)
	if err != nil {
		return target{}, err
	}
	if p.App == "" {
		return target{}, errs.New(errs.Usage, "%s: no `app` in %s", command, config.FileName).WithHint("add a line such as: app: my-app")
	}
	e, ok := p.Environments[a.global.Env]
	if !ok {
		err := errs.New(errs.Usage, "no environment %q in %s", a.global.Env, config.FileName)
		var names []string
		for name := range p.Environments {
			names = append(names, name)
		}
		if near := errs.Closest(a.global.Env, names); near != "" {
			return target{}, err.WithHint("did you mean --env %s?", near)
		}
		return target{}, err.WithHint("add it under `environments`, or name one with --env: %s", strings.Join(names, ", "))
	}
	t := target{project: p, name: a.global.Env, env: e}
	if platformFlag != "" && platformFlag != e.Platform {
		return t.on(platformFlag)
	}
	return t, nil
}

// on is the environment on another platform than its own: what is said in one
// platform's words is put into the other's.
func (t target) on(name string) (target, error) {
	one, err := adapterOf(name)
	if err != nil {
		return t, err
	}
	facts := one.facts()
	t.moved = t.env.Platform
	t.env.Platform, t.env.Size = name, ""
	t.env.Region = regionNear(t.env.Region, facts)
	if !slices.Contains(facts.Strategies, t.env.Strategy) {
		t.env.Strategy = facts.Strategies[0]
	}
	return t, nil
}

// observe looks at the app of an environment: what status, logs and history begin with.
func (a *app) observe(ctx context.Context, command, platformFlag string) (target, platform.Platform, *platform.State, error) {
	t, err := a.target(command, platformFlag)
	if err != nil {
		return t, nil, nil, err
	}
	p, err := a.platform(ctx, t)
	if err != nil {
		return t, nil, nil, err
	}
	state, err := p.Observe(ctx, t.env.App)
	return t, p, state, err
}

func (a *app) httpOptions() httpx.Options {
	o := httpx.Options{UserAgent: "opsctl/" + buildVersion().Version, MaxAttempts: 4}
	o.OnRetry = func(r httpx.Retry) {
		if a.global.Verbose {
			why := "no answer"
			if r.Err == nil {
				why = "HTTP " + itoa(r.Status)
			}
			a.io.Warn("%s %s: %s, again in %s", r.Method, r.URL, why, ui.Duration(r.Wait))
		}
	}
	if a.global.Verbose {
		o.OnExchange = func(x httpx.Exchange) {
			line := x.Method + " " + x.URL + " " + itoa(x.Status) + " " + ui.Duration(x.Duration)
			if x.RequestID != "" {
				line += " " + x.RequestID
			}
			ui.Line(a.io.Err, ui.Faint(a.redact.Redact(line)))
		}
	}
	return o
}

// engine makes the deploy engine for a target.
func (a *app) engine(ctx context.Context, t target, event func(deploy.Event)) (*deploy.Engine, error) {
	p, err := a.platform(ctx, t)
	if err != nil {
		return nil, err
	}
	return &deploy.Engine{
		Platform: p, StateDir: a.stateDir(t), Holder: a.holder(), Environment: t.name, Event: event, Hooks: a.hooks(t),
		Prober: &health.Prober{UserAgent: "opsctl/" + buildVersion().Version},
	}, nil
}

// stateDir is where this machine remembers the deploys of an app. The address
// of the API is part of it: an emulator's app is not the real one.
func (a *app) stateDir(t target) string {
	base := a.getenv("XDG_STATE_HOME")
	if base == "" {
		base = filepath.Join(a.getenv("HOME"), ".local", "state")
	}
	where := t.env.Platform
	if api := a.apiAddress(t); api != "" {
		where += "-" + fileName(api)
	}
	if t.env.Platform == "railway" { // one service of that name for all environments
		where = filepath.Join(where, fileName(t.env.Project), fileName(t.name))
	}
	return filepath.Join(base, "opsctl", where, t.env.App)
}

// fileName makes a text fit for a file's name.
func fileName(s string) string {
	s = strings.TrimPrefix(strings.TrimPrefix(s, "https://"), "http://")
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789.-", r) {
			return r
		}
		return '_'
	}, s)
}

// holder says who runs opsctl, for locks and the journal.
func (a *app) holder() string {
	name := a.getenv("USER")
	if u, err := user.Current(); err == nil && name == "" {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return name + "@" + host
}

func gateOf(p *config.Project) deploy.Gate {
	return deploy.Gate{Timeout: p.Deploy.HealthTimeout.D(), Interval: p.Deploy.Interval.D(), Consecutive: p.Deploy.Consecutive}
}
