package examples_test

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/execx"
)

// contained is an example as its image is tested: the repository after init, with
// secrets and tests lying about in it that no image may hold.
type contained struct {
	*engine
	repo, image string
	secret      string   // in every file with a secret
	test        string   // in every file of the tests
	flags       []string // of docker build
}

func (e *engine) contain(t *testing.T, name, repo string) *contained {
	t.Helper()
	return &contained{
		engine: e, repo: repo, image: e.name(name) + ":1",
		secret: "canary-" + rand.Text(), test: "a test " + rand.Text(),
	}
}

func (c *contained) put(t *testing.T, content string, names ...string) {
	t.Helper()
	for _, name := range names {
		file := filepath.Join(c.repo, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// The promise of init, on real containers: the image builds from a working copy as
// people have it, holds the app and nothing else, and runs as a platform runs it.
func TestContainers(t *testing.T) {
	e := needEngine(t)

	t.Run("pnpm", func(t *testing.T) {
		repo := t.TempDir()
		write(t, repo)
		c := e.contain(t, "erp", repo)
		c.put(t, "DATABASE_URL=postgresql://erp:"+c.secret+"@db/erp\n", ".env", ".env.local", ".env.production", "config/.env.staging")
		c.put(t, "//npm.example.test/:_authToken="+c.secret+"\n", ".npmrc")
		c.put(t, "-----BEGIN PRIVATE KEY-----\n"+c.secret+"\n", "server.pem", "config/server.pem")
		c.put(t, "export const what = '"+c.test+"';\n", "src/lib/money.test.ts", "src/__tests__/money.ts", "e2e/pay.ts", "tests/pay.ts", "db/migrations/order.test.ts")
		initRepo(t, repo)
		const publicURL = "https://erp.example.test"
		c.flags = []string{"--secret", "id=npmrc,src=" + filepath.Join(repo, ".npmrc"), "--build-arg", "NEXT_PUBLIC_APP_URL=" + publicURL}

		if !t.Run("build", func(t *testing.T) { c.checkBuilds(t) }) {
			return
		}
		t.Run("image", func(t *testing.T) {
			c.checkImage(t, "create table tenants", publicURL)
		})
		t.Run("context", func(t *testing.T) { c.checkContext(t) })
		t.Run("stack", func(t *testing.T) {
			s := c.startStack(t, repo, c.image)
			both := s.migrate(t, 2)
			if strings.Count(both, "applied 0001_") != 1 || strings.Count(both, "applied 0002_") != 1 {
				t.Fatalf("two migrators at once said:\n%s", both)
			}
			if again := s.migrate(t, 1); !strings.Contains(again, "nothing to apply") {
				t.Errorf("a second run of the migrator said:\n%s", again)
			}
			if got := s.query(t, "select count(*) from schema_migrations"); got != "2" {
				t.Errorf("%s migrations are recorded, want 2", got)
			}
			a := s.startApp(t, "ERP_DEMO_TENANT=org_mill")
			checkPages(t, a, "All invoices")
			s.checkProcess(t)
			s.checkOutage(t, a)
			s.checkStop(t)
		})
	})

	t.Run("npm", func(t *testing.T) {
		if _, err := execx.Look("npm", "this test", "install npm"); err != nil {
			t.Skip(err) // it writes the lockfile
		}
		repo := t.TempDir()
		extract(t, repo, "testdata/npm-drizzle.txtar")
		c := e.contain(t, "tickets", repo)
		c.put(t, "DATABASE_URL=postgresql://tickets:"+c.secret+"@db/tickets\n", ".env", ".env.production", "app/.env")
		c.put(t, "-----BEGIN PRIVATE KEY-----\n"+c.secret+"\n", "server.pem", "drizzle/server.pem")
		c.put(t, "export const what = '"+c.test+"';\n", "app/money.test.js", "app/__tests__/money.js", "e2e/pay.js", "drizzle/order.spec.js")
		run(t, repo, "npm", "install", "--package-lock-only", "--no-audit", "--no-fund", "--save-dev", "drizzle-kit@0.31.11")
		initRepo(t, repo)

		if !t.Run("build", func(t *testing.T) { t.Logf("clean build: %.1fs", e.build(t, repo, c.image, "--no-cache").Seconds()) }) {
			return
		}
		t.Run("image", func(t *testing.T) { c.checkImage(t, "tickets_title") })
		t.Run("context", func(t *testing.T) { c.checkContext(t) })
		t.Run("stack", func(t *testing.T) {
			s := c.startStack(t, repo, c.image)
			for _, said := range []string{s.migrate(t, 2), s.migrate(t, 1)} {
				if got := strings.ReplaceAll(strings.TrimSpace(said), "migrations are in place", ""); strings.TrimSpace(got) != "" {
					t.Fatalf("the migrator said:\n%s", said)
				}
			}
			if got := s.query(t, "select count(*) from drizzle.__drizzle_migrations"); got != "2" {
				t.Errorf("Drizzle recorded %s migrations, want 2", got)
			}
			a := s.startApp(t)
			checkPages(t, a, "0 tickets")
			s.checkProcess(t)
			s.checkOutage(t, a)
			s.checkStop(t)
		})
	})
}

// checkBuilds measures what a developer waits for. The times are printed and no
// verdict: the machine decides them.
func (c *contained) checkBuilds(t *testing.T) {
	// This empties the cache mounts that the Dockerfile names too.
	first := c.build(t, c.repo, c.image, append([]string{"--no-cache"}, c.flags...)...)
	same := c.build(t, c.repo, c.image, c.flags...)
	id := c.inspect(t, c.image, "{{.Id}}")

	page := filepath.Join(c.repo, "src", "app", "page.tsx")
	source := read(t, c.repo, "src/app/page.tsx")
	// Another text in each run: an engine that keeps its cache would build nothing.
	changed := strings.Replace(source, "<h1>Invoices</h1>", "<h1>All invoices, "+rand.Text()+"</h1>", 1)
	if changed == source {
		t.Fatal("the page has no heading to change")
	}
	if err := os.WriteFile(page, []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
	before := c.image
	c.image = strings.TrimSuffix(c.image, ":1") + ":2"
	line := c.build(t, c.repo, c.image, c.flags...)
	if c.inspect(t, c.image, "{{.Id}}") == id {
		t.Errorf("a change of the source made no other image than %s", before)
	}
	for _, m := range []struct {
		what string
		took time.Duration
		goal int
	}{{"clean build", first, 90}, {"nothing changed", same, 1}, {"one line of source changed", line, 20}} {
		t.Logf("%s: %.1fs (goal: under %d s)", m.what, m.took.Seconds(), m.goal)
	}
}

// checkImage looks at all that the image is made of. The image holds each of the
// known strings: where the search misses one, it proves nothing of the others.
func (c *contained) checkImage(t *testing.T, known ...string) {
	base := baseOf(t, c.repo)
	c.checkSize(t, c.image, base)
	c.checkUser(t, c.image)
	s := c.save(t, c.image, append([]string{c.secret, c.test}, known...)...)
	for _, k := range known {
		if len(s.where(k)) == 0 {
			t.Errorf("%q was not found in the image: the search misses things", k)
		}
	}
	if found := s.where(c.secret); len(found) > 0 {
		t.Errorf("secrets are in the image: %v", found)
	}
	if found := s.where(c.test); len(found) > 0 {
		t.Errorf("tests are in the image: %v", found)
	}
	if history := c.run(t, "history", "--no-trunc", c.image); strings.Contains(history, c.secret) || !strings.Contains(history, "server.js") {
		t.Errorf("the history holds a secret, or not the image's command:\n%s", history)
	}
	checkContents(t, s.added(c.layersOf(t, base)), devDependencies(t, c.repo))
}

// checkContext builds an image of the build context itself: a secret that is not
// even there gets into no layer and into no build cache either.
func (c *contained) checkContext(t *testing.T) {
	image := c.image + "-context"
	out, err := c.try(t.Context(), strings.NewReader("FROM scratch\nCOPY . /context/\n"), "build", "--tag", image, "--file", "-", c.repo)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s := c.save(t, image, c.secret, c.test)
	if files := s.added(nil); !slices.Contains(files, "context/package.json") {
		t.Errorf("no package.json in the context: %v", files)
	}
	if found := append(s.where(c.secret), s.where(c.test)...); len(found) > 0 {
		t.Errorf(".dockerignore lets secrets or tests into the build: %v", found)
	}
}

// checkPages asks for what each COPY of the image brings.
func checkPages(t *testing.T, a *app, want string) {
	t.Helper()
	status, _, page := a.get(t, "/")
	if status != http.StatusOK || !strings.Contains(page, want) {
		t.Errorf("the page is %d: %s", status, page)
	}
	script := regexp.MustCompile(`/_next/static/[^"]+\.js`).FindString(page)
	if script == "" {
		t.Fatalf("the page loads no script: %s", page)
	}
	if status, _, _ := a.get(t, script); status != http.StatusOK {
		t.Errorf("%s is %d", script, status)
	}
	status, header, body := a.get(t, "/api/health")
	if status != http.StatusOK || header.Get("Content-Type") != "application/health+json" || !json.Valid([]byte(body)) {
		t.Errorf("health is %d: %s", status, body)
	}
}
