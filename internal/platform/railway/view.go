package railway

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
)

// historyLength is how many deployments are read with an app.
const historyLength = 50

// lookText asks everything that opsctl wants to know of an app in one request.
const lookText = `query($project: String!, $environment: String!, $service: String!, $first: Int!) {
	instance: serviceInstance(environmentId: $environment, serviceId: $service) {
		id healthcheckPath healthcheckTimeout numReplicas region overlapSeconds drainingSeconds preDeployCommand
		source { image repo }
		domains { serviceDomains { domain } customDomains { domain } }
	}
	environment(id: $environment) {
		variables(first: 1000) { edges { node {` + variableFields + `} }` + pageInfo + `}
		serviceInstances(first: 500) { edges { node {` + neighbourFields + `} }` + pageInfo + `}
	}
	deployments(first: $first, input: {projectId: $project, environmentId: $environment, serviceId: $service}) {
		edges { node {` + deploymentFields + `} }` + pageInfo + `
	}
	rendered: variables(projectId: $project, environmentId: $environment, serviceId: $service)
	raw: variables(projectId: $project, environmentId: $environment, serviceId: $service, unrendered: true)
}`

const variableFields = " name isSealed serviceId updatedAt "

const deploymentFields = ` id status createdAt statusUpdatedAt canRollback meta creator { email name } instances { id status } `

type deployment struct {
	ID        string          `json:"id"`
	Status    string          `json:"status"`
	Created   time.Time       `json:"createdAt"`
	Updated   *time.Time      `json:"statusUpdatedAt"`
	CanReturn bool            `json:"canRollback"`
	Meta      json.RawMessage `json:"meta"`
	Creator   *struct {
		Email string `json:"email"`
		Name  string `json:"name"`
	} `json:"creator"`
	Instances []struct {
		ID     string `json:"id"`
		Status string `json:"status"`
	} `json:"instances"`
}

// id is the deployment's; "" of none.
func (d *deployment) id() string {
	if d == nil {
		return ""
	}
	return d.ID
}

// deploymentMeta is the part of the free-form meta that is looked at.
type deploymentMeta struct {
	Image         string `json:"image"`
	ImageDigest   string `json:"imageDigest"`
	Reason        string `json:"reason"`
	CommitHash    string `json:"commitHash"`
	CommitMessage string `json:"commitMessage"`
	CLIMessage    string `json:"cliMessage"`
	Manifest      struct {
		Deploy struct {
			Region  string `json:"region"`
			Regions map[string]*struct {
				Replicas int `json:"numReplicas"`
			} `json:"multiRegionConfig"`
			HealthcheckPath string `json:"healthcheckPath"`
		} `json:"deploy"`
	} `json:"serviceManifest"`
}

func (d deployment) meta() deploymentMeta {
	var m deploymentMeta
	var text string
	if json.Unmarshal(d.Meta, &text) == nil { // some answers have it as text
		_ = json.Unmarshal([]byte(text), &m)
		return m
	}
	_ = json.Unmarshal(d.Meta, &m) // a meta of another shape tells nothing
	return m
}

type serviceInstance struct {
	ID                 string `json:"id"`
	HealthcheckPath    string `json:"healthcheckPath"`
	HealthcheckTimeout int    `json:"healthcheckTimeout"`
	Replicas           int    `json:"numReplicas"`
	Region             string `json:"region"`
	Overlap            *int   `json:"overlapSeconds"`
	Draining           *int   `json:"drainingSeconds"`
	Source             *struct {
		Image string `json:"image"`
	} `json:"source"`
	Domains struct {
		Service []struct {
			Domain string `json:"domain"`
		} `json:"serviceDomains"`
		Custom []struct {
			Domain string `json:"domain"`
		} `json:"customDomains"`
	} `json:"domains"`
}

type variableNode struct {
	Name      string    `json:"name"`
	Sealed    bool      `json:"isSealed"`
	ServiceID string    `json:"serviceId"`
	Updated   time.Time `json:"updatedAt"`
}

// neighbour is a service of the environment.
type neighbour struct {
	ID     string `json:"serviceId"`
	Name   string `json:"serviceName"`
	Source *struct {
		Image string `json:"image"`
	} `json:"source"`
	Latest *struct {
		Status string `json:"status"`
	} `json:"latestDeployment"`
}

func (n neighbour) image() string {
	if n.Source == nil {
		return ""
	}
	return n.Source.Image
}

// values are variables by name. A sealed one has no value.
type values map[string]*string

func (v values) get(name string) string {
	if s := v[name]; s != nil {
		return *s
	}
	return ""
}

