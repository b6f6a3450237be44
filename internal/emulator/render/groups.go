package render

import (
	"net/http"
	"slices"
	"time"
)

// envGroup is a set of variables and files that several services share.
type envGroup struct {
	ID, Name, OwnerID    string
	EnvironmentID        string
	CreatedAt, UpdatedAt time.Time
	Env                  []envVar
	Files                []secretFile
	Services             []string // ids, in the order of linking
}

func (s *Server) groupRoutes() {
	const one = "/env-groups/{id}"
	s.handle("GET /env-groups", s.locked(s.listGroups))
	s.handle("POST /env-groups", s.locked(s.createGroup))
	s.handle("GET "+one, s.groupCall(func(_ *http.Request, g *envGroup) (reply, error) { return ok(s.groupDoc(g)) }))
	s.handle("PATCH "+one, s.groupCall(s.patchGroup))
	s.handle("DELETE "+one, s.groupCall(func(_ *http.Request, g *envGroup) (reply, error) {
		s.st.Groups = remove(s.st.Groups, g)
		return empty(http.StatusNoContent)
	}))
	s.handle("POST "+one+"/services/{service}", s.groupCall(s.linkGroup))
	s.handle("DELETE "+one+"/services/{service}", s.groupCall(s.unlinkGroup))
	s.handle("GET "+one+"/env-vars/{key}", s.groupCall(func(r *http.Request, g *envGroup) (reply, error) { return getEnv(g.Env, r) }))
	s.handle("PUT "+one+"/env-vars/{key}", s.groupCall(s.setGroupEnv))
	s.handle("DELETE "+one+"/env-vars/{key}", s.groupCall(s.deleteGroupEnv))
	s.handle("GET "+one+"/secret-files/{file}", s.groupCall(func(r *http.Request, g *envGroup) (reply, error) { return getFile(g.Files, r) }))
	s.handle("PUT "+one+"/secret-files/{file}", s.groupCall(s.setGroupFile))
	s.handle("DELETE "+one+"/secret-files/{file}", s.groupCall(s.deleteGroupFile))
}

func (s *Server) groupCall(f func(*http.Request, *envGroup) (reply, error)) endpoint {
	return s.locked(func(r *http.Request) (reply, error) {
		for _, g := range s.st.Groups {
			if g.ID == r.PathValue("id") && !s.hidden(r, g.CreatedAt) {
				rep, err := f(r, g)
				if err == nil && r.Method != http.MethodGet {
					g.UpdatedAt = s.w.Now()
				}
				return rep, err
			}
		}
		return reply{}, notFound("environment group", r.PathValue("id"))
	})
}

