package envcheck

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// compiledSchema renders the JSON Schema of a schema's text and compiles it, once for each place in it.
func compiledSchema(t *testing.T, src []byte, at ...string) (*Schema, []*jsonschema.Schema) {
	t.Helper()
	s, findings := ParseSchema(".env.schema", src)
	for _, f := range findings {
		if f.Level == Error {
			t.Fatalf("%+v\n%s", f, src)
		}
	}
	text, err := RenderJSONSchema(s)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("env.json", doc); err != nil {
		t.Fatal(err)
	}
	var out []*jsonschema.Schema
	for _, place := range at {
		schema, err := c.Compile("env.json" + place)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		out = append(out, schema)
	}
	return s, out
}

// The JSON Schemas lie beside the schemas of the TypeScript modules: read the diff.
func TestJSONSchemaGolden(t *testing.T) {
	for _, name := range typeScriptSchemas(t) {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		s, _ := compiledSchema(t, src, "")
		got, err := RenderJSONSchema(s)
		if err != nil {
			t.Fatal(err)
		}
		golden := strings.TrimSuffix(name, ".schema") + ".schema.json"
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
			t.Errorf("%s is not what is rendered; run go test ./internal/envcheck -run TestJSONSchemaGolden -update\n%s", filepath.Base(golden), got)
		}
	}
}

// What env check accepts the JSON Schema accepts, of every type, option and condition.
func TestJSONSchemaAcceptsWhatCheckAccepts(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 7))
	accepted, refused, both := 0, 0, 0
	for range 25 {
		src := generatedSchema(rng)
		s, _ := ParseSchema(".env.schema", []byte(src))
		var places []string
		for _, key := range s.Keys() {
			places = append(places, "#/properties/"+key)
		}
		_, schemas := compiledSchema(t, []byte(src), append(places, "")...)
		for range 150 {
			vars, instance := map[string]string{}, map[string]any{}
			for _, key := range s.Keys() {
				if rng.IntN(12) > 0 {
					vars[key] = generatedValues[rng.IntN(len(generatedValues))]
					instance[key] = vars[key]
				}
			}
			supplied := func(key string) (string, bool) { v, ok := vars[key]; return v, ok }
			e := newEvaluator(s, newEvaluator(s, "", supplied).key(s.CurrentEnv).text, supplied)
			all := true
			for i, it := range s.Items {
				_, ok := checked(e, it, vars)
				all = all && ok
				value, set := vars[it.Key]
				if !set {
					continue
				}
				err := schemas[i].Validate(value)
				switch {
				case ok && err != nil:
					t.Fatalf("seed %d: %s=%q is accepted by check, but %v\n%+v", seed, it.Key, value, err, it.Type)
				case ok:
					accepted++
				case err != nil:
					both++
					fallthrough
				default:
					refused++
				}
			}
			if err := schemas[len(places)].Validate(instance); all && err != nil {
				t.Fatalf("seed %d: an environment that check accepts: %v", seed, err)
			}
		}
	}
	t.Logf("%d accepted by both, %d refused by check, %d of these by the JSON Schema", accepted, refused, both)
	if accepted < 2000 || both*2 < refused {
		t.Error("that proves little")
	}
}

