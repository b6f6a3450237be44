package render

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// postgres is a managed database.
type postgres struct {
	ID, Name, OwnerID    string
	EnvironmentID        string
	CreatedAt, UpdatedAt time.Time
	Status               string
	Plan, Region         string
	Version              int
	DiskGB               int
	HA, Autoscale        bool
	Pool                 string // none or pgbouncer
	Database, User       string
	Password             string
	Suspended            bool
	IPAllowList          []allowed
	Replicas             []replica
	Parameters           map[string]string
	Exports              []*export
	From                 *recoveryPoint // where it came from, while it is being recovered
	Server               string         // the world's id of it; "" until it runs

	db *world.Database
}

// allowed is an entry of a list of addresses that may connect from outside.
type allowed struct {
	CIDR        string `json:"cidrBlock"`
	Description string `json:"description"`
}

type replica struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type postgresInput struct {
	Name          string            `json:"name"`
	OwnerID       string            `json:"ownerId"`
	EnvironmentID string            `json:"environmentId"`
	Plan          string            `json:"plan"`
	Version       string            `json:"version"`
	Region        string            `json:"region"`
	Database      string            `json:"databaseName"`
	User          string            `json:"databaseUser"`
	DiskGB        int               `json:"diskSizeGB"`
	HA            *bool             `json:"enableHighAvailability"`
	Autoscale     *bool             `json:"enableDiskAutoscaling"`
	Pool          string            `json:"connectionPool"`
	IPAllowList   *[]allowed        `json:"ipAllowList"`
	Replicas      json.RawMessage   `json:"readReplicas"`
	Parameters    map[string]string `json:"parameterOverrides"`
}

func (s *Server) postgresRoutes() {
	const one = "/postgres/{id}"
	s.handle("GET /postgres", s.locked(s.listPostgres))
	s.handle("POST /postgres", s.locked(s.createPostgres))
	s.handle("GET "+one, s.postgresCall(func(_ *http.Request, p *postgres) (reply, error) { return ok(s.postgresDoc(p)) }))
	s.handle("PATCH "+one, s.postgresCall(s.patchPostgres))
	s.handle("DELETE "+one, s.postgresCall(s.deletePostgres))
	s.handle("GET "+one+"/connection-info", s.postgresCall(connectionInfo))
	s.handle("POST "+one+"/suspend", s.postgresCall(s.suspendPostgres(true)))
	s.handle("POST "+one+"/resume", s.postgresCall(s.suspendPostgres(false)))
	s.handle("POST "+one+"/restart", s.postgresCall(func(*http.Request, *postgres) (reply, error) { return empty(http.StatusAccepted) }))
	s.handle("GET "+one+"/recovery", s.postgresCall(s.recoveryInfo))
	s.handle("POST "+one+"/recovery", s.postgresCall(s.recoverPostgres))
	s.handle("GET "+one+"/export", s.postgresCall(s.listExports))
	s.handle("POST "+one+"/export", s.postgresCall(s.createExport))
	s.mux.HandleFunc("GET /v1/exports/{export}/{key}/{file}", s.downloadExport)
}

// postgresCall is an endpoint of one database. It runs with s.mu.
func (s *Server) postgresCall(f func(*http.Request, *postgres) (reply, error)) endpoint {
	return s.locked(func(r *http.Request) (reply, error) {
		for _, p := range s.st.Postgres {
			if p.ID == r.PathValue("id") && !s.hidden(r, p.CreatedAt) {
				return f(r, p)
			}
		}
		return reply{}, notFound("postgres", r.PathValue("id"))
	})
}

func (s *Server) createPostgres(r *http.Request) (reply, error) {
	var in postgresInput
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	if err := s.ownerFor(in.OwnerID); err != nil {
		return reply{}, err
	}
	if err := s.environmentFor(in.EnvironmentID); err != nil {
		return reply{}, err
	}
	version, err := strconv.Atoi(in.Version)
	region := orElse(in.Region, defaultRegion)
	switch {
	case in.Name == "":
		return reply{}, bad("a database needs a name")
	case err != nil || version < 11 || version > 18:
		return reply{}, bad("invalid version %q", in.Version)
	case !slices.Contains(regions(), region):
		return reply{}, bad("invalid region %q", in.Region)
	}
	p := &postgres{
		ID: s.id("dpg") + "-a", Name: in.Name, OwnerID: in.OwnerID, EnvironmentID: in.EnvironmentID, CreatedAt: s.w.Now(), UpdatedAt: s.w.Now(),
		Status: "creating", Region: region, Version: version, DiskGB: 15, Pool: "none", Password: s.w.Hex(32),
		Database: orElse(in.Database, identifier(in.Name)+"_"+s.w.Hex(4)), User: orElse(in.User, identifier(in.Name)+"_user"), IPAllowList: []allowed{},
	}
	if in.Plan == "" {
		return reply{}, bad("a database needs a plan")
	}
	if err := s.changePostgres(p, in); err != nil {
		return reply{}, err
	}
	s.st.Postgres = append(s.st.Postgres, p)
	s.startPostgres(p)
	return created(s.postgresDoc(p))
}

