package backup

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/opsctl/opsctl/internal/errs"
)

func (f *fixture) restoreOptions(id, url string) RestoreOptions {
	return RestoreOptions{
		Store: f.store, ID: id, Identities: f.identities, TargetURL: url, By: "tester", Opsctl: "test", Now: time.Now,
		Progress: func(e Event) { f.events = append(f.events, e) },
	}
}

// same fails the test unless everything was restored and is as it was.
func same(tb testing.TB, r *Restored, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatalf("restore: %v (hint: %s)", err, errs.HintOf(err))
	}
	for _, d := range r.Differences {
		tb.Errorf("difference: %s", d)
	}
	if r.Outcome != OutcomeRestored {
		tb.Errorf("outcome %s", r.Outcome)
	}
}

// value is the first value of a query, as text.
func value(tb testing.TB, url, sql string) string {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), url)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	text, err := (Check{SQL: sql}).run(tb.Context(), conn)
	if err != nil {
		tb.Fatalf("%s: %v", sql, err)
	}
	return text
}

// records are the audit records of a backup's restores.
func (f *fixture) records(tb testing.TB, id string) (out []Restored) {
	tb.Helper()
	objects, err := f.store.List(tb.Context(), id+"/"+restoresPrefix)
	if err != nil {
		tb.Fatal(err)
	}
	for _, o := range objects {
		data, err := readAll(tb.Context(), f.store, o.Key)
		if err != nil {
			tb.Fatal(err)
		}
		if strings.Contains(string(data), "hunter2") {
			tb.Errorf("the record has the password: %s", data)
		}
		var r Restored
		if err := json.Unmarshal(data, &r); err != nil {
			tb.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

func TestRestoreFillsAnEmptyDatabase(t *testing.T) {
	f := newFixture(t)
	url := database(t, "")
	exec(t, url, shop)
	m := f.create(t, url)
	to := database(t, "")
	exec(t, to, "CREATE EXTENSION hstore") // the platform's own; no reason to refuse
	r, err := Restore(t.Context(), f.restoreOptions(Latest, to))
	same(t, r, err)
	if r.Mode != ModeFill || r.Rows != 1010 || r.Tables != 3 || r.ID != m.ID {
		t.Errorf("result %+v", r)
	}
	records := f.records(t, m.ID)
	if len(records) != 1 || records[0].Outcome != OutcomeRestored || records[0].By != "tester" || records[0].Target.Database == "" || records[0].Seconds <= 0 {
		t.Errorf("records %+v", records)
	}
	// A restored database is a source like any other: nothing got lost on the way.
	m2 := f.create(t, to)
	if m.SchemaHash == m2.SchemaHash {
		t.Error("the extension hstore is not in the second backup's schema")
	}
	for i := range m.Tables {
		if m.Tables[i].Hash != m2.Tables[i].Hash {
			t.Errorf("table %s has another hash", m.Tables[i].key())
		}
	}
}

// what a failed deploy leaves: migrated, with data that came later.
const migrated = `
CREATE TABLE invoices (id int PRIMARY KEY, tenant int REFERENCES tenants, kind state);
CREATE VIEW big AS SELECT * FROM orders WHERE net > 10;
ALTER TABLE tenants ADD COLUMN plan text NOT NULL DEFAULT 'free';
ALTER TABLE tenants ADD CHECK (plan <> '');
DELETE FROM orders WHERE id % 2 = 0;
CREATE SCHEMA later; CREATE TABLE later."odd ""name" (x state);
CREATE FUNCTION later_f(s state) RETURNS text LANGUAGE sql AS 'SELECT s::text';
CREATE DOMAIN short AS varchar(3); CREATE TYPE pair AS (a short, b state); CREATE TYPE span AS RANGE (subtype = int);
CREATE AGGREGATE total(int) (sfunc = int4pl, stype = int); CREATE PROCEDURE nop() LANGUAGE sql AS '';
CREATE TABLE ids (id int GENERATED ALWAYS AS IDENTITY, s serial); CREATE PUBLICATION p FOR TABLE ids;
CREATE TABLE parts (k int) PARTITION BY LIST (k); CREATE TABLE part PARTITION OF parts DEFAULT;
SELECT lo_from_bytea(0, 'x');
`

func TestRestoreReplacesWhatIsThereInOneTransaction(t *testing.T) {
	f := newFixture(t)
	url := database(t, "")
	exec(t, url, shop, `CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext; CREATE TABLE ext.names (n ext.citext); INSERT INTO ext.names VALUES ('A')`,
		`CREATE SCHEMA "new
line"; CREATE TABLE "new
line"."x \ y" AS SELECT 1 AS a`)
	m := f.create(t, url)
	exec(t, url, migrated)
	name := m.Database.Name

	o := f.restoreOptions(m.ID, url)
	_, err := Restore(t.Context(), o)
	if errs.CodeOf(err) != errs.Conflict || !strings.Contains(err.Error(), "is the backup's source and not empty") {
		t.Fatalf("without --confirm: %v", err)
	}
	o.Confirm = "other"
	if _, err := Restore(t.Context(), o); errs.CodeOf(err) != errs.Usage {
		t.Fatalf("with another name: %v", err)
	}
	if got := value(t, url, "SELECT count(*) FROM orders"); got != "500" {
		t.Fatalf("a refused restore changed the target: %s rows", got)
	}
	if n := len(f.records(t, m.ID)); n != 0 {
		t.Errorf("%d records of refused restores", n)
	}
	o.Confirm = name
	r, err := Restore(t.Context(), o)
	same(t, r, err)
	if r.Mode != ModeReplace {
		t.Errorf("mode %s", r.Mode)
	}
	r, err = Restore(t.Context(), func() RestoreOptions { o.Now = func() time.Time { return time.Now().Add(time.Second) }; return o }())
	same(t, r, err) // and again
	if n := len(f.records(t, m.ID)); n != 2 {
		t.Errorf("%d records", n)
	}
	proven(t, f.verify(t, f.create(t, url).ID))
}

func TestAFailedReplaceLeavesTheTargetAsItWas(t *testing.T) {
	for _, tt := range []struct{ name, program, script string }{
		{"pg_restore dies in the middle", "pg_restore", `"$REAL" "$@" | head -c 20000; exit 1`},
		{"pg_restore is killed", "pg_restore", `"$REAL" "$@" | head -c 20000; kill -9 $$`},
		{"psql is killed", "psql", `head -c 20000 | "$REAL" "$@"; kill -9 $$`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			url := database(t, "")
			exec(t, url, shop)
			m := f.create(t, url)
			exec(t, url, "INSERT INTO tenants (name) VALUES ('came later')")
			fakeProgram(t, tt.program, tt.script)
			o := f.restoreOptions(m.ID, url)
			o.Confirm = m.Database.Name
			r, err := Restore(t.Context(), o)
			if err == nil || r.Outcome != OutcomeFailed || !strings.Contains(errs.HintOf(err), "is as it was") {
				t.Errorf("outcome %+v, error %v, hint %s", r, err, errs.HintOf(err))
			}
			if got := value(t, url, "SELECT count(*) || ' ' || (SELECT count(*) FROM orders) FROM tenants"); got != "11 1000" {
				t.Errorf("the target has %s rows", got)
			}
			if rec := f.records(t, m.ID); len(rec) != 1 || rec[0].Outcome != OutcomeFailed {
				t.Errorf("records %+v", rec)
			}
		})
	}
}

// fakeProgram puts a script in the place of one of PostgreSQL's programs.
func fakeProgram(t *testing.T, program, script string) {
	t.Helper()
	fakePgDump(t, `exec "$REAL" "$@"`)
	dir := os.Getenv("OPSCTL_PG_BINDIR")
	path := filepath.Join(dir, program)
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(fmt.Sprintf("#!/bin/sh\nREAL=%q\n[ \"$1\" = --version ] && exec \"$REAL\" --version\n%s\n", real, script)), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestNothingIsTouchedWhenTheBackupIsDamaged(t *testing.T) {
	f := newFixture(t)
	url := database(t, "")
	exec(t, url, "CREATE TABLE t AS SELECT i FROM generate_series(1, 1000) i")
	m := f.create(t, url)
	to := database(t, "")
	path := f.store.Path(m.ID + "/" + m.Object(RoleDump).Name)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, damage := range [][]byte{append(slices.Clone(data[:len(data)-20]), 'x'), append(slices.Clone(data), 'x'), {}} {
		if err := os.WriteFile(path, damage, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Restore(t.Context(), f.restoreOptions(m.ID, to))
		if errs.CodeOf(err) != errs.CheckFailed || !strings.Contains(errs.HintOf(err), "was not changed") {
			t.Errorf("%v (%s)", err, errs.HintOf(err))
		}
		if got := value(t, to, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"); got != "0" {
			t.Errorf("%s objects in the target", got)
		}
	}
	// The roles' file is not needed to restore.
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(f.store.Path(m.ID + "/" + m.Object(RoleGlobals).Name)); err != nil {
		t.Fatal(err)
	}
	r, err := Restore(t.Context(), f.restoreOptions(m.ID, to))
	same(t, r, err)
	if !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, "missing from the store") }) {
		t.Errorf("notes %q", r.Notes)
	}
}

func TestAnInterruptedRestoreSaysWhatBecameOfTheTarget(t *testing.T) {
	f := newFixture(t)
	url := database(t, "")
	exec(t, url, "CREATE TABLE t AS SELECT i, md5(i::text) AS x FROM generate_series(1, 200000) i; CREATE INDEX ON t (x)")
	m := f.create(t, url)
	for _, tt := range []struct{ stage, confirm, want string }{
		{StageRead, "", "was not changed"}, {StageRestore, "", "is partly restored"},
		{StageRestore, m.Database.Name, "is as it was"}, {StageCompare, "", "was not compared to the end"},
	} {
		t.Run(tt.stage+" "+tt.confirm, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			to := url
			if tt.confirm == "" {
				to = database(t, "")
			}
			o := f.restoreOptions(m.ID, to)
			o.Confirm = tt.confirm
			o.Progress = func(e Event) {
				if e.Stage == tt.stage && e.State == Started {
					time.AfterFunc(30*time.Millisecond, cancel)
				}
			}
			began := time.Now()
			_, err := Restore(ctx, o)
			want := tt.want
			if tt.stage == StageRestore && tt.confirm == "" && value(t, to, "SELECT count(*) FROM pg_class WHERE relname = 't'") == "0" {
				want = "" // too early for anything to be there
			}
			if errs.CodeOf(err) != errs.Interrupted || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v", err)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("took %s", took)
			}
			rec := f.records(t, m.ID)
			if len(rec) == 0 || rec[len(rec)-1].Outcome != OutcomeInterrupted {
				t.Errorf("records %+v", rec)
			}
		})
	}
	if got := value(t, url, "SELECT count(*) FROM t"); got != "200000" {
		t.Errorf("the source has %s rows", got)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "opsctl-pg-*", "dump")); len(left) > 0 {
		t.Errorf("spooled dumps left: %v", left)
	}
}

func TestADifferenceAfterTheRestoreIsFound(t *testing.T) {
	f := newFixture(t)
	url := database(t, "")
	exec(t, url, shop)
	m := f.create(t, url)
	fakeProgram(t, "psql", `"$REAL" "$@" && "$REAL" -Xqc "UPDATE tenants SET name = 'somebody' WHERE id = 3"`)
	o := f.restoreOptions(m.ID, url)
	o.Confirm = m.Database.Name
	r, err := Restore(t.Context(), o)
	if err != nil || r.Outcome != OutcomeDiffers || len(r.Differences) != 1 || r.Differences[0].Name != "public.tenants" {
		t.Errorf("result %+v, error %v", r, err)
	}
	if rec := f.records(t, m.ID); len(rec) != 1 || rec[0].Outcome != OutcomeDiffers {
		t.Errorf("records %+v", rec)
	}
}
