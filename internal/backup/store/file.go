package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"time"
)

// incomplete is the directory, beside the objects, of puts under way.
const incomplete = ".incomplete"

// File is a Store in a directory: an object is a file, complete and on disk
// before it has its name. Directories are private to the user.
type File struct {
	dir  string
	link func(from, to string) error
}

// NewFile makes a store in dir, which is created by the first Put.
func NewFile(dir string) *File { return &File{dir: dir, link: os.Link} }

// String is "file:DIR".
func (s *File) String() string { return "file:" + s.dir }

// Path is the file of a key, for tests and people.
func (s *File) Path(key string) string { return filepath.Join(s.dir, filepath.FromSlash(key)) }

// Put implements Store.
func (s *File) Put(ctx context.Context, key string, r io.Reader) (Object, error) {
	temp, size, err := s.write(ctx, key, r)
	if err != nil {
		return Object{}, err
	}
	defer func() { _ = os.Remove(temp) }() // gone after the rename
	if err := s.settle(key, func(path string) error { return os.Rename(temp, path) }); err != nil {
		return Object{}, err
	}
	info, err := os.Stat(s.Path(key))
	if err != nil {
		return Object{}, err
	}
	return Object{Key: key, Size: size, Modified: info.ModTime()}, nil
}

// PutIfAbsent implements Store: a hard link is the one way to give a finished
// file its name that fails when the name is taken, on every system.
func (s *File) PutIfAbsent(ctx context.Context, key string, data []byte) error {
	temp, _, err := s.write(ctx, key, bytes.NewReader(data))
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp) }()
	err = s.settle(key, func(path string) error { return s.linkOrCopy(temp, path, data) })
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s: %w", key, ErrExists)
	}
	return err
}

// linkOrCopy links temp to path. A file system without links (exFAT, some
// network mounts) gets the data under its name directly: then a crash in
// between leaves half a file, which its checksum tells.
func (s *File) linkOrCopy(temp, path string, data []byte) error {
	err := s.link(temp, path)
	if err == nil || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, createErr := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if createErr != nil {
		if errors.Is(createErr, fs.ErrExist) || errors.Is(createErr, fs.ErrNotExist) {
			return createErr
		}
		return errors.Join(err, createErr)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		_ = os.Remove(path)
	}
	return err
}

// write fills a temporary file and syncs it.
func (s *File) write(ctx context.Context, key string, r io.Reader) (path string, size int64, err error) {
	if err := CheckKey(key); err != nil {
		return "", 0, err
	}
	dir := filepath.Join(s.dir, incomplete)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", 0, err
	}
	f, err := os.CreateTemp(dir, "put-") // mode 0600
	if err != nil {
		return "", 0, err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if size, err = io.Copy(f, &ctxReader{ctx: ctx, r: r}); err != nil {
		return "", 0, fmt.Errorf("put %s: %w", key, err)
	}
	if err = f.Sync(); err != nil {
		return "", 0, fmt.Errorf("put %s: %w", key, err)
	}
	return f.Name(), size, f.Close()
}

// settle gives a finished file its name. Another process may remove the
// directory as empty between making and using it, so that is tried again.
func (s *File) settle(key string, name func(path string) error) error {
	path := s.Path(key)
	var err error
	for range 5 {
		if err = os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err = name(path); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return err
	}
	return s.syncDirs(filepath.Dir(path))
}

// syncDirs makes the names durable, from dir up to the store's directory.
func (s *File) syncDirs(dir string) error {
	for {
		d, err := os.Open(dir)
		if err != nil {
			return err
		}
		_ = d.Sync() // some systems cannot sync a directory; the data itself is synced
		_ = d.Close()
		if dir == s.dir || len(dir) <= len(s.dir) {
			return nil
		}
		dir = filepath.Dir(dir)
	}
}

// Get implements Store.
func (s *File) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	return s.GetRange(ctx, key, 0, -1)
}

// GetRange implements Store.
func (s *File) GetRange(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := CheckKey(key); err != nil {
		return nil, err
	}
	f, err := os.Open(s.Path(key))
	if err != nil {
		return nil, notFound(key, err)
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		_ = f.Close()
		return nil, notFound(key, errors.Join(err, fs.ErrNotExist))
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		_ = f.Close()
		return nil, err
	}
	var r io.Reader = f
	if length >= 0 {
		r = io.LimitReader(f, length)
	}
	return readCloser{Reader: &ctxReader{ctx: ctx, r: r}, Closer: f}, nil
}

// Stat implements Store.
func (s *File) Stat(_ context.Context, key string) (Object, error) {
	if err := CheckKey(key); err != nil {
		return Object{}, err
	}
	info, err := os.Stat(s.Path(key))
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return Object{}, notFound(key, err)
	}
	return Object{Key: key, Size: info.Size(), Modified: info.ModTime()}, nil
}

// List implements Store.
func (s *File) List(ctx context.Context, prefix string) ([]Object, error) {
	var out []Object
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) { // not made yet, or removed meanwhile
				return nil
			}
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		rel, err := filepath.Rel(s.dir, path)
		if err != nil {
			return err
		}
		key := filepath.ToSlash(rel)
		if d.IsDir() {
			if key == "." || isKey(key) && related(key+"/", prefix) {
				return nil
			}
			return filepath.SkipDir
		}
		if !d.Type().IsRegular() || !isKey(key) || !strings.HasPrefix(key, prefix) {
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) { // removed meanwhile
			return nil
		}
		if err != nil {
			return err
		}
		out = append(out, Object{Key: key, Size: info.Size(), Modified: info.ModTime()})
		return nil
	})
	sort.Slice(out, func(i, j int) bool { return out[i].Key < out[j].Key })
	return out, err
}

func isKey(s string) bool { return CheckKey(s) == nil }

// related tells whether a directory can hold keys with the prefix.
func related(dir, prefix string) bool {
	return strings.HasPrefix(dir, prefix) || strings.HasPrefix(prefix, dir)
}

// Delete implements Store.
func (s *File) Delete(_ context.Context, key string) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	path := s.Path(key)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	removed := true // until a directory is not empty
	for dir := filepath.Dir(path); removed && dir != s.dir; dir = filepath.Dir(dir) {
		removed = os.Remove(dir) == nil
	}
	return nil
}

// SweepIncomplete implements Store.
func (s *File) SweepIncomplete(_ context.Context, before time.Time) (int, error) {
	entries, err := os.ReadDir(filepath.Join(s.dir, incomplete))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	n := 0
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || !info.ModTime().Before(before) {
			continue
		}
		if os.Remove(filepath.Join(s.dir, incomplete, e.Name())) == nil {
			n++
		}
	}
	return n, err
}

func notFound(key string, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return fmt.Errorf("%s: %w", key, ErrNotFound)
	}
	return err
}

type readCloser struct {
	io.Reader
	io.Closer
}

// ctxReader ends with the context's error when that ends.
type ctxReader struct {
	ctx context.Context //nolint:containedctx // io.Reader has no room for it
	r   io.Reader
}

func (r *ctxReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(p)
}
