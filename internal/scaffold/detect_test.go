package scaffold

import (
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/opsctl/opsctl/internal/errs"
)

// repoFS is the smallest repository that is detected, with changes; a nil content
// removes a file.
func repoFS(changes map[string]string) fstest.MapFS {
	files := map[string]string{
		"package.json":      `{"name": "x", "dependencies": {"next": "16.4.6"}}`,
		"package-lock.json": `{}`,
		"app/page.js":       ``,
	}
	maps.Copy(files, changes)
	fsys := fstest.MapFS{}
	for name, content := range files {
		if content != gone {
			fsys[name] = &fstest.MapFile{Data: []byte(content)}
		}
	}
	return fsys
}

const gone = "\x00"

// detect is Detect for an app that is a repository of its own, on any file system.
func detect(fsys fs.FS, folder string) (*Stack, error) {
	s := &Stack{Places: Places{Repo: "/repo", Context: ".", Dir: "."}, Branch: "main"}
	r, err := readRecord(fsys)
	if err != nil {
		return nil, err
	}
	d := &detector{Stack: s, repo: fsys, app: fsys, root: fsys, folder: folder, written: r.has}
	return s, d.detect()
}

func TestDetectRefuses(t *testing.T) {
	tests := []struct {
		name    string
		changes map[string]string
		code    errs.Code
		want    string
	}{
		{"nothing", map[string]string{"package.json": gone}, errs.CheckFailed, "there is no package.json, go.mod"},
		{"no next", map[string]string{"package.json": `{}`}, errs.CheckFailed, "does not depend on next"},
		{"next for development only", map[string]string{"package.json": `{"devDependencies": {"next": "16"}}`}, errs.CheckFailed, "development dependency"},
		{"no pages", map[string]string{"app/page.js": gone}, errs.CheckFailed, "no app, src/app"},
		{"no lockfile", map[string]string{"package-lock.json": gone}, errs.CheckFailed, "no lockfile"},
		{"no lockfile for the package manager", map[string]string{"package-lock.json": gone, "package.json": `{"dependencies": {"next": "16"}, "packageManager": "yarn@4.1.0"}`}, errs.CheckFailed, "its lockfile is not beside"},
		{"another package manager", map[string]string{"package-lock.json": gone, "package.json": `{"dependencies": {"next": "16"}, "packageManager": "ultra@4.1.0"}`}, errs.CheckFailed, "packageManager is ultra"},
		{"two lockfiles", map[string]string{"pnpm-lock.yaml": ""}, errs.CheckFailed, "two lockfiles: pnpm-lock.yaml and package-lock.json"},
		{"another manager's lockfile", map[string]string{"package.json": `{"dependencies": {"next": "16"}, "packageManager": "pnpm@10.0.0"}`}, errs.CheckFailed, "packageManager is pnpm"},
		{"a range as version", map[string]string{"package.json": "{\"dependencies\": {\"next\": \"16\"},\n \"packageManager\": \"npm@^11\"}"}, errs.Usage, "package.json:2: packageManager"},
		{"broken", map[string]string{"package.json": "{\n  \"name\": \"x\",\n}"}, errs.Usage, "package.json:3"},
		{"wrong type", map[string]string{"package.json": "{\n  \"name\": 3\n}"}, errs.Usage, "package.json:2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := detect(repoFS(tt.changes), "folder")
			if err == nil || errs.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v (%s), want %q (%s)", err, errs.CodeOf(err), tt.want, tt.code)
			}
			if errs.HintOf(err) == "" {
				t.Error("there is no hint")
			}
		})
	}
}

