package render

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// keyValue is a managed Redis-compatible server.
type keyValue struct {
	ID, Name, OwnerID    string
	EnvironmentID        string
	CreatedAt, UpdatedAt time.Time
	Status               string
	Plan, Region         string
	Policy, Persistence  string
	IPAllowList          []allowed
	Server               string // the world's id of it; "" until it runs

	srv *world.Redis
}

type keyValueInput struct {
	Name          string     `json:"name"`
	OwnerID       string     `json:"ownerId"`
	EnvironmentID string     `json:"environmentId"`
	Plan          string     `json:"plan"`
	Region        string     `json:"region"`
	Policy        string     `json:"maxmemoryPolicy"`
	Persistence   string     `json:"persistenceMode"`
	IPAllowList   *[]allowed `json:"ipAllowList"`
}

func (s *Server) keyValueRoutes() {
	const one = "/key-value/{id}"
	s.handle("GET /key-value", s.locked(s.listKeyValues))
	s.handle("POST /key-value", s.locked(s.createKeyValue))
	s.handle("GET "+one, s.keyValueCall(func(_ *http.Request, k *keyValue) (reply, error) { return ok(s.keyValueDetail(k)) }))
	s.handle("PATCH "+one, s.keyValueCall(s.patchKeyValue))
	s.handle("DELETE "+one, s.keyValueCall(s.deleteKeyValue))
	s.handle("GET "+one+"/connection-info", s.keyValueCall(keyValueInfo))
	s.handle("POST "+one+"/suspend", s.keyValueCall(s.suspendKeyValue("suspended")))
	s.handle("POST "+one+"/resume", s.keyValueCall(s.suspendKeyValue("available")))
}

func (s *Server) keyValueCall(f func(*http.Request, *keyValue) (reply, error)) endpoint {
	return s.locked(func(r *http.Request) (reply, error) {
		for _, k := range s.st.KeyValues {
			if k.ID == r.PathValue("id") && !s.hidden(r, k.CreatedAt) {
				return f(r, k)
			}
		}
		return reply{}, notFound("key value instance", r.PathValue("id"))
	})
}

func (s *Server) createKeyValue(r *http.Request) (reply, error) {
	var in keyValueInput
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	if err := s.ownerFor(in.OwnerID); err != nil {
		return reply{}, err
	}
	if err := s.environmentFor(in.EnvironmentID); err != nil {
		return reply{}, err
	}
	k := &keyValue{
		ID: s.id("red"), OwnerID: in.OwnerID, EnvironmentID: in.EnvironmentID, CreatedAt: s.w.Now(), UpdatedAt: s.w.Now(), Status: "creating",
		Region: orElse(in.Region, defaultRegion), Policy: "allkeys_lru", Persistence: "journal_snapshot", IPAllowList: []allowed{},
	}
	switch {
	case in.Name == "":
		return reply{}, bad("a key value instance needs a name")
	case in.Plan == "":
		return reply{}, bad("a key value instance needs a plan")
	case !slices.Contains(regions(), k.Region):
		return reply{}, bad("invalid region %q", in.Region)
	}
	if in.Plan == "free" { // keeps nothing on disk
		k.Persistence = "off"
	}
	if err := k.change(in); err != nil {
		return reply{}, err
	}
	s.st.KeyValues = append(s.st.KeyValues, k)
	s.startKeyValue(k)
	return created(s.keyValueDetail(k))
}

func (k *keyValue) change(in keyValueInput) error {
	policies := []string{"", "noeviction", "allkeys_lfu", "allkeys_lru", "allkeys_random", "volatile_lfu", "volatile_lru", "volatile_random", "volatile_ttl"}
	switch {
	case !slices.Contains([]string{"", "free", "starter", "standard", "pro", "pro_plus", "custom"}, in.Plan):
		return bad("invalid plan %q", in.Plan)
	case !slices.Contains(policies, in.Policy):
		return bad("invalid maxmemoryPolicy %q", in.Policy)
	case !slices.Contains([]string{"", "off", "snapshot", "journal_snapshot"}, in.Persistence):
		return bad("invalid persistenceMode %q", in.Persistence)
	}
	k.Name, k.Plan, k.Policy, k.Persistence = orElse(in.Name, k.Name), orElse(in.Plan, k.Plan), orElse(in.Policy, k.Policy), orElse(in.Persistence, k.Persistence)
	if in.IPAllowList != nil {
		k.IPAllowList = append([]allowed{}, *in.IPAllowList...)
	}
	return nil
}

