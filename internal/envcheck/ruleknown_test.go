package envcheck

import "testing"

func TestUnknownFix(t *testing.T) {
	tests := []struct{ key, near, want string }{
		{"AUTH_SECRET", "did you mean AUTH_SECRETS?", "add AUTH_SECRET= to .env.schema: Auth.js reads it"},
		{"NEXTAUTH_URL", "", "add NEXTAUTH_URL= to .env.schema: NextAuth.js reads it"},
		{"TZ", "", "add TZ= to .env.schema: the system's clock reads it"},
		{"PGSSLMODE", "", "add PGSSLMODE= to .env.schema: libpq reads it"},
		{"npm_config_registry", "", "add npm_config_registry= to .env.schema: npm reads it"},
		{"OTEL_SERVICE_NAME", "", "add OTEL_SERVICE_NAME= to .env.schema: OpenTelemetry reads it"},
		{"SENTRY_DNS", "did you mean SENTRY_DSN?", "did you mean SENTRY_DSN?"},
		{"LOG_LEVL", "did you mean LOG_LEVEL?", "did you mean LOG_LEVEL?"},
		{"OWN_THING", "", "add OWN_THING= to .env.schema, or remove the line"},
		{"PGADMIN_URL", "", "add PGADMIN_URL= to .env.schema, or remove the line"},
	}
	for _, tt := range tests {
		if got := unknownFix(tt.key, ".env.schema", tt.near); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.key, got, tt.want)
		}
	}
}