func TestDetectNode(t *testing.T) {
	const deps = `"dependencies": {"next": "16"}`
	tests := []struct {
		name    string
		changes map[string]string
		want    string
	}{
		{"default", nil, defaultNode},
		{".nvmrc", map[string]string{".nvmrc": "v22.3.0\n"}, "22"},
		{".nvmrc that names a line", map[string]string{".nvmrc": "lts/iron\n"}, "20"},
		{".nvmrc that names the newest", map[string]string{".nvmrc": "lts/*\n"}, "24"},
		{".nvmrc that names nothing known", map[string]string{".nvmrc": "stable\n"}, defaultNode},
		{"engines, from an old version on", map[string]string{"package.json": `{"engines": {"node": ">=14"}, ` + deps + `}`}, "20"},
		{"engines, an old version or a living one", map[string]string{"package.json": `{"engines": {"node": "^18.17 || >=20"}, ` + deps + `}`}, "20"},
		{"engines, an old version", map[string]string{"package.json": `{"engines": {"node": "18.x"}, ` + deps + `}`}, "18"},
		{".node-version", map[string]string{".node-version": "24\n"}, "24"},
		{"volta", map[string]string{"package.json": `{"volta": {"node": "20.1.0"}, ` + deps + `}`}, "20"},
		{"engines, range", map[string]string{"package.json": `{"engines": {"node": ">=20.9.0 <25"}, ` + deps + `}`}, "20"},
		{"engines, choice", map[string]string{"package.json": `{"engines": {"node": "^22 || ^24"}, ` + deps + `}`}, "22"},
		{"engines, x", map[string]string{"package.json": `{"engines": {"node": "24.x"}, ` + deps + `}`}, "24"},
		{"engines, anything", map[string]string{"package.json": `{"engines": {"node": "*"}, ` + deps + `}`}, defaultNode},
		{".nvmrc before engines", map[string]string{".nvmrc": "24", "package.json": `{"engines": {"node": ">=20"}, ` + deps + `}`}, "24"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := detect(repoFS(tt.changes), "folder")
			if err != nil {
				t.Fatal(err)
			}
			if s.Node != tt.want {
				t.Errorf("node is %s, want %s", s.Node, tt.want)
			}
		})
	}
}

func TestDetectFindsTheRightMigrator(t *testing.T) {
	pg := `{"dependencies": {"next": "16", "pg": "8"}}`
	tests := []struct {
		name    string
		changes map[string]string
		kind    string
		note    string
	}{
		{"plain SQL", map[string]string{"package.json": pg, "db/migrations/1.sql": "select 1"}, "sql", ""},
		{"plain SQL without a client", map[string]string{"db/migrations/1.sql": "select 1"}, "", ""},
		{"plain SQL with postgres.js", map[string]string{"package.json": `{"dependencies": {"next": "16", "postgres": "3"}}`, "db/migrations/1.sql": ""}, "", "add pg"},
		{"goose", map[string]string{"package.json": pg, "migrations/1.sql": "-- +goose Up\n-- +goose Down\n"}, "", "another"},
		{"up and down files", map[string]string{"package.json": pg, "migrations/1.up.sql": "", "migrations/1.down.sql": ""}, "", "another"},
		{"Flyway", map[string]string{"package.json": pg, "migrations/V2__b.sql": ""}, "", "another"},
		{"Drizzle", map[string]string{"package.json": `{"dependencies": {"next": "16", "pg": "8", "drizzle-orm": "1"}}`, "drizzle/meta/_journal.json": "{}"}, "drizzle", ""},
		{"Drizzle elsewhere", map[string]string{"package.json": `{"dependencies": {"next": "16", "pg": "8", "drizzle-orm": "1"}}`,
			"drizzle.config.ts": "export default { out: './db/m' }", "db/m/meta/_journal.json": "{}"}, "drizzle", ""},
		{"Drizzle without migrations", map[string]string{"package.json": `{"dependencies": {"next": "16", "pg": "8", "drizzle-orm": "1"}}`}, "", "drizzle-kit generate"},
		{"Knex", map[string]string{"package.json": `{"dependencies": {"next": "16", "pg": "8", "knex": "3"}}`, "migrations/1.js": ""}, "knex", ""},
		{"Knex without migrations", map[string]string{"package.json": `{"dependencies": {"next": "16", "pg": "8", "knex": "3"}}`}, "", "knex migrate:make"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := detect(repoFS(tt.changes), "folder")
			if err != nil {
				t.Fatal(err)
			}
			notes := strings.ReplaceAll(strings.Join(s.Notes, "\n"), "a migration tool that init does not know", "another")
			if s.Migrations.Kind != tt.kind || !strings.Contains(notes, tt.note) || (tt.note == "" && notes != "") {
				t.Errorf("kind %q, notes %q", s.Migrations.Kind, notes)
			}
		})
	}
}

