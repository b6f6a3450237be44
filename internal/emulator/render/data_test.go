package render_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/opsctl/opsctl/internal/emulator/pgserver"
	"github.com/opsctl/opsctl/internal/emulator/render"
	"github.com/opsctl/opsctl/internal/emulator/world"
	"github.com/opsctl/opsctl/internal/postgres"
)

func withPostgres(t *testing.T, change ...func(*render.Options)) *fixture {
	t.Helper()
	if _, err := postgres.Find(t.Context(), postgres.FindOptions{Programs: postgres.ServerPrograms}); err != nil {
		t.Skipf("no PostgreSQL server programs: %v", err)
	}
	return serve(t, newWorld(t, func(o *world.Options) { o.StartDatabase = pgserver.Start }), change...)
}

func (f *fixture) query(dsn, sql string) string {
	f.t.Helper()
	conn, err := pgx.Connect(f.t.Context(), dsn)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(f.t.Context())) }()
	var out string
	if err := conn.QueryRow(f.t.Context(), sql).Scan(&out); err != nil {
		f.t.Fatalf("%s: %v", sql, err)
	}
	return out
}

func (f *fixture) exec(dsn, sql string) {
	f.t.Helper()
	conn, err := pgx.Connect(f.t.Context(), dsn)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(f.t.Context())) }()
	if _, err := conn.Exec(f.t.Context(), sql); err != nil {
		f.t.Fatalf("%s: %v", sql, err)
	}
}

func (f *fixture) available(path string) object {
	f.t.Helper()
	var doc object
	f.eventually(path+" is available", func() bool {
		doc = f.call(200, "GET", path, nil)
		if st := doc.str("status"); st == "unavailable" || st == "recovery_failed" {
			f.t.Fatalf("%s is %s", path, st)
		}
		return doc.str("status") == "available"
	})
	return doc
}

// A managed database is a real server: direct, through the pooler, recovered to
// a moment, exported.
func TestPostgres(t *testing.T) {
	var port func() int
	f := withPostgres(t, func(o *render.Options) { o.RecoveryGap = -1; o.Port = func() int { return port() } })
	port = func() int { return f.srv.Listener.Addr().(*net.TCPAddr).Port }
	out := f.call(201, "POST", "/postgres", object{"name": "shop-db", "ownerId": "tea-1", "plan": "basic_256mb", "version": "16", "region": "frankfurt", "connectionPool": "pgbouncer"})
	if out.str("status") != "creating" || out.str("connectionPool") != "pgbouncer" {
		t.Errorf("%v", out)
	}
	path := "/postgres/" + out.str("id")
	f.available(path)
	info := f.call(200, "GET", path+"/connection-info", nil)
	direct := info.str("externalConnectionString")
	if got := f.query(direct, "select current_user::text"); got != "shop_db_user" {
		t.Errorf("user %q", got)
	}
	f.exec(direct, "create table t as select 'before' as v")
	if got := f.query(info.str("internalConnectionPoolString"), "select v from t"); got != "before" {
		t.Errorf("through the pooler: %q", got)
	}
	moment := f.query(direct, "select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
	f.exec(direct, "update t set v = 'after'")

	rec := f.call(200, "GET", path+"/recovery", nil)
	if rec.str("recoveryStatus") != "AVAILABLE" || rec.str("startsAt") == "" {
		t.Errorf("%v", rec)
	}
	f.call(400, "POST", path+"/recovery", object{"restoreTime": "2020-01-01T00:00:00Z"})
	n := f.call(200, "POST", path+"/recovery", object{"restoreTime": moment, "restoreName": "copy"})
	if n.str("status") != "recovery_in_progress" || n.str("id") == out.str("id") {
		t.Errorf("%v", n)
	}
	f.available("/postgres/" + n.str("id"))
	copied := f.call(200, "GET", "/postgres/"+n.str("id")+"/connection-info", nil)
	if got := f.query(copied.str("externalConnectionString"), "select v from t"); got != "before" {
		t.Errorf("the copy has %q", got)
	}

	f.call(202, "POST", path+"/export", nil)
	var link string
	f.eventually("the export is ready", func() bool {
		code, body, _ := f.send("GET", path+"/export", nil)
		_, rest, _ := strings.Cut(string(body), `"url":"`)
		link, _, _ = strings.Cut(rest, `"`)
		return code == 200 && link != ""
	})
	resp, err := http.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if names := tarNames(t, resp.Body); !strings.Contains(names, "toc.dat") || !strings.HasSuffix(link, ".dir.tar.gz") {
		t.Errorf("the export holds %s", names)
	}

	f.call(200, "PATCH", path, object{"plan": "basic_1gb", "connectionPool": "none", "diskSizeGB": 20, "name": "db"})
	if info := f.call(200, "GET", path+"/connection-info", nil); info["internalConnectionPoolString"] != nil {
		t.Error("a pool that was switched off is there")
	}
	f.call(202, "POST", path+"/suspend", nil)
	if list, _ := f.list("/postgres?name=db&suspended=suspended&ownerId=tea-1", "postgres"); len(list) != 1 || list[0].str("status") != "suspended" {
		t.Errorf("%v", list)
	}
	f.call(202, "POST", path+"/resume", nil)
	f.call(204, "DELETE", path, nil)
	f.call(404, "GET", path, nil)
	for _, bad := range []object{
		{"name": "x", "ownerId": "tea-1", "plan": "basic_256mb", "version": "9"}, {"name": "x", "ownerId": "tea-1", "plan": "giant", "version": "16"},
		{"name": "x", "ownerId": "tea-1", "version": "16"}, {"name": "x", "ownerId": "tea-1", "plan": "free", "version": "16", "connectionPool": "odyssey"},
	} {
		f.call(400, "POST", "/postgres", bad)
	}
}

func tarNames(t *testing.T, r io.Reader) string {
	t.Helper()
	zr, err := gzip.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for tr := tar.NewReader(zr); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return strings.Join(names, " ")
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
	}
}

