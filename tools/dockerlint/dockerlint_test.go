package dockerlint

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// What the checks are there for, to see that they look: each bad Dockerfile gives
// exactly these findings.
func TestLintFinds(t *testing.T) {
	for _, tt := range []struct {
		name, dockerfile, dockerignore string
		want                           []string
	}{
		{
			name:       "secrets in the image",
			dockerfile: "FROM node:20-alpine\nARG NPM_TOKEN\nENV DATABASE_PASSWORD=x\nARG NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY\nCMD [\"node\"]\n",
			want:       []string{"2 SecretsUsedInArgOrEnv", "3 SecretsUsedInArgOrEnv"},
		},
		{
			name:       "a shell between init and the server",
			dockerfile: "FROM node:20-alpine\nENTRYPOINT node server.js\nCMD node server.js\n",
			want:       []string{"2 JSONArgsRecommended", "3 JSONArgsRecommended"},
		},
		{
			name:       "casing",
			dockerfile: "FROM node:20-alpine as Deps\nRUN true\nrun true\nFROM node:20-alpine AS runner\nCMD [\"node\"]\n",
			want:       []string{"1 FromAsCasing", "1 StageNameCasing", "3 ConsistentInstructionCasing"},
		},
		{
			name:       "stages that no target reaches",
			dockerfile: "FROM node:20-alpine AS base\nFROM base AS unused\nENV A b\nFROM base AS runner\nCMD [\"node\"]\n",
			want:       []string{"3 LegacyKeyValueFormat"},
		},
		{
			name:       "a variable that nothing sets, and a command that another one replaces",
			dockerfile: "FROM node:20-alpine\nCOPY $SOURCE ./\nCMD [\"node\"]\nCMD [\"sh\"]\n",
			want:       []string{"2 UndefinedVar", "3 MultipleInstructionsDisallowed"},
		},
		{
			name:       "a base image without a default",
			dockerfile: "ARG NODE\nFROM node:$NODE-alpine\nCMD [\"node\"]\n",
			want:       []string{"2 BuildError", "2 InvalidDefaultArgInFrom"},
		},
		{
			name:         "a copy of what the context leaves out",
			dockerfile:   "FROM node:20-alpine\nWORKDIR /app\nCOPY package.json build/migrate.mjs ./\nCMD [\"node\"]\n",
			dockerignore: "# comment\nnode_modules\nbuild\n",
			want:         []string{"3 CopyIgnoredFile"},
		},
		{
			name:       "no Dockerfile at all",
			dockerfile: "FORM node\n",
			want:       []string{"1 BuildError"},
		},
		{
			name:         "nothing to find",
			dockerfile:   "FROM node:20-alpine AS base\nWORKDIR /app\nFROM base AS runner\nCOPY --from=base /app ./\nCOPY package.json ./\nUSER 1001:1001\nEXPOSE 3000\nCMD [\"node\"]\n",
			dockerignore: "node_modules\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var ignore []byte
			if tt.dockerignore != "" {
				ignore = []byte(tt.dockerignore)
			}
			findings, err := Lint(t.Context(), []byte(tt.dockerfile), ignore)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range findings {
				got = append(got, fmt.Sprintf("%d %s", f.Line, f.Rule))
			}
			slices.Sort(got)
			want := slices.Sorted(slices.Values(tt.want))
			if !slices.Equal(got, want) {
				t.Errorf("got %s\nwant %s\n%v", strings.Join(got, ", "), strings.Join(want, ", "), findings)
			}
		})
	}
}
