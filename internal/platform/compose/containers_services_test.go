package compose_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/jackc/pgx/v5"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/execx"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/platform/compose"
)

func query(t *testing.T, address, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	must(t, err)
	defer conn.Close(t.Context())
	var got string
	must(t, conn.QueryRow(t.Context(), sql, pgx.QueryExecModeSimpleProtocol).Scan(&got))
	return got
}

var spec = platform.DatabaseSpec{App: app, Name: "suite-db", Version: 16, PoolMode: "transaction"}

// The app signs in as an ordinary role, to which row-level security applies.
func TestContainersPostgresOfItsOwn(t *testing.T) {
	r := needRig(t)
	p := outside{r.client(t, freePort(t), func(o *compose.Options) { o.PoolerImage = "localhost/opsctl-test/none:1" }), r, t}
	must(t, p.CreateApp(t.Context(), platform.AppSpec{Name: app}))
	var said []string
	db, err := p.CreatePostgres(t.Context(), spec, func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) })
	must(t, err)
	if !slices.ContainsFunc(said, func(s string) bool {
		return strings.Contains(s, "no connection pooler") && strings.Contains(s, "directly")
	}) || db.Pooled != db.Direct {
		t.Errorf("without a pooler's image: %q", said)
	}
	if got := query(t, db.Direct, "select rolsuper::text || current_database() from pg_roles where rolname = current_user"); got != "falseapp" {
		t.Errorf("superuser and database: %s", got)
	}
	// What is in it outlives the container.
	conn, err := pgx.Connect(t.Context(), db.Direct)
	must(t, err)
	_, err = conn.Exec(t.Context(), "create table kept as select 'yes'::text as v")
	must(t, err)
	must(t, conn.Close(t.Context()))
	r.docker(t, "rm", "--force", db.ID)
	if found, err := p.FindPostgres(t.Context(), app, spec.Name); err != nil || found == nil || found.Direct != "" || found.Status != "missing" {
		t.Errorf("without its container: %+v, %v", found, err)
	}
	db, err = p.CreatePostgres(t.Context(), spec, silent)
	must(t, err)
	if got := query(t, db.Direct, "select v from kept"); got != "yes" {
		t.Errorf("kept: %q", got)
	}
	if _, err := p.CreatePostgres(t.Context(), platform.DatabaseSpec{App: app, Name: "another"}, silent); errs.CodeOf(err) != errs.Usage {
		t.Errorf("a second database: %v", err)
	}
}

// With an image of PgBouncer: OPSCTL_TEST_POOLER_IMAGE, or the default when it is here.
func TestContainersPooler(t *testing.T) {
	r := needRig(t)
	image := os.Getenv("OPSCTL_TEST_POOLER_IMAGE")
	if image == "" {
		image = compose.DefaultPooler
		if execx.Run(t.Context(), execx.Cmd{Path: r.bin, Args: []string{"image", "inspect", image}}) != nil {
			t.Skipf("%s is not here; name another image in OPSCTL_TEST_POOLER_IMAGE", image)
		}
	}
	p := outside{r.client(t, freePort(t), func(o *compose.Options) { o.PoolerImage = image }), r, t}
	must(t, p.CreateApp(t.Context(), platform.AppSpec{Name: app}))
	db, err := p.CreatePostgres(t.Context(), spec, silent)
	must(t, err)
	if u, err := url.Parse(db.Pooled); err != nil || u.Port() != "6432" {
		t.Fatalf("the pooled address has not the pooler's port")
	}
	// Two sessions share a server connection: the mark of transaction mode.
	ctx := t.Context()
	var pids []string
	for range 2 {
		config, err := pgx.ParseConfig(db.Pooled)
		must(t, err)
		config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
		conn, err := pgx.ConnectConfig(ctx, config)
		must(t, err)
		defer conn.Close(ctx)
		var pid string
		must(t, conn.QueryRow(ctx, "select pg_backend_pid()::text").Scan(&pid))
		pids = append(pids, pid)
	}
	if pids[0] != pids[1] {
		t.Errorf("two sessions, one after the other, used the connections %v", pids)
	}
	found, err := p.FindPostgres(ctx, app, spec.Name)
	must(t, err)
	if found.Pooled != db.Pooled || found.Direct != db.Direct || found.Pooled == found.Direct {
		t.Error("found with other addresses")
	}
}

