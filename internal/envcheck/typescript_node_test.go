package envcheck

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// compile type-checks the modules in dir as strictly as tsc can, and writes JavaScript beside them.
func compile(t *testing.T, modules, dir string) {
	t.Helper()
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	compileAs(t, modules, dir, `"lib": ["es2022"], "module": "commonjs", "types": ["node"]`)
}

func compileAs(t *testing.T, modules, dir, options string) {
	t.Helper()
	if out, err := tsc(t, modules, dir, options); err != nil {
		t.Fatalf("tsc: %v\n%.4000s", err, out)
	}
}

func tsc(t *testing.T, modules, dir, options string) ([]byte, error) {
	t.Helper()
	config := `{"compilerOptions": {"strict": true, "noUncheckedIndexedAccess": true, "exactOptionalPropertyTypes": true, "noImplicitOverride": true,
		"noPropertyAccessFromIndexSignature": true, "noUnusedLocals": true, "noUnusedParameters": true, "noImplicitReturns": true, "noFallthroughCasesInSwitch": true, "isolatedModules": true,
		"verbatimModuleSyntax": false, "target": "es2022", ` + options + `, "skipLibCheck": true}, "include": ["*.ts"]}`
	if err := os.WriteFile(filepath.Join(dir, "tsconfig.json"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", filepath.Join(modules, "typescript", "bin", "tsc"), "-p", dir)
	return cmd.CombinedOutput()
}

// readScript reads every variable of a compiled module in each environment.
const readScript = `
const cases = JSON.parse(require("fs").readFileSync(0, "utf8"));
const versions = process.versions;
const answers = cases.map(({ module, vars, keys, window, browser, object }) => {
  for (const k of Object.keys(process.env)) delete process.env[k];
  Object.assign(process.env, vars);
  if (browser || window) globalThis.window = {}; else delete globalThis.window;
  Object.defineProperty(process, "versions", { value: browser ? {} : versions, configurable: true });
  const env = require(module)[object || "env"];
  return keys.map((key) => {
    try { const v = env[key]; return { value: v === undefined ? "" : JSON.stringify(v) }; } catch (e) { return { error: e.constructor === Error ? e.message : "thrown " + e }; }
  });
});
process.stdout.write(JSON.stringify(answers));
`

type readCase struct {
	Module  string            `json:"module"`
	Vars    map[string]string `json:"vars"`
	Keys    []string          `json:"keys"`
	Window  bool              `json:"window"`  // there is a window, and it is Node.js all the same
	Browser bool              `json:"browser"` // it is none
	Object  string            `json:"object"`  // env, if it is not said
}

type readAnswer struct{ Value, Error string }

func runModules(t *testing.T, cases []readCase) [][]readAnswer {
	t.Helper()
	in, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "-e", readScript)
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node: %v\n%.2000s", err, stderr.String())
	}
	var answers [][]readAnswer
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatal(err)
	}
	return answers
}

// checked is what Check says of a key, and the value in the form of its type.
func checked(e *evaluator, it *Item, vars map[string]string) (value string, ok bool) {
	raw, set := vars[it.Key]
	required := e.required(it)
	v := textVal(raw)
	if !set || (raw == "" || e.blank(it, raw)) && !required && hasDefault(it) {
		v = e.eval(it.Value)
	}
	if v.empty() {
		if set && raw == "" && !required && it.Type.Name == "string" && e.opt(it.Type, "allowEmpty").truthy() {
			return `""`, true
		}
		return "", !required
	}
	if p := e.check(it.Type, v); p.msg != "" && p.level == Error {
		return "", false
	}
	out, _ := e.coerce(it.Type, v)
	if out.kind == valUndefined {
		return "", !required
	}
	return out.json(), true
}