// startKeyValue brings up the real server behind an instance. Callers hold s.mu.
func (s *Server) startKeyValue(k *keyValue) {
	name := k.Name
	s.background(func(ctx context.Context) {
		srv, err := s.w.NewRedis(ctx, name)
		s.mu.Lock()
		defer s.mu.Unlock()
		defer s.w.Touch()
		switch {
		case err != nil:
			k.Status = "unavailable"
			s.w.Logf("key value %s: %v", name, err)
		case !slices.Contains(s.st.KeyValues, k):
			srv.Stop()
		default:
			k.srv, k.Server, k.Status, k.UpdatedAt = srv, srv.ID, "available", s.w.Now()
		}
	})
}

// adoptKeyValue connects a restored instance with the world's server; one that
// is gone comes back empty, as after a loss of memory.
func (s *Server) adoptKeyValue(k *keyValue) {
	if k.Server != "" {
		k.srv = s.w.Redis(k.Server)
	}
	if k.srv == nil {
		s.startKeyValue(k)
	}
}

func (s *Server) listKeyValues(r *http.Request) (reply, error) {
	f := newFilter(r)
	var list []*keyValue
	for _, k := range s.st.KeyValues {
		if f.any("name", k.Name) && f.any("ownerId", k.OwnerID) && f.any("environmentId", k.EnvironmentID) && f.any("region", k.Region) &&
			f.span(k.CreatedAt, k.UpdatedAt) && !s.lagging(k.CreatedAt) {
			list = append(list, k)
		}
	}
	if f.err != nil {
		return reply{}, f.err
	}
	return page(s, r, list, "keyValue", func(k *keyValue) string { return k.ID }, func(k *keyValue) any {
		doc := s.keyValueDetail(k)
		doc["dashboardUrl"] = "https://dashboard.render.com/r/" + k.ID
		return doc
	})
}

func (s *Server) keyValueDetail(k *keyValue) map[string]any {
	owner, _ := s.owner(k.OwnerID)
	doc := map[string]any{
		"id": k.ID, "name": k.Name, "owner": owner, "createdAt": stamp(k.CreatedAt), "updatedAt": stamp(k.UpdatedAt), "status": k.Status, "plan": k.Plan,
		"region": k.Region, "version": "8.1.4", "ipAllowList": k.IPAllowList,
		"options": map[string]any{"maxmemoryPolicy": k.Policy, "persistenceMode": k.Persistence},
	}
	if k.EnvironmentID != "" {
		doc["environmentId"] = k.EnvironmentID
	}
	return doc
}

func (s *Server) patchKeyValue(r *http.Request, k *keyValue) (reply, error) {
	var in keyValueInput
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	if err := k.change(in); err != nil {
		return reply{}, err
	}
	k.UpdatedAt = s.w.Now()
	return ok(s.keyValueDetail(k))
}

func (s *Server) deleteKeyValue(_ *http.Request, k *keyValue) (reply, error) {
	s.st.KeyValues = remove(s.st.KeyValues, k)
	if srv := k.srv; srv != nil {
		s.background(func(context.Context) { srv.Stop() })
	}
	return empty(http.StatusNoContent)
}

func (s *Server) suspendKeyValue(status string) func(*http.Request, *keyValue) (reply, error) {
	return func(_ *http.Request, k *keyValue) (reply, error) {
		if k.srv == nil {
			return reply{}, bad("the instance is %s", k.Status)
		}
		k.Status, k.UpdatedAt = status, s.w.Now()
		return empty(http.StatusAccepted)
	}
}

// keyValueInfo is how to connect. Without TLS, for which the real external
// address has rediss://.
func keyValueInfo(_ *http.Request, k *keyValue) (reply, error) {
	if k.srv == nil {
		return reply{}, notFound("connection info of the key value instance that is "+k.Status+",", k.ID)
	}
	u := url.URL{Scheme: "redis", User: url.UserPassword("default", k.srv.Password), Host: fmt.Sprintf("%s:%d", k.srv.Host, k.srv.Port)}
	return ok(map[string]any{
		"internalConnectionString": u.String(), "externalConnectionString": u.String(),
		"cliCommand": fmt.Sprintf("REDISCLI_AUTH=%s redis-cli --user default -h %s -p %d", k.srv.Password, k.srv.Host, k.srv.Port),
	})
}
