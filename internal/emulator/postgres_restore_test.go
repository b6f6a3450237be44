package emulator_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/opsctl/opsctl/internal/emulator"
	"github.com/opsctl/opsctl/internal/postgres"
)

// mpg is a Managed Postgres cluster as a client sees it.
type mpg struct {
	*clients
	path string
}

// newMPG makes a cluster with a call and waits until it is ready.
func newMPG(c *clients, path string, body map[string]any) *mpg {
	c.t.Helper()
	code, doc := c.call("POST", path, body)
	if code != 201 {
		c.t.Fatalf("%s: %d %v", path, code, doc)
	}
	m := &mpg{c, "/v1/postgres/" + doc["data"].(map[string]any)["id"].(string)}
	eventually(c.t, "the cluster is ready", func() bool {
		status := m.get("")["status"]
		if status == "failed" {
			c.t.Fatalf("%s: the cluster failed", path)
		}
		return status == "ready"
	})
	return m
}

// get reads an object below the cluster.
func (m *mpg) get(sub string) map[string]any {
	m.t.Helper()
	code, doc := m.call("GET", m.path+sub, nil)
	if code != 200 {
		m.t.Fatalf("GET %s%s: %d %v", m.path, sub, code, doc)
	}
	return doc["data"].(map[string]any)
}

// post expects a status of a call below the cluster.
func (m *mpg) post(want int, method, sub string, body map[string]any) map[string]any {
	m.t.Helper()
	code, doc := m.call(method, m.path+sub, body)
	if code != want {
		m.t.Errorf("%s %s%s: %d %v, want %d", method, m.path, sub, code, doc, want)
	}
	return doc
}

// list reads a list below the cluster.
func (m *mpg) list(sub string) []any {
	m.t.Helper()
	_, doc := m.call("GET", m.path+sub, nil)
	list, _ := doc["data"].([]any)
	return list
}

// try runs a statement as a user with the credentials that the API gives.
func (m *mpg) try(user, sql string) (out string, err error) {
	m.t.Helper()
	cred := m.get("/users/" + user + "/credentials")
	end := m.get("")["endpoints"].(map[string]any)["primary"].(map[string]any)["direct"].(map[string]any)
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(cred["username"].(string), cred["password"].(string)),
		Host: net.JoinHostPort(end["host"].(string), strconv.Itoa(int(end["port"].(float64)))), Path: "/fly-db",
	}
	conn, err := pgx.Connect(m.ctx, u.String())
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(context.Background()) }()
	rows, err := conn.Query(m.ctx, sql)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(&out); err != nil {
			return "", err
		}
	}
	return out, rows.Err()
}

func (m *mpg) sql(sql string) string {
	m.t.Helper()
	out, err := m.try("fly-user", sql)
	if err != nil {
		m.t.Fatalf("%s: %v", sql, err)
	}
	return out
}

func needPostgres(t *testing.T) {
	t.Helper()
	if _, err := postgres.Find(context.Background(), postgres.FindOptions{Programs: []string{"initdb", "postgres", "pg_basebackup"}}); err != nil {
		t.Skipf("no PostgreSQL server programs: %v", err)
	}
}

const rowsOfT = "select coalesce(string_agg(v, ',' order by v), '') from t"

func newCluster(t *testing.T) *mpg {
	needPostgres(t)
	s := start(t, func(o *emulator.Options) { o.NoPostgres = false })
	return newMPG(connect(t, s), "/v1/postgres", map[string]any{
		"org_slug": "personal", "name": "shop-db", "plan": "launch", "region": "fra", "pg_major_version": "17", "pool_mode": "transaction",
	})
}

