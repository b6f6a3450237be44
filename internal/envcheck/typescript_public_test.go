package envcheck

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/evanw/esbuild/pkg/api"
)

const publicSchema = `# @currentEnv=$APP_ENV
# @defaultRequired=true
# @defaultSensitive=inferFromPrefix(PUB_)
# ---

# @type=enum(local, production)
APP_ENV=local
# @type=url
INTERNAL_URL="http://10.0.0.5:8080/private"
# @type=string(matches=regex("^sk_(test|live)_[A-Za-z0-9]+$")) @sensitive
CLERK_SECRET_KEY=
# @type=string(startsWith=whsec_, minLength=20) @required=forEnv(production)
WEBHOOK=
# @type=url(matches=if(forEnv(production), regex("^https://only-production"), regex("^https?://")))
PUB_APP_URL=
# @type=string(matches=regex("^pk_")) @optional
PUB_KEY=
PUB_TITLE=Shop
PUB_FROM="${INTERNAL_URL}/api"
`

func renderText(t *testing.T, schema string, o TypeScriptOptions) (*Schema, string) {
	t.Helper()
	s, findings := ParseSchema(".env.schema", []byte(schema))
	for _, f := range findings {
		if f.Level == Error {
			t.Fatalf("%+v\n%s", f, schema)
		}
	}
	out, err := RenderTypeScript(s, o)
	if err != nil {
		t.Fatal(err)
	}
	return s, string(out)
}

// bundleEntry bundles an entry beside the module, as a framework does for the browser.
func bundleEntry(t *testing.T, module, entry string, define map[string]string, minify bool) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "env.ts"), []byte(module), 0o644); err != nil {
		t.Fatal(err)
	}
	result := api.Build(api.BuildOptions{
		Stdin:  &api.StdinOptions{Contents: entry, ResolveDir: dir, Loader: api.LoaderTS},
		Bundle: true, Format: api.FormatESModule, Platform: api.PlatformBrowser, TreeShaking: api.TreeShakingTrue, Define: define,
		MinifyIdentifiers: minify, MinifySyntax: minify, MinifyWhitespace: minify,
	})
	if len(result.Errors) > 0 || len(result.Warnings) > 0 || len(result.OutputFiles) != 1 {
		t.Fatalf("%+v %+v", result.Errors, result.Warnings)
	}
	return string(result.OutputFiles[0].Contents)
}

// frameworks are two ways to put the variables into the bundle.
var frameworks = []struct{ name, prefix, text string }{
	{"Next.js", "NEXT_PUBLIC_", "process.env."},
	{"Vite", "VITE_", "import.meta.env."},
}

// Code for the browser that imports publicEnv holds nothing of the other variables: no
// name, no default, no pattern. Bundled with env instead, it would.
func TestTypeScriptKeepsTheServerOutOfTheBundle(t *testing.T) {
	servers := []string{"10.0.0.5", "/private", "INTERNAL", "CLERK", "sk_", "whsec_", "WEBHOOK", "APP_ENV", "local", "only-production", "not in the browser"}
	for _, fw := range frameworks {
		t.Run(fw.name, func(t *testing.T) {
			_, module := renderText(t, strings.ReplaceAll(publicSchema, "PUB_", fw.prefix), TypeScriptOptions{})
			define := map[string]string{fw.text + fw.prefix + "APP_URL": `"https://built.example.com"`}
			read := func(object string) string {
				return "import { " + object + " as e } from \"./env\";\nconsole.log(e." + fw.prefix + "APP_URL, e." + fw.prefix + "KEY, e." + fw.prefix + "FROM);\n"
			}
			for _, minify := range []bool{true, false} {
				out := bundleEntry(t, module, read("publicEnv"), define, minify)
				for _, text := range servers {
					if strings.Contains(out, text) {
						t.Errorf("minify %t: %q is in the bundle\n%s", minify, text, out)
					}
				}
				for _, want := range []string{"https://built.example.com", "^pk_", fw.prefix + "APP_URL"} {
					if !strings.Contains(out, want) {
						t.Errorf("minify %t: no %s in the bundle\n%s", minify, want, out)
					}
				}
				out = bundleEntry(t, module, read("env"), define, minify)
				for _, text := range servers {
					if !strings.Contains(out, text) {
						t.Errorf("minify %t: %q is not even in env, so that the test finds nothing\n%s", minify, text, out)
					}
				}
				if out := strings.TrimSpace(bundleEntry(t, module, "import \"./env\";\n", define, minify)); strings.Trim(out, "(){}=>;") != "" {
					t.Errorf("minify %t: loading the module does something:\n%s", minify, out)
				}
			}
		})
	}
	// The same of the modules that lie in testdata, whose every type the run time has a piece for.
	for _, name := range typeScriptSchemas(t) {
		for line := range strings.SplitSeq(bundleEntry(t, string(renderFile(t, name)), "import \"./env\";\n", nil, false), "\n") {
			if line != "" && !strings.HasPrefix(line, "//") {
				t.Errorf("%s does something when it is loaded: %s", name, line)
			}
		}
	}
}

