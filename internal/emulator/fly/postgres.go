package fly

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// The user and the database that every new cluster has.
const (
	pgUser     = "fly-user"
	pgDatabase = "fly-db"
)

// cluster is a Managed Postgres cluster, backed by a real server once ready.
// The pooler endpoint is that same server: there is no PgBouncer in between.
type cluster struct {
	id, name, org, region, plan string
	major                       int
	poolMode, status            string
	diskGB                      int
	postgis                     bool
	createdAt                   time.Time
	deletedAt                   time.Time
	password                    string
	db                          *world.Database
	attached                    map[string]time.Time
	backups                     []*pgBackup
	cancel                      context.CancelFunc
}

type pgBackup struct {
	id, typ string
	at      time.Time
}

func (s *Server) postgresRoutes() {
	s.handle("GET /v1/postgres", s.listClusters)
	s.handle("POST /v1/postgres", s.createCluster)
	const path = "/v1/postgres/{id}"
	s.handle("GET "+path, s.clusterCall(func(_ *http.Request, c *cluster) (reply, error) { return ok(s.clusterReply(c)) }))
	s.handle("DELETE "+path, s.clusterCall(s.deleteCluster))
	s.handle("GET "+path+"/users", s.clusterCall(listPGUsers))
	s.handle("GET "+path+"/users/{user}/credentials", s.clusterCall(pgCredentials))
	s.handle("GET "+path+"/databases", s.clusterCall(listPGDatabases))
	s.handle("POST "+path+"/attachments", s.clusterCall(s.attach))
	s.handle("DELETE "+path+"/attachments/{app}", s.clusterCall(detach))
	s.handle("GET "+path+"/backups", s.clusterCall(listPGBackups))
	s.handle("POST "+path+"/backups", s.clusterCall(s.backupCluster))
}

