package usage

import "testing"

// What the code does where a variable is missing says whether it is needed: ? is one
// that may be missing, ! one without which the program ends.
func TestJavaScriptChecks(t *testing.T) {
	tests := []struct{ name, src, want string }{
		{"throw", "if (!process.env.A) throw new Error('A')\nif (!process.env.B) { log('B'); throw new Error('B') }", "A! B!"},
		{"exit", "if (!process.env.A) { console.error('A is missing'); process.exit(1) }\nif (!process.env.B) process.exit(0)", "A! B?"},
		{"a function that fails", "if (!process.env.A) return fail('A')\nif (!process.env.B) stop('B'); if (!process.env.C) end('C'); if (!process.env.D) other()\nfunction stop(m: string): never { throw new Error(m) }\nconst end = (m) => { log(m); process.exit(2) }\nfunction other() { log() }", "A! B! C! D?"},
		{"SvelteKit's fail is an answer", "import { fail } from '@sveltejs/kit'\nif (!process.env.A) return fail(500)", "A?"},
		{"by comparison", "if (process.env.A === undefined) throw x; if (process.env.B == null) throw x; if (typeof process.env.C === 'undefined') throw x; if (undefined === process.env.D) throw x; if (!process.env.E?.trim()) throw x; if (typeof process.env.F !== 'string') throw x; if (!('G' in process.env)) throw x; if (process.env.H === '') throw x", "A! B! C! D! E! F! G! H!"},
		{"of a value", "if (process.env.A !== 'yes') throw new Error('not now'); if (process.env.B === 'yes') throw x", "A? B?"},
		{"one of many", "if (!process.env.A || !process.env.B) throw x; if (!process.env.C && !process.env.D) throw x; if (mail && !process.env.E) throw x", "A! B! C? D? E?"},
		{"in production", "if (process.env.NODE_ENV === 'production' && !process.env.A) throw x", "NODE_ENV? A!"},
		{"else", "if (process.env.A) { f() } else { throw x }\nif (process.env.B) { f() } else if (y) { g() }", "A! B?"},
		{"the rest fails", "function f() { if (process.env.A) return process.env.A; throw new Error('A') }\nfunction g() { if (process.env.B) { return 1 }\n return 2 }", "A! A? B?"},
		{"assert", "assert(process.env.A); invariant(process.env.B, 'B'); assert.ok(process.env.C && process.env.D, 'x'); assert(typeof process.env.E === 'string'); assert(process.env.F !== undefined); console.assert(process.env.G)", "A! B! C! D! E! F! G"},
		{"fallbacks that fail", "const a = process.env.A ?? fail('A'); const b = process.env.B || (() => { throw new Error('B') })(); const c = process.env.C ? process.env.C : die(); process.env.D ?? 'd'; process.env.E || process.env.F || fail()", "A! B! C! C? D? E? F?"},
		{"a constant", "const a = process.env.A; if (!a) throw new Error('A')\nconst b = process.env.B\nif (b) init(b)\nconst c: string | undefined = process.env.C; use(c)\nlet d = process.env.D; d ||= 'x'\nconst e = process.env.E; f(e ?? 'x')\nconst g = process.env.G ?? ''; if (!g) throw x", "A! B? C D? E? G!"},
		{"a constant of another function", "function f() { const a = process.env.A; use(a) }\nfunction g(a) { if (a) use(a) }", "A"},
		{"destructured", "const { A, B, C: c, D = 'd' } = process.env; if (!A) throw x; if (B) f(B); c?.trim()", "A! B? C? D?"},
		{"guarded by if", "if (process.env.A) init(process.env.A); init(process.env.A)\nif (process.env.B && x) { init({ dsn: process.env.B }) }\nif (process.env.C === 'on') f(process.env.D)\nif (!process.env.E) { f() } else { g(process.env.E) }", "A? A? A B? B? C? D E? E?"},
		{"guarded by a choice", "f(process.env.A ? g(process.env.A) : undefined); f(!process.env.B ? 1 : g(process.env.B)); f(process.env.C ? 1 : g(process.env.C)); f(process.env.D && x ? process.env.D : 2)", "A? A? B? B? C? C D? D?"},
		{"guarded by an operator", "process.env.A && f(process.env.A); !process.env.B || f(process.env.B); process.env.C || f(process.env.C)\nconst list = [...(process.env.D ? [p({ id: process.env.D })] : [])]\nx\nprocess.env.E && f(process.env.E)", "A? A? B? B? C? C D? D? E? E?"},
		{"guarded in JSX", "const a = <p>{process.env.A && <Script id={process.env.A} />}{process.env.B ? <b>{process.env.B}</b> : null}</p>", "A? A? B? B?"},
		{"guarded by a return", "function f() { if (!process.env.A) return null; return g(process.env.A) }\nfunction h() { if (!process.env.A) { log() }\n g(process.env.B) }", "A? A? A? B"},
		{"guarded by two", "if (!process.env.A || !process.env.B) return\nf(process.env.A, process.env.B)", "A? B? A? B?"},
		{"conversions", "parseInt(process.env.A, 10) || 3; Number(process.env.B) || 3; Number.parseInt(process.env.C!, 10) || 3; Number(process.env.D); const e = Number(process.env.E); if (Number.isNaN(e)) throw x; z.coerce.number().default(3).parse(process.env.F); z.string().optional().parse(process.env.G); z.string().parse(process.env.H)", "A? B? C? D E! F? G? H"},
		{"functions that read", "function must<T extends string>(k: T) { return process.env[k]! }\nconst opt = <T extends string,>(k: T): string => process.env[k] ?? ''\nfunction need(k: string) { const v = process.env[k]; if (!v) throw x; return v }\nfunction maybe(k: string) { const v = process.env[k]; if (!v) return null; return v }\nmust('A'); opt('B'); need('C'); maybe('D'); must<'E'>('E')", "A B? C D? E *process.env[...] *process.env[...] *process.env[...] *process.env[...]"},
		{"functions with a default", "const a = (k: string, d = '') => process.env[k] ?? d; function b(k: string, d?: string) { return process.env[k] ?? d }\na('A'); b('B'); b('C', 'c')", "A? B C? *process.env[...] *process.env[...]"},
		{"types and switches", "const a = (process.env.A as Level) || 'info'; const b = process.env.B as 'x' | 'y' | undefined ?? 'x'; switch (process.env.C) { case 'x': }\nconst d = process.env.D; switch (d) {}\nif (!(process.env.E as string)) throw x; f(process.env.F as Level)", "A? B? C? D? E! F"},
		{"exitCode", "if (!process.env.A) { process.exitCode = 1; return }", "A!"},
		{"a list and a function", "['A', 'B'].forEach(function (k) { if (!process.env[k]) throw x })", "A! B!"},
		{"lists", "const NAMES = ['A', 'B'] as const; for (const n of NAMES) { if (!process.env[n]) { throw new Error(n) } }\nfor (const k of ['C']) if (!process.env[k]) f(k)\nconst missing = ['D', 'E'].filter((k) => !process.env[k])\nif (missing.length > 0) { process.exit(1) }\n['F'].forEach(k => g(process.env[k])); [x, 'G'].map(k => process.env[k])", "A! B! C? D! E! F *process.env[...]"},
		{"without semicolons", "const a = process.env.A\nif (!a)\n  throw new Error('A')\n\nconst b = process.env.B\n\nexport const c = b\n  ? f(process.env.B)\n  : null", "A! B? B?"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := scanText(t, "a.tsx", tt.src); got != tt.want {
				t.Errorf("%s\n got %s\nwant %s", tt.src, got, tt.want)
			}
		})
	}
}
