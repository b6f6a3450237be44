// Package spectest holds an exchange against the published schema of the API
// that it belongs to: every request that a client sends and every answer that a
// server gives. It is for tests, of the adapters as well as of the emulator.
//
// The schemas are not part of the tree. They are looked for in the folder
// specs/ below OPSCTL_REFERENCE, by default ../shared beside the repository's
// root; a test that needs one calls Require, which skips it visibly without.
package spectest

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// ErrNoReference is returned where a schema file is not on this machine.
var ErrNoReference = errors.New("no reference schemas: set OPSCTL_REFERENCE to the folder that holds specs/")

// Path is where the schema file of that name is or would be.
func Path(name string) string {
	dir := os.Getenv("OPSCTL_REFERENCE")
	if dir == "" {
		dir = filepath.Join(root(), "..", "shared")
	}
	return filepath.Join(dir, "specs", name)
}

// root is the directory of the module that the test runs in. Tests run in
// their package's directory, however deep that is.
func root() string {
	dir, err := os.Getwd()
	if err != nil {
		return "."
	}
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, "go.mod")); err == nil {
			return d
		}
		if d == filepath.Dir(d) {
			return dir
		}
	}
}

// Have reports whether the schema file is on this machine.
func Have(name string) bool {
	_, err := os.Stat(Path(name))
	return err == nil
}

// Require skips the test, and says why, where one of the schema files is
// missing. One test of a package calls it so that the gap shows; the others
// validate when they can.
func Require(tb testing.TB, names ...string) {
	tb.Helper()
	for _, n := range names {
		if !Have(n) {
			tb.Skipf("%s is not there, so no exchange is validated: set OPSCTL_REFERENCE to the folder that holds specs/", n)
		}
	}
}
