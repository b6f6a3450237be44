package scaffold

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/opsctl/opsctl/internal/errs"
)

// files makes a repository of name, content, name, content.
func files(pairs ...string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		fsys[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return fsys
}

func TestDetectServer(t *testing.T) {
	tests := []struct {
		name, scripts string
		command, err  string
		note          string
	}{
		{"a file", `"start": "node server.js"`, "node server.js", "", ""},
		{"options", `"start": "node --enable-source-maps -r dotenv/config server.js --port 1"`, "node --enable-source-maps -r dotenv/config server.js --port 1", "", ""},
		{"a setting in front", `"start": "NODE_ENV=production node server.js"`, "node server.js", "", ""},
		{"cross-env", `"start": "cross-env NODE_ENV=production TZ=UTC node server.js"`, "node server.js", "", "sets TZ when the app starts"},
		{"migrates first", `"start": "prisma migrate deploy && node server.js"`, "node server.js", "", "migrates whenever the app starts"},
		{"for production", `"start": "nodemon x", "start:prod": "node server.js"`, "node server.js", "", ""},
		{"what the build makes", `"build": "tsc", "start": "node dist/main"`, "node dist/main", "", ""},
		{"what nothing makes", `"start": "node dist/main.js"`, "", "no build script makes it", ""},
		{"tsx", `"start": "tsx server.ts"`, "", "the image can only run node and a file", ""},
		{"a shell", `"start": "node server.js | pino"`, "", "it needs a shell", ""},
		{"two programs", `"start": "node a.js && node server.js"`, "", "it needs a shell", ""},
		{"no file", `"start": "node --version"`, "", "names no file", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := detect(files("package.json", `{"name": "api", "scripts": {`+tt.scripts+`}}`, "package-lock.json", "{}", "server.js", ""), "folder")
			if tt.err != "" {
				if errs.CodeOf(err) != errs.CheckFailed || !strings.Contains(err.Error(), tt.err) || !strings.Contains(err.Error(), "package.json:1") {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(s.Server.Command, " "); s.Kind != Node || got != tt.command {
				t.Errorf("%s runs %q", s.Kind, got)
			}
			if notes := strings.Join(s.Notes, "\n"); tt.note != "" && !strings.Contains(notes, tt.note) {
				t.Errorf("notes %q", notes)
			}
		})
	}
}

// Prisma's client in node_modules would not be in an image that installs them anew.
func TestPrismaClientOfAServer(t *testing.T) {
	repo := func(schema, start string) fstest.MapFS {
		return files("package.json", `{"name": "x", "dependencies": {"next": "16", "@prisma/client": "6"}, "scripts": {"start": "`+start+`"}}`,
			"package-lock.json", "{}", "app/page.js", "", "server.js", "", "prisma/schema.prisma", schema)
	}
	const inModules, outside = "datasource db {\n}\ngenerator client {\n provider = \"prisma-client-js\"\n}", "datasource db {\n}\ngenerator client {\n output = \"../generated\"\n}"
	for _, tt := range []struct {
		schema, start string
		refused       bool
	}{{inModules, "node server.js", true}, {outside, "node server.js", false}, {inModules, "next start", false}} {
		_, err := detect(repo(tt.schema, tt.start), "folder")
		if refused := err != nil && strings.Contains(err.Error(), "prisma/schema.prisma: the client is generated into node_modules"); refused != tt.refused {
			t.Errorf("%q, %q: %v", tt.schema, tt.start, err)
		}
	}
}

func TestDetectGo(t *testing.T) {
	const mod = "module example.com/acme/shop\n\ngo 1.26.1\n"
	const main = "package main\n\nfunc main() {}\n"
	tests := []struct {
		name string
		repo fstest.MapFS
		main string
		err  string
	}{
		{"at the root", files("go.mod", mod, "main.go", main, "cmd/tool/main.go", main), ".", ""},
		{"the only one", files("go.mod", mod, "cmd/serve-it/main.go", main), "./cmd/serve-it", ""},
		{"named like the module", files("go.mod", mod, "cmd/shop/main.go", main, "cmd/import/main.go", main), "./cmd/shop", ""},
		{"named like a server", files("go.mod", mod, "cmd/api/main.go", main, "cmd/import/main.go", main), "./cmd/api", ""},
		{"tools, examples and generators do not count", files("go.mod", mod, "cmd/x/main.go", main, "tools/main.go", main, "examples/main.go", main, "gen.go", "//go:build ignore\n\n"+main, "cmd/x/main_test.go", main), "./cmd/x", ""},
		{"several", files("go.mod", mod, "cmd/a/main.go", main, "cmd/b/main.go", main), "", "2 programs, and none is named shop or server: cmd/a, cmd/b"},
		{"a library", files("go.mod", mod, "lib.go", "package lib\n"), "", "no package main"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := detect(tt.repo, "folder")
			if tt.err != "" {
				if errs.CodeOf(err) != errs.CheckFailed || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if s.Kind != Go || s.Go.Main != tt.main || s.Go.Version != "1.26" || s.App != "shop" {
				t.Errorf("got %s %+v, app %s", s.Kind, s.Go, s.App)
			}
		})
	}
}

func TestDetectPython(t *testing.T) {
	tests := []struct {
		name    string
		repo    fstest.MapFS
		kind    Kind
		command string
		err     string
	}{
		{"FastAPI", files("requirements.txt", "fastapi==0.115\nuvicorn[standard]==0.32", "main.py", "app = FastAPI()"), FastAPI, "sh -c exec uvicorn main:app ", ""},
		{"FastAPI in a package", files("requirements.txt", "fastapi[standard]", "api/server.py", "api: FastAPI = FastAPI(title='x')"), FastAPI, "sh -c exec uvicorn api.server:api ", ""},
		{"FastAPI under src", files("requirements.txt", "fastapi\nuvicorn", "src/shop/__init__.py", "", "src/shop/main.py", "app = FastAPI()"), FastAPI, "sh -c exec uvicorn shop.main:app --app-dir=src ", ""},
		{"FastAPI without a server", files("requirements.txt", "fastapi", "main.py", "app = FastAPI()"), "", "", "does not name uvicorn"},
		{"FastAPI without an app", files("requirements.txt", "fastapi\nuvicorn"), "", "", "no file makes an app"},
		{"Django", files("requirements.txt", "Django>=5\ngunicorn", "manage.py", "", "shop/settings.py", "WSGI_APPLICATION = 'shop.wsgi.application'"), Django, "gunicorn shop.wsgi:application", ""},
		{"Django without a server", files("requirements.txt", "Django>=5", "manage.py", ""), "", "", "does not name gunicorn"},
		{"Django without manage.py", files("requirements.txt", "django\ngunicorn"), "", "", "no manage.py"},
		{"Django without settings", files("requirements.txt", "django\ngunicorn", "manage.py", ""), "", "", "no settings file sets WSGI_APPLICATION"},
		{"no lockfile", files("pyproject.toml", "[project]\ndependencies = [\"fastapi\"]"), "", "", "no lockfile beside it"},
		{"a package that is only named like one", files("requirements.txt", "django-environ\nfastapi-utils"), "", "", "not an app that opsctl init knows"},
		{"a Dockerfile needs no server", files("requirements.txt", "fastapi", "Dockerfile", "FROM x\nEXPOSE 9000\n"), FastAPI, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := detect(tt.repo, "folder")
			if tt.err != "" {
				if errs.CodeOf(err) != errs.CheckFailed || !strings.Contains(err.Error(), tt.err) || errs.HintOf(err) == "" {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(s.Python.Command, " "); s.Kind != tt.kind || !strings.HasPrefix(got, tt.command) {
				t.Errorf("%s runs %q", s.Kind, got)
			}
		})
	}
}

func TestLocalDependenciesAreInstalledFrom(t *testing.T) {
	s, err := detect(files("package.json", `{"dependencies": {"next": "16", "a": "file:libs/a", "b": "link:./b.tgz", "c": "file:../outside", "d": "npm:x@1"}}`,
		"package-lock.json", "{}", "app/page.js", "", "libs/a/package.json", "{}", "b.tgz", ""), "folder")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"libs/a", "b.tgz"}; !slices.Equal(s.ManifestDirs, want) {
		t.Errorf("got %v, want %v", s.ManifestDirs, want)
	}
}

func TestPythonDatabaseLibrary(t *testing.T) {
	for line, want := range map[string]bool{"psycopg2==2.9": true, "psycopg2-binary==2.9": false, "psycopg[binary]": false, "psycopg[c]": true, "psycopg==3": true, "asyncpg": false} {
		s, err := detect(files("requirements.txt", "fastapi\nuvicorn\n"+line, "main.py", "app = FastAPI()"), "folder")
		if err != nil {
			t.Fatal(err)
		}
		if !s.HasPostgres() || s.Python.LibPQ != want {
			t.Errorf("%s: PostgreSQL %v, its C library %v", line, s.HasPostgres(), s.Python.LibPQ)
		}
	}
}

func TestDetectHealth(t *testing.T) {
	tests := []struct{ name, file, src, want string }{
		{"Express", "server.js", `app.get("/healthz", x)`, "/healthz"},
		{"Fastify", "routes/up.js", "fastify.get('/api/health', x)", "/api/health"},
		{"none", "server.js", `app.get("/", x); const healthy = "healthy"`, "/"},
		{"in a test", "server.test.js", `get("/healthz")`, "/"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			repo := files("package.json", `{"scripts": {"start": "node server.js"}}`, "package-lock.json", "{}", "server.js", "")
			repo[tt.file] = &fstest.MapFile{Data: []byte(tt.src)}
			s, err := detect(repo, "folder")
			if err != nil {
				t.Fatal(err)
			}
			if s.HealthPath != tt.want {
				t.Errorf("got %s", s.HealthPath)
			}
		})
	}
}

// The kinds of app are looked for in one order, so that a folder with several is one
// of them for sure.
func TestKindsInOrder(t *testing.T) {
	all := []string{
		"package.json", `{"dependencies": {"next": "16"}, "scripts": {"start": "node server.js"}}`, "package-lock.json", "{}", "app/page.js", "", "server.js", "",
		"go.mod", "module x.example/y", "main.go", "package main", "requirements.txt", "fastapi\nuvicorn", "main.py", "app = FastAPI()",
	}
	var kinds []Kind
	for _, gone := range []string{"", "next", "go.mod", "requirements.txt"} {
		repo := files(all...)
		for _, name := range []string{"next", "go.mod", "requirements.txt"} {
			if gone == "" || slices.Index([]string{"next", "go.mod", "requirements.txt"}, name) > slices.Index([]string{"next", "go.mod", "requirements.txt"}, gone) {
				continue
			}
			if name == "next" {
				repo["package.json"].Data = []byte(`{"scripts": {"start": "node server.js"}}`)
				continue
			}
			delete(repo, name)
		}
		s, err := detect(repo, "folder")
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, s.Kind)
	}
	if want := []Kind{NextJS, Go, FastAPI, Node}; !slices.Equal(kinds, want) {
		t.Errorf("got %v, want %v", kinds, want)
	}
}

