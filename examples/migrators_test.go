package examples_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/opsctl/opsctl/internal/execx"
	"github.com/opsctl/opsctl/templates"
)

// What the bundle of a migrator is made with: the parts of the Dockerfile's command that depend on the tool.
var bundleFlags = map[string][]string{
	"prisma": {
		"--external:pg-native",
		"--banner:js=import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
	},
	"knex": {
		"--external:pg-native", "--external:better-sqlite3", "--external:mariadb", "--external:mysql", "--external:mysql2",
		"--external:@vscode/sqlite3", "--external:oracledb", "--external:pg-query-stream", "--external:sqlite3", "--external:tedious",
		"--define:__dirname=__migrations_dir", "--define:import.meta.dirname=__migrations_dir", "--define:import.meta.url=__migrations_url",
	},
}

// In the image, a Knex migration is to find the files beside it although its code is in the bundle.
const knexBanner = "--banner:js=import { createRequire } from 'node:module'; const require = createRequire(import.meta.url), " +
	"__migrations_dir = import.meta.dirname + '/%[1]s', __migrations_url = new URL('%[1]s/migrate.mjs', import.meta.url).href;"

// migratorApp is an app's repository and the folder that stands for its image.
type migratorApp struct {
	kind, dir, table string
	extensions       []string
	repo, image      string
	url              string   // of an empty database
	env              []string // of esbuild
	bin              string   // of the installed programs
}

// newMigratorApp extracts the fixture, renders the migrator and bundles it.
func newMigratorApp(t *testing.T, a migratorApp, archive, modules, databaseURL string) *migratorApp {
	t.Helper()
	a.repo, a.image, a.url, a.bin = t.TempDir(), t.TempDir(), databaseURL, filepath.Join(modules, ".bin")
	extract(t, a.repo, "testdata/migrators/"+archive)
	if a.kind == "knex" {
		if err := os.Symlink(modules, filepath.Join(a.repo, "node_modules")); err != nil {
			t.Fatal(err)
		}
	}
	script, err := template.ParseFS(templates.FS, "migrate/"+a.kind+".mjs.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	type migrations struct {
		Dir, Table string
		Extensions []string
	}
	var out bytes.Buffer
	err = script.Execute(&out, struct{ Migrations migrations }{migrations{a.dir, a.table, a.extensions}})
	if err != nil {
		t.Fatal(err)
	}
	a.write(t, "scripts/migrate.mjs", out.String())
	a.build(t)
	return &a
}

