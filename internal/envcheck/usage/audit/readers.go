package audit

import (
	"slices"
	"strings"
	"sync"
)

// known is a variable, or a family of them when the name ends in *, that somebody other
// than the program's own code reads or sets.
type known struct {
	name string
	who  string
	pkg  string // only with this package in a package.json
	sets bool   // who sets it, so that the schema need not have it
}

// knownVariables says who. It is kept to what is sure: each entry silences a finding.
func knownVariables() []known {
	return slices.Concat(ofSystems(), ofPlatforms(), ofLibraries())
}

// ofSystems are those of runtimes, shells and servers.
func ofSystems() []known {
	return []known{
		{name: "NODE_ENV", who: "Node.js frameworks", sets: true},
		{name: "PORT", who: "the platform and the server", sets: true},
		{name: "HOST", who: "the server", sets: true},
		{name: "HOSTNAME", who: "the system and the server", sets: true},
		{name: "CI", who: "the CI system", sets: true},
		{name: "TZ", who: "the system's clock", sets: true},
		{name: "HOME", who: "the system", sets: true},
		{name: "PATH", who: "the system", sets: true},
		{name: "_", who: "the shell", sets: true},
		{name: "PWD", who: "the shell", sets: true},
		{name: "USER", who: "the system", sets: true},
		{name: "SHELL", who: "the system", sets: true},
		{name: "LANG", who: "the system", sets: true},
		{name: "TERM", who: "the terminal", sets: true},
		{name: "TMPDIR", who: "the system", sets: true},
		{name: "TEMP", who: "the system", sets: true},
		{name: "APPDATA", who: "Windows", sets: true},
		{name: "LOCALAPPDATA", who: "Windows", sets: true},
		{name: "USERPROFILE", who: "Windows", sets: true},
		{name: "XDG_*", who: "the desktop", sets: true},
		{name: "NO_COLOR", who: "the terminal", sets: true},
		{name: "FORCE_COLOR", who: "the terminal", sets: true},
		{name: "NODE_OPTIONS", who: "Node.js", sets: true},
		{name: "NODE_EXTRA_CA_CERTS", who: "Node.js"},
		{name: "NODE_TLS_REJECT_UNAUTHORIZED", who: "Node.js"},
		{name: "UV_THREADPOOL_SIZE", who: "Node.js"},
		{name: "HTTP_PROXY", who: "HTTP clients"}, {name: "HTTPS_PROXY", who: "HTTP clients"}, {name: "NO_PROXY", who: "HTTP clients"},
		{name: "npm_*", who: "npm", sets: true},
		{name: "NEXT_RUNTIME", who: "Next.js", sets: true},
		{name: "NEXT_PHASE", who: "Next.js", sets: true},
		{name: "__NEXT*", who: "Next.js", sets: true},
		{name: "NEXT_TELEMETRY_DISABLED", who: "Next.js", sets: true},
		{name: "SKIP_ENV_VALIDATION", who: "builds without an environment", sets: true},
		{name: "VITEST*", who: "Vitest", sets: true},
		{name: "JEST_WORKER_ID", who: "Jest", sets: true},
		{name: "GOGC", who: "the Go runtime"}, {name: "GOMEMLIMIT", who: "the Go runtime"}, {name: "GOMAXPROCS", who: "the Go runtime"}, {name: "GODEBUG", who: "the Go runtime"},
		{name: "PYTHONPATH", who: "Python"}, {name: "PYTHONUNBUFFERED", who: "Python"}, {name: "PYTHONDONTWRITEBYTECODE", who: "Python"},
		{name: "DJANGO_SETTINGS_MODULE", who: "Django", sets: true},
		{name: "PGHOST", who: "libpq"}, {name: "PGPORT", who: "libpq"}, {name: "PGUSER", who: "libpq"}, {name: "PGPASSWORD", who: "libpq"},
		{name: "PGDATABASE", who: "libpq"}, {name: "PGSSLMODE", who: "libpq"},
		{name: "POSTGRES_USER", who: "the postgres image"}, {name: "POSTGRES_PASSWORD", who: "the postgres image"}, {name: "POSTGRES_DB", who: "the postgres image"},
		{name: "AWS_*", who: "the AWS SDK"},
		{name: "GOOGLE_APPLICATION_CREDENTIALS", who: "Google's clients"},
		{name: "OTEL_*", who: "OpenTelemetry"},
		{name: "COMPOSE_*", who: "docker compose"},
	}
}

