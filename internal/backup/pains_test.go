package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
)

// The mistakes that users of other tools report, each with a test that shows
// it is not made here. Pain 1 (failure reported as success), 4 (damage that
// verify does not see) and 10 (privileges) are in fault_test.go and
// preflight_test.go, 6 (a pg_dump older than the server) in package postgres.

// Pain 2: a killed backup that stays "started" for ever, or counts as the newest.
func TestOnlyAManifestMakesABackup(t *testing.T) {
	f := newFixture(t)
	for _, key := range []string{"20261124T030000Z-aaaa/dump.zst.age", "20991231T235959Z-zzzz/dump.zst.age", "20991231T235959Z-zzzz/verify/x.json"} {
		if _, err := f.store.Put(t.Context(), key, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := List(t.Context(), f.store); err != nil || len(list) != 0 {
		t.Errorf("list: %v, %v", list, err)
	}
	url := database(t, "")
	m := f.create(t, url)
	if e, err := Find(t.Context(), f.store, Latest); err != nil || e.ID != m.ID {
		t.Errorf("latest: %+v, %v", e, err)
	}
}

// Pain 5: restores that fail on what every other database has.
func TestSchemaPublicInEveryShape(t *testing.T) {
	owner := fmt.Sprint("keeper", shared.count.Add(1))
	cluster(t)
	exec(t, shared.cluster.URLFor("postgres"), "CREATE ROLE "+owner+" NOLOGIN")
	for name, sql := range map[string]string{
		"as it comes": "", "dropped": "DROP SCHEMA public", "made again": "DROP SCHEMA public; CREATE SCHEMA public",
		"owned, granted, commented": "ALTER SCHEMA public OWNER TO " + owner + "; GRANT CREATE ON SCHEMA public TO PUBLIC; COMMENT ON SCHEMA public IS 'ours'",
		"owner of a table":          "CREATE TABLE t (id serial); ALTER TABLE t OWNER TO " + owner + "; ALTER DEFAULT PRIVILEGES FOR ROLE " + owner + " GRANT SELECT ON TABLES TO PUBLIC",
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			url := database(t, "")
			dropLater(t, url)
			if sql != "" {
				exec(t, url, sql)
			}
			proven(t, f.verify(t, f.create(t, url).ID))
		})
	}
	dropLater(t, shared.cluster.URLFor("no such database"), owner)
}

// Pain 5: a missing extension is named, with what to do.
func TestAMissingExtensionIsNamed(t *testing.T) {
	f := newFixture(t)
	m := f.create(t, database(t, ""))
	m.Extensions = append(m.Extensions, Extension{Name: "time_travel", Version: "3.1", Schema: "public"})
	f.rewrite(t, m)
	_, err := Verify(t.Context(), f.verifyOptions(m.ID))
	if err == nil || !strings.Contains(err.Error(), "time_travel") || errs.HintOf(err) == "" {
		t.Errorf("got %v", err)
	}
}

// Pain 8: housekeeping that deletes what is not its own, or what is good.
func TestSweepingTouchesLeftoversOnly(t *testing.T) {
	f := newFixture(t)
	m := f.create(t, database(t, ""))
	left := "20200101T000000Z-aaaa"
	foreign := []string{"other.txt", "photos/1.jpg", "20200101T000000Z-aaaa.old/dump", "20200101T000000Z/dump", "backups/20200101T000000Z-aaaa/dump.zst"}
	for _, key := range append(foreign, left+"/dump.zst") {
		if _, err := f.store.Put(t.Context(), key, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	if removed, err := SweepLeftovers(t.Context(), f.store, time.Now().Add(-time.Hour)); err != nil || len(removed) != 0 {
		t.Errorf("young ones: %v, %v", removed, err)
	}
	removed, err := SweepLeftovers(t.Context(), f.store, time.Now().Add(time.Hour))
	if err != nil || !slices.Equal(removed, []string{left}) {
		t.Errorf("old ones: %v, %v", removed, err)
	}
	for _, key := range append(foreign, m.ID+"/"+manifestName, m.ID+"/"+m.Object(RoleDump).Name) {
		if _, err := f.store.Stat(t.Context(), key); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// A restore that really fails is the backup's fault, and says what failed.
func TestADumpThatDoesNotRestoreIsNotProven(t *testing.T) {
	f := newFixture(t)
	url := database(t, "")
	// Dumps fine, cannot be restored: the function's body needs a table that comes later.
	exec(t, url, `CREATE TABLE b (x int); INSERT INTO b VALUES (1);
		CREATE FUNCTION has_b() RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN EXISTS (SELECT FROM public.b); END $$;
		CREATE TABLE a (x int CHECK (has_b())); INSERT INTO a VALUES (1)`)
	o := f.verifyOptions(f.create(t, url).ID)
	o.Jobs = 1 // with two, b may be there in time
	v, err := Verify(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	notProven(t, v, "restore", v.ID)
	if len(v.Differences) == 0 {
		return
	}
	if text := v.Differences[0].Text; !strings.Contains(text, "pg_restore failed") {
		t.Errorf("text %q", text)
	}
}

func TestAnInterruptedVerifyLeavesNothing(t *testing.T) {
	f := newFixture(t)
	url := database(t, "")
	exec(t, url, "CREATE TABLE t AS SELECT i, md5(i::text) AS x FROM generate_series(1, 50000) i")
	m := f.create(t, url)
	for _, stage := range []string{StageRead, StageCluster, StageRestore, StageCompare} {
		t.Run(stage, func(t *testing.T) {
			before := scratchDirs(t)
			ctx, cancel := context.WithCancel(t.Context())
			o := f.verifyOptions(m.ID)
			o.Progress = func(e Event) {
				if e.Stage == stage && e.State == Started {
					time.AfterFunc(20*time.Millisecond, cancel)
				}
			}
			if _, err := Verify(ctx, o); errs.CodeOf(err) != errs.Interrupted {
				t.Errorf("want interrupted, got %v", err)
			}
			for _, dir := range scratchDirs(t) {
				if !slices.Contains(before, dir) {
					t.Errorf("%s was left", dir)
				}
			}
			if e, err := Find(t.Context(), f.store, m.ID); err != nil || e.Verdict != nil {
				t.Errorf("a verdict was stored: %+v %v", e, err)
			}
		})
	}
}

// scratchDirs are the scratch directories that this process owns.
func scratchDirs(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(os.TempDir(), "opsctl-pg-*"))
	if err != nil {
		t.Fatal(err)
	}
	var own []string
	for _, dir := range all {
		data, err := os.ReadFile(filepath.Join(dir, "owner.json"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && strings.Contains(string(data), fmt.Sprintf(`"pid":%d,`, os.Getpid())) {
			own = append(own, dir)
		}
	}
	return own
}
