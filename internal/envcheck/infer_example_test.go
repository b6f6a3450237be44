package envcheck

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"testing"
)

// What a bare .env.example asks for.
func TestParseExample(t *testing.T) {
	tests := []struct{ name, text, required, optional string }{
		{"a value makes it required", "A=1\nB=\n#C=3\n# D=4\n", "A", "B C D"},
		{"a list of names", "A=\nB=''\n# C=\n", "A B", "C"},
		{"said in the comment above", "A=1\n# Required.\nB=\n# optional: for mail\nC=3\n# The key (required)\nD=\n", "A B D", "C"},
		{"said in the comment behind", "A=1\nB= # required\nC=2 # optional\n", "A B", "C"},
		{"not said", "A=1\n# required in production\nB=\n# only required if A\nC=\n# what is required of D\nD=\n", "A", "B C D"},
		{"decorators decide", "# @required\nA=\n# @optional\nB=1\nC=1 # @optional\n", "A", "B C"},
		{"so does the header", "# @defaultRequired=true\n# ---\n\nA=1\nB=\n# @optional\nC=\n", "A B", "C"},
		{"a commented-out one with a decorator", "A=1\n# @required\n# B=\n", "A B", ""},
		{"an alternative of a key that is there", "A=1\n# A=2\n#A=3\n", "A", ""},
		{"a sentence is no variable", "A=1\n# NOTE=that this is a sentence\n# set B=1 to have it\n", "A", ""},
		{"what env-spec refuses", "  # indented\nA: x\nB\nC=\"open\nexport D = 4\njunk line\n1X=2\n", "A C D", "B"},
		{"what would be a wrong decorator", "# @acme owns this\n# @types/node is needed\nA=1\n", "A", ""},
		{"a value over lines", "# @type=string\nKEY=\"one\nA=2\n\"\nB=1\n", "KEY B", ""},
		{"windows", "# c\r\nA=1\r\nB=\r\n", "A", "B"},
		{"a multi-line argument", "# @type=enum(\n#   a,\n#   b\n# )\nA=a\n", "A", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, findings := ParseExample(".env.example", []byte(tt.text))
			if len(findings) > 0 {
				t.Errorf("%+v", findings)
			}
			var required, optional []string
			e := newEvaluator(s, "", func(string) (string, bool) { return "", false })
			for _, it := range s.Items {
				if it.Value != nil {
					t.Errorf("%s has the example's value for a default", it.Key)
				}
				if e.required(it) {
					required = append(required, it.Key)
				} else {
					optional = append(optional, it.Key)
				}
			}
			if got := strings.Join(required, " "); got != tt.required {
				t.Errorf("required %q, want %q", got, tt.required)
			}
			if got := strings.Join(optional, " "); got != tt.optional {
				t.Errorf("optional %q, want %q", got, tt.optional)
			}
		})
	}
}

// A rendered example, taken for the contract, requires what its schema requires, in
// each environment: the summary line says it, whether or not the line below is commented out.
func TestParseRenderedExample(t *testing.T) {
	const nodeEnv = "# @type=enum(development, production, test)\nNODE_ENV=development\n\n"
	tests := []struct{ name, current, head, schema, env string }{
		{"NODE_ENV", "NODE_ENV", "# @currentEnv=$NODE_ENV\n", nodeEnv, ""},
		{"a variable of one's own", "STAGE", "# @currentEnv=$STAGE\n", "# @type=enum(development, production, test)\nSTAGE=development\n\n", ""},
	}
	for _, tt := range tests {
		for _, env := range []string{"development", "production", "test"} {
			schema, findings := ParseSchema(".env.schema", []byte(tt.head+"# @defaultRequired=true\n# ---\n\n"+tt.schema+
				"A=\n# @optional\nB=\n# @optional\nC=x\n# @required=forEnv(production)\nD=\n# @required=forEnv(production, test)\n# @example=y\nE=\n# @required=forEnv(test) @type=url\n# @docs(https://example.com/f)\nF=\nG=z\n"))
			if len(findings) > 0 {
				t.Fatal(findings)
			}
			example, err := RenderExample(schema)
			if err != nil {
				t.Fatal(err)
			}
			back, findings := ParseExample(".env.example", example)
			if len(findings) > 0 || back.CurrentEnv != tt.current {
				t.Fatalf("%s: %q %v\n%s", tt.name, back.CurrentEnv, findings, example)
			}
			supplied := func(key string) (string, bool) { return env, key == tt.current }
			for key := range strings.FieldsSeq("A B C D E F G") {
				want := newEvaluator(schema, env, supplied).required(schema.Item(key))
				if got := newEvaluator(back, env, supplied).required(back.Item(key)); got != want {
					t.Errorf("%s, %s: %s is required: %t, want %t\n%s", tt.name, env, key, got, want, example)
				}
			}
			if _, err := RenderTypeScript(back, TypeScriptOptions{}); err != nil {
				t.Error(err)
			}
		}
	}
	// Where no variable says which environment it is, the one that is checked does.
	s, _ := ParseExample(".env.example", []byte("# Rendered from .env.schema by `opsctl env example`. Edit the schema, not this file.\n# required in production; secret\n# A=\n"))
	for env, want := range map[string]bool{"development": false, "production": true} {
		if got := newEvaluator(s, env, func(string) (string, bool) { return "", false }).required(s.Item("A")); got != want {
			t.Errorf("%s: %t", env, got)
		}
	}
	if out, err := RenderTypeScript(s, TypeScriptOptions{}); err != nil || !strings.Contains(string(out), `when(holds(false, `) {
		t.Errorf("%v\n%s", err, out)
	}
}

