package backup

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"filippo.io/age"

	"github.com/opsctl/opsctl/internal/backup/store"
	"github.com/opsctl/opsctl/internal/errs"
)

// ExportOptions says which backup to write as a plain archive, and where.
type ExportOptions struct {
	Store      store.Store
	ID         string // or Latest
	Identities []age.Identity
	Path       string // of the archive
	Overwrite  bool   // replace a file that is there
	DryRun     bool   // read and check everything, write no file

	Now      func() time.Time // the clock
	Progress Func             // may be nil
}

// Exported is what Export wrote.
type Exported struct {
	ID         string   `json:"id"`
	Path       string   `json:"path"`
	Bytes      int64    `json:"bytes"`
	SHA256     string   `json:"sha256"`
	Database   Database `json:"database"`
	PostgreSQL int      `json:"postgresql"` // pg_restore must be of this major version or newer
	Roles      []string `json:"roles"`      // that pg_restore will name
	Notes      []string `json:"notes"`
}

// Export writes a backup's dump, decrypted and decompressed, to a file that
// pg_restore takes. The file gets its name only when every byte was checked;
// it is readable by the user alone. The error has code Conflict for a file
// that is there, CheckFailed for a damaged backup.
func Export(ctx context.Context, o ExportOptions) (*Exported, error) {
	entry, err := Find(ctx, o.Store, o.ID)
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(o.Path); err == nil && !o.Overwrite {
		return nil, existsError(o.Path)
	}
	v := newVerifier(VerifyOptions{Store: o.Store, ID: o.ID, Identities: o.Identities, Now: o.Now, Progress: o.Progress}, entry, "export")
	// Beside its final place: a rename does not go from one disk to another.
	if v.dir, err = os.MkdirTemp(filepath.Dir(o.Path), "."+filepath.Base(o.Path)+".partial-"); err != nil { // mode 0700
		return nil, errs.Wrap(err, errs.Failure, "export to %s", o.Path)
	}
	defer func() { _ = os.RemoveAll(v.dir) }()
	stopped, err := v.stages(ctx, []step{{StageManifest, v.checkManifest}, {StageRead, v.readDump}})
	switch {
	case ctx.Err() != nil:
		return nil, errs.New(errs.Interrupted, "%s was not written", o.Path)
	case err != nil:
		return nil, err
	case stopped || len(v.verdict.Differences) > 0:
		return nil, damagedError(entry.ID, "exported", v.verdict.Differences)
	}
	dump := v.m.Object(RoleDump)
	out := &Exported{
		ID: v.m.ID, Path: o.Path, Bytes: dump.Plain.Bytes, SHA256: dump.Plain.SHA256, Database: v.m.Database,
		PostgreSQL: max(v.m.dumpMajor(), v.m.Server.Major()), Roles: slices.Sorted(maps.Keys(v.rolesOf())), Notes: v.verdict.Notes,
	}
	if o.DryRun {
		return out, nil
	}
	return out, settleFile(v.spoolPath(), o.Path, o.Overwrite)
}

func existsError(path string) error {
	return errs.New(errs.Conflict, "%s exists and is not overwritten", path).WithHint("name another file, or say --yes")
}

// settleFile gives the finished file its name. A hard link fails where the name is
// taken; a file system without links is asked first.
func settleFile(temp, path string, overwrite bool) error {
	f, err := os.OpenFile(temp, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if overwrite {
		return os.Rename(temp, path)
	}
	err = os.Link(temp, path)
	if errors.Is(err, fs.ErrExist) {
		return existsError(path)
	}
	if err == nil {
		return nil
	}
	if _, err := os.Lstat(path); err == nil {
		return existsError(path)
	}
	return os.Rename(temp, path)
}
