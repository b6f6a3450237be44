package report

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/opsctl/opsctl/internal/envcheck"
	"github.com/opsctl/opsctl/internal/envcheck/usage"
	"github.com/opsctl/opsctl/internal/envcheck/usage/audit"
)

// TestScanExamples runs the examples of source code, as envcheck.TestRuleExamples does
// those of files.
func TestScanExamples(t *testing.T) {
	ran := 0
	for _, r := range envcheck.Rules() {
		for i, e := range r.Examples {
			if !e.Scan {
				continue
			}
			ran++
			want := fmt.Sprintf("%s %s %s", e.Place(), r.ID, e.WantLevel(r))
			if found := scanned(t, e, e.Bad); !slices.Contains(found, want) {
				t.Errorf("%s %d: the bad one is not reported as %q: %q", r.ID, i, want, found)
			}
			if found := scanned(t, e, e.Good); slices.ContainsFunc(found, func(f string) bool { return strings.Contains(f, r.ID) || strings.HasSuffix(f, " error") }) {
				t.Errorf("%s %d: the good one is reported: %q", r.ID, i, found)
			}
		}
	}
	if ran < 5 {
		t.Errorf("only %d examples ran", ran)
	}
}

// scanned gives what the scan finds as "file:line rule level".
func scanned(t *testing.T, e envcheck.Example, text string) []string {
	t.Helper()
	files := fstest.MapFS{".env.schema": {Data: []byte(e.Schema)}, e.Name(): {Data: []byte(text)}}
	for _, f := range e.Files {
		files[f.Name] = &fstest.MapFile{Data: []byte(f.Text)}
	}
	schema, found := envcheck.ParseSchema(".env.schema", files[".env.schema"].Data)
	if len(found) > 0 {
		t.Fatal(found)
	}
	used, err := usage.Scan(context.Background(), files, usage.Options{Names: schema.Keys()})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range audit.Compare(schema, used, audit.Options{}).Findings {
		out = append(out, fmt.Sprintf("%s:%d %s %s", f.File, f.Line, f.Rule, f.Level))
	}
	return out
}
