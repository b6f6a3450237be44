package pgserver_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/opsctl/opsctl/internal/emulator/pgserver"
	"github.com/opsctl/opsctl/internal/emulator/world"
	"github.com/opsctl/opsctl/internal/postgres"
)

// shared is what the tests' servers are copied from.
var shared string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "opsctl-pgserver-test-")
	if err != nil {
		panic(err)
	}
	shared = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func newWorld(t *testing.T, dir string) *world.World {
	t.Helper()
	if _, err := postgres.Find(t.Context(), postgres.FindOptions{Programs: []string{"initdb", "postgres", "pg_basebackup"}}); err != nil {
		t.Skip(err)
	}
	w, err := world.New(world.Options{StartDatabase: pgserver.Start, Dir: dir, Cache: shared})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return w
}

type addr func() (string, int)

// sql runs a statement as the user that the service hands out.
func sql(t *testing.T, at addr, password, statement string) (out string) {
	t.Helper()
	host, port := at()
	u := url.URL{Scheme: "postgres", User: url.UserPassword("app user", password), Host: net.JoinHostPort(host, strconv.Itoa(port)), Path: "/app-db"}
	conn, err := pgx.Connect(t.Context(), u.String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if err := conn.QueryRow(t.Context(), statement).Scan(&out); err != nil && !errors.Is(err, pgx.ErrNoRows) {
		t.Fatal(err)
	}
	return out
}

func spec(name string) world.DatabaseSpec {
	return world.DatabaseSpec{Name: name, Major: 16, User: "app user", Password: "it's secret", Database: "app-db"}
}

const (
	content = "select coalesce(string_agg(v, ',' order by v), '') from t"
	table   = "create table t (v text)"
)

func insert(v string) string { return fmt.Sprintf("insert into t values ('%s')", v) }

func TestBackupAndPointInTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	began := time.Now()
	db, err := w.NewDatabase(t.Context(), spec("shop"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the first server was there after %s", time.Since(began).Round(time.Millisecond))
	put := func(s string) { sql(t, db.Addr, "it's secret", s) }
	put(table)
	put(insert("a"))
	early := time.Now()
	put(insert("b"))
	backup, err := db.Backup(t.Context(), "nightly")
	if err != nil {
		t.Fatal(err)
	}
	put(insert("c"))
	put(insert("d"))
	if list := db.Backups(); len(list) != 1 || list[0] != backup || backup.Label != "nightly" || backup.Size < 1<<20 || backup.Finished.Before(backup.Started) {
		t.Errorf("backups %+v, made %+v", list, backup)
	}
	for _, tt := range []struct {
		name, want, password string
		at                   world.RestorePoint
	}{
		{"a backup", "a,b", "other", world.RestorePoint{Backup: backup.ID}},
		{"a moment", "a", "", world.RestorePoint{Time: early}},
		{"now", "a,b,c,d", "", world.RestorePoint{}},
	} {
		s := spec("copy")
		s.Password = tt.password
		began := time.Now()
		c, err := w.RestoreDatabase(t.Context(), db, tt.at, s)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		t.Logf("%s was there after %s", tt.name, time.Since(began).Round(time.Millisecond))
		if got := sql(t, c.Addr, c.Spec.Password, content); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if tt.name == "now" { // a copy can be copied
			sql(t, c.Addr, c.Spec.Password, insert("e"))
			c2, err := w.RestoreDatabase(t.Context(), c, world.RestorePoint{Time: time.Now()}, s)
			if err != nil {
				t.Fatal(err)
			}
			if got := sql(t, c2.PoolerAddr, c2.Spec.Password, content); got != "a,b,c,d,e" {
				t.Errorf("a copy's copy: %q", got)
			}
		}
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	}
	if got := sql(t, db.Addr, "it's secret", content); got != "a,b,c,d" {
		t.Errorf("the source holds %q", got)
	}
}

func TestRefusedRestores(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	db, err := w.NewDatabase(t.Context(), spec("shop"))
	if err != nil {
		t.Fatal(err)
	}
	if w.Database(db.ID) != db {
		t.Error("a database is not found by its id")
	}
	from, to := db.Window()
	for _, at := range []time.Time{from.Add(-time.Millisecond), to.Add(time.Hour)} {
		_, err := w.RestoreDatabase(t.Context(), db, world.RestorePoint{Time: at}, spec("x"))
		var outside *world.OutsideWindowError
		if !errors.As(err, &outside) || !outside.From.Equal(from) {
			t.Errorf("%s: %v", at, err)
		}
	}
	if _, err := w.RestoreDatabase(t.Context(), db, world.RestorePoint{Backup: "../data"}, spec("x")); !errors.Is(err, world.ErrNoBackup) {
		t.Errorf("an unknown backup: %v", err)
	}
	if err := db.DeleteBackup("initial"); !errors.Is(err, world.ErrNoBackup) {
		t.Errorf("delete an unknown backup: %v", err)
	}
	b, err := db.Backup(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := db.DeleteBackup(b.ID); err != nil || len(db.Backups()) != 0 {
		t.Errorf("delete a backup: %v, left %v", err, db.Backups())
	}
	if err := db.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Backup(t.Context(), ""); !errors.Is(err, world.ErrDatabaseStopped) {
		t.Errorf("a backup of a stopped database: %v", err)
	}
	if w.Database(db.ID) != nil {
		t.Error("a stopped database is still there")
	}
}

// Two addresses, one server; the second ends with it.
func TestPoolerAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	db, err := w.NewDatabase(t.Context(), spec("shop"))
	if err != nil {
		t.Fatal(err)
	}
	_, direct := db.Addr()
	host, pooled := db.PoolerAddr()
	if direct == pooled {
		t.Error("one port for both")
	}
	const q = "select inet_server_port()::text"
	if a, b := sql(t, db.Addr, "it's secret", q), sql(t, db.PoolerAddr, "it's secret", q); a != b || a != strconv.Itoa(direct) {
		t.Errorf("servers %s and %s, want %d", a, b, direct)
	}
	conn, err := net.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(pooled)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := db.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("an open connection outlives the server")
	}
	if c, err := net.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(pooled))); err == nil {
		_ = c.Close()
		t.Error("the pooler outlives the server")
	}
}

