package fly

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/opsctl/opsctl/internal/emulator/world"
	"github.com/opsctl/opsctl/internal/postgres"
)

// pgRoles are what a user may have, with the predefined roles of PostgreSQL that
// stand for it here. What the platform's own roles allow is not documented.
func pgRoles() map[string][]string {
	return map[string][]string{
		"schema_admin": {pgUser}, // a member of the owner of everything
		"writer":       {"pg_read_all_data", "pg_write_all_data"},
		"reader":       {"pg_read_all_data"},
	}
}

// pgName is a name that the API accepts for a user or a database.
var pgName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,62}$`) })

// serverCall wraps a call that needs the cluster's server. It runs without s.mu.
func (s *Server) serverCall(f func(*http.Request, *cluster, *world.Database) (reply, error)) endpoint {
	return func(r *http.Request) (reply, error) {
		s.mu.Lock()
		c, err := s.cluster(r)
		var db *world.Database
		if err == nil {
			db = c.db
		}
		s.mu.Unlock()
		switch {
		case err != nil:
			return reply{}, err
		case db == nil:
			return reply{}, fail(http.StatusServiceUnavailable, "pg-admin is unavailable")
		}
		rep, err := f(r, c, db)
		return rep, pgError(err)
	}
}

// pgError translates what PostgreSQL refused; a server that cannot be reached is
// what the platform calls unavailable.
func pgError(err error) error {
	if _, is := errors.AsType[*apiError](err); is || err == nil {
		return err
	}
	pe, is := errors.AsType[*pgconn.PgError](err)
	switch {
	case !is:
		return fail(http.StatusServiceUnavailable, "pg-admin is unavailable")
	case pe.Code == "42710": // duplicate_object: a role
		return fail(http.StatusConflict, pe.Message)
	case pe.Code == "42704", pe.Code == "3D000": // undefined_object, invalid_catalog_name
		return fail(http.StatusNotFound, pe.Message)
	}
	return fail(http.StatusUnprocessableEntity, pe.Message)
}

func listPGDatabases(r *http.Request, _ *cluster, db *world.Database) (reply, error) {
	names, err := db.Query(r.Context(), "", "select datname from pg_database where not datistemplate and datname <> 'postgres' order by oid")
	if err != nil {
		return reply{}, err
	}
	docs := make([]any, 0, len(names))
	for _, n := range names {
		docs = append(docs, map[string]any{"name": n})
	}
	return ok(map[string]any{"data": docs})
}

func createPGDatabase(r *http.Request, _ *cluster, db *world.Database) (reply, error) {
	var in struct {
		Name string `json:"name"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	if !pgName().MatchString(in.Name) || in.Name == "postgres" || strings.HasPrefix(in.Name, "template") {
		return reply{}, fail(http.StatusUnprocessableEntity, "name is invalid")
	}
	if _, err := db.Query(r.Context(), "", "create database "+postgres.QuoteIdent(in.Name)+" owner "+postgres.QuoteIdent(pgUser)); err != nil {
		return reply{}, err
	}
	return reply{code: http.StatusCreated, body: map[string]any{"data": map[string]any{"name": in.Name}}}, nil
}

func deletePGDatabase(r *http.Request, _ *cluster, db *world.Database) (reply, error) {
	name := r.PathValue("database")
	if !pgName().MatchString(name) || name == "postgres" || strings.HasPrefix(name, "template") {
		return reply{}, notFound("database")
	}
	if _, err := db.Query(r.Context(), "", "drop database "+postgres.QuoteIdent(name)+" with (force)"); err != nil {
		return reply{}, err
	}
	return ok(map[string]any{"data": map[string]any{"name": name}})
}

func listPGUsers(r *http.Request, _ *cluster, db *world.Database) (reply, error) {
	rows, err := db.Query(r.Context(), "", `select r.rolname || ' ' || coalesce(
		(select string_agg(g.rolname, ' ' order by g.rolname) from pg_auth_members m join pg_roles g on g.oid = m.roleid where m.member = r.oid), '')
		from pg_roles r where r.rolcanlogin and not r.rolsuper order by r.oid`)
	if err != nil {
		return reply{}, err
	}
	docs := make([]any, 0, len(rows))
	for _, row := range rows {
		name, groups, _ := strings.Cut(row, " ")
		role := "schema_admin"
		for r, want := range pgRoles() {
			if slices.Equal(strings.Fields(groups), want) {
				role = r
			}
		}
		docs = append(docs, map[string]any{"username": name, "role": role})
	}
	return ok(map[string]any{"data": docs})
}

