package envcheck

import (
	"slices"
	"strings"
	"sync"
)

// Known is a variable, or a family of them, that somebody other than the app's own
// code reads or sets.
type Known struct {
	Name    string // with * at the end for a family
	Who     string
	Package string // only with this package in a package.json; "" for always
	Sets    bool   // who sets it, so that a schema need not have it
}

// Family reports whether it stands for all names with its beginning.
func (k Known) Family() bool { return strings.HasSuffix(k.Name, "*") }

// Matches reports whether a variable is the one that is known, or of the family.
func (k Known) Matches(name string) bool {
	if prefix, ok := strings.CutSuffix(k.Name, "*"); ok {
		return strings.HasPrefix(name, prefix)
	}
	return k.Name == name
}

// KnownVariables says who reads or sets what. It is kept to what is sure: each entry
// silences a finding of opsctl env scan, and is advice in one of env check.
var KnownVariables = sync.OnceValue(func() []Known {
	return slices.Concat(ofSystems(), ofPrograms(), ofPlatforms(), ofLibraries())
})

// ofSystems are those of systems and shells, and of what runs the app.
func ofSystems() []Known {
	return []Known{
		{Name: "NODE_ENV", Who: "Node.js frameworks", Sets: true},
		{Name: "PORT", Who: "the platform and the server", Sets: true},
		{Name: "HOST", Who: "the server", Sets: true},
		{Name: "HOSTNAME", Who: "the system and the server", Sets: true},
		{Name: "CI", Who: "the CI system", Sets: true},
		{Name: "TZ", Who: "the system's clock", Sets: true},
		{Name: "HOME", Who: "the system", Sets: true},
		{Name: "PATH", Who: "the system", Sets: true},
		{Name: "_", Who: "the shell", Sets: true},
		{Name: "PWD", Who: "the shell", Sets: true},
		{Name: "USER", Who: "the system", Sets: true},
		{Name: "SHELL", Who: "the system", Sets: true},
		{Name: "LANG", Who: "the system", Sets: true},
		{Name: "TERM", Who: "the terminal", Sets: true},
		{Name: "TMPDIR", Who: "the system", Sets: true},
		{Name: "TEMP", Who: "the system", Sets: true},
		{Name: "APPDATA", Who: "Windows", Sets: true},
		{Name: "LOCALAPPDATA", Who: "Windows", Sets: true},
		{Name: "USERPROFILE", Who: "Windows", Sets: true},
		{Name: "XDG_*", Who: "the desktop", Sets: true},
		{Name: "NO_COLOR", Who: "the terminal", Sets: true},
		{Name: "FORCE_COLOR", Who: "the terminal", Sets: true},
		{Name: "NODE_OPTIONS", Who: "Node.js", Sets: true},
		{Name: "NODE_EXTRA_CA_CERTS", Who: "Node.js"},
		{Name: "NODE_TLS_REJECT_UNAUTHORIZED", Who: "Node.js"},
		{Name: "UV_THREADPOOL_SIZE", Who: "Node.js"},
		{Name: "HTTP_PROXY", Who: "HTTP clients"},
		{Name: "HTTPS_PROXY", Who: "HTTP clients"},
		{Name: "NO_PROXY", Who: "HTTP clients"},
		{Name: "npm_*", Who: "npm", Sets: true},
		{Name: "NEXT_RUNTIME", Who: "Next.js", Sets: true},
		{Name: "NEXT_PHASE", Who: "Next.js", Sets: true},
		{Name: "__NEXT*", Who: "Next.js", Sets: true},
		{Name: "NEXT_TELEMETRY_DISABLED", Who: "Next.js", Sets: true},
		{Name: "SKIP_ENV_VALIDATION", Who: "builds without an environment", Sets: true},
		{Name: "VITEST*", Who: "Vitest", Sets: true},
		{Name: "JEST_WORKER_ID", Who: "Jest", Sets: true},
		{Name: "NEXT_SHARP_PATH", Who: "Next.js"},
		{Name: "NEXT_MANUAL_SIG_HANDLE", Who: "Next.js"},
		{Name: "NEXT_SERVER_ACTIONS_ENCRYPTION_KEY", Who: "Next.js"},
		{Name: "NODE_DEBUG", Who: "Node.js"},
		{Name: "NODE_PATH", Who: "Node.js"},
		{Name: "NODE_NO_WARNINGS", Who: "Node.js"},
		{Name: "ALL_PROXY", Who: "every HTTP client"},
		{Name: "http_proxy", Who: "every HTTP client"},
		{Name: "https_proxy", Who: "every HTTP client"},
		{Name: "no_proxy", Who: "every HTTP client"},
		{Name: "LOGNAME", Who: "the system", Sets: true},
		{Name: "COLUMNS", Who: "the terminal", Sets: true},
		{Name: "SHLVL", Who: "the shell", Sets: true},
		{Name: "DISPLAY", Who: "the desktop", Sets: true},
		{Name: "SSH_AUTH_SOCK", Who: "ssh-agent", Sets: true},
		{Name: "EDITOR", Who: "the user", Sets: true},
		{Name: "SYSTEMROOT", Who: "Windows", Sets: true},
		{Name: "COMSPEC", Who: "Windows", Sets: true},
		{Name: "HOMEPATH", Who: "Windows", Sets: true},
		{Name: "PROGRAMFILES", Who: "Windows", Sets: true},
	}
}

