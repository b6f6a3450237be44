// Package atomicfile writes files that are there as a whole or not at all: a
// reader, or a run after a crash, never sees a half.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Write replaces the file at path, or makes it, with the mode (umask does not
// apply). The data goes to a temporary file of mode 0600 beside it, is synced,
// and renamed. A symbolic link stays one: its target is replaced. The owner of a file
// that is replaced by root stays too.
func Write(path string, data []byte, mode fs.FileMode) error {
	path, err := target(path)
	if err != nil {
		return err
	}
	return through(path, data, mode, os.Rename)
}

// Update is Write for a file whose mode is its owner's business: one that is there
// keeps its own, and mode is that of a new one.
func Update(path string, data []byte, mode fs.FileMode) error {
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	return Write(path, data, mode)
}

// Create is Write for a file that must not exist yet: another one in its place,
// even a link that leads nowhere, is an error that matches fs.ErrExist, also
// when it came in the meantime. On a file system without hard links the data is
// written under the final name itself, which a crash may leave half done.
func Create(path string, data []byte, mode fs.FileMode) error {
	if _, err := os.Lstat(path); err == nil {
		return &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
	}
	return create(path, data, mode, os.Link)
}

func create(path string, data []byte, mode fs.FileMode, link func(old, new string) error) error {
	return through(path, data, mode, func(temp, path string) error {
		err := link(temp, path) // which, unlike a rename, fails where something is already
		if errors.Is(err, fs.ErrExist) {
			return &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
		}
		if err != nil {
			if err := exclusive(path, data, mode); err != nil {
				return err
			}
		}
		return os.Remove(temp)
	})
}

// exclusive writes a file that must not exist yet under its own name.
func exclusive(path string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(path) // the first error is the one to tell
	}
	return err
}

// through writes a temporary file and settles it under its name.
func through(path string, data []byte, mode fs.FileMode, settle func(temp, path string) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // the first error is the one to tell
		}
	}()
	_, err = f.Write(data)
	if old, statErr := os.Stat(path); err == nil && statErr == nil {
		err = keepOwner(f, old)
	}
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return settle(f.Name(), path)
}

// target follows symbolic links to the file that is to be replaced.
func target(path string) (string, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return path, err
	}
	to, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s is a symbolic link that leads nowhere", path)
	}
	return to, err
}
