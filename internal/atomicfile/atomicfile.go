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

// Create is Write for a file that must not exist yet: another one in its place,
// even a link that leads nowhere, is an error that matches fs.ErrExist, also
// when it came in the meantime.
func Create(path string, data []byte, mode fs.FileMode) error {
	if _, err := os.Lstat(path); err == nil {
		return &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
	}
	return through(path, data, mode, func(temp, path string) error {
		// A link, unlike a rename, fails where something is already. File
		// systems without links get the rename.
		err := os.Link(temp, path)
		if err == nil {
			return os.Remove(temp)
		}
		if errors.Is(err, fs.ErrExist) {
			return &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
		}
		return os.Rename(temp, path)
	})
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