func TestWithoutDatabases(t *testing.T) {
	f := start(t)
	out := f.call(201, "POST", "/postgres", object{"name": "db", "ownerId": "tea-1", "plan": "free", "version": "17"})
	f.eventually("it is unavailable", func() bool {
		return f.call(200, "GET", "/postgres/"+out.str("id"), nil).str("status") == "unavailable"
	})
	f.call(404, "GET", "/postgres/"+out.str("id")+"/connection-info", nil)
}

func TestKeyValue(t *testing.T) {
	f := start(t)
	out := f.call(201, "POST", "/key-value", object{"name": "cache", "ownerId": "tea-1", "plan": "starter", "region": "frankfurt", "maxmemoryPolicy": "noeviction", "persistenceMode": "snapshot"})
	path := "/key-value/" + out.str("id")
	f.available(path)
	info := f.call(200, "GET", path+"/connection-info", nil)
	if got := ping(t, info.str("internalConnectionString")); got != "+OK+PONG" {
		t.Errorf("the server says %q", got)
	}
	f.call(200, "PATCH", path, object{"plan": "standard"})
	if list, _ := f.list("/key-value?name=cache&ownerId=tea-1", "keyValue"); len(list) != 1 || list[0].str("plan") != "standard" {
		t.Errorf("%v", list)
	}
	f.call(202, "POST", path+"/suspend", nil)
	f.call(202, "POST", path+"/resume", nil)
	f.call(400, "POST", "/key-value", object{"name": "x", "ownerId": "tea-1", "plan": "starter", "maxmemoryPolicy": "never"})
	f.call(204, "DELETE", path, nil)
	f.call(404, "GET", path, nil)
}

// ping signs in to a Redis server and pings it.
func ping(t *testing.T, dsn string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	pw, _ := u.User.Password()
	var got bytes.Buffer
	for _, cmd := range [][]string{{"AUTH", u.User.Username(), pw}, {"PING"}} {
		text := fmt.Sprintf("*%d\r\n", len(cmd))
		for _, word := range cmd {
			text += fmt.Sprintf("$%d\r\n%s\r\n", len(word), word)
		}
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 64)
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		got.Write(bytes.TrimSpace(buf[:n]))
	}
	return got.String()
}
