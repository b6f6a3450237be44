package config

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

// full uses every part of the model; the design's own example is its base.
const full = `version: 1
app: salina-erp
stack: nextjs
build: {dockerfile: Dockerfile, context: .}
web: {port: 3000, health: /api/health}
release: {command: [pnpm, db:migrate], timeout: 10m}
deploy: {health_timeout: 90s, consecutive: 3, interval: 2s}
env: {schema: .env.schema}
postgres: {version: 16, pool: {mode: transaction, max_connections: 100, connect_timeout: 30s, idle_timeout: 5m}}
redis: {version: 7}
environments:
  staging:    {platform: render, region: frankfurt}
  production: {platform: fly, region: fra, instances: 2, strategy: rolling, domains: [erp.example.com], vars: {LOG_LEVEL: debug}}
backup:
  database: DATABASE_URL
  store: s3://salina-backups/prod
  schedule: "0 3 * * *"
  retention: {days: 30, min_keep: 7}
  recipients: [age1qqqq]
  pitr: auto
  verify: {schedule: "0 4 1 * *", checks: [{name: tenants, sql: "select count(*) from tenants", expect: "> 0"}]}
alerts: [{slack: SLACK_WEBHOOK_URL}, {email: {to: ops@example.com, smtp: SMTP_URL}}, {webhook: ALERT_URL}]
sentry: {org: salina, project: erp, dsn: SENTRY_DSN}
`

func load(src string) *decoded {
	d := decode(FileName, []byte(src))
	d.project.fillDefaults()
	d.check(FileName)
	return d
}

func TestTheDesignsExampleIsValid(t *testing.T) {
	d := load(full)
	if mistakes := d.mistakes(); len(mistakes) > 0 {
		t.Fatal(mistakes)
	}
	p := d.project
	if p.Environments["production"].Vars["LOG_LEVEL"] != "debug" {
		t.Errorf("the case of a variable's name was lost: %v", p.Environments["production"].Vars)
	}
	if got := p.Environments["staging"].App; got != "salina-erp-staging" {
		t.Errorf("app of staging is %q", got)
	}
	if got := p.Environments["production"].App; got != "salina-erp" {
		t.Errorf("app of production is %q", got)
	}
}

func TestProblems(t *testing.T) {
	tests := []struct{ name, src, want string }{
		{"unknown key", "vrsion: 1\n", `opsctl.yaml:1:1: unknown key "vrsion" (did you mean "version"?)`},
		{"twice", "version: 1\nversion: 1\n", `opsctl.yaml:2:1: key "version" stands already on line 1`},
		{"list for a mapping", "web: [1]\n", "opsctl.yaml:1:6: web must be a mapping of keys, not a list"},
		{"text for a list", "release: {command: pnpm migrate}\n", `opsctl.yaml:1:20: release.command must be a list, not "pnpm migrate" (write it as [a, b])`},
		{"mapping for text", "app: {a: b}\n", "opsctl.yaml:1:6: app must be a single value, not a mapping"},
		{"number", "web: {port: x}\n", `opsctl.yaml:1:13: web.port: "x" is not a whole number`},
		{"range", "web: {port: 70000}\n", "opsctl.yaml:1:13: web.port: 70000 is not between 1 and 65535"},
		{"version", "version: 2\n", "opsctl.yaml:1:10: version 2 is not known to this opsctl (set version: 1)"},
		{"cron", "backup: {schedule: daily}\n", "opsctl.yaml:1:20: backup.schedule: must be a cron expression of five fields"},
		{"store", "backup: {store: /var/backups}\n", "opsctl.yaml:1:17: backup.store: not a store's address (such as file:/var/backups/app)"},
		{"recipient", "backup: {recipients: [foo]}\n", "opsctl.yaml:1:23: backup.recipients[0]: must be an age public key (age1...) or an SSH one"},
		{"not carried out", "backup: {store: \"s3://b/p\"}\n", "opsctl.yaml:1:17: warning: this version of opsctl keeps backups in directories only (file:DIR)"},
		{"two documents", "version: 1\n---\nversion: 1\n", "opsctl.yaml:1:1: holds more than one YAML document"},
		{"alert", "alerts: [{}]\n", "opsctl.yaml:1:10: alerts[0]: needs exactly one of slack, email, webhook"},
		{"a secret in the wrong place is not shown", "sentry: {dsn: https://key@host/1}\n", "opsctl.yaml:1:15: sentry.dsn: must be the name of a variable, not its value"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			problems := load(tt.src).problems
			if !strings.Contains(tt.want, "warning: ") { // the mistake counts
				problems = slices.DeleteFunc(problems, func(p Problem) bool { return p.Warning })
			}
			if len(problems) != 1 || problems[0].String() != tt.want {
				t.Errorf("problems %v\nwant %s", problems, tt.want)
			}
		})
	}
}

