package store

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/opsctl/opsctl/internal/errs"
)

// A file system without hard links says so in one of several ways.
func TestPutIfAbsentWithoutHardLinks(t *testing.T) {
	for _, no := range []error{syscall.EPERM, syscall.ENOTSUP, syscall.ENOSYS, syscall.EMLINK} {
		s := NewFile(filepath.Join(t.TempDir(), "s"))
		s.link = func(from, to string) error { return &os.LinkError{Op: "link", Old: from, New: to, Err: no} }
		if err := s.PutIfAbsent(t.Context(), "a/manifest.json", []byte("one")); err != nil {
			t.Fatalf("%v: %v", no, err)
		}
		if err := s.PutIfAbsent(t.Context(), "a/manifest.json", []byte("two")); !errors.Is(err, ErrExists) {
			t.Errorf("%v: a second put: %v (%s)", no, err, errs.CodeOf(err))
		}
		if data, err := os.ReadFile(s.Path("a/manifest.json")); err != nil || string(data) != "one" {
			t.Errorf("%v: %q, %v", no, data, err)
		}
		if left, _ := filepath.Glob(filepath.Join(s.dir, incomplete, "*")); len(left) > 0 {
			t.Errorf("%v: left %q", no, left)
		}
	}
}
