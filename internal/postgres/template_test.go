package postgres

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTemplateIsKeptAndUsed(t *testing.T) {
	needServer(t)
	cache := filepath.Join(t.TempDir(), "cache")
	system := func() string {
		c, err := StartScratch(t.Context(), ScratchOptions{CacheDir: cache})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Stop(t.Context()) }()
		return query(t, c.URL(), "select system_identifier::text from pg_control_system()")
	}
	first, second := system(), system()
	if first != second {
		t.Errorf("two system identifiers, %s and %s: the template was not used", first, second)
	}
	entries, err := os.ReadDir(cache)
	if err != nil || len(entries) != 1 {
		t.Fatalf("cache: %v %v", entries, err)
	}

	t.Run("a damaged one is replaced by initdb", func(t *testing.T) {
		odd := filepath.Join(cache, entries[0].Name(), "odd")
		if err := os.Symlink("/nonexistent", odd); err != nil {
			t.Fatal(err)
		}
		if got := system(); got == first {
			t.Error("the damaged template was used")
		}
	})
	t.Run("one that others can write is not used", func(t *testing.T) {
		if err := os.Chmod(filepath.Join(cache, entries[0].Name()), 0o777); err != nil {
			t.Fatal(err)
		}
		if got := system(); got == first {
			t.Error("it was used")
		}
	})
}

func BenchmarkStartScratch(b *testing.B) {
	for name, cache := range map[string]string{"initdb": "", "template": b.TempDir()} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				c, err := StartScratch(b.Context(), ScratchOptions{CacheDir: cache})
				if err != nil {
					b.Skip(err)
				}
				if err := c.Stop(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