// identifier makes a name of PostgreSQL's of a text.
func identifier(text string) string { return strings.ReplaceAll(orElse(slugOf(text), "db"), "-", "_") }

// changePostgres applies what creation and change have in common.
func (s *Server) changePostgres(p *postgres, in postgresInput) error {
	switch {
	case in.Plan != "" && !postgresPlan(in.Plan):
		return bad("invalid plan %q", in.Plan)
	case !slices.Contains([]string{"", "none", "pgbouncer"}, in.Pool):
		return bad("invalid connectionPool %q", in.Pool)
	case in.DiskGB != 0 && in.DiskGB != 1 && in.DiskGB%5 != 0:
		return bad("diskSizeGB must be 1 or a multiple of 5")
	}
	p.Plan, p.Pool, p.Name = orElse(in.Plan, p.Plan), orElse(in.Pool, p.Pool), orElse(in.Name, p.Name)
	if in.DiskGB != 0 {
		p.DiskGB = in.DiskGB
	}
	if in.HA != nil {
		p.HA = *in.HA
	}
	if in.Autoscale != nil {
		p.Autoscale = *in.Autoscale
	}
	if in.IPAllowList != nil {
		p.IPAllowList = append([]allowed{}, *in.IPAllowList...)
	}
	if in.Parameters != nil {
		p.Parameters = in.Parameters
	}
	if given(in.Replicas) {
		var list []replica
		if err := json.Unmarshal(in.Replicas, &list); err != nil {
			return bad("invalid readReplicas")
		}
		for i := range list {
			list[i].ID = s.id("dpg") + "-b"
		}
		p.Replicas = list
	}
	return nil
}

func postgresPlan(plan string) bool {
	family, size, sized := strings.Cut(plan, "_")
	switch family {
	case "free", "starter", "standard", "custom":
		return !sized
	case "pro":
		return !sized || plan == "pro_plus" || strings.HasSuffix(size, "gb")
	case "basic", "accelerated":
		return strings.HasSuffix(size, "mb") || strings.HasSuffix(size, "gb")
	}
	return false
}

