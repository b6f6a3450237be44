package envcheck

import (
	"slices"
	"strings"
)

// readers of well-known variables, by whole names and by beginnings. Such a variable
// does something although no line of the app names it.
var (
	knownNames = []struct {
		who   string
		names []string
	}{
		{"NextAuth.js", []string{"NEXTAUTH_URL", "NEXTAUTH_URL_INTERNAL", "NEXTAUTH_SECRET"}},
		{"Auth.js", []string{"AUTH_SECRET", "AUTH_URL", "AUTH_TRUST_HOST", "AUTH_REDIRECT_PROXY_URL"}},
		{"Better Auth", []string{"BETTER_AUTH_SECRET", "BETTER_AUTH_URL"}},
		{"Next.js", []string{"NEXT_TELEMETRY_DISABLED", "NEXT_SHARP_PATH", "NEXT_MANUAL_SIG_HANDLE", "NEXT_SERVER_ACTIONS_ENCRYPTION_KEY", "PORT", "HOSTNAME"}},
		{"Node.js", []string{"NODE_OPTIONS", "NODE_EXTRA_CA_CERTS", "NODE_TLS_REJECT_UNAUTHORIZED", "NODE_DEBUG", "NODE_PATH", "NODE_NO_WARNINGS", "UV_THREADPOOL_SIZE"}},
		{"every program that prints a time", []string{"TZ"}},
		{"libpq", []string{
			"PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGPASSFILE", "PGSERVICE", "PGOPTIONS", "PGAPPNAME",
			"PGSSLMODE", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY", "PGSSLNEGOTIATION", "PGCHANNELBINDING", "PGCONNECT_TIMEOUT", "PGTARGETSESSIONATTRS", "PGCLIENTENCODING", "PGTZ",
		}},
		{"the postgres image", []string{"POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB", "POSTGRES_INITDB_ARGS"}},
		{"docker compose", []string{"COMPOSE_PROJECT_NAME", "COMPOSE_FILE", "COMPOSE_PROFILES", "COMPOSE_PATH_SEPARATOR", "DOCKER_HOST"}},
		{"the AWS SDK", []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL"}},
		{"Google's SDK", []string{"GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT"}},
		{"every HTTP client", []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy"}},
		{"every program that prints colours", []string{"NO_COLOR", "FORCE_COLOR"}},
		{"Python", []string{"PYTHONUNBUFFERED", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}},
		{"Django", []string{"DJANGO_SETTINGS_MODULE"}},
	}
	knownPrefixes = []struct{ prefix, who string }{
		{"npm_config_", "npm"}, {"NPM_CONFIG_", "npm"}, {"SENTRY_", "Sentry's SDK or its build plugin"}, {"OTEL_", "the OpenTelemetry SDK"},
		{"VERCEL_", "Vercel"}, {"TURBO_", "Turborepo"}, {"PRISMA_", "Prisma"}, {"NEXT_PUBLIC_CLERK_", "Clerk's SDK"}, {"CLERK_", "Clerk's SDK"},
	}
)

// readBy names who reads a well-known variable, "" for one that only the app can know.
// A family's beginning says less than a whole name, which nothing can be a slip of.
func readBy(key string) (who string, whole bool) {
	for _, k := range knownNames {
		if slices.Contains(k.names, key) {
			return k.who, true
		}
	}
	for _, k := range knownPrefixes {
		if strings.HasPrefix(key, k.prefix) {
			return k.who, false
		}
	}
	return "", false
}

// unknownFix is the way on for a key that the schema lacks; near is did-you-mean or
// empty. A variable that a package reads is not told to go.
func unknownFix(key, schema, near string) string {
	switch who, whole := readBy(key); {
	case whole || who != "" && near == "":
		return "add " + key + "= to " + schema + ": " + who + " reads it"
	case near != "":
		return near
	}
	return "add " + key + "= to " + schema + ", or remove the line"
}