// ofPrograms are those of language runtimes, and of programs beside the app.
func ofPrograms() []Known {
	return []Known{
		{Name: "GOGC", Who: "the Go runtime"},
		{Name: "GOMEMLIMIT", Who: "the Go runtime"},
		{Name: "GOMAXPROCS", Who: "the Go runtime"},
		{Name: "GODEBUG", Who: "the Go runtime"},
		{Name: "PYTHONPATH", Who: "Python"},
		{Name: "PYTHONUNBUFFERED", Who: "Python"},
		{Name: "PYTHONDONTWRITEBYTECODE", Who: "Python"},
		{Name: "DJANGO_SETTINGS_MODULE", Who: "Django", Sets: true},
		{Name: "PGHOST", Who: "libpq"},
		{Name: "PGPORT", Who: "libpq"},
		{Name: "PGUSER", Who: "libpq"},
		{Name: "PGPASSWORD", Who: "libpq"},
		{Name: "PGDATABASE", Who: "libpq"},
		{Name: "PGSSLMODE", Who: "libpq"},
		{Name: "POSTGRES_USER", Who: "the postgres image"},
		{Name: "POSTGRES_PASSWORD", Who: "the postgres image"},
		{Name: "POSTGRES_DB", Who: "the postgres image"},
		{Name: "AWS_*", Who: "the AWS SDK"},
		{Name: "GOOGLE_APPLICATION_CREDENTIALS", Who: "Google's clients"},
		{Name: "OTEL_*", Who: "OpenTelemetry"},
		{Name: "COMPOSE_*", Who: "docker compose"},
		{Name: "PGHOSTADDR", Who: "libpq"},
		{Name: "PGPASSFILE", Who: "libpq"},
		{Name: "PGSERVICE", Who: "libpq"},
		{Name: "PGOPTIONS", Who: "libpq"},
		{Name: "PGAPPNAME", Who: "libpq"},
		{Name: "PGSSLROOTCERT", Who: "libpq"},
		{Name: "PGSSLCERT", Who: "libpq"},
		{Name: "PGSSLKEY", Who: "libpq"},
		{Name: "PGSSLNEGOTIATION", Who: "libpq"},
		{Name: "PGCHANNELBINDING", Who: "libpq"},
		{Name: "PGCONNECT_TIMEOUT", Who: "libpq"},
		{Name: "PGTARGETSESSIONATTRS", Who: "libpq"},
		{Name: "PGCLIENTENCODING", Who: "libpq"},
		{Name: "PGTZ", Who: "libpq"},
		{Name: "POSTGRES_INITDB_ARGS", Who: "the postgres image"},
		{Name: "COMPOSE_PROJECT_NAME", Who: "docker compose"},
		{Name: "COMPOSE_FILE", Who: "docker compose"},
		{Name: "COMPOSE_PROFILES", Who: "docker compose"},
		{Name: "COMPOSE_PATH_SEPARATOR", Who: "docker compose"},
		{Name: "DOCKER_HOST", Who: "docker compose"},
	}
}

// ofPlatforms are those of hosts and CI.
func ofPlatforms() []Known {
	return []Known{
		{Name: "OPSCTL_*", Who: "opsctl", Sets: true},
		{Name: "FLY_*", Who: "Fly.io", Sets: true},
		{Name: "RAILWAY_*", Who: "Railway", Sets: true},
		{Name: "RENDER", Who: "Render", Sets: true},
		{Name: "RENDER_*", Who: "Render", Sets: true},
		{Name: "VERCEL", Who: "Vercel", Sets: true},
		{Name: "VERCEL_*", Who: "Vercel", Sets: true},
		{Name: "NEXT_PUBLIC_VERCEL_*", Who: "Vercel", Sets: true},
		{Name: "GITHUB_ACTIONS", Who: "GitHub", Sets: true},
		{Name: "GITHUB_SHA", Who: "GitHub", Sets: true},
		{Name: "GITHUB_REF*", Who: "GitHub", Sets: true},
		{Name: "GITHUB_REPOSITORY", Who: "GitHub", Sets: true},
		{Name: "GITHUB_WORKSPACE", Who: "GitHub", Sets: true},
		{Name: "GITHUB_OUTPUT", Who: "GitHub", Sets: true},
		{Name: "KUBERNETES_*", Who: "Kubernetes", Sets: true},
		{Name: "SOURCE_VERSION", Who: "the platform's build", Sets: true},
		{Name: "SENTRY_RELEASE", Who: "the build, or Sentry's plugin", Sets: true},
		{Name: "GITHUB_RUN_ID", Who: "GitHub", Sets: true},
		{Name: "GITHUB_TOKEN", Who: "GitHub", Sets: true},
		{Name: "CIRCLECI", Who: "CircleCI", Sets: true},
		{Name: "GITLAB_CI", Who: "GitLab", Sets: true},
		{Name: "NETLIFY", Who: "Netlify", Sets: true},
		{Name: "DYNO", Who: "Heroku", Sets: true},
		{Name: "CODESPACES", Who: "GitHub Codespaces", Sets: true},
	}
}