func TestEmptyFilesAreDefaults(t *testing.T) {
	for _, src := range []string{"", "# nothing\n", "version: 1\n", "web:\n"} {
		if d := load(src); len(d.problems) > 0 || d.project.Web.Port != 3000 {
			t.Errorf("%q: %v, port %d", src, d.problems, d.project.Web.Port)
		}
	}
}

// A few lines with aliases can stand for millions of values.
func TestAliasesAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("environments:\n  first: {platform: fly, vars: &v {")
	for i := range 200 {
		fmt.Fprintf(&b, "A%d: x, ", i)
	}
	b.WriteString("}}\n")
	for i := range 500 {
		fmt.Fprintf(&b, "  e%d: {platform: fly, vars: *v}\n", i)
	}
	d := load(b.String())
	if len(d.problems) == 0 || !strings.Contains(d.problems[0].String(), "expands to more than 20000 values") {
		t.Errorf("problems: %.300v", d.problems)
	}
}

func TestLayers(t *testing.T) {
	dir := t.TempDir()
	user := filepath.Join(dir, "opsctl", "config.yaml")
	if err := os.MkdirAll(filepath.Dir(user), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(user, []byte("web: {port: 1000}\nbackup: {store: \"file:/user\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	project := filepath.Join(dir, FileName)
	if err := os.WriteFile(project, []byte("version: 1\nweb: {port: 2000}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CONFIG_HOME", dir)
	t.Setenv("OPSCTL_BACKUP_RETENTION_DAYS", "90")
	l := NewLoader(os.LookupEnv)
	p, err := l.Project(Global{Config: project})
	if err != nil {
		t.Fatal(err)
	}
	if p.Web.Port != 2000 || p.Backup.Store != "file:/user" || p.Backup.Retention.Days != 90 || p.Backup.Retention.MinKeep != 7 {
		t.Errorf("port %d, store %q, retention %+v", p.Web.Port, p.Backup.Store, p.Backup.Retention)
	}
	want := map[string]string{
		"web.port": "opsctl.yaml:2", "backup.store": user, "backup.retention.days": "OPSCTL_BACKUP_RETENTION_DAYS", "backup.retention.min_keep": "default",
	}
	for _, s := range l.Settings() {
		if w, ok := want[s.Key]; ok && s.Origin != w {
			t.Errorf("%s comes from %q, want %q", s.Key, s.Origin, w)
		}
	}
}

func TestSchemaGolden(t *testing.T) {
	got, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "schema.golden.json")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("the JSON Schema changed; look at the difference after: go test ./internal/config -update")
	}
}

// Every key of the model is in the schema, and the schema allows no other.
func TestSchemaKnowsEveryKey(t *testing.T) {
	src, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(src, &schema); err != nil {
		t.Fatal(err)
	}
	properties := schema["properties"].(map[string]any)
	model := reflect.TypeFor[Project]()
	for field := range model.Fields() {
		key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		if _, ok := properties[key]; !ok && key != "-" {
			t.Errorf("the schema lacks %q", key)
		}
	}
	if schema["additionalProperties"] != false {
		t.Error("the schema allows unknown keys")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("<<: {version: 1}\n"))
	f.Add([]byte("environments: {x: {vars: {a: ~}}}\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		d := decode(FileName, src)
		d.project.fillDefaults()
		d.check(FileName)
		lines := bytes.Count(src, []byte("\n")) + 1
		for _, p := range d.problems {
			if p.Line < 1 || p.Line > lines+1 || p.Col < 1 {
				t.Errorf("problem outside of the file: %v (%d lines)", p, lines)
			}
		}
	})
}