func (a *migratorApp) write(t *testing.T, name, content string) {
	t.Helper()
	path := filepath.Join(a.repo, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// build makes the image: the bundle and the folder of migrations, and no package.
func (a *migratorApp) build(t *testing.T) {
	t.Helper()
	args := append([]string{"scripts/migrate.mjs", "--bundle", "--platform=node", "--target=node20", "--format=esm",
		"--log-level=warning", "--log-limit=0", "--outfile=" + filepath.Join(a.image, "migrate.mjs")}, bundleFlags[a.kind]...)
	if a.kind == "knex" {
		args = append(args, fmt.Sprintf(knexBanner, a.dir))
	}
	out, err := output(t.Context(), a.repo, a.env, filepath.Join(a.bin, "esbuild"), args...)
	if err != nil || strings.TrimSpace(out) != "" {
		t.Fatalf("esbuild: %v\n%s", err, out)
	}
	folder := filepath.Join(a.image, filepath.FromSlash(a.dir))
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	copyTree(t, filepath.Join(a.repo, filepath.FromSlash(a.dir)), folder)
}

func (a *migratorApp) migrate(t *testing.T, env ...string) (string, error) {
	t.Helper()
	out, err := output(t.Context(), a.image, append([]string{"DATABASE_URL=" + a.url}, env...), "node", "migrate.mjs")
	if strings.Contains(out, appPassword) {
		t.Errorf("the output holds the password:\n%s", out)
	}
	return strings.TrimSpace(out), err
}

// applies expects that exactly these migrations are applied, and that the migrator says nothing else.
func (a *migratorApp) applies(t *testing.T, names ...string) {
	t.Helper()
	var want strings.Builder
	for _, name := range names {
		fmt.Fprintf(&want, "applied %s\n", name)
	}
	fmt.Fprintf(&want, "%d applied", len(names))
	if out, err := a.migrate(t); err != nil || out != want.String() {
		t.Fatalf("%v\n%s\nwant:\n%s", err, out, want.String())
	}
}

func (a *migratorApp) appliesNothing(t *testing.T, migrations int) {
	t.Helper()
	want := fmt.Sprintf("nothing to apply, %d migrations are in place", migrations)
	if out, err := a.migrate(t); err != nil || out != want {
		t.Fatalf("%v\n%s\nwant: %s", err, out, want)
	}
}

// fails expects one line on the way out that holds every part.
func (a *migratorApp) fails(t *testing.T, parts ...string) {
	t.Helper()
	out, err := a.migrate(t)
	line := out[strings.LastIndexByte(out, '\n')+1:]
	if err == nil || !strings.HasPrefix(line, "migrate: ") || strings.Count(out, "migrate: ") != 1 {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, part := range parts {
		if !strings.Contains(line, part) {
			t.Errorf("missing %q in: %s", part, line)
		}
	}
}

// appliesOnce runs two migrators at the same time on the empty database.
func (a *migratorApp) appliesOnce(t *testing.T, names ...string) {
	t.Helper()
	outputs := make(chan string, 2)
	for range 2 {
		go func() {
			out, err := a.migrate(t)
			if err != nil {
				out += err.Error()
			}
			outputs <- out
		}()
	}
	both := <-outputs + "\n" + <-outputs
	for _, name := range names {
		if strings.Count(both, "applied "+name+"\n") != 1 {
			t.Errorf("%s was not applied once", name)
		}
	}
	if !strings.Contains(both, fmt.Sprintf("nothing to apply, %d", len(names))) || t.Failed() {
		t.Fatalf("two at once said:\n%s", both)
	}
}

// waits starts the migrator when nothing listens yet; a second later, the port leads to the server.
func (a *migratorApp) waits(t *testing.T, databaseURL string, migrations int) {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	server := u.Host
	u.Host = fmt.Sprintf("127.0.0.1:%d", freePort(t))
	late := *a
	late.url = u.String()
	said := make(chan string)
	go func() {
		out, err := late.migrate(t)
		said <- fmt.Sprint(out, err)
	}()
	time.Sleep(time.Second) // the migrator has tried by then
	l, err := net.Listen("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go forward(l, server)
	if out := <-said; !strings.HasSuffix(out, fmt.Sprintf("%d applied<nil>", migrations)) {
		t.Errorf("with a server that starts late: %s", out)
	}
}

// forward leads every connection to the server, until the listener is closed.
func forward(l net.Listener, server string) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		conn, err := net.Dial("tcp", server)
		if err != nil {
			client.Close()
			return
		}
		go func() { _, _ = io.Copy(conn, client); conn.Close() }()
		go func() { _, _ = io.Copy(client, conn); client.Close() }()
	}
}

// server is the URL without what only Prisma knows.
func (a *migratorApp) server() string {
	server, _, _ := strings.Cut(a.url, "?")
	return server
}

func (a *migratorApp) query(t *testing.T, sql string) (out string) {
	t.Helper()
	withConn(t, a.server(), func(conn *pgx.Conn) {
		if err := conn.QueryRow(t.Context(), sql).Scan(&out); err != nil {
			t.Fatal(err)
		}
	})
	return out
}

func (a *migratorApp) expect(t *testing.T, sql, want string) {
	t.Helper()
	if got := a.query(t, sql); got != want {
		t.Errorf("%s: %q, want %q", sql, got, want)
	}
}

// cli runs the tool's own command in the repository, as a developer does.
func (a *migratorApp) cli(t *testing.T, want, program string, args ...string) {
	t.Helper()
	out, err := output(t.Context(), a.repo, a.cliEnv(), filepath.Join(a.bin, program), args...)
	if err != nil || !strings.Contains(out, want) {
		t.Fatalf("%s %s: %v\n%s\nwant: %s", program, strings.Join(args, " "), err, out, want)
	}
}

// cliEnv keeps Prisma from fetching the engines that it does not use here.
func (a *migratorApp) cliEnv() []string {
	return []string{"DATABASE_URL=" + a.url, "PRISMA_QUERY_ENGINE_LIBRARY=/bin/true", "PRISMA_SCHEMA_ENGINE_BINARY=/bin/true",
		"CHECKPOINT_DISABLE=1", "PRISMA_HIDE_UPDATE_MESSAGE=1"}
}

// migratorTest is what the tests of all tools share: installed packages and a server.
type migratorTest struct {
	modules  string
	services *services
}

func startMigratorTest(t *testing.T, packages ...string) *migratorTest {
	t.Helper()
	if testing.Short() {
		t.Skip("installs from npm: not under -short")
	}
	for _, p := range []string{"node", "npm"} {
		if _, err := execx.Look(p, "this test", "install "+p); err != nil {
			t.Skip(err)
		}
	}
	needPostgres(t)
	m := &migratorTest{services: &services{pgPort: freePort(t)}}
	m.modules = install(t, packages...)
	m.services.startPostgres(t)
	t.Cleanup(func() { m.services.stopPostgres(t) })
	return m
}

// install returns the node_modules that hold the packages.
func install(t *testing.T, packages ...string) string {
	t.Helper()
	prefix := t.TempDir()
	run(t, prefix, "npm", append([]string{"install", "--no-audit", "--no-fund", "--prefix", prefix}, packages...)...)
	return filepath.Join(prefix, "node_modules")
}

// database makes an empty database that the app's role owns, and returns its URL.
func (m *migratorTest) database(t *testing.T, name string) string {
	t.Helper()
	execSQL(t, m.services.cluster.URL(), fmt.Sprintf("create database %s owner erp", name))
	u, err := url.Parse(m.services.databaseURL())
	if err != nil {
		t.Fatal(err)
	}
	u.Path = name
	return u.String()
}

// The migrators that init writes for Knex and Prisma, bundled as the image bundles them, work by turns with the
// tools' own commands.
func TestMigrators(t *testing.T) {
	m := startMigratorTest(t, "knex@3.3.0", "pg@8.23.1", "esbuild@0.28.2", "prisma@6.19.3", "@prisma/adapter-pg@6.19.3")
	t.Run("knex", func(t *testing.T) { testKnexMigrator(t, m) })
	t.Run("prisma", func(t *testing.T) { testPrismaMigrator(t, m) })
}

func testKnexMigrator(t *testing.T, m *migratorTest) {
	t.Parallel()
	js := []string{"20240101000000_customers.js", "20240102000000_name_index.js"}
	const book = "select string_agg(name, ' ' order by id) from %s"

	t.Run("CommonJS", func(t *testing.T) {
		names := []string{js[0], "20240102000000_first_customer.js"}
		a := newMigratorApp(t, migratorApp{kind: "knex", dir: "db/migrations", extensions: []string{".js"}},
			"knex-cjs.txtar", m.modules, m.database(t, "cjs"))
		a.appliesOnce(t, names...)
		a.expect(t, fmt.Sprintf(book, "knex_migrations"), strings.Join(names, " "))
		a.expect(t, "select name || credit from customers", "first0.00")
		a.cli(t, "Already up to date", "knex", "migrate:latest")
		a.cli(t, "Batch 1 rolled back: 2 migrations", "knex", "migrate:rollback", "--all")
		a.cli(t, "Batch 1 run: 2 migrations", "knex", "migrate:latest")
		a.appliesNothing(t, 2)
		a.waits(t, m.database(t, "cjs_late"), 2)
		checkBrokenKnex(t, a)
		checkKnexLock(t, a)
	})
	t.Run("modules", func(t *testing.T) {
		a := newMigratorApp(t, migratorApp{kind: "knex", dir: "migrations", table: "schema_history", extensions: []string{".js"}},
			"knex-esm.txtar", m.modules, m.database(t, "esm"))
		a.appliesOnce(t, js...)
		a.expect(t, fmt.Sprintf(book, "schema_history"), strings.Join(js, " "))
		a.cli(t, "Batch 1 rolled back: 2 migrations", "knex", "migrate:rollback", "--all")
		a.cli(t, "Batch 1 run: 2 migrations", "knex", "migrate:latest")
		a.appliesNothing(t, 2)
	})
	t.Run("TypeScript", func(t *testing.T) {
		names := []string{"20240101000000_customers.ts", "20240102000000_first_customer.js"}
		a := newMigratorApp(t, migratorApp{kind: "knex", dir: "migrations", extensions: []string{".js", ".ts"}},
			"knex-ts.txtar", m.modules, m.database(t, "ts"))
		a.appliesOnce(t, names...)
		a.appliesNothing(t, 2)
		a.expect(t, fmt.Sprintf(book, "knex_migrations"), strings.Join(names, " "))
		a.cli(t, "Already up to date", "knex", "migrate:latest")
	})
}

func checkBrokenKnex(t *testing.T, a *migratorApp) {
	const name, down = "db/migrations/20240103000000_orders.js", "\nexports.down = () => {};\n"
	const good = `exports.up = (knex) => knex.schema.createTable("orders", (table) => table.increments());`
	a.write(t, name, good+down)
	a.write(t, "db/migrations/20240104000000_hash.js",
		`exports.up = (knex) => knex("customers").insert({ nam: "s3cretValue" });`+down)
	a.build(t)
	a.fails(t, "20240104000000_hash.js: ", `column "nam" of relation "customers" does not exist (42703)`)
	if out, _ := a.migrate(t); strings.Contains(out, "s3cretValue") {
		t.Errorf("the output holds a value of the query:\n%s", out)
	}
	a.expect(t, "select (to_regclass('orders') is null)::text", "true")
	a.write(t, "db/migrations/20240104000000_hash.js", `exports.up = (knex) => knex("customers").insert({ name: "second" });`+down)
	a.build(t)
	a.applies(t, "20240103000000_orders.js", "20240104000000_hash.js")
}

// checkKnexLock leaves Knex's lock as a killed migrator does, and hides a file that was applied.
func checkKnexLock(t *testing.T, a *migratorApp) {
	a.write(t, "db/migrations/20240105000000_more.js", "exports.up = async () => {};\nexports.down = () => {};\n")
	a.build(t)
	execSQL(t, a.url, "update knex_migrations_lock set is_locked = 1")
	a.fails(t, "knex_migrations_lock is taken", "npx knex migrate:unlock")
	a.cli(t, "unlocked the migrations lock table", "knex", "migrate:unlock")
	a.applies(t, "20240105000000_more.js")
	if err := os.Remove(filepath.Join(a.image, "db", "migrations", "20240101000000_customers.js")); err != nil {
		t.Fatal(err)
	}
	a.fails(t, "the following files are missing: 20240101000000_customers.js")
}
