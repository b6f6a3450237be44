package emulator_test

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/opsctl/opsctl/internal/emulator"
	"github.com/opsctl/opsctl/internal/postgres"
)

// A managed cluster is a real server that its credentials open.
func TestManagedPostgres(t *testing.T) {
	if _, err := postgres.Find(context.Background(), postgres.FindOptions{Programs: postgres.ServerPrograms}); err != nil {
		t.Skipf("no PostgreSQL server programs: %v", err)
	}
	s := start(t, func(o *emulator.Options) { o.NoPostgres = false })
	c := connect(t, s)
	c.app("shop")
	code, doc := c.call("POST", "/v1/postgres", map[string]any{
		"org_slug": "personal", "name": "shop-db", "plan": "starter", "region": "fra", "pg_major_version": "16", "pool_mode": "transaction",
	})
	if code != 201 {
		t.Fatalf("create: %d %v", code, doc)
	}
	cluster := doc["data"].(map[string]any)
	path := "/v1/postgres/" + cluster["id"].(string)
	if cluster["status"] == "ready" {
		t.Error("a cluster is ready at once")
	}
	eventually(t, "the cluster is ready", func() bool {
		_, doc = c.call("GET", path, nil)
		cluster = doc["data"].(map[string]any)
		if cluster["status"] == "failed" {
			t.Fatal("the cluster failed")
		}
		return cluster["status"] == "ready"
	})
	_, doc = c.call("GET", path+"/users/fly-user/credentials", nil)
	cred := doc["data"].(map[string]any)
	end := cluster["endpoints"].(map[string]any)["primary"].(map[string]any)
	if end["direct"].(map[string]any)["port"] == end["pooler"].(map[string]any)["port"] {
		t.Error("the pooler is at the server's own port")
	}
	for _, kind := range []string{"direct", "pooler"} {
		e := end[kind].(map[string]any)
		u := url.URL{
			Scheme: "postgres", User: url.UserPassword(cred["username"].(string), cred["password"].(string)),
			Host: fmt.Sprintf("%v:%s", e["host"], strconv.Itoa(int(e["port"].(float64)))), Path: "/fly-db",
		}
		conn, err := pgx.Connect(c.ctx, u.String())
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		var db string
		if err := conn.QueryRow(c.ctx, "select current_database()").Scan(&db); err != nil || db != "fly-db" {
			t.Errorf("%s: %q %v", kind, db, err)
		}
		_ = conn.Close(c.ctx)
	}
	if code, _ := c.call("POST", path+"/attachments", map[string]any{"app_name": "shop"}); code != 201 {
		t.Errorf("attach: %d", code)
	}
	if code, _ := c.call("POST", path+"/attachments", map[string]any{"app_name": "nope"}); code != 404 {
		t.Errorf("attach an unknown app: %d", code)
	}
	_, doc = c.call("GET", "/v1/postgres?org_slug=personal", nil)
	if list := doc["data"].([]any); len(list) != 1 || len(list[0].(map[string]any)["attached_apps"].([]any)) != 1 {
		t.Errorf("clusters %v", doc)
	}
	for _, sub := range []string{"/users", "/databases"} {
		if code, doc := c.call("GET", path+sub, nil); code != 200 || len(doc["data"].([]any)) != 1 {
			t.Errorf("%s: %d %v", sub, code, doc)
		}
	}
	if code, _ := c.call("DELETE", path+"/attachments/shop", nil); code != 204 {
		t.Errorf("detach: %d", code)
	}
	if code, _ := c.call("DELETE", path, nil); code != 202 {
		t.Errorf("delete: %d", code)
	}
	if code, _ := c.call("GET", path, nil); code != 404 {
		t.Errorf("a deleted cluster: %d", code)
	}
}

func TestBadPostgresRequests(t *testing.T) {
	s := start(t)
	c := connect(t, s)
	base := map[string]any{"org_slug": "personal", "plan": "starter", "region": "fra"}
	for _, tt := range []struct {
		key  string
		val  any
		code int
	}{
		{"plan", "huge", 422}, {"region", "cdg", 422}, {"org_slug", "nobody", 404}, {"pg_major_version", "15", 422}, {"pool_mode", "statement", 422},
		{"disk_size_gb", 5, 422}, {"plan", "", 422},
	} {
		body := map[string]any{}
		maps.Copy(body, base)
		body[tt.key] = tt.val
		if code, doc := c.call("POST", "/v1/postgres", body); code != tt.code || doc["status"] != nil {
			t.Errorf("%s=%v: %d %v, want %d and no status word", tt.key, tt.val, code, doc, tt.code)
		}
	}
	// Without servers a cluster fails, as one that cannot be placed does.
	_, doc := c.call("POST", "/v1/postgres", base)
	path := "/v1/postgres/" + doc["data"].(map[string]any)["id"].(string)
	eventually(t, "the cluster has failed", func() bool {
		_, doc := c.call("GET", path, nil)
		return doc["data"].(map[string]any)["status"] == "failed"
	})
	code, _, h := c.send("GET", path+"/users/fly-user/credentials", nil)
	if code != 503 || h.Get("Retry-After") == "" {
		t.Errorf("credentials of a failed cluster: %d, Retry-After %q", code, h.Get("Retry-After"))
	}
}
