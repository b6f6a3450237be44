package scaffold

import (
	"path"
	"strings"
)

// Kind is what an app is made with. Its text is opsctl.yaml's stack.
type Kind string

// The kinds, in the order in which they are looked for.
const (
	NextJS     Kind = "nextjs"
	Go         Kind = "go"
	Django     Kind = "django"
	FastAPI    Kind = "fastapi"
	Node       Kind = "node"
	Dockerfile Kind = "docker" // anything else that has a Dockerfile of its own
)

// Stack is what Detect found out about a repository.
type Stack struct {
	Places
	Kind       Kind
	member     string // name of the app's package
	App        string // name for platforms: lower-case letters, digits and dashes
	Port       int    // that the image listens on
	HealthPath string // readiness, as a client asks for it
	LivePath   string // liveness: asks no service

	Next       string // version range of next in package.json
	Node       string // major version for the image, for instance "20"
	PM         PackageManager
	Workspace  *Workspace // nil for an app that is no member of one
	AppDir     string     // the app router's folder, "app" or "src/app"
	AppRouter  bool       // the app has one of its own, and not only init's routes
	TypeScript bool
	Config     string // name of next.config.*; "" when there is none
	Slash      string // "/" where addresses end in one
	BasePath   string // basePath of next.config, "" or for instance "/erp"
	Dist       string // distDir of next.config, usually ".next"
	Server     *Server
	Go         GoProgram
	Python     PythonProgram

	// OwnDockerfile is the user's, which is kept; nil where init renders one.
	OwnDockerfile *OwnDockerfile
	OwnHealth     string // the user's health route; "" when there is none
	OwnExample    bool   // .env.example is the user's own
	SentryWrapped bool   // next.config has Sentry's wrapper
	Branch        string // that GitHub's workflows are for
	OwnSentry     string // a file of Sentry's that is the user's; "" when there is none
	OtherCI       string // the file of another CI than GitHub's, where there is none of GitHub's; ""
	OwnCompose    string // the user's compose file under another name than ours; "" when there is none

	Postgres string // driver: "pg", "postgres" (postgres.js), or "" when there is none
	// OtherPostgres: PostgreSQL is used, with or without a driver that the health route can use.
	OtherPostgres bool
	Redis         string // client: "redis", "ioredis", or ""
	RedisMajor    int    // major version of the client, 0 when unknown
	ORM           string // "drizzle", "prisma", "knex", or ""
	Clerk         bool
	Sentry        bool
	Migrations    Migrations
	Release       []string // what brings the database up to date in the image; nil for nothing
	PrismaDir     string   // folder of schema.prisma; "" without Prisma

	ManifestFiles     []string // what the package manager needs to install, package.json first
	ManifestDirs      []string // folders of the same kind
	InstallScripts    []InstallScript
	UsedFolders       []string // spareFolders that something refers to
	Secrets           []Secret // what an install needs and no layer may hold
	BeforeBuild       []string // scripts that run before the build script
	BuildScript       bool     // package.json has a build script that is safe to run without a database
	PrismaConfig      bool     // prisma.config reads the database's URL whenever prisma runs
	SkipEnvValidation bool     // the environment is validated while building, with the usual switch to skip it
	ValidatesEnv      bool     // the environment is validated while building, and nothing skips it
	Scripts           []string // package.json's scripts by name, for CI
	Env               []EnvUse // variables read in the code, by name

	Reasons []Reason // how each of the above was decided
	Notes   []string // what the user should know and init cannot do
}

// Secret is a file, or else a variable, that is mounted into the build.
type Secret struct {
	ID   string // of docker build --secret
	File string // relative to the build context
	Env  string
}

// PackageManager is the program that installs the dependencies.
type PackageManager struct {
	Name     string // "pnpm", "npm", "yarn" or "bun"
	Version  string // exact; "" for the npm that comes with Node
	Lockfile string
	Berry    bool   // yarn 2 or later
	Program  string // yarn's own file in the repository, relative to the build context; "" when there is none
	// PlugAndPlay: yarn installs no node_modules unless it is told to.
	PlugAndPlay bool
}