func (s *Server) createGroup(r *http.Request) (reply, error) {
	var in struct {
		Name          string       `json:"name"`
		OwnerID       string       `json:"ownerId"`
		EnvironmentID string       `json:"environmentId"`
		EnvVars       []envInput   `json:"envVars"`
		SecretFiles   []secretFile `json:"secretFiles"`
		ServiceIDs    []string     `json:"serviceIds"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	if err := s.ownerFor(in.OwnerID); err != nil {
		return reply{}, err
	}
	if in.Name == "" {
		return reply{}, bad("an environment group needs a name")
	}
	if err := s.environmentFor(in.EnvironmentID); err != nil {
		return reply{}, err
	}
	env, err := s.newEnv(in.EnvVars)
	if err != nil {
		return reply{}, err
	}
	g := &envGroup{
		ID: s.id("evg"), Name: in.Name, OwnerID: in.OwnerID, EnvironmentID: in.EnvironmentID, CreatedAt: s.w.Now(), UpdatedAt: s.w.Now(), Env: env,
	}
	for _, f := range in.SecretFiles {
		g.Files = putFile(g.Files, f)
	}
	for _, id := range in.ServiceIDs {
		if s.st.service(id) == nil {
			return reply{}, bad("invalid service id %q", id)
		}
		g.Services = append(g.Services, id)
	}
	s.st.Groups = append(s.st.Groups, g)
	return created(s.groupDoc(g))
}

func (s *Server) listGroups(r *http.Request) (reply, error) {
	f := newFilter(r)
	var list []*envGroup
	for _, g := range s.st.Groups {
		if f.any("name", g.Name) && f.any("ownerId", g.OwnerID) && f.any("environmentId", g.EnvironmentID) && f.span(g.CreatedAt, g.UpdatedAt) && !s.lagging(g.CreatedAt) {
			list = append(list, g)
		}
	}
	if f.err != nil {
		return reply{}, f.err
	}
	list, err := cut(s, r, list, func(g *envGroup) string { return g.ID })
	if err != nil {
		return reply{}, err
	}
	docs := []any{} // the one list without cursors in its items, by the document
	for _, g := range list {
		docs = append(docs, s.groupMeta(g))
	}
	return ok(docs)
}

func (s *Server) groupMeta(g *envGroup) map[string]any {
	links := []any{}
	for _, id := range g.Services {
		if v := s.st.service(id); v != nil {
			links = append(links, map[string]any{"id": v.ID, "name": v.Name, "type": shortType(v.Type)})
		}
	}
	doc := map[string]any{
		"id": g.ID, "name": g.Name, "ownerId": g.OwnerID, "createdAt": stamp(g.CreatedAt), "updatedAt": stamp(g.UpdatedAt), "serviceLinks": links,
	}
	if g.EnvironmentID != "" {
		doc["environmentId"] = g.EnvironmentID
	}
	return doc
}

func (s *Server) groupDoc(g *envGroup) map[string]any {
	doc := s.groupMeta(g)
	doc["envVars"], doc["secretFiles"] = append([]envVar{}, g.Env...), append([]secretFile{}, g.Files...)
	return doc
}

func (s *Server) patchGroup(r *http.Request, g *envGroup) (reply, error) {
	var in struct {
		Name string `json:"name"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	if in.Name == "" {
		return reply{}, bad("an environment group needs a name")
	}
	g.Name = in.Name
	return ok(s.groupDoc(g))
}

func (s *Server) linkGroup(r *http.Request, g *envGroup) (reply, error) {
	v := s.st.service(r.PathValue("service"))
	if v == nil {
		return reply{}, notFound("service", r.PathValue("service"))
	}
	if !slices.Contains(g.Services, v.ID) {
		g.Services = append(g.Services, v.ID)
	}
	return ok(s.groupDoc(g))
}

func (s *Server) unlinkGroup(r *http.Request, g *envGroup) (reply, error) {
	if !slices.Contains(g.Services, r.PathValue("service")) {
		return reply{}, notFound("linked service", r.PathValue("service"))
	}
	g.Services = remove(g.Services, r.PathValue("service"))
	return empty(http.StatusNoContent)
}

func (s *Server) setGroupEnv(r *http.Request, g *envGroup) (reply, error) {
	var in envInput
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	in.Key = r.PathValue("key")
	e, err := in.resolve()
	if err != nil {
		return reply{}, err
	}
	g.Env = putEnv(g.Env, e)
	return ok(s.groupDoc(g))
}

func (s *Server) deleteGroupEnv(r *http.Request, g *envGroup) (reply, error) {
	env, found := dropEnv(g.Env, r.PathValue("key"))
	if !found {
		return reply{}, notFound("environment variable", r.PathValue("key"))
	}
	g.Env = env
	return empty(http.StatusNoContent)
}

func (s *Server) setGroupFile(r *http.Request, g *envGroup) (reply, error) {
	f := secretFile{}
	if err := decode(r, &f); err != nil {
		return reply{}, err
	}
	f.Name = r.PathValue("file")
	g.Files = putFile(g.Files, f)
	return ok(s.groupDoc(g))
}

func (s *Server) deleteGroupFile(r *http.Request, g *envGroup) (reply, error) {
	out := slices.DeleteFunc(slices.Clone(g.Files), func(f secretFile) bool { return f.Name == r.PathValue("file") })
	if len(out) == len(g.Files) {
		return reply{}, notFound("secret file", r.PathValue("file"))
	}
	g.Files = out
	return empty(http.StatusNoContent)
}

// groupEnv is what the groups that a service is linked to say now; a group
// that was made later wins.
func (s *Server) groupEnv(v *service) map[string]string {
	out := map[string]string{}
	for _, g := range s.st.Groups {
		if slices.Contains(g.Services, v.ID) {
			for _, e := range g.Env {
				out[e.Key] = e.Value
			}
		}
	}
	return out
}
