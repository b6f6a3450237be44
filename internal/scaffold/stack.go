package scaffold

import (
	"path"
	"regexp"
	"strings"
)

// Stack is what Detect found out about a repository.
type Stack struct {
	App        string // name for platforms: lower-case letters, digits and dashes
	Next       string // version range of next in package.json
	Node       string // major version for the image, for instance "20"
	PM         PackageManager
	AppDir     string // the app router's folder, "app" or "src/app"
	TypeScript bool
	Config     string // name of next.config.*; "" when there is none
	BasePath   string // basePath of next.config, "" or for instance "/erp"

	Postgres string // driver: "pg", "postgres" (postgres.js), or "" when there is none
	// PrismaPostgres: Prisma's datasource is PostgreSQL, with or without a driver that the health route can use.
	PrismaPostgres bool
	Redis          string // client: "redis", "ioredis", or ""
	RedisMajor     int    // major version of the client, 0 when unknown
	ORM            string // "drizzle", "prisma", "knex", or ""
	Clerk          bool
	Sentry         bool
	Migrations     Migrations
	PrismaDir      string // folder of schema.prisma; "" without Prisma

	ManifestFiles     []string // what the package manager needs to install, package.json first
	InstallScripts    []string // package.json's scripts that an install runs, in the order they run
	UsedFolders       []string // spareFolders that something refers to
	NpmrcSecret       bool     // .npmrc holds a token and may enter no layer
	BuildScript       bool     // package.json has a build script that is safe to run without a database
	SkipEnvValidation bool     // the environment is validated while building, with the usual switch to skip it
	Env               []EnvUse // variables read in the code, by name

	Reasons []Reason // how each of the above was decided
	Notes   []string // what the user should know and init cannot do
}

// PackageManager is the program that installs the dependencies.
type PackageManager struct {
	Name     string // "pnpm" or "npm"
	Version  string // exact; "" for the npm that comes with Node
	Lockfile string
}

// Migrations says how the database's schema is brought up to date.
type Migrations struct {
	Kind string // "sql", "drizzle", or "" when init renders no migrator
	Dir  string
	RLS  bool // a file turns row-level security on
}

// EnvUse is a variable that the code reads.
type EnvUse struct {
	Name string
	File string // the first file that reads it
	Line int
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

// HealthPath is the readiness route as a client asks for it.
func (s *Stack) HealthPath() string { return s.BasePath + "/api/health" }

// HealthFile is the readiness route's file.
func (s *Stack) HealthFile() string {
	return path.Join(s.AppDir, "api", "health", "route"+s.RoutesExt())
}

// LivezFile is the liveness route's file.
func (s *Stack) LivezFile() string { return path.Join(s.AppDir, "livez", "route"+s.RoutesExt()) }

// Migrator tells whether a migrator is rendered.
func (s *Stack) Migrator() bool { return s.Migrations.Kind != "" }

// HasPostgres tells whether the app keeps its data in PostgreSQL.
func (s *Stack) HasPostgres() bool { return s.Postgres != "" || s.PrismaPostgres }

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
	validApp    = regexp.MustCompile(`^[a-z][a-z0-9-]{0,28}[a-z0-9]$`)
	validRegion = regexp.MustCompile(`^[a-z][a-z0-9-]{1,30}$`)
)

// ValidApp tells whether a name can be an app's on every platform.
func ValidApp(name string) bool { return validApp.MatchString(name) }

// ValidRegion tells whether a name has the form of a platform's region.
func ValidRegion(name string) bool { return validRegion.MatchString(name) }