// generatedTypes are declarations for the differential test.
var generatedTypes = []string{
	"string", "string(minLength=2)", "string(maxLength=3)", "string(isLength=2)", "string(startsWith=a)", "string(endsWith=\"1\")", `string(matches=regex("^[a-c]+$"))`,
	`string(matches=regex("^A", "i"))`, `string(matches=regex("a", "g"))`, `string(matches="/b/g")`, `string(matches="/^a/i")`, `string(matches="a.c")`, "string(toUpperCase=true, startsWith=A)", "string(toLowerCase=true)", "string(allowEmpty=true)",
	"number", "number(min=1, max=10)", "number(isInt=true)", "number(precision=1)", "number(isDivisibleBy=2)", "number(min=1, max=10, coerceToMinMaxRange=true)",
	"boolean", "url", "url(prependHttps=true)", "url(allowedDomains=[example.com, localhost:3000])", "url(noTrailingSlash=true)", `url(matches=regex("^https?://"))`, "url(allowedProtocols=[https])",
	"enum(a, b, on)", "enum(1, two, true)", "email", "email(normalize=true)", "port", "port(min=1024, max=9000)", "ip", "ip(version=6)", "semver", "isoDate", "uuid", "md5",
	"duration", "duration(output=seconds)", "duration(min=1s, max=1h)", "array", "array(number)", `array(string, separator=";")`, "array(number, format=json)", "array(unique=true)", "array(minLength=2)", "array(enum(a, b))",
	"array(boolean)", "record", "record(number)", "record(string, keyType=enum(a, b))", "record(entriesMinLength=2)", "simple-object", "domain", "domain(allowIp=true, allowSingleLabel=true)", "domain(allowWildcard=true)",
}

// generatedValues are whole values that matter to some type; pieces are put together at random.
var (
	generatedValues = []string{"", " ", "a", "b", "abc", "A", "t", "true", "TRUE", "Yes", "on", "1", "f", "False", "no", "OFF", "0", "01", "1.5", "1.25", "-3", "+4", "1e3", ".5", "5.", "0x10", "Infinity", "NaN", "12abc", " 7 ",
		"65535", "65536", "1e2", "3000", "https://example.com", "https://example.com/", "http://localhost:3000/x?y=/", "example.com", "example.com:8080", "mailto:a@b.c", "postgres://u:p@h/db", "http://", "https://exa mple.com", "file:./dev.db", "HTTPS://EXAMPLE.COM",
		"https://[::1]:80", "http://1.2.3.4.5", "me@example.com", "Me@Example.COM", "a@b", "a b@c.de", "\"x y\"@c.de", "1.2.3.4", "1.2.3", "256.1.1.1", "01.2.3.4", "::1", "::ffff:1.2.3.4", "fe80::1%eth0", "2001:db8::g", "1.2.3", "1.2.3-rc.1+b", "01.2.3", "2024-02-29", "2023-02-30", "2024-13-01",
		"2024-01-02T03:04:05Z", "2024-W05-1", "20240102", "202401", "2024", "2024-01-02 03:04", "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "3F2504E0-4F89-41D3-9A0C-0305E82C3301", "d41d8cd98f00b204e9800998ecf8427e", "D41D8CD98F00B204E9800998ECF8427E",
		"30s", "500ms", "2 days", "1.5h", "1H", "10", "-5s", "0.1ms", "5 parsecs", "a,b", "a, b ,", "a;b", "1,2,3", "1,x", "a,a", ",", "[1,2]", "[]", `["a","b"]`, `["a,b"]`, "[1,", "[null]", "[[1]]", `{"a":1}`, `{"a":"x","c":"y"}`, "{}", "{", `{"a":null}`, "null", "*.example.com", "a-.b", "localhost", "é", "€uro", "two"}
	generatedPieces = []string{"a", "1", ".", "-", ":", "/", "@", ",", " ", "[", "]", "{", "}", "\"", "e", "s", "T", "0", "9", "x", "é", "%", "?", "#", "=", "\\", "\n", "http://", "::"}
)

