package usage

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
)

// scanText scans one file, and says what is in it: name, form, and ? for optional, ! for
// asserted, ~ for no read; * for what cannot be known.
func scanText(t *testing.T, name, src string, known ...string) string {
	t.Helper()
	return scanFiles(t, map[string]string{name: src}, known...)
}

func scanFiles(t *testing.T, files map[string]string, known ...string) string {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, src := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(src)}
	}
	r, err := Scan(t.Context(), fsys, Options{Names: known})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, u := range r.Uses {
		lines := strings.Split(files[u.File], "\n")
		if text := string([]rune(lines[u.Line-1])[u.Col-1:]); !strings.HasPrefix(strings.ToUpper(text), u.Name) && !strings.HasPrefix(text, u.Name) &&
			u.Form != "os.ExpandEnv" && u.Form != "BaseSettings" && !strings.HasPrefix(text, "env") && !strings.HasPrefix(text, "KEY") {
			t.Errorf("%s is said to be at %q", u.Name, text)
		}
		flags := ""
		for flag, set := range map[string]bool{"?": u.Optional, "!": u.Asserted, "~": u.NotReads} {
			if set {
				flags += flag
			}
		}
		out = append(out, u.Name+flags)
	}
	for _, d := range r.Dynamic {
		mark := "*" + d.Form
		if d.Whole {
			mark = "**" + d.Form
		}
		out = append(out, mark)
	}
	return strings.Join(out, " ")
}