// Backups, moments and the present become new clusters with the content of then.
func TestManagedPostgresRestores(t *testing.T) {
	m := newCluster(t)
	c := m.clients
	m.sql("create table t (v text)")
	m.sql("insert into t values ('a')")
	moment := time.Now()
	m.sql("insert into t values ('b')")
	m.post(422, "POST", "/backups", map[string]any{"type": "all"})
	m.post(202, "POST", "/backups", map[string]any{"type": "full"})
	if first := m.list("/backups"); len(first) != 1 || first[0].(map[string]any)["type"] != "full" {
		t.Errorf("backups %v", first)
	}
	eventually(t, "the backup is complete", func() bool { return m.list("/backups")[0].(map[string]any)["status"] == "completed" })
	backup := m.list("/backups")[0].(map[string]any)
	if backup["size_bytes"].(float64) < 1<<20 || backup["finished_at"].(string) < backup["started_at"].(string) {
		t.Errorf("backup %v", backup)
	}
	m.sql("insert into t values ('c')")
	m.post(201, "POST", "/users", map[string]any{"username": "late", "role": "reader"})

	for name, tt := range map[string]struct {
		sub, want string
		body      map[string]any
	}{
		"from-backup": {"/restore", "a,b", map[string]any{"backup_id": backup["id"]}},
		"from-moment": {"/restore", "a", map[string]any{"pitr_time": moment.In(time.FixedZone("", 2*3600)).Format(time.RFC3339Nano)}},
		"from-now":    {"/fork", "a,b,c", map[string]any{}},
	} {
		tt.body["name"] = name
		n := newMPG(c, m.path+tt.sub, tt.body)
		if got := n.sql(rowsOfT); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
		doc, was := n.get(""), m.get("")
		for _, k := range []string{"plan", "region", "pg_major_version", "disk_size_gb"} {
			if doc[k] != was[k] {
				t.Errorf("%s: %s is %v, the source's is %v", name, k, doc[k], was[k])
			}
		}
		if doc["name"] != name || n.path == m.path {
			t.Errorf("%s: %v at %s", name, doc["name"], n.path)
		}
		want := 1
		if name == "from-now" {
			want = 2
		}
		if users := n.list("/users"); len(users) != want {
			t.Errorf("%s: users %v", name, users)
		}
		n.post(202, "DELETE", "", nil)
	}
	for _, tt := range []struct {
		code int
		body map[string]any
	}{
		{422, map[string]any{}},
		{422, map[string]any{"backup_id": backup["id"], "pitr_time": moment.Format(time.RFC3339)}},
		{422, map[string]any{"pitr_time": "yesterday"}},
		{422, map[string]any{"pitr_time": "2020-01-01T00:00:00Z"}},
		{422, map[string]any{"pitr_time": time.Now().Add(time.Hour).Format(time.RFC3339)}},
		{404, map[string]any{"backup_id": "none"}},
	} {
		m.post(tt.code, "POST", "/restore", tt.body)
	}
	m.post(202, "DELETE", "", nil)
	m.post(410, "POST", "/fork", nil)
	m.post(404, "GET", "", nil)
}

// Users are roles of the server that may do what they say.
func TestManagedPostgresUsers(t *testing.T) {
	m := newCluster(t)
	m.sql("create table t (v text)")
	for _, role := range []string{"schema_admin", "writer", "reader"} {
		m.post(201, "POST", "/users", map[string]any{"username": "the-" + role, "role": role})
	}
	for user, can := range map[string][3]bool{ // change the table, insert, select
		"the-schema_admin": {true, true, true}, "the-writer": {false, true, true}, "the-reader": {false, false, true},
	} {
		for i, sql := range []string{"alter table t add column if not exists w text", "insert into t values ('x')", rowsOfT} {
			if _, err := m.try(user, sql); (err == nil) != can[i] {
				t.Errorf("%s: %s: %v", user, sql, err)
			}
		}
	}
	m.post(204, "PATCH", "/users/the-reader", map[string]any{"role": "writer"})
	if _, err := m.try("the-reader", "insert into t values ('y')"); err != nil {
		t.Errorf("after the change of role: %v", err)
	}
	var roles []any
	for _, u := range m.list("/users") {
		roles = append(roles, u.(map[string]any)["role"])
	}
	if fmt.Sprint(roles) != "[schema_admin schema_admin writer writer]" {
		t.Errorf("roles %v", roles)
	}
	old := m.get("/users/fly-user/credentials")["password"]
	m.post(200, "POST", "/users/fly-user/rotate_password", map[string]any{"kill_sessions": true})
	if fresh := m.get("/users/fly-user/credentials")["password"]; fresh == old {
		t.Error("the password is the old one")
	}
	m.sql(rowsOfT)
	m.post(204, "DELETE", "/users/the-writer", nil)
	for _, tt := range []struct {
		code        int
		method, sub string
		body        map[string]any
	}{
		{409, "POST", "/users", map[string]any{"username": "the-reader", "role": "reader"}},
		{422, "POST", "/users", map[string]any{"username": "x", "role": "boss"}},
		{422, "POST", "/users", map[string]any{"username": "a'b", "role": "reader"}},
		{404, "GET", "/users/the-writer/credentials", nil},
		{404, "DELETE", "/users/the-writer", nil},
		{404, "PATCH", "/users/nobody", map[string]any{"role": "reader"}},
		{400, "DELETE", "/users/fly-user", nil},
		{404, "POST", "/users/postgres/rotate_password", nil},
		{201, "POST", "/databases", map[string]any{"name": "more"}},
		{422, "POST", "/databases", map[string]any{"name": "more"}},
		{422, "POST", "/databases", map[string]any{"name": ""}},
		{200, "DELETE", "/databases/more", nil},
		{404, "DELETE", "/databases/more", nil},
	} {
		m.post(tt.code, tt.method, tt.sub, tt.body)
	}
	if dbs := m.list("/databases"); len(dbs) != 1 {
		t.Errorf("databases %v", dbs)
	}
}
