package render

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// databaseTimeout is how long a new database may take; Render says minutes.
const databaseTimeout = 20 * time.Minute

// available is the status of a database or cache that is ready.
const available = "available"

// FindPostgres finds a database by name in the workspace. One whose id was written
// down costs one request, else it is two; its status is not asked for then, and empty.
func (p *Platform) FindPostgres(ctx context.Context, app, name string) (*platform.Database, error) {
	id, err := p.storeID(ctx, app, name, "dpg-")
	if err != nil {
		return nil, err
	}
	if id != "" {
		db := &platform.Database{ID: id, Name: name}
		if err := p.connect(ctx, db); !missing(err) {
			return db, err
		}
	}
	ownerID, err := p.ownerID(ctx, "")
	if err != nil {
		return nil, err
	}
	found, err := p.findPostgres(ctx, ownerID, name)
	if err != nil || found == nil {
		return nil, err
	}
	db := found.database()
	if found.Status == available {
		err = p.connect(ctx, db)
	}
	return db, err
}

// storeID is the id of a database or cache as it was written down, or found before.
func (p *Platform) storeID(ctx context.Context, app, name, prefix string) (string, error) {
	p.mu.Lock()
	id := p.found[name]
	p.mu.Unlock()
	if id == "" {
		s, err := p.look(ctx, app)
		if err != nil {
			return "", err
		}
		id = s.ledger.Stores[name]
	}
	if !strings.HasPrefix(id, prefix) {
		id = ""
	}
	return id, nil
}

func (d *postgres) database() *platform.Database {
	return &platform.Database{ID: d.ID, Name: d.Name, Status: d.Status, Region: d.Region}
}

func (p *Platform) findPostgres(ctx context.Context, ownerID, name string) (*postgres, error) {
	query := url.Values{"name": {name}, "ownerId": {ownerID}, "includeReplicas": {"false"}}
	all, err := list[postgres](ctx, p, "/postgres", query, "postgres", 0)
	if err != nil {
		return nil, explain(err, "look for the database %q", name)
	}
	all = slices.DeleteFunc(all, func(d postgres) bool { return d.Name != name })
	if len(all) == 0 {
		return nil, nil
	}
	return new(slices.MinFunc(all, func(a, b postgres) int { return a.CreatedAt.Compare(b.CreatedAt) })), nil
}

// connect reads the URLs, as an app on Render uses them. A database without a
// connection pool has the direct one for both.
func (p *Platform) connect(ctx context.Context, db *platform.Database) error {
	var info struct {
		Internal string `json:"internalConnectionString"`
		Pool     string `json:"internalConnectionPoolString"`
	}
	if err := p.call(ctx, http.MethodGet, "/postgres/"+url.PathEscape(db.ID)+"/connection-info", nil, nil, &info); err != nil {
		return explain(err, "read the URLs of the database %q", db.Name)
	}
	db.Direct, db.Pooled = info.Internal, info.Pool
	if db.Pooled == "" {
		db.Pooled = db.Direct
	}
	p.remember(db.Name, db.ID)
	return nil
}

// remember keeps an id, to be written down with the next notes.
func (p *Platform) remember(name, id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.found[name] = id
}

// postgresPlan is Render's name of a plan; the general word is the smallest that
// is paid for, since the free one has no backups and ends after a month.
func postgresPlan(plan string) string {
	switch plan {
	case "", "basic":
		return "basic_256mb"
	case "pro":
		return "pro_4gb"
	}
	return plan
}

// CreatePostgres makes a database with PgBouncer in front, in transaction mode,
// which is the only one that Render has; in session mode it is made without.
func (p *Platform) CreatePostgres(ctx context.Context, spec platform.DatabaseSpec, report platform.Report) (*platform.Database, error) {
	ownerID, err := p.ownerID(ctx, spec.Org)
	if err != nil {
		return nil, err
	}
	if err := checkRegion(spec.Region, nil); err != nil {
		return nil, err
	}
	made, err := p.findPostgres(ctx, ownerID, spec.Name)
	if err != nil {
		return nil, err
	}
	if made != nil { // by a run that was cut off, or not ready at the moment
		report("database %s (%s) is %s", made.Name, made.ID, made.Status)
		return p.awaitPostgres(ctx, made.ID)
	}
	environment, err := p.environmentID(ctx, ownerID)
	if err != nil {
		return nil, err
	}
	in := map[string]any{
		"name": spec.Name, "ownerId": ownerID, "plan": postgresPlan(spec.Plan), "version": strconv.Itoa(spec.Version), "connectionPool": "pgbouncer",
		"ipAllowList": []any{}, // nobody outside of Render's network; left out it may be everybody
	}
	if spec.PoolMode == "session" {
		report("Render's pool has the transaction mode only: %s gets none", spec.Name)
		in["connectionPool"] = "none"
	}
	if spec.Region != "" {
		in["region"] = spec.Region
	}
	if environment != "" {
		in["environmentId"] = environment
	}
	made = &postgres{}
	err = p.once(ctx,
		func() error { return p.call(ctx, http.MethodPost, "/postgres", nil, in, made) },
		func() (bool, error) {
			found, err := p.findPostgres(ctx, ownerID, spec.Name)
			if found != nil {
				made = found
			}
			return found != nil, err
		})
	if status(err) == http.StatusBadRequest {
		return nil, errs.Wrap(err, errs.Usage, "create the database %q", spec.Name).WithHint("postgres.plan is one of Render's: basic_256mb, basic_1gb, basic_4gb, pro_4gb and so on")
	}
	if err != nil {
		return nil, explain(err, "create the database %q", spec.Name)
	}
	report("database %s (%s) is being created", spec.Name, made.ID)
	return p.awaitPostgres(ctx, made.ID)
}

// awaitPostgres waits until a database is ready, and reads its URLs.
func (p *Platform) awaitPostgres(ctx context.Context, id string) (*platform.Database, error) {
	deadline := p.now().Add(databaseTimeout)
	for look := p.pause(); ; {
		var d postgres
		err := p.call(ctx, http.MethodGet, "/postgres/"+url.PathEscape(id), nil, nil, &d)
		switch {
		case err != nil && !transient(err) && !missing(err): // a new one may take a moment to show
			return nil, explain(err, "look at the database %s", id)
		case err == nil && d.Status == available:
			db := d.database()
			return db, p.connect(ctx, db)
		case err == nil && (d.Status == "recovery_failed" || d.Status == "suspended"):
			return nil, errs.New(errs.Failure, "database %q (%s) is %s", d.Name, id, strings.ReplaceAll(d.Status, "_", " ")).
				WithHint("look at it: https://dashboard.render.com/d/%s", id)
		}
		if p.now().After(deadline) {
			return nil, errs.New(errs.Timeout, "database %s is not ready after %s: it is %s", id, databaseTimeout, d.Status).
				WithHint("run the same command again: it waits for the same database")
		}
		if err := look.wait(ctx); err != nil {
			return nil, err
		}
	}
}
