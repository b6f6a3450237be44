package postgres

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opsctl/opsctl/internal/errs"
)

// install makes a directory with fake programs of a version.
func install(t *testing.T, root, version string, programs ...string) string {
	t.Helper()
	dir := filepath.Join(root, version, "bin")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, p := range programs {
		script := fmt.Sprintf("#!/bin/sh\necho '%s (PostgreSQL) %s (Debian %s-1)'\n", p, version, version)
		if err := os.WriteFile(filepath.Join(dir, p), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFind(t *testing.T) {
	root := t.TempDir()
	install(t, root, "14.9", "pg_dump", "initdb", "postgres")
	install(t, root, "15.18", "pg_dump", "initdb", "postgres")
	install(t, root, "17.2", "pg_dump")
	install(t, root, "18beta1", "pg_dump", "initdb", "postgres")
	other := install(t, t.TempDir(), "15.2", "pg_dump")
	for _, tt := range []struct {
		name     string
		major    int
		programs []string
		env      string
		want     string // version; "" wants an error
	}{
		{"exactly the server's major", 15, []string{"pg_dump"}, "", "15.18"},
		{"the lowest newer one", 16, []string{"pg_dump"}, "", "17.2"},
		{"a directory without all programs does not count", 16, ServerPrograms, "", "18beta1"},
		{"the newest when no major is asked for", 0, ServerPrograms, "", "18beta1"},
		{"never an older one", 19, []string{"pg_dump"}, "", ""},
		{"the variable comes first", 15, []string{"pg_dump"}, other, "15.2"},
		{"the variable does not hide a better version", 14, []string{"pg_dump"}, other, "14.9"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in, err := Find(t.Context(), FindOptions{
				Major: tt.major, Programs: tt.programs, NeededBy: "backup create", Roots: []string{filepath.Join(root, "*", "bin")},
				Getenv: func(name string) string { return map[string]string{BinDirVariable: tt.env}[name] },
			})
			if tt.want == "" {
				for _, part := range []string{"backup create needs pg_dump of PostgreSQL 19 or newer", "server of version 19", "17.2 in ", "18beta1 in "} {
					if err == nil || !strings.Contains(err.Error(), part) {
						t.Errorf("want %q in %v", part, err)
					}
				}
				if !strings.Contains(errs.HintOf(err), BinDirVariable) {
					t.Errorf("hint %q", errs.HintOf(err))
				}
				return
			}
			if err != nil || in.Version != tt.want {
				t.Errorf("got %+v, %v; want %s", in, err, tt.want)
			}
		})
	}
}

func TestFindNothing(t *testing.T) {
	_, err := Find(t.Context(), FindOptions{Programs: ServerPrograms, Roots: []string{}, Getenv: func(string) string { return "" }})
	if err == nil || errs.CodeOf(err) != errs.Failure || !strings.Contains(err.Error(), "initdb, postgres") || errs.HintOf(err) == "" {
		t.Errorf("got %v, hint %q", err, errs.HintOf(err))
	}
}

func TestParseVersion(t *testing.T) {
	for _, tt := range []struct {
		out, version string
		major        int
	}{
		{"pg_dump (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)\n", "15.20", 15},
		{"postgres (PostgreSQL) 18beta1", "18beta1", 18},
		{"initdb (PostgreSQL) 17.10", "17.10", 17},
		{"pg_dump (EnterpriseDB) 15", "", 0},
		{"", "", 0},
	} {
		version, major, err := parseVersion(tt.out)
		if version != tt.version || major != tt.major || (err != nil) != (tt.version == "") {
			t.Errorf("%q: got %q %d %v", tt.out, version, major, err)
		}
	}
}
