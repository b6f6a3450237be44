package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for i, text := range []string{"one", "two"} {
		if err := Write(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		holds(t, path, text, 0o640)
		if names, _ := os.ReadDir(dir); len(names) != 1 {
			t.Errorf("after write %d the folder has %v", i, names)
		}
	}
}

// The file that a link leads to is replaced, in its own folder, and the link stays.
func TestWriteThroughALink(t *testing.T) {
	dir := t.TempDir()
	real := filepath.Join(t.TempDir(), "real")
	link := filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(real, []byte("old"), 0o600), os.Symlink(real, link)); err != nil {
		t.Fatal(err)
	}
	if err := Write(link, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	holds(t, real, "new", 0o600)
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", info, err)
	}
	lost := filepath.Join(dir, "lost")
	if err := os.Symlink(filepath.Join(dir, "nowhere"), lost); err != nil {
		t.Fatal(err)
	}
	if err := Write(lost, nil, 0o600); err == nil {
		t.Error("wrote through a link that leads nowhere")
	}
}

func TestWriteByRootKeepsTheOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		return // nobody else may give files away
	}
	path := filepath.Join(t.TempDir(), "f")
	if err := errors.Join(os.WriteFile(path, []byte("old"), 0o640), os.Chown(path, 1, 2), Write(path, []byte("new"), 0o640)); err != nil {
		t.Fatal(err)
	}
	holds(t, path, "new", 0o640)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if stat := info.Sys().(*syscall.Stat_t); stat.Uid != 1 || stat.Gid != 2 {
		t.Errorf("the file belongs to %d:%d, want 1:2", stat.Uid, stat.Gid)
	}
}

func TestCreate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := Create(path, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	holds(t, path, "one", 0o600)
	if err := Create(path, []byte("two"), 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create over a file: %v", err)
	}
	holds(t, path, "one", 0o600)

	// It came after the look, before the link.
	raced := filepath.Join(dir, "raced")
	if err := os.WriteFile(raced, []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, link := range map[string]func(string, string) error{"links": os.Link, "no links": noLinks} {
		if err := create(raced, []byte("mine"), 0o600, link); !errors.Is(err, fs.ErrExist) {
			t.Errorf("lost race, %s: %v", name, err)
		}
		holds(t, raced, "theirs", 0o600)
	}
	if err := create(filepath.Join(dir, "new"), []byte("mine"), 0o640, noLinks); err != nil {
		t.Fatal(err)
	}
	holds(t, filepath.Join(dir, "new"), "mine", 0o640)
	if names, _ := os.ReadDir(dir); len(names) != 3 {
		t.Errorf("left behind: %v", names)
	}
}

func noLinks(string, string) error { return errors.ErrUnsupported }

func TestUpdate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	for _, mode := range []fs.FileMode{0o644, 0o600} {
		if err := Update(path, []byte("x"), mode); err != nil {
			t.Fatal(err)
		}
		holds(t, path, "x", 0o644)
	}
}

func holds(t *testing.T, path, text string, mode fs.FileMode) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil || string(data) != text {
		t.Errorf("%s holds %q, %v; want %q", path, data, err, text)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
		t.Errorf("%s has mode %v, %v; want %v", path, info.Mode(), err, mode)
	}
}
