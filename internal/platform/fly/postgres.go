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

// FindPostgres finds a cluster by name in the app's organization.
func (p *Platform) FindPostgres(ctx context.Context, app, name string) (*platform.Database, error) {
	found, err := p.flaps.GetApp(ctx, app)
	if status(err) == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, explain(err, "look for the app %q", app)
	}
	org := found.Organization.Slug
	if org == "" {
		org = defaultOrg
	}
	return p.findCluster(ctx, org, name)
}

func (p *Platform) findCluster(ctx context.Context, org, name string) (*platform.Database, error) {
	var list struct {
		Data []cluster `json:"data"`
	}
	if err := p.machinesCall(ctx, http.MethodGet, "/postgres?org_slug="+url.QueryEscape(org), nil, &list, nil); err != nil {
		return nil, explain(err, "list the databases of %q", org)
	}
	i := slices.IndexFunc(list.Data, func(c cluster) bool {
		return c.Name == name && c.Status != "deleting" && c.Status != "deleted"
	})
	if i < 0 {
		return nil, nil
	}
	return p.database(ctx, list.Data[i].ID)
}

// CreatePostgres creates a cluster, or finds the one of that name, and waits until it is ready.
func (p *Platform) CreatePostgres(ctx context.Context, spec platform.DatabaseSpec, report platform.Report) (*platform.Database, error) {
	org := spec.Org
	if org == "" {
		org = defaultOrg
	}
	have, err := p.findCluster(ctx, org, spec.Name)
	if err != nil {
		return nil, err
	}
	if have != nil { // made by a run that was cut off, or not ready at the moment
		report("database %s (%s) is %s", have.Name, have.ID, have.Status)
		return p.awaitAndAttach(ctx, have.ID, spec)
	}
	in := map[string]any{
		"org_slug": org, "name": spec.Name, "region": spec.Region, "plan": spec.Plan,
		"disk_size_gb": postgresDiskGB, "pg_major_version": strconv.Itoa(spec.Version), "pool_mode": spec.PoolMode,
	}
	var out struct {
		Data cluster `json:"data"`
	}
	if err := p.machinesCall(ctx, http.MethodPost, "/postgres", in, &out, nil); err != nil {
		return nil, explain(err, "create the database %q", spec.Name)
	}
	report("database %s (%s) is being created", spec.Name, out.Data.ID)
	return p.awaitAndAttach(ctx, out.Data.ID, spec)
}

func (p *Platform) awaitAndAttach(ctx context.Context, id string, spec platform.DatabaseSpec) (*platform.Database, error) {
	db, err := p.awaitCluster(ctx, id)
	if err != nil {
		return nil, err
	}
	// The attachment only records the link; the URLs are set as secrets by the deploy.
	path := "/postgres/" + url.PathEscape(db.ID) + "/attachments"
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
	path := "/postgres/" + url.PathEscape(id)
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
