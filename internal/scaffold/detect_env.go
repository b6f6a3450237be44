package scaffold

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// maxSource is the size above which a file is taken for generated and not scanned.
const maxSource = 1 << 20

var (
	envDot     = regexp.MustCompile(`process\.env(?:\.([A-Za-z_][A-Za-z0-9_]*)|\[\s*["']([A-Za-z_][A-Za-z0-9_]*)["']\s*\])`)
	envGo      = regexp.MustCompile(`os\.(?:Getenv|LookupEnv)\(\s*"([A-Za-z_][A-Za-z0-9_]*)"`)
	envPython  = regexp.MustCompile(`(?:os\.environ\[\s*|(?:os\.environ\.get|os\.getenv|env(?:\.\w+)?|config)\(\s*)["']([A-Z_][A-Z0-9_]*)["']`)
	sourceFile = regexp.MustCompile(`\.(ts|tsx|js|jsx|mjs|cjs|mts|cts|go|py)$`)
	testFile   = regexp.MustCompile(`\.(test|spec|stories)\.[a-z]+$|^(playwright|vitest|jest)\.config\.|_test\.go$|^test_.*\.py$|_test\.py$|^conftest\.py$`)
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
	"SENTRY_DSN": true, "SENTRY_AUTH_TOKEN": true, "SENTRY_ENVIRONMENT": true, "SENTRY_TRACES_SAMPLE_RATE": true, "SENTRY_RELEASE": true,
	"NEXT_PUBLIC_SENTRY_DSN": true, "NEXT_PUBLIC_SENTRY_ENVIRONMENT": true,
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
func (d *detector) scanSources() error {
	seen := map[string]EnvUse{}
	if err := d.scanTree(".", d.app, seen); err != nil {
		return err
	}
	if d.Workspace != nil {
		for _, p := range d.Workspace.Needed {
			sub, err := fs.Sub(d.root, p.Dir)
			if err != nil {
				return err
			}
			if err := d.scanTree(d.contextFile(p.Dir), sub, seen); err != nil {
				return err
			}
		}
	}
	for _, n := range slices.Sorted(maps.Keys(seen)) {
		use := seen[n]
		d.Env = append(d.Env, use)
		d.because("variable", n, use.File, use.Line, "the code reads it")
	}
	for _, other := range []string{"POSTGRES_URL", "POSTGRES_PRISMA_URL", "PG_URL", "DB_URL"} {
		if d.HasEnv(other) && !d.HasEnv("DATABASE_URL") {
			d.Notes = append(d.Notes, "the code reads "+other+" and not DATABASE_URL, which the written files use: set both, or rename it")
		}
	}
	return nil
}

// scanTree scans one package, whose folder is dir as the app's sees it.
func (d *detector) scanTree(dir string, fsys fs.FS, seen map[string]EnvUse) error {
	return fs.WalkDir(fsys, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			if name != "." && (skipDir(name) || strings.HasPrefix(e.Name(), ".")) {
				return fs.SkipDir
			}
			return nil
		}
		code, shown := sourceFile.MatchString(name), path.Join(dir, name)
		if d.ours(shown) || !e.Type().IsRegular() || testFile.MatchString(path.Base(name)) || !code && !styleFile.MatchString(name) {
			return nil
		}
		src, err := readSource(fsys, name, e)
		if err != nil {
			return err
		}
		if code {
			scanEnv(src, shown, seen)
			d.scanValidation(src, shown)
		}
		if dir == "." && d.JavaScript() {
			d.scanFolders(src, name)
		}
		return nil
	})
}

// ours tells whether a file, seen from the app's folder, is one that init writes.
func (d *detector) ours(name string) bool {
	return d.written(name) || name == d.HealthFile() || name == d.LivezFile() || name == d.MigrateScript()
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
	pattern := envDot
	switch path.Ext(name) {
	case ".go":
		pattern = envGo
	case ".py":
		pattern = envPython
	}
	for _, m := range pattern.FindAllSubmatchIndex(src, -1) {
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

// validation matches the libraries that check the whole environment when the module is
// loaded, which Next.js's build does.
var validation = regexp.MustCompile(`\.(?:parse|safeParse)\(\s*process\.env\s*[,)]|\bcleanEnv\(\s*process\.env|\bcreateEnv\(\s*\{`)

// scanValidation finds what would make the image's build ask for an environment.
func (d *detector) scanValidation(src []byte, file string) {
	if d.Kind != NextJS {
		return
	}
	if i := bytes.Index(src, []byte("SKIP_ENV_VALIDATION")); i >= 0 && !d.SkipEnvValidation {
		d.SkipEnvValidation, d.ValidatesEnv = true, false
		d.because("build", "SKIP_ENV_VALIDATION=1", file, lineAt(src, i), "the code's own switch to build without an environment")
	}
	if loc := validation.FindIndex(src); loc != nil && !d.SkipEnvValidation && !d.ValidatesEnv {
		d.ValidatesEnv = true
		d.because("build", "placeholders", file, lineAt(src, loc[0]), "the environment is validated when this is loaded, so the build gets values of the right form")
	}
}
