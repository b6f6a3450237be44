package railway

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// strategyRolling is the one strategy: Railway starts the new version beside
// the old one and moves the traffic when it is healthy.
const strategyRolling = "rolling"

// reasonRollback is what the meta of a deployment says of one that is a roll-back.
const reasonRollback = "rollback"

// defaultTimeout is how long the instances may take to become healthy.
const defaultTimeout = 5 * time.Minute

// RollOut writes the release's variables and settings, begins a deployment and
// follows it. Railway replaces the old one only when the new one is healthy.
func (p *Platform) RollOut(ctx context.Context, app string, want platform.Release, report platform.Report) (platform.RolledOut, error) {
	out := platform.RolledOut{Release: want}
	if want.Strategy != "" && want.Strategy != strategyRolling {
		return out, errs.New(errs.Usage, "Railway has no strategy %q", want.Strategy).WithHint("use rolling: the new version starts beside the old one, and takes over when it is healthy")
	}
	if want.Timeout == 0 {
		want.Timeout = defaultTimeout
	}
	v, err := p.lookAgain(ctx, app)
	if err != nil {
		return out, err
	}
	id := v.begun(want)
	if id == "" {
		if v, err = p.prepare(ctx, v, want); err != nil {
			return out, err
		}
		if id, err = p.begin(ctx, v, want); err != nil {
			return out, err
		}
		report("deployment %s of %s", id, platform.ShortImage(want.Image))
	} else {
		report("deployment %s of the same release is under way", id)
	}
	out.Release.ID, out.Release.Version = id, id
	p.began(ctx, app, id, want, report)
	result, err := p.follow(ctx, v, id, want, report)
	out.Task = result.task
	return out, p.settle(ctx, v, id, want, err, report)
}

// began writes a deployment down that has begun. It is under way whether that
// can be written or not, and is to be followed.
func (p *Platform) began(ctx context.Context, app, id string, want platform.Release, report platform.Report) {
	at := p.o.Now()
	err := p.write(ctx, app, func(v *view) error {
		v.record.Releases[id] = entryOf(want, at)
		return nil
	})
	if err != nil && ctx.Err() == nil {
		report("deployment %s could not be written down: %v", id, err)
	}
}

