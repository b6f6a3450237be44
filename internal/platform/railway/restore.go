package railway

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// Restore has Railway roll back to the deployment of an earlier release, which
// brings its image and all its variables back, also secrets. Where the
// deployment serves still, only the settings of the service are put back.
func (p *Platform) Restore(ctx context.Context, app string, to platform.Release, report platform.Report) (platform.Release, error) {
	v, err := p.lookAgain(ctx, app)
	if err != nil {
		return to, err
	}
	old, err := v.restorable(to.Version)
	if err != nil {
		return to, err
	}
	then := v.release(*old)
	then.Timeout = cmp.Or(to.Timeout, defaultTimeout)
	for _, d := range v.deployments {
		if unfinished(d.Status) {
			report("cancel deployment %s", d.ID)
			p.cancel(ctx, d.ID)
		}
	}
	if err := p.putBack(ctx, v, old.ID, then); err != nil {
		return then, err
	}
	if active := v.active(); len(active) > 0 && active[0].ID == old.ID && old.Status != statusCrashed {
		report("deployment %s serves still", old.ID)
		return then, nil
	}
	id, err := p.rollBack(ctx, v, *old, then, report)
	if err != nil {
		return then, err
	}
	e, written := v.record.Releases[old.ID]
	if !written {
		e = entryOf(then, p.o.Now())
	}
	e.At, e.Restored, e.Failed = p.o.Now().Unix(), true, false
	if err := p.rolledBack(ctx, v, *old, id, e); err != nil && ctx.Err() == nil {
		report("the roll-back could not be written down: %v", err)
	}
	now := e.release(id)
	now.Timeout = then.Timeout
	_, err = p.follow(ctx, v, id, now, report)
	return now, err
}

// rolledBack writes the new deployment down. The roll-back may have brought the
// variables of then back, the record among them: what is known is written again.
func (p *Platform) rolledBack(ctx context.Context, before *view, old deployment, id string, e entry) error {
	if err := p.lockAgain(ctx, before); err != nil {
		return err
	}
	return p.write(ctx, before.app, func(v *view) error {
		r := &v.record
		r.Staged, r.Next = v.newerThan(old, before), nil
		maps.Copy(r.Releases, before.record.Releases)
		r.Releases[id] = e
		return nil
	})
}

// lockAgain writes the lock of before again, where a roll-back has brought the
// one of then back.
func (p *Platform) lockAgain(ctx context.Context, before *view) error {
	was, since := before.record.Lock, before.at
	if was != nil {
		since = was.Since
	}
	return p.amend(ctx, before.app, func(held *lockRecord) (*lockRecord, error) {
		same := held == nil && was == nil || held != nil && was != nil && held.ID == was.ID
		if same || held != nil && held.Since.After(since) { // or somebody took it over since
			return nil, errUnchanged
		}
		return was, nil
	})
}

// newerThan are the secrets that a deployment of then does not have as they are
// set now: they were set after it, and the roll-back has not changed them.
func (v *view) newerThan(old deployment, before *view) []string {
	var out []string
	for _, n := range v.nodes {
		a, b := v.raw[n.Name], before.raw[n.Name]
		same := a == nil && b == nil || a != nil && b != nil && *a == *b
		if same && n.Updated.After(old.Created) && !hidden(n.Name) && !v.plain(n.Name) {
			out = append(out, n.Name)
		}
	}
	return out
}

// restorable is the deployment of a version; "" is the newest that was well and
// that opsctl did not make.
func (v *view) restorable(version string) (*deployment, error) {
	for i, d := range v.deployments {
		_, ours := v.record.Releases[d.ID]
		well := releaseStatus(d, entry{}) == platform.Complete
		if version != "" && d.ID == version || version == "" && !ours && well {
			return &v.deployments[i], nil
		}
	}
	if version == "" {
		return nil, errs.New(errs.NotFound, "no deployment of %q from before opsctl", v.app).WithHint("run: opsctl history")
	}
	return nil, errs.New(errs.NotFound, "no deployment %s of %q", version, v.app).
		WithHint("run: opsctl history, and deploy the image of that release with --image")
}

// putBack gives the service the settings and the plain variables of a release.
// Of what opsctl did not deploy it knows the image alone.
func (p *Platform) putBack(ctx context.Context, v *view, id string, then platform.Release) error {
	e, written := v.record.Releases[id]
	if !written && built(then.Image) {
		return nil
	}
	vars := map[string]any{"environment": v.environment.ID, "service": v.service}
	if !written {
		vars["settings"] = map[string]any{"source": map[string]any{"image": then.Image}}
		return p.explain(p.mutate(ctx, settingsText, vars, nil, true), "put the image of %q back", v.app)
	}
	p.writing.Lock()
	defer p.writing.Unlock()
	gone := v.leftOver(then)
	set, err := releaseVariables(then)
	if err != nil {
		return err
	}
	e.At = p.o.Now().Unix() // its variables are those that are set now
	v.record.Next, v.record.Releases[id] = nil, e
	set[varState] = v.record.text()
	settings := p.settings(v, then)
	settings["preDeployCommand"] = []string{} // what was migrated is: the command is a roll-out's
	if built(then.Image) {
		delete(settings, "source")
	}
	if err := p.stillMine(v); err != nil {
		return err
	}
	vars["input"], vars["settings"] = v.upsertInput(set, false), settings
	if err := p.mutate(ctx, setUpText, vars, nil, true); err != nil {
		return p.explain(err, "put the settings of %q back", v.app)
	}
	return p.unset(ctx, v.app, gone)
}