func (s *Server) createCluster(r *http.Request) (reply, error) {
	var in struct {
		Name    string `json:"name"`
		Org     string `json:"org_slug"`
		Region  string `json:"region"`
		Plan    string `json:"plan"`
		Disk    int    `json:"disk_size_gb"`
		Major   string `json:"pg_major_version"`
		Pool    string `json:"pool_mode"`
		PostGIS bool   `json:"postgis_enabled"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	switch {
	case in.Org == "" || in.Plan == "" || in.Region == "":
		return reply{}, fail(http.StatusUnprocessableEntity, "org_slug, plan and region are required")
	case !contains(s.opts.Orgs, in.Org):
		return reply{}, notFound("organization " + in.Org)
	case !contains([]string{"basic", "starter", "launch", "scale", "Performance"}, in.Plan):
		return reply{}, fail(http.StatusUnprocessableEntity, "plan is invalid")
	case !contains([]string{"", "16", "17"}, in.Major):
		return reply{}, fail(http.StatusUnprocessableEntity, "pg_major_version must be 16 or 17")
	case !contains([]string{"", "session", "transaction"}, in.Pool):
		return reply{}, fail(http.StatusUnprocessableEntity, "pool_mode must be session or transaction")
	case in.Disk != 0 && (in.Disk < 10 || in.Disk > 1000):
		return reply{}, fail(http.StatusUnprocessableEntity, "disk_size_gb must be between 10 and 1000")
	case !mpgRegion(in.Region):
		return reply{}, fail(http.StatusUnprocessableEntity, "region "+in.Region+" has no Managed Postgres")
	}
	c := &cluster{
		id: s.w.Hex(16), name: in.Name, org: in.Org, region: in.Region, plan: in.Plan, major: 16, poolMode: in.Pool, status: "creating",
		diskGB: in.Disk, postgis: in.PostGIS, createdAt: s.w.Now(), password: s.w.Hex(24), attached: map[string]time.Time{},
	}
	if in.Major == "17" {
		c.major = 17
	}
	if c.poolMode == "" {
		c.poolMode = "session"
	}
	if c.diskGB == 0 {
		c.diskGB = 10
	}
	if c.name == "" {
		c.name = "pg-" + c.id[:8]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	s.clusters[c.id] = c
	go s.bringUp(ctx, c)
	return reply{code: http.StatusCreated, body: s.clusterReply(c)}, nil
}

func mpgRegion(code string) bool {
	for _, r := range regions {
		if r.code == code {
			return r.mpg
		}
	}
	return false
}

// bringUp starts the real server behind a cluster.
func (s *Server) bringUp(ctx context.Context, c *cluster) {
	s.mu.Lock()
	c.status = "initializing"
	s.mu.Unlock()
	db, err := s.w.NewDatabase(ctx, world.DatabaseSpec{Name: c.name, Major: c.major, User: pgUser, Password: c.password, Database: pgDatabase})
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil:
		c.status = "failed"
		s.w.Logf("postgres %s: failed: %v", c.name, err)
	case c.status == "deleted":
		_ = db.Stop()
	default:
		c.db, c.status = db, "ready"
		host, port := db.Addr()
		s.w.Logf("postgres %s: ready at %s:%d", c.name, host, port)
		if db.Major() != c.major {
			s.w.Logf("postgres %s: PostgreSQL %d was asked for and is not installed here, %d runs in its place", c.name, c.major, db.Major())
		}
	}
	s.w.Touch()
}

func (s *Server) clusterDoc(c *cluster) map[string]any {
	apps := make([]string, 0, len(c.attached))
	for name := range c.attached {
		apps = append(apps, name)
	}
	sort.Strings(apps)
	docs := make([]any, 0, len(apps))
	for _, name := range apps {
		docs = append(docs, map[string]any{"name": name})
	}
	return map[string]any{
		"id": c.id, "name": c.name, "region": c.region, "plan": c.plan, "status": c.status, "created_at": stamp(c.createdAt), "attached_apps": docs,
	}
}

func (s *Server) clusterReply(c *cluster) map[string]any {
	d := s.clusterDoc(c)
	direct := map[string]any{"host": "direct." + c.id + ".flympg.net", "port": 5432}
	pooler := map[string]any{"host": "pgbouncer." + c.id + ".flympg.net", "port": 5432}
	if c.db != nil {
		host, port := c.db.Addr()
		direct = map[string]any{"host": host, "port": port}
		pooler = direct
	}
	d["endpoints"] = map[string]any{"primary": map[string]any{"direct": direct, "pooler": pooler}}
	d["cpu_kind"], d["cpus"], d["memory_mb"], d["disk_size_gb"], d["replicas"] = "shared", 2, 1024, c.diskGB, 1
	d["pg_major_version"], d["postgis_enabled"] = strconv.Itoa(c.major), c.postgis
	d["storage_provisioned_bytes"], d["storage_used_bytes"] = int64(c.diskGB)<<30, 0
	d["organization"] = map[string]any{"name": orgName(c.org), "slug": c.org}
	return map[string]any{"data": d}
}

func (s *Server) listClusters(r *http.Request) (reply, error) {
	q := r.URL.Query()
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*cluster
	for _, c := range s.clusters {
		if (q.Get("org_slug") == "" || c.org == q.Get("org_slug")) && (c.status != "deleted" || q.Get("include_deleted") == "true") {
			list = append(list, c)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].name+list[i].id < list[j].name+list[j].id })
	docs := make([]any, 0, len(list))
	for _, c := range list {
		docs = append(docs, s.clusterDoc(c))
	}
	return ok(map[string]any{"data": docs})
}

// clusterCall wraps a call on one cluster.
func (s *Server) clusterCall(f func(*http.Request, *cluster) (reply, error)) endpoint {
	return func(r *http.Request) (reply, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		c := s.clusters[r.PathValue("id")]
		if c == nil || c.status == "deleted" {
			return reply{}, notFound("postgres cluster")
		}
		return f(r, c)
	}
}

func (s *Server) deleteCluster(_ *http.Request, c *cluster) (reply, error) {
	c.status, c.deletedAt = "deleted", s.w.Now()
	c.cancel()
	if db := c.db; db != nil {
		go func() { _ = db.Stop() }()
	}
	return reply{code: http.StatusAccepted}, nil
}

// errDown is what the platform says while a cluster's own API is out of reach.
var errDown = errors.New("pg-admin is unavailable")

func (c *cluster) up() error {
	if c.db == nil {
		return fail(http.StatusServiceUnavailable, errDown.Error())
	}
	return nil
}

func listPGUsers(_ *http.Request, c *cluster) (reply, error) {
	if err := c.up(); err != nil {
		return reply{}, err
	}
	return ok(map[string]any{"data": []any{map[string]any{"username": pgUser, "role": "schema_admin"}}})
}

func pgCredentials(r *http.Request, c *cluster) (reply, error) {
	if err := c.up(); err != nil {
		return reply{}, err
	}
	if r.PathValue("user") != pgUser {
		return reply{}, notFound("user")
	}
	return ok(map[string]any{"data": map[string]any{"username": pgUser, "password": c.password}})
}

func listPGDatabases(_ *http.Request, c *cluster) (reply, error) {
	if err := c.up(); err != nil {
		return reply{}, err
	}
	return ok(map[string]any{"data": []any{map[string]any{"name": pgDatabase}}})
}

// attach only records the link: setting DATABASE_URL is the client's work.
func (s *Server) attach(r *http.Request, c *cluster) (reply, error) {
	var in struct {
		App string `json:"app_name"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	if s.apps[in.App] == nil {
		return reply{}, notFound("app")
	}
	if _, found := c.attached[in.App]; !found {
		c.attached[in.App] = s.w.Now()
	}
	return reply{code: http.StatusCreated, body: map[string]any{"data": map[string]any{
		"app_name": in.App, "attached_at": stamp(c.attached[in.App]), "postgres_cluster_id": c.id,
	}}}, nil
}

func detach(r *http.Request, c *cluster) (reply, error) {
	name := r.PathValue("app")
	if _, found := c.attached[name]; !found {
		return reply{}, notFound("attachment")
	}
	delete(c.attached, name)
	return reply{code: http.StatusNoContent}, nil
}

func listPGBackups(_ *http.Request, c *cluster) (reply, error) {
	docs := make([]any, 0, len(c.backups))
	for _, b := range slices.Backward(c.backups) {

		docs = append(docs, map[string]any{
			"id": b.id, "type": b.typ, "status": "completed", "size_bytes": 0, "started_at": stamp(b.at), "finished_at": stamp(b.at),
		})
	}
	return ok(map[string]any{"data": docs})
}

// backupCluster answers without an id, as the platform does. The entry is a
// record only: restoring from it is not emulated.
func (s *Server) backupCluster(r *http.Request, c *cluster) (reply, error) {
	var in struct {
		Type string `json:"type"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	if !contains([]string{"full", "incr", "diff"}, in.Type) {
		return reply{}, fail(http.StatusUnprocessableEntity, "type must be full, incr or diff")
	}
	c.backups = append(c.backups, &pgBackup{s.w.ULID(), in.Type, s.w.Now()})
	return reply{code: http.StatusAccepted}, nil
}
