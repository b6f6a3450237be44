package deploy

import (
	"context"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// Hooks runs the programs that a project has for moments of a deploy.
type Hooks interface {
	// Has tells whether there is a program for the moment.
	Has(moment Moment) bool
	// Run runs it with the variables added to the process's own, and reports what it prints.
	Run(ctx context.Context, moment Moment, vars map[string]string, report platform.Report) error
}

// Moment is when a hook runs; its name is that of the program.
type Moment string

// The moments. What fails before the roll-out stops the deploy; smoke decides like the
// health gate whether it stays; what fails after the end is only said.
const (
	PreDeploy    Moment = "pre-deploy"    // under the lock, before anything is changed
	PreRelease   Moment = "pre-release"   // the image is there; before the release command and the roll-out
	Smoke        Moment = "smoke"         // the new version is healthy; before it counts
	PostDeploy   Moment = "post-deploy"   // it counts
	DeployFailed Moment = "deploy-failed" // after what could be undone was undone
	PreRollback  Moment = "pre-rollback"  // before `opsctl rollback` puts a release back
	PostRollback Moment = "post-rollback" // after it
)

// Moments are all of them, in the order of a deploy.
func Moments() []Moment {
	return []Moment{PreDeploy, PreRelease, Smoke, PostDeploy, DeployFailed, PreRollback, PostRollback}
}

// hook is the step that runs a program, if there is one.
func (r *run) hook(m Moment) step {
	return step{name: string(m), silent: true, skip: unless(r.Hooks != nil && r.Hooks.Has(m), "no such hook"), run: func(ctx context.Context) (string, error) {
		if err := r.Hooks.Run(ctx, m, r.hookVars(m), r.report(string(m))); err != nil {
			return "", errs.Wrap(err, errs.CodeOf(err), "the hook %s", m)
		}
		return "hook", nil
	}}
}

// hookAfter runs a hook whose failure changes nothing any more.
func (r *run) hookAfter(ctx context.Context, m Moment) {
	if r.Hooks == nil || !r.Hooks.Has(m) {
		return
	}
	began := r.now()
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	if err := r.Hooks.Run(after, m, r.hookVars(m), r.report(string(m))); err != nil {
		r.emit(string(m), Warned, r.redact("the hook failed: "+err.Error()), 0)
		return
	}
	r.emit(string(m), Done, "hook", r.now().Sub(began).Round(time.Millisecond))
}

// hookVars are what a hook is told.
func (r *run) hookVars(m Moment) map[string]string {
	vars := map[string]string{
		"OPSCTL_HOOK": string(m), "OPSCTL_COMMAND": r.command, "OPSCTL_RUN": r.id, "OPSCTL_APP": r.p.Request.App.Name,
		"OPSCTL_PLATFORM": r.Platform.Name(), "OPSCTL_ENV": r.Environment, "OPSCTL_IMAGE": r.p.Image.Pinned(), "OPSCTL_RELEASE": r.release.Version,
		"OPSCTL_PREVIOUS": r.p.previous.Version, "OPSCTL_BY": r.Holder, "OPSCTL_URL": r.url,
	}
	if s := r.p.Observed.State; vars["OPSCTL_URL"] == "" && s != nil {
		vars["OPSCTL_URL"] = s.URL
	}
	if r.outcome != "" {
		vars["OPSCTL_OUTCOME"] = string(r.outcome)
	}
	for name, value := range vars {
		if strings.ContainsRune(value, 0) {
			delete(vars, name)
		}
	}
	return vars
}