// Whole environments of the seed schema: the same verdict on both sides.
func TestJSONSchemaOfTheSeed(t *testing.T) {
	src, err := os.ReadFile(filepath.Join("testdata", "typescript", "seed.schema"))
	if err != nil {
		t.Fatal(err)
	}
	s, schemas := compiledSchema(t, src, "")
	good := map[string]string{"NODE_ENV": "development", "DATABASE_URL": "postgres://h/d", "REDIS_URL": "redis://h", "NEXT_PUBLIC_APP_URL": "http://localhost:3000",
		"NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY": "pk_test_abc", "CLERK_SECRET_KEY": "sk_test_abc"}
	tests := []struct {
		name string
		with map[string]string // "-" takes the variable out
		ok   bool
	}{
		{"all there", nil, true},
		{"an unknown one", map[string]string{"OTHER": "x"}, true},
		{"a default", map[string]string{"NODE_ENV": "-"}, true},
		{"missing", map[string]string{"REDIS_URL": "-"}, false},
		{"empty", map[string]string{"REDIS_URL": ""}, false},
		{"an empty optional one", map[string]string{"SENTRY_AUTH_TOKEN": ""}, true},
		{"a wrong optional one", map[string]string{"SENTRY_AUTH_TOKEN": "x"}, false},
		{"none of its values", map[string]string{"NODE_ENV": "staging"}, false},
		{"no URL", map[string]string{"DATABASE_URL": "h/d"}, false},
		{"another scheme", map[string]string{"DATABASE_URL": "mysql://h/d"}, false},
		{"a slash at the end", map[string]string{"NEXT_PUBLIC_APP_URL": "http://localhost:3000/"}, false},
		{"missing in test", map[string]string{"NODE_ENV": "test"}, false},
		{"empty in test", map[string]string{"NODE_ENV": "test", "TEST_DATABASE_URL": ""}, false},
		{"there in test", map[string]string{"NODE_ENV": "test", "TEST_DATABASE_URL": "postgres://h/t"}, true},
		{"too short", map[string]string{"CLERK_WEBHOOK_SECRET": "whsec_abc"}, false},
		{"begins otherwise", map[string]string{"CLERK_SECRET_KEY": "pk_test_abc"}, false},
	}
	for _, tt := range tests {
		vars, instance := map[string]string{}, map[string]any{}
		for _, from := range []map[string]string{good, tt.with} {
			for key, value := range from {
				vars[key], instance[key] = value, value
				if value == "-" {
					delete(vars, key)
					delete(instance, key)
				}
			}
		}
		supplied := func(key string) (string, bool) { v, ok := vars[key]; return v, ok }
		e := newEvaluator(s, newEvaluator(s, "", supplied).key(s.CurrentEnv).text, supplied)
		check := true
		for _, it := range s.Items {
			_, ok := checked(e, it, vars)
			check = check && ok
		}
		if err := schemas[0].Validate(instance); (err == nil) != tt.ok || check != tt.ok {
			t.Errorf("%s: want %t, check says %t, the JSON Schema %v", tt.name, tt.ok, check, err)
		}
	}
}

// A pattern is taken over where it means the same to JavaScript and to RE2.
func TestPortablePattern(t *testing.T) {
	for pattern, want := range map[string]bool{
		"^https?://": true, `^\d+\.\w$`: true, "^[A-Za-z0-9+/_-]+={0,2}$": true, "a.c": true, "^(a|b)": true,
		`\s`: false, `(?=a)`: false, `(a)\1`: false, `[^]`: false, `\cA`: false,
	} {
		s, _ := ParseSchema("", []byte("# @type=string(matches=regex('"+pattern+"'))\nX=\n"))
		if got := portablePattern(s.Items[0].Type.Opts["matches"]); (got == pattern) != want {
			t.Errorf("%s: %q, want it %t", pattern, got, want)
		}
	}
	s, _ := ParseSchema("", []byte("# @type=string(matches=regex(\"^a\", \"i\"))\nX=\n"))
	if got := portablePattern(s.Items[0].Type.Opts["matches"]); got != "" {
		t.Errorf("with a flag: %q", got)
	}
}

// Neither the example nor the default of a sensitive variable is in it.
func TestJSONSchemaShowsNothingSensitive(t *testing.T) {
	src := "# @defaultSensitive=true\n# ---\n\n# @example=hidden1\nA=hidden2\n# @public\n# @example=shown1\nB=shown2\n"
	s, _ := ParseSchema(".env.schema", []byte(src))
	out, err := RenderJSONSchema(s)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(out); strings.Contains(text, "hidden") || !strings.Contains(text, "shown1") || !strings.Contains(text, "shown2") {
		t.Error(text)
	}
}
