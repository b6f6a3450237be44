package envcheck

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Each bundler looks for its own text, and for no other one.
func TestTypeScriptBundles(t *testing.T) {
	tests := []struct{ name, schema, read, server, hint string }{
		{"next", "# @defaultSensitive=inferFromPrefix(NEXT_PUBLIC_)\n# ---\n\nNEXT_PUBLIC_X=\nY=\n", `required("NEXT_PUBLIC_X", process.env.NEXT_PUBLIC_X, `, "Y", "only NEXT_PUBLIC_ variables"},
		{"vite", "# @defaultSensitive=inferFromPrefix(VITE_)\n# ---\n\nVITE_X=\nY=\n", `required("VITE_X", bundled("VITE_X", () => (import.meta as unknown as BundleMeta).env.VITE_X), `, "Y", "only VITE_ variables"},
		{"vite, by the names", "VITE_X=\nVITE_Z=\nNEXT_PUBLIC_Y=\n", `() => (import.meta as unknown as BundleMeta).env.VITE_Z)`, "NEXT_PUBLIC_Y", "only VITE_ variables"},
		{"astro", "# @defaultSensitive=inferFromPrefix(PUBLIC_)\n# ---\n\nPUBLIC_X=\nY=\n", `bundled("PUBLIC_X", () => (import.meta as unknown as BundleMeta).env.PUBLIC_X)`, "Y", "only PUBLIC_ variables"},
		{"expo", "EXPO_PUBLIC_X=\nY=\n", `required("EXPO_PUBLIC_X", process.env.EXPO_PUBLIC_X, `, "Y", "only EXPO_PUBLIC_ variables"},
		{"create react app", "# @defaultSensitive=inferFromPrefix(REACT_APP_)\n# ---\n\nREACT_APP_X=\nY=\n", `required("REACT_APP_X", process.env.REACT_APP_X, `, "Y", "only REACT_APP_ variables"},
		{"two of them", "NEXT_PUBLIC_X=\nNEXT_PUBLIC_Z=\nEXPO_PUBLIC_X=\nY=\n", `required("EXPO_PUBLIC_X", process.env.EXPO_PUBLIC_X, `, "Y", "only NEXT_PUBLIC_ variables"},
		{"nuxt", "NUXT_PUBLIC_X=\n", `required("NUXT_PUBLIC_X", process.env.NUXT_PUBLIC_X, `, "NUXT_PUBLIC_X", "Nuxt hands over"},
		{"none", "X=\n", `required("X", process.env.X, `, "X", "only NEXT_PUBLIC_ variables"},
		{"a prefix of one's own", "# @defaultSensitive=inferFromPrefix(SHOP_)\n# ---\n\nSHOP_X=\nY=\n", `required("SHOP_X", process.env.SHOP_X, `, "Y", "only SHOP_ variables"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, findings := ParseSchema(".env.schema", []byte(tt.schema))
			if len(findings) > 0 {
				t.Fatal(findings)
			}
			out, err := RenderTypeScript(s, TypeScriptOptions{})
			if err != nil {
				t.Fatal(err)
			}
			text := string(out)
			for _, want := range []string{tt.read, "server(\"" + tt.server + "\");", tt.hint} {
				if !strings.Contains(text, want) {
					t.Errorf("no %s in\n%.2500s", want, text)
				}
			}
			if n := strings.Count(text, "    server("); n != 1 {
				t.Errorf("%d variables are the server's, want 1", n)
			}
			if vite := strings.HasPrefix(tt.name, "vite") || tt.name == "astro"; vite != strings.Contains(text, "import.meta") {
				t.Errorf("import.meta: %t", !vite)
			}
		})
	}
}

// The modules ask nothing of the host but process.env, so that they load in Next.js'
// edge runtime; they import and change nothing, so that a bundler drops one that is not used.
func TestTypeScriptAsksNothingOfItsHost(t *testing.T) {
	apart := regexp.MustCompile(`(?s)/\*.*?\*/|//[^\n]*|"(\\.|[^"\\])*"`)
	allowed := strings.NewReplacer("process.env", "", "typeof process", "", "declare const process:", "", "readonly process?:", "", "host.process?.versions?.node", "")
	forbidden := regexp.MustCompile(`\b(process|any|require|Buffer|default|import [^.])\b`)
	call := regexp.MustCompile(`(?m)^(export )?const \w+(: [^=]+)? = ([A-Za-z.]+\(|\(\().*`)
	for _, name := range typeScriptSchemas(t) {
		text := string(renderFile(t, name))
		if found := forbidden.FindAllString(allowed.Replace(apart.ReplaceAllString(text, "")), -1); len(found) > 0 {
			t.Errorf("%s has %q", name, found)
		}
		if found := call.FindString(text); found != "" {
			t.Errorf("%s calls when it is loaded, and does not say that it may be left out: %s", name, found)
		}
	}
}

// viteClient is what vite/client declares, as far as it matters here.
const viteClient = `interface ImportMetaEnv { [key: string]: any; BASE_URL: string; MODE: string; DEV: boolean; PROD: boolean; SSR: boolean }
interface ImportMeta { url: string; readonly env: ImportMetaEnv }
`

const viteConsumer = `import { env } from "./vite.js";
const url: string = env.VITE_API_URL;
const size: number = env.VITE_PAGE_SIZE;
const features: readonly string[] | undefined = env.VITE_FEATURES;
export { url, size, features };
`

