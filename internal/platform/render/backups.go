package render

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// Render's backups are two things: recovery to a moment of the last days, into a
// new database; and exports, which are dumps in pg_dump's directory format to
// download, kept for 7 days. The API restores from recovery alone.
const (
	exportKept    = 7 * 24 * time.Hour
	exportTimeout = time.Hour
)

type export struct {
	ID        string    `json:"id"`
	CreatedAt time.Time `json:"createdAt"`
	URL       string    `json:"url"` // absent until it is ready
}

func (e export) backup() platform.NativeBackup {
	b := platform.NativeBackup{ID: e.ID, Kind: "export", Status: "in progress", Created: e.CreatedAt, Expires: e.CreatedAt.Add(exportKept)}
	if e.URL != "" {
		b.Status, b.Ready = "ready", true
	}
	return b
}

// databaseID is the id of a database by name, or NotFound.
func (p *Platform) databaseID(ctx context.Context, app, name string) (string, error) {
	id, err := p.storeID(ctx, app, name, "dpg-")
	if err != nil || id != "" {
		return id, err
	}
	ownerID, err := p.ownerID(ctx, "")
	if err != nil {
		return "", err
	}
	found, err := p.findPostgres(ctx, ownerID, name)
	if err != nil {
		return "", err
	}
	if found == nil {
		return "", errs.New(errs.NotFound, "no database %q on Render", name).WithHint("run: opsctl deploy")
	}
	p.remember(name, found.ID)
	return found.ID, nil
}

// Backups lists the exports.
func (p *Platform) Backups(ctx context.Context, app, database string) ([]platform.NativeBackup, error) {
	id, err := p.databaseID(ctx, app, database)
	if err != nil {
		return nil, err
	}
	all, err := p.exports(ctx, id)
	if err != nil {
		return nil, explain(err, "list the exports of %q", database)
	}
	out := make([]platform.NativeBackup, len(all))
	for i, e := range all {
		out[i] = e.backup()
	}
	return out, nil
}

// exports are those of a database, newest first.
func (p *Platform) exports(ctx context.Context, id string) ([]export, error) {
	var all []export
	if err := p.call(ctx, http.MethodGet, "/postgres/"+url.PathEscape(id)+"/export", nil, nil, &all); err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b export) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return all, nil
}

// CreateBackup makes an export. Render does not tell which one it began: it is
// the one that was not there before.
func (p *Platform) CreateBackup(ctx context.Context, app, database string, report platform.Report) (platform.NativeBackup, error) {
	var none platform.NativeBackup
	id, err := p.databaseID(ctx, app, database)
	if err != nil {
		return none, err
	}
	before, err := p.exports(ctx, id)
	if err != nil {
		return none, explain(err, "list the exports of %q", database)
	}
	fresh := func() (*export, error) {
		all, err := p.exports(ctx, id)
		for _, e := range all {
			if !slices.ContainsFunc(before, func(b export) bool { return b.ID == e.ID }) {
				return &e, err
			}
		}
		return nil, err
	}
	err = p.once(ctx,
		func() error {
			return p.call(ctx, http.MethodPost, "/postgres/"+url.PathEscape(id)+"/export", nil, nil, nil)
		},
		func() (bool, error) {
			e, err := fresh()
			return e != nil, err
		})
	if err != nil {
		return none, explain(err, "export the database %q", database)
	}
	report("export of %s begun", database)
	deadline := p.now().Add(exportTimeout)
	for look := p.pause(); ; {
		e, err := fresh()
		if err != nil && !transient(err) {
			return none, explain(err, "look at the export of %q", database)
		}
		if e != nil && e.URL != "" {
			return e.backup(), nil
		}
		if p.now().After(deadline) {
			return none, errs.New(errs.Timeout, "the export of %q is not ready after %s", database, exportTimeout).WithHint("it may still come: opsctl backup list")
		}
		if err := look.wait(ctx); err != nil {
			return none, err
		}
	}
}