func TestRewind(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	db, err := w.NewDatabase(t.Context(), spec("shop"))
	if err != nil {
		t.Fatal(err)
	}
	put := func(s string) { sql(t, db.Addr, "it's secret", s) }
	put(table)
	put(insert("a"))
	first, err := db.Backup(t.Context(), "first")
	if err != nil {
		t.Fatal(err)
	}
	put(insert("b"))
	if _, err := db.Backup(t.Context(), "second"); err != nil {
		t.Fatal(err)
	}
	_, port := db.Addr()
	if err := db.Rewind(t.Context(), world.RestorePoint{Backup: first.ID}); err != nil {
		t.Fatal(err)
	}
	if _, now := db.Addr(); now != port {
		t.Errorf("port %d, was %d", now, port)
	}
	if got := sql(t, db.PoolerAddr, "it's secret", content); got != "a" {
		t.Errorf("after the rewind: %q", got)
	}
	if list := db.Backups(); len(list) != 1 || list[0].ID != first.ID {
		t.Errorf("backups after the rewind: %v", list)
	}
	put(insert("c"))
	moment := time.Now()
	put(insert("d"))
	if err := db.Rewind(t.Context(), world.RestorePoint{Time: moment}); err != nil {
		t.Fatal(err)
	}
	if got := sql(t, db.Addr, "it's secret", content); got != "a,c" {
		t.Errorf("after the second rewind: %q", got)
	}
	if err := db.Rewind(t.Context(), world.RestorePoint{Time: moment}); err == nil {
		t.Error("a moment before the last rewind is in the window")
	}
	if err := db.Rewind(t.Context(), world.RestorePoint{Backup: first.ID}); err != nil {
		t.Fatal(err)
	}
	if got := sql(t, db.Addr, "it's secret", content); got != "a" {
		t.Errorf("after the third rewind: %q", got)
	}
}

