package envcheck

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// inferredFiles are examples in the manner of well-known projects and frameworks.
func inferredFiles(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, pattern := range []string{"*.example", "*.sample", "*.template", "*.dist"} {
		found, err := filepath.Glob(filepath.Join("testdata", "infer", pattern))
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, found...)
	}
	if len(names) < 20 {
		t.Fatalf("%d examples", len(names))
	}
	return names
}

func infer(t *testing.T, name string, data []byte, into *Schema) *Inferred {
	t.Helper()
	r, err := InferSchema([]InferSource{{Name: name, Data: data, Example: IsExampleName(name)}}, into)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// What is inferred from each example lies beside it: read the diff.
func TestInferredSchemas(t *testing.T) {
	for _, name := range inferredFiles(t) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := infer(t, name, data, nil).Schema
			inferredLaws(t, name, data, got)
			golden := strings.TrimSuffix(name, filepath.Ext(name)) + ".schema"
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
				t.Errorf("%s is not what is inferred; run go test ./internal/envcheck -run TestInferredSchemas -update\n%s", golden, got)
			}
		})
	}
}

// inferredLaws holds a schema against the file that it came from.
func inferredLaws(t *testing.T, name string, data, schema []byte) {
	t.Helper()
	s, findings := ParseSchema(".env.schema", schema)
	if len(findings) > 0 {
		t.Fatalf("the schema has findings: %+v\n%s", findings, schema)
	}
	example, err := RenderExample(s)
	if err != nil {
		t.Fatal(err)
	}
	var want, rendered []string
	for _, d := range drafts(readDraft(name, data).blocks) {
		if isSchemaKey(d.key) {
			want = append(want, d.key)
		}
	}
	for _, d := range drafts(readDraft(".env.example", example).blocks) {
		rendered = append(rendered, d.key)
	}
	if !slices.Equal(s.Keys(), want) || !slices.Equal(rendered, want) {
		t.Errorf("keys of the file  %q\nof the schema     %q\nof its example    %q", want, s.Keys(), rendered)
	}
	passesItsSchema(t, data, schema)
}

// passesItsSchema checks a file against the schema that was made of it. What may be
// found is what is to be filled in, and what would be found without a schema.
func passesItsSchema(t *testing.T, data, schema []byte) {
	t.Helper()
	r, err := Check(context.Background(), Options{Files: []string{".env"}, ReadFile: func(path string) ([]byte, error) {
		switch path {
		case ".env":
			return data, nil
		case ".env.schema":
			return schema, nil
		}
		return nil, fs.ErrNotExist
	}})
	if err != nil {
		t.Fatal(err)
	}
	values, _ := Read(Next, ".env", data, nil)
	for _, f := range r.Findings {
		switch {
		case f.Level == Info, f.Rule == "placeholder", f.Rule == "duplicate", f.Rule == "node-env", strings.HasPrefix(f.Rule, "E-"):
		case f.Rule == "required" && values.Vars[f.Key] == "":
		case f.Rule == "type" && isPlaceholder(values.Vars[f.Key], secretName(f.Key)):
		case f.Rule == "unknown-key" && !isSchemaKey(f.Key):
		case slices.Contains(valueRulesOfAnyFile, f.Rule):
		default:
			t.Errorf("%s:%d %s %s (%s)", f.File, f.Line, f.Rule, f.Message, fmt.Sprintf("%.20q", values.Vars[f.Key]))
		}
	}
}

// valueRulesOfAnyFile find what is wrong with a value whatever the schema says.
var valueRulesOfAnyFile = []string{"whitespace", "nested-quotes", "publishable-key", "swapped-keys", "url-password", "key-pair", "key-mode", "group", "public-secret", "deprecated", "empty"}
