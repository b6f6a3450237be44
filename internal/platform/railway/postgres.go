package railway

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// The variables that the templates give to their services.
const (
	varURL      = "DATABASE_URL"
	varUnpooled = "DATABASE_UNPOOLED_URL"
	varPoolMode = "POOL_MODE"
	varArchive  = "WAL_ARCHIVE_BUCKET" // set where point-in-time recovery is on
	varRedis    = "REDIS_URL"
)

// dataTimeout is how long a new database may take.
const dataTimeout = 15 * time.Minute

// FindPostgres finds a database service by name.
func (p *Platform) FindPostgres(ctx context.Context, app, name string) (*platform.Database, error) {
	d, err := p.dataOf(ctx, app, name)
	if err != nil {
		return nil, err
	}
	return d.database(name), nil
}

// database is the database of that name; nil when there is none.
func (d *dataServices) database(name string) *platform.Database {
	root := d.named(name)
	if root == nil || strings.Contains(root.image(), "redis") {
		return nil
	}
	db := &platform.Database{ID: root.ID, Name: name, Status: root.status()}
	db.Direct = cmp.Or(root.vars.get(varUnpooled), root.vars.get(varURL))
	db.Pooled = root.vars.get(varURL)
	if pool := d.pooler(root); pool != nil {
		db.Pooled = pool.vars.get(varURL)
		db.Direct = cmp.Or(root.vars.get(varUnpooled), pool.vars.get(varUnpooled), db.Direct)
		if pool.status() != "ready" {
			db.Status = pool.status()
		}
	}
	return db
}

// pooler is the PgBouncer in front of a database: the one that says that it
// leads there. Nil when there is none.
func (d *dataServices) pooler(root *dataService) *dataService {
	for i, s := range d.list {
		if s.ID == root.ID || !strings.Contains(s.image(), "pgbouncer") {
			continue
		}
		behind := s.vars.get(varUnpooled)
		if sameHost(behind, root.vars.get(varUnpooled)) || sameHost(behind, root.vars.get(varURL)) || sameHost(s.vars.get(varURL), root.vars.get(varURL)) {
			return &d.list[i]
		}
	}
	return nil
}

// pooled tells that a pooler is in front of a database.
func (d *dataServices) pooled(name string) bool {
	root := d.named(name)
	return root != nil && (root.vars.get(varUnpooled) != "" || d.pooler(root) != nil)
}

// CreatePostgres makes a database from Railway's template, and lays PgBouncer
// and point-in-time recovery over it.
func (p *Platform) CreatePostgres(ctx context.Context, spec platform.DatabaseSpec, report platform.Report) (*platform.Database, error) {
	l, err := p.where(ctx, spec.App)
	if err != nil {
		return nil, err
	}
	d, err := p.dataAnew(ctx, spec.App, spec.Name)
	if err != nil {
		return nil, err
	}
	if root := d.named(spec.Name); root != nil { // made by a run that was cut off, or not ready at the moment
		report("database %s (%s) is %s", spec.Name, root.ID, root.status())
	} else {
		report("database %s is being created", spec.Name)
		if l, err = p.serviceFrom(ctx, spec.App, l, templatePostgres, spec.Name, func(s templateService) {
			s.version(spec.Version)
			inRegion(s, spec.Region)
		}); err != nil {
			return nil, err
		}
	}
	if d, err = p.awaitData(ctx, spec.App, spec.Name); err != nil {
		return nil, err
	}
	if err := p.addPooler(ctx, l, d, spec, report); err != nil {
		return nil, err
	}
	p.addRecovery(ctx, l, d, spec, report)
	if d, err = p.awaitData(ctx, spec.App, spec.Name); err != nil {
		return nil, err
	}
	return d.database(spec.Name), nil
}

// inRegion places a service of a template.
func inRegion(s templateService, region string) {
	if region != "" {
		s.part("deploy")["multiRegionConfig"] = map[string]any{region: map[string]any{"numReplicas": 1}}
	}
}

