package pgserver

import (
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

// free tells whether the port can be listened on now.
func free(port int) bool {
	ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return ln.Close() == nil
}
