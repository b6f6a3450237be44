package envcheck

import (
	"context"
	"encoding/base64"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"
)

const ruleSchema = `# @defaultSensitive=inferFromPrefix(NEXT_PUBLIC_) @defaultRequired=false @currentEnv=$NODE_ENV
# ---

NODE_ENV=development

# @type=url
DATABASE_URL=
# @type=url
TEST_DATABASE_URL=
# @type=url
DIRECT_URL=
# @type=url
# opsctl: pooled, same-host-not=DATABASE_URL
POOL_URL=
# @type=url
REDIS_URL=
# @type=url
NEXT_PUBLIC_APP_URL=
NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY=
CLERK_SECRET_KEY=
NEXT_PUBLIC_API_TOKEN=
NEXT_PUBLIC_MAP_KEY=
SENTRY_AUTH_TOKEN=
# @example=example-value
# @required=forEnv(production, test)
API_KEY=example-default
# @deprecated="use API_KEY"
OLD_KEY=
# opsctl: base64=32
AUTH_SECRET=
# opsctl: hex=16
HEX_SECRET=
# opsctl: expires=2026-03-01
CERT=
# opsctl: pair=SMTP_PASSWORD
SMTP_USER=
SMTP_PASSWORD=
# opsctl: ignore=local-host compose runs production here
COMPOSE_URL=
# @type=enum(debug, info) @public
LOG_LEVEL=
# @type=url
AUTH_URL=
# @type=url
DB_UNPOOLED=
# @type=number @public
RATE=
`

