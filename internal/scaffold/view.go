package scaffold

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// esbuild bundles the migrator, inside the image's build only.
const esbuildVersion = "0.28.2"

// pgVersion is the client that Prisma's migrator is bundled with where the app has none.
const pgVersion = "8.23.1"

// Options are the choices that detection cannot make.
type Options struct {
	App                      string // overrides Stack.App; "" keeps it
	Environments             []Environment
	SentryOrg, SentryProject string
	Version                  string // opsctl's own, for the workflows
}

// Environment is a place where the app runs.
type Environment struct {
	Name      string // for instance "production"
	Platform  string // "fly", "railway", "render" or "compose"
	Region    string // the platform's short name
	Instances int
}

// View is what the templates see: the stack, the options, and what follows from both.
type View struct {
	*Stack
	App           string
	Environments  []Environment
	SentryOrg     string
	SentryProject string
	OpsctlVersion string

	BuildCommand   string   // what the image's build runs
	PublicEnv      []string // NEXT_PUBLIC_ variables, which are build arguments
	OtherEnv       []EnvView
	Esbuild        string
	PG             string
	Database       string // local database and role
	ManifestImport string // package.json as the health route imports it
	Clerk          bool   // any of its variables is used
}

// EnvView is a variable that only the code knows.
type EnvView struct {
	Name   string
	File   string
	Secret bool
}

func newView(s *Stack, opts Options) View {
	v := View{
		Stack: s, App: s.App, Environments: opts.Environments, Esbuild: esbuildVersion, PG: pgVersion,
		SentryOrg: opts.SentryOrg, SentryProject: opts.SentryProject, OpsctlVersion: opts.Version,
	}
	if opts.App != "" {
		v.App = opts.App
	}
	v.Database = databaseName(v.App)
	if s.JavaScript() {
		v.BuildCommand = s.PM.Run("build")
		if !s.BuildScript && s.Kind == NextJS {
			v.BuildCommand = s.PM.Exec("next build")
		}
		if s.SkipEnvValidation {
			v.BuildCommand = "SKIP_ENV_VALIDATION=1 " + v.BuildCommand
		}
	}
	if s.Kind == NextJS {
		v.ManifestImport = strings.Repeat("../", strings.Count(s.HealthFile(), "/")) + "package.json"
	}
	v.Clerk = v.HasEnv("NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY") || v.HasEnv("CLERK_SECRET_KEY") || v.HasEnv("CLERK_WEBHOOK_SECRET")
	v.PublicEnv, v.OtherEnv = splitEnv(&v)
	return v
}

// HasEnv tells whether the app reads the variable, in its own code or through a package.
func (v View) HasEnv(name string) bool {
	if v.Stack.Clerk && (name == "NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY" || name == "CLERK_SECRET_KEY") {
		return true
	}
	if v.SentryFiles() && (name == "SENTRY_DSN" || strings.HasPrefix(name, "NEXT_PUBLIC_SENTRY_")) {
		return true
	}
	return v.Stack.HasEnv(name)
}

// SentryFiles tells whether init writes Sentry's files.
func (v View) SentryFiles() bool { return v.Kind == NextJS && v.Stack.Sentry && v.OwnSentry == "" }

// Deployed are the environments that this version of opsctl deploys to.
func (v View) Deployed() []Environment { return v.On("fly") }

// WorkflowPrefix tells the workflows of a repository's apps apart.
func (v View) WorkflowPrefix() string {
	if v.Dir == "." {
		return ""
	}
	return path.Base(v.Dir) + "-"
}

// UsesSentry tells whether errors go to Sentry.
func (v View) UsesSentry() bool { return v.Stack.Sentry || v.Stack.HasEnv("SENTRY_DSN") }

