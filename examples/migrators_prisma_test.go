package examples_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func testPrismaMigrator(t *testing.T, m *migratorTest) {
	t.Parallel()
	names := []string{"20240101000000_customers", "20240102000000_name_index"}
	// The app has no pg of its own, and the image's build installs it beside the app.
	a := newMigratorApp(t, migratorApp{kind: "prisma", dir: "prisma/migrations", env: []string{"NODE_PATH=" + install(t, "pg@8.23.1")}},
		"prisma.txtar", m.modules, m.database(t, "prisma")+"?schema=public&connection_limit=5")
	if err := os.Symlink(m.modules, filepath.Join(a.repo, "node_modules")); err != nil {
		t.Fatal(err)
	}
	a.appliesOnce(t, names...)
	a.appliesNothing(t, 2)
	a.waits(t, m.database(t, "prisma_late"), 2)
	a.expect(t, `select name from "Customer"`, "first; with a semicolon")
	a.cli(t, "Database schema is up to date!", "prisma", "migrate", "status")
	a.cli(t, "No pending migrations to apply", "prisma", "migrate", "deploy")

	a.write(t, "prisma/migrations/20240103000000_by_prisma/migration.sql", "CREATE TABLE by_prisma (id int);\r\n")
	a.build(t)
	a.cli(t, "20240103000000_by_prisma", "prisma", "migrate", "deploy")
	a.appliesNothing(t, 3)
	a.expect(t, "select string_agg(migration_name, ' ' order by started_at) from _prisma_migrations where finished_at is not null and applied_steps_count = 1",
		strings.Join(append(slices.Clone(names), "20240103000000_by_prisma"), " "))

	t.Run("broken", func(t *testing.T) { checkBrokenPrisma(t, a) })
	t.Run("changed and missing", func(t *testing.T) { checkChangedPrisma(t, a) })
	t.Run("database", func(t *testing.T) { checkPrismaDatabases(t, m, a) })
}

// refuses expects Prisma's command to fail.
func (a *migratorApp) refuses(t *testing.T, want string) {
	t.Helper()
	out, err := output(t.Context(), a.repo, a.cliEnv(), filepath.Join(a.bin, "prisma"), "migrate", "deploy")
	if err == nil || !strings.Contains(out, want) {
		t.Errorf("prisma migrate deploy: %v\n%s\nwant: %s", err, out, want)
	}
}

func checkBrokenPrisma(t *testing.T, a *migratorApp) {
	const name = "20240104000000_broken"
	resolve := []string{"migrate", "resolve", "--rolled-back", name}
	a.write(t, "prisma/migrations/"+name+"/migration.sql", "create table half (id int);\n\nselect no_such_column;\n")
	a.write(t, "prisma/migrations/20240105000000_after/migration.sql", "create table after_it (id int);\n")
	a.build(t)
	a.fails(t, name+"/migration.sql:3: ", `column "no_such_column" does not exist`, "(42703)", "npx prisma "+strings.Join(resolve, " "))
	a.expect(t, "select (to_regclass('half') is null and to_regclass('after_it') is null)::text", "true")
	a.expect(t, "select logs from _prisma_migrations where finished_at is null", `column "no_such_column" does not exist`)
	a.fails(t, name+" failed or was cut off at ", "(P3009)")
	a.refuses(t, "P3009")
	a.cli(t, "marked as rolled back", "prisma", resolve...)

	// A script may change the session, and need not end its transaction.
	a.write(t, "prisma/migrations/"+name+"/migration.sql", "select set_config('search_path', '', false);\nbegin;\ncreate table public.half (id int);\n")
	a.build(t)
	a.applies(t, name, "20240105000000_after")
	a.expect(t, "select (to_regclass('public.half') is not null and to_regclass('public.after_it') is not null)::text", "true")
	a.cli(t, "Database schema is up to date!", "prisma", "migrate", "status")

	const cut = "20240106000000_cut_off"
	a.write(t, "prisma/migrations/"+cut+"/migration.sql", "select pg_sleep(3);\n")
	a.build(t)
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	if out, err := output(ctx, a.image, []string{"DATABASE_URL=" + a.url}, "node", "migrate.mjs"); err == nil {
		t.Fatalf("the migrator was not cut off:\n%s", out)
	}
	a.fails(t, cut+" failed or was cut off at ")
	a.cli(t, "marked as applied", "prisma", "migrate", "resolve", "--applied", cut)
	a.appliesNothing(t, 6)
}

// checkChangedPrisma expects warnings and no more: Prisma's own command says nothing at all.
func checkChangedPrisma(t *testing.T, a *migratorApp) {
	const name = "20240103000000_by_prisma"
	file := "prisma/migrations/" + name + "/migration.sql"
	a.write(t, file, "CREATE TABLE by_prisma (id int);\n") // was written with \r\n
	a.build(t)
	a.appliesNothing(t, 6)
	a.write(t, file, "CREATE TABLE by_prisma (id bigint);\n")
	a.build(t)
	if out, err := a.migrate(t); err != nil || !strings.Contains(out, "warning: prisma/migrations/"+name+" was changed after it was applied") {
		t.Errorf("%v\n%s", err, out)
	}
	if err := os.RemoveAll(filepath.Join(a.image, "prisma", "migrations", name)); err != nil {
		t.Fatal(err)
	}
	if out, err := a.migrate(t); err != nil || !strings.Contains(out, "warning: "+name+" was applied but is not in prisma/migrations") {
		t.Errorf("%v\n%s", err, out)
	}
	a.write(t, file, "CREATE TABLE by_prisma (id int);\r\n")
	a.build(t)
}

// checkPrismaDatabases is about what the URL says and what the database already holds.
func checkPrismaDatabases(t *testing.T, m *migratorTest, a *migratorApp) {
	tenant := *a
	tenant.url = m.database(t, "tenants") + "?schema=Tenant-1"
	execSQL(t, tenant.server(), "create table elsewhere (id int)")
	tenant.appliesOnce(t, "20240101000000_customers", "20240102000000_name_index", "20240103000000_by_prisma",
		"20240104000000_broken", "20240105000000_after", "20240106000000_cut_off")
	tenant.expect(t, `select string_agg(relname, ' ' order by relname) from pg_class
		where relkind = 'r' and relnamespace = '"Tenant-1"'::regnamespace`, "Customer _prisma_migrations after_it by_prisma")

	old := *a
	old.url = m.database(t, "old")
	execSQL(t, old.url, `create table "Customer" (id int)`)
	old.fails(t, "the schema public has tables but no _prisma_migrations", "npx prisma migrate resolve --applied NAME")
	old.refuses(t, "P3005")
	for url, want := range map[string]string{
		"":                          "set DIRECT_DATABASE_URL, DIRECT_URL or DATABASE_URL",
		old.url + "?pgbouncer=true": "set DIRECT_URL",
		"prisma+postgres://u:" + appPassword + "@x": "has to begin with postgresql://",
	} {
		wrong := *a
		wrong.url = url
		wrong.fails(t, want)
	}
	if out, err := a.migrate(t, "DATABASE_URL=postgresql://x?pgbouncer=true", "DIRECT_URL="+a.url); err != nil {
		t.Errorf("DIRECT_URL: %v\n%s", err, out)
	}
	a.write(t, "prisma/migrations/migration_lock.toml", "provider = \"mysql\"\n")
	a.build(t)
	a.fails(t, "migration_lock.toml is not for postgresql but for mysql")
}
