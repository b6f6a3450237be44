package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/backup/store"
	"github.com/opsctl/opsctl/internal/backup/store/storetest"
	"github.com/opsctl/opsctl/internal/errs"
)

func TestFile(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return store.NewFile(filepath.Join(t.TempDir(), "not", "there yet")) })
}

func TestFileIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	s := store.NewFile(dir)
	if _, err := s.Put(t.Context(), "a/b", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "a"): 0o700, s.Path("a/b"): 0o600} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, want %v (%v)", path, info.Mode().Perm(), want, err)
		}
	}
}

func TestFileSweepsWhatKilledPutsLeft(t *testing.T) {
	dir := t.TempDir()
	s := store.NewFile(dir)
	left := filepath.Join(dir, ".incomplete", "put-1")
	if err := os.MkdirAll(filepath.Dir(left), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(left, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if n, err := s.SweepIncomplete(t.Context(), now.Add(-time.Hour)); n != 0 || err != nil {
		t.Errorf("a young one: swept %d, %v", n, err)
	}
	if n, err := s.SweepIncomplete(t.Context(), now.Add(time.Hour)); n != 1 || err != nil {
		t.Errorf("an old one: swept %d, %v", n, err)
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("still there: %v", err)
	}
}

func TestFileDoesNotFollowASymlinkedObject(t *testing.T) {
	dir := t.TempDir()
	s := store.NewFile(dir)
	if err := os.Symlink("/etc/hostname", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	objects, err := s.List(t.Context(), "")
	if err != nil || len(objects) != 0 {
		t.Errorf("list: %v %v", objects, err)
	}
}

func TestOpen(t *testing.T) {
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ in, want, wantErr string }{
		{"file:/var/backups", "file:/var/backups", ""},
		{"file:///var/backups/", "file:/var/backups", ""},
		{"file:rel", "file:" + filepath.Join(wd, "rel"), ""},
		{"", "", "no backup store is set"},
		{"file:", "", "names no directory"},
		{"s3://bucket/x", "", "not supported by this version"},
		{"/var/backups", "", "is not known"},
		{"ftp://x", "", "is not known"},
	} {
		s, err := store.Open(tt.in)
		switch {
		case tt.wantErr == "" && (err != nil || s.String() != tt.want):
			t.Errorf("%q: got %v, %v", tt.in, s, err)
		case tt.wantErr != "" && (err == nil || !strings.Contains(err.Error(), tt.wantErr) || errs.CodeOf(err) != errs.Usage || errs.HintOf(err) == ""):
			t.Errorf("%q: want a usage error with %q and a hint, got %v", tt.in, tt.wantErr, err)
		}
	}
}