// ofLibraries are those that a package reads by itself.
func ofLibraries() []Known {
	return []Known{
		{Name: "SENTRY_*", Who: "Sentry's SDK and sentry-cli", Package: "@sentry/"},
		{Name: "DATABASE_URL", Who: "Prisma", Package: "prisma"},
		{Name: "DATABASE_URL", Who: "Prisma", Package: "@prisma/"},
		{Name: "DIRECT_URL", Who: "Prisma", Package: "prisma"},
		{Name: "SHADOW_DATABASE_URL", Who: "Prisma", Package: "prisma"},
		{Name: "DATABASE_URL", Who: "Drizzle Kit", Package: "drizzle-kit"},
		{Name: "DATABASE_URL", Who: "node-pg-migrate", Package: "node-pg-migrate"},
		{Name: "CLERK_*", Who: "Clerk's SDK", Package: "@clerk/"},
		{Name: "NEXT_PUBLIC_CLERK_*", Who: "Clerk's SDK", Package: "@clerk/"},
		{Name: "NEXTAUTH_*", Who: "NextAuth.js", Package: "next-auth"},
		{Name: "AUTH_*", Who: "Auth.js", Package: "next-auth"},
		{Name: "AUTH_*", Who: "Auth.js", Package: "@auth/"},
		{Name: "BETTER_AUTH_*", Who: "Better Auth", Package: "better-auth"},
		{Name: "NUXT_*", Who: "Nuxt", Package: "nuxt"},
		{Name: "OPENAI_API_KEY", Who: "OpenAI's SDK", Package: "openai"},
		{Name: "OPENAI_API_KEY", Who: "the AI SDK", Package: "@ai-sdk/"},
		{Name: "ANTHROPIC_API_KEY", Who: "Anthropic's SDK", Package: "@anthropic-ai/"},
		{Name: "ANTHROPIC_API_KEY", Who: "the AI SDK", Package: "@ai-sdk/"},
		{Name: "RESEND_API_KEY", Who: "Resend's SDK", Package: "resend"},
		{Name: "UPSTASH_REDIS_REST_*", Who: "Upstash's SDK", Package: "@upstash/"},
		{Name: "BLOB_READ_WRITE_TOKEN", Who: "Vercel Blob", Package: "@vercel/"},
		{Name: "INNGEST_*", Who: "Inngest's SDK", Package: "inngest"},
		{Name: "TURBO_*", Who: "Turborepo", Package: "turbo"},
		{Name: "NEXTAUTH_URL", Who: "NextAuth.js", Package: "next-auth"},
		{Name: "NEXTAUTH_URL_INTERNAL", Who: "NextAuth.js", Package: "next-auth"},
		{Name: "NEXTAUTH_SECRET", Who: "NextAuth.js", Package: "next-auth"},
		{Name: "AUTH_SECRET", Who: "Auth.js", Package: "next-auth"},
		{Name: "AUTH_URL", Who: "Auth.js", Package: "next-auth"},
		{Name: "AUTH_TRUST_HOST", Who: "Auth.js", Package: "next-auth"},
		{Name: "AUTH_REDIRECT_PROXY_URL", Who: "Auth.js", Package: "next-auth"},
		{Name: "BETTER_AUTH_SECRET", Who: "Better Auth", Package: "better-auth"},
		{Name: "BETTER_AUTH_URL", Who: "Better Auth", Package: "better-auth"},
		{Name: "AWS_ACCESS_KEY_ID", Who: "the AWS SDK"},
		{Name: "AWS_SECRET_ACCESS_KEY", Who: "the AWS SDK"},
		{Name: "AWS_SESSION_TOKEN", Who: "the AWS SDK"},
		{Name: "AWS_REGION", Who: "the AWS SDK"},
		{Name: "AWS_DEFAULT_REGION", Who: "the AWS SDK"},
		{Name: "AWS_PROFILE", Who: "the AWS SDK"},
		{Name: "AWS_ENDPOINT_URL", Who: "the AWS SDK"},
		{Name: "GOOGLE_CLOUD_PROJECT", Who: "Google's SDK"},
		{Name: "npm_config_*", Who: "npm"},
		{Name: "NPM_CONFIG_*", Who: "npm"},
		{Name: "PRISMA_*", Who: "Prisma", Package: "prisma"},
	}
}
