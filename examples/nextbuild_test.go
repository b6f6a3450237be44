package examples_test

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opsctl/opsctl/examples"
)

// The promise of init, on real tools: what it writes into the example builds with
// Next.js's own build, runs as the image runs it, migrates a real PostgreSQL, and
// tells the truth about it and Redis.
func TestExampleBuildsAndRunsAfterInit(t *testing.T) {
	needTools(t)
	tools := installTools(t)

	t.Run("pnpm", func(t *testing.T) {
		repo := t.TempDir()
		write(t, repo)
		initRepo(t, repo)
		image := imageOf(t, repo, tools)
		image.run(t, repo, "pnpm install")
		app := image.assemble(t, repo, "pnpm run build", "db/migrations")

		s := startServices(t)
		t.Run("migrations", func(t *testing.T) { checkMigrations(t, app, s) })
		server := startApp(t, app, s)
		t.Run("health", func(t *testing.T) { checkHealth(t, server, s, "erp", "0.1.0") })
		t.Run("webhook", func(t *testing.T) { checkWebhook(t, server, s) })
		t.Run("services stop and come back", func(t *testing.T) { checkOutages(t, server, s) })
		t.Run("ends on SIGTERM", func(t *testing.T) { checkShutdown(t, server) })
	})

	// The other half of init's choices: npm, JavaScript, Drizzle on postgres.js, ioredis.
	t.Run("npm", func(t *testing.T) {
		repo := t.TempDir()
		extract(t, repo, "testdata/npm-drizzle.txtar")
		run(t, repo, "npm", "install", "--package-lock-only", "--no-audit", "--no-fund")
		initRepo(t, repo)
		image := imageOf(t, repo, tools)
		deps := image.deps(t, repo)
		image.run(t, deps, "node -e") // takes the install script out: its source is not here
		if out, err := image.output(t, deps, "npm ci"); err != nil {
			// A registry mirror without the packages of other systems makes a lockfile that npm itself finds incomplete.
			if !strings.Contains(out, "from lock file") {
				t.Fatalf("%v\n%s", err, out)
			}
			t.Log("npm ci refuses the lockfile that npm wrote from this registry; npm install instead")
			run(t, deps, "npm", "install", "--no-audit", "--no-fund")
		}
		copyTree(t, filepath.Join(deps, "node_modules"), filepath.Join(repo, "node_modules"))
		image.run(t, repo, "npm run postinstall")
		app := image.assemble(t, repo, "npm run build", "drizzle")

		s := startServices(t)
		for _, both := range [][]string{migrateAtOnce(app, s), migrateAtOnce(app, s)} {
			for _, out := range both {
				if strings.TrimSpace(out) != "migrations are in place" {
					t.Errorf("the migrator said: %s", out)
				}
			}
		}
		if got := s.query(t, "select count(*)::text from drizzle.__drizzle_migrations"); got != "2" {
			t.Errorf("Drizzle recorded %s migrations, want 2", got)
		}
		server := startApp(t, app, s)
		checkHealth(t, server, s, "tickets", "1.4.0")
		if status, _, body := server.get(t, "/"); status != http.StatusOK || !strings.Contains(body, "0 tickets") {
			t.Errorf("the page is %d: %s", status, body)
		}
		checkOutages(t, server, s)
	})
}

// migrateAtOnce runs two bundled migrators at the same time and returns what they said.
func migrateAtOnce(app string, s *services) []string {
	outputs := make(chan string, 2)
	for range 2 {
		go func() {
			out, err := output(context.Background(), app, s.env(), "node", "migrate.mjs")
			if err != nil {
				out += err.Error()
			}
			outputs <- out
		}()
	}
	return []string{<-outputs, <-outputs}
}

func write(t *testing.T, dir string) {
	t.Helper()
	if err := examples.Write(dir, examples.ERP()); err != nil {
		t.Fatal(err)
	}
}

