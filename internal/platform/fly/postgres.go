package fly

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// Names that Managed Postgres gives to its first user and database.
const (
	postgresUser     = "fly-user"
	postgresDatabase = "fly-db"
	postgresDiskGB   = 10
)

// postgresTimeout is how long a new cluster may take; Fly says minutes.
const postgresTimeout = 15 * time.Minute

type endpoint struct {
	Host string `json:"host"`
	Port int    `json:"port"`
}

type cluster struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Region    string `json:"region"`
	Status    string `json:"status"`
	Endpoints struct {
		Primary struct {
			Direct endpoint `json:"direct"`
			Pooler endpoint `json:"pooler"`
		} `json:"primary"`
	} `json:"endpoints"`
}

// FindPostgres finds a cluster by name in the app's organization. The app's machines
// may know its id, which saves the list.
func (p *Platform) FindPostgres(ctx context.Context, app, name string) (*platform.Database, error) {
	a, err := p.about(ctx, app)
	if errs.CodeOf(err) == errs.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if id := p.clusterHint(app); id != "" {
		if db, err := p.database(ctx, id); err == nil && db.Name == name && !gone(db.Status) {
			p.noteCluster(app, db.ID)
			return db, nil
		}
	}
	c, err := p.clusterNamed(ctx, a.org(), name)
	if c == nil || err != nil {
		return nil, err
	}
	p.noteCluster(app, c.ID)
	return p.database(ctx, c.ID)
}

// clusterHint is the id of the app's database as its machines, seen a moment ago, have it.
func (p *Platform) clusterHint(app string) string {
	p.mu.Lock()
	id := p.clusters[app]
	p.mu.Unlock()
	if id != "" {
		return id
	}
	seen, _ := get[fleet](p.cache, kindMachines, app)
	for _, m := range seen.app() {
		if id := m.GetMetadataByKey(metaPostgres); id != "" {
			return id
		}
	}
	return ""
}

// noteCluster remembers an app's database, for the machines to come.
func (p *Platform) noteCluster(app, id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clusters[app] = id
}

func gone(status string) bool { return status == "deleting" || status == "deleted" }

// clusterNamed looks for a cluster by name; nil when there is none.
func (p *Platform) clusterNamed(ctx context.Context, org, name string) (*cluster, error) {
	var list struct {
		Data []cluster `json:"data"`
	}
	if err := p.machinesCall(ctx, http.MethodGet, "/postgres?org_slug="+url.QueryEscape(org), nil, &list, nil); err != nil {
		return nil, explain(err, "list the databases of %q", org)
	}
	i := slices.IndexFunc(list.Data, func(c cluster) bool { return c.Name == name && !gone(c.Status) })
	if i < 0 {
		return nil, nil
	}
	return &list.Data[i], nil
}

// CreatePostgres creates a cluster, or finds the one of that name, and waits until it is ready.
func (p *Platform) CreatePostgres(ctx context.Context, spec platform.DatabaseSpec, report platform.Report) (*platform.Database, error) {
	org := spec.Org
	if org == "" {
		a, err := p.about(ctx, spec.App)
		if err != nil {
			return nil, err
		}
		org = a.org()
	}
	c, err := p.clusterNamed(ctx, org, spec.Name)
	if err != nil {
		return nil, err
	}
	if c != nil { // made by a run that was cut off, or not ready at the moment
		report("database %s (%s) is %s", c.Name, c.ID, c.Status)
		return p.awaitAndAttach(ctx, c.ID, spec)
	}
	in := map[string]any{
		"org_slug": org, "name": spec.Name, "region": spec.Region, "plan": spec.Plan,
		"disk_size_gb": postgresDiskGB, "pg_major_version": strconv.Itoa(spec.Version), "pool_mode": spec.PoolMode,
	}
	if c, err = p.createCluster(ctx, org, spec.Name, "/postgres", in); err != nil {
		return nil, explain(err, "create the database %q", spec.Name)
	}
	report("database %s (%s) is being created", spec.Name, c.ID)
	return p.awaitAndAttach(ctx, c.ID, spec)
}

