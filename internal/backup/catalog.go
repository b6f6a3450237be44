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
	Manifest *Manifest // nil when Err is set
	Err      error     // the manifest cannot be read: the backup is damaged
	Verdict  *Verdict  // of the newest verify; nil when there was none or it cannot be read
}

// List returns the backups of a store, newest first. It needs nothing but the
// store. A damaged manifest is an Entry with Err, not an error.
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
	data, err := readAll(ctx, st, id+"/"+manifestName)
	if err == nil {
		e.Manifest, err = ParseManifest(data)
	}
	if err == nil && e.Manifest.ID != id {
		e.Manifest, err = nil, fmt.Errorf("manifest: it belongs to backup %s", e.Manifest.ID)
	}
	e.Err = err
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

// readAll reads a small object.
func readAll(ctx context.Context, st store.Store, key string) ([]byte, error) {
	r, err := st.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	data, err := io.ReadAll(io.LimitReader(r, maxManifest+1))
	if err == nil && len(data) > maxManifest {
		err = errors.New("too big")
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
