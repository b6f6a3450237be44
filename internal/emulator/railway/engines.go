package railway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// The kinds of database service, which real servers stand for.
const (
	enginePostgres = "postgres"
	engineRedis    = "redis"
	enginePooler   = "pgbouncer"
)

// engineOf is the kind of database that an image is, "" for any other image.
func engineOf(image string) string {
	name, _, _ := strings.Cut(image, "@")
	if i := strings.LastIndex(name, ":"); i > strings.LastIndex(name, "/") {
		name = name[:i]
	}
	switch strings.TrimPrefix(strings.TrimPrefix(name, "docker.io/"), "library/") {
	case "ghcr.io/railwayapp-templates/postgres-ssl", "postgres":
		return enginePostgres
	case "ghcr.io/railwayapp-templates/redis", "redis", "bitnami/redis":
		return engineRedis
	case "ghcr.io/railwayapp-templates/pgbouncer":
		return enginePooler
	}
	return ""
}

// majorOf is the PostgreSQL version that an image's tag says, 0 when it says none.
func majorOf(image string) int {
	tag := image[strings.LastIndex(image, ":")+1:]
	major, _, _ := strings.Cut(tag, ".")
	n, err := strconv.Atoi(major)
	if err != nil {
		return 0
	}
	return n
}

// backend is the address of a database service's server.
type backend struct {
	host string
	port int
}

// targetOf finds where an instance's port leads: to its database server, or to
// one of its processes. Forwards call it without s.mu.
func (s *Server) targetOf(i *instance) func() string {
	return func() string {
		s.mu.Lock()
		b, name := s.dbs[i.ID], i.App
		s.mu.Unlock()
		if b != nil {
			return hostPort(b.host, b.port)
		}
		if app := s.w.App(name); app != nil {
			if list := app.Backends(); len(list) > 0 {
				return list[0]
			}
		}
		return ""
	}
}

// privatePort opens the port under which a database service is reached from
// the private network. It is there before the server is.
func (s *Server) privatePort(i *instance) (int, error) {
	f, err := s.forwardTo("private/"+i.ID, i.PrivatePort, s.targetOf(i))
	if err != nil {
		return 0, fail("could not open a port: %v", err)
	}
	i.PrivatePort = f.port()
	return i.PrivatePort, nil
}

// serveDatabase is the deployment of a database service: its server starts, or
// goes on when it runs already.
func (r *rollout) serveDatabase(ctx context.Context, engine string) error {
	done := r.step(stepContainer)
	if err := r.s.startBackend(ctx, r.i, r.d, engine); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.errorf("The database did not start: %v", err)
		done(eventPayload{Error: "Container failed to start", Detail: err.Error()})
		return &failure{statusFailed, "the database did not start"}
	}
	done(eventPayload{})
	s := r.s
	s.mu.Lock()
	id := s.uuid()
	r.d.Replicas = append(r.d.Replicas, id)
	s.mu.Unlock()
	return r.takeOver()
}

// restartDatabase is for a deployment out of a snapshot: the world has brought
// its servers back, on other ports perhaps.
func (r *rollout) restartDatabase(ctx context.Context, engine string) {
	s := r.s
	if err := s.startBackend(ctx, r.i, r.d, engine); err != nil && ctx.Err() == nil {
		s.mu.Lock()
		s.setStatus(r.d, statusCrashed)
		s.mu.Unlock()
		s.w.Logf("railway: the database of %s did not start again: %v", s.serviceName(r.i.ServiceID), err)
	}
}

// startBackend finds or starts the server behind a database service.
func (s *Server) startBackend(ctx context.Context, i *instance, d *deployment, engine string) error {
	switch engine {
	case enginePostgres:
		return s.startPostgres(ctx, i, d)
	case engineRedis:
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.startRedis(i)
	}
	return s.startPooler(ctx, i, d)
}

// dataOf is where a database service keeps its data: its volume, or for one
// without a volume a place of its own that goes with the service.
func (s *Server) dataOf(i *instance) *volumeInstance {
	if list := s.st.volumesOf(i.ServiceID, i.EnvironmentID); len(list) > 0 {
		return list[0]
	}
	if i.Ephemeral == nil {
		i.Ephemeral = &volumeInstance{ID: i.ID, EnvironmentID: i.EnvironmentID, SizeMB: volumeSize}
	}
	return i.Ephemeral
}