// RecoveryWindow is the span that point-in-time recovery covers: 3 days in a Hobby
// workspace, 7 in others.
func (p *Platform) RecoveryWindow(ctx context.Context, app, database string) (platform.Window, error) {
	id, err := p.databaseID(ctx, app, database)
	if err != nil {
		return platform.Window{}, err
	}
	return p.window(ctx, id, database)
}

func (p *Platform) window(ctx context.Context, id, database string) (platform.Window, error) {
	var info struct {
		Status   string    `json:"recoveryStatus"`
		StartsAt time.Time `json:"startsAt"`
	}
	if err := p.call(ctx, http.MethodGet, "/postgres/"+url.PathEscape(id)+"/recovery", nil, nil, &info); err != nil {
		return platform.Window{}, explain(err, "ask for the recovery window of %q", database)
	}
	switch info.Status {
	case "AVAILABLE":
		return platform.Window{From: info.StartsAt, Note: "Render may refuse the last 10 minutes"}, nil
	case "BACKUP_NOT_READY":
		return platform.Window{Note: "the first base backup is not ready yet"}, nil
	}
	return platform.Window{Note: "the database's plan has no recovery"}, nil
}

// RestoreDatabase makes a new database as the source was at a moment.
func (p *Platform) RestoreDatabase(ctx context.Context, spec platform.RestoreSpec, report platform.Report) (*platform.Database, error) {
	if spec.Backup != "" || spec.Time.IsZero() {
		return nil, errs.New(errs.Usage, "Render restores to a moment, not from an export").
			WithHint("give a time (--to), or download the export and restore it with pg_restore; opsctl backup restore does both for backups of its own")
	}
	id, err := p.databaseID(ctx, spec.App, spec.Database)
	if err != nil {
		return nil, err
	}
	window, err := p.window(ctx, id, spec.Database)
	if err != nil {
		return nil, err
	}
	if window.From.IsZero() {
		return nil, errs.New(errs.Usage, "%q cannot be restored to a moment: %s", spec.Database, window.Note).WithHint("use a backup of opsctl's own: opsctl backup list")
	}
	if spec.Time.Before(window.From) || spec.Time.After(p.now()) {
		return nil, outside(spec, window)
	}
	ownerID, err := p.ownerID(ctx, "")
	if err != nil {
		return nil, err
	}
	if there, err := p.findPostgres(ctx, ownerID, spec.Name); err != nil || there != nil {
		if err == nil {
			err = errs.New(errs.Conflict, "there is a database %q already (%s)", spec.Name, there.ID).WithHint("choose another name for the restored one")
		}
		return nil, err
	}
	made := &postgres{}
	in := map[string]string{"restoreTime": spec.Time.UTC().Format(time.RFC3339Nano), "restoreName": spec.Name}
	err = p.once(ctx,
		func() error {
			return p.call(ctx, http.MethodPost, "/postgres/"+url.PathEscape(id)+"/recovery", nil, in, made)
		},
		func() (bool, error) {
			found, err := p.findPostgres(ctx, ownerID, spec.Name)
			if found != nil {
				made = found
			}
			return found != nil, err
		})
	if status(err) == http.StatusBadRequest {
		return nil, errs.Wrap(err, errs.Usage, "restore %q to %s", spec.Database, spec.Time.Format(time.RFC3339)).WithHint("%s", window.Note)
	}
	if err != nil {
		return nil, explain(err, "restore the database %q", spec.Database)
	}
	report("database %s (%s) is being made from %s", spec.Name, made.ID, spec.Database)
	return p.awaitPostgres(ctx, made.ID)
}

func outside(spec platform.RestoreSpec, window platform.Window) error {
	return errs.New(errs.Usage, "%s is outside the recovery window of %q, which begins at %s", spec.Time.Format(time.RFC3339), spec.Database, window.From.Format(time.RFC3339)).
		WithHint("choose a later moment, or a backup of opsctl's own: opsctl backup list")
}
