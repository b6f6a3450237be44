package railway

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// Railway has no named sizes: an instance has a limit of virtual CPUs and
// memory, which opsctl spells as one word.
func sizes() []string {
	return []string{"1cpu-1gb", "2cpu-2gb", "4cpu-4gb", "8cpu-8gb", "16cpu-16gb", "32cpu-32gb"}
}

// parseSize reads a size such as "2cpu-4gb".
func parseSize(size string) (cpus, memoryGB float64, err error) {
	c, m, ok := strings.Cut(strings.ToLower(size), "-")
	c, isCPU := strings.CutSuffix(c, "cpu")
	m, isGB := strings.CutSuffix(m, "gb")
	cpus, err1 := strconv.ParseFloat(c, 64)
	memoryGB, err2 := strconv.ParseFloat(m, 64)
	if !ok || !isCPU || !isGB || err1 != nil || err2 != nil || !(cpus > 0 && cpus <= 1024) || !(memoryGB > 0 && memoryGB <= 1024) {
		return 0, 0, errs.New(errs.Usage, "Railway has no size %q", size).
			WithHint("a size is a limit of CPUs and memory, such as %s", strings.Join(sizes(), ", "))
	}
	return cpus, memoryGB, nil
}

// limit sets the limits of the instances; "" leaves them.
func (p *Platform) limit(ctx context.Context, v *view, size string) error {
	if size == "" {
		return nil
	}
	cpus, memory, err := parseSize(size)
	if err != nil {
		return err
	}
	const text = "mutation($input: ServiceInstanceLimitsUpdateInput!) { serviceInstanceLimitsUpdate(input: $input) }"
	in := map[string]any{"serviceId": v.service, "environmentId": v.environment.ID, "vCPUs": cpus, "memoryGB": memory}
	return p.explain(p.mutate(ctx, text, map[string]any{"input": in}, nil, true), "set the size of %q", v.app)
}

// Scale changes the settings and deploys what runs again, which is how Railway
// applies them. What is staged comes with it.
func (p *Platform) Scale(ctx context.Context, app string, to platform.Scale, report platform.Report) error {
	v, err := p.lookAgain(ctx, app)
	if err != nil {
		return err
	}
	active := v.active()
	if len(active) == 0 {
		return errs.New(errs.NotFound, "nothing of %q runs", app).WithHint("run: opsctl deploy")
	}
	current := active[0]
	next := v.release(current)
	next.Timeout = defaultTimeout
	next.Instances = cmp.Or(to.Instances, next.Instances, len(v.instances(current)))
	next.Size, next.Region = cmp.Or(to.Size, next.Size), cmp.Or(to.Region, next.Region)
	if to.Region != "" {
		if next.Region, err = p.regionNamed(ctx, v, to.Region); err != nil {
			return err
		}
	}
	if err := p.checkLock(ctx, app); err != nil {
		return err
	}
	if err := p.limit(ctx, v, to.Size); err != nil {
		return err
	}
	report("%d instances%s", next.Instances, scaleDetail(next))
	id, err := p.resize(ctx, v, next)
	if err != nil {
		return p.explain(err, "scale %q", app)
	}
	// A deployment of its own: the number and size are those from now on.
	p.began(ctx, app, id, next, report)
	silent := next // it runs no release command
	silent.Command = nil
	_, err = p.follow(ctx, v, id, silent, report)
	return p.settle(ctx, v, id, next, err, report)
}

func scaleDetail(r platform.Release) string {
	detail := ""
	if r.Size != "" {
		detail += " of " + r.Size
	}
	if r.Region != "" {
		detail += " in " + r.Region
	}
	return detail
}

// resize brings the settings to what runs. An image is deployed anew with them.
// What Railway built itself is not built again for that: a change that is
// committed to the environment is applied to the build there is.
func (p *Platform) resize(ctx context.Context, v *view, next platform.Release) (string, error) {
	settings := v.replicas(next.Instances, next.Region)
	settings["preDeployCommand"] = []string{} // nothing is migrated; the next roll-out sets its own
	if !built(next.Image) {
		vars := map[string]any{"environment": v.environment.ID, "service": v.service, "settings": settings}
		if err := p.mutate(ctx, settingsText, vars, nil, true); err != nil {
			return "", err
		}
		return p.begin(ctx, v, next)
	}
	const text = `mutation($environment: String!, $patch: EnvironmentConfig!, $message: String) {
		committed: environmentPatchCommit(environmentId: $environment, patch: $patch, commitMessage: $message) }`
	patch := map[string]any{"services": map[string]any{v.service: map[string]any{"deploy": settings}}}
	vars := map[string]any{"environment": v.environment.ID, "patch": patch, "message": "opsctl: scale " + v.app}
	began := p.o.Now()
	if err := p.commit(ctx, text, vars); err != nil {
		return "", err
	}
	deadline := p.o.Now().Add(lagTimeout)
	for round := 0; p.o.Now().Before(deadline); round++ {
		if d, err := p.newSince(ctx, v.app, v.deployments, func(d deployment) bool { return d.fits(next.Image, began) }); err != nil || d != nil {
			return d.id(), err
		}
		if err := p.pause(ctx, round); err != nil {
			return "", err
		}
	}
	return "", errs.New(errs.Timeout, "Railway has taken the settings of %q and begun no deployment", v.app).WithHint("they come with the next: opsctl deploy")
}

// regionNamed is the region of that name; a Usage error names those there are.
func (p *Platform) regionNamed(ctx context.Context, v *view, want string) (string, error) {
	var data struct {
		Regions []struct {
			Name     string `json:"name"`
			Location string `json:"location"`
		} `json:"regions"`
	}
	const text = "query($project: String) { regions(projectId: $project) { name location } }"
	if err := p.query(ctx, text, map[string]any{"project": v.project.ID}, &data); err != nil {
		return "", p.explain(err, "list the regions")
	}
	var names []string
	for _, r := range data.Regions {
		if strings.EqualFold(r.Name, want) || strings.EqualFold(r.Location, want) {
			return r.Name, nil
		}
		names = append(names, fmt.Sprintf("%s (%s)", r.Name, r.Location))
	}
	slices.Sort(names)
	return "", errs.New(errs.Usage, "Railway has no region %q", want).WithHint("it has %s", strings.Join(names, ", "))
}
