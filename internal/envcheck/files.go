package envcheck

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/opsctl/opsctl/internal/errs"
)

// maxFile bounds the size of a .env file in bytes.
const maxFile = 16 << 20

// Mode is the NODE_ENV that Next.js runs with in an environment: development
// and test are themselves; every other one, such as staging, is a production build.
func Mode(env string) string {
	if env == "development" || env == "test" {
		return env
	}
	return "production"
}

// NextFiles lists the files that Next.js loads in a mode, the one that wins first.
func NextFiles(mode string) []string {
	files := []string{".env." + mode + ".local"}
	if mode != "test" {
		files = append(files, ".env.local")
	}
	return append(files, ".env."+mode, ".env")
}

// ReadRegular reads a regular file of at most 16 MiB. A directory, a FIFO or
// a device is an error, not a hang.
func ReadRegular(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, errors.New("it is a directory")
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a regular file")
	case info.Size() > maxFile:
		return nil, fmt.Errorf("it has %d bytes, more than the 16 MiB that are read", info.Size())
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // read only
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = errors.New("it grew over 16 MiB while it was read")
	}
	return data, err
}

// checkText says why bytes are not a text that can be checked, and where; "" when they are.
func checkText(name string, data []byte) (string, Pos) {
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return "the file holds a NUL byte", newSource(name, string(data)).pos(i)
	}
	if !utf8.Valid(data) {
		return "the file is not valid UTF-8", newSource(name, string(data)).pos(invalidUTF8(data))
	}
	return "", Pos{}
}

// CheckText is an error (errs.CheckFailed), with the place, for bytes that are not a
// text that every reader can take: with a NUL byte, or not UTF-8.
func CheckText(name string, data []byte) error {
	msg, pos := checkText(name, data)
	if msg == "" {
		return nil
	}
	return errs.New(errs.CheckFailed, "%s:%d:%d: %s", name, pos.Line, pos.Col, msg).WithHint("save it as plain UTF-8 text")
}

// join places a relative name in the directory.
func join(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}
