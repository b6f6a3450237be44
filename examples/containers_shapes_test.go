package examples_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/opsctl/opsctl/internal/execx"
	"github.com/opsctl/opsctl/internal/scaffold"
)

// The versions of the package managers that write the lockfiles here.
var lockTools = []string{"yarn@1.22.22", "bun@1.4.5", "pnpm@12.21.0", "@yarnpkg/cli-dist@4.18.1"}

// TestContainersShapes builds and runs what init writes for the other shapes of app:
// package managers, workspaces, migration tools, servers. None of them was made for
// opsctl, and nothing but init touches them.
func TestContainersShapes(t *testing.T) {
	e := needEngine(t)
	if _, err := execx.Look("npm", "this test", "install npm"); err != nil {
		t.Skip(err) // it brings the package managers, which write the lockfiles
	}
	tools := t.TempDir()
	run(t, tools, "npm", append([]string{"install", "--no-audit", "--no-fund", "--prefix", tools}, lockTools...)...)
	program := func(name string) string { return filepath.Join(tools, "node_modules", filepath.FromSlash(name)) }

	for _, tt := range []struct {
		name, dir string // of the shape, and of the app in it
		lock      []string
		health    string
		page      string
		applied   string // what the migrator says once
		size      int64  // the most that the image adds to its base, in MB
	}{
		{"yarn-classic", ".", []string{"node", program("yarn/bin/yarn.js"), "install", "--ignore-scripts", "--silent"}, "/api/health", "hello from classic", "applied 20260101000000_first.js", 90},
		{"yarn-berry", ".", []string{"node", program("@yarnpkg/cli-dist/bin/yarn.js"), "install", "--mode=update-lockfile"}, "/api/health", "hello from berry", "applied 20260101000000_first", 60},
		{"bun", ".", []string{program(".bin/bun"), "install", "--lockfile-only"}, "/api/health", "hello from bunny", "applied 1_first.sql", 60},
		{"pnpm-workspace", "apps/web", []string{program(".bin/pnpm"), "install", "--lockfile-only"}, "/api/health", "hello from", "migrations are in place", 60},
		{"custom-server", ".", []string{"npm", "install", "--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund"}, "/api/health", "hello from sockets", "applied 1_first.sql", 350},
		{"node-server", "services/api", []string{"npm", "install", "--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund"}, "/healthz", "hello from api", "applied 1_first.sql", 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			repo := t.TempDir()
			extract(t, repo, "testdata/shapes/"+tt.name+".txtar")
			if tt.name == "yarn-berry" { // which takes a folder with a lockfile of its own for a project
				putFile(t, repo, "yarn.lock", "")
			}
			// As in the image, pnpm is not to look for another version of itself.
			if out, err := output(t.Context(), repo, []string{"pnpm_config_pm_on_fail=ignore"}, tt.lock[0], tt.lock[1:]...); err != nil {
				t.Fatalf("%v: %v\n%s", tt.lock, err, out)
			}
			app := filepath.Join(repo, filepath.FromSlash(tt.dir))
			initRepo(t, app)
			image := e.name(tt.name) + ":1"
			if !t.Run("build", func(t *testing.T) {
				t.Logf("build: %.1fs", e.build(t, repo, image, "--file", filepath.Join(app, "Dockerfile")).Seconds())
			}) {
				return
			}
			e.checkAdded(t, image, baseOf(t, app), tt.size)
			e.checkUser(t, image)
			s := e.startStack(t, app, image)
			if first := s.migrate(t, 1); !strings.Contains(first, tt.applied) {
				t.Errorf("the migrator said:\n%s", first)
			}
			if again := s.migrate(t, 1); !strings.Contains(again, "nothing to apply") && !strings.Contains(again, "in place") {
				t.Errorf("a second run of the migrator said:\n%s", again)
			}
			if got := s.query(t, "select count(*) from things"); got != "0" {
				t.Errorf("the table that the migration makes: %s", got)
			}
			a := s.startApp(t, "AUTH_SECRET="+strings.Repeat("x", 32))
			if status, _, page := a.get(t, "/"); status != http.StatusOK || !strings.Contains(page, tt.page) {
				t.Errorf("the page is %d: %s", status, page)
			}
			if status, _, body := a.get(t, tt.health); status != http.StatusOK {
				t.Errorf("%s is %d: %s\n%s", tt.health, status, body, s.run(t, "logs", s.container("app")))
			}
			// A health route that was made while building would know nothing of now.
			_, first, _ := a.get(t, tt.health)
			if tt.health == "/api/health" && (first.Get("Cache-Control") != "no-store" || first.Get("X-Nextjs-Cache") != "" || first.Get("X-Nextjs-Prerender") != "") {
				t.Errorf("health is not made when it is asked for: %v", first)
			}
			s.checkProcess(t)
			s.checkStop(t)
		})
	}
}

// checkAdded compares an image with its base; limit is in megabytes.
func (e *engine) checkAdded(t *testing.T, image, base string, limit int64) {
	t.Helper()
	var sizes [2]int64
	for i, name := range []string{image, base} {
		n, err := strconv.ParseInt(e.inspect(t, name, "{{.Size}}"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		sizes[i] = n / 1e6
	}
	t.Logf("image: %d MB, of which the base has %d", sizes[0], sizes[1])
	if added := sizes[0] - sizes[1]; added > limit {
		t.Errorf("the image adds %d MB to its base, want at most %d", added, limit)
	}
}

func putFile(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Shapes that no image can be made of are refused with the reason, before anything is
// written.
func TestShapesThatAreRefused(t *testing.T) {
	for _, tt := range []struct{ name, file, content, want string }{
		{"a server that needs a development dependency", "package.json", `{"dependencies": {"next": "16.4.6"}, "scripts": {"start": "tsx server.ts"}}`, "the image can only run node and a file"},
		{"a server that nothing makes", "package.json", `{"dependencies": {"next": "16.4.6"}, "scripts": {"start": "node dist/server.js"}}`, "dist/server.js is not there, and no build script makes it"},
		{"a static site", "next.config.mjs", `export default { output: "export" };`, "a static site"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			repo := t.TempDir()
			putFile(t, repo, "package.json", `{"dependencies": {"next": "16.4.6"}}`)
			putFile(t, repo, "package-lock.json", `{}`)
			if err := os.Mkdir(filepath.Join(repo, "app"), 0o755); err != nil {
				t.Fatal(err)
			}
			putFile(t, repo, tt.file, tt.content)
			_, err := scaffold.Detect(t.Context(), repo, scaffold.DetectOptions{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
