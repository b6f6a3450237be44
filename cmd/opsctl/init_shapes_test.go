package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/opsctl/opsctl/internal/config"
	"github.com/opsctl/opsctl/internal/scaffold"
	"github.com/opsctl/opsctl/internal/ui"
)

// Every shape of repository, for every choice of platforms: a first run writes what
// later runs find in step, and what the other commands take for valid.
func TestInitIsInStepWithItself(t *testing.T) {
	shapes, err := filepath.Glob("../../internal/scaffold/testdata/shapes/*.txtar")
	if err != nil || len(shapes) < 24 {
		t.Fatalf("%d shapes, %v", len(shapes), err)
	}
	for _, file := range shapes {
		for _, platforms := range [][]string{nil, {"render"}, {"fly", "render", "railway"}} {
			name := strings.TrimSuffix(filepath.Base(file), ".txtar") + " " + strings.Join(platforms, ",")
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				dir := extractShape(t, file)
				args := []string{"init", dir}
				for _, p := range platforms {
					args = append(args, "--platform", p)
				}
				// 9: a file needs the user's hand, which --keep says it has had.
				if code, said := opsctl(t, args...); code != 0 && code != 9 {
					t.Fatalf("the first run ends with %d: %s", code, said)
				}
				if code, said := opsctl(t, "init", dir, "--keep"); code != 0 || !strings.Contains(said, "nothing to do") && !strings.Contains(said, "settled") {
					t.Errorf("the second run ends with %d: %s", code, said)
				}
				if code, said := opsctl(t, "init", dir, "--check"); code != 0 {
					t.Errorf("--check ends with %d: %s", code, said)
				}
				project := filepath.Join(appOf(t, dir), "opsctl.yaml")
				for _, check := range [][]string{{"config", "check"}, {"env", "example", "--check"}, {"env", "scan"}} {
					if code, said := opsctl(t, append(check, "--config", project)...); code != 0 {
						t.Errorf("%s ends with %d: %s", strings.Join(check, " "), code, said)
					}
				}
			})
		}
	}
}

// What the user says in opsctl.yaml wins over what is detected; what stands there as
// init wrote it does not.
func TestOverrule(t *testing.T) {
	written := &scaffold.Config{HealthPath: "/old", Release: []string{"node", "migrate.mjs"}}
	tests := []struct {
		name    string
		port    int
		health  string
		release []string
		want    scaffold.Options
	}{
		{"as written", 3000, "/old", []string{"node", "migrate.mjs"}, scaffold.Options{}},
		{"another port", 4000, "/old", []string{"node", "migrate.mjs"}, scaffold.Options{Port: 4000}},
		{"another path", 3000, "/new", []string{"node", "migrate.mjs"}, scaffold.Options{HealthPath: "/new"}},
		{"another command", 3000, "/old", []string{"x"}, scaffold.Options{Release: []string{"x"}}},
		{"no command", 3000, "/old", nil, scaffold.Options{Release: []string{}}},
	}
	for _, tt := range tests {
		o := scaffold.Options{Config: written}
		overrule(&o, &config.Project{Web: config.Web{Port: tt.port, Health: tt.health}, Release: config.Release{Command: tt.release}})
		if o.Port != tt.want.Port || o.HealthPath != tt.want.HealthPath || !slices.Equal(o.Release, tt.want.Release) || (o.Release == nil) != (tt.want.Release == nil) {
			t.Errorf("%s: %+v", tt.name, o)
		}
	}
}

// opsctl runs a command line in this process.
func opsctl(t *testing.T, args ...string) (code int, said string) {
	t.Helper()
	io, out, errOut := ui.Test()
	code = newApp(io, func(string) (string, bool) { return "", false }).execute(t.Context(), args)
	return code, out.String() + errOut.String()
}

// extractShape writes a shape's files, and returns the folder to run init in.
func extractShape(t *testing.T, file string) string {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, f := range archive.Files {
		name := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for line := range strings.Lines(string(archive.Comment)) {
		if in, ok := strings.CutPrefix(line, "dir: "); ok {
			return filepath.Join(dir, strings.TrimSpace(in))
		}
	}
	return dir
}

// appOf is the folder that init has put opsctl.yaml into: dir, or the one app below it.
func appOf(t *testing.T, dir string) string {
	t.Helper()
	for _, pattern := range []string{"opsctl.yaml", "*/*/opsctl.yaml"} {
		if names, err := filepath.Glob(filepath.Join(dir, pattern)); err == nil && len(names) == 1 {
			return filepath.Dir(names[0])
		}
	}
	t.Fatalf("no opsctl.yaml in %s", dir)
	return ""
}
