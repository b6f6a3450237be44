package front

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ConfigFile is where the proxy's own configuration is kept over a restart.
const ConfigFile = "front.json"

// maxFile bounds a file of the state.
const maxFile = 8 << 20

// store is a folder of small files, each written as a whole and mode 600.
type store struct{ dir string }

// errChanged is that a file has not the content that the writer knew.
var errChanged = errors.New("somebody else has changed it")

func validName(name string) bool {
	return name != "" && name == filepath.Base(name) && !strings.HasPrefix(name, ".")
}

func (s store) read(name string) (content string, exists bool, err error) {
	raw, err := os.ReadFile(filepath.Join(s.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	return string(raw), err == nil, err
}

func (s store) all() (map[string]string, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	for _, e := range entries {
		if !e.Type().IsRegular() || !validName(e.Name()) {
			continue
		}
		content, ok, err := s.read(e.Name())
		if err != nil {
			return nil, err
		}
		if ok {
			files[e.Name()] = content
		}
	}
	return files, nil
}

// put replaces a file whose sum is the given one. An update by somebody else at the
// same time is kept out by a lock on the folder.
func (s store) put(name, sum string, content []byte) error {
	if !validName(name) {
		return fmt.Errorf("%q is no name of a file", name)
	}
	unlock, err := lockFile(filepath.Join(s.dir, ".lock"))
	if err != nil {
		return err
	}
	defer unlock()
	have, exists, err := s.read(name)
	if err != nil {
		return err
	}
	if Sum(have, exists) != sum {
		return errChanged
	}
	return s.write(name, content)
}

// write is on disk, whole, or not at all.
func (s store) write(name string, content []byte) error {
	f, err := os.CreateTemp(s.dir, ".new-") // mode 600
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(s.dir, name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

func (s store) config() (Config, error) {
	var c Config
	text, ok, err := s.read(ConfigFile)
	if err != nil || !ok {
		return c, err
	}
	return c, json.Unmarshal([]byte(text), &c)
}

func (s store) saveConfig(c Config) error {
	raw, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	return s.write(ConfigFile, append(raw, '\n'))
}

func readAll(r io.Reader) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err == nil && len(raw) > maxFile {
		err = fmt.Errorf("more than %d bytes", maxFile)
	}
	return raw, err
}
