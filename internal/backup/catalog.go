package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/backup/store"
	"github.com/opsctl/opsctl/internal/errs"
)

// Latest names the newest backup wherever an id is asked for.
const Latest = "latest"

// Entry is one backup in the store.
type Entry struct {
	ID       string
	Manifest *Manifest // nil when Err or Unread is set
	Err      error     // the manifest is damaged, and so is the backup
	Unread   error     // the manifest could not be read, or is of a newer opsctl: nothing is known of the backup
	Damage   []string  // objects that are missing or have another size than they should
	Verdict  *Verdict  // of the newest verify; nil when there was none or it cannot be read
}

// Damaged says what is wrong with the backup as far as a listing shows; "" is nothing.
func (e *Entry) Damaged() string {
	if e.Err != nil {
		return e.Err.Error()
	}
	return strings.Join(e.Damage, ", ")
}

// List returns the backups of a store, newest first. It needs nothing but the
// store. A damaged manifest is an Entry with Err, and one that could not be read
// an Entry with Unread; neither is an error.
func List(ctx context.Context, st store.Store) ([]Entry, error) {
	groups, err := group(ctx, st, "")
	if err != nil {
		return nil, err
	}
	entries := []Entry{}
	for id, objects := range groups {
		if !slices.ContainsFunc(objects, func(o store.Object) bool { return o.Key == id+"/"+manifestName }) {
			continue
		}
		entries = append(entries, load(ctx, st, id, objects))
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
	}
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(b.ID, a.ID) })
	return entries, nil
}

// Find returns one backup by id, or the newest for Latest. The error has code
// NotFound when there is no such backup or none at all.
func Find(ctx context.Context, st store.Store, id string) (*Entry, error) {
	if id == Latest {
		newest, err := newestID(ctx, st)
		if err != nil {
			return nil, err
		}
		id = newest
	} else if !IsID(id) {
		return nil, errs.New(errs.NotFound, "no backup %q in %s", id, st).WithHint("ids look like 20261124T030000Z-k3xa; see: opsctl backup list")
	}
	groups, err := group(ctx, st, id+"/")
	if err != nil {
		return nil, err
	}
	objects := groups[id]
	if !slices.ContainsFunc(objects, func(o store.Object) bool { return o.Key == id+"/"+manifestName }) {
		return nil, errs.New(errs.NotFound, "no backup %s in %s", id, st).WithHint("see: opsctl backup list")
	}
	e := load(ctx, st, id, objects)
	return &e, ctx.Err()
}

func newestID(ctx context.Context, st store.Store) (string, error) {
	groups, err := group(ctx, st, "")
	if err != nil {
		return "", err
	}
	newest := ""
	for id, objects := range groups {
		if id > newest && slices.ContainsFunc(objects, func(o store.Object) bool { return o.Key == id+"/"+manifestName }) {
			newest = id
		}
	}
	if newest == "" {
		return "", errs.New(errs.NotFound, "no backup in %s", st).WithHint("make one with: opsctl backup create")
	}
	return newest, nil
}

// group collects the objects that belong to ids; other keys are not ours.
func group(ctx context.Context, st store.Store, prefix string) (map[string][]store.Object, error) {
	objects, err := st.List(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", st, err)
	}
	groups := make(map[string][]store.Object)
	for _, o := range objects {
		if id, _, ok := strings.Cut(o.Key, "/"); ok && IsID(id) {
			groups[id] = append(groups[id], o)
		}
	}
	return groups, nil
}

func load(ctx context.Context, st store.Store, id string, objects []store.Object) Entry {
	e := Entry{ID: id}
	e.loadManifest(ctx, st)
	if e.Manifest != nil {
		e.Damage = sizesDiffer(e.Manifest, objects)
	}
	for _, o := range slices.Backward(objects) { // keys sort by time
		if !strings.HasPrefix(o.Key, id+"/"+verifyPrefix) {
			continue
		}
		if data, err := readAll(ctx, st, o.Key); err == nil {
			if e.Verdict, err = parseVerdict(data, id); err == nil {
				break
			}
		}
	}
	return e
}

// loadManifest tells a damaged manifest from one that could not be read.
func (e *Entry) loadManifest(ctx context.Context, st store.Store) {
	data, err := readAll(ctx, st, e.ID+"/"+manifestName)
	if err != nil && !errors.Is(err, errTooBig) {
		e.Unread = errs.Wrap(err, errs.CodeOf(err), "the manifest of backup %s could not be read", e.ID).
			WithHint("may you read the store, and is it whole? %s", st)
		return
	}
	if err == nil {
		e.Manifest, err = ParseManifest(data)
	}
	if newer, ok := errors.AsType[newerError](err); ok {
		e.Unread = errs.Wrap(newer, errs.Failure, "backup %s was made by a newer opsctl", e.ID).WithHint("update opsctl on this machine")
		return
	}
	if err == nil && e.Manifest.ID != e.ID {
		e.Manifest, err = nil, fmt.Errorf("manifest: it belongs to backup %s", e.Manifest.ID)
	}
	e.Err = err
}

// sizesDiffer finds what the store's listing gives away.
func sizesDiffer(m *Manifest, objects []store.Object) (damage []string) {
	for _, o := range m.Objects {
		i := slices.IndexFunc(objects, func(x store.Object) bool { return x.Key == m.ID+"/"+o.Name })
		switch {
		case i < 0:
			damage = append(damage, o.Name+" is missing")
		case objects[i].Size != o.Stored.Bytes:
			damage = append(damage, fmt.Sprintf("%s has %d of %d bytes", o.Name, objects[i].Size, o.Stored.Bytes))
		}
	}
	return damage
}

var errTooBig = errors.New("manifest: it is bigger than any manifest")

// readAll reads a small object.
func readAll(ctx context.Context, st store.Store, key string) ([]byte, error) {
	r, err := st.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	data, err := io.ReadAll(io.LimitReader(r, maxManifest+1))
	if err == nil && len(data) > maxManifest {
		err = errTooBig
	}
	return data, err
}

// SweepLeftovers removes what failed creates left: objects of an id without a
// manifest, all of them last written before the given time, and incomplete
// puts. It returns the ids that it removed.
func SweepLeftovers(ctx context.Context, st store.Store, before time.Time) ([]string, error) {
	if _, err := st.SweepIncomplete(ctx, before); err != nil {
		return nil, err
	}
	groups, err := group(ctx, st, "")
	if err != nil {
		return nil, err
	}
	var removed []string
	for id, objects := range groups {
		if slices.ContainsFunc(objects, func(o store.Object) bool {
			return o.Key == id+"/"+manifestName || !o.Modified.Before(before)
		}) {
			continue
		}
		for _, o := range objects {
			if err := st.Delete(ctx, o.Key); err != nil {
				return removed, err
			}
		}
		removed = append(removed, id)
	}
	slices.Sort(removed)
	return removed, nil
}