// createCluster sends a request that makes a cluster. When its answer is lost, it is
// looked for by name before the request is sent again, for it may have been made.
func (p *Platform) createCluster(ctx context.Context, org, name, path string, in any) (*cluster, error) {
	for try := 1; ; try++ {
		var out struct {
			Data cluster `json:"data"`
		}
		err := p.machinesCall(ctx, http.MethodPost, path, in, &out, nil)
		if err == nil {
			return &out.Data, nil
		}
		if !lost(ctx, err) {
			return nil, err
		}
		for range createTries { // what is new may be listed only a moment later
			if e := p.sleep(ctx, 2*pollInterval); e != nil {
				return nil, e
			}
			if c, e := p.clusterNamed(ctx, org, name); c != nil && e == nil {
				return c, nil
			}
		}
		if try == createTries {
			return nil, err
		}
	}
}

func (p *Platform) awaitAndAttach(ctx context.Context, id string, spec platform.DatabaseSpec) (*platform.Database, error) {
	db, err := p.awaitCluster(ctx, id)
	if err != nil {
		return nil, err
	}
	p.noteCluster(spec.App, db.ID)
	// The attachment only records the link; the URLs are set as secrets by the deploy.
	path := clusterPath(db.ID) + "/attachments"
	err = p.machinesCall(ctx, http.MethodPost, path, map[string]string{"app_name": spec.App}, nil, nil)
	return db, explain(err, "attach the database %q", spec.Name)
}

func (p *Platform) awaitCluster(ctx context.Context, id string) (*platform.Database, error) {
	deadline := p.now().Add(postgresTimeout)
	for {
		db, err := p.database(ctx, id)
		if err != nil && (errs.CodeOf(err) != errs.Failure || p.now().After(deadline)) {
			return nil, err
		}
		if err != nil { // trouble that may pass
			db = &platform.Database{Status: "not to be seen"}
		}
		switch db.Status {
		case "ready":
			return db, nil
		case "failed", "error", "deleted", "deleting":
			return nil, errs.New(errs.Failure, "database %s is %s", id, db.Status)
		}
		if p.now().After(deadline) {
			return nil, errs.New(errs.Timeout, "database %s is not ready after %s: it is %s", id, postgresTimeout, db.Status).
				WithHint("run the same command again: it waits for the same database")
		}
		if err := p.sleep(ctx, 2*pollInterval); err != nil {
			return nil, err
		}
	}
}

// database reads a cluster and, once it is ready, its credentials.
func (p *Platform) database(ctx context.Context, id string) (*platform.Database, error) {
	path := clusterPath(id)
	var got struct {
		Data cluster `json:"data"`
	}
	if err := p.machinesCall(ctx, http.MethodGet, path, nil, &got, nil); err != nil {
		return nil, explain(err, "look at the database %s", id)
	}
	c := got.Data
	db := &platform.Database{ID: c.ID, Name: c.Name, Status: c.Status, Region: c.Region}
	if c.Status != "ready" {
		return db, nil
	}
	var cred struct {
		Data struct{ Username, Password string } `json:"data"`
	}
	if err := p.machinesCall(ctx, http.MethodGet, path+"/users/"+postgresUser+"/credentials", nil, &cred, nil); err != nil {
		return nil, explain(err, "read the credentials of the database %s", id)
	}
	user := url.UserPassword(cred.Data.Username, cred.Data.Password)
	db.Direct = postgresURL(user, c.Endpoints.Primary.Direct)
	db.Pooled = postgresURL(user, c.Endpoints.Primary.Pooler)
	return db, nil
}

func postgresURL(user *url.Userinfo, e endpoint) string {
	u := url.URL{Scheme: "postgresql", User: user, Host: e.Host, Path: "/" + postgresDatabase}
	if e.Port != 0 {
		u.Host = net.JoinHostPort(e.Host, strconv.Itoa(e.Port))
	}
	return u.String()
}
