package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/opsctl/opsctl/internal/backup/archive"
	"github.com/opsctl/opsctl/internal/backup/seal"
	"github.com/opsctl/opsctl/internal/backup/store"
	"github.com/opsctl/opsctl/internal/errs"
)

// readObjects reads every stored byte through every layer. The dump is spooled
// for pg_restore, and its content compared with the manifest at once, so that
// a dump that was altered and sealed again is told by table.
func (v *verifier) readObjects(ctx context.Context) (string, error) {
	whole := true
	for i := range v.m.Objects {
		o := &v.m.Objects[i]
		ok, err := v.readObject(ctx, o)
		if err != nil {
			return "", err
		}
		if o.Role == RoleDump {
			whole = ok
		}
	}
	if !whole {
		return "", errStop
	}
	return size(v.verdict.StoredBytes) + " read, decrypted and checked", nil
}

// readObject returns whether the object could be read to its end.
func (v *verifier) readObject(ctx context.Context, o *Object) (bool, error) {
	key := v.m.ID + "/" + o.Name
	body, err := v.Store.Get(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		v.differ("object", o.Name, "", "", "missing from the store")
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read %s: %w", key, err)
	}
	defer func() { _ = body.Close() }()
	var ids []age.Identity
	if o.Encryption == "age" {
		ids = v.Identities
	}
	r, err := seal.NewReader(body, ids)
	if errors.Is(err, seal.ErrWrongKey) {
		return false, errs.New(errs.Usage, "backup %s cannot be opened: none of the identities given fits", v.m.ID).
			WithHint("it is encrypted to %s; give the identity of one of them", strings.Join(v.m.Recipients, ", "))
	}
	if err != nil {
		return v.damaged(ctx, o, err)
	}
	defer r.Close()
	readErr := v.consume(o, r)
	if errors.Is(readErr, errLocal) || ctx.Err() != nil {
		return false, readErr
	}
	if readErr != nil {
		d, ok := errors.AsType[*seal.Damage](readErr)
		if !ok { // whole as a stream, but no archive
			v.differ("object", o.Name, "", "", "%v", readErr)
		} else if _, err := v.damaged(ctx, o, d); err != nil {
			return false, err
		}
		_ = r.Drain()
	}
	sums := r.Sums()
	v.verdict.StoredBytes += sums.Stored.Bytes
	v.verdict.PlainBytes += sums.Plain.Bytes
	v.compareDigests(o, sums, readErr == nil)
	return readErr == nil, nil
}

// damaged records what a layer found. A store that fails to deliver says
// nothing of the backup: that is an error.
func (v *verifier) damaged(ctx context.Context, o *Object, err error) (bool, error) {
	var d *seal.Damage
	if !errors.As(err, &d) {
		return false, err
	}
	if d.Layer == seal.LayerStore && !errors.Is(d.Cause, io.ErrUnexpectedEOF) {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		return false, fmt.Errorf("read %s: %w", o.Name, d.Cause)
	}
	v.differ("object", o.Name, "", "", "damaged: %v", d)
	return false, nil
}

func (v *verifier) compareDigests(o *Object, is seal.Sums, whole bool) {
	if is.Stored.Bytes != o.Stored.Bytes {
		v.differ("object", o.Name, fmt.Sprint(o.Stored.Bytes, " bytes"), fmt.Sprint(is.Stored.Bytes, " bytes"), "its length is wrong")
	} else if is.Stored.SHA256 != o.Stored.SHA256 {
		v.differ("object", o.Name, "sha256 "+o.Stored.SHA256[:16], "sha256 "+is.Stored.SHA256[:16], "its stored bytes are not those that were written")
	}
	if whole && is.Plain != o.Plain {
		v.differ("object", o.Name, fmt.Sprintf("%d bytes, sha256 %s", o.Plain.Bytes, o.Plain.SHA256[:16]),
			fmt.Sprintf("%d bytes, sha256 %s", is.Plain.Bytes, is.Plain.SHA256[:16]), "its content is not what was written")
	}
}

// errLocal marks a failure of this machine, not of the backup.
var errLocal = errors.New("cannot spool the dump")

// consume reads an object's plain content to its end.
func (v *verifier) consume(o *Object, r io.Reader) error {
	if o.Role != RoleDump {
		var text strings.Builder
		if _, err := io.Copy(&text, r); err != nil {
			return err
		}
		if o.Role == RoleGlobals {
			return checkGlobals(text.String(), v.m.Roles)
		}
		return nil
	}
	if err := v.checkSpace(v.dir, o.Plain.Bytes); err != nil {
		return errors.Join(errLocal, err)
	}
	f, err := v.spool()
	if err != nil {
		return errors.Join(errLocal, err)
	}
	defer func() { _ = f.Close() }()
	m := &meter{w: localWriter{f}, emit: v.Progress, now: v.Now, event: Event{Stage: StageRead, State: Progress, Total: o.Plain.Bytes}}
	a, err := archive.Read(m, r)
	if err != nil {
		return err
	}
	v.archive = a
	v.noteTablespaces()
	v.compareTables(contentByTable(a), "in the stored dump")
	return nil
}

// localWriter marks its errors as this machine's.
type localWriter struct{ w io.Writer }

func (l localWriter) Write(p []byte) (int, error) {
	n, err := l.w.Write(p)
	if err != nil {
		err = errors.Join(errLocal, err)
	}
	return n, err
}

// checkSpace fails before a full disk does. Spooled dump and scratch server may
// be on different file systems, so each is asked for its own.
func (v *verifier) checkSpace(dir string, need int64) error {
	if free, ok := freeSpace(dir); ok && free < need {
		return errs.New(errs.Failure, "%s needs about %s in %s, and %s are free", v.command, size(need), dir, size(free)).
			WithHint("set TMPDIR to a directory with more space")
	}
	return nil
}

// restoredBytes estimates what the restored database takes: the rows with their
// headers, large objects, and half as much again for indexes. The source's own
// size says little, since it holds what was deleted and not given back yet.
func (m *Manifest) restoredBytes() int64 {
	const header, empty = 32, 64 << 20
	bytes := m.LargeObjects.Bytes + header*m.LargeObjects.Rows
	for _, t := range m.Tables {
		if t.Kind == "table" {
			bytes += t.Bytes + header*t.Rows
		}
	}
	return empty + bytes + bytes/2
}

// size is a number of bytes for people.
func size(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	f, i := float64(n), 0
	for f >= 1024 && i < len(units)-1 {
		f /= 1024
		i++
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", f, units[i])
}

// noteTablespaces says that everything is restored into the default tablespace.
func (v *verifier) noteTablespaces() {
	var used []string
	for _, e := range v.archive.Entries {
		if e.Tablespace != "" && !slices.Contains(used, e.Tablespace) {
			used = append(used, e.Tablespace)
		}
	}
	if len(used) > 0 && v.command != "export" {
		v.note("tablespaces are left out, everything goes into the default one: %s", names(used))
	}
}
