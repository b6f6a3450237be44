package scaffold

import (
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
)

// esbuild bundles the migrator, inside the image's build only.
const esbuildVersion = "0.28.2"

// pgVersion is the client that Prisma's migrator is bundled with where the app has none.
const pgVersion = "8.23.1"

// Options are the choices that detection cannot make.
type Options struct {
	// Config is what opsctl.yaml shall say where that is not what the rest says: an
	// opsctl.yaml that the user has changed decides, and is not written again in
	// init's own words. Nil means the same.
	Config       *Config
	App          string // overrides Stack.App; "" keeps it
	Environments []Environment
	// Port, HealthPath and Release are opsctl.yaml's, where they are not what was detected.
	Port                     int
	HealthPath               string
	Release                  []string
	SentryOrg, SentryProject string
	Version                  string // opsctl's own, for the workflows
}

// Config are the choices that opsctl.yaml holds.
type Config struct {
	App          string
	Environments []Environment
	Port         int
	HealthPath   string
	Release      []string
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
	Needed bool
}

func newView(s *Stack, opts Options) View {
	v := View{
		Stack: s, App: s.App, Environments: opts.Environments, Esbuild: esbuildVersion, PG: pgVersion,
		SentryOrg: opts.SentryOrg, SentryProject: opts.SentryProject, OpsctlVersion: opts.Version,
	}
	if opts.App != "" {
		v.App = opts.App
	}
	if opts.Port != 0 || opts.HealthPath != "" || opts.Release != nil {
		v.Stack = s.with(opts)
		s = v.Stack
	}
	v.Database = databaseName(v.App)
	if s.JavaScript() {
		v.BuildCommand = s.PM.Run("build")
		for _, script := range slices.Backward(s.BeforeBuild) {
			v.BuildCommand = s.PM.Run(script) + " && " + v.BuildCommand
		}
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

// with is the stack as opsctl.yaml has it.
func (s *Stack) with(opts Options) *Stack {
	other := *s
	if opts.Port != 0 {
		other.Port = opts.Port
	}
	if opts.HealthPath != "" {
		if other.LivePath == other.HealthPath {
			other.LivePath = opts.HealthPath
		}
		other.HealthPath = opts.HealthPath
	}
	if opts.Release != nil {
		other.Release = opts.Release
	}
	return &other
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

// Deployed are the environments that opsctl deploys to: all of them.
func (v View) Deployed() []Environment { return v.Environments }

// WorkflowPrefix tells the workflows of a repository's apps apart.
func (v View) WorkflowPrefix() string {
	if v.Dir == "." {
		return ""
	}
	return strings.ReplaceAll(v.Dir, "/", "-") + "-"
}

// UsesSentry tells whether errors go to Sentry.
func (v View) UsesSentry() bool {
	return v.SentryFiles() || v.Stack.HasEnv("SENTRY_DSN") || v.SentryToken()
}

// SentryToken tells whether the build uploads source maps where it has a token.
func (v View) SentryToken() bool {
	return v.SentryFiles() || v.Kind == NextJS && (v.SentryWrapped || v.Stack.HasEnv("SENTRY_AUTH_TOKEN"))
}

func splitEnv(v *View) (public []string, other []EnvView) {
	for _, name := range slices.Sorted(maps.Keys(catalogued)) {
		if strings.HasPrefix(name, "NEXT_PUBLIC_") && v.HasEnv(name) {
			public = append(public, name)
		}
	}
	for _, e := range v.Env {
		if v.described(e.Name) {
			continue
		}
		pub := v.Kind == NextJS && strings.HasPrefix(e.Name, "NEXT_PUBLIC_")
		if pub {
			public = append(public, e.Name)
		}
		other = append(other, EnvView{Name: e.Name, File: e.File, Secret: !pub && secretName.MatchString(e.Name), Needed: e.Needed})
	}
	slices.Sort(public)
	return public, other
}

// described tells whether the schema's template has the variable. One of a service that
// was not found, though the code reads it, is listed with the others.
func (v *View) described(name string) bool {
	switch {
	case !catalogued[name]:
		return false
	case strings.Contains(name, "DATABASE_URL"), name == "POSTGRES_PASSWORD":
		return v.HasPostgres()
	case name == "REDIS_URL":
		return v.Redis != ""
	case strings.Contains(name, "CLERK_"):
		return v.Clerk
	}
	return true
}

// reservedRole matches the names that PostgreSQL keeps for itself, quoted or not, and
// those that its image has created already.
var reservedRole = lazily(`^(postgres|template0|template1|public|none|pg_.*)$`)

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

// ComposeFile is the compose file that is in place.
func (v View) ComposeFile() string {
	if v.OwnCompose != "" {
		return v.OwnCompose
	}
	return "docker-compose.yml"
}

// GuideFile is the deployment guide: in docs, unless the app itself reads that folder.
func (v View) GuideFile() string {
	if slices.Contains(v.UsedFolders, "docs") {
		return "DEPLOYMENT.md"
	}
	return "docs/deployment.md"
}

// SrcDir is "src/" for an app that keeps its code there.
func (v View) SrcDir() string { return strings.TrimSuffix(v.AppDir, "app") }

// Connection tells whether Next.js has connection(), which does what the segment's
// settings did before it; newer versions do not allow those everywhere.
func (v View) Connection() bool { n := v.NextMajor(); return n == 0 || n >= 15 }

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
func (v View) TypecheckCommand() string {
	return firstText(v.script("typecheck"), v.script("type-check"))
}

// DevCommand runs the app with hot reload.
func (v View) DevCommand() string { return firstText(v.script("dev"), v.script("start:dev")) }

// Checks tells whether the health route asks any service.
func (v View) Checks() bool {
	return v.OwnHealth == "" && (v.Postgres != "" || v.Redis == "redis" || v.Redis == "ioredis")
}

// Deploys are the environments of the deploy workflow. A server of the user's own is
// not reached from GitHub's.
func (v View) Deploys() []Deploy {
	var list []Deploy
	for _, e := range v.Deployed() {
		if e.Platform == "compose" {
			continue
		}
		list = append(list, Deploy{Environment: e, Prefix: v.WorkflowPrefix(), Branch: v.Branch, BuildSecrets: v.SecretVars()})
	}
	return list
}

// Deploy is one environment's part of the deploy workflow.
type Deploy struct {
	Environment
	Prefix       string // of the app's names in a repository of several
	Branch       string
	BuildSecrets []Secret // variables that the image's build asks for
}

// PackageCommands build the workspace's packages that the app needs, outside of an image.
func (v View) PackageCommands() []string {
	var list []string
	if v.Workspace == nil {
		return nil
	}
	for _, p := range v.Workspace.Needed {
		for _, script := range p.Scripts {
			list = append(list, "(cd "+path.Join(v.ContextFromApp(), p.Dir)+" && "+v.outside(v.PM.Run(script))+")")
		}
	}
	return list
}

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

// InRepo is a path of the app's folder as seen from the repository's root.
func (v View) InRepo(name string) string { return path.Join(v.Dir, name) }

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
