package examples_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/opsctl/opsctl/internal/execx"
	"github.com/opsctl/opsctl/internal/postgres"
)

// Values that must turn up in no answer of the app.
const (
	appPassword   = "s3cretOfTheApp"
	webhookSecret = "whsec_dGhlIHNlY3JldCBvZiB0aGUgdGVzdA=="
)

// services are a real PostgreSQL and a real Redis on ports that stay the same
// when they are stopped and started.
type services struct {
	pgPort, redisPort int
	cluster           *postgres.Cluster
	redisDir          string
	redis             *execx.Process
}

func needPostgres(t *testing.T) {
	t.Helper()
	if _, err := postgres.Find(t.Context(), postgres.FindOptions{Programs: postgres.ServerPrograms}); err != nil {
		t.Skip(err)
	}
}

func startServices(t *testing.T) *services {
	t.Helper()
	s := &services{pgPort: freePort(t), redisPort: freePort(t), redisDir: t.TempDir()}
	s.startPostgres(t)
	s.startRedis(t)
	t.Cleanup(func() {
		s.stopPostgres(t)
		s.stopRedis(t)
	})
	return s
}

// startPostgres makes a cluster with a role and a database as production has them:
// the app is the owner and no superuser.
func (s *services) startPostgres(t *testing.T) {
	t.Helper()
	c, err := postgres.StartScratch(context.Background(), postgres.ScratchOptions{
		Listen: "127.0.0.1", Port: s.pgPort, Password: "superuser",
	})
	if err != nil {
		t.Fatal(err)
	}
	s.cluster = c
	for _, sql := range []string{
		"create role erp login password '" + appPassword + "'",
		"create database erp owner erp",
	} {
		execSQL(t, c.URL(), sql)
	}
}

func (s *services) stopPostgres(t *testing.T) {
	t.Helper()
	if err := s.cluster.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

func (s *services) startRedis(t *testing.T) {
	t.Helper()
	p, err := execx.Start(context.Background(), execx.Cmd{
		Path: "redis-server",
		Args: []string{"--bind", "127.0.0.1", "--port", fmt.Sprint(s.redisPort), "--save", "", "--dir", s.redisDir},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.redis = p
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.redisPort))
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func (s *services) stopRedis(t *testing.T) {
	t.Helper()
	if s.redis == nil {
		return
	}
	if err := s.redis.Terminate(); err != nil {
		t.Error(err)
	}
	_ = s.redis.Wait() // ends by the signal
	s.redis = nil
}

func (s *services) databaseURL() string {
	u := url.URL{Scheme: "postgresql", User: url.UserPassword("erp", appPassword), Host: fmt.Sprintf("127.0.0.1:%d", s.pgPort), Path: "/erp"}
	return u.String()
}

func (s *services) env() []string {
	return []string{
		"DATABASE_URL=" + s.databaseURL(),
		fmt.Sprintf("REDIS_URL=redis://127.0.0.1:%d", s.redisPort),
		"ERP_DEMO_TENANT=org_mill",
	}
}

// mustNotLeak looks for anything of the configuration or of an error in an answer.
func (s *services) mustNotLeak(t *testing.T, body string) {
	t.Helper()
	for _, secret := range []string{
		appPassword, "postgres://", "postgresql://", "redis://", "127.0.0.1", fmt.Sprint(s.pgPort), fmt.Sprint(s.redisPort),
		"ECONNREFUSED", "rror", "connect", "terminat", "stack",
	} {
		if strings.Contains(body, secret) {
			t.Errorf("the answer holds %q: %s", secret, body)
		}
	}
}

func (s *services) exec(t *testing.T, sql string) {
	t.Helper()
	execSQL(t, s.databaseURL(), sql)
}

func execSQL(t *testing.T, url, sql string) {
	t.Helper()
	withConn(t, url, func(conn *pgx.Conn) {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	})
}

func (s *services) query(t *testing.T, sql string) (out string) {
	t.Helper()
	return s.queryAsTenant(t, "", sql)
}

func (s *services) queryAsTenant(t *testing.T, tenant, sql string) (out string) {
	t.Helper()
	withConn(t, s.databaseURL(), func(conn *pgx.Conn) {
		if _, err := conn.Exec(t.Context(), "select set_config('app.tenant_id', $1, false)", tenant); err != nil {
			t.Fatal(err)
		}
		if err := conn.QueryRow(t.Context(), sql).Scan(&out); err != nil {
			t.Fatal(err)
		}
	})
	return out
}

func withConn(t *testing.T, url string, work func(*pgx.Conn)) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	work(conn)
}

// checkChangedMigration edits a file that was applied; the deploy must stop.
func checkChangedMigration(t *testing.T, app string, s *services) {
	name := filepath.Join(app, "db", "migrations", "0001_tenants_and_invoices.sql")
	old, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.WriteFile(name, old, 0o600) }()
	if err := os.WriteFile(name, append(old, "-- a change\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := output(t.Context(), app, s.env(), "node", "migrate.mjs")
	if err == nil || !strings.Contains(out, "was changed after it was applied") {
		t.Errorf("%v\n%s", err, out)
	}
}

func checkBrokenMigration(t *testing.T, app string, s *services) {
	name := filepath.Join(app, "db", "migrations", "0003_broken.sql")
	if err := os.WriteFile(name, []byte("create table half (id int);\n\nselect no_such_column;\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Remove(name) }()
	out, err := output(t.Context(), app, s.env(), "node", "migrate.mjs")
	if err == nil || !strings.Contains(out, "0003_broken.sql:3:") || !strings.Contains(out, "no_such_column") {
		t.Errorf("%v\n%s", err, out)
	}
	if strings.Contains(out, appPassword) {
		t.Errorf("the output holds the password:\n%s", out)
	}
	if got := s.query(t, "select (to_regclass('half') is null)::text"); got != "true" {
		t.Error("half of the broken migration stayed")
	}
}

// checkWebhook calls the Clerk webhook without and with a signature.
func checkWebhook(t *testing.T, a *app, s *services) {
	const event = `{"type":"organization.created","data":{"id":"org_new1","name":"New tenant"}}`
	now := fmt.Sprint(time.Now().Unix())
	old := fmt.Sprint(time.Now().Add(-time.Hour).Unix())
	for _, tt := range []struct {
		name, timestamp, signature string
		want                       int
	}{
		{"unsigned", "", "", 401},
		{"wrong signature", now, "v1," + base64.StdEncoding.EncodeToString(make([]byte, 32)), 401},
		{"signed an hour ago", old, sign("msg_1", old, event), 401},
		{"signed", now, "v1,bm90IHRoaXMgb25l " + sign("msg_1", now, event), 201},
		{"the same again", now, sign("msg_1", now, event), 201},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.url+"/api/webhooks/clerk", strings.NewReader(event))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("svix-id", "msg_1")
		req.Header.Set("svix-timestamp", tt.timestamp)
		req.Header.Set("svix-signature", tt.signature)
		if status, _, body := do(t, req); status != tt.want {
			t.Errorf("%s: %d, want %d: %s\n%s", tt.name, status, tt.want, body, a.log)
		}
	}
	if got := s.queryAsTenant(t, "org_new1", "select string_agg(name, ',') from tenants"); got != "New tenant" {
		t.Errorf("the tenant is %q", got)
	}
	if status, _, body := a.get(t, "/"); status != http.StatusOK || !strings.Contains(body, "Invoices") {
		t.Errorf("the page is %d: %s", status, body)
	}
}

func sign(id, timestamp, body string) string {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(webhookSecret, "whsec_"))
	if err != nil {
		panic(err) // the constant above
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, timestamp, body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