// Positions are those of the example, whatever stands in front of a key.
func TestParseExamplePositions(t *testing.T) {
	s, _ := ParseExample(".env.example", []byte("# c\nexport A=1\n# B=2\n  C=\"x\ny\"\n# @type=prot\nD=1\n"))
	var got []string
	for _, it := range s.Items {
		got = append(got, fmt.Sprintf("%s %d:%d", it.Key, it.Pos.Line, it.Pos.Col))
	}
	if want := "A 2:8, B 3:3, C 4:3, D 7:1"; strings.Join(got, ", ") != want {
		t.Errorf("%s, want %s", strings.Join(got, ", "), want)
	}
	_, findings := ParseExample(".env.example", []byte("A=1\n\n# @type=prot\nB=1\n"))
	if len(findings) != 1 || findings[0].Line != 3 || findings[0].Col != 9 {
		t.Errorf("%+v", findings)
	}
}

// LoadSchema takes the example only where the schema is missing.
func TestLoadSchemaTakesTheExample(t *testing.T) {
	files := map[string]string{".env.example": "A=1\n", ".env": "A=1\n"}
	read := func(path string) ([]byte, error) {
		if text, ok := files[path]; ok {
			return []byte(text), nil
		}
		return nil, fs.ErrNotExist
	}
	check := func() string {
		r, err := Check(context.Background(), Options{Files: []string{".env"}, ReadFile: read})
		if err != nil {
			return err.Error()
		}
		var rules []string
		for _, f := range r.Findings {
			rules = append(rules, f.Rule)
		}
		return strings.Join(rules, " ")
	}
	if got := check(); got != "schema-missing" {
		t.Errorf("with an example only: %s", got)
	}
	files[".env.schema"] = "A=\n"
	if got := check(); got != "" {
		t.Errorf("with a schema: %s", got)
	}
	delete(files, ".env.schema")
	delete(files, ".env.example")
	if got := check(); !strings.Contains(got, "no schema") {
		t.Errorf("with neither: %s", got)
	}
	if _, _, err := LoadSchema("", "other.schema", "", read); err == nil {
		t.Error("a schema that was named is not replaced by an example")
	}
}

func TestMergeSchema(t *testing.T) {
	have := "# @defaultRequired=true\n# ---\n\n# mine\nA=1"
	merged, added, ok := MergeSchema(".env.schema", []byte(have), []byte("# theirs\nA=2\n\n# new\n# @optional\nB=\n"))
	if want := have + "\n\n# new\n# @optional\nB=\n"; !ok || string(merged) != want || strings.Join(added, " ") != "B" {
		t.Errorf("%q %v %t", merged, added, ok)
	}
	if _, _, ok := MergeSchema(".env.schema", []byte("A: 1\n"), []byte("B=\n")); ok {
		t.Error("a schema with findings is merged")
	}
	// Under another header the same has to be said in other words.
	base, _ := ParseSchema(".env.schema", []byte("# @defaultRequired=false @defaultSensitive=false\n# ---\n\nA=\n"))
	got := string(infer(t, ".env.example", []byte("A=1\nB=two2\nAPI_KEY=\nPORT=80\n"), base).Schema)
	if want := "# @required @sensitive\n# @example=two2\nB=\n\n# @sensitive\nAPI_KEY=\n\n# @type=port @required\n# @example=80\nPORT=\n"; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// Whatever the input, nothing crashes, and what is made can be read without a finding.
func FuzzInfer(f *testing.F) {
	for _, seed := range []string{"A=1\n", "# @type=port\nA=1 # x\n", "# A=\"x\n# y\"\n", "# @import(./x)\n# ---\n\nA=$B\n", "A='\n# @example=\nB=#\n", "# --- x ---\n# @currentEnv=$A\n\nA=x\n# @required=forEnv(x)\nB=\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ParseExample(".env.example", []byte(text))
		for _, example := range []bool{true, false} {
			r, err := InferSchema([]InferSource{{Name: "f", Data: []byte(text), Example: example}}, nil)
			if err != nil {
				if strings.Contains(err.Error(), "no schema could be made") {
					t.Fatalf("%q: %v", text, err)
				}
				continue
			}
			s, findings := ParseSchema(".env.schema", r.Schema)
			if len(findings) > 0 {
				t.Fatalf("%q: %+v\n%s", text, findings, r.Schema)
			}
			if _, err := RenderExample(s); err != nil {
				t.Fatalf("%q: %v\n%s", text, err, r.Schema)
			}
			if _, err := RenderTypeScript(s, TypeScriptOptions{}); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
		}
	})
}
