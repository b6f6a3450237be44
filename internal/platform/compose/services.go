package compose

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// serviceTimeout is how long a service may take to become ready, its image being here.
const serviceTimeout = 3 * time.Minute

// managed is the content of services.json: what opsctl made beside the app.
type managed struct {
	Postgres *managedService `json:"postgres,omitempty"`
	Redis    *managedService `json:"redis,omitempty"`
}

// managedService is one of them. Password and Admin are of those that opsctl defines.
type managedService struct {
	Name     string `json:"name"`    // as opsctl.yaml has it
	Service  string `json:"service"` // as Compose has it
	Password string `json:"password,omitempty"`
	Admin    string `json:"admin,omitempty"`
	Direct   string `json:"direct,omitempty"`
	Pooled   string `json:"pooled,omitempty"`
}

func parseManaged(text string) (managed, error) {
	var m managed
	if text == "" {
		return m, nil
	}
	if json.Unmarshal([]byte(text), &m) != nil { // its words may show a password
		return m, errs.New(errs.Failure, "%s of the app's volume is not what opsctl writes", servicesFile)
	}
	return m, nil
}

// manage rewrites what there is.
func (p *Platform) manage(ctx context.Context, app string, edit func(*managed) error) (managed, error) {
	var m managed
	err := p.change(ctx, app, servicesFile, func(text string) (string, error) {
		var err error
		if m, err = parseManaged(text); err != nil {
			return "", err
		}
		if err := edit(&m); err != nil {
			return "", err
		}
		raw, err := json.MarshalIndent(m, "", " ")
		return string(raw) + "\n", err
	})
	return m, err
}

// otherName refuses a second service of a kind: an app has one.
func otherName(have *managedService, name string) error {
	if have != nil && have.Name != name {
		return errs.New(errs.Usage, "the app has %q on this engine already, and it can have one of a kind", have.Name).
			WithHint("use that name, or give the app the address of another server in its env file")
	}
	return nil
}

// ensureService makes and starts a service, unless it is there: found by Compose's
// labels, so that one that `docker compose up` made is taken too.
func (p *Platform) ensureService(ctx context.Context, app string, s *service, report platform.Report) (*container, error) {
	have, err := p.findService(ctx, app, s.name)
	if err != nil {
		return nil, err
	}
	if have == nil {
		if err := p.makeService(ctx, app, s, report); err != nil {
			return nil, err
		}
		if have, err = p.findService(ctx, app, s.name); err != nil {
			return nil, err
		}
		if have == nil {
			return nil, errs.New(errs.Failure, "the container %s is gone as soon as made", serviceName(app, s.name))
		}
	}
	if !have.State.Running {
		report("start %s", have.name())
		if err := p.engine.quiet(ctx, "start", have.ID); err != nil {
			return nil, explain(err, "start %s", have.name())
		}
	}
	return have, nil
}

func (p *Platform) findService(ctx context.Context, app, name string) (*container, error) {
	all, err := p.list(ctx, composeProject, app)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(c container) bool { return c.service() == name && c.role() != roleApp && c.role() != roleTask })
	if i < 0 {
		return nil, nil
	}
	return &all[i], nil
}

// makeService creates a service's volumes and container. A container that is not
// complete is not left behind.
func (p *Platform) makeService(ctx context.Context, app string, s *service, report platform.Report) error {
	if err := p.ensureNetwork(ctx, app); err != nil {
		return err
	}
	if err := p.ensureImage(ctx, s.image, report); err != nil {
		return err
	}
	for _, v := range s.volumes {
		if v.other { // made by somebody else, who says so
			continue
		}
		if err := p.engine.quiet(ctx, slices.Concat([]string{"volume", "create"}, v.flags, []string{v.name})...); err != nil {
			return explain(err, "create the volume %s", v.name)
		}
	}
	c := spec{
		name: serviceName(app, s.name), network: networkName(app), alias: s.name, env: s.env, image: s.image, command: s.command, files: s.files,
		labels: containerLabels(app, s.name, roleService, 1, []any{s.image, s.command, s.flags}),
		flags:  append(slices.Clone(s.flags), "--restart", "unless-stopped"),
	}
	for _, port := range s.ports {
		if port.Published != "" {
			at := port.Published + ":" + itoa(port.Target)
			if port.HostIP != "" {
				at = port.HostIP + ":" + at
			}
			c.flags = append(c.flags, "--publish", at)
		}
	}
	report("create %s from %s", c.name, s.image)
	err := p.create(ctx, c)
	if err == nil {
		err = p.engine.quiet(ctx, "start", c.name)
	}
	if err == nil || taken(err) {
		return nil
	}
	cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	_ = p.remove(cleanup, c.name) // the first error is the one to tell
	return explain(err, "create %s", c.name)
}

// ensureImage pulls an image that is not here.
func (p *Platform) ensureImage(ctx context.Context, ref string, report platform.Report) error {
	here, err := p.imageHere(ctx, ref)
	if err != nil || here != nil {
		return err
	}
	report("pull %s", ref)
	_, err = p.pull(ctx, ref)
	return err
}

// awaitService waits until a service is healthy; one without a check, until a command
// in a container ends well.
func (p *Platform) awaitService(ctx context.Context, name string, in string, command ...string) error {
	deadline := p.o.Now().Add(serviceTimeout)
	for {
		c, err := p.find(ctx, name)
		if err != nil {
			return err
		}
		if c == nil {
			return errs.New(errs.Failure, "the container %s is gone", name)
		}
		ready := ready(*c)
		if c.State.Running && c.State.Health == nil {
			ready = p.engine.quiet(ctx, append([]string{"exec", in}, command...)...) == nil
		}
		if ready {
			return nil
		}
		if err := dead(*c); err != nil {
			return p.withTail(ctx, name, err)
		}
		if p.o.Now().After(deadline) {
			return p.withTail(ctx, name, errs.New(errs.Timeout, "%s is not ready after %s: it is %s", name, serviceTimeout, status(*c)))
		}
		if err := p.o.Sleep(ctx, p.o.Poll); err != nil {
			return err
		}
	}
}

// ready tells whether a container runs, and is healthy where it has a check.
func ready(c container) bool {
	return c.State.Running && !c.State.Restarting && (c.State.Health == nil || c.State.Health.Status == "healthy")
}

// status is a word for how a service stands.
func status(c container) string {
	switch {
	case ready(c):
		return "ready"
	case c.State.Running && c.State.Health != nil:
		return c.State.Health.Status
	default:
		return c.State.Status
	}
}
