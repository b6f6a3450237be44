package backup

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/opsctl/opsctl/internal/backup/store"
	"github.com/opsctl/opsctl/internal/errs"
)

// deafStore cannot read some objects.
type deafStore struct {
	store.Store
	suffix string
	err    error
}

func (s *deafStore) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	if strings.HasSuffix(key, s.suffix) {
		return nil, s.err
	}
	return s.Store.Get(ctx, key)
}

// What cannot be read says nothing of the backup: an error, no verdict, and
// never "damaged".
func TestAManifestThatCannotBeReadIsNoVerdict(t *testing.T) {
	f := newFixture(t)
	m := f.create(t, database(t, ""))
	data, err := readAll(t.Context(), f.store, m.ID+"/"+manifestName)
	if err != nil {
		t.Fatal(err)
	}
	newer := bytes.Replace(data[:len(data)-checksumSize], []byte("manifest/v1"), []byte("manifest/v12"), 1)
	for _, tt := range []struct {
		name, want string
		manifest   []byte
		err        error
	}{
		{"no permission", "could not be read", data, os.ErrPermission},
		{"the store is broken", "could not be read", data, errors.New("input/output error")},
		{"a newer form", "was made by a newer opsctl", withChecksum(newer), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := os.WriteFile(f.store.Path(m.ID+"/"+manifestName), tt.manifest, 0o600); err != nil {
				t.Fatal(err)
			}
			o := f.verifyOptions(m.ID)
			if tt.err != nil {
				o.Store = &deafStore{f.store, manifestName, tt.err}
			}
			v, err := Verify(t.Context(), o)
			if v != nil || errs.CodeOf(err) != errs.Failure || errs.HintOf(err) == "" || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("verdict %+v, error %v", v, err)
			}
			list, err := List(t.Context(), o.Store)
			if err != nil || len(list) != 1 || list[0].Unread == nil || list[0].Damaged() != "" || list[0].Verdict != nil {
				t.Errorf("list %+v, %v", list, err)
			}
		})
	}
}

// The newest proof is worth nothing once an object is gone or cut.
func TestTheListingShowsDamage(t *testing.T) {
	f := newFixture(t)
	m := f.create(t, database(t, ""))
	proven(t, f.verify(t, m.ID))
	name := m.Object(RoleDump).Name
	path := f.store.Path(m.ID + "/" + name)
	for _, tt := range []struct {
		change func() error
		want   string
	}{
		{func() error { return os.Truncate(path, 10) }, name + " has 10 of "},
		{func() error { return os.Remove(path) }, name + " is missing"},
	} {
		if err := tt.change(); err != nil {
			t.Fatal(err)
		}
		e, err := Find(t.Context(), f.store, m.ID)
		if err != nil || !strings.HasPrefix(e.Damaged(), tt.want) || e.Verdict == nil {
			t.Errorf("got %+v, %v; want %q", e, err, tt.want)
		}
	}
}