// composeText has what opsctl init renders: anchors, configs with content, health checks.
const composeText = `name: other
x-app: &app
  image: other:local
  build: {context: .}
  env_file: .env.none
  environment:
    NODE_ENV: production
    FROM_FILE: "${FROM_FILE:-default} of $$HOME"
    DATABASE_URL: postgresql://shop:pass@db:5432/shop
services:
  shop:
    <<: *app
    init: true
    mem_limit: 256m
    ports: ["%s:3000"]
    volumes: [uploads:/uploads]
    stop_grace_period: 3s
  migrate:
    <<: *app
    command: ["/app", "hello"]
  db:
    image: postgres:16-alpine
    environment: {POSTGRES_PASSWORD: pass}
    configs: [{source: role, target: /docker-entrypoint-initdb.d/10-role.sql}]
    volumes: [data:/var/lib/postgresql/data]
    healthcheck: {test: ["CMD", "pg_isready", "--host=127.0.0.1", "--username=postgres"], interval: 1s, retries: 30}
  cache:
    image: redis:7-alpine
    command: ["redis-server", "--appendonly", "yes"]
volumes: {data: , uploads: }
configs:
  role:
    content: |
      create role shop login password 'pass';
      create database shop owner shop;
`

func TestContainersComposeFile(t *testing.T) {
	r := needRig(t)
	publish := freePort(t)
	file := filepath.Join(t.TempDir(), "docker-compose.yml")
	must(t, os.WriteFile(file, fmt.Appendf(nil, composeText, publish), 0o644))
	p := outside{r.client(t, "", func(o *compose.Options) {
		o.File, o.Service, o.PoolerImage = compose.FindFile(filepath.Dir(file)), "shop", "localhost/opsctl-test/none:1"
	}), r, t}
	must(t, p.CreateApp(t.Context(), platform.AppSpec{Name: app}))
	db, err := p.CreatePostgres(t.Context(), spec, silent)
	must(t, err)
	if got := query(t, db.Direct, "select current_user::text"); got != "shop" {
		t.Errorf("signed in as %q", got)
	}
	cache, err := p.CreateRedis(t.Context(), platform.CacheSpec{App: app, Name: "suite-redis"}, silent)
	must(t, err)
	if !strings.HasPrefix(cache.URL, "redis://") || cache.ID != app+"-cache-1" {
		t.Errorf("%+v", cache)
	}
	release(t, p.Platform, "localhost/opsctl-test/suite:1", nil)
	state, err := p.Observe(t.Context(), app)
	must(t, err)
	if state.URL != "http://"+publish || len(state.Instances) != 2 || !strings.HasPrefix(state.Instances[0].ID, app+"-shop-") {
		t.Errorf("%+v", state)
	}
	for name, want := range map[string]string{"NODE_ENV": "production", "FROM_FILE": "default of $HOME", "DATABASE_URL": ""} {
		if got, err := visit(t.Context(), publish, "/env?name="+name); err != nil || got != want {
			t.Errorf("%s=%q, %v", name, got, err)
		}
	}
	const format = "{{.HostConfig.Init}} {{.HostConfig.Memory}} {{.Config.StopTimeout}} {{range .Mounts}}{{.Name}}{{end}}"
	if got := r.docker(t, "inspect", "--format", format, state.Instances[0].ID); !strings.HasPrefix(got, "true 268435456 ") || !strings.HasSuffix(got, " suite_uploads") {
		t.Errorf("the container is %q", got)
	}
	// By its labels, `docker compose ps` finds everything.
	services := strings.Fields(r.docker(t, "ps", "--filter", "label=com.docker.compose.project="+app, "--filter", "label=com.docker.compose.oneoff=False",
		"--filter", "label=com.docker.compose.config-hash", "--format", `{{.Label "com.docker.compose.service"}}`))
	if slices.Sort(services); !slices.Equal(services, []string{"cache", "db", "opsctl-front", "shop", "shop"}) {
		t.Errorf("services %v", services)
	}
}