// jwtWithRole is a token as Supabase makes its keys.
func jwtWithRole(role string) string {
	claims := base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"supabase","role":"` + role + `"}`))
	return "eyJhbGciOiJIUzI1NiJ9." + claims + ".c2lnbmF0dXJlLW9mLWEtdGVzdA"
}

// TestRules has the turns that a rule takes and that its description does not show; see
// TestRuleExamples for one of each.
func TestRules(t *testing.T) {
	clerk := func(pk, sk string) string {
		return "NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY=" + pk + "\nCLERK_SECRET_KEY=" + sk + "\n"
	}
	const (
		pkTest = "pk_test_cmVsYXhlZC10dXJrZXktNjcuY2xlcmsuYWNjb3VudHMuZGV2JA"
		pkLive = "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k"
		skTest = "sk_test_abcdefghijklmnopqrst"
		skLive = "sk_live_abcdefghijklmnopqrst"
	)
	tests := []struct {
		rule, level, env, bad, good string
	}{
		{"required", "error", "test", "API_KEY=", "API_KEY=abc"},
		{"type", "error", "", "LOG_LEVEL=inof", "LOG_LEVEL=info"},
		{"empty", "info", "", "OLD_KEY=", "REDIS_URL=redis://localhost"},
		{"unknown-key", "warning", "", "API_KYE=x", "API_KEY=x"},
		{"duplicate", "error", "", "API_KEY=x\nAPI_KEY=y", "API_KEY=x"},
		{"duplicate", "warning", "", "API_KEY=x\nAPI_KEY=x", "API_KEY=x"},
		{"deprecated", "warning", "", "OLD_KEY=x", "API_KEY=x"},
		{"node-env", "error", "", "NODE_ENV=production", ""},
		{"file", "error", "", "A=\x00", ""},
		{"file", "error", "", "A=\xff", ""},
		{"placeholder", "warning", "", "API_KEY=changeme", "API_KEY=abc"},
		{"placeholder", "error", "production", "API_KEY=<key>", "API_KEY=abc"},
		{"placeholder", "error", "production", "API_KEY=example-value", "API_KEY=abc"},
		{"whitespace", "warning", "", "API_KEY=' x'", "API_KEY=x"},
		{"nested-quotes", "warning", "", `API_KEY='"x"'`, "API_KEY='x'"},
		{"key-pair", "error", "", clerk(pkTest, skLive), clerk(pkTest, skTest)},
		{"key-mode", "error", "production", clerk(pkTest, skTest), clerk(pkLive, skLive)},
		{"key-mode", "warning", "", clerk(pkLive, skLive), clerk(pkTest, skTest)},
		{"publishable-key", "error", "", clerk(pkTest[:30], skTest), clerk(pkTest, skTest)},
		{"publishable-key", "error", "production", clerk("pk_live_"+pkTest[8:], skLive), clerk(pkLive, skLive)},
		{"publishable-key", "warning", "production", clerk(pkLive, skLive) + "NEXT_PUBLIC_APP_URL=https://erp.other.net", clerk(pkLive, skLive) + "NEXT_PUBLIC_APP_URL=https://erp.example.com"},
		{"swapped-keys", "error", "", clerk(skTest, pkTest), clerk(pkTest, skTest)},
		{"local-host", "error", "production", "DATABASE_URL=postgres://u@127.0.0.1/db", "DATABASE_URL=postgres://u@db.example.com/db?sslmode=require"},
		{"local-host", "error", "production", "REDIS_URL=redis://redis:6379", "REDIS_URL=redis://cache.internal:6379"},
		{"local-host", "error", "production", "REDIS_URL=redis://host.docker.internal", "COMPOSE_URL=redis://redis:6379"},
		{"insecure-url", "error", "production", "NEXT_PUBLIC_APP_URL=http://erp.example.com", "NEXT_PUBLIC_APP_URL=https://erp.example.com"},
		{"tls", "warning", "production", "DATABASE_URL=postgres://u@db.example.com/db", "DATABASE_URL=postgres://u@db.internal/db"},
		{"tls", "warning", "production", "REDIS_URL=redis://cache.example.com", "REDIS_URL=rediss://cache.example.com"},
		{"test-database", "error", "", "DATABASE_URL=postgres://a@localhost/app_test\nTEST_DATABASE_URL=postgresql://b:c@127.0.0.1:5432/app_test?x=1", "DATABASE_URL=postgres://a@localhost/app\nTEST_DATABASE_URL=postgres://a@localhost/app_test"},
		{"test-database", "warning", "", "TEST_DATABASE_URL=postgres://a@localhost/app2", "TEST_DATABASE_URL=postgres://a@localhost/app_test"},
		{"pooling", "error", "", "DIRECT_URL=postgres://u@ep-x-pooler.eu.neon.tech/db", "DIRECT_URL=postgres://u@ep-x.eu.neon.tech/db"},
		{"pooling", "warning", "production", "POOL_URL=postgres://u@ep-x.eu.neon.tech/db?sslmode=require", "POOL_URL=postgres://u@ep-x-pooler.eu.neon.tech/db?sslmode=require"},
		{"pooling", "info", "", "DATABASE_URL=postgres://u@aws-0-eu.pooler.supabase.com:5432/db", "DATABASE_URL=postgres://u@aws-0-eu.pooler.supabase.com:6543/db"},
		{"url-password", "error", "", "DATABASE_URL=postgres://u:p/w@localhost/db", "DATABASE_URL=postgres://u:p%2Fw@localhost/db"},
		{"url-password", "error", "", "DATABASE_URL='postgres://u:p@w@localhost/db'", "DATABASE_URL=postgres://u:p%40w@localhost/db"},
		{"url-password", "error", "", "DATABASE_URL=postgres://u:100%@localhost/db", "NEXT_PUBLIC_APP_URL=http://localhost:3000/a@b:c"},
		{"public-secret", "error", "", "NEXT_PUBLIC_API_TOKEN=x", "NEXT_PUBLIC_MAP_KEY=x"},
		{"public-secret", "error", "", "NEXT_PUBLIC_MAP_KEY=AKIAABCDEFGHIJKLMNOP", "NEXT_PUBLIC_MAP_KEY=x"},
		{"public-secret", "error", "", "NEXT_PUBLIC_MAP_KEY=https://u:pw@example.com", "NEXT_PUBLIC_MAP_KEY=https://example.com"},
		{"public-secret", "warning", "", "NEXT_PUBLIC_MAP_KEY=abcdefgh1\nAPI_KEY=abcdefgh1", "NEXT_PUBLIC_MAP_KEY=abcdefgh1\nAPI_KEY=abcdefgh2"},
		{"public-secret", "warning", "", "NEXT_PUBLIC_MAP_KEY=Zm9Xc2VjUmV0LWtleTp2M3J5cmFuZG9tMTIzNDU2", "NEXT_PUBLIC_MAP_KEY=0123456789abcdef0123456789abcdef"},
		{"public-secret", "error", "", "NEXT_PUBLIC_MAP_KEY=" + jwtWithRole("service_role"), "NEXT_PUBLIC_MAP_KEY=" + jwtWithRole("anon")},
		{"public-secret", "error", "", "NEXT_PUBLIC_API_TOKEN=sk.eyJ1IjoiYSJ9", "NEXT_PUBLIC_API_TOKEN=pk.eyJ1IjoiYSJ9"},
		{"public-secret", "error", "", "NEXT_PUBLIC_MAP_KEY=ghp_abcdefghijklmnopqrst", "NEXT_PUBLIC_MAP_KEY=AIzaSyA-abcdefghijklmnopqrstuvwxyz0123"},
		{"local-host", "error", "production", "REDIS_URL=rediss://cache:6379", "REDIS_URL=s3://cache"},
		{"local-host", "error", "production", "DATABASE_URL=jdbc:postgresql://db:5432/app", "DATABASE_URL=jdbc:postgresql://db.internal:5432/app"},
		{"local-host", "error", "production", "DATABASE_URL=postgresql+asyncpg://u@db/app", "REDIS_URL=myapp://callback"},
		{"local-host", "error", "production", "REDIS_URL=redis://[::1]:6379", "REDIS_URL=redis://[fd12::1]:6379"},
		{"local-host", "error", "production", "REDIS_URL=redis://printer.local", "TEST_DATABASE_URL=postgres://u@localhost/app_test"},
		{"insecure-url", "error", "production", "AUTH_URL=http://erp.example.com", "AUTH_URL=http://auth.internal"},
		{"tls", "warning", "production", "DATABASE_URL=postgres://u@db.example.com/db?sslmode=prefer", "DATABASE_URL=postgres://u@db.example.com/db?ssl=true"},
		{"pooling", "error", "", "DB_UNPOOLED=postgres://u@db.example.com:6543/db", "DB_UNPOOLED=postgres://u@aws-0-eu.pooler.supabase.com/db"},
		{"comment-value", "warning", "", "API_KEY='# required'", "API_KEY='#fff'"},
		{"base64", "error", "", "AUTH_SECRET=AAAA", "AUTH_SECRET=+//+AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
		{"empty", "warning", "", "RATE=", "RATE=2"},
		{"group", "error", "", "SMTP_USER=x", "SMTP_USER=x\nSMTP_PASSWORD=y"},
		{"group", "error", "", "CLERK_SECRET_KEY=" + skTest, clerk(pkTest, skTest)},
		{"base64", "error", "", "AUTH_SECRET=abc", "AUTH_SECRET=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
		{"hex", "error", "", "HEX_SECRET=00", "HEX_SECRET=000102030405060708090a0b0c0d0e0f"},
		{"same-host-not", "error", "", "POOL_URL=postgres://a@localhost/x\nDATABASE_URL=postgres://b@127.0.0.1:5432/y", "POOL_URL=postgres://a@localhost:6432/x\nDATABASE_URL=postgres://b@localhost/y"},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			has := func(file string) (bool, string) {
				r, text := project{".env.schema": ruleSchema, ".env": file + "\n"}.check(t, Options{Env: tt.env})
				return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Rule == tt.rule && string(f.Level) == tt.level }), text
			}
			if found, text := has(tt.bad); !found {
				t.Errorf("%s not reported as %s for %q:\n%s", tt.rule, tt.level, tt.bad, text)
			}
			if found, text := has(tt.good); found {
				t.Errorf("%s reported for %q:\n%s", tt.rule, tt.good, text)
			}
		})
	}
}

func TestPhaseRules(t *testing.T) {
	p := project{".env.schema": ruleSchema}
	o := Options{Phase: "runtime", Process: map[string]string{"SENTRY_AUTH_TOKEN": "sntrys_x", "NEXT_PUBLIC_MAP_KEY": "x", "HOME": "/x"}}
	r, text := p.check(t, o)
	if len(r.Findings) != 2 || r.Findings[0].Rule != "build-only" || r.Findings[1].Rule != "build-time" {
		t.Errorf("got\n%s", text)
	}
	o.Phase = "build"
	if r, text := p.check(t, o); len(r.Findings) != 0 {
		t.Errorf("build: got\n%s", text)
	}
}

func TestExpires(t *testing.T) {
	for day, want := range map[string]string{"2026-01-01": "", "2026-02-10": "warning", "2026-03-02": "error"} {
		now, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		r, text := project{".env.schema": ruleSchema, ".env": "CERT=x\n"}.check(t, Options{Now: func() time.Time { return now }})
		got := ""
		if len(r.Findings) == 1 && r.Findings[0].Rule == "expires" {
			got = string(r.Findings[0].Level)
		}
		if got != want {
			t.Errorf("on %s: %q, want %q\n%s", day, got, want, text)
		}
	}
}

func TestGitAndDocker(t *testing.T) {
	p := project{".env.schema": ruleSchema, ".env": "API_KEY=x\n", ".env.local": "CERT=x\n", "Dockerfile": "FROM scratch\n", ".dockerignore": "node_modules\n.env.*\n"}
	tracked := func(_ context.Context, _ string, files []string) ([]string, error) { return files[:1], nil }
	_, text := p.check(t, Options{Tracked: tracked})
	if !strings.Contains(text, ".env.local:1:1 error git-tracked") || strings.Contains(text, ".env:1:1 error") {
		t.Errorf("got\n%s", text)
	}
	if !strings.Contains(text, ".env:1:1 warning dockerignore") || strings.Contains(text, ".env.local:1:1 warning") {
		t.Errorf("got\n%s", text)
	}
	p[".dockerignore"] = ".env*\n!.env.example\n"
	if _, text := p.check(t, Options{Tracked: func(context.Context, string, []string) ([]string, error) { return nil, errors.New("no git") }}); text != "" {
		t.Errorf("got\n%s", text)
	}
}

func TestPrecedence(t *testing.T) {
	p := project{
		".env.schema": "# @defaultSensitive=false\n# ---\n# @type=enum(local, dev, plain, process) @required\nWHERE=\n",
		".env":        "WHERE=wrong1\n", ".env.development": "WHERE=wrong2\n", ".env.local": "WHERE=wrong3\n", ".env.development.local": "WHERE=wrong4\n",
		".env.test": "WHERE=wrong5\n", ".env.production": "WHERE=wrong6\n",
	}
	tests := []struct {
		env  string
		proc map[string]string
		want string
	}{
		{"", nil, ".env.development.local"},
		{"test", nil, ".env.test"},
		{"production", nil, ".env.local"},
		{"staging", nil, ".env.local"},
		{"", map[string]string{"WHERE": "wrong7"}, ProcessName},
	}
	for _, tt := range tests {
		r, text := p.check(t, Options{Env: tt.env, Process: tt.proc})
		if len(r.Findings) != 1 || r.Findings[0].File != tt.want {
			t.Errorf("%q: the value comes from %s, want %s", tt.env, text, tt.want)
		}
	}
}

func TestSilencing(t *testing.T) {
	r, text := project{".env.schema": ruleSchema, ".env": "COMPOSE_URL=redis://redis:6379\n"}.check(t, Options{Env: "production"})
	if r.Silenced != 1 || strings.Contains(text, "local-host") {
		t.Errorf("silenced %d:\n%s", r.Silenced, text)
	}
}

// TestSilencingInTheHeader: a rule that is silenced there is silent for every key and file.
func TestSilencingInTheHeader(t *testing.T) {
	schema := "# opsctl: ignore=git-tracked because the file holds defaults, ignore=local-host because production runs in compose\n" + ruleSchema
	p := project{".env.schema": schema, ".env": "REDIS_URL=redis://redis:6379\nDATABASE_URL=postgres://u@db/app\n"}
	tracked := func(_ context.Context, _ string, files []string) ([]string, error) { return files, nil }
	r, text := p.check(t, Options{Env: "production", Tracked: tracked})
	if r.Silenced != 3 || text != "" {
		t.Errorf("silenced %d:\n%s", r.Silenced, text)
	}
}

// TestDatabaseInCI: where tests run for everybody, their database is in the job.
func TestDatabaseInCI(t *testing.T) {
	ci := func(name string) bool { return name == "CI" }
	for _, tt := range []struct {
		url       string
		inProcess func(string) bool
		process   map[string]string
		want      bool
	}{
		{"postgres://u@db.example.com/app_test", ci, nil, true},
		{"postgres://u@db.example.com/app_test", nil, map[string]string{"CI": "true"}, true},
		{"postgres://u@db.example.com/app_test", nil, map[string]string{"CI": "false"}, false},
		{"postgres://u@db.example.com/app_test", nil, nil, false},
		{"postgres://u@localhost/app_test", ci, nil, false},
		{"postgres://u@postgres:5432/app_test", ci, nil, false},
	} {
		p := project{".env.schema": ruleSchema, ".env": "TEST_DATABASE_URL=" + tt.url + "\nAPI_KEY=5rJ0kZ2vTq\n"}
		r, text := p.check(t, Options{Env: "test", InProcess: tt.inProcess, Process: tt.process})
		if got := slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Rule == "test-database" }); got != tt.want {
			t.Errorf("%s: %v\n%s", tt.url, got, text)
		}
	}
}

func TestTestedKey(t *testing.T) {
	for key, want := range map[string]string{
		"TEST_DATABASE_URL": "DATABASE_URL", "DATABASE_TEST_URL": "DATABASE_URL", "DATABASE_URL_TEST": "DATABASE_URL",
		"LATEST_URL": "", "TEST_": "", "CONTEST_TESTER": "", "DATABASE_URL": "",
	} {
		if got := testedKey(key); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
}

func TestNamesOnlyLooksAtNoValue(t *testing.T) {
	file := "API_KEY=\nLOG_LEVEL=nonsense\nDATABASE_URL=postgres://localhost\nTYPO_KEY=x\n"
	_, text := project{".env.schema": ruleSchema, ".env": file}.check(t, Options{Env: "production", NamesOnly: true})
	if strings.Count(text, "\n") != 1 || !strings.Contains(text, "unknown-key TYPO_KEY") {
		t.Errorf("got\n%s", text)
	}
}

func TestNoSchema(t *testing.T) {
	_, err := Check(context.Background(), Options{ReadFile: func(p string) ([]byte, error) {
		return nil, &fs.PathError{Op: "open", Path: p, Err: fs.ErrNotExist}
	}})
	if err == nil || !strings.Contains(err.Error(), ".env.schema does not exist") {
		t.Errorf("err = %v", err)
	}
}
