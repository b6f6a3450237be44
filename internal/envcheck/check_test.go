package envcheck

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// project is a set of files in memory.
type project map[string]string

func (p project) read(path string) ([]byte, error) {
	text, ok := p[filepath.ToSlash(path)]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return []byte(text), nil
}

// check runs Check on the project and gives each finding as "file:line:col level rule message".
func (p project) check(t *testing.T, o Options) (*Report, string) {
	t.Helper()
	o.ReadFile = p.read
	r, err := Check(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s:%d:%d %s %s %s | %s\n", f.File, f.Line, f.Col, f.Level, f.Rule, f.Message, f.Fix)
	}
	return r, b.String()
}

// seedEnv is a development environment that fits the seed schema.
const seedEnv = `DATABASE_URL=postgresql://erp:erp@localhost:5432/erp?schema=app
REDIS_URL=redis://localhost:6379/1
NEXT_PUBLIC_APP_URL=http://localhost:3000
NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY=pk_test_cmVsYXhlZC10dXJrZXktNjcuY2xlcmsuYWNjb3VudHMuZGV2JA
CLERK_SECRET_KEY=sk_test_abcdefghijklmnopqrstuvwxyz
`

// prodEnv is a production environment with exactly the three mistakes that varlock 1.20 reports for it.
const prodEnv = `DATABASE_URL=postgresql://erp:pw@db.example.com:6432/erp?sslmode=require
REDIS_URL=rediss://:pw@cache.example.com:6379/0
NEXT_PUBLIC_APP_URL=http://erp.example.com
NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY=pk_live_Y2xlcmsuZXhhbXBsZS5jb20k
CLERK_SECRET_KEY=sk_live_abcdefghijklmnopqrstuvwxyz
`

func TestSeedSchema(t *testing.T) {
	schema := string(sharedFile(t, "fixtures/seed.env.schema"))
	tests := []struct{ env, file, want string }{
		{"development", seedEnv, ""},
		{"test", seedEnv, "required TEST_DATABASE_URL"},
		{"production", prodEnv, "required CLERK_WEBHOOK_SECRET\nrequired SENTRY_DSN\ntype NEXT_PUBLIC_APP_URL"},
		{"production", strings.Replace(prodEnv, "http:", "https:", 1) +
			"CLERK_WEBHOOK_SECRET=whsec_abcdefghijklmnopqrstuvwx\nSENTRY_DSN=https://0a1b2c@o1.ingest.sentry.io/1\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.env, func(t *testing.T) {
			r, text := project{".env.schema": schema, ".env": tt.file}.check(t, Options{Env: tt.env})
			var got []string
			for _, f := range r.Findings {
				got = append(got, f.Rule+" "+f.Key)
			}
			sortStrings(got)
			if strings.Join(got, "\n") != tt.want {
				t.Errorf("got %q, want %q:\n%s", got, tt.want, text)
			}
			if r.OK != (tt.want == "") {
				t.Errorf("OK = %v", r.OK)
			}
		})
	}
}

var update = flag.Bool("update", false, "write the golden files")

// npmModules is a node_modules folder that holds a package; the test is skipped
// where OPSCTL_NPM names none. scripts/npm.sh makes it.
func npmModules(t *testing.T, pkg string) string {
	t.Helper()
	dir := os.Getenv("OPSCTL_NPM")
	if dir == "" {
		t.Skip("set OPSCTL_NPM to the node_modules folder that scripts/npm.sh prints")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(pkg), "package.json")); err != nil {
		t.Fatalf("OPSCTL_NPM lacks %s: %v", pkg, err)
	}
	return dir
}