func (s *Server) createPGUser(r *http.Request, c *cluster, db *world.Database) (reply, error) {
	var in struct {
		User string `json:"username"`
		Role string `json:"role"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	groups, known := pgRoles()[in.Role]
	if !known || !pgName().MatchString(in.User) {
		return reply{}, fail(http.StatusUnprocessableEntity, "username and a role of schema_admin, writer or reader are required")
	}
	password := s.w.Hex(24)
	sql := "create role " + postgres.QuoteIdent(in.User) + " login password '" + password + "' in role " + quoted(groups)
	if _, err := db.Query(r.Context(), "", sql); err != nil {
		return reply{}, err
	}
	s.mu.Lock()
	c.users[in.User] = password
	s.mu.Unlock()
	return reply{code: http.StatusCreated, body: map[string]any{"data": map[string]any{"username": in.User, "role": in.Role}}}, nil
}

func quoted(names []string) string {
	out := make([]string, 0, len(names))
	for _, n := range names {
		out = append(out, postgres.QuoteIdent(n))
	}
	return strings.Join(out, ", ")
}

func setPGRole(r *http.Request, _ *cluster, db *world.Database) (reply, error) {
	var in struct {
		Role string `json:"role"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	groups, known := pgRoles()[in.Role]
	switch name := r.PathValue("user"); {
	case !known:
		return reply{}, fail(http.StatusUnprocessableEntity, "role must be schema_admin, writer or reader")
	case name == pgUser || !pgName().MatchString(name):
		return reply{}, notFound("user")
	default:
		user := postgres.QuoteIdent(name)
		sql := "revoke " + quoted([]string{pgUser, "pg_read_all_data", "pg_write_all_data"}) + " from " + user + "; grant " + quoted(groups) + " to " + user
		if _, err := db.Query(r.Context(), "", sql); err != nil {
			return reply{}, err
		}
		return reply{code: http.StatusNoContent}, nil
	}
}

func (s *Server) deletePGUser(r *http.Request, c *cluster, db *world.Database) (reply, error) {
	name := r.PathValue("user")
	switch {
	case name == pgUser:
		return reply{}, fail(http.StatusBadRequest, "the default user cannot be deleted")
	case s.password(c, name) == "":
		return reply{}, notFound("user")
	}
	if _, err := db.Query(r.Context(), "", "drop role "+postgres.QuoteIdent(name)); err != nil {
		return reply{}, err
	}
	s.mu.Lock()
	delete(c.users, name)
	s.mu.Unlock()
	return reply{code: http.StatusNoContent}, nil
}

func (s *Server) password(c *cluster, user string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return c.users[user]
}

func (s *Server) pgCredentials(r *http.Request, c *cluster, _ *world.Database) (reply, error) {
	user := r.PathValue("user")
	password := s.password(c, user)
	if password == "" {
		return reply{}, notFound("user")
	}
	return ok(map[string]any{"data": map[string]any{"username": user, "password": password}})
}

func (s *Server) rotatePGPassword(r *http.Request, c *cluster, db *world.Database) (reply, error) {
	var in struct {
		Kill bool `json:"kill_sessions"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	user := r.PathValue("user")
	if s.password(c, user) == "" {
		return reply{}, notFound("user")
	}
	password := s.w.Hex(24)
	if _, err := db.Query(r.Context(), "", "alter role "+postgres.QuoteIdent(user)+" password '"+password+"'"); err != nil {
		return reply{}, err
	}
	s.mu.Lock()
	c.users[user] = password
	s.mu.Unlock()
	if in.Kill {
		sql := "select pg_terminate_backend(pid) from pg_stat_activity where usename = '" + user + "'" // a name that we accepted
		if _, err := db.Query(r.Context(), "", sql); err != nil {
			return reply{}, err
		}
	}
	return s.pgCredentials(r, c, db)
}