// The generated modules accept exactly what Check accepts, and give the same
// values, on generated schemas and environments; tsc takes all of them.
func TestTypeScriptAgreesWithCheck(t *testing.T) {
	modules := npmModules(t, "typescript")
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("OPSCTL_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("OPSCTL_SEED=%d", seed)
	rng := rand.New(rand.NewPCG(seed, 3))
	dir := t.TempDir()
	var cases []readCase
	var schemas []*Schema
	for i := range 12 {
		src := generatedSchema(rng)
		s, findings := ParseSchema(".env.schema", []byte(src))
		for _, f := range findings {
			if f.Level == Error {
				t.Fatalf("%s\n%+v", src, f)
			}
		}
		out, err := RenderTypeScript(s, TypeScriptOptions{})
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, fmt.Sprintf("env%d.ts", i))
		if err := os.WriteFile(name, out, 0o644); err != nil {
			t.Fatal(err)
		}
		for range 60 {
			vars := map[string]string{}
			for _, key := range s.Keys() {
				switch n := rng.IntN(10); {
				case n == 0:
				case n < 8:
					vars[key] = generatedValues[rng.IntN(len(generatedValues))]
				default:
					for range 1 + rng.IntN(5) {
						vars[key] += generatedPieces[rng.IntN(len(generatedPieces))]
					}
				}
			}
			schemas = append(schemas, s)
			cases = append(cases, readCase{Module: strings.TrimSuffix(name, ".ts"), Vars: vars, Keys: s.Keys()})
		}
	}
	compile(t, modules, dir)
	compared, wrong := 0, 0
	for i, answers := range runModules(t, cases) {
		supplied := func(key string) (string, bool) { v, ok := cases[i].Vars[key]; return v, ok }
		env := newEvaluator(schemas[i], "", supplied).key(schemas[i].CurrentEnv).text
		e := newEvaluator(schemas[i], env, supplied)
		for j, it := range schemas[i].Items {
			value, ok := checked(e, it, cases[i].Vars)
			got := answers[j]
			compared++
			if ok != (got.Error == "") || ok && !sameJSON(value, got.Value) {
				wrong++
				t.Errorf("%s %+v = %q\n  module %s %s\n  check %t %s", it.Key, it.Decorators, cases[i].Vars[it.Key], got.Value, got.Error, ok, value)
			}
			if raw := cases[i].Vars[it.Key]; len(raw) > 7 && strings.Contains(got.Error, raw) {
				t.Errorf("%s: the error holds the value: %s", it.Key, got.Error)
			}
		}
		if wrong > 20 {
			t.Fatal("and so on")
		}
	}
	if compared < 2000 {
		t.Errorf("only %d values compared", compared)
	}
	t.Logf("%d values compared", compared)
}

// sameJSON compares JSON texts by value: JavaScript puts integer names first.
func sameJSON(a, b string) bool {
	var x, y any
	if a == "" || b == "" {
		return a == b
	}
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && fmt.Sprint(x) == fmt.Sprint(y)
}

func generatedSchema(rng *rand.Rand) string {
	var b strings.Builder
	b.WriteString("# @currentEnv=$APP_ENV\n# @defaultRequired=" + []string{"true", "false", "infer"}[rng.IntN(3)] + "\n# ---\n\n# @type=enum(a, b)\nAPP_ENV=a\n\nREF=\n")
	conditions := []string{"", "", "", " @required", " @optional", " @required=forEnv(a)", " @optional=isEmpty($REF)", " @required=eq($REF, a)", " @required=not($REF)", " @required=if($REF, true, forEnv(b))", " @sensitive", " @required=ifs(eq($REF, b), true, false)"}
	defaults := []string{"", "", "", "", "", "1", "a", "true", `"x y"`, "$REF", "${REF:-none}", "pre-${REF}", `remap($REF, a, one, regex("^b"), two, three)`, "[a, b]", "concat($REF, 1)", "fallback($REF, $APP_ENV)", "if(forEnv(a), x, y)"}
	head := b.String()
	for i := 0; i < 40; {
		item := "\n"
		if rng.IntN(8) > 0 {
			item += "# @type=" + generatedTypes[rng.IntN(len(generatedTypes))] + "\n"
		}
		if c := conditions[rng.IntN(len(conditions))]; c != "" {
			item += "#" + c + "\n"
		}
		item += fmt.Sprintf("V%d=%s\n", i, defaults[rng.IntN(len(defaults))])
		_, findings := ParseSchema("", []byte(head+item))
		if !slices.ContainsFunc(findings, func(f Finding) bool { return f.Level == Error }) { // some do not go together
			b.WriteString(item)
			i++
		}
	}
	return b.String()
}
