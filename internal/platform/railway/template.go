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
			in["existingRootServiceId"], in["stageOnly"] = root, true
		}
		const text = "mutation($input: TemplateDeployV2Input!) { templateDeployV2(input: $input) { projectId workflowId } }"
		err := p.mutate(ctx, text, map[string]any{"input": in}, &data, false)
		workflow = data.Deployed.WorkflowID
		return err
	}
	if root == "" {
		if err := p.once(ctx, create, found); err != nil {
			return err
		}
		return p.awaitWorkflow(ctx, workflow)
	}
	// What is laid over a service is staged first, and committed with whatever
	// else is staged: that must be nothing.
	staged := func() (bool, error) {
		patch, err := p.staged(ctx, l)
		return err == nil && !onlyRemoves(patch, "", nil), err
	}
	foreign, err := staged()
	if err != nil {
		return err
	}
	if foreign {
		return errs.New(errs.Conflict, "the environment %q has staged changes, which would be applied with those of opsctl", l.environment.Name).
			WithHint("apply or discard the staged changes in Railway's dashboard, then run the same command again")
	}
	if err := p.once(ctx, create, staged); err != nil {
		return err
	}
	if err := p.awaitWorkflow(ctx, workflow); err != nil {
		return err
	}
	const text = `mutation($environment: String!, $message: String) {
		committed: environmentPatchCommitStaged(environmentId: $environment, commitMessage: $message) }`
	err = p.commit(ctx, text, map[string]any{"environment": l.environment.ID, "message": "opsctl: lay a template over a service"})
	if e, ok := asAPI(err); ok && e.says("no patch to apply") { // the first of two attempts did it
		return nil
	}
	return err
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

// main is the service of a template that gets the name: its only one, or the
// only one that holds data. Nil when that cannot be told.
func (t *template) main() templateService {
	list := t.services()
	if len(list) != 1 {
		list = slices.DeleteFunc(list, func(s templateService) bool { return !holdsData(s.image()) })
	}
	if len(list) != 1 {
		return nil
	}
	return list[0]
}

// serviceFrom makes a service of a name from a template. The name is in what is
// deployed, and the service is found by exactly that name: others may come into
// the project at the same time, so what else is new is never taken for it. It
// returns the place with it.
func (p *Platform) serviceFrom(ctx context.Context, app string, l *place, code, name string, change func(templateService)) (*place, error) {
	t, err := p.template(ctx, code)
	if err != nil {
		return l, err
	}
	first := t.main()
	if first == nil {
		return l, errs.New(errs.Failure, "Railway's template %q has changed: it is not clear which of its %d services is %q", code, len(t.services()), name).
			WithHint("create the service %q in Railway's dashboard, then run the same command again", name)
	}
	first["name"] = name
	for _, s := range t.services() {
		change(s)
	}
	if l, err = p.reread(ctx, app, l); err != nil { // what is known may be old by now
		return l, err
	}
	if l.service(name) != "" {
		return l, nil
	}
	before := l.services
	arrived := func() (bool, error) {
		now, err := p.reread(ctx, app, l)
		if err != nil {
			return false, err
		}
		l = now
		return l.service(name) != "", nil
	}
	if err := p.apply(ctx, l, t, "", arrived); err != nil {
		return l, p.explain(err, "create %q", name)
	}
	err = p.awaitShown(ctx, fmt.Sprintf("the service %q", name), arrived)
	if errs.CodeOf(err) == errs.Timeout {
		err = notNamed(l, before, code, name)
	}
	return l, err
}

// notNamed is the error of a template that was deployed and made no service of
// the name. What is new since is named, for somebody to look at.
func notNamed(l *place, before []namedNode, code, name string) error {
	var others []string
	for _, s := range l.services {
		if !slices.Contains(before, s) {
			others = append(others, s.Name)
		}
	}
	err := errs.New(errs.Failure, "Railway made no service %q from its template %q", name, code)
	if len(others) == 0 {
		return err.WithHint("run the same command again; see the project %q in Railway's dashboard", l.project.Name)
	}
	return err.WithHint("new in the project %q: %s. If it is the one, rename it to %s in Railway's dashboard and run the same command again", l.project.Name, strings.Join(others, ", "), name)
}