// As root a private directory cannot hold a server: it goes elsewhere, and is found again.
func TestKeptInAPrivateDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := spec("shop")
	s.Home = filepath.Join(dir, "databases", "1")
	newWorld(t, "")
	first, err := pgserver.Start(t.Context(), s)
	if err != nil {
		t.Skip(err)
	}
	sql(t, first.Addr, "it's secret", table)
	if _, err := first.Backup(t.Context(), "b1", "one"); err != nil {
		t.Fatal(err)
	}
	if err := first.Stop(true); err != nil {
		t.Fatal(err)
	}
	again, err := pgserver.Start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if got := sql(t, again.Addr, "it's secret", content); got != "" || len(again.Backups()) != 1 {
		t.Errorf("after a restart %q, backups %v", got, again.Backups())
	}
	// Once its place is gone, the next one that needs a home elsewhere removes it.
	if err := again.Stop(true); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	s.Home = filepath.Join(t.TempDir(), "databases", "2")
	last, err := pgserver.Start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if err := last.Stop(false); err != nil {
		t.Fatal(err)
	}
	for _, home := range []string{filepath.Join(dir, "databases", "1"), s.Home} {
		abs, _ := filepath.Abs(home)
		sum := sha256.Sum256([]byte(abs))
		if _, err := os.Stat("/var/tmp/opsctl-emulator-db-" + hex.EncodeToString(sum[:8])); !os.IsNotExist(err) {
			t.Errorf("the home of %s is there: %v", home, err)
		}
	}
}

// Databases come back with the world: at their addresses, with data and backups.
func TestDatabasesAreKept(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "opsctl-kept-") //nolint:usetesting // t.TempDir is private, PostgreSQL's own user could not enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // PostgreSQL's own user passes through
		t.Fatal(err)
	}
	w := newWorld(t, dir)
	db, err := w.NewDatabase(t.Context(), spec("shop"))
	if err != nil {
		t.Fatal(err)
	}
	sql(t, db.Addr, "it's secret", table)
	sql(t, db.Addr, "it's secret", insert("a"))
	moment := time.Now()
	sql(t, db.Addr, "it's secret", insert("b"))
	backup, err := db.Backup(t.Context(), "one")
	if err != nil {
		t.Fatal(err)
	}
	state, err := w.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	stray := filepath.Join(dir, "databases", "stray")
	if err := os.Mkdir(stray, 0o700); err != nil {
		t.Fatal(err)
	}

	again := newWorld(t, dir)
	if err := again.Restore(state); err != nil {
		t.Fatal(err)
	}
	back := again.Database(db.ID)
	if got := sql(t, back.PoolerAddr, "it's secret", content); got != "a,b" {
		t.Errorf("after the restart %q", got)
	}
	for _, a := range [][2]addr{{db.Addr, back.Addr}, {db.PoolerAddr, back.PoolerAddr}} {
		_, was := a[0]()
		if _, is := a[1](); is != was {
			t.Errorf("port %d, was %d", is, was)
		}
	}
	if list := back.Backups(); len(list) != 1 || list[0].ID != backup.ID || !list[0].Finished.Equal(backup.Finished) {
		t.Errorf("backups %v, made %v", list, backup)
	}
	c, err := again.RestoreDatabase(t.Context(), back, world.RestorePoint{Time: moment}, spec("copy"))
	if err != nil {
		t.Fatal(err)
	}
	if got := sql(t, c.Addr, "it's secret", content); got != "a" {
		t.Errorf("a moment before the restart: %q", got)
	}
	if _, err := os.Stat(stray); !os.IsNotExist(err) {
		t.Errorf("a directory that belongs to no database stays: %v", err)
	}
	if err := again.Restore(state); err == nil {
		t.Error("the same databases twice")
	}
}
