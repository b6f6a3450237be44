package pgserver

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/opsctl/opsctl/internal/postgres"
)

// elsewhere begins the name of a home that is not where it was wanted.
const elsewhere = "opsctl-emulator-db-"

// originFile, in such a home, says where it was wanted.
const originFile = "origin"

// place is the directory for a home: the wanted one, or, where PostgreSQL's own
// user may not pass (the emulator runs as root, in a private directory), one
// below /var/tmp that follows from the wanted path alone.
func place(wanted string) (string, error) {
	parent := filepath.Dir(wanted)
	if err := os.MkdirAll(parent, 0o711); err != nil { //nolint:gosec // others may pass through it, no more
		return "", err
	}
	if postgres.Enterable(parent) {
		return wanted, nil
	}
	abs, err := filepath.Abs(wanted)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(abs))
	for _, dir := range []string{"/var/tmp", os.TempDir()} {
		if !postgres.Enterable(dir) {
			continue
		}
		removeOrphans(dir)
		home := filepath.Join(dir, elsewhere+hex.EncodeToString(sum[:8]))
		if err := os.Mkdir(home, 0o711); err != nil && !errors.Is(err, fs.ErrExist) { //nolint:gosec // see above
			return "", err
		}
		return home, os.WriteFile(filepath.Join(home, originFile), []byte(abs), 0o600)
	}
	return "", errors.New("no directory can be entered by the user that runs PostgreSQL")
}

// removeOrphans removes homes whose wanted place is gone: the emulator's
// directory was deleted.
func removeOrphans(dir string) {
	homes, _ := filepath.Glob(filepath.Join(dir, elsewhere+"*"))
	for _, home := range homes {
		origin, err := os.ReadFile(filepath.Join(home, originFile))
		if err != nil {
			continue // another user's, or not ours
		}
		if _, err := os.Stat(filepath.Dir(string(origin))); errors.Is(err, fs.ErrNotExist) {
			_ = postgres.RemoveHome(home) // one in use stays
		}
	}
}
