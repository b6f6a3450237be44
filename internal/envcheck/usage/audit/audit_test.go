package audit

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/opsctl/opsctl/internal/envcheck"
	"github.com/opsctl/opsctl/internal/envcheck/usage"
)

func compare(t *testing.T, schemaText string, files map[string]string, o Options) (string, int) {
	t.Helper()
	schema, _ := envcheck.ParseSchema(".env.schema", []byte(schemaText))
	fsys := fstest.MapFS{}
	for name, src := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(src)}
	}
	used, err := usage.Scan(t.Context(), fsys, usage.Options{Names: schema.Keys(), Exclude: IgnoredPaths(schema)})
	if err != nil {
		t.Fatal(err)
	}
	r := Compare(schema, used, o)
	var lines []string
	for _, f := range r.Findings {
		lines = append(lines, fmt.Sprintf("%s:%d:%d %s %s %s", f.File, f.Line, f.Col, f.Level, f.Rule, f.Key))
	}
	return strings.Join(lines, "\n"), r.Silenced
}

const next = `{"dependencies": {"next": "16"}}`

func TestCompare(t *testing.T) {
	tests := []struct {
		name, schema string
		files        map[string]string
		opts         Options
		want         []string
	}{
		{"all is declared and read", "A=\nB=\n", map[string]string{"a.ts": "process.env.A; process.env.B"}, Options{}, nil},
		{"undeclared", "A=\n", map[string]string{"a.ts": "process.env.A;\nf(process.env.B)"}, Options{}, []string{"a.ts:2:15 error scan-undeclared B"}},
		{"undeclared, where it matters most", "", map[string]string{"a.ts": "process.env.A ?? 1", "b.ts": "f(process.env.A)", "c.ts": "f(process.env.A)"}, Options{},
			[]string{"b.ts:1:15 error scan-undeclared A"}},
		{"with a default", "", map[string]string{"a.ts": "process.env.A ?? 1"}, Options{}, []string{"a.ts:1:13 warning scan-undeclared A"}},
		{"by tests only", "", map[string]string{"a.test.ts": "f(process.env.A)"}, Options{}, []string{"a.test.ts:1:15 warning scan-undeclared A"}},
		{"by tests only, with Tests", "", map[string]string{"a.test.ts": "f(process.env.A)"}, Options{Tests: true}, []string{"a.test.ts:1:15 error scan-undeclared A"}},
		{"by a compose file only", "", map[string]string{"compose.yml": "x: ${A}"}, Options{}, nil},
		{"what the system sets", "", map[string]string{"a.ts": "process.env.NODE_ENV; process.env.PORT; process.env.FLY_REGION; import.meta.env.DEV"}, Options{}, nil},
		{"DEV is Vite's only in import.meta", "", map[string]string{"a.ts": "process.env.DEV"}, Options{}, []string{"a.ts:1:13 error scan-undeclared DEV"}},
		{"unused", "A=\n\nB=\n", map[string]string{"a.ts": "process.env.A // B"}, Options{}, []string{".env.schema:3:1 warning scan-unused B"}},
		{"unused is not known from a part", "A=\n", map[string]string{"a.ts": ""}, Options{Partial: true}, nil},
		{"used without being read", "A=\nB=\nC=\n", map[string]string{"compose.yml": "x: ${A}", "a.ts": "const names = ['B']", "deploy.sh": "echo $C"}, Options{}, nil},
		{"the schema's own reference", "A=x\nB=\"${A}/b\"\n", map[string]string{"a.ts": "process.env.B"}, Options{}, nil},
		{"@auditIgnore", "# @auditIgnore\nA=\n", map[string]string{"a.ts": ""}, Options{}, nil},
		{"@auditIgnorePaths", "# @auditIgnorePaths(scripts, \"**/*.gen.ts\")\n# ---\n\nA=\n", map[string]string{"scripts/a.ts": "process.env.A", "b/c.gen.ts": "process.env.B"}, Options{},
			[]string{".env.schema:4:1 warning scan-unused A"}},
		{"a library reads it", "CLERK_X=\nDATABASE_URL=\n", map[string]string{"package.json": `{"dependencies": {"@clerk/nextjs": "1", "prisma": "1"}}`}, Options{}, nil},
		{"no library reads it", "CLERK_X=\n", map[string]string{"package.json": next}, Options{}, []string{".env.schema:1:1 warning scan-unused CLERK_X"}},
		{"in the browser", "A=\nB=\nNEXT_PUBLIC_C=\n", map[string]string{"package.json": next, "a.tsx": "'use client'\nf(process.env.A); process.env.B ?? 1; process.env.NEXT_PUBLIC_C; process.env.NODE_ENV"}, Options{},
			[]string{"a.tsx:2:15 error scan-client A", "a.tsx:2:31 warning scan-client B"}},
		{"what next.config inlines", "A=\n", map[string]string{"package.json": next, "a.tsx": "'use client'\nf(process.env.A)", "next.config.ts": "export default { env: { A: 'x' } }"}, Options{}, nil},
		{"what next.config defines", "", map[string]string{"package.json": next, "a.tsx": "f(process.env.A)", "b.ts": "f(process.env.B, process.env.C)",
			"next.config.mjs": "export default { env: { A: 'x', B: process.env.B } }", "vite.config.ts": "defineConfig({ define: { 'process.env.C': JSON.stringify('c') } })"}, Options{},
			[]string{"next.config.mjs:1:48 error scan-undeclared B"}},
		{"a check that throws", "", map[string]string{"a.ts": "if (!process.env.A) throw new Error()\nif (process.env.B) f(process.env.B)"}, Options{},
			[]string{"a.ts:1:18 error scan-undeclared A", "a.ts:2:17 warning scan-undeclared B"}},
		{"what Prisma reads", "", map[string]string{"prisma/schema.prisma": "datasource db {\n  url = env(\"DATABASE_URL\")\n}"}, Options{},
			[]string{"prisma/schema.prisma:2:14 error scan-undeclared DATABASE_URL"}},
		{"not with another framework", "A=\n", map[string]string{"package.json": `{"dependencies": {"waku": "1"}}`, "a.tsx": "'use client'\nf(process.env.A)"}, Options{}, nil},
		{"not inlined", "NEXT_PUBLIC_A=\nNEXT_PUBLIC_B=\n", map[string]string{"package.json": next,
			"a.tsx": "'use client'\nconst { NEXT_PUBLIC_A } = process.env\nconst e = process.env; e.NEXT_PUBLIC_B\nprocess.env[x]"}, Options{},
			[]string{"a.tsx:2:9 warning scan-computed NEXT_PUBLIC_A", "a.tsx:3:26 warning scan-computed NEXT_PUBLIC_B", "a.tsx:4:1 warning scan-computed "}},
		{"a computed name", "", map[string]string{"a.ts": "process.env[x]", "a.test.ts": "process.env[x]"}, Options{}, []string{"a.ts:1:1 info scan-dynamic "}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, _ := compare(t, tt.schema, tt.files, tt.opts); got != strings.Join(tt.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", got, strings.Join(tt.want, "\n"))
			}
		})
	}
}

