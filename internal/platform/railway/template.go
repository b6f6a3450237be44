package railway

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
)

// The templates that Railway makes its databases from, and lays over them.
const (
	templatePostgres  = "postgres"
	templateRedis     = "redis"
	templatePgBouncer = "postgres-with-pgbouncer"
	templateRecovery  = "postgres-pitr"
)

// workflowTimeout is how long Railway may take for one of its workflows.
const workflowTimeout = 15 * time.Minute

// template is a template, whose configuration is changed before it is deployed.
type template struct {
	id     string
	config map[string]any
}

func (p *Platform) template(ctx context.Context, code string) (*template, error) {
	var data struct {
		Template struct {
			ID     string          `json:"id"`
			Config json.RawMessage `json:"serializedConfig"`
		} `json:"template"`
	}
	const text = "query($code: String!) { template(code: $code) { id serializedConfig } }"
	if err := p.query(ctx, text, map[string]any{"code": code}, &data); err != nil {
		return nil, p.explain(err, "look at the template %q", code)
	}
	t := &template{id: data.Template.ID}
	raw := []byte(data.Template.Config)
	var inner string
	if json.Unmarshal(raw, &inner) == nil {
		raw = []byte(inner)
	}
	if err := json.Unmarshal(raw, &t.config); err != nil {
		return nil, errs.Wrap(err, errs.Failure, "understand the template %q", code)
	}
	return t, nil
}

// services are the services of the configuration. The rest of it is not touched.
func (t *template) services() []templateService {
	all, _ := t.config["services"].(map[string]any)
	var out []templateService
	for _, s := range all {
		if one, ok := s.(map[string]any); ok {
			out = append(out, one)
		}
	}
	return out
}

type templateService map[string]any

func (s templateService) part(name string) map[string]any {
	m, _ := s[name].(map[string]any)
	if m == nil {
		m = map[string]any{}
		s[name] = m
	}
	return m
}

func (s templateService) image() string {
	image, _ := s.part("source")["image"].(string)
	return image
}

func (s templateService) variable(name, value string) {
	s.part("variables")[name] = map[string]any{"defaultValue": value}
}

// version gives the image of the service another major version, where it has
// the tag of one.
func (s templateService) version(major int) {
	name, tag, ok := strings.Cut(s.image(), ":")
	if ok && major > 0 && strings.Trim(tag, "0123456789.") == "" {
		s.part("source")["image"] = fmt.Sprintf("%s:%d", name, major)
	}
}

// apply deploys a template, over the service root where that is not "", and
// waits for the end of the workflow. found tells whether it was done, when that
// is not known.
func (p *Platform) apply(ctx context.Context, l *place, t *template, root string, found func() (bool, error)) error {
	workflow := ""
	create := func() error {
		var data struct {
			Deployed struct {
				WorkflowID string `json:"workflowId"`
			} `json:"templateDeployV2"`
		}
		in := map[string]any{"templateId": t.id, "serializedConfig": t.config, "projectId": l.project.ID, "environmentId": l.environment.ID}
		if l.workspace != "" {
			in["workspaceId"] = l.workspace
		}
		if root != "" {
			in["existingRootServiceId"] = root
		}
		const text = "mutation($input: TemplateDeployV2Input!) { templateDeployV2(input: $input) { projectId workflowId } }"
		err := p.mutate(ctx, text, map[string]any{"input": in}, &data, false)
		workflow = data.Deployed.WorkflowID
		return err
	}
	find := func() (bool, error) { // a workflow takes a moment to show
		for round := range 3 {
			if done, err := found(); done || err != nil {
				return done, err
			}
			if err := p.pause(ctx, round); err != nil {
				return false, err
			}
		}
		return false, nil
	}
	if err := p.once(ctx, create, find); err != nil {
		return err
	}
	return p.awaitWorkflow(ctx, workflow)
}

// awaitWorkflow waits for the end of something that Railway does in the
// background. An id that is "" is done already.
func (p *Platform) awaitWorkflow(ctx context.Context, id string) error {
	defer p.forget()
	deadline := p.o.Now().Add(workflowTimeout)
	for round := 0; id != ""; round++ {
		var data struct {
			Status struct {
				Status string `json:"status"`
				Error  string `json:"error"`
			} `json:"workflowStatus"`
		}
		err := p.query(ctx, "query($id: String!) { workflowStatus(workflowId: $id) { status error } }", map[string]any{"id": id}, &data)
		switch s := data.Status; {
		case err != nil && !transient(err):
			return p.explain(err, "look at Railway's workflow %s", id)
		case err == nil && s.Status == "Complete":
			return nil
		case err == nil && s.Status == "Error":
			return errs.New(errs.Failure, "Railway says: %s", strings.TrimSpace(s.Error+" "))
		case err == nil && s.Status == "NotFound" && round > lagRounds:
			return errs.New(errs.Failure, "Railway does not know its workflow %s any more", id)
		case p.o.Now().After(deadline):
			return errs.New(errs.Timeout, "Railway's workflow %s has not ended after %s", id, workflowTimeout).WithHint("run the same command again: it goes on with what is there")
		}
		if err := p.pause(ctx, round); err != nil {
			return err
		}
	}
	return nil
}

// serviceFrom makes a service of a name from a template with one service. It
// returns the place with it.
func (p *Platform) serviceFrom(ctx context.Context, app string, l *place, code, name string, change func(templateService)) (*place, error) {
	t, err := p.template(ctx, code)
	if err != nil {
		return l, err
	}
	list := t.services()
	if len(list) == 0 {
		return l, errs.New(errs.Failure, "Railway's template %q has no service", code)
	}
	for _, s := range list {
		if len(list) == 1 {
			s["name"] = name
		}
		change(s)
	}
	before := l.services
	arrived := func() (string, error) {
		if l, err = p.reread(ctx, app, l); err != nil {
			return "", err
		}
		if id := l.service(name); id != "" {
			return id, nil
		}
		for _, s := range l.services {
			if !slices.Contains(before, s) {
				return s.ID, nil
			}
		}
		return "", nil
	}
	if err := p.apply(ctx, l, t, "", func() (bool, error) { id, err := arrived(); return id != "", err }); err != nil {
		return l, p.explain(err, "create %q", name)
	}
	for round := 0; ; round++ {
		id, err := arrived()
		if err != nil {
			return l, err
		}
		if id != "" && l.service(name) != id {
			err = p.rename(ctx, id, name)
			l, _ = p.reread(ctx, app, l)
		}
		if id != "" || round > lagRounds {
			if id == "" {
				err = errs.New(errs.Failure, "Railway made no service from its template %q", code)
			}
			return l, err
		}
		if err := p.pause(ctx, round); err != nil {
			return l, err
		}
	}
}

// rename gives a service the name by which it will be found.
func (p *Platform) rename(ctx context.Context, id, name string) error {
	const text = "mutation($id: String!, $input: ServiceUpdateInput!) { serviceUpdate(id: $id, input: $input) { id name } }"
	return p.explain(p.mutate(ctx, text, map[string]any{"id": id, "input": map[string]any{"name": name}}, nil, true), "name the service %q", name)
}