// startPostgres brings up the real server behind a database: a new one, or one
// with another's content of a moment. Callers hold s.mu.
func (s *Server) startPostgres(p *postgres) {
	from := p.From
	var source *world.Database
	if from != nil {
		source = s.w.Database(from.Server)
	}
	spec := world.DatabaseSpec{Name: p.Name, Major: p.Version, User: p.User, Password: p.Password, Database: p.Database}
	s.background(func(ctx context.Context) {
		var db *world.Database
		var err error
		switch {
		case from == nil:
			db, err = s.w.NewDatabase(ctx, spec)
		case source == nil:
			err = world.ErrDatabaseStopped
		default:
			db, err = s.w.RestoreDatabase(ctx, source, world.RestorePoint{Time: from.Time}, spec)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		defer s.w.Touch()
		switch {
		case err != nil:
			p.Status = "unavailable"
			if from != nil {
				p.Status = "recovery_failed"
			}
			s.w.Logf("postgres %s: %v", p.Name, err)
		case !slices.Contains(s.st.Postgres, p):
			s.background(func(context.Context) { _ = db.Stop() })
		default:
			p.db, p.Server, p.Status, p.From, p.UpdatedAt = db, db.ID, "available", nil, s.w.Now()
			p.User, p.Database, p.Password = db.Spec.User, db.Spec.Database, db.Spec.Password
			host, port := db.Addr()
			s.w.Logf("postgres %s: available at %s:%d", p.Name, host, port)
			if db.Major() != p.Version {
				s.w.Logf("postgres %s: PostgreSQL %d was asked for and is not installed here, %d runs in its place", p.Name, p.Version, db.Major())
			}
		}
	})
}

// adoptPostgres connects a restored database with the world's server, or
// starts one when it never ran.
func (s *Server) adoptPostgres(p *postgres) {
	if p.Server == "" {
		s.startPostgres(p)
		return
	}
	if p.db = s.w.Database(p.Server); p.db == nil {
		p.Status = "unavailable" // its data is gone; an empty one in its place would be a lie
	}
}

func (s *Server) listPostgres(r *http.Request) (reply, error) {
	f := newFilter(r)
	var list []*postgres
	for _, p := range s.st.Postgres {
		if f.any("name", p.Name) && f.any("ownerId", p.OwnerID) && f.any("environmentId", p.EnvironmentID) && f.any("region", p.Region) &&
			f.any("suspended", suspendedWord(p.Suspended)) && f.span(p.CreatedAt, p.UpdatedAt) && !s.lagging(p.CreatedAt) {
			list = append(list, p)
		}
	}
	if f.err != nil {
		return reply{}, f.err
	}
	return page(s, r, list, "postgres", func(p *postgres) string { return p.ID }, func(p *postgres) any { return s.postgresDoc(p) })
}

func (s *Server) postgresDoc(p *postgres) map[string]any {
	owner, _ := s.owner(p.OwnerID)
	doc := map[string]any{
		"id": p.ID, "name": p.Name, "owner": owner, "createdAt": stamp(p.CreatedAt), "updatedAt": stamp(p.UpdatedAt), "status": p.Status, "plan": p.Plan,
		"region": p.Region, "version": strconv.Itoa(p.Version), "diskSizeGB": p.DiskGB, "highAvailabilityEnabled": p.HA,
		"diskAutoscalingEnabled": p.Autoscale, "connectionPool": p.Pool, "databaseName": p.Database, "databaseUser": p.User, "role": "primary",
		"ipAllowList": p.IPAllowList, "readReplicas": append([]replica{}, p.Replicas...), "suspended": suspendedWord(p.Suspended),
		"suspenders": suspenders(p.Suspended), "dashboardUrl": "https://dashboard.render.com/d/" + p.ID,
	}
	if p.EnvironmentID != "" {
		doc["environmentId"] = p.EnvironmentID
	}
	if p.Plan == "free" {
		doc["expiresAt"] = stamp(p.CreatedAt.Add(30 * 24 * time.Hour))
	}
	return doc
}

func (s *Server) patchPostgres(r *http.Request, p *postgres) (reply, error) {
	var in postgresInput
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	if in.DiskGB != 0 && in.DiskGB < p.DiskGB {
		return reply{}, bad("a database's disk cannot shrink")
	}
	changed := *p
	if err := s.changePostgres(&changed, in); err != nil {
		return reply{}, err
	}
	*p = changed
	p.UpdatedAt = s.w.Now()
	return ok(s.postgresDoc(p))
}

func (s *Server) deletePostgres(_ *http.Request, p *postgres) (reply, error) {
	s.st.Postgres = remove(s.st.Postgres, p)
	if db := p.db; db != nil {
		s.background(func(context.Context) { _ = db.Stop() })
	}
	return empty(http.StatusNoContent)
}

// suspendPostgres marks a database. Its server goes on, since to stop it would
// be to lose its data here.
func (s *Server) suspendPostgres(to bool) func(*http.Request, *postgres) (reply, error) {
	return func(_ *http.Request, p *postgres) (reply, error) {
		if p.db == nil {
			return reply{}, bad("the database is %s", p.Status)
		}
		p.Suspended, p.UpdatedAt, p.Status = to, s.w.Now(), "available"
		if to {
			p.Status = "suspended"
		}
		return empty(http.StatusAccepted)
	}
}

// connectionInfo is how to connect: from inside Render's network, from outside
// it (the same here), and through the pooler when there is one.
func connectionInfo(_ *http.Request, p *postgres) (reply, error) {
	if p.db == nil {
		return reply{}, notFound("connection info of the postgres that is "+p.Status+",", p.ID)
	}
	host, port := p.db.Addr()
	direct := p.dsn(host, port)
	doc := map[string]any{
		"password": p.Password, "internalConnectionString": direct, "externalConnectionString": direct,
		"psqlCommand": fmt.Sprintf("PGPASSWORD=%s psql -h %s -p %d -U %s %s", p.Password, host, port, p.User, p.Database),
	}
	if p.Pool == "pgbouncer" {
		pooled := p.dsn(p.db.PoolerAddr())
		doc["internalConnectionPoolString"], doc["externalConnectionPoolString"] = pooled, pooled
	}
	return ok(doc)
}

func (p *postgres) dsn(host string, port int) string {
	u := url.URL{Scheme: "postgresql", User: url.UserPassword(p.User, p.Password), Host: fmt.Sprintf("%s:%d", host, port), Path: "/" + p.Database}
	return u.String()
}
