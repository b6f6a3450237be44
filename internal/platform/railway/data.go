package railway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
)

// dataServices are the databases, caches and poolers of an environment, as they
// were read. All are read at once: the queries of the hour are few.
type dataServices struct {
	*place

	list []dataService
	at   time.Time
}

type dataService struct {
	neighbour

	vars   values
	volume *volumeInstance // nil: none
}

type volumeInstance struct {
	ID        string    `json:"id"`
	ServiceID string    `json:"serviceId"`
	State     string    `json:"state"`
	Created   time.Time `json:"createdAt"`
}

func (d *dataServices) named(name string) *dataService {
	if d == nil {
		return nil
	}
	for i := range d.list {
		if d.list[i].Name == name {
			return &d.list[i]
		}
	}
	return nil
}

// status is the state of a service's newest deployment; "ready" when it runs.
func (s dataService) status() string {
	if s.Latest == nil {
		return "new"
	}
	if s.Latest.Status == statusSuccess || s.Latest.Status == statusSleeping {
		return "ready"
	}
	return strings.ToLower(s.Latest.Status)
}

// holdsData tells by its image that a service is of a kind that is read here.
func holdsData(image string) bool {
	for _, word := range []string{"postgres", "redis", "valkey", "pgbouncer"} {
		if strings.Contains(strings.ToLower(image), word) {
			return true
		}
	}
	return false
}

// dataOf reads the data services of an app's environment, among them those of
// the names; nil when the project does not exist.
func (p *Platform) dataOf(ctx context.Context, app string, names ...string) (*dataServices, error) {
	p.mu.Lock()
	known := p.data[app]
	p.mu.Unlock()
	if known != nil && p.o.Now().Sub(known.at) < viewTTL {
		return known, nil
	}
	l, err := p.where(ctx, app)
	if errs.CodeOf(err) == errs.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	neighbours, err := p.neighbours(ctx, app, l)
	if err != nil {
		return nil, err
	}
	var wanted []neighbour
	for _, n := range neighbours {
		if holdsData(n.image()) || slices.Contains(names, n.Name) {
			wanted = append(wanted, n)
		}
	}
	d, err := p.readData(ctx, l, wanted)
	if err != nil {
		return nil, p.explain(err, "look at the databases of the environment %q", l.environment.Name)
	}
	p.mu.Lock()
	p.data[app] = d
	p.mu.Unlock()
	return d, nil
}

// neighbours are the services of the environment: as they were read with the
// app a moment ago, or asked for.
func (p *Platform) neighbours(ctx context.Context, app string, l *place) ([]neighbour, error) {
	p.mu.Lock()
	v := p.views[app]
	p.mu.Unlock()
	if v != nil && p.o.Now().Sub(v.at) < viewTTL {
		return v.neighbours, nil
	}
	var data struct {
		Environment struct {
			Instances connection[neighbour] `json:"serviceInstances"`
		} `json:"environment"`
	}
	const text = "query($environment: String!) { environment(id: $environment) { serviceInstances(first: 500) { edges { node {" + neighbourFields + "} }" + pageInfo + "} } }"
	if err := p.query(ctx, text, map[string]any{"environment": l.environment.ID}, &data); err != nil {
		return nil, p.explain(err, "look at the environment %q", l.environment.Name)
	}
	list, err := moreOf(ctx, p, data.Environment.Instances, "environment", l.environment.ID, "serviceInstances", neighbourFields)
	return list, p.explain(err, "list the services of the environment %q", l.environment.Name)
}

const volumeFields = " id serviceId state createdAt "

const neighbourFields = ` serviceId serviceName source { image } latestDeployment { status } `

// readData reads the variables and volumes of some services in one question.
func (p *Platform) readData(ctx context.Context, l *place, services []neighbour) (*dataServices, error) {
	d := &dataServices{place: l, at: p.o.Now()}
	if len(services) == 0 {
		return d, nil
	}
	vars := l.vars(nil)
	head, fields := "query($project: String!, $environment: String!", ""
	for i, s := range services {
		head += fmt.Sprintf(", $s%d: String!", i)
		fields += fmt.Sprintf(" v%d: variables(projectId: $project, environmentId: $environment, serviceId: $s%d)", i, i)
		vars[fmt.Sprintf("s%d", i)] = s.ID
	}
	text := head + ") { environment(id: $environment) { volumeInstances(first: 500) { edges { node {" + volumeFields + "} }" + pageInfo + "} serviceInstances(first: 500) { edges { node {" +
		neighbourFields + "} }" + pageInfo + "} }" + fields + " }"
	var data map[string]json.RawMessage
	if err := p.query(ctx, text, vars, &data); err != nil {
		return nil, err
	}
	var environment struct {
		Volumes   connection[volumeInstance] `json:"volumeInstances"`
		Instances connection[neighbour]      `json:"serviceInstances"`
	}
	if err := json.Unmarshal(data["environment"], &environment); err != nil {
		return nil, err
	}
	volumes, err := moreOf(ctx, p, environment.Volumes, "environment", l.environment.ID, "volumeInstances", volumeFields)
	if err != nil {
		return nil, err
	}
	instances, err := moreOf(ctx, p, environment.Instances, "environment", l.environment.ID, "serviceInstances", neighbourFields)
	if err != nil {
		return nil, err
	}
	for i, s := range services {
		one := dataService{neighbour: s}
		if err := json.Unmarshal(data[fmt.Sprintf("v%d", i)], &one.vars); err != nil {
			return nil, err
		}
		for _, n := range instances {
			if n.ID == s.ID {
				one.neighbour = n
			}
		}
		for _, volume := range volumes {
			if volume.ServiceID == s.ID {
				one.volume = &volume
			}
		}
		d.list = append(d.list, one)
	}
	return d, nil
}

// sameHost tells whether two URLs lead to the same server.
func sameHost(a, b string) bool {
	x, err1 := url.Parse(a)
	y, err2 := url.Parse(b)
	return err1 == nil && err2 == nil && x.Host != "" && x.Host == y.Host
}