func (s *Server) startPostgres(ctx context.Context, i *instance, d *deployment) error {
	s.mu.Lock()
	data := s.dataOf(i)
	db, vars := s.w.Database(data.Postgres), d.Variables
	spec := world.DatabaseSpec{
		Name: s.serviceName(i.ServiceID), Major: majorOf(d.Image), User: vars["POSTGRES_USER"], Password: vars["POSTGRES_PASSWORD"], Database: vars["POSTGRES_DB"],
	}
	restore := data.Restore
	s.mu.Unlock()
	if spec.User == "" || spec.Password == "" || spec.Database == "" {
		return errors.New("POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB must be set")
	}
	var err error
	switch {
	case restore != "":
		if err = s.fill(ctx, data, spec.Password); err != nil {
			return err
		}
		s.mu.Lock()
		db = s.w.Database(data.Postgres)
		s.mu.Unlock()
	case db == nil:
		if db, err = s.w.NewDatabase(ctx, spec); err != nil {
			return err
		}
	}
	if db == nil {
		return errors.New("the volume has no data")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.st.instance(i.ServiceID, i.EnvironmentID) == nil { // deleted meanwhile
		return errors.Join(errOver, db.Stop())
	}
	data.Postgres = db.ID
	if vars["WAL_ARCHIVE_BUCKET"] == "" {
		data.PITRSince = time.Time{}
	} else if data.PITRSince.IsZero() {
		data.PITRSince = s.w.Now()
	}
	host, port := db.Addr()
	s.connectBackend(i, host, port)
	return nil
}

// connectBackend leads the service's ports to a server; connections to one
// that was there before end. Callers hold s.mu.
func (s *Server) connectBackend(i *instance, host string, port int) {
	old := s.dbs[i.ID]
	s.dbs[i.ID] = &backend{host, port}
	defer s.w.Touch() // a pooler may wait for it
	if f := s.fwd["private/"+i.ID]; f != nil && old != nil && *old != *s.dbs[i.ID] {
		f.hangUp()
	}
	s.touch()
}

// startRedis starts at once, so that the password is known before anything
// refers to it. Callers hold s.mu.
func (s *Server) startRedis(i *instance) error {
	data := s.dataOf(i)
	r := s.w.Redis(data.Redis)
	if r == nil {
		var err error
		if r, err = s.w.NewRedis(s.ctx, s.serviceName(i.ServiceID)); err != nil {
			return err
		}
		data.Redis = r.ID
	}
	for _, name := range []string{"REDIS_PASSWORD", "REDISPASSWORD"} {
		if v := i.Variables[name]; v != nil && !strings.Contains(v.Value, "${{") {
			v.Value = r.Password
		}
	}
	host, port := r.Addr()
	s.connectBackend(i, host, port)
	return nil
}

// startPooler leads the pooler's port to the pooler of the database that its
// variables name.
func (s *Server) startPooler(ctx context.Context, i *instance, d *deployment) error {
	_, port, err := net.SplitHostPort(hostOfURL(d.Variables["DATABASE_UNPOOLED_URL"]))
	if err != nil {
		return fmt.Errorf("DATABASE_UNPOOLED_URL names no server: %w", err)
	}
	var found *world.Database
	err = s.w.Await(ctx, func() bool { // its database may still be on its way
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, o := range s.st.instances(i.EnvironmentID) {
			if strconv.Itoa(o.PrivatePort) == port && s.dbs[o.ID] != nil {
				found = s.w.Database(s.dataOf(o).Postgres)
			}
		}
		return found != nil
	})
	if err != nil {
		return err
	}
	host, pooler := found.PoolerAddr()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connectBackend(i, host, pooler)
	return nil
}

// hostOfURL is the host:port of a connection URL.
func hostOfURL(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	rest, _, _ = strings.Cut(rest, "/")
	return rest[strings.LastIndex(rest, "@")+1:]
}

// stopBackend ends the servers whose data a volume (or an instance) has.
func (s *Server) stopBackend(id string) {
	v := s.st.volumeInstance(id)
	if v == nil {
		if i := find(s.st.Instances, func(i *instance) bool { return i.ID == id }); i != nil {
			v = i.Ephemeral
		}
	}
	if v == nil {
		return
	}
	if db := s.w.Database(v.Postgres); db != nil {
		s.background(func(context.Context) { _ = db.Stop() })
	}
	if r := s.w.Redis(v.Redis); r != nil {
		r.Stop()
	}
	v.Postgres, v.Redis = "", ""
}

// usedMB is how full a volume is.
func (s *Server) usedMB(v *volumeInstance) float64 {
	if v.Postgres != "" || v.Redis != "" {
		return 48
	}
	return 1
}
