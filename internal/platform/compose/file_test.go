package compose

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/opsctl/opsctl/internal/errs"
)

func TestHealthFlags(t *testing.T) {
	for _, tt := range []struct {
		check *types.HealthCheckConfig
		want  string
		is    bool
	}{
		{nil, "", false},
		{&types.HealthCheckConfig{Disable: true}, "--no-healthcheck", false},
		{&types.HealthCheckConfig{Test: []string{"NONE"}}, "--no-healthcheck", false},
		{&types.HealthCheckConfig{Test: []string{"CMD", "sh", "-c", "it's"}}, `--health-cmd 'sh' '-c' 'it'\''s'`, true},
		{&types.HealthCheckConfig{Test: []string{"CMD-SHELL", "a || b"}}, "--health-cmd a || b", true},
	} {
		got, is := healthFlags(tt.check)
		if strings.Join(got, " ") != tt.want || is != tt.is {
			t.Errorf("%q %v, want %q", got, is, tt.want)
		}
	}
}

func TestComposeFiles(t *testing.T) {
	load := func(text string, change func(*Options)) (*composeFile, error) {
		file := filepath.Join(t.TempDir(), "compose.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return fake(t, nil, func(o *Options) {
			o.File = file
			if change != nil {
				change(o)
			}
		}).composeFile("shop")
	}
	f, err := load(`
services:
  site: {build: ., ports: ["8080:3000", "9000:9000", "3000"], entrypoint: [tini, --], command: [node, server.js]}
  worker: {build: .}
  pool: {image: edoburu/pgbouncer, ports: ["6543:5432"]}
  search: {image: pgvector/pgvector:pg16, environment: {POSTGRES_USER: u, POSTGRES_PASSWORD: "p@ss", POSTGRES_DB: d}}
  kv: {image: "docker.io/valkey/valkey:8@sha256:`+strings.Repeat("a", 64)+`"}
`, nil)
	if err != nil {
		t.Fatal(err)
	}
	if f.app == nil || f.app.name != "site" || f.publish != "0.0.0.0:8080" || len(f.notes) != 2 || f.postgres.name != "search" || f.redis.name != "kv" || f.pooler.name != "pool" || f.poolerPort() != 5432 {
		t.Errorf("%+v", f)
	}
	if !slices.Equal(f.app.command, []string{"--", "node", "server.js"}) || !slices.Equal(f.app.flags[:2], []string{"--entrypoint", "tini"}) {
		t.Errorf("%q %q", f.app.command, f.app.flags)
	}
	if u, err := f.databaseURL(); err != nil || u != "postgresql://u:p%40ss@search:5432/d" {
		t.Errorf("%s, %v", u, err)
	}
	if _, err := load("services: {a: {build: ., ports: ['1:1']}}", func(o *Options) { o.Service = "b" }); errs.CodeOf(err) != errs.Usage {
		t.Errorf("a service that is not there: %v", err)
	}
	if _, err := load("services: {a: {image: x, volumes: [{type: npipe, source: a, target: /b}]}}", func(o *Options) { o.Service = "a" }); errs.CodeOf(err) != errs.Usage {
		t.Errorf("a mount of another kind: %v", err)
	}
	if _, err := load("services: [", nil); errs.CodeOf(err) != errs.Usage {
		t.Errorf("no compose file: %v", err)
	}
	if f, err := load("services: {a: {build: ., ports: ['1:1']}, b: {build: ., ports: ['2:2']}}", nil); err != nil || f.app != nil {
		t.Errorf("two that may be the app: %+v, %v", f, err)
	}
}
