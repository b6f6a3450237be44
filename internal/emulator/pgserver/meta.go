package pgserver

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/world"
	"github.com/opsctl/opsctl/internal/postgres"
)

// metaFile says what a home holds. It is written when the server is complete,
// so that a home without it is an attempt that failed.
const metaFile = "server.json"

// meta is what a server knows beyond its data directory.
type meta struct {
	Major int       `json:"major"`
	From  time.Time `json:"from"` // the window's begin
	Bases []base    `json:"bases"`
	// Rewinding: a rewind is under way; "data.before" is what to go back to.
	Rewinding bool `json:"rewinding,omitempty"`
}

// base is one base backup in the home.
type base struct {
	Name   string        `json:"name"`
	Since  time.Time     `json:"since"` // moments from here on can be recovered with it
	Backup *world.Backup `json:"backup,omitempty"`
}

func (m meta) complete() bool { return m.Major != 0 }

func readMeta(home string) (m meta, err error) {
	data, err := os.ReadFile(filepath.Join(home, metaFile))
	if errors.Is(err, fs.ErrNotExist) {
		return meta{}, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil {
		return meta{}, fmt.Errorf("read what the database's directory holds: %w", err)
	}
	return m, nil
}

func (m meta) write(home string) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	// Not synced: neither is the server, which runs with fsync off.
	path := filepath.Join(home, metaFile)
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// place is the directory for a home: the wanted one, or, where PostgreSQL's own
// user may not pass (the emulator runs as root, in a private directory), one
// below /var/tmp that follows from the wanted path alone. "" means neither.
func place(wanted string) string {
	parent := filepath.Dir(wanted)
	if os.MkdirAll(parent, 0o711) == nil && postgres.Enterable(parent) { //nolint:gosec // others may pass through it, no more
		return wanted
	}
	abs, err := filepath.Abs(wanted)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256([]byte(abs))
	for _, dir := range []string{"/var/tmp", os.TempDir()} {
		if postgres.Enterable(dir) {
			return filepath.Join(dir, "opsctl-emulator-db-"+hex.EncodeToString(sum[:8]))
		}
	}
	return ""
}

// free tells whether the port can be listened on now.
func free(port int) bool {
	ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return ln.Close() == nil
}