func TestJavaScript(t *testing.T) {
	tests := []struct{ name, src, want string }{
		{"member", "process.env.A; process.env['B']; process.env[`C`]; process.env?.D; process.env?.['E']", "A B C D E"},
		{"process by another way", `globalThis.process.env.A; process["env"].B; window.process.env.C; process?.env?.D`, "A B C D"},
		{"import.meta", `import.meta.env.A; import.meta.env["B"]; (import.meta as any).env.C; import.meta.env!.D`, "A B C D"},
		{"Bun and Deno", `Bun.env.A; Deno.env.get("B") ?? "x"; Deno.env.has("C"); Deno.env.get(d); Deno.env.set("E", "")`, "A B? C? *Deno.env"},
		{"parentheses", `(process.env).A; (process.env as Record<string, string>).B; ((process.env)).C; f((process.env as any).D)`, "A B C D"},
		{"not the environment", `a.process.env.A; env.B; process.envs.C; process.env2.D; x.env.E; ({ env: 1 }).env.F`, ""},
		{"text", "// process.env.A\n/* process.env.B */ 'process.env.C'; `process.env.D`; /process.env.E/; \"process.env.F\"", ""},
		{"in a template", "`a ${process.env.A} process.env.B ${`${process.env.C}`}`", "A C"},
		{"in JSX", "const a = <p title='process.env.A'>Don't read process.env.B, it's {process.env.C} <b x={process.env.D}>'</b></p>; process.env.E", "C D E"},
		{"destructured", "const { A, B: b, C = 'c', D: d = 'd', 'E': e } = process.env", "A B C? D? E"},
		{"with a type", "const { A }: Env = process.env; const { B } = process.env as Env; let { C } = import.meta.env", "A B C"},
		{"assigned", "({ A, B: x.y } = process.env)", "A B"},
		{"rest", "const { A, ...rest } = process.env; rest.B", "A B **process.env"},
		{"nested", "const { env: { A, B } } = process; const { env } = process; env.C", "A B C"},
		{"parameters", "function f({ A, B } = process.env) {}; const g = ({ C } = process.env) => C", "A B C"},
		{"an alias", "const env = process.env; env.A; env['B']; const { C } = env; const e: Env = env as any; e.D", "A B C D"},
		{"an alias in its scope", "function f() { const env = process.env; env.A } function g(env: Other) { env.B } env.C", "A"},
		{"an alias hidden", "const env = process.env; ((env) => env.A)(x); function f(env) { env.B } { const env = 1; env.C } env.D; const h = ({ env }) => env.E", "D"},
		{"a typed parameter", "function f(env: NodeJS.ProcessEnv, x = 1) { return env.A } const g = (e: NodeJS.ProcessEnv = process.env) => e.B; h.env.C", "A B"},
		{"a default parameter", "export const load = (env = process.env) => env.A", "A"},
		{"imports", `import { env } from "node:process"; import p, { env as e } from 'process'; env.A; p.env.B; e.C`, "A B C"},
		{"required", `const { env } = require("process"); const p = require('node:process'); env.A; p.env.B`, "A B"},
		{"types only", `import type { env } from "process"; env.A`, ""},
		{"SvelteKit", `import { A, B as b } from "$env/static/private"; import { env } from "$env/dynamic/public"; env.C`, "A B C"},
		{"Astro", `import { A, getSecret } from "astro:env/server"; getSecret("B")`, "A B"},
		{"writes", "process.env.A = 'x'; delete process.env.B; process.env['C'] = y; process.env[d] = z; process.env.E ??= 'e'; Object.assign(process.env, x)", "E? **process.env"},
		{"with a default or a check", "process.env.A ?? 'x'; process.env.B || y; if (process.env.C) {} if (!process.env.D) {} process.env.E ? 1 : 2; process.env.F === 'x'; process.env.G?.length; 'H' in process.env; (process.env.I) || 1; if (x && process.env.J) {} Boolean(process.env.K); f(process.env.L)", "A? B? C? D? E? F? G? H? I? J? K? L"},
		{"asserted", "f(process.env.A!); process.env.B as string; process.env.C as string | undefined; process.env.D !== 'x'", "A! B! C D?"},
		{"not knowable", "process.env[a]; process.env[`A_${b}`]; f({ ...process.env }); Object.keys(process.env); spawn(x, { env: process.env }); for (const k in process.env) {}; return process.env",
			"*process.env[...] *process.env[...] **process.env **process.env **process.env **process.env **process.env"},
		{"a constant as the name", "const KEY = 'A'; process.env[KEY]; const B = 'C' + x; process.env[B]", "A *process.env[...]"},
		{"a function that reads", "function need(name: string): string { const v = process.env[name]; return v! }\nneed('A'); need(x); this.need('B', 'c'); const opt = (d, k) => process.env[k] ?? d; opt(1, 'C')",
			"A B? C *process.env[...] *process.env[...]"},
		{"t3-env", `export const env = createEnv({ server: { A: z.string(), B: z.string().optional() }, client: { "NEXT_PUBLIC_C": z.url().default("x") }, shared: z.object({ D: z.enum(["a"]) }), runtimeEnv: process.env, experimental__runtimeEnv: { NEXT_PUBLIC_C: process.env.NEXT_PUBLIC_C } })`,
			"A B? NEXT_PUBLIC_C? D NEXT_PUBLIC_C?"},
		{"t3-env, in production", "createEnv({ server: { A: process.env.NODE_ENV === 'production' ? z.string() : z.string().optional(), B: process.env.NODE_ENV === 'test' ? z.string().optional() : z.string().default('b') } })", "A NODE_ENV? B? NODE_ENV?"},
		{"Vite's loadEnv", "import { defineConfig, loadEnv } from 'vite'; export default defineConfig(({ mode }) => { const env = loadEnv(mode, process.cwd(), ''); return { a: env.A, b: env.B || 'b' } })", "A B?"},
		{"t3-env with constants", "const server = { A: z.string() }; createEnv({ server, client: client }); const client = { ...server, B: z.string() }", "A B"},
		{"zod", "const Env = z.object({ A: z.string(), B: z.coerce.number().default(3) }); Env.safeParse(process.env); z.object({ C: z.string() }).extend({ D: z.string() }).parse(process.env)", "A B? C D"},
		{"zod merged", "const a = z.object({ A: z.string() }); const b = z.object({ B: z.string() }).merge(a); b.parse(process.env)", "A B"},
		{"other validators", "cleanEnv(process.env, { A: str(), B: str({ default: 'x' }) }); parseEnv(process.env, { C: z.string() }); const S = v.object({ D: v.optional(v.string()) }); v.parse(S, process.env); envsafe({ E: str() })", "A B? C D? E"},
		{"an unknown validator", "schema.parse(process.env)", "**process.env"},
		{"NestJS", "import { ConfigService } from '@nestjs/config'; this.configService.get<string>('A'); config.getOrThrow('B'); cache.get('C'); ConfigModule.forRoot({ validationSchema: Joi.object({ D: Joi.string(), E: Joi.string().default('e') }) }); config.get('E'); config.get('F', 'f'); config.get('G', { infer: true }); config.get('H') ?? 'h'; config.get<A['b']>('I')", "A B! D E? E? F? G H? I"},
		{"NestJS by type", "import { ConfigService } from '@nestjs/config'; class S { constructor(private readonly c: ConfigService, private d: Map) { this.c.get('A'); this.d.get('B'); c.get('a.b'); const e = this.c.get('C'); if (!e) throw x } }", "A C!"},
		{"Astro's schema", "import { A, B } from 'astro:env/server'; defineConfig({ env: { schema: { A: envField.string({ context: 'server' }), B: envField.number({ default: 3 }), C: envField.string({ optional: true }) } } })", "A B? A B? C?"},
		{"Prisma's configuration", "import { defineConfig, env } from 'prisma/config'; export default defineConfig({ datasource: { url: env('A') } })", "A"},
		{"generic functions", "const f = <T,>(a: T) => process.env.A; function g<T extends 'x'>(b: T) { return process.env.B }", "A B"},
		{"regular expressions", "x = a / b; y = /'/.test(process.env.A) ? 'process.env.B' : /[/']/; process.env.C", "A C"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := scanText(t, "a.tsx", tt.src); got != tt.want {
				t.Errorf("%s\n got %s\nwant %s", tt.src, got, tt.want)
			}
		})
	}
}

func TestComponents(t *testing.T) {
	tests := []struct{ name, src, want string }{
		{"a.vue", "<!-- <script>process.env.A</script> -->\n<template><p>It's {{ process.env.B }}</p></template>\n<script setup lang=\"ts\">const c = import.meta.env.C // '\n</script><style>a { b: 'c }</style><script>process.env.D</script>", "C D"},
		{"a.svelte", "<script>\nimport { env } from '$env/dynamic/private'; env.A </script>\n<p>it's {env.B} process.env.C</p>{#if env.D}<br>{/if}<style>p { color: red; }</style>{import.meta.env.E}", "A B D E"},
		{"a.astro", "---\nconst a = import.meta.env.A;\n---\n<p class={import.meta.env.B}>don't import.meta.env.C</p><script>import.meta.env.D</script>", "A D B"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := strings.Fields(scanText(t, tt.name, tt.src))
			if len(got) != len(strings.Fields(tt.want)) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			for w := range strings.FieldsSeq(tt.want) {
				if !strings.Contains(fmt.Sprint(got), w) {
					t.Errorf("got %s, want %s", got, tt.want)
				}
			}
		})
	}
}
