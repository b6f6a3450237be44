package envcheck

import (
	"strings"
	"testing"
)

// TestPlaceholderInProduction says of one key and value what the rule placeholder makes
// of it in production, with the default of init's schema: all is sensitive but NEXT_PUBLIC_.
func TestPlaceholderInProduction(t *testing.T) {
	tests := []struct{ decorators, line, want string }{
		// The example is an ordinary value here.
		{"@example=3000", "PORT=3000", ""},
		{"@type=port @example=3000", "PORT=3000", ""},
		{"@type=port @example=3000 @sensitive", "PORT=3000", ""},
		{"@type=enum(debug, info) @example=info", "LOG_LEVEL=info", ""},
		{"@type=number @example=5", "POOL_SIZE=5", ""},
		{"@type=boolean @example=true", "TELEMETRY=true", ""},
		{"@example=true", "TELEMETRY=true", ""},
		{"@example=eu-central-1", "AWS_REGION=eu-central-1", "warning"},
		{"@type=string @example=eu-central-1 @public", "AWS_REGION=eu-central-1", "warning"},
		{"@type=string @example=3000", "BADGE=3000", "warning"},
		{`@type=string(matches=regex("^[a-z]+$")) @example=frankfurt @public`, "PLACE=frankfurt", "warning"},
		{`@type=url @example="https://api.stripe.com/v1" @public`, "STRIPE_API=https://api.stripe.com/v1", "warning"},
		{"@example=eu-central-1 @optional", "AWS_REGION=eu-central-1", ""},

		// Here it is not.
		{"@example=abc", "API_KEY=abc", "error"},
		{"@example=1234", "SAFE_PIN=1234", "error"},
		{"@type=string @example=abc @sensitive", "ANYTHING=abc", "error"},
		{`@type=string(matches=regex("^[a-z]+$")) @example=abc`, "AUTH_SECRET=abc", "error"},
		{`@type=url @example="postgres://app:app@db.internal/app?sslmode=require"`, `DATABASE_URL="postgres://app:app@db.internal/app?sslmode=require"`, "error"},
		{`@type=url @example="https://api.example.com" @public`, "API_URL=https://api.example.com", "error"},
		{`@type=url @example="https://erp.example.org" @public`, "API_URL=https://erp.example.org", "error"},

		// Words that begin a name, and words that stand for one.
		{"@public", "APP_NAME=todo-planner", ""},
		{"", "APP_NAME=todo-planner", ""},
		{"", "APP_NAME=Todoist", ""},
		{"", "APP_HOST=todo.fly.dev", ""},
		{"", "UPSTREAM=todo:8080", ""},
		{"", "APP_NAME=dummy_data", ""},
		{"", "MODE=exchange-meter", ""},
		{"", "GAME=insert-coin", ""},
		{"", "SHOW=my-secret-garden", ""},
		{"", "APP_NAME=TODO", "error"},
		{"", "APP_NAME=tbd", "error"},
		{"", `APP_NAME="todo: ask the team"`, "error"},
		{"", `APP_NAME="dummy value"`, "error"},
		{"", "API_TOKEN=dummy-token", "error"},
		{"", "API_TOKEN=todo_token", "error"},
		{"", "APP_NAME=change-me", "error"},
		{"", "APP_NAME=please_change_me_1", "error"},
		{"", "DATABASE_URL=postgres://app:changeme@db.internal/app", "error"},
		{"", "APP_NAME=your-app-name", "error"},
		{"", "APP_NAME=<name>", "error"},
		{"", "APP_NAME=xxxx", "error"},

		{"", "LOGO=/img/logo-placeholder.svg", ""},
		{"", "AVATAR_URL=https://via.placeholder.com/150", ""},
		{"@type=url", "AVATAR_URL=https://via.placeholder.com/150", ""},
		{"@public", "LOGO=placeholder", "error"},
		{"", "API_KEY=sk-placeholder-1", "error"},
		{"@sensitive", "HOOK=https://hooks.slack.com/services/placeholder", "error"},
		{"", "SESSION_SECRET=my-secret-value", "error"},
		{"", "DATABASE_URL=postgres://placeholder@db.internal/app", "error"},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			key, _, _ := strings.Cut(tt.line, "=")
			schema := "# @defaultRequired=true @defaultSensitive=inferFromPrefix(NEXT_PUBLIC_)\n# ---\n\n"
			if tt.decorators != "" {
				schema += "# " + tt.decorators + "\n"
			}
			r, text := project{".env.schema": schema + key + "=\n", ".env": tt.line + "\n"}.check(t, Options{Env: "production"})
			got := ""
			for _, f := range r.Findings {
				switch f.Rule {
				case "placeholder":
					got = string(f.Level)
				case "schema-type", "schema-option", "type":
					t.Errorf("the test's schema is wrong:\n%s", text)
				}
			}
			if got != tt.want {
				t.Errorf("%q with %q: %q, want %q\n%s", tt.line, tt.decorators, got, tt.want, text)
			}
		})
	}
}