func TestSilenced(t *testing.T) {
	got, n := compare(t, "# opsctl: ignore=scan-unused the mail server reads it\nA=\n\nB=\n", map[string]string{"a.ts": ""}, Options{})
	if got != ".env.schema:4:1 warning scan-unused B" || n != 1 {
		t.Errorf("silenced %d:\n%s", n, got)
	}
}

func TestSuggestion(t *testing.T) {
	schema, _ := envcheck.ParseSchema(".env.schema", []byte("DATABASE_URL=\n"))
	used, err := usage.Scan(t.Context(), fstest.MapFS{"a.ts": {Data: []byte("process.env.DATABSE_URL; process.env.ELSE")}}, usage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	fixes := map[string]string{}
	for _, f := range Compare(schema, used, Options{}).Findings {
		fixes[f.Key] = f.Fix
	}
	if !strings.HasPrefix(fixes["DATABSE_URL"], "did you mean DATABASE_URL?") || !strings.HasPrefix(fixes["ELSE"], "add ELSE= to the schema") {
		t.Errorf("%q", fixes)
	}
}

// Nothing is said to be read by a system and yet to be missing, or the other way round.
func TestTable(t *testing.T) {
	for _, k := range envcheck.KnownVariables() {
		if k.Name == "" || k.Who == "" || strings.Contains(strings.TrimSuffix(k.Name, "*"), "*") || k.Sets && k.Package != "" {
			t.Errorf("%+v", k)
		}
		if reader(strings.TrimSuffix(k.Name, "*"), func(string) bool { return true }) == "" {
			t.Errorf("%s: nobody reads it", k.Name)
		}
	}
}
