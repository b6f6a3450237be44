package compose

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// The database and the role that the app signs in with, in a server of opsctl's own
// definition. The role is an ordinary one: the image's own user is a superuser, for
// whom row-level security does not hold.
const (
	appRole     = "app"
	appDatabase = "app"
)

// appRoleSQL runs once, when the volume is empty. psql takes the password from the
// container's environment.
const appRoleSQL = `\getenv password APP_PASSWORD
create role "app" login password :'password';
create database "app" owner "app";
`

func itoa(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// FindPostgres finds the app's database; one that is not ready has no addresses yet.
func (p *Platform) FindPostgres(ctx context.Context, app, name string) (*platform.Database, error) {
	now, err := p.look(ctx, app)
	if errs.CodeOf(err) == errs.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := parseManaged(now.dump.Files[servicesFile])
	if err != nil || m.Postgres == nil || m.Postgres.Name != name {
		return nil, err
	}
	for _, c := range now.containers {
		if c.service() == m.Postgres.Service && c.role() != roleApp && c.role() != roleTask {
			return database(m.Postgres, c), nil
		}
	}
	return &platform.Database{Name: name, ID: serviceName(app, m.Postgres.Service), Status: "missing"}, nil
}

func database(s *managedService, c container) *platform.Database {
	db := &platform.Database{ID: c.name(), Name: s.Name, Status: status(c)}
	if ready(c) {
		db.Direct, db.Pooled = s.Direct, s.Pooled
	}
	return db
}

// CreatePostgres makes the server and its pooler, or finds and starts them, and waits
// until they are ready. The server is the compose file's where that has one.
func (p *Platform) CreatePostgres(ctx context.Context, spec platform.DatabaseSpec, report platform.Report) (*platform.Database, error) {
	app := spec.App
	if err := p.exists(ctx, app); err != nil {
		return nil, err
	}
	f, err := p.composeFile(app)
	if err != nil {
		return nil, err
	}
	// The passwords are on record before the server that has them.
	m, err := p.manage(ctx, app, func(m *managed) error {
		if err := otherName(m.Postgres, spec.Name); err != nil {
			return err
		}
		if m.Postgres == nil {
			m.Postgres = &managedService{Name: spec.Name, Service: "postgres", Password: randomHex(24), Admin: randomHex(24)}
			if f != nil && f.postgres != nil {
				m.Postgres = &managedService{Name: spec.Name, Service: f.postgres.name}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	server, direct := ownPostgres(app, spec.Version, m.Postgres), ""
	if f != nil && f.postgres != nil && m.Postgres.Password == "" {
		server = f.postgres
		if direct, err = f.databaseURL(); err != nil {
			return nil, err
		}
	} else {
		direct = postgresURL(appRole, m.Postgres.Password, "postgres", 5432, appDatabase)
	}
	c, err := p.ensureService(ctx, app, server, report)
	if err != nil {
		return nil, err
	}
	if err := p.awaitService(ctx, c.name(), c.name(), "pg_isready", "--host=127.0.0.1"); err != nil {
		return nil, err
	}
	pooled, err := p.ensurePooler(ctx, spec, f, direct, c.name(), report)
	if err != nil {
		return nil, err
	}
	m, err = p.manage(ctx, app, func(m *managed) error {
		if m.Postgres == nil {
			return errs.New(errs.Conflict, "somebody else has removed the database of %q", app)
		}
		m.Postgres.Direct, m.Postgres.Pooled = direct, pooled
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &platform.Database{ID: c.name(), Name: spec.Name, Status: "ready", Direct: m.Postgres.Direct, Pooled: m.Postgres.Pooled}, nil
}

// ownPostgres is the server when no compose file has one.
func ownPostgres(app string, version int, s *managedService) *service {
	data := readVolumeName(app, "postgres-data")
	return &service{
		name: "postgres", image: fmt.Sprintf("postgres:%d-alpine", cmp.Or(version, 16)), checked: true,
		env:   map[string]string{"POSTGRES_PASSWORD": s.Admin, "APP_PASSWORD": s.Password},
		files: []file{{path: "/docker-entrypoint-initdb.d/10-app-role.sql", content: []byte(appRoleSQL), mode: 0o444}},
		flags: []string{
			"--mount", "type=volume,target=/var/lib/postgresql/data,source=" + data.name, "--shm-size", "256m", "--stop-timeout", "60",
			// By TCP: while it sets the database up, the image's server listens on its socket alone.
			"--health-cmd", "pg_isready --host=127.0.0.1 --username=postgres", "--health-interval", "2s", "--health-timeout", "5s",
			"--health-start-period", "5s", "--health-retries", "10",
		},
		volumes: []volume{data},
	}
}

// readVolumeName is a named volume of the app, by Compose's names.
func readVolumeName(app, key string) volume {
	return volume{name: app + "_" + key, flags: []string{"--label", composeProject + "=" + app, "--label", composeVolume + "=" + key, "--label", labelApp + "=" + app}}
}

func postgresURL(user, password, host string, port int, name string) string {
	u := url.URL{Scheme: "postgresql", User: url.UserPassword(user, password), Host: net.JoinHostPort(host, strconv.Itoa(port)), Path: "/" + name}
	return u.String()
}

// databaseURL is how the compose file's app reaches its server: as it says itself,
// or by what the server's image is told.
func (f *composeFile) databaseURL() (string, error) {
	if f.app != nil {
		for _, name := range []string{"DIRECT_DATABASE_URL", "DATABASE_URL"} {
			if u, err := url.Parse(f.app.env[name]); err == nil && u.Hostname() == f.postgres.name {
				return f.app.env[name], nil
			}
		}
	}
	env := f.postgres.env
	user := cmp.Or(env["POSTGRES_USER"], "postgres")
	if env["POSTGRES_PASSWORD"] == "" && env["POSTGRES_HOST_AUTH_METHOD"] != "trust" {
		return "", errs.New(errs.Usage, "the compose file does not say how the app signs in to the service %s", f.postgres.name).
			WithHint("give the app's service a DATABASE_URL with the host %s, or the server's a POSTGRES_PASSWORD, in `environment`", f.postgres.name)
	}
	return postgresURL(user, env["POSTGRES_PASSWORD"], f.postgres.name, 5432, cmp.Or(env["POSTGRES_DB"], user)), nil
}