// settle writes down how a roll-out ended. What was staged before it was brought
// by it. The result is how the roll-out itself ended: one that is live is no
// failure because that cannot be written, which the next run makes up for (see
// view.reconstruct).
func (p *Platform) settle(ctx context.Context, before *view, id string, want platform.Release, failed error, report platform.Report) error {
	if ctx.Err() != nil { // the next run takes it up
		return failed
	}
	brought := slices.Clone(before.record.Staged)
	err := p.write(ctx, before.app, func(v *view) error {
		r := &v.record
		e := r.Releases[id]
		if e.At == 0 {
			e = entryOf(want, p.o.Now())
		}
		e.Failed = failed != nil
		r.Releases[id] = e
		r.Next = nil
		if failed == nil {
			r.Staged = slices.DeleteFunc(r.Staged, func(name string) bool { return slices.Contains(brought, name) })
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		report("how deployment %s ended could not be written down: %v; the next run does", id, err)
	}
	return failed
}

// reconstruct takes over what a run that was cut off, or could not write, left
// out of the record: the deployment of the release that it had prepared.
func (v *view) reconstruct() {
	next := v.record.Next
	if next == nil {
		return
	}
	for _, d := range v.deployments {
		if _, known := v.record.Releases[d.ID]; !known && d.fits(next.Image, time.Unix(next.At, 0)) {
			v.record.Releases[d.ID] = *next
			return
		}
	}
}

// fits tells that a deployment can be the one of an image that was begun at a
// moment of this machine's clock: no roll-back, not older, and not of another image.
func (d deployment) fits(image string, began time.Time) bool {
	m := d.meta()
	if m.Reason == reasonRollback || d.Created.Before(began.Add(-clockSkew*time.Second)) {
		return false
	}
	return m.Image == "" || built(image) || platform.SameImage(m.Image, image)
}

// begun is the deployment of this very release that a killed run began; "" when there is none.
func (v *view) begun(want platform.Release) string {
	next := v.record.Next
	if next == nil || next.Label != want.Label || want.Label == "" || !platform.SameImage(next.Image, want.Image) || !maps.Equal(next.Env, want.Env) {
		return ""
	}
	for _, d := range v.deployments {
		if !d.fits(want.Image, time.Unix(next.At, 0)) || d.Status == statusFailed || d.Status == statusCrashed || d.Status == statusSkipped {
			continue
		}
		if d.Status == statusRemoved || d.Status == statusRemoving {
			continue
		}
		if e, known := v.record.Releases[d.ID]; known && (e.Label != want.Label || e.At < next.At) {
			continue
		}
		return d.ID
	}
	return ""
}

// setUpText sets variables and settings of a service. The fields of a mutation
// are carried out one after the other.
const setUpText = `mutation($input: VariableCollectionUpsertInput!, $environment: String!, $service: String!, $settings: ServiceInstanceUpdateInput!) {
	variableCollectionUpsert(input: $input)
	serviceInstanceUpdate(environmentId: $environment, serviceId: $service, input: $settings)
}`

// settingsText sets the settings alone.
const settingsText = `mutation($environment: String!, $service: String!, $settings: ServiceInstanceUpdateInput!) {
	serviceInstanceUpdate(environmentId: $environment, serviceId: $service, input: $settings)
}`

// prepare sets the variables and the settings of the release, without a deployment.
func (p *Platform) prepare(ctx context.Context, v *view, want platform.Release) (*view, error) {
	p.writing.Lock()
	defer p.writing.Unlock()
	gone := v.leftOver(want)
	next := entryOf(want, p.o.Now())
	v.record.Next = &next
	set, err := releaseVariables(want)
	if err != nil {
		return v, err
	}
	set[varState] = v.record.text()
	if err := p.stillMine(v); err != nil {
		return v, err
	}
	vars := map[string]any{
		"input": v.upsertInput(set, false), "environment": v.environment.ID, "service": v.service, "settings": p.settings(v, want),
	}
	if err := p.mutate(ctx, setUpText, vars, nil, true); err != nil {
		return v, p.explain(err, "set up the service %q", v.app)
	}
	if err := p.unset(ctx, v.app, gone); err != nil {
		return v, err
	}
	if err := p.limit(ctx, v, want.Size); err != nil {
		return v, err
	}
	return v, p.ensureDomain(ctx, v)
}

// leftOver are the plain variables of the release before that this one has not.
func (v *view) leftOver(want platform.Release) []string {
	var gone []string
	for name := range v.record.newest().Env {
		if _, stays := want.Env[name]; !stays && !hidden(name) && !slices.Contains(v.record.Staged, name) {
			gone = append(gone, name)
		}
	}
	slices.Sort(gone)
	return gone
}

// releaseVariables are the plain variables of a release, and those of opsctl.
func releaseVariables(want platform.Release) (map[string]string, error) {
	set := map[string]string{}
	for name, value := range want.Env {
		if err := stageable(name, &value); err != nil {
			return nil, err
		}
		set[name] = value
	}
	set[varRelease] = want.Label
	if want.Port > 0 {
		set[varPort] = strconv.Itoa(want.Port)
	}
	return set, nil
}

// settings are what a release needs of its service. What somebody tuned on it stays.
func (p *Platform) settings(v *view, want platform.Release) map[string]any {
	in := map[string]any{
		"healthcheckPath":    nil,
		"healthcheckTimeout": max(1, int(want.Timeout.Seconds())),
		"preDeployCommand":   []string{},
	}
	if want.Health != "" {
		in["healthcheckPath"] = want.Health
	}
	if src := want.Source; src == nil {
		in["source"] = map[string]any{"image": want.Image}
	} else if src.Dockerfile != "" {
		in["dockerfilePath"] = src.Dockerfile
	}
	if len(want.Command) > 0 {
		in["preDeployCommand"] = []string{shellLine(want.Command)}
	}
	maps.Copy(in, v.replicas(want.Instances, want.Region))
	if v.instance.Overlap == nil {
		in["overlapSeconds"] = int(p.o.Overlap.Seconds())
	}
	if v.instance.Draining == nil {
		in["drainingSeconds"] = int(p.o.Draining.Seconds())
	}
	return in
}

// shellLine is an argument vector as the one line that Railway runs.
func shellLine(argv []string) string {
	quoted := make([]string, len(argv))
	for i, arg := range argv {
		quoted[i] = arg
		if arg == "" || strings.ContainsFunc(arg, unsafe) {
			quoted[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// unsafe are the characters that a shell may read as something else than themselves.
func unsafe(c rune) bool {
	letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
	return !letter && !strings.ContainsRune("-_./:=@%+,", c)
}

// begin begins the deployment that prepare prepared, and returns its id.
func (p *Platform) begin(ctx context.Context, v *view, want platform.Release) (string, error) {
	id := ""
	start := func() (err error) {
		if err := p.checkLock(ctx, v.app); err != nil {
			return err
		}
		if want.Source != nil {
			id, err = p.upload(ctx, v, want)
			return err
		}
		id, err = p.deploy(ctx, v)
		return err
	}
	before, began := v.deployments, p.o.Now()
	find := func() (bool, error) {
		d, err := p.newSince(ctx, v.app, before, func(d deployment) bool { return d.fits(want.Image, began) })
		if d != nil {
			id = d.ID
		}
		return d != nil, err
	}
	if err := p.once(ctx, start, find); err != nil {
		return "", p.explain(err, "deploy %q", v.app)
	}
	return id, nil
}

// deploy begins a deployment of the service as it is set up.
func (p *Platform) deploy(ctx context.Context, v *view) (string, error) {
	var data struct {
		ID string `json:"serviceInstanceDeployV2"`
	}
	const text = "mutation($environment: String!, $service: String!) { serviceInstanceDeployV2(environmentId: $environment, serviceId: $service) }"
	err := p.mutate(ctx, text, map[string]any{"environment": v.environment.ID, "service": v.service}, &data, false)
	return data.ID, err
}

// newSince is the newest deployment that was not there before and fits; nil when there is none.
func (p *Platform) newSince(ctx context.Context, app string, before []deployment, fits func(deployment) bool) (*deployment, error) {
	v, err := p.lookAgain(ctx, app)
	if err != nil {
		return nil, err
	}
	for i, d := range v.deployments {
		if fits(d) && !slices.ContainsFunc(before, func(b deployment) bool { return b.ID == d.ID }) {
			return &v.deployments[i], nil
		}
	}
	return nil, nil
}