// view is an app as it was read.
type view struct {
	*place

	app         string
	service     string // id
	instance    serviceInstance
	nodes       []variableNode // of the app's service, without those of the platform
	neighbours  []neighbour
	deployments []deployment // newest first
	rendered    values
	raw         values
	record      record
	at          time.Time
}

// look reads an app, or returns what was read a moment ago. NotFound when it,
// its project or its environment does not exist.
func (p *Platform) look(ctx context.Context, app string) (*view, error) {
	p.mu.Lock()
	v := p.views[app]
	p.mu.Unlock()
	if v != nil && p.o.Now().Sub(v.at) < viewTTL {
		return v, nil
	}
	return p.lookAgain(ctx, app)
}

// lookAgain reads an app anew.
func (p *Platform) lookAgain(ctx context.Context, app string) (*view, error) {
	l, err := p.where(ctx, app)
	if err != nil {
		return nil, err
	}
	service, err := p.serviceOf(l, app)
	if err != nil {
		return nil, err
	}
	var data struct {
		Instance    serviceInstance `json:"instance"`
		Environment struct {
			Variables connection[variableNode] `json:"variables"`
			Instances connection[neighbour]    `json:"serviceInstances"`
		} `json:"environment"`
		Deployments connection[deployment] `json:"deployments"`
		Rendered    values                 `json:"rendered"`
		Raw         values                 `json:"raw"`
	}
	if err := p.query(ctx, lookText, l.vars(map[string]any{"service": service, "first": historyLength}), &data); err != nil {
		if missing(err) {
			return nil, errs.New(errs.NotFound, "%q is not in the environment %q of the project %q", app, l.environment.Name, l.project.Name).WithHint("run: opsctl deploy")
		}
		return nil, p.explain(err, "look at the service %q", app)
	}
	v := &view{place: l, app: app, service: service, instance: data.Instance, rendered: data.Rendered, raw: data.Raw, at: p.o.Now()}
	if v.neighbours, err = moreOf(ctx, p, data.Environment.Instances, "environment", l.environment.ID, "serviceInstances", neighbourFields); err != nil {
		return nil, p.explain(err, "list the services of the environment %q", l.environment.Name)
	}
	variables, err := moreOf(ctx, p, data.Environment.Variables, "environment", l.environment.ID, "variables", variableFields)
	if err != nil {
		return nil, p.explain(err, "list the variables of %q", app)
	}
	if v.deployments, err = p.history(ctx, v, data.Deployments); err != nil {
		return nil, p.explain(err, "list the deployments of %q", app)
	}
	v.record = parseRecord(v.raw.get(varState))
	v.record.Lock = parseLock(v.raw.get(varLock))
	v.nodes = ownVariables(variables, v)
	slices.SortStableFunc(v.deployments, func(a, b deployment) int { return b.Created.Compare(a.Created) })
	v.reconstruct()
	p.mu.Lock()
	p.views[app] = v
	p.mu.Unlock()
	return v, nil
}

// history is the newest deployments, historyLength at the most, of which a page
// may have fewer.
func (p *Platform) history(ctx context.Context, v *view, page connection[deployment]) ([]deployment, error) {
	const text = `query($project: String!, $environment: String!, $service: String!, $first: Int!, $after: String) {
		deployments(first: $first, after: $after, input: {projectId: $project, environmentId: $environment, serviceId: $service}) {
			edges { node {` + deploymentFields + `} }` + pageInfo + `} }`
	list := page.nodes()
	for page.PageInfo.HasNextPage && len(list) < historyLength && page.PageInfo.EndCursor != "" {
		vars := v.vars(map[string]any{"service": v.service, "first": historyLength - len(list), "after": page.PageInfo.EndCursor})
		var data struct {
			Deployments connection[deployment] `json:"deployments"`
		}
		if err := p.query(ctx, text, vars, &data); err != nil {
			return nil, err
		}
		page = data.Deployments
		list = append(list, page.nodes()...)
	}
	return list, nil
}

// ownVariables are the variables that somebody set on the service: those that
// the environment lists, and others with a value that are not Railway's.
func ownVariables(all []variableNode, v *view) []variableNode {
	var out []variableNode
	seen := map[string]bool{}
	for _, n := range all {
		if n.ServiceID == v.service && !seen[n.Name] {
			seen[n.Name] = true
			out = append(out, n)
		}
	}
	for name, value := range v.raw {
		if !seen[name] && !strings.HasPrefix(name, "RAILWAY_") {
			out = append(out, variableNode{Name: name, Sealed: value == nil, ServiceID: v.service})
		}
	}
	slices.SortFunc(out, func(a, b variableNode) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// plain tells the plain variables of the release apart from secrets.
func (v *view) plain(name string) bool {
	_, ok := v.record.newest().Env[name]
	return ok
}
