//go:build unix

package postgres

import (
	"errors"
	"os"
	"syscall"
)

// createLocked makes a file that is locked (flock) from the moment that it has
// its name. The lock belongs to the open file, which no child inherits, so it
// ends with this process however that ends, and holds across PID namespaces.
// locked is false on a file system without locks.
func createLocked(path string, content func(locked bool) ([]byte, error)) (*os.File, error) {
	temp := path + ".new"
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	locked := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
	data, err := content(locked)
	if err == nil {
		_, err = f.Write(data)
	}
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// tryLock takes the lock of a file whose maker is gone; nil means that it is not.
func tryLock(path string) *os.File {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		_ = f.Close()
		return nil
	}
	return f
}