// What holds a secret is mounted, and enters no layer.
func TestSettingsWithSecrets(t *testing.T) {
	tests := []struct {
		name, lock, file, src string
		secrets               string
	}{
		{"nothing secret", "package-lock.json", ".npmrc", "save-exact=true\n# _authToken=x\n", ""},
		{"a registry's token", "package-lock.json", ".npmrc", "//npm.example.com/:_authToken=abc\n", "npmrc"},
		{"a token from the environment", "package-lock.json", ".npmrc", "//npm.example.com/:_authToken=${NPM_TOKEN}\n", "npmrc npm_token"},
		{"a token for everything", "package-lock.json", ".npmrc", "_auth=abc\n", "npmrc"},
		{"a password", "package-lock.json", ".npmrc", "_password = abc\n", "npmrc"},
		{"a password in an address", "package-lock.json", ".npmrc", "registry=https://me:pass@npm.example.com/\n", "npmrc"},
		{"yarn's token", "yarn.lock", ".yarnrc.yml", "npmScopes:\n  acme:\n    npmAuthToken: abc\n", "yarnrc.yml"},
		{"bun's token", "bun.lock", "bunfig.toml", "[install.registry]\nurl = \"https://x\"\ntoken = \"$TOKEN\"\n", "bunfig.toml"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			repo := files("package.json", `{"name": "x", "dependencies": {"next": "16"}}`, tt.lock, "", "app/page.js", "", tt.file, tt.src)
			s, err := detect(repo, "folder")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, secret := range s.Secrets {
				got = append(got, secret.ID)
			}
			if strings.Join(got, " ") != tt.secrets {
				t.Errorf("got %v", got)
			}
			if slices.Contains(s.ManifestFiles, tt.file) == (tt.secrets != "") {
				t.Errorf("copied: %v", s.ManifestFiles)
			}
		})
	}
}

