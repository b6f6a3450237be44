package scaffold

import (
	"bytes"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"sort"
	"strings"
	"text/template"

	"github.com/opsctl/opsctl/internal/envcheck"
	"github.com/opsctl/opsctl/templates"
)

// migrateScript is the migrator's source in the user's repository; in the image it
// is bundled to migrate.mjs.
const migrateScript = "scripts/migrate.mjs"

// esbuild bundles the migrator, inside the image's build only.
const esbuildVersion = "0.28.2"

// Options are the choices that detection cannot make.
type Options struct {
	App      string // overrides Stack.App; "" keeps it
	Platform string // "fly"
	Region   string // of the platform, for instance "fra"
}

// View is what the templates see: the stack, the options, and what follows from both.
type View struct {
	*Stack
	App      string
	Platform string
	Region   string

	InstallPM      string   // what npm installs globally, for instance "pnpm@12.21.0"; "" for nothing
	BuildCommand   string   // what the image's build runs
	PublicEnv      []string // NEXT_PUBLIC_ variables, which are build arguments
	OtherEnv       []EnvView
	MigrateScript  string
	Esbuild        string
	Database       string // local database and role
	ManifestImport string // package.json as the health route imports it
	Clerk, Sentry  bool   // any of its variables is used
}

// EnvView is a variable that only the code knows.
type EnvView struct {
	Name   string
	File   string
	Secret bool
}

func newView(s *Stack, opts Options) View {
	v := View{
		Stack: s, App: s.App, Platform: opts.Platform, Region: opts.Region,
		MigrateScript: migrateScript, Esbuild: esbuildVersion,
	}
	if opts.App != "" {
		v.App = opts.App
	}
	v.Database = databaseName(v.App)
	if s.PM.Version != "" {
		v.InstallPM = s.PM.Name + "@" + s.PM.Version
	}
	v.BuildCommand = s.PM.Name + " run build"
	if !s.BuildScript {
		v.BuildCommand = map[string]string{"pnpm": "pnpm exec next build", "npm": "npx next build"}[s.PM.Name]
	}
	depth := strings.Count(s.HealthFile(), "/")
	v.ManifestImport = strings.Repeat("../", depth) + "package.json"
	v.Clerk = v.HasEnv("NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY") || v.HasEnv("CLERK_SECRET_KEY") || v.HasEnv("CLERK_WEBHOOK_SECRET")
	v.Sentry = s.Sentry || s.HasEnv("SENTRY_DSN")
	v.PublicEnv, v.OtherEnv = splitEnv(&v)
	return v
}

// HasEnv tells whether the app reads the variable, in its own code or through a package.
func (v View) HasEnv(name string) bool {
	if v.Stack.Clerk && (name == "NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY" || name == "CLERK_SECRET_KEY") {
		return true
	}
	return v.Stack.HasEnv(name)
}

func splitEnv(v *View) (public []string, other []EnvView) {
	for name := range catalogued {
		if strings.HasPrefix(name, "NEXT_PUBLIC_") && v.HasEnv(name) {
			public = append(public, name)
		}
	}
	for _, e := range v.Env {
		if catalogued[e.Name] {
			continue
		}
		pub := strings.HasPrefix(e.Name, "NEXT_PUBLIC_")
		if pub {
			public = append(public, e.Name)
		}
		other = append(other, EnvView{Name: e.Name, File: e.File, Secret: !pub && secretName.MatchString(e.Name)})
	}
	sort.Strings(public)
	return public, other
}

// reservedRole matches the names that PostgreSQL keeps for itself, quoted or not, and
// those that its image has created already.
var reservedRole = regexp.MustCompile(`^(postgres|template0|template1|public|none|pg_.*)$`)

// databaseName is the app's name as that of its local database and role.
func databaseName(app string) string {
	name := strings.ReplaceAll(app, "-", "_")
	if reservedRole.MatchString(name) {
		return "app_" + name
	}
	return name
}

// LocalPassword is the local database's password in docker-compose.yml: that of .env,
// or the one of the schema's examples, so that both fit without being set.
func (v View) LocalPassword() string { return "${POSTGRES_PASSWORD:-" + v.Database + "}" }

// LocalDatabaseURL is the URL inside docker-compose.yml; the password is compose's to
// fill in, and the schema keeps it to characters that need no escape here.
func (v View) LocalDatabaseURL(host string) string {
	return fmt.Sprintf("postgresql://%s:%s@%s:5432/%s", v.Database, v.LocalPassword(), host, v.Database)
}

// ExampleDatabaseURL is a URL for the database of docker-compose.yml, from outside.
func (v View) ExampleDatabaseURL(database string) string {
	u := url.URL{Scheme: "postgresql", User: url.UserPassword(v.Database, v.Database), Host: "localhost:5432", Path: "/" + database}
	return u.String()
}

// rendered is one file as init would write it.
type rendered struct {
	path string
	data []byte
}

// files lists what is rendered, in the order it is shown.
func (v View) files() [][2]string {
	list := [][2]string{
		{"opsctl.yaml", "opsctl/opsctl.yaml.tmpl"},
		{"Dockerfile", "docker/Dockerfile.tmpl"},
		{".dockerignore", "docker/dockerignore.tmpl"},
		{"docker-compose.yml", "compose/docker-compose.yml.tmpl"},
		{schemaFile, "env/env.schema.tmpl"},
	}
	if v.Platform == "fly" {
		list = append(list, [2]string{"fly.toml", "fly/fly.toml.tmpl"})
	}
	list = append(list,
		[2]string{v.HealthFile(), "nextjs/health.route.tmpl"},
		[2]string{v.LivezFile(), "nextjs/livez.route.tmpl"})
	if v.Migrator() {
		list = append(list, [2]string{migrateScript, "migrate/" + v.Migrations.Kind + ".mjs.tmpl"})
	}
	if v.Config == "" {
		name := "next.config.mjs"
		if n := major(v.Next); v.TypeScript && (n == 0 || n >= 15) { // older ones read no .ts
			name = "next.config.ts"
		}
		list = append(list, [2]string{name, "nextjs/" + name + ".tmpl"})
	}
	return append(list, [2]string{"docs/deployment.md", "docs/deployment.md.tmpl"})
}

// render renders every file of the view.
func render(v View) ([]rendered, error) {
	var out []rendered
	for _, f := range v.files() {
		data, err := renderOne(f[1], v)
		if err != nil {
			return nil, fmt.Errorf("render %s: %w", f[0], err)
		}
		out = append(out, rendered{path.Clean(f[0]), data})
	}
	return out, nil
}

func renderOne(name string, v View) ([]byte, error) {
	t, err := template.New(path.Base(name)).
		Funcs(template.FuncMap{"join": strings.Join}).
		Option("missingkey=error").
		ParseFS(templates.FS, name)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	if err := t.Execute(&buf, v); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// example renders .env.example from a schema. A schema that has errors gives none: the
// text says which.
func example(schema []byte) (data []byte, why string) {
	const reason = "it is made from .env.schema, which has an error: "
	parsed, findings := envcheck.ParseSchema(schemaFile, schema)
	if i := slices.IndexFunc(findings, func(f envcheck.Finding) bool { return f.Level == envcheck.Error }); i >= 0 {
		return nil, reason + fmt.Sprintf("line %d: %s", findings[i].Line, findings[i].Message)
	}
	data, err := envcheck.RenderExample(parsed)
	if err != nil {
		return nil, reason + err.Error()
	}
	return data, ""
}