// checkHealth expects 200 with everything up, in a form that a deploy can rely on.
func checkHealth(t *testing.T, a *app, s *services, name, version string) {
	t.Helper()
	status, header, body := a.get(t, "/api/health")
	if status != http.StatusOK {
		t.Fatalf("health is %d: %s\n%s", status, body, a.log)
	}
	if got := header.Get("Content-Type"); got != "application/health+json" {
		t.Errorf("Content-Type is %q", got)
	}
	if got := header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control is %q", got)
	}
	h := parseHealth(t, body)
	if h.Status != "pass" || h.ReleaseID != release || h.Version != version || h.ServiceID != name {
		t.Errorf("unexpected health: %s", body)
	}
	for _, name := range []string{"postgres", "redis"} {
		if got := h.of(name); got.Status != "pass" || got.Unit != "ms" || got.Time == "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	s.mustNotLeak(t, body)
	if status, _, body := a.get(t, "/livez"); status != http.StatusOK || !strings.Contains(body, `"pass"`) {
		t.Errorf("livez is %d: %s", status, body)
	}
}

func checkOutages(t *testing.T, a *app, s *services) {
	for _, tt := range []struct {
		down, up    string
		stop, start func(*testing.T)
	}{
		{"postgres", "redis", s.stopPostgres, s.startPostgres},
		{"redis", "postgres", s.stopRedis, s.startRedis},
	} {
		t.Run(tt.down, func(t *testing.T) {
			tt.stop(t)
			status, _, body := a.get(t, "/api/health")
			if status != http.StatusServiceUnavailable {
				t.Fatalf("health is %d with %s stopped: %s", status, tt.down, body)
			}
			h := parseHealth(t, body)
			if h.Status != "fail" || h.of(tt.down).Status != "fail" || h.of(tt.up).Status != "pass" {
				t.Errorf("unexpected health: %s", body)
			}
			s.mustNotLeak(t, body)
			if status, _, _ := a.get(t, "/livez"); status != http.StatusOK {
				t.Errorf("livez is %d with %s stopped: the platform would restart the app for it", status, tt.down)
			}
			tt.start(t)
			if status, _, body := a.get(t, "/api/health"); status != http.StatusOK {
				t.Errorf("health is %d after %s came back: %s\n%s", status, tt.down, body, a.log)
			}
		})
	}
}

// checkMigrations runs the bundled migrator as the release command does.
func checkMigrations(t *testing.T, app string, s *services) {
	// Two at once on an empty database, as two deploys would: each file is applied once.
	both := strings.Join(migrateAtOnce(app, s), "")
	if strings.Count(both, "applied 0001_") != 1 || strings.Count(both, "applied 0002_") != 1 || !strings.Contains(both, "nothing to apply, 2") {
		t.Fatalf("two migrators at once said:\n%s", both)
	}
	out, err := output(t.Context(), app, s.env(), "node", "migrate.mjs")
	if err != nil || !strings.Contains(out, "nothing to apply") {
		t.Errorf("a second run: %v\n%s", err, out)
	}
	if got := s.query(t, "select count(*)::text from schema_migrations"); got != "2" {
		t.Errorf("%s migrations are recorded, want 2", got)
	}
	t.Run("a changed file is refused", func(t *testing.T) { checkChangedMigration(t, app, s) })
	t.Run("a broken file changes nothing", func(t *testing.T) { checkBrokenMigration(t, app, s) })
	t.Run("the seed fits", func(t *testing.T) {
		s.exec(t, examples.Seed())
		s.exec(t, examples.Seed())
		if got := s.queryAsTenant(t, "org_mill", "select count(*)::text from invoices"); got != "1500" {
			t.Errorf("a tenant sees %s invoices, want 1500", got)
		}
		if got := s.query(t, "select count(*)::text from invoices"); got != "0" {
			t.Errorf("without a tenant, %s invoices are visible, want none", got)
		}
	})
}