// Names that would mean something else to Docker, YAML or a shell are refused.
func TestHostileNames(t *testing.T) {
	next := `{"name": "x", "dependencies": {"next": "16", "pg": "8"}}`
	for name, repo := range map[string]fstest.MapFS{
		"a folder of migrations": files("package.json", `{"name": "x", "dependencies": {"next": "16", "pg": "8", "drizzle-orm": "1"}}`, "package-lock.json", "", "app/page.js", "",
			"drizzle.config.json", `"out": "../x"`, "drizzle.config.ts", "out: '../../etc'", "../../etc/meta/_journal.json", ""),
		"the build's output": files("package.json", next, "package-lock.json", "", "app/page.js", "", "next.config.js", "module.exports = { distDir: 'a b; rm -rf x' };"),
		"outside":            files("package.json", next, "package-lock.json", "", "app/page.js", "", "next.config.js", "module.exports = { distDir: '../out' };"),
		"a base path":        files("package.json", next, "package-lock.json", "", "app/page.js", "", "next.config.js", "module.exports = { basePath: \"/x'); evil('\" };"),
		"a dependency":       files("package.json", `{"name": "x", "dependencies": {"next": "16", "a": "file:a b"}}`, "package-lock.json", "", "app/page.js", "", "a b/package.json", "{}"),
	} {
		s, err := detect(repo, "folder")
		if name == "a folder of migrations" {
			if err == nil && s.Migrations.Kind != "" {
				t.Errorf("%s: migrations in %s", name, s.Migrations.Dir)
			}
			continue
		}
		if errs.CodeOf(err) != errs.CheckFailed || errs.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHealthRouteIsNoWordLikeIt(t *testing.T) {
	for src, want := range map[string]string{
		"type x struct { S string `json:\"status\"` }\nfunc f() { mux.HandleFunc(\"GET /healthz\", nil) }": "/healthz",
		"r.Get(\"/readyz\", nil)\nr.Get(\"/api/health\", nil)":                                             "/api/health",
		"log.Print(\"health\")": "/",
	} {
		s, err := detect(files("go.mod", "module x.example/y\n\ngo 1.26\n", "main.go", "package main\n\n"+src), "folder")
		if err != nil {
			t.Fatal(err)
		}
		if s.HealthPath != want {
			t.Errorf("%q: %s, want %s", src, s.HealthPath, want)
		}
	}
}

func TestPlaceholdersHaveTheFormThatIsAskedFor(t *testing.T) {
	s, err := detect(files("package.json", `{"name": "x", "dependencies": {"next": "16"}}`, "package-lock.json", "", "app/page.js", "", "env.js",
		`export const env = z.object({
  DATABASE_URL: z.string().url(),
  MODE: z.enum(["quick", "slow"]),
  WORKERS: z.coerce.number().int(),
  STRIPE_KEY: z.string().startsWith("sk_"),
  CONTACT: z.string().email(),
  OPEN: z.string().optional(),
  LEVEL: z.string().default("info"), QUOTA: z.number(), "API_URL": z.url(),
  LAST: z.string().min(32) }).parse(process.env);
const { OPENAI_KEY, OTHER_KEY: other } = process.env;`), "folder")
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(View{Stack: s}.Placeholders(), "\n")
	want := `API_URL=https://placeholder@placeholder.invalid/1
CONTACT=placeholder@placeholder.invalid
DATABASE_URL=postgresql://placeholder:placeholder@placeholder.invalid:5432/placeholder
LAST=placeholder-placeholder-placeholder-placeholder
MODE=quick
QUOTA=1
STRIPE_KEY=sk_placeholderplaceholderplaceholderplaceholder
WORKERS=1`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, name := range []string{"OPEN", "LEVEL", "OPENAI_KEY", "OTHER_KEY"} {
		if !s.HasEnv(name) {
			t.Errorf("%s is not found", name)
		}
	}
}
