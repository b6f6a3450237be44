package emulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/opsctl/opsctl/internal/atomicfile"
)

const (
	stateFile   = "state.json"
	stateSchema = "opsctl.emulator-kept/v1"
	// saveDelay is how long changes are gathered before they are written: what a
	// killed emulator may lose.
	saveDelay = 300 * time.Millisecond
	// saveAnyway is for what changes unnoticed: logs, and the data of Redis servers.
	saveAnyway = 5 * time.Second
)

// ErrState is in the chain of every error about Options.StateDir: a state that
// cannot be read, or a directory that another emulator uses.
var ErrState = errors.New("kept state")

// kept is the state file.
type kept struct {
	Schema    string                  `json:"schema"`
	Platforms map[string]keptPlatform `json:"platforms"`
}

// keptPlatform is one platform's part of it.
type keptPlatform struct {
	World json.RawMessage `json:"world,omitempty"`
	API   json.RawMessage `json:"api,omitempty"`
}

// keeper writes the state file after changes and at the end. A nil keeper keeps nothing.
type keeper struct {
	path string
	take func() (kept, error)
	say  func(format string, args ...any)

	dirty chan struct{}
	stop  chan struct{}
	done  sync.WaitGroup

	mu   sync.Mutex
	last []byte
}

// lockState keeps every other emulator out of Options.StateDir until Close.
func (s *Server) lockState() error {
	dir := s.opts.StateDir
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the state's directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("lock the state's directory: %w", err)
	}
	if err := flock(f); err != nil {
		_ = f.Close()
		return fmt.Errorf("%w: another emulator uses %s", ErrState, dir)
	}
	s.lock = f
	return nil
}

// restore reads what an earlier server left in Options.StateDir and begins to
// keep what this one does. A state that cannot be read is an error, and stays as it is.
func (s *Server) restore() error {
	if s.opts.StateDir == "" {
		return nil
	}
	k := &keeper{
		path: filepath.Join(s.opts.StateDir, stateFile), take: s.snapshot, say: s.logf, dirty: make(chan struct{}, 1), stop: make(chan struct{}),
	}
	data, err := os.ReadFile(k.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("%w: %w", ErrState, err)
	default:
		if err := s.load(data); err != nil {
			return fmt.Errorf("%w: %s is damaged or of another version, and was left as it is: %w", ErrState, k.path, err)
		}
	}
	for _, f := range s.fronts {
		if f.world != nil {
			k.watch(f.world.Changed)
		}
	}
	s.keep = k
	return nil
}

func (s *Server) load(data []byte) error {
	var st kept
	if err := json.Unmarshal(data, &st); err != nil {
		return err
	}
	if st.Schema != stateSchema {
		return fmt.Errorf("its schema is %q, this version of opsctl knows %s", st.Schema, stateSchema)
	}
	for _, f := range s.fronts {
		p := st.Platforms[f.name]
		for _, part := range []struct {
			of    any
			state json.RawMessage
		}{{f.world, p.World}, {f.view, p.API}} {
			if k, is := part.of.(keepable); is && part.state != nil {
				if err := k.Restore(part.state); err != nil {
					return fmt.Errorf("%s: %w", f.name, err)
				}
			}
		}
	}
	return nil
}

// snapshot gathers the state. A platform's API comes before its world: it may
// then miss the newest machine, but never knows one that the world doesn't.
func (s *Server) snapshot() (kept, error) {
	st := kept{Schema: stateSchema, Platforms: map[string]keptPlatform{}}
	for _, f := range s.fronts {
		var p keptPlatform
		var err error
		if k, is := f.view.(keepable); is {
			if p.API, err = k.Snapshot(); err != nil {
				return st, fmt.Errorf("%s: %w", f.name, err)
			}
		}
		if f.world != nil {
			if p.World, err = f.world.Snapshot(); err != nil {
				return st, fmt.Errorf("%s: %w", f.name, err)
			}
		}
		st.Platforms[f.name] = p
	}
	return st, nil
}

// start begins to write.
func (k *keeper) start() {
	if k == nil {
		return
	}
	k.done.Go(func() {
		for {
			select {
			case <-k.stop:
				return
			case <-k.dirty:
			case <-time.After(saveAnyway):
			}
			select {
			case <-k.stop:
				return
			case <-time.After(saveDelay):
			}
			if err := k.save(); err != nil {
				k.say("emulator: %v", err)
			}
		}
	})
	k.changed()
}

// changed says that there may be something new to write.
func (k *keeper) changed() {
	if k == nil {
		return
	}
	select {
	case k.dirty <- struct{}{}:
	default:
	}
}

// watch calls changed whenever a channel of next is closed.
func (k *keeper) watch(next func() <-chan struct{}) {
	k.done.Go(func() {
		ch := next()
		for {
			select {
			case <-ch:
				ch = next() // before the state is looked at: no change is missed
				k.changed()
			case <-k.stop:
				return
			}
		}
	})
}

// end writes the last time. The worlds must still run.
func (k *keeper) end() error {
	if k == nil {
		return nil
	}
	close(k.stop)
	k.done.Wait()
	return k.save()
}

func (k *keeper) save() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	st, err := k.take()
	if err != nil {
		return fmt.Errorf("save the state: %w", err)
	}
	data, err := json.Marshal(st)
	if err != nil {
		return fmt.Errorf("save the state: %w", err)
	}
	if bytes.Equal(data, k.last) {
		return nil
	}
	// It holds the apps' secrets: for its owner alone.
	if err := atomicfile.Write(k.path, data, 0o600); err != nil {
		return fmt.Errorf("save the state: %w", err)
	}
	k.last = data
	return nil
}
