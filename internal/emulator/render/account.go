package render

import (
	"net/http"
)

func (s *Server) accountRoutes() {
	s.handle("GET /users", func(*http.Request) (reply, error) {
		return ok(map[string]any{"email": s.opts.Email, "name": s.opts.Name})
	})
	s.handle("GET /owners", s.listOwners)
	s.handle("GET /owners/{owner}", func(r *http.Request) (reply, error) {
		o, err := s.owner(r.PathValue("owner"))
		if err != nil {
			return reply{}, err
		}
		return ok(o)
	})
	s.handle("GET /registrycredentials", func(*http.Request) (reply, error) { return ok([]any{}) })
}

func (s *Server) listOwners(r *http.Request) (reply, error) {
	f := newFilter(r)
	var list []Owner
	for _, o := range s.opts.Owners {
		if f.any("name", o.Name) && f.any("email", o.Email) {
			list = append(list, o)
		}
	}
	return page(s, r, list, "owner", func(o Owner) string { return o.ID }, func(o Owner) any { return o })
}

// owner finds a workspace.
func (s *Server) owner(id string) (Owner, error) {
	for _, o := range s.opts.Owners {
		if o.ID == id {
			return o, nil
		}
	}
	return Owner{}, notFound("workspace", id)
}

// ownerFor is owner for the body of a request, where an unknown one is a bad value.
func (s *Server) ownerFor(id string) error {
	if id == "" {
		return bad("ownerId is required")
	}
	if _, err := s.owner(id); err != nil {
		return bad("invalid ownerId %q", id)
	}
	return nil
}
