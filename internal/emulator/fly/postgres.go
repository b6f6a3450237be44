package fly

import (
	"context"
	"net/http"
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
// The pooler endpoint is another port of that same server: there is no PgBouncer
// in between.
type cluster struct {
	id, name, org, region, plan string
	major                       int
	poolMode, status            string
	diskGB                      int
	postgis                     bool
	copied                      bool // made from another cluster
	createdAt                   time.Time
	deletedAt                   time.Time
	users                       map[string]string // passwords by name
	db                          *world.Database
	attached                    map[string]time.Time
	backups                     []*pgBackup
	cancel                      context.CancelFunc
}

func (s *Server) postgresRoutes() {
	s.handle("GET /v1/postgres", s.listClusters)
	s.handle("POST /v1/postgres", s.createCluster)
	const path = "/v1/postgres/{id}"
	s.handle("GET "+path, s.clusterCall(func(_ *http.Request, c *cluster) (reply, error) { return ok(s.clusterReply(c)) }))
	s.handle("DELETE "+path, s.clusterCall(s.deleteCluster))
	s.handle("POST "+path+"/attachments", s.clusterCall(s.attach))
	s.handle("DELETE "+path+"/attachments/{app}", s.clusterCall(detach))
	s.handle("GET "+path+"/backups", s.clusterCall(listPGBackups))
	s.handle("POST "+path+"/backups", s.clusterCall(s.backupCluster))
	s.handle("POST "+path+"/restore", s.clusterCall(s.restoreCluster))
	s.handle("POST "+path+"/fork", s.clusterCall(s.forkCluster))
	s.handle("GET "+path+"/databases", s.serverCall(listPGDatabases))
	s.handle("POST "+path+"/databases", s.serverCall(createPGDatabase))
	s.handle("DELETE "+path+"/databases/{database}", s.serverCall(deletePGDatabase))
	s.handle("GET "+path+"/users", s.serverCall(listPGUsers))
	s.handle("POST "+path+"/users", s.serverCall(s.createPGUser))
	s.handle("PATCH "+path+"/users/{user}", s.serverCall(setPGRole))
	s.handle("DELETE "+path+"/users/{user}", s.serverCall(s.deletePGUser))
	s.handle("GET "+path+"/users/{user}/credentials", s.serverCall(s.pgCredentials))
	s.handle("POST "+path+"/users/{user}/rotate_password", s.serverCall(s.rotatePGPassword))
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
		diskGB: in.Disk, postgis: in.PostGIS, createdAt: s.w.Now(),
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
	s.addCluster(c)
	s.begin(c, s.newServer(c))
	return reply{code: http.StatusCreated, body: s.clusterReply(c)}, nil
}

// startServer starts the server behind a cluster. It runs without s.mu.
type startServer func(context.Context) (*world.Database, error)

// addCluster makes a cluster known. Callers hold s.mu.
func (s *Server) addCluster(c *cluster) {
	c.users, c.attached = map[string]string{pgUser: s.w.Hex(24)}, map[string]time.Time{}
	s.clusters[c.id] = c
}

// begin brings up a cluster's server. Callers hold s.mu.
func (s *Server) begin(c *cluster, start startServer) {
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	go s.bringUp(ctx, c, start)
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
func (s *Server) bringUp(ctx context.Context, c *cluster, start startServer) {
	s.mu.Lock()
	if c.status == "creating" {
		c.status = "initializing"
	}
	s.mu.Unlock()
	db, err := start(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil && c.status == "deleted":
	case err != nil:
		c.status = "failed"
		s.w.Logf("postgres %s: failed: %v", c.name, err)
	case c.status == "deleted":
		db.Drop()
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
		host, port = c.db.PoolerAddr()
		pooler = map[string]any{"host": host, "port": port}
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
		c, err := s.cluster(r)
		if err != nil {
			return reply{}, err
		}
		return f(r, c)
	}
}

// cluster finds the cluster that the request's path names. Callers hold s.mu.
func (s *Server) cluster(r *http.Request) (*cluster, error) {
	c := s.clusters[r.PathValue("id")]
	switch {
	case c == nil, c.status == "deleted" && r.Method == http.MethodGet:
		return nil, notFound("postgres cluster")
	case c.status == "deleted":
		return nil, fail(http.StatusGone, "postgres cluster has been deleted")
	}
	return c, nil
}

func (s *Server) deleteCluster(_ *http.Request, c *cluster) (reply, error) {
	c.status, c.deletedAt = "deleted", s.w.Now()
	c.cancel()
	if db := c.db; db != nil {
		db.Drop()
	}
	return reply{code: http.StatusAccepted}, nil
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