func (p *Platform) addPooler(ctx context.Context, l *place, d *dataServices, spec platform.DatabaseSpec, report platform.Report) error {
	if spec.PoolMode == "" || d.pooled(spec.Name) {
		return nil
	}
	report("PgBouncer (%s) is put in front of %s", spec.PoolMode, spec.Name)
	t, err := p.template(ctx, templatePgBouncer)
	if err != nil {
		return err
	}
	for _, s := range t.services() {
		if s["clusterRole"] == "edge" || strings.Contains(s.image(), "pgbouncer") {
			s.variable(varPoolMode, spec.PoolMode)
			inRegion(s, spec.Region)
		}
	}
	done := func() (bool, error) {
		now, err := p.dataAnew(ctx, spec.App, spec.Name)
		return err == nil && now.pooled(spec.Name), err
	}
	err = p.apply(ctx, l, t, d.named(spec.Name).ID, done)
	return p.explain(err, "put PgBouncer in front of %q", spec.Name)
}

// addRecovery switches point-in-time recovery on. A database without it is one
// still, so it is no error when Railway does not.
func (p *Platform) addRecovery(ctx context.Context, l *place, d *dataServices, spec platform.DatabaseSpec, report platform.Report) {
	root := d.named(spec.Name)
	if _, on := root.vars[varArchive]; on {
		return
	}
	t, err := p.template(ctx, templateRecovery)
	if err == nil {
		err = p.apply(ctx, l, t, root.ID, func() (bool, error) {
			now, err := p.dataAnew(ctx, spec.App, spec.Name)
			if err != nil || now.named(spec.Name) == nil {
				return false, err
			}
			_, on := now.named(spec.Name).vars[varArchive]
			return on, nil
		})
	}
	if err != nil {
		report("point-in-time recovery of %s is not on: %v", spec.Name, err)
		return
	}
	report("point-in-time recovery of %s is on", spec.Name)
}

// dataAnew reads the data services again.
func (p *Platform) dataAnew(ctx context.Context, app string, names ...string) (*dataServices, error) {
	p.forget()
	return p.dataOf(ctx, app, names...)
}

// awaitData waits until a service, and a pooler in front of it, run.
func (p *Platform) awaitData(ctx context.Context, app, name string) (*dataServices, error) {
	deadline := p.o.Now().Add(dataTimeout)
	for round := 0; ; round++ {
		d, err := p.dataAnew(ctx, app, name)
		if err != nil && !transient(err) && errs.CodeOf(err) != errs.Failure {
			return nil, err
		}
		status := "not to be seen"
		if s := d.named(name); err == nil && s != nil {
			status = s.status()
			if pool := d.pooler(s); pool != nil && status == "ready" {
				status = pool.status()
			}
			if status == "ready" && (s.vars.get(varURL) != "" || s.vars.get(varRedis) != "") {
				return d, nil
			}
		}
		switch status {
		case "failed", "crashed":
			return nil, errs.New(errs.Failure, "%s has %s", name, status).WithHint("see its deployment in Railway's dashboard")
		}
		if p.o.Now().After(deadline) {
			return nil, errs.New(errs.Timeout, "%s is not ready after %s: it is %s", name, dataTimeout, status).WithHint("run the same command again: it waits for the same one")
		}
		if err := p.pause(ctx, round); err != nil {
			return nil, err
		}
	}
}

// FindRedis finds a Redis service by name.
func (p *Platform) FindRedis(ctx context.Context, app, name string) (*platform.Cache, error) {
	d, err := p.dataOf(ctx, app, name)
	if err != nil {
		return nil, err
	}
	return d.cache(name), nil
}

func (d *dataServices) cache(name string) *platform.Cache {
	s := d.named(name)
	if s == nil || strings.Contains(s.image(), "postgres") {
		return nil
	}
	return &platform.Cache{ID: s.ID, Name: name, Status: s.status(), URL: s.vars.get(varRedis)}
}

// CreateRedis makes a Redis from Railway's template.
func (p *Platform) CreateRedis(ctx context.Context, spec platform.CacheSpec, report platform.Report) (*platform.Cache, error) {
	l, err := p.where(ctx, spec.App)
	if err != nil {
		return nil, err
	}
	d, err := p.dataAnew(ctx, spec.App, spec.Name)
	if err != nil {
		return nil, err
	}
	if s := d.named(spec.Name); s != nil {
		report("Redis %s (%s) is %s", spec.Name, s.ID, s.status())
	} else {
		report("Redis %s is being created", spec.Name)
		if _, err = p.serviceFrom(ctx, spec.App, l, templateRedis, spec.Name, func(s templateService) {
			s.version(spec.Version)
			inRegion(s, spec.Region)
		}); err != nil {
			return nil, err
		}
	}
	if d, err = p.awaitData(ctx, spec.App, spec.Name); err != nil {
		return nil, err
	}
	return d.cache(spec.Name), nil
}
