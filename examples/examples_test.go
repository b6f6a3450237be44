package examples

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestERPHoldsTheAppAndNothingThatInitWrites(t *testing.T) {
	erp := ERP()
	for _, want := range []string{"package.json", "pnpm-lock.yaml", ".gitignore", "next.config.ts", "src/app/page.tsx", "db/seed.sql"} {
		if _, err := fs.Stat(erp, want); err != nil {
			t.Errorf("missing %s: %v", want, err)
		}
	}
	for _, not := range []string{"opsctl.yaml", "Dockerfile", ".env.schema", "src/app/api/health/route.ts", "node_modules", ".next"} {
		if _, err := fs.Stat(erp, not); err == nil {
			t.Errorf("%s is in the example", not)
		}
	}
	config, err := fs.ReadFile(erp, "next.config.ts")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(config), "standalone") {
		t.Error("next.config.ts already asks for the standalone output, which init is to add")
	}
}

// Every file of the example in the work tree is embedded: a new one must be
// added to the list in examples.go.
func TestEverythingIsEmbedded(t *testing.T) {
	skip := map[string]bool{"node_modules": true, ".next": true, "next-env.d.ts": true}
	err := filepath.WalkDir("erp", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if skip[d.Name()] {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return nil
		}
		rel, err := filepath.Rel("erp", path)
		if err != nil {
			return err
		}
		if _, err := fs.Stat(ERP(), filepath.ToSlash(rel)); err != nil {
			t.Errorf("%s is not embedded", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A lockfile that names a registry host installs from there and nowhere else.
func TestLockfileNamesNoHost(t *testing.T) {
	lock, err := fs.ReadFile(ERP(), "pnpm-lock.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if m := regexp.MustCompile(`(tarball|registry)\S*\s*\S+://\S+|https?://\S+`).Find(lock); m != nil {
		t.Errorf("the lockfile names a host: %s", m)
	}
}

func TestMigrationsAreNumberedInOrder(t *testing.T) {
	names, err := fs.Glob(Migrations(), "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	if len(names) < 2 {
		t.Fatalf("want at least two migrations, have %v", names)
	}
	for i, name := range names {
		if want := "000" + string(rune('1'+i)) + "_"; !strings.HasPrefix(name, want) {
			t.Errorf("migration %d is %s, want the prefix %s", i, name, want)
		}
	}
	if !strings.Contains(Seed(), "generate_series") {
		t.Error("the seed makes no rows")
	}
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "erp")
	if err := Write(dir, ERP()); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "db", "migrations", "0001_tenants_and_invoices.sql"))
	if err != nil {
		t.Fatal(err)
	}
	want, _ := fs.ReadFile(Migrations(), "0001_tenants_and_invoices.sql")
	if string(got) != string(want) {
		t.Error("the written migration differs from the embedded one")
	}
	if err := Write(dir, ERP()); err == nil {
		t.Error("a second Write over the first was not refused")
	}
}
