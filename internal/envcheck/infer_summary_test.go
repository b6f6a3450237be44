package envcheck

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// rendered is the example of a schema's text.
func rendered(t *testing.T, schema []byte) string {
	t.Helper()
	s, findings := ParseSchema(".env.schema", schema)
	for _, f := range findings {
		if f.Level == Error {
			t.Fatalf("%+v\n%s", f, schema)
		}
	}
	example, err := RenderExample(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(example)
}

// roundTrip renders an example, makes a schema of it and renders that one, twice.
func roundTrip(t *testing.T, schema []byte) (first, second, third string, back []byte) {
	t.Helper()
	first = rendered(t, schema)
	back = infer(t, ".env.example", []byte(first), nil).Schema
	second = rendered(t, back)
	return first, second, rendered(t, infer(t, ".env.example", []byte(second), nil).Schema), back
}

// A schema that is made of a rendered example renders that example again: nothing
// that was generated is taken for a comment. What the summary line does not tell may
// change once, and then no more.
func TestRenderedExampleIsAFixedPoint(t *testing.T) {
	// What the first round changes, and why.
	changes := map[string]string{"all.schema": "a condition that is no forEnv() becomes a comment"}
	var names []string
	for _, pattern := range []string{"infer/*.schema", "typescript/*.schema", "varlock/*.schema"} {
		found, err := filepath.Glob(filepath.Join("testdata", filepath.FromSlash(pattern)))
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, found...)
	}
	if len(names) < 22 {
		t.Fatalf("%d schemas", len(names))
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			schema, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			first, second, third, back := roundTrip(t, schema)
			if same := first == second; same != (changes[filepath.Base(name)] == "") {
				t.Errorf("the first round: same %t (%s)\n%s\n--- schema\n%s\n--- its example\n%s", same, changes[filepath.Base(name)], first, back, second)
			}
			if second != third {
				t.Errorf("a second round changes the example\n%s\n--- and then\n%s", second, third)
			}
			for _, line := range []string{"# Rendered from", "Set by Next.js", "# see http", "# required;", "# optional;"} {
				if strings.Contains(string(back), line) {
					t.Errorf("%q is a comment of the schema\n%s", line, back)
				}
			}
		})
	}
}

// The same with schemas that nobody wrote.
func TestRenderedExampleOfGeneratedSchemas(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 5))
	for range 60 {
		schema := generatedSchema(rng)
		first, second, third, back := roundTrip(t, []byte(schema))
		if second != third {
			t.Fatalf("seed %d\n%s\n--- example\n%s\n--- schema\n%s\n--- example\n%s\n--- example\n%s", seed, schema, first, back, second, third)
		}
	}
}

// What the generated lines say is the schema's again; what only looks like them stays.
func TestSchemaOfRenderedExample(t *testing.T) {
	const head = "# Rendered from .env.schema by `opsctl env example`. Edit the schema, not this file.\n"
	tests := []struct{ name, example, want string }{
		{"conditions", "# required in production, test; port number; secret\n# A=\n# Set by Next.js itself, so it stays out of .env files.\n# NODE_ENV=development\n",
			"# @currentEnv=$NODE_ENV\n# @defaultRequired=true\n# @defaultSensitive=inferFromPrefix(NEXT_PUBLIC_)\n# ---\n\n# @type=port @required=forEnv(production, test)\nA=\n\n# @type=enum(development, production, test) @optional @public\nNODE_ENV=development\n"},
		{"an environment of one's own", "# required; one of dev, prod\nSTAGE=dev\n# required in prod\nA=1\n",
			"# @currentEnv=$STAGE\n# @defaultRequired=true\n# @defaultSensitive=inferFromPrefix(NEXT_PUBLIC_)\n# ---\n\n# @type=enum(dev, prod) @public\nSTAGE=dev\n# @required=forEnv(prod) @public\n# @example=1\nA=\n"},
		{"no environment is known", "# required in prod; secret\n# A=\n",
			"# @defaultRequired=true\n# @defaultSensitive=inferFromPrefix(NEXT_PUBLIC_)\n# ---\n\n# Required in prod.\n# @optional\nA=\n"},
		{"links and what is deprecated", "# The key.\n# optional; starts with sk_ or rk_; secret; deprecated: use B; or C\n# see https://example.com/a,b\n# A=\n",
			"# @defaultRequired=true\n# @defaultSensitive=inferFromPrefix(NEXT_PUBLIC_)\n# ---\n\n# The key.\n# @type=string(matches=regex(\"^(sk_|rk_)\")) @optional\n# @docs(\"https://example.com/a,b\")\n# @deprecated=\"use B; or C\"\nA=\n"},
		{"a placeholder of the schema's", "# required; URL; secret\nA=<your-url>\n",
			"# @defaultRequired=true\n# @defaultSensitive=inferFromPrefix(NEXT_PUBLIC_)\n# ---\n\n# @type=url\n# @example=\"<your-url>\"\nA=\n"},
		{"written by hand", "# required; ask Bob\nA=\n# required if B is set\nB=1\n",
			"# @defaultRequired=true\n# @defaultSensitive=inferFromPrefix(NEXT_PUBLIC_)\n# ---\n\n# required; ask Bob\nA=\n\n# required if B is set\n# @type=number @public\n# @example=1\nB=\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(infer(t, ".env.example", []byte(head+tt.example), nil).Schema); got != tt.want {
				t.Errorf("%s\nwant\n%s", got, tt.want)
			}
		})
	}
	// Without the first line nothing says that these lines are not somebody's own.
	if got := string(infer(t, ".env.example", []byte("# required; port number; secret\nA=\n"), nil).Schema); !strings.Contains(got, "# required; port number; secret\n") {
		t.Error(got)
	}
}
