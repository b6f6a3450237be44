package postgres

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func needBackup(t *testing.T) *Install {
	t.Helper()
	in, err := Find(t.Context(), FindOptions{Programs: []string{"initdb", "postgres", "pg_basebackup"}})
	if err != nil {
		t.Skip(err)
	}
	return in
}

// home is a directory that the server's user may enter, with awkward characters.
func home(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "it's a % home ") //nolint:usetesting // t.TempDir is private, PostgreSQL's own user could not enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func run(t *testing.T, c *Cluster, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), c.SocketURL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

const content = "select coalesce(string_agg(v, ',' order by v), '') from t"

func startKept(t *testing.T, o ScratchOptions) *Cluster {
	t.Helper()
	c, err := StartScratch(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Discard() })
	return c
}

// Every moment and every base backup of an archived cluster can be brought back.
func TestRecovery(t *testing.T) {
	in := needBackup(t)
	cache := t.TempDir()
	src := startKept(t, ScratchOptions{Install: in, Home: home(t), Archive: true, CacheDir: cache})
	run(t, src, "create table t (v text)")
	run(t, src, "insert into t values ('a')")
	early := time.Now()
	run(t, src, "insert into t values ('b')")
	size, err := src.BaseBackup(t.Context(), "1", `it's "one"`)
	if err != nil {
		t.Fatal(err)
	}
	if size < 1<<20 {
		t.Errorf("a base backup of %d bytes", size)
	}
	run(t, src, "insert into t values ('c')")
	late := time.Now()
	run(t, src, "insert into t values ('d')")
	if err := src.ArchiveNow(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, base, want string
		at               time.Time
		all              bool
	}{
		{"a moment after the initial base", InitialBase, "a", early, false},
		{"a moment after a base backup", "1", "a,b,c", late, false},
		{"a base backup", "1", "a,b", time.Time{}, false},
		{"all there is", InitialBase, "a,b,c,d", time.Time{}, true},
	} {
		c := startKept(t, ScratchOptions{Install: in, Home: home(t), Archive: true, CacheDir: cache, Recover: &Recovery{
			Base: src.BaseDir(tt.base), WAL: src.WALDir(), Time: tt.at, All: tt.all,
		}})
		if got := query(t, c.SocketURL("postgres"), content); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		run(t, c, "insert into t values ('z')") // it is a primary
		if err := c.ArchiveNow(t.Context()); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err := c.Discard(); err != nil {
			t.Error(err)
		}
	}
	if got := query(t, src.SocketURL("postgres"), content); got != "a,b,c,d" {
		t.Errorf("the source holds %q", got)
	}
}

// A cluster with a home is there again after it was stopped, and after it was killed.
func TestHomeIsKept(t *testing.T) {
	in := needBackup(t)
	dir := home(t)
	o := ScratchOptions{Install: in, Home: dir, Archive: true}
	c := startKept(t, o)
	run(t, c, "create table t (v text); insert into t values ('a')")
	if _, err := StartScratch(t.Context(), o); err == nil {
		t.Fatal("two servers in one home")
	}
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := startKept(t, o)
	run(t, again, "insert into t values ('b')")
	signal(again.process.Pid(), os.Kill)
	<-again.Done()
	if err := again.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	last := startKept(t, o)
	if got := query(t, last.SocketURL("postgres"), content); got != "a,b" {
		t.Errorf("after a restart %q", got)
	}
	if err := last.Discard(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "data")); !os.IsNotExist(err) {
		t.Errorf("a discarded home is there: %v", err)
	}
}

// Clusters that are made at once, with one cache, are each recovered from their own base.
func TestRecoveryAfterARaceForTheTemplate(t *testing.T) {
	in := needBackup(t)
	cache := t.TempDir()
	const n = 3
	var all sync.WaitGroup
	clusters, errs := make([]*Cluster, n), make([]error, n)
	for i := range n {
		dir := home(t)
		all.Go(func() {
			clusters[i], errs[i] = StartScratch(context.Background(), ScratchOptions{Install: in, Home: dir, Archive: true, CacheDir: cache})
		})
	}
	all.Wait()
	for i, c := range clusters {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		t.Cleanup(func() { _ = c.Discard() })
		run(t, c, "create table t (v text); insert into t values ('a')")
		if err := c.ArchiveNow(t.Context()); err != nil {
			t.Fatal(err)
		}
		copied := startKept(t, ScratchOptions{Install: in, Home: home(t), Archive: true, Recover: &Recovery{Base: c.BaseDir(InitialBase), WAL: c.WALDir(), All: true}})
		if got := query(t, copied.SocketURL("postgres"), content); got != "a" {
			t.Errorf("%d: %q", i, got)
		}
	}
}