func TestDetectEnvScansTheAppAlone(t *testing.T) {
	s, err := detect(repoFS(map[string]string{
		"lib/comments.js":            "// process.env.OLD\n/*\n * process.env.OLDER\n */\n",
		"app/page.js":                "process.env.A; process.env['B']; process.env.NODE_ENV; process.env.FLY_REGION",
		"app/page.test.js":           "process.env.TEST_ONLY",
		"tests/x.js":                 "process.env.TEST_DIR",
		"node_modules/p/index.js":    "process.env.DEP",
		".next/server.js":            "process.env.BUILT",
		"app/api/health/route.js":    "process.env.OWN",
		"scripts/migrate.mjs":        "process.env.OWN_TOO",
		"app/notes.txt":              "process.env.TEXT",
		"lib/deep/nested/thing.cts":  "\n\n  process.env.C",
		"app/api/health/v2/route.js": "process.env.D",
	}), "folder")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range s.Env {
		got = append(got, e.Name)
	}
	if want := []string{"A", "B", "C", "D"}; !slices.Equal(got, want) {
		t.Errorf("variables %v, want %v", got, want)
	}
	if e := s.Env[2]; e.File != "lib/deep/nested/thing.cts" || e.Line != 3 {
		t.Errorf("C is at %s:%d", e.File, e.Line)
	}
}

func TestSanitizeApp(t *testing.T) {
	for in, want := range map[string]string{
		"erp": "erp", "@acme/Web_App": "web-app", "9lives": "lives", "--": "", "": "", "x": "", "@acme/1b": "", "Größe": "gr-e",
		"a-very-long-name-that-goes-on-and-on": "a-very-long-name-that-goes-on", "a..b": "a-b",
	} {
		if got := sanitizeApp(in); got != want {
			t.Errorf("sanitizeApp(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzSanitizeApp(f *testing.F) {
	f.Add("@x/Y_z")
	f.Fuzz(func(t *testing.T, name string) {
		got := sanitizeApp(name)
		if got != "" && !ValidApp(got) {
			t.Errorf("sanitizeApp(%q) = %q, which is not valid", name, got)
		}
		if again := sanitizeApp(got); again != got {
			t.Errorf("not stable: %q, then %q", got, again)
		}
	})
}

// Any package.json either is refused with a class and a hint, or gives files that
// render.
func FuzzPackageJSON(f *testing.F) {
	f.Add([]byte(`{"name": "x", "dependencies": {"next": "16", "pg": "8"}}`))
	f.Add([]byte(`{"packageManager": "npm@1.2.3", "dependencies": {"next": ""}, "scripts": {"build": "x"}}`))
	f.Add([]byte("\xef\xbb\xbf{}"))
	f.Fuzz(func(t *testing.T, src []byte) {
		s, err := detect(repoFS(map[string]string{"package.json": string(src)}), "folder")
		if err != nil {
			if code := errs.CodeOf(err); code != errs.CheckFailed && code != errs.Usage {
				t.Fatalf("%v has code %s", err, code)
			}
			return
		}
		if !ValidApp(s.App) {
			t.Errorf("app name %q", s.App)
		}
		if _, err := render(s, opts, fstest.MapFS{}); err != nil {
			t.Error(err)
		}
	})
}