// ofPlatforms are those of hosts and CI.
func ofPlatforms() []known {
	return []known{
		{name: "OPSCTL_*", who: "opsctl", sets: true},
		{name: "FLY_*", who: "Fly.io", sets: true},
		{name: "RAILWAY_*", who: "Railway", sets: true},
		{name: "RENDER", who: "Render", sets: true}, {name: "RENDER_*", who: "Render", sets: true},
		{name: "VERCEL", who: "Vercel", sets: true}, {name: "VERCEL_*", who: "Vercel", sets: true}, {name: "NEXT_PUBLIC_VERCEL_*", who: "Vercel", sets: true},
		{name: "GITHUB_ACTIONS", who: "GitHub", sets: true}, {name: "GITHUB_SHA", who: "GitHub", sets: true}, {name: "GITHUB_REF*", who: "GitHub", sets: true},
		{name: "GITHUB_REPOSITORY", who: "GitHub", sets: true}, {name: "GITHUB_WORKSPACE", who: "GitHub", sets: true}, {name: "GITHUB_OUTPUT", who: "GitHub", sets: true},
		{name: "KUBERNETES_*", who: "Kubernetes", sets: true},
		{name: "SOURCE_VERSION", who: "the platform's build", sets: true},
		{name: "SENTRY_RELEASE", who: "the build, or Sentry's plugin", sets: true},
	}
}

// ofLibraries are those that a package reads by itself.
func ofLibraries() []known {
	return []known{
		{name: "SENTRY_*", who: "Sentry's SDK and sentry-cli", pkg: "@sentry/"},
		{name: "DATABASE_URL", who: "Prisma", pkg: "prisma"}, {name: "DATABASE_URL", who: "Prisma", pkg: "@prisma/"},
		{name: "DIRECT_URL", who: "Prisma", pkg: "prisma"}, {name: "SHADOW_DATABASE_URL", who: "Prisma", pkg: "prisma"},
		{name: "DATABASE_URL", who: "Drizzle Kit", pkg: "drizzle-kit"}, {name: "DATABASE_URL", who: "node-pg-migrate", pkg: "node-pg-migrate"},
		{name: "CLERK_*", who: "Clerk's SDK", pkg: "@clerk/"}, {name: "NEXT_PUBLIC_CLERK_*", who: "Clerk's SDK", pkg: "@clerk/"},
		{name: "NEXTAUTH_*", who: "NextAuth.js", pkg: "next-auth"}, {name: "AUTH_*", who: "Auth.js", pkg: "next-auth"}, {name: "AUTH_*", who: "Auth.js", pkg: "@auth/"},
		{name: "BETTER_AUTH_*", who: "Better Auth", pkg: "better-auth"},
		{name: "NUXT_*", who: "Nuxt", pkg: "nuxt"},
		{name: "OPENAI_API_KEY", who: "OpenAI's SDK", pkg: "openai"}, {name: "OPENAI_API_KEY", who: "the AI SDK", pkg: "@ai-sdk/"},
		{name: "ANTHROPIC_API_KEY", who: "Anthropic's SDK", pkg: "@anthropic-ai/"}, {name: "ANTHROPIC_API_KEY", who: "the AI SDK", pkg: "@ai-sdk/"},
		{name: "RESEND_API_KEY", who: "Resend's SDK", pkg: "resend"},
		{name: "UPSTASH_REDIS_REST_*", who: "Upstash's SDK", pkg: "@upstash/"},
		{name: "BLOB_READ_WRITE_TOKEN", who: "Vercel Blob", pkg: "@vercel/"},
		{name: "INNGEST_*", who: "Inngest's SDK", pkg: "inngest"},
		{name: "TURBO_*", who: "Turborepo", pkg: "turbo"},
	}
}

func (k known) matches(name string) bool {
	if prefix, ok := strings.CutSuffix(k.name, "*"); ok {
		return strings.HasPrefix(name, prefix)
	}
	return k.name == name
}

var table = sync.OnceValue(knownVariables)

// reader is who reads or sets a variable besides the program's code; "" for nobody that
// is known.
func reader(name string, dependsOn func(string) bool) string {
	for _, k := range table() {
		if k.matches(name) && (k.pkg == "" || dependsOn(k.pkg)) {
			return k.who
		}
	}
	return ""
}

// setBySystem tells whether a variable is there without anybody's doing.
func setBySystem(name, form string) bool {
	if strings.HasSuffix(form, "import.meta.env") {
		switch name {
		case "MODE", "DEV", "PROD", "SSR", "BASE_URL", "SITE", "ASSETS_PREFIX":
			return true
		}
	}
	for _, k := range table() {
		if k.sets && k.matches(name) {
			return true
		}
	}
	return false
}