// browserScript runs a bundle where there is no process and no import.meta.env.
const browserScript = `
const vm = require("vm");
const lines = [];
const read = (name, get) => { try { lines.push(name + " " + get()); } catch (e) { lines.push(name + " throws " + e.message); } };
vm.runInNewContext(require("fs").readFileSync(0, "utf8"), { window: {}, URL, read });
process.stdout.write(lines.join("\n"));
`

// In the browser what depends on a variable of the server is not checked: production is
// nothing that it could know. What it has is checked, by env as by publicEnv.
func TestTypeScriptInTheBrowser(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("no node")
	}
	for _, fw := range frameworks {
		t.Run(fw.name, func(t *testing.T) {
			_, module := renderText(t, strings.ReplaceAll(publicSchema, "PUB_", fw.prefix), TypeScriptOptions{})
			entry := `import { env, publicEnv } from "./env";
for (const e of [publicEnv, env]) {
  read("url", () => e.PUB_APP_URL);
  read("key", () => e.PUB_KEY);
  read("title", () => e.PUB_TITLE);
  read("from", () => e.PUB_FROM);
}
read("secret", () => env.CLERK_SECRET_KEY);
`
			define := map[string]string{"process.env": "({})", "import.meta.env": "({})"}
			for name, value := range map[string]string{"APP_URL": "https://preview.example.com", "KEY": "sk_wrong"} {
				define[fw.text+fw.prefix+name] = strconv.Quote(value)
			}
			delete(define, map[bool]string{true: "import.meta.env", false: "process.env"}[fw.name == "Next.js"])
			if fw.name == "Vite" {
				define = map[string]string{"import.meta.env": "viteEnv", fw.text + fw.prefix + "APP_URL": define[fw.text+fw.prefix+"APP_URL"], fw.text + fw.prefix + "KEY": define[fw.text+fw.prefix+"KEY"]}
				entry = "(globalThis as any).viteEnv = {};\n" + entry
			} else {
				define["process.env"] = "nextEnv"
				entry = "(globalThis as any).nextEnv = {};\n" + entry
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, "node", "-e", browserScript)
			cmd.Stdin = strings.NewReader(bundleEntry(t, module, strings.ReplaceAll(entry, "PUB_", fw.prefix), define, true))
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			both := strings.ReplaceAll(`url https://preview.example.com
key throws PUB_KEY does not match its pattern (see .env.schema)
title Shop
from throws PUB_FROM has a default that only the server can make: set it where the app is built (see .env.schema)
`, "PUB_", fw.prefix)
			want := both + both + "secret throws CLERK_SECRET_KEY is not in the browser: read it on the server; only " + fw.prefix + " variables are in the bundle (see .env.schema)"
			if string(out) != want {
				t.Errorf("%s\nwant\n%s", out, want)
			}
		})
	}
}

// What a condition may hang on in the browser.
func TestTypeScriptPublicConditions(t *testing.T) {
	const head = "# @currentEnv=$NODE_ENV\n# @defaultRequired=true\n# @defaultSensitive=inferFromPrefix(NEXT_PUBLIC_)\n# ---\n\n"
	const nodeEnv = "# @type=enum(development, production)\nNODE_ENV=development\n"
	tests := []struct{ name, schema, want string }{
		{"a bundler writes NODE_ENV in its place", nodeEnv + "# @required=forEnv(production)\nNEXT_PUBLIC_X=\n", "get NEXT_PUBLIC_X() {\n    return when(holds(forEnv(ref_NODE_ENV(), \"production\"), true), "},
		{"but knows no staging", "# @type=enum(development, staging, production)\nNODE_ENV=development\n# @required=forEnv(staging)\nNEXT_PUBLIC_X=\n", "get NEXT_PUBLIC_X() {\n    return optional("},
		{"a public variable", nodeEnv + "NEXT_PUBLIC_Y=\n# @required=eq($NEXT_PUBLIC_Y, a)\nNEXT_PUBLIC_X=\n", "get NEXT_PUBLIC_X() {\n    return when(holds(same(ref_NEXT_PUBLIC_Y(), \"a\"), true), "},
		{"one that is made of a variable of the server", nodeEnv + "Y=\nNEXT_PUBLIC_Y=$Y\n# @required=eq($NEXT_PUBLIC_Y, a)\nNEXT_PUBLIC_X=\n", "get NEXT_PUBLIC_X() {\n    return optional("},
		{"a variable of the server", nodeEnv + "Y=\n# @required=eq($Y, a)\nNEXT_PUBLIC_X=\n", "get NEXT_PUBLIC_X() {\n    return optional("},
		{"an option that only refuses", nodeEnv + "Y=\n# @type=array(minLength=if($Y, 1, 0))\nNEXT_PUBLIC_X=\n", "arrayKind(plainKind, { minLength: 0 }, false)"},
		{"an option that allows", nodeEnv + "Y=\n# @type=domain(allowIp=if($Y, true, false))\nNEXT_PUBLIC_X=\n", "domainKind({ allowIp: true })"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, out := renderText(t, head+tt.schema, TypeScriptOptions{})
			if !strings.Contains(out, tt.want) {
				t.Errorf("no %s in\n%.4000s", tt.want, out)
			}
		})
	}
	for name, schema := range map[string]string{"no variable is public": nodeEnv + "Y=\n", "Nuxt's are no text that is looked for": "NUXT_PUBLIC_X=\n"} {
		if _, out := renderText(t, schema, TypeScriptOptions{}); strings.Contains(out, "ublicEnv") {
			t.Errorf("%s, and there is a publicEnv", name)
		}
	}
	// What a text is converted into is not the same everywhere: such a variable is the server's.
	_, out := renderText(t, head+nodeEnv+"Y=\nNEXT_PUBLIC_Z=\n# @type=number(isInt=if($Y, true, false))\nNEXT_PUBLIC_X=\n", TypeScriptOptions{})
	if strings.Contains(out, "publicEnv.NEXT_PUBLIC_X") || !strings.Contains(out, "server(\"NEXT_PUBLIC_X\")") {
		t.Errorf("%.3000s", out)
	}
}