func splitEnv(v *View) (public []string, other []EnvView) {
	for _, name := range slices.Sorted(maps.Keys(catalogued)) {
		if strings.HasPrefix(name, "NEXT_PUBLIC_") && v.HasEnv(name) {
			public = append(public, name)
		}
	}
	for _, e := range v.Env {
		if catalogued[e.Name] {
			continue
		}
		pub := v.Kind == NextJS && strings.HasPrefix(e.Name, "NEXT_PUBLIC_")
		if pub {
			public = append(public, e.Name)
		}
		other = append(other, EnvView{Name: e.Name, File: e.File, Secret: !pub && secretName.MatchString(e.Name)})
	}
	slices.Sort(public)
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

// On are the environments on a platform.
func (v View) On(platform string) []Environment {
	return slices.DeleteFunc(slices.Clone(v.Environments), func(e Environment) bool { return e.Platform != platform })
}

// Production is the environment that is meant where none is named.
func (v View) Production() Environment {
	for _, e := range v.Environments {
		if e.Name == "production" {
			return e
		}
	}
	if len(v.Environments) > 0 {
		return v.Environments[0]
	}
	return Environment{Name: "production"}
}

// Platform is production's.
func (v View) Platform() string { return v.Production().Platform }

// HasEnvironment tells whether there is an environment of that name.
func (v View) HasEnvironment(name string) bool {
	return slices.ContainsFunc(v.Environments, func(e Environment) bool { return e.Name == name })
}

// AppName is the app's name on an environment's platform, as opsctl.yaml derives it.
func (v View) AppName(e Environment) string {
	if e.Name == "production" {
		return v.App
	}
	return v.App + "-" + e.Name
}

// Workdir is the app's folder in the repository; "." when it is the repository.
func (v View) Workdir() string { return v.Dir }

// Dockerignore is the file that says what the image's build does not see. In a
// workspace it belongs to the Dockerfile, not to the build context, which other apps
// share.
func (v View) Dockerignore() string {
	if v.Nested() {
		return "Dockerfile.dockerignore"
	}
	return ".dockerignore"
}

// ComposeFile is the compose file that is in place.
func (v View) ComposeFile() string {
	if v.OwnCompose != "" {
		return v.OwnCompose
	}
	return "docker-compose.yml"
}

// SrcDir is "src/" for an app that keeps its code there.
func (v View) SrcDir() string { return strings.TrimSuffix(v.AppDir, "app") }

// AppRouter tells whether the app has an app router of its own.
func (v View) AppRouter() bool {
	return !slices.ContainsFunc(v.Reasons, func(r Reason) bool { return r.What == "app directory" && strings.HasPrefix(r.Why, "pages router") })
}

// NextMajor is Next.js's major version, 0 when package.json does not say.
func (v View) NextMajor() int { return major(v.Next) }

func (v View) script(name string) string {
	if !slices.Contains(v.Scripts, name) {
		return ""
	}
	return v.outside(v.PM.Run(name))
}

// outside is a command of the image as it runs in the app's folder.
func (v View) outside(command string) string {
	if v.PM.Program == "" {
		return command
	}
	return strings.ReplaceAll(command, "/app/"+v.PM.Program, path.Join(v.ContextFromApp(), v.PM.Program))
}

// LintCommand, TypecheckCommand and TestCommand are the app's own checks; "" for one
// that it does not have.
func (v View) LintCommand() string { return v.script("lint") }

// TypecheckCommand is the app's type check.
func (v View) TypecheckCommand() string { return v.script("typecheck") }

// TestCommand is the app's tests.
func (v View) TestCommand() string { return v.script("test") }

// InstallCommand installs the app's dependencies.
func (v View) InstallCommand() string {
	if !v.JavaScript() {
		return ""
	}
	command, _, _ := strings.Cut(v.PM.Install(), " --store-dir")
	command, _, _ = strings.Cut(command, " --cache-folder")
	return v.outside(command)
}

// ReleaseCommand is the release command as one line.
func (v View) ReleaseCommand() string { return strings.Join(v.Release, " ") }

// JSON is a value as JSON on one line, which is the exec form of Docker's instructions
// and a flow sequence of YAML.
func (v View) JSON(value any) (string, error) {
	data, err := json.Marshal(value)
	return strings.ReplaceAll(string(data), `","`, `", "`), err
}

// Probe is the command that asks the app for a path inside its own container, with
// what the image has.
func (v View) Probe(p string) []string {
	address := fmt.Sprintf("http://127.0.0.1:%d%s", v.Port, p)
	switch v.Kind {
	case NextJS, Node:
		return []string{"node", "-e", "fetch('" + address + "').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"}
	case Django, FastAPI:
		return []string{"python", "-c", "import urllib.request; urllib.request.urlopen('" + address + "', timeout=4)"}
	}
	return []string{"wget", "--quiet", "--spider", "--tries=1", address}
}

// OutFile is the path of a file of the app's folder in the image.
func (v View) OutFile(name string) string { return path.Clean(v.InContext(name)) }

// InRepo is a path of the app's folder as seen from the repository's root.
func (v View) InRepo(name string) string { return path.Join(v.Dir, name) }

// MigrationsInContext is the migrations' folder in the build context.
func (v View) MigrationsInContext() string {
	return v.InContext(path.Join(v.Migrations.Home, v.Migrations.Dir))
}

// ReleaseList is the release command as the one element of a list.
func (v View) ReleaseList() []string { return []string{v.ReleaseCommand()} }

// BuildMember builds another package of the workspace.
func (v View) BuildMember(p Package) string { return v.inDir(p.Dir, v.PM.Run("build")) }

// Compiles tells whether the app itself has to be built.
func (v View) Compiles() bool { return v.BuildScript || v.Kind == NextJS }

// Builds tells whether the image of a Node.js server needs a build stage.
func (v View) Builds() bool {
	return v.Compiles() || len(v.InstallCommands()) > 0 || v.Workspace != nil && len(v.Workspace.NeedsBuild()) > 0
}

// PlatformEnv are the variables whose values only the user has.
func (v View) PlatformEnv() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(catalogued)) {
		switch name {
		case "DATABASE_URL", "DIRECT_DATABASE_URL", "TEST_DATABASE_URL", "POSTGRES_PASSWORD", "REDIS_URL":
		default:
			if v.HasEnv(name) {
				names = append(names, name)
			}
		}
	}
	for _, e := range v.OtherEnv {
		names = append(names, e.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Placeholders are settings of the right form, as NAME=value, for a build that
// validates an environment which it does not have.
func (v View) Placeholders() []string {
	if !v.ValidatesEnv {
		return nil
	}
	var list []string
	for _, e := range v.Env {
		if !strings.HasPrefix(e.Name, "NEXT_PUBLIC_") {
			list = append(list, e.Name+"="+placeholder(e.Name))
		}
	}
	return list
}

func placeholder(name string) string {
	switch {
	case strings.Contains(name, "REDIS"):
		return "redis://placeholder.invalid:6379"
	case strings.Contains(name, "DATABASE") || strings.Contains(name, "POSTGRES") || strings.Contains(name, "PG_URL") || strings.Contains(name, "DB_URL"):
		return "postgresql://placeholder:placeholder@placeholder.invalid:5432/placeholder"
	case strings.HasSuffix(name, "_URL") || strings.HasSuffix(name, "_DSN") || strings.HasSuffix(name, "_URI"):
		return "https://placeholder@placeholder.invalid/1"
	case strings.HasSuffix(name, "_PORT"):
		return "1"
	case strings.HasSuffix(name, "_EMAIL"):
		return "placeholder@placeholder.invalid"
	}
	return "placeholder-placeholder-placeholder-placeholder" // long enough for a key
}

// Flow is a list as a flow sequence of YAML, without quotes where none are needed.
func (v View) Flow(words []string) (string, error) {
	var node yaml.Node
	if err := node.Encode(words); err != nil {
		return "", err
	}
	node.Style = yaml.FlowStyle
	data, err := yaml.Marshal(&node)
	return strings.TrimSpace(string(data)), err
}

// ComposeTest is Probe in the form of a compose file's health check.
func (v View) ComposeTest(p string) []string { return append([]string{"CMD"}, v.Probe(p)...) }

// TestGlobs match tests of JavaScript and TypeScript by their names.
func (v View) TestGlobs() []string {
	var globs []string
	for _, kind := range []string{"test", "spec"} {
		for _, ext := range []string{"ts", "tsx", "js", "jsx", "mts", "cts", "mjs", "cjs"} {
			globs = append(globs, "**/*."+kind+"."+ext)
		}
	}
	return globs
}