// viteScript reads the compiled module in Node.js, where no bundler was, and as Vite
// makes it for the browser: values in the place of the text, a window, no process.
const viteScript = `
import { readFileSync, writeFileSync } from "node:fs";
const { stdout } = process;
const read = (env, keys) => keys.map((key) => { try { return JSON.stringify(env[key]) ?? "undefined"; } catch (e) { return e.constructor === Error ? e.message : "thrown " + e; } });
const text = readFileSync("vite.js", "utf8");
const values = { "import.meta.env.VITE_API_URL": '"https://built.example.com"', "import.meta.env.VITE_FEATURES": '"a, b"', "process.env.NODE_ENV": '"production"', "import.meta.env": "({})" };
let built = text;
for (const [name, value] of Object.entries(values)) built = built.replaceAll(name, value);
writeFileSync("built.js", built);
process.env.VITE_API_URL = "https://run.example.com";
process.env.DATABASE_URL = "postgres://h/d";
const keys = ["VITE_API_URL", "VITE_PAGE_SIZE", "VITE_FEATURES", "DATABASE_URL", "NODE_ENV", "APP_ENV"];
const node = read((await import("./vite.js")).env, keys);
const ssr = read((await import("./built.js")).env, keys);
globalThis.window = {};
delete globalThis.process;
const browser = read((await import("./built.js?browser")).env, keys);
stdout.write(JSON.stringify({ node, ssr, browser }));
`

// The module of a Vite project compiles with and without the types of Node.js, beside those
// of Vite, and reads the right place on each side.
func TestTypeScriptVite(t *testing.T) {
	modules := npmModules(t, "typescript")
	dir := t.TempDir()
	for name, text := range map[string]string{
		"vite.ts": string(renderFile(t, filepath.Join("testdata", "typescript", "vite.schema"))), "client.d.ts": viteClient, "consumer.ts": viteConsumer,
		"package.json": `{"type": "module"}`, "read.mjs": viteScript,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	compileAs(t, modules, dir, `"lib": ["es2022", "dom"], "module": "esnext", "moduleResolution": "bundler", "types": []`)
	if err := os.Remove(filepath.Join(dir, "client.d.ts")); err != nil {
		t.Fatal(err)
	}
	compileAs(t, modules, dir, `"lib": ["es2022"], "module": "nodenext", "moduleResolution": "nodenext", "types": ["node"]`)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "read.mjs")
	cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("node: %v\n%.2000s", err, out)
	}
	var got struct{ Node, SSR, Browser []string }
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	built, database := `"https://built.example.com"`, `"postgres://h/d"`
	for _, tt := range []struct {
		where     string
		got, want []string
	}{
		{"node", got.Node, []string{`"https://run.example.com"`, "20", "undefined", database, `"development"`, `"dev"`}},
		{"server", got.SSR, []string{built, "20", `["a","b"]`, database, `"production"`, `"dev"`}},
		{"browser", got.Browser, []string{built, "20", `["a","b"]`, "DATABASE_URL is not in the browser: read it on the server; only VITE_ variables are in the bundle (see .env.schema)", `"production"`,
			"APP_ENV is not in the browser: read it on the server; only VITE_ variables are in the bundle (see .env.schema)"}},
	} {
		if strings.Join(tt.got, "\n") != strings.Join(tt.want, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", tt.where, strings.Join(tt.got, "\n"), strings.Join(tt.want, "\n"))
		}
	}
}

// A project that has declared a variable itself keeps its declaration: two that differ
// are an error for tsc (TS2717), which is why the module declares none unasked.
func TestTypeScriptBesideDeclarationsOfTheProject(t *testing.T) {
	modules := npmModules(t, "typescript")
	declared := map[string]string{
		"seed.schema": "declare namespace NodeJS { interface ProcessEnv { DATABASE_URL: string; NEXT_PUBLIC_APP_URL: string; TZ: string } }\n",
		"vite.schema": "interface ImportMetaEnv { readonly VITE_API_URL: string }\ninterface ImportMeta { readonly env: ImportMetaEnv }\ndeclare namespace NodeJS { interface ProcessEnv { DATABASE_URL: string } }\n",
	}
	const options = `"lib": ["es2022", "dom"], "module": "esnext", "moduleResolution": "bundler", "noEmit": true, "types": `
	for name, text := range declared {
		schema, err := os.ReadFile(filepath.Join("testdata", "typescript", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, declare := range []bool{false, true} {
			dir := t.TempDir()
			_, module := renderText(t, string(schema), TypeScriptOptions{Declare: declare})
			write := func(file, text string) {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			write("env.ts", module)
			if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
				t.Fatal(err)
			}
			if declare { // alone it declares what other code reads
				write("consumer.ts", map[string]string{
					"seed.schema": "import \"./env\";\nexport const raw: string | undefined = process.env.DATABASE_URL;\n",
					"vite.schema": "import \"./env\";\nexport const raw: string | undefined = import.meta.env.VITE_API_URL ?? process.env.DATABASE_URL;\n",
				}[name])
				compileAs(t, modules, dir, options+`["node"]`)
			}
			write("project.d.ts", text)
			out, err := tsc(t, modules, dir, options+`["node"]`)
			if clash := err != nil && strings.Contains(string(out), "TS2717"); clash != declare || err != nil && !declare {
				t.Errorf("%s, declared too %t: %v\n%s", name, declare, err, out)
			}
		}
	}
}
