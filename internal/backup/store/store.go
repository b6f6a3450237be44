// Package store keeps backups' objects. A Store is small on purpose: what
// opsctl needs is a streaming put that leaves nothing when it fails, and a put
// that never overwrites, for the manifest that makes a backup count.
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
)

// Errors that every Store wraps.
var (
	ErrNotFound = errors.New("no such object")
	ErrExists   = errors.New("object exists already")
)

// Object describes a stored object.
type Object struct {
	Key      string
	Size     int64
	Modified time.Time
}

// Store keeps objects under slash-separated keys (see CheckKey). All methods
// may be called at the same time from several goroutines and processes.
type Store interface {
	// Put stores everything up to r's io.EOF, replacing an object of that key.
	// When r ends with another error, or ctx ends, nothing is stored or
	// replaced, and the error wraps it.
	Put(ctx context.Context, key string, r io.Reader) (Object, error)
	// PutIfAbsent stores data, or fails with ErrExists and changes nothing.
	PutIfAbsent(ctx context.Context, key string, data []byte) error
	// Get opens an object, or fails with ErrNotFound.
	Get(ctx context.Context, key string) (io.ReadCloser, error)
	// GetRange opens length bytes from offset, or to the end when length < 0.
	GetRange(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error)
	// Stat describes an object, or fails with ErrNotFound.
	Stat(ctx context.Context, key string) (Object, error)
	// List returns the objects whose key begins with prefix, in the keys' order;
	// "" lists everything. Objects of failed or running puts are not in it.
	List(ctx context.Context, prefix string) ([]Object, error)
	// Delete removes an object; one that is not there is no error.
	Delete(ctx context.Context, key string) error
	// SweepIncomplete removes what killed puts that began before the given time
	// left, and returns how many.
	SweepIncomplete(ctx context.Context, before time.Time) (int, error)
	// String names the store without secrets: "file:/var/backups/app".
	String() string
}

// Open opens the store that location names: file:DIR. Errors are usage errors.
func Open(location string) (Store, error) {
	scheme, rest, ok := strings.Cut(location, ":")
	switch {
	case location == "":
		return nil, errs.New(errs.Usage, "no backup store is set").
			WithHint("use --store file:DIR, OPSCTL_BACKUP_STORE, or backup.store in opsctl.yaml")
	case ok && scheme == "file":
		if after, found := strings.CutPrefix(rest, "//"); found {
			rest = after
		}
		if rest == "" {
			return nil, errs.New(errs.Usage, "store %q names no directory", location).WithHint("write file:/var/backups/app, or file:backups for a relative one")
		}
		dir, err := filepath.Abs(rest)
		if err != nil {
			return nil, errs.Wrap(err, errs.Usage, "store %q", location)
		}
		return NewFile(dir), nil
	case ok && scheme == "s3":
		return nil, errs.New(errs.Usage, "store %q: s3 is not supported by this version", location).WithHint("use file:DIR, and copy the directory to the bucket")
	default:
		return nil, errs.New(errs.Usage, "store %q is not known", location).WithHint("write it as file:DIR")
	}
}

// CheckKey refuses keys that a store could misread: a key is made of parts
// joined by slashes; a part has letters, digits, '.', '_', '-', and does not
// begin with a dot.
func CheckKey(key string) error {
	if key == "" || len(key) > 512 {
		return fmt.Errorf("store key of %d bytes", len(key))
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "" || part[0] == '.' {
			return fmt.Errorf("store key %q has an empty or hidden part", key)
		}
		for _, c := range []byte(part) {
			if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-') {
				return fmt.Errorf("store key %q has the byte %q", key, c)
			}
		}
	}
	return nil
}