// rollBack begins a deployment of an earlier one and returns its id. The call
// answers yes or no, so the new one is what was not in the list before.
func (p *Platform) rollBack(ctx context.Context, v *view, old deployment, then platform.Release, report platform.Report) (string, error) {
	if !old.CanReturn {
		return p.deployAgain(ctx, v, old, then, report)
	}
	report("roll back to deployment %s", old.ID)
	const text = "mutation($id: String!) { deploymentRollback(id: $id) }"
	id := ""
	began := p.o.Now().Add(-clockSkew * time.Second)
	fits := func(d deployment) bool {
		reason := d.meta().Reason
		return (reason == "" || reason == reasonRollback) && !d.Created.Before(began)
	}
	find := func() (bool, error) {
		d, err := p.newSince(ctx, v.app, v.deployments, fits)
		id = d.id()
		return d != nil, err
	}
	begin := func() error {
		if err := p.checkLock(ctx, v.app); err != nil {
			return err
		}
		return p.mutate(ctx, text, map[string]any{"id": old.ID}, nil, false)
	}
	err := p.once(ctx, begin, find)
	if err != nil {
		return "", p.explain(err, "roll %q back to deployment %s", v.app, old.ID)
	}
	deadline := p.o.Now().Add(lagTimeout)
	for round := 0; id == "" && p.o.Now().Before(deadline); round++ {
		if found, err := find(); err != nil && !transient(err) {
			return "", err
		} else if found {
			break
		}
		if err := p.pause(ctx, round); err != nil {
			return "", err
		}
	}
	if id == "" {
		return "", errs.New(errs.Timeout, "the roll-back of %q to deployment %s began no deployment", v.app, old.ID).WithHint("look into Railway's dashboard")
	}
	return id, nil
}

// deployAgain deploys the image of a release that Railway does not roll back to
// any more: it keeps them for as long as the plan says.
func (p *Platform) deployAgain(ctx context.Context, v *view, old deployment, then platform.Release, report platform.Report) (string, error) {
	if _, written := v.record.Releases[old.ID]; !written || built(then.Image) {
		return "", errs.New(errs.NotFound, "Railway does not roll back to deployment %s any more", old.ID).
			WithHint("it keeps images for a time that depends on the plan; deploy the image, or the commit, of that release again")
	}
	report("deploy %s again: Railway has let deployment %s go", platform.ShortImage(then.Image), old.ID)
	return p.begin(ctx, v, then)
}

// built tells that Railway built the image itself, so that nothing can be pulled by its name.
func built(image string) bool {
	for _, prefix := range []string{platform.SourceUpload + ":", platform.SourceGit + ":", "deployment:"} {
		if len(image) > len(prefix) && image[:len(prefix)] == prefix {
			return true
		}
	}
	return image == ""
}

// Remove takes away every deployment that serves or is under way.
func (p *Platform) Remove(ctx context.Context, app string, report platform.Report) error {
	v, err := p.lookAgain(ctx, app)
	if err != nil {
		return err
	}
	for _, d := range v.deployments {
		switch {
		case unfinished(d.Status):
			report("cancel deployment %s", d.ID)
			p.cancel(ctx, d.ID)
		case slices.Contains([]string{statusSuccess, statusSleeping, statusCrashed}, d.Status):
			report("remove deployment %s", d.ID)
			err := p.mutate(ctx, "mutation($id: String!) { deploymentRemove(id: $id) }", map[string]any{"id": d.ID}, nil, true)
			if err != nil && !missing(err) {
				return p.explain(err, "remove deployment %s", d.ID)
			}
		}
	}
	return p.awaitGone(ctx, app)
}

// awaitGone waits until no instance is left.
func (p *Platform) awaitGone(ctx context.Context, app string) error {
	deadline := p.o.Now().Add(p.o.Draining + defaultTimeout)
	for round := 0; ; round++ {
		v, err := p.lookAgain(ctx, app)
		if err != nil && !transient(err) {
			return err
		}
		left := 0
		if err == nil {
			for _, d := range v.active() {
				left += len(v.instances(d))
			}
			if left == 0 {
				return nil
			}
		}
		if p.o.Now().After(deadline) {
			return errs.New(errs.Timeout, "%d instances of %q are still there", left, app).WithHint("look into Railway's dashboard")
		}
		if err := p.pause(ctx, round); err != nil {
			return err
		}
	}
}