// Migrations says how the database's schema is brought up to date.
type Migrations struct {
	Kind       string // "sql", "drizzle", "knex", "prisma", or "" when init renders no migrator
	Dir        string
	Home       string   // the package that they belong to, seen from the app's folder: "." unless it is another member of the workspace
	Driver     string   // that package's PostgreSQL client: "pg", "postgres" or ""
	Extensions []string // of Knex's migrations, for instance ".js"
	Table      string   // the book-keeping table, where it is not the tool's default
	RLS        bool     // a file turns row-level security on
}

// EnvUse is a variable that the code reads.
type EnvUse struct {
	Name string
	File string // the first file that reads it
	Line int

	Needed bool   // the code fails without it
	Form   string // what the code says of its form, for instance "z.string().url()"
}

// Reason is one decision of Detect and where it came from.
type Reason struct {
	What  string `json:"what"`           // for instance "package manager"
	Value string `json:"value"`          // for instance "pnpm 12.21.0"
	File  string `json:"file,omitempty"` // "" for a default
	Line  int    `json:"line,omitempty"`
	Why   string `json:"why"`
}

func (s *Stack) because(what, value, file string, line int, why string) {
	s.Reasons = append(s.Reasons, Reason{what, value, file, line, why})
}

// RoutesExt is the extension of route files, with its dot.
func (s *Stack) RoutesExt() string {
	if s.TypeScript {
		return ".ts"
	}
	return ".js"
}

// HealthFile is the readiness route's file.
func (s *Stack) HealthFile() string {
	return path.Join(s.AppDir, "api", "health", "route"+s.RoutesExt())
}

// LivezFile is the liveness route's file.
func (s *Stack) LivezFile() string { return path.Join(s.AppDir, "livez", "route"+s.RoutesExt()) }

// Migrator tells whether a migrator is rendered.
func (s *Stack) Migrator() bool { return s.Migrations.Kind != "" && s.OwnDockerfile == nil }

// MigrateScript is the migrator's source; in the image it is bundled to migrate.mjs.
func (s *Stack) MigrateScript() string { return path.Join(s.Migrations.Home, "scripts/migrate.mjs") }

// JavaScript tells whether the app is built by a package manager of Node's.
func (s *Stack) JavaScript() bool { return s.Kind == NextJS || s.Kind == Node }

// Standalone tells whether the image runs Next.js's own standalone server.
func (s *Stack) Standalone() bool {
	return s.Kind == NextJS && s.Server == nil && s.OwnDockerfile == nil
}

// HasPostgres tells whether the app keeps its data in PostgreSQL.
func (s *Stack) HasPostgres() bool { return s.Postgres != "" || s.OtherPostgres }

// HasEnv tells whether the app reads the variable.
func (s *Stack) HasEnv(name string) bool {
	for _, e := range s.Env {
		if e.Name == name {
			return true
		}
	}
	return false
}

// sanitizeApp makes a platform's app name of a package's: without its scope, lower
// case, dashes for everything else, starting with a letter, at most 30 bytes
// (Fly.io's limit is the shortest) and at least 2. The empty string means nothing was left.
func sanitizeApp(name string) string {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		name = name[i+1:]
	}
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		default:
			if s := b.String(); s != "" && !strings.HasSuffix(s, "-") {
				b.WriteByte('-')
			}
		}
	}
	out := strings.TrimLeft(b.String(), "0123456789-")
	if len(out) > 30 {
		out = out[:30]
	}
	if out = strings.TrimRight(out, "-"); len(out) < 2 {
		return "" // opsctl.yaml takes no name of one letter
	}
	return out
}

var (
	validApp    = lazily(`^[a-z][a-z0-9-]{0,28}[a-z0-9]$`)
	validRegion = lazily(`^[a-z][a-z0-9-]{1,30}$`)
)

// ValidApp tells whether a name can be an app's on every platform.
func ValidApp(name string) bool { return validApp.MatchString(name) }

// ValidRegion tells whether a name has the form of a platform's region.
func ValidRegion(name string) bool { return validRegion.MatchString(name) }
