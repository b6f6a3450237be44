package envcheck

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// typeScriptSchemas are the schemas whose modules lie beside them.
func typeScriptSchemas(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("testdata", "typescript", "*.schema"))
	if err != nil || len(names) == 0 {
		t.Fatalf("%d schemas: %v", len(names), err)
	}
	return names
}

func renderFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	s, findings := ParseSchema(".env.schema", data)
	for _, f := range findings {
		if f.Level == Error {
			t.Fatalf("%s: %+v", name, f)
		}
	}
	out, err := RenderTypeScript(s, TypeScriptOptions{})
	if err != nil {
		t.Fatal(err)
	}
	again, err := RenderTypeScript(s, TypeScriptOptions{})
	if err != nil || !bytes.Equal(out, again) {
		t.Errorf("%s: two renderings differ (%v)", name, err)
	}
	return out
}

// Each module lies beside its schema: read the diff.
func TestTypeScriptGolden(t *testing.T) {
	for _, name := range typeScriptSchemas(t) {
		got := renderFile(t, name)
		golden := strings.TrimSuffix(name, ".schema") + ".ts"
		if *update {
			if err := os.WriteFile(golden, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what is rendered; run go test ./internal/envcheck -run TestTypeScriptGolden -update\n%s", golden, got)
		}
	}
}

// consumer is code that uses the module of testdata/typescript/all.schema: what
// @ts-expect-error stands above must not compile, all else must.
const consumer = `import { env } from "./all";
const port: number = env.PORT;
const word: "dev" | "prod" = env.APP_ENV;
const mixed: 1 | "two" | true = env.MIXED;
const letters: readonly ("a" | "b")[] = env.LETTERS;
const matrix: readonly (readonly number[])[] = env.MATRIX;
const limits: Readonly<Record<string, number>> = env.LIMITS;
const seconds: number = env.WAIT;
const dotted: string = env["A.DOTTED-NAME"];
const fallback: number = env.DEFAULTED;
const maybe: string | undefined = env.ONLY_PROD;
// @ts-expect-error it may be undefined
const sure: string = env.ONLY_PROD;
// @ts-expect-error it is a number
const text: string = env.PORT;
// @ts-expect-error there is no such value
const other: "x" = env.APP_ENV;
// @ts-expect-error the list cannot be changed
env.LETTERS.push("a");
// @ts-expect-error neither can the object
env.PORT = 1;
// @ts-expect-error a slip
console.log(env.PROT);
export { port, word, mixed, letters, matrix, limits, seconds, dotted, fallback, maybe, sure, text, other };
`

// The modules compile with every check that tsc has, and behave in the browser, in
// a build and when something is missing.
func TestTypeScriptModules(t *testing.T) {
	modules := npmModules(t, "typescript")
	dir := t.TempDir()
	for _, name := range typeScriptSchemas(t) {
		base := strings.TrimSuffix(filepath.Base(name), ".schema") + ".ts"
		if base == "vite.ts" { // no CommonJS
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, base), renderFile(t, name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "consumer.ts"), []byte(consumer), 0o644); err != nil {
		t.Fatal(err)
	}
	compileWithoutNodeTypes(t, modules, dir)
	compile(t, modules, dir)

	seed, all := filepath.Join(dir, "seed"), filepath.Join(dir, "all")
	const secret = "sk_live_notARealOne0123456789!"
	const site = `"https://erp.example.com"`
	cases := []struct {
		readCase
		want readAnswer
	}{
		{readCase{Module: seed, Keys: []string{"DATABASE_URL"}}, readAnswer{Error: "DATABASE_URL is required but not set (see .env.schema)"}},
		{readCase{Module: seed, Vars: map[string]string{"DATABASE_URL": ""}, Keys: []string{"DATABASE_URL"}}, readAnswer{Error: "DATABASE_URL is required but empty (see .env.schema)"}},
		{readCase{Module: seed, Vars: map[string]string{"CLERK_SECRET_KEY": secret}, Keys: []string{"CLERK_SECRET_KEY"}}, readAnswer{Error: "CLERK_SECRET_KEY does not match its pattern (see .env.schema)"}},
		{readCase{Module: seed, Keys: []string{"SENTRY_DSN"}}, readAnswer{}},
		{readCase{Module: seed, Vars: map[string]string{"NODE_ENV": "production"}, Keys: []string{"SENTRY_DSN"}}, readAnswer{Error: "SENTRY_DSN is required but not set (see .env.schema)"}},
		{readCase{Module: seed, Vars: map[string]string{"NODE_ENV": "production", "SKIP_ENV_VALIDATION": "1"}, Keys: []string{"SENTRY_DSN"}}, readAnswer{}},
		{readCase{Module: seed, Vars: map[string]string{"SKIP_ENV_VALIDATION": "1"}, Keys: []string{"DATABASE_URL"}}, readAnswer{}},
		{readCase{Module: seed, Vars: map[string]string{"SKIP_ENV_VALIDATION": "1", "DATABASE_URL": "x"}, Keys: []string{"DATABASE_URL"}}, readAnswer{Error: "DATABASE_URL is not an absolute URL (see .env.schema)"}},
		{readCase{Module: seed, Vars: map[string]string{"DATABASE_URL": "postgres://h/d"}, Keys: []string{"DATABASE_URL"}, Browser: true},
			readAnswer{Error: "DATABASE_URL is not in the browser: read it on the server; only NEXT_PUBLIC_ variables are in the bundle (see .env.schema)"}},
		{readCase{Module: seed, Vars: map[string]string{"DATABASE_URL": "postgres://h/d"}, Keys: []string{"DATABASE_URL"}, Window: true}, readAnswer{Value: `"postgres://h/d"`}}, // jsdom
		{readCase{Module: seed, Vars: map[string]string{"NEXT_PUBLIC_APP_URL": "https://erp.example.com"}, Keys: []string{"NEXT_PUBLIC_APP_URL"}, Browser: true}, readAnswer{Value: site}},
		{readCase{Module: seed, Vars: map[string]string{"NODE_ENV": "production", "NEXT_PUBLIC_APP_URL": "http://erp.example.com"}, Keys: []string{"NEXT_PUBLIC_APP_URL"}}, readAnswer{Error: "NEXT_PUBLIC_APP_URL does not match its pattern (see .env.schema)"}},
		{readCase{Module: seed, Keys: []string{"NODE_ENV"}, Browser: true}, readAnswer{Value: `"development"`}},
		{readCase{Module: all, Vars: map[string]string{"WAIT": "2 min"}, Keys: []string{"WAIT"}}, readAnswer{Value: "120"}},
		{readCase{Module: all, Vars: map[string]string{"FLAG": "Yes"}, Keys: []string{"FLAG"}}, readAnswer{Value: "true"}},
		{readCase{Module: all, Vars: map[string]string{"LETTERS": "a; b"}, Keys: []string{"LETTERS"}}, readAnswer{Value: `["a","b"]`}},
		{readCase{Module: all, Vars: map[string]string{"NAME": "abc", "COUNT": "3.2"}, Keys: []string{"FROM"}}, readAnswer{Value: `"abc-3"`}},
		{readCase{Module: all, Vars: map[string]string{"NAME": "abc"}, Keys: []string{"CHOSEN"}}, readAnswer{Value: `"first"`}},
		{readCase{Module: all, Vars: map[string]string{"A.DOTTED-NAME": "x"}, Keys: []string{"A.DOTTED-NAME"}}, readAnswer{Value: `"x"`}},
	}
	var reads []readCase
	for _, c := range cases {
		if c.Vars == nil {
			c.Vars = map[string]string{}
		}
		reads = append(reads, c.readCase)
	}
	for i, got := range runModules(t, reads) {
		if got[0] != cases[i].want {
			t.Errorf("%v %v\n got %+v\nwant %+v", cases[i].Keys, cases[i].Vars, got[0], cases[i].want)
		}
	}
}

// compileWithoutNodeTypes compiles the seed's module alone, beside what Next.js declares of process.
func compileWithoutNodeTypes(t *testing.T, modules, dir string) {
	t.Helper()
	apart := t.TempDir()
	module, err := os.ReadFile(filepath.Join(dir, "seed.ts"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"seed.ts": string(module), "next.d.ts": "declare namespace NodeJS { interface ProcessEnv { readonly NODE_ENV: \"development\" | \"production\" | \"test\" } }\n"} {
		if err := os.WriteFile(filepath.Join(apart, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	compileAs(t, modules, apart, `"lib": ["es2022", "dom"], "module": "esnext", "moduleResolution": "bundler", "types": [], "isolatedDeclarations": true, "declaration": true, "erasableSyntaxOnly": true`)
}

// Next.js puts values in only where a variable is written out as process.env.NAME.
func TestTypeScriptWritesPublicVariablesOut(t *testing.T) {
	out := string(renderFile(t, filepath.Join("testdata", "typescript", "seed.schema")))
	for _, want := range []string{"process.env.NEXT_PUBLIC_APP_URL", "process.env.NODE_ENV"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
}

// A read makes neither a pattern nor the conversion of its type anew.
func TestTypeScriptReadsMakeNothingAnew(t *testing.T) {
	for _, name := range typeScriptSchemas(t) {
		_, getters, _ := strings.Cut(string(renderFile(t, name)), "\nexport const ")
		getters, _, found := strings.Cut(getters, "} satisfies Env);")
		if strings.Contains(getters, "Kind(") || !found {
			t.Errorf("%s\n%s", name, getters)
		}
	}
}

// What opsctl may write over is known by the whole of the first line.
func TestIsGeneratedTypeScript(t *testing.T) {
	_, module := renderText(t, "A=\n", TypeScriptOptions{})
	for text, want := range map[string]bool{
		module: true, strings.ReplaceAll(module, "\n", "\r\n"): true, strings.Replace(module, ".env.schema", "a b.schema", 1): true,
		"": false, "// Generated from openapi.yaml by another-tool. Do not edit.\n": false, "// Generated from .env.schema by `opsctl env example`. Edit the schema, not this file.\n": false,
		"// Generated from  by `opsctl env types`. Edit the schema, not this file. No, edit it.\n": false, "\n" + module: false, "/*\n" + module: false,
	} {
		if IsGeneratedTypeScript([]byte(text)) != want {
			t.Errorf("%t, want %t: %.90q", !want, want, text)
		}
	}
}

// Whatever stands in a description stays within its comment.
func TestTypeScriptComments(t *testing.T) {
	s, _ := ParseSchema(".env.schema", []byte("# one */ export const x = 1 /* two\u2028\x07\nA=\n"))
	out, err := RenderTypeScript(s, TypeScriptOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out), `   * one *\/ export const x = 1 /* two`+"\n   */\n  readonly A") {
		t.Errorf("%.900s", out)
	}
}
