package scaffold

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

var (
	envDot     = lazily(`process\.env(?:\.([A-Za-z_][A-Za-z0-9_]*)|\[\s*["']([A-Za-z_][A-Za-z0-9_]*)["']\s*\])`)
	envGo      = lazily(`os\.(?:Getenv|LookupEnv)\(\s*"([A-Za-z_][A-Za-z0-9_]*)"`)
	envPython  = lazily(`(?:os\.environ\[\s*|(?:os\.environ\.get|os\.getenv|env(?:\.\w+)?|config)\(\s*)["']([A-Z_][A-Z0-9_]*)["']`)
	secretName = lazily(`SECRET|TOKEN|PASSWORD|PRIVATE|CREDENTIAL|_KEY$|_DSN$|_URL$`)
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
// to.
func (d *detector) scanSources() error {
	sources, err := d.sources()
	if err != nil {
		return err
	}
	seen := maps.Clone(d.known)
	for _, file := range sources {
		src, err := file.read()
		if err != nil {
			return err
		}
		if codeFile.MatchString(file.name) {
			scanEnv(src, file.shown, seen)
			d.scanValidation(src, file.shown, seen)
		}
		if file.dir == "." && d.JavaScript() {
			d.scanFolders(src, file.name)
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

// scanEnv finds the variables that a file reads one by one.
func scanEnv(src []byte, name string, seen map[string]EnvUse) {
	pattern := envDot
	switch path.Ext(name) {
	case ".go":
		pattern = envGo
	case ".py":
		pattern = envPython
	}
	for _, m := range pattern.FindAllSubmatchIndex(src) {
		group := 2
		if m[2] < 0 {
			group = 4
		}
		if commented(src, m[0]) {
			continue
		}
		text := src[m[0]:m[1]]
		// A Python app fails without what it takes from environ, and without what it asks for with no default.
		needed := bytes.HasPrefix(text, []byte("os.environ[")) || asserted.Match(src[m[1]:]) && codeFile.MatchString(name) && path.Ext(name) != ".py" && path.Ext(name) != ".go" || path.Ext(name) == ".py" && !bytes.HasPrefix(text, []byte("os.")) && closes(src[m[1]:])
		note(seen, string(src[m[group]:m[group+1]]), name, lineAt(src, m[0]), needed, "")
	}
	for _, m := range envDestructured.FindAllSubmatchIndex(src) {
		for part := range bytes.SplitSeq(src[m[2]:m[3]], []byte(",")) {
			if key := envKey.Find(bytes.TrimSpace(part)); key != nil {
				note(seen, string(key), name, lineAt(src, m[0]), false, "")
			}
		}
	}
}

// commented tells whether the line of an offset is a comment as a whole.
func commented(src []byte, at int) bool {
	line := bytes.TrimLeft(src[bytes.LastIndexByte(src[:at], '\n')+1:at], " \t")
	return bytes.HasPrefix(line, []byte("//")) || bytes.HasPrefix(line, []byte("#")) || bytes.HasPrefix(line, []byte("* "))
}

// closes tells whether the next that is not space ends the call: no default follows.
func closes(rest []byte) bool {
	rest = bytes.TrimLeft(rest, " \t\r\n")
	return len(rest) > 0 && rest[0] == ')'
}

// note adds a use; the first file that reads a variable is the one that is named.
func note(seen map[string]EnvUse, key, file string, line int, needed bool, form string) {
	if isProvided(key) {
		return
	}
	use, ok := seen[key]
	if !ok {
		use = EnvUse{Name: key, File: file, Line: line}
	}
	use.Needed = use.Needed || needed
	if use.Form == "" {
		use.Form = form
	}
	seen[key] = use
}

var (
	// Libraries that check the whole environment when the module is loaded, which Next.js's build does.
	asserted   = lazily(`^(?:!(?:[^=]|$)|\s+as\s+string\b)`) // TypeScript is told that it is there
	validation = lazily(`\.(?:parse|safeParse)\(\s*(?:\w+\s*,\s*)?process\.env\s*[,)]|\bcleanEnv\(\s*process\.env|\bcreateEnv\(\s*\{`)
	// KEY: z.string().url(), as those libraries have it.
	validated = lazily(`(?m)(?:^|[{,])\s*["']?([A-Z][A-Z0-9_]*)["']?\s*:`)
	lenient   = lazily(`\.optional\(|\.default\(|\.catch\(|\.nullish\(|default:|process\.env`)

	envDestructured = lazily(`\{([^{}]*)\}\s*=\s*process\.env\b`)
	envKey          = lazily(`^[A-Z][A-Z0-9_]*`)
)

// scanValidation finds what would make the image's build ask for an environment, and
// what it would ask for.
func (d *detector) scanValidation(src []byte, file string, seen map[string]EnvUse) {
	if d.Kind != NextJS {
		return
	}
	if i := bytes.Index(src, []byte("SKIP_ENV_VALIDATION")); i >= 0 && !d.SkipEnvValidation {
		d.SkipEnvValidation, d.ValidatesEnv = true, false
		d.because("build", "SKIP_ENV_VALIDATION=1", file, lineAt(src, i), "the code's own switch to build without an environment")
	}
	loc := validation.FindIndex(src)
	if loc == nil {
		return
	}
	keys := validated.FindAllSubmatchIndex(src)
	for i, m := range keys {
		end := len(src)
		if i+1 < len(keys) {
			end = keys[i+1][0]
		}
		rule, _, _ := strings.Cut(string(src[m[1]:end]), "\n")
		rule, _, _ = strings.Cut(rule, "})") // the end of the schema
		note(seen, string(src[m[2]:m[3]]), file, lineAt(src, m[2]), !lenient.MatchString(rule), rule)
	}
	if !d.SkipEnvValidation && !d.ValidatesEnv {
		d.ValidatesEnv = true
		d.because("build", "placeholders", file, lineAt(src, loc[0]), "the environment is validated when this is loaded, so the build gets values of the right form")
		if len(keys) == 0 {
			d.Notes = append(d.Notes, fmt.Sprintf("%s:%d validates the environment, and init cannot read which: give the build what it asks for, or a switch to skip it", file, lineAt(src, loc[0])))
		}
	}
}
