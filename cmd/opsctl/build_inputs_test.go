package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opsctl/opsctl/internal/config"
)

func TestReadBuildInputs(t *testing.T) {
	tests := []struct {
		name, dockerfile  string
		npmrc             bool
		flags, env, unset string
	}{
		{"nothing asked", "FROM scratch\nARG VERSION\n", true, "", "", ""},
		{"a public argument", "ARG NEXT_PUBLIC_APP_URL\n", false, "--build-arg NEXT_PUBLIC_APP_URL", "NEXT_PUBLIC_APP_URL=https://x.example", ""},
		{"the environment's plain variables win", "ARG NEXT_PUBLIC_COLOR\n", false, "--build-arg NEXT_PUBLIC_COLOR", "NEXT_PUBLIC_COLOR=red", ""},
		{"one without a value", "ARG NEXT_PUBLIC_NOBODY\nARG NEXT_PUBLIC_NOBODY\n", false, "", "", "NEXT_PUBLIC_NOBODY"},
		{"one with a default", "ARG NEXT_PUBLIC_APP_URL=http://localhost\n", false, "", "", ""},
		{"no secret becomes an argument", "ARG DATABASE_URL\n", false, "", "", ""},
		{"a secret file", "RUN --mount=type=cache,target=/x --mount=type=secret,id=npmrc,target=/app/.npmrc npm ci\n", true, "--secret id=npmrc,src=ROOT/.npmrc", "", ""},
		{"a secret file that is not there", "RUN --mount=type=secret,id=npmrc npm ci\n", false, "", "", ""},
		{"a secret of the environment's file", "RUN --mount=type=secret,id=sentry_auth_token x\n", false, "--secret id=sentry_auth_token,env=SENTRY_AUTH_TOKEN", "SENTRY_AUTH_TOKEN=sntrys_1", ""},
		{"a secret of this process", "RUN --mount=type=secret,target=/x,id=ci-token x\n", false, "--secret id=ci-token,env=CI_TOKEN", "CI_TOKEN=abc", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			files := map[string]string{"Dockerfile": tt.dockerfile}
			if tt.npmrc {
				files[".npmrc"] = "x"
			}
			for name, content := range files {
				if err := os.WriteFile(filepath.Join(root, name), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			project := &config.Project{Build: config.Build{Dockerfile: "Dockerfile", Context: "."}}
			env := config.Environment{Vars: map[string]string{"NEXT_PUBLIC_COLOR": "red"}}
			secrets := map[string]string{"NEXT_PUBLIC_APP_URL": "https://x.example", "NEXT_PUBLIC_COLOR": "blue", "SENTRY_AUTH_TOKEN": "sntrys_1", "DATABASE_URL": "postgresql://secret"}
			lookup := func(name string) (string, bool) { return "abc", name == "CI_TOKEN" }
			in, err := readBuildInputs(root, target{project: project, env: env}, secrets, lookup)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.ReplaceAll(strings.Join(in.flags, " "), root, "ROOT"); got != tt.flags {
				t.Errorf("flags %q, want %q", got, tt.flags)
			}
			if got := strings.Join(in.env[1:], " "); got != tt.env || in.env[0] != "DOCKER_BUILDKIT=1" {
				t.Errorf("environment %q, want %q", got, tt.env)
			}
			if got := strings.Join(in.unset, " "); got != tt.unset {
				t.Errorf("unset %q, want %q", got, tt.unset)
			}
			if slices.ContainsFunc(in.flags, func(f string) bool { return strings.Contains(f, "sntrys_1") || strings.Contains(f, "secret@") }) {
				t.Errorf("a value is among the arguments: %q", in.flags)
			}
		})
	}
}