// What Check accepts does not throw in the browser, which has the public variables
// and no others; and gives the same value there.
func TestTypeScriptInTheBrowserAgreesWithCheck(t *testing.T) {
	modules := npmModules(t, "typescript")
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("OPSCTL_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("OPSCTL_SEED=%d", seed)
	rng := rand.New(rand.NewPCG(seed, 7))
	dir := t.TempDir()
	var cases []readCase
	var schemas []*Schema
	var everywhere []map[string]string
	for i := range 8 {
		s, out := renderText(t, publicVariant(rng, generatedSchema(rng)), TypeScriptOptions{})
		name := filepath.Join(dir, fmt.Sprintf("env%d", i))
		if err := os.WriteFile(name+".ts", []byte(out), 0o644); err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, key := range s.Keys() {
			if strings.HasPrefix(key, "NEXT_PUBLIC_") {
				keys = append(keys, key)
			}
		}
		for range 60 {
			vars, public := map[string]string{}, map[string]string{}
			for _, key := range s.Keys() {
				if n := rng.IntN(10); n > 0 {
					vars[key] = generatedValues[rng.IntN(len(generatedValues))]
				}
				if v, ok := vars[key]; ok && strings.HasPrefix(key, "NEXT_PUBLIC_") {
					public[key] = v
				}
			}
			schemas, everywhere = append(schemas, s), append(everywhere, vars)
			cases = append(cases, readCase{Module: name, Vars: public, Keys: keys, Browser: true, Object: []string{"publicEnv", "env"}[rng.IntN(2)]})
		}
	}
	compile(t, modules, dir)
	compared, open, wrong := 0, 0, 0
	for i, answers := range runModules(t, cases) {
		vars, s := everywhere[i], schemas[i]
		g := &tsModule{schema: s, bundle: bundleOf(s), asking: map[string]bool{}}
		supplied := func(key string) (string, bool) { v, ok := vars[key]; return v, ok }
		e := newEvaluator(s, newEvaluator(s, "", supplied).key(s.CurrentEnv).text, supplied)
		for j, key := range cases[i].Keys {
			it, got := s.Item(key), answers[j]
			value, ok := checked(e, it, vars)
			made := !g.known(it.Value) && vars[key] == "" // on the server
			bad := ok && !made && (got.Error != "" || !sameJSON(value, got.Value))
			if g.knownItem(it) {
				bad = bad || !ok && got.Error == ""
			} else {
				open++
			}
			if compared++; bad {
				wrong++
				t.Errorf("%s.%s %+v = %q\n  browser %s %s\n  check %t %s", cases[i].Object, key, it.Decorators, vars[key], got.Value, got.Error, ok, value)
			}
		}
		if wrong > 20 {
			t.Fatal("and so on")
		}
	}
	if compared < 2000 || open < 100 || open > compared*9/10 {
		t.Errorf("%d values compared, %d of them with a condition that the browser does not know", compared, open)
	}
	t.Logf("%d values compared, %d open", compared, open)
}

// publicVariant makes most variables of a generated schema the browser's, and half of
// what they refer to.
func publicVariant(rng *rand.Rand, schema string) string {
	lines := strings.Split(schema, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "V") && rng.IntN(8) > 0 {
			line = "NEXT_PUBLIC_" + line
		}
		if line != "REF=" && rng.IntN(2) == 0 {
			line = strings.ReplaceAll(line, "REF", "NEXT_PUBLIC_REF")
		}
		lines[i] = line
	}
	return strings.Replace(strings.Join(lines, "\n"), "# @currentEnv", "# @defaultSensitive=inferFromPrefix(NEXT_PUBLIC_)\n# @currentEnv", 1) + "\nNEXT_PUBLIC_REF=\n"
}
