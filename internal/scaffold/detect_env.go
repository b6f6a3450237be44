package scaffold

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"sort"
	"strings"
)

// maxSource is the size above which a file is taken for generated and not scanned.
const maxSource = 1 << 20

var (
	envDot     = regexp.MustCompile(`process\.env(?:\.([A-Za-z_][A-Za-z0-9_]*)|\[\s*["']([A-Za-z_][A-Za-z0-9_]*)["']\s*\])`)
	codeFile   = regexp.MustCompile(`\.(ts|tsx|js|jsx|mjs|cjs|mts|cts)$`)
	testFile   = regexp.MustCompile(`\.(test|spec|stories)\.[a-z]+$|^(playwright|vitest|jest)\.config\.`)
	secretName = regexp.MustCompile(`SECRET|TOKEN|PASSWORD|PRIVATE|CREDENTIAL|_KEY$|_DSN$|_URL$`)
)

// provided are variables that a runtime, a platform or opsctl sets.
var provided = map[string]bool{
	"NODE_ENV": true, "PORT": true, "HOSTNAME": true, "HOST": true, "CI": true, "ANALYZE": true, "TZ": true, "HOME": true, "PATH": true,
	"SKIP_ENV_VALIDATION": true, "NODE_OPTIONS": true, "SOURCE_VERSION": true,
}

var providedPrefix = []string{"NEXT_RUNTIME", "NEXT_PHASE", "__NEXT", "npm_", "FLY_", "RAILWAY_", "RENDER", "VERCEL", "OPSCTL_", "GITHUB_", "NEXT_TELEMETRY"}

// catalogued are the variables that the schema's template describes itself.
var catalogued = map[string]bool{
	"DATABASE_URL": true, "DIRECT_DATABASE_URL": true, "TEST_DATABASE_URL": true, "POSTGRES_PASSWORD": true, "REDIS_URL": true,
	"NEXT_PUBLIC_APP_URL": true, "NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY": true, "CLERK_SECRET_KEY": true, "CLERK_WEBHOOK_SECRET": true,
	"SENTRY_DSN": true, "SENTRY_AUTH_TOKEN": true,
}

func isProvided(name string) bool {
	if provided[name] {
		return true
	}
	return slices.ContainsFunc(providedPrefix, func(p string) bool { return strings.HasPrefix(name, p) })
}

// scanSources lists the variables that the code reads, and the folders that it refers
// to. Files that init writes are left out, so that a second run sees what the first
// one saw.
func (s *Stack) scanSources(fsys fs.FS) error {
	own := map[string]bool{s.HealthFile(): true, s.LivezFile(): true, migrateScript: true}
	seen := map[string]EnvUse{}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != "." && (skipDir(name) || strings.HasPrefix(d.Name(), ".")) {
				return fs.SkipDir
			}
			return nil
		}
		code := codeFile.MatchString(name)
		if own[name] || !d.Type().IsRegular() || testFile.MatchString(path.Base(name)) || !code && !styleFile.MatchString(name) {
			return nil
		}
		src, err := readSource(fsys, name, d)
		if err != nil {
			return err
		}
		if code {
			scanEnv(src, name, seen)
		}
		s.scanFolders(src, name)
		return nil
	})
	if err != nil {
		return err
	}
	names := make([]string, 0, len(seen))
	for n := range seen {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		use := seen[n]
		s.Env = append(s.Env, use)
		s.because("variable", n, use.File, use.Line, "the code reads it")
	}
	return nil
}

// readSource reads a file, unless it is too large to be somebody's source: then nil.
func readSource(fsys fs.FS, name string, d fs.DirEntry) ([]byte, error) {
	if info, err := d.Info(); err != nil || info.Size() > maxSource {
		return nil, err
	}
	src, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return src, nil
}

func scanEnv(src []byte, name string, seen map[string]EnvUse) {
	for _, m := range envDot.FindAllSubmatchIndex(src, -1) {
		group := 2
		if m[2] < 0 {
			group = 4
		}
		key := string(src[m[group]:m[group+1]])
		if _, ok := seen[key]; ok || isProvided(key) {
			continue
		}
		seen[key] = EnvUse{Name: key, File: name, Line: lineAt(src, m[0])}
	}
}

var migrating = regexp.MustCompile(`\bmigrate\b|db:push|db push|drizzle-kit`)

// detectBuild decides what the image's build runs: package.json's script, unless it
// would need a database.
func (s *Stack) detectBuild(m *manifest) {
	script, ok := m.Scripts["build"]
	switch {
	case !ok:
		s.because("build", "next build", "", 0, "package.json has no build script")
	case migrating.MatchString(script):
		s.because("build", "next build", "package.json", m.line("scripts", "build"), "the build script migrates a database, which an image build must not: "+script)
		s.Notes = append(s.Notes, "the image runs next build and not the build script, which migrates: that is the release command's part")
	default:
		s.BuildScript = true
		s.because("build", script, "package.json", m.line("scripts", "build"), "the build script")
	}
	for _, dep := range []string{"@t3-oss/env-nextjs", "@t3-oss/env-core"} {
		if _, ok := m.dep(dep); ok {
			s.SkipEnvValidation = true
			s.because("build", "SKIP_ENV_VALIDATION=1", "package.json", m.depLine(dep), "the environment is validated while building, and the image build has none")
			break
		}
	}
}

var protects = regexp.MustCompile(`auth\.protect\(|auth\(\)\.protect\(|createRouteMatcher|withAuth\(`)

// notes adds what only the user can do.
func (s *Stack) notes(fsys fs.FS, m *manifest) {
	src := strings.TrimSuffix(s.AppDir, "app")
	for _, base := range []string{"middleware", "proxy"} {
		for _, ext := range []string{".ts", ".js"} {
			file := src + base + ext
			code, err := fs.ReadFile(fsys, file)
			if err != nil {
				continue
			}
			if loc := protects.FindIndex(code); loc != nil {
				s.Notes = append(s.Notes, fmt.Sprintf("%s:%d asks for a sign-in: leave %s, %s/livez and webhooks out of it", file, lineAt(code, loc[0]), s.HealthPath(), s.BasePath))
			}
		}
	}
	for _, other := range []string{"POSTGRES_URL", "POSTGRES_PRISMA_URL", "PG_URL", "DB_URL"} {
		if s.HasEnv(other) && !s.HasEnv("DATABASE_URL") {
			s.Notes = append(s.Notes, "the code reads "+other+" and not DATABASE_URL, which the written files use: set both, or rename it")
		}
	}
	if start, ok := m.Scripts["start"]; ok && customServer.MatchString(start) {
		s.Notes = append(s.Notes, fmt.Sprintf("package.json:%d starts a server of your own (%s); the image runs Next.js's standalone server instead", m.line("scripts", "start"), start))
	}
}

var customServer = regexp.MustCompile(`\b(server|index)\.(js|ts|mjs|cjs)\b|\btsx?\s`)
