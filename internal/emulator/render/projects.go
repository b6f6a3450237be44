package render

import (
	"net/http"
	"slices"
	"time"
)

// project groups environments.
type project struct {
	ID, Name, OwnerID    string
	CreatedAt, UpdatedAt time.Time
}

// environment groups services, databases and environment groups.
type environment struct {
	ID, Name, ProjectID  string
	CreatedAt, UpdatedAt time.Time
	Protected            string
	Isolated             bool
}

type environmentInput struct {
	Name      string  `json:"name"`
	ProjectID string  `json:"projectId"`
	Protected *string `json:"protectedStatus"`
	Isolated  *bool   `json:"networkIsolationEnabled"`
}

func (s *Server) projectRoutes() {
	s.handle("GET /projects", s.locked(s.listProjects))
	s.handle("POST /projects", s.locked(s.createProject))
	s.handle("GET /projects/{id}", s.projectCall(func(_ *http.Request, p *project) (reply, error) { return ok(s.projectDoc(p)) }))
	s.handle("PATCH /projects/{id}", s.projectCall(s.patchProject))
	s.handle("DELETE /projects/{id}", s.projectCall(s.deleteProject))
	s.handle("GET /environments", s.locked(s.listEnvironments))
	s.handle("POST /environments", s.locked(s.createEnvironment))
	s.handle("GET /environments/{id}", s.environmentCall(func(_ *http.Request, e *environment) (reply, error) { return ok(s.environmentDoc(e)) }))
	s.handle("PATCH /environments/{id}", s.environmentCall(s.patchEnvironment))
	s.handle("DELETE /environments/{id}", s.environmentCall(s.deleteEnvironment))
	s.handle("POST /environments/{id}/resources", s.environmentCall(s.addResources))
	s.handle("DELETE /environments/{id}/resources", s.environmentCall(s.removeResources))
}

func (s *Server) projectCall(f func(*http.Request, *project) (reply, error)) endpoint {
	return s.locked(func(r *http.Request) (reply, error) {
		for _, p := range s.st.Projects {
			if p.ID == r.PathValue("id") && !s.hidden(r, p.CreatedAt) {
				return f(r, p)
			}
		}
		return reply{}, notFound("project", r.PathValue("id"))
	})
}

func (s *Server) environmentCall(f func(*http.Request, *environment) (reply, error)) endpoint {
	return s.locked(func(r *http.Request) (reply, error) {
		if e := s.environment(r.PathValue("id")); e != nil && !s.hidden(r, e.CreatedAt) {
			return f(r, e)
		}
		return reply{}, notFound("environment", r.PathValue("id"))
	})
}

func (s *Server) environment(id string) *environment {
	for _, e := range s.st.Environments {
		if e.ID == id {
			return e
		}
	}
	return nil
}

// environmentFor checks an environmentId of a body; "" is none.
func (s *Server) environmentFor(id string) error {
	if id != "" && s.environment(id) == nil {
		return bad("invalid environmentId %q", id)
	}
	return nil
}

