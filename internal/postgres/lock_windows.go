package postgres

import (
	"errors"
	"os"
)

// createLocked makes a file and keeps it open, which is a lock here: an open
// file cannot be renamed.
func createLocked(path string, content func(locked bool) ([]byte, error)) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	data, err := content(true)
	if err == nil {
		_, err = f.Write(data)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// tryLock takes over a file whose maker is gone; nil means that it is not.
func tryLock(path string) *os.File {
	if os.Rename(path, path+".swept") != nil {
		return nil
	}
	f, err := os.Open(path + ".swept")
	if err != nil {
		return nil
	}
	return f
}