// Values of secrets are in a file of mode 600 and in the containers, and never in an
// argument of a command; names that mean something to the engine's program are harmless.
func TestContainersSecretsStayPrivate(t *testing.T) {
	r := needRig(t)
	publish := freePort(t)
	var mu sync.Mutex
	var args []string
	p := r.client(t, publish, func(o *compose.Options) {
		o.Run = func(ctx context.Context, c execx.Cmd) error {
			mu.Lock()
			args = append(args, c.Args...)
			mu.Unlock()
			c.Path = r.bin
			return execx.Run(ctx, c)
		}
	})
	must(t, p.CreateApp(t.Context(), platform.AppSpec{Name: app}))
	values := map[string]string{
		"API_KEY": "canary-1\nline two", "DOCKER_HOST": "tcp://canary-2:1", "PATH": "/canary-3", "HTTPS_PROXY": "http://canary-4", "HOME": "  canary-5 \"'$x ",
		"GOOGLE_KEY": "canary-6\r\n-----",
	}
	changes := map[string]*string{}
	for name, value := range values {
		changes[name] = &value
	}
	must(t, p.StageSecrets(t.Context(), app, changes))
	release(t, p, "localhost/opsctl-test/suite:1", func(r *platform.Release) { r.Instances = 1 })
	for name, want := range values {
		if got, err := visit(t.Context(), publish, "/env?name="+name); err != nil || got != want {
			t.Errorf("%s=%q, want %q, %v", name, got, want, err)
		}
	}
	if db, err := p.CreatePostgres(t.Context(), spec, silent); err != nil || db == nil {
		t.Fatal(err)
	} else if u, _ := url.Parse(db.Direct); u != nil {
		password, _ := u.User.Password()
		values["DATABASE_PASSWORD"] = password
	}
	for _, value := range values {
		for _, arg := range args {
			if strings.Contains(arg, strings.TrimSpace(value)) {
				t.Fatalf("the argument %q", arg)
			}
		}
	}
	modes := r.docker(t, "run", "--rm", "--entrypoint", "stat", "--volume", app+"_opsctl:/state:ro", "postgres:16-alpine", "-c", "%a %n", "/state/secrets.env", "/state/releases.json", "/state/services.json")
	if modes != "600 /state/secrets.env\n600 /state/releases.json\n600 /state/services.json" {
		t.Errorf("modes:\n%s", modes)
	}
}

// An image of a registry: pulled, pinned by its digest, kept under the release's name.
func TestContainersImageOfARegistry(t *testing.T) {
	r := needRig(t)
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.Replace(strings.TrimPrefix(server.URL, "http://"), "127.0.0.1", "localhost", 1)
	ref := host + "/shop:v1"
	r.docker(t, "tag", "localhost/opsctl-test/suite:1", ref)
	pushed := r.docker(t, "push", ref)
	r.docker(t, "rmi", ref)
	p := r.client(t, freePort(t), nil)
	must(t, p.CreateApp(t.Context(), platform.AppSpec{Name: app}))
	image, err := p.ResolveImage(t.Context(), app, ref)
	must(t, err)
	if !strings.Contains(pushed, image.Digest) {
		t.Errorf("digest %s; the push said %s", image.Digest, pushed)
	}
	// The tag moves on; the release that runs does not.
	first := release(t, p, ref, nil)
	r.docker(t, "tag", "localhost/opsctl-test/suite:2", ref)
	r.docker(t, "push", ref)
	moved, err := p.ResolveImage(t.Context(), app, ref)
	must(t, err)
	if moved.Digest == image.Digest {
		t.Error("the tag was not looked at again")
	}
	release(t, p, ref, nil)
	if _, err := p.ResolveImage(t.Context(), app, host+"/shop:none"); errs.CodeOf(err) != errs.NotFound {
		t.Errorf("a missing tag: %v", err)
	}
	server.Close() // and the registry is gone
	if again, err := p.ResolveImage(t.Context(), app, ref); err != nil || again.Digest != moved.Digest {
		t.Errorf("without the registry: %+v, %v", again, err)
	}
	r.docker(t, "rmi", ref)
	_, err = p.Restore(t.Context(), app, first, silent)
	must(t, err)
	state, err := p.Observe(t.Context(), app)
	must(t, err)
	if !platform.SameImage(state.Current.Image, image.Pinned()) || state.Mixed {
		t.Errorf("restored %+v", state.Current)
	}
}