func (s *Server) createProject(r *http.Request) (reply, error) {
	var in struct {
		Name         string             `json:"name"`
		OwnerID      string             `json:"ownerId"`
		Environments []environmentInput `json:"environments"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	if err := s.ownerFor(in.OwnerID); err != nil {
		return reply{}, err
	}
	if in.Name == "" || len(in.Environments) == 0 {
		return reply{}, bad("a project needs a name and at least one environment")
	}
	p := &project{ID: s.id("prj"), Name: in.Name, OwnerID: in.OwnerID, CreatedAt: s.w.Now(), UpdatedAt: s.w.Now()}
	var envs []*environment
	for _, e := range in.Environments {
		e.ProjectID = p.ID
		env, err := s.newEnvironment(e)
		if err != nil {
			return reply{}, err
		}
		envs = append(envs, env)
	}
	s.st.Projects = append(s.st.Projects, p)
	s.st.Environments = append(s.st.Environments, envs...)
	return created(s.projectDoc(p))
}

func (s *Server) newEnvironment(in environmentInput) (*environment, error) {
	if in.Name == "" {
		return nil, bad("an environment needs a name")
	}
	e := &environment{ID: s.id("evm"), Name: in.Name, ProjectID: in.ProjectID, CreatedAt: s.w.Now(), UpdatedAt: s.w.Now(), Protected: "unprotected"}
	return e, e.change(environmentInput{Protected: in.Protected, Isolated: in.Isolated})
}

func (e *environment) change(in environmentInput) error {
	if in.Protected != nil {
		if *in.Protected != "protected" && *in.Protected != "unprotected" {
			return bad("invalid protectedStatus %q", *in.Protected)
		}
		e.Protected = *in.Protected
	}
	if in.Isolated != nil {
		e.Isolated = *in.Isolated
	}
	if in.Name != "" {
		e.Name = in.Name
	}
	return nil
}

func (s *Server) listProjects(r *http.Request) (reply, error) {
	f := newFilter(r)
	var list []*project
	for _, p := range s.st.Projects {
		if f.any("name", p.Name) && f.any("ownerId", p.OwnerID) && f.span(p.CreatedAt, p.UpdatedAt) && !s.lagging(p.CreatedAt) {
			list = append(list, p)
		}
	}
	if f.err != nil {
		return reply{}, f.err
	}
	return page(s, r, list, "project", func(p *project) string { return p.ID }, func(p *project) any { return s.projectDoc(p) })
}

func (s *Server) projectDoc(p *project) map[string]any {
	owner, _ := s.owner(p.OwnerID)
	ids := []string{}
	for _, e := range s.st.Environments {
		if e.ProjectID == p.ID {
			ids = append(ids, e.ID)
		}
	}
	return map[string]any{
		"id": p.ID, "name": p.Name, "owner": owner, "environmentIds": ids, "createdAt": stamp(p.CreatedAt), "updatedAt": stamp(p.UpdatedAt),
	}
}

func (s *Server) patchProject(r *http.Request, p *project) (reply, error) {
	var in struct {
		Name string `json:"name"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	if in.Name != "" {
		p.Name, p.UpdatedAt = in.Name, s.w.Now()
	}
	return ok(s.projectDoc(p))
}

// deleteProject takes the environments along; what was in them stays.
func (s *Server) deleteProject(_ *http.Request, p *project) (reply, error) {
	for _, e := range slices.Clone(s.st.Environments) {
		if e.ProjectID == p.ID {
			s.dropEnvironment(e)
		}
	}
	s.st.Projects = remove(s.st.Projects, p)
	return empty(http.StatusNoContent)
}

func (s *Server) createEnvironment(r *http.Request) (reply, error) {
	var in environmentInput
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	if !slices.ContainsFunc(s.st.Projects, func(p *project) bool { return p.ID == in.ProjectID }) {
		return reply{}, bad("invalid projectId %q", in.ProjectID)
	}
	e, err := s.newEnvironment(in)
	if err != nil {
		return reply{}, err
	}
	s.st.Environments = append(s.st.Environments, e)
	return created(s.environmentDoc(e))
}

func (s *Server) listEnvironments(r *http.Request) (reply, error) {
	f := newFilter(r)
	if len(values(f.q, "projectId")) == 0 {
		return reply{}, bad("projectId is required")
	}
	var list []*environment
	for _, e := range s.st.Environments {
		if f.any("projectId", e.ProjectID) && f.any("name", e.Name) && f.any("environmentId", e.ID) && f.span(e.CreatedAt, e.UpdatedAt) && !s.lagging(e.CreatedAt) {
			list = append(list, e)
		}
	}
	if f.err != nil {
		return reply{}, f.err
	}
	return page(s, r, list, "environment", func(e *environment) string { return e.ID }, func(e *environment) any { return s.environmentDoc(e) })
}

func (s *Server) environmentDoc(e *environment) map[string]any {
	services, databases, redis, groups := []string{}, []string{}, []string{}, []string{}
	for _, v := range s.st.Services {
		services = appendIf(services, v.EnvironmentID == e.ID, v.ID)
	}
	for _, p := range s.st.Postgres {
		databases = appendIf(databases, p.EnvironmentID == e.ID, p.ID)
	}
	for _, k := range s.st.KeyValues {
		redis = appendIf(redis, k.EnvironmentID == e.ID, k.ID)
	}
	for _, g := range s.st.Groups {
		groups = appendIf(groups, g.EnvironmentID == e.ID, g.ID)
	}
	return map[string]any{
		"id": e.ID, "name": e.Name, "projectId": e.ProjectID, "serviceIds": services, "databasesIds": databases, "redisIds": redis,
		"envGroupIds": groups, "protectedStatus": e.Protected, "networkIsolationEnabled": e.Isolated,
	}
}

func (s *Server) patchEnvironment(r *http.Request, e *environment) (reply, error) {
	var in environmentInput
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	if err := e.change(in); err != nil {
		return reply{}, err
	}
	e.UpdatedAt = s.w.Now()
	return ok(s.environmentDoc(e))
}

func (s *Server) deleteEnvironment(_ *http.Request, e *environment) (reply, error) {
	s.dropEnvironment(e)
	return empty(http.StatusNoContent)
}

func (s *Server) dropEnvironment(e *environment) {
	for _, at := range s.places() {
		if *at == e.ID {
			*at = ""
		}
	}
	s.st.Environments = remove(s.st.Environments, e)
}

// places are where each resource keeps its environment, by the resource's id.
func (s *Server) places() map[string]*string {
	out := map[string]*string{}
	for _, v := range s.st.Services {
		out[v.ID] = &v.EnvironmentID
	}
	for _, p := range s.st.Postgres {
		out[p.ID] = &p.EnvironmentID
	}
	for _, k := range s.st.KeyValues {
		out[k.ID] = &k.EnvironmentID
	}
	for _, g := range s.st.Groups {
		out[g.ID] = &g.EnvironmentID
	}
	return out
}

func (s *Server) addResources(r *http.Request, e *environment) (reply, error) {
	var in struct {
		IDs []string `json:"resourceIds"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	places := s.places()
	for _, id := range in.IDs {
		if places[id] == nil {
			return reply{}, notFound("resource", id)
		}
	}
	for _, id := range in.IDs {
		*places[id] = e.ID
	}
	return ok(s.environmentDoc(e))
}

func (s *Server) removeResources(r *http.Request, e *environment) (reply, error) {
	places := s.places()
	for _, id := range values(r.URL.Query(), "resourceIds") {
		if at := places[id]; at != nil && *at == e.ID {
			*at = ""
		}
	}
	return empty(http.StatusNoContent)
}

func appendIf(list []string, cond bool, s string) []string {
	if cond {
		return append(list, s)
	}
	return list
}

func remove[T comparable](list []T, item T) []T {
	return slices.DeleteFunc(list, func(v T) bool { return v == item })
}
