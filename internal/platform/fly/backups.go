package fly

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// backupTimeout is how long a backup may take, and a restore to begin.
const backupTimeout = 30 * time.Minute

// backupWait is the pause between two looks at a backup or restore that is being made.
const backupWait = 4 * pollInterval

// backup is one of Managed Postgres. Its type is full, incr or diff.
type backup struct {
	ID         string    `json:"id"`
	Type       string    `json:"type"`
	Status     string    `json:"status"`
	SizeBytes  int64     `json:"size_bytes"`
	StartedAt  timestamp `json:"started_at"`
	FinishedAt timestamp `json:"finished_at"`
}

// timestamp is a time that the API may leave empty.
type timestamp struct{ time.Time }

// UnmarshalJSON reads RFC 3339; what is empty, null or not understood is zero.
func (t *timestamp) UnmarshalJSON(src []byte) error {
	if at, err := time.Parse(`"`+time.RFC3339+`"`, string(src)); err == nil {
		t.Time = at
	}
	return nil
}

func (b backup) native() platform.NativeBackup {
	return platform.NativeBackup{
		ID: b.ID, Kind: b.Type, Status: b.Status, Ready: b.ready(), Created: b.StartedAt.Time, Size: b.SizeBytes,
	}
}

func (b backup) ready() bool { return b.Status == "completed" }

// over tells whether a backup has failed for good.
func (b backup) over() bool { return b.Status == "failed" || b.Status == "error" }

// Backups lists the backups of a cluster.
func (p *Platform) Backups(ctx context.Context, app, database string) ([]platform.NativeBackup, error) {
	id, err := p.clusterID(ctx, app, database)
	if err != nil {
		return nil, err
	}
	list, err := p.backups(ctx, id)
	if err != nil {
		return nil, err
	}
	out := make([]platform.NativeBackup, 0, len(list))
	for _, b := range list {
		out = append(out, b.native())
	}
	return out, nil
}

// backups lists them newest first.
func (p *Platform) backups(ctx context.Context, cluster string) ([]backup, error) {
	var got struct {
		Data []backup `json:"data"`
	}
	if err := p.machinesCall(ctx, http.MethodGet, clusterPath(cluster)+"/backups", nil, &got, nil); err != nil {
		return nil, explain(err, "list the backups of %s", cluster)
	}
	slices.SortStableFunc(got.Data, func(a, b backup) int { return b.StartedAt.Compare(a.StartedAt.Time) })
	return got.Data, nil
}

// CreateBackup makes a full backup. The API says no id of it: it is the one that was
// not there before. While another one is being made it is refused.
func (p *Platform) CreateBackup(ctx context.Context, app, database string, report platform.Report) (platform.NativeBackup, error) {
	var none platform.NativeBackup
	id, err := p.clusterID(ctx, app, database)
	if err != nil {
		return none, err
	}
	before, err := p.backups(ctx, id)
	if err != nil {
		return none, err
	}
	err = p.machinesCall(ctx, http.MethodPost, clusterPath(id)+"/backups", map[string]string{"type": "full"}, nil, nil)
	switch {
	case status(err) == http.StatusConflict:
		return none, errs.Wrap(err, errs.Conflict, "a backup of %q is being made already", database).WithHint("wait for it: opsctl backup native list")
	case err != nil && !lost(ctx, err):
		return none, explain(err, "back up the database %q", database)
	}
	began := err == nil
	report("backup of %s requested", database)
	return p.awaitBackup(ctx, id, before, began, err)
}

// goneTries is how often a backup is looked for of which it is not known whether it was begun.
const goneTries = 5

// awaitBackup waits for the backup that was not in the list before. began is false
// when the answer to its request was lost, with cause.
func (p *Platform) awaitBackup(ctx context.Context, cluster string, before []backup, began bool, cause error) (platform.NativeBackup, error) {
	deadline := p.now().Add(backupTimeout)
	for try := 1; ; try++ {
		if err := p.sleep(ctx, backupWait); err != nil {
			return platform.NativeBackup{}, err
		}
		now, err := p.backups(ctx, cluster)
		if err != nil {
			return platform.NativeBackup{}, err
		}
		i := slices.IndexFunc(now, func(b backup) bool {
			return !slices.ContainsFunc(before, func(old backup) bool { return old.ID == b.ID })
		})
		switch {
		case i >= 0 && now[i].ready():
			return now[i].native(), nil
		case i >= 0 && now[i].over():
			return now[i].native(), errs.New(errs.Failure, "backup %s is %s", now[i].ID, now[i].Status)
		case i < 0 && !began && try >= goneTries:
			return platform.NativeBackup{}, explain(cause, "back up the database %s", cluster)
		case p.now().After(deadline):
			return platform.NativeBackup{}, errs.New(errs.Timeout, "the backup of %s was not ready after %s", cluster, backupTimeout).
				WithHint("look for it with: opsctl backup native list")
		}
	}
}

// windowNote says what the API does not: it has no call for the window.
const windowNote = "Fly's API does not tell the window: it begins with the oldest backup that is kept, and the last minutes may not be restorable yet"

// RecoveryWindow begins where the oldest finished backup ends.
func (p *Platform) RecoveryWindow(ctx context.Context, app, database string) (platform.Window, error) {
	id, err := p.clusterID(ctx, app, database)
	if err != nil {
		return platform.Window{}, err
	}
	list, err := p.backups(ctx, id)
	if err != nil {
		return platform.Window{}, err
	}
	w := platform.Window{Note: windowNote}
	for _, b := range slices.Backward(list) {
		if b.ready() && b.Type == "full" {
			w.From = b.FinishedAt.Time
			break
		}
	}
	return w, nil
}

// RestoreDatabase makes a new cluster of a backup, or of a moment. The source is not
// touched, and no app uses the new one: its URL is set by whoever has looked at it.
func (p *Platform) RestoreDatabase(ctx context.Context, spec platform.RestoreSpec, report platform.Report) (*platform.Database, error) {
	source, err := p.clusterID(ctx, spec.App, spec.Database)
	if err != nil {
		return nil, err
	}
	a, err := p.about(ctx, spec.App)
	if err != nil {
		return nil, err
	}
	if have, err := p.clusterNamed(ctx, a.org(), spec.Name); err != nil {
		return nil, err
	} else if have != nil {
		return nil, errs.New(errs.Conflict, "there is a database %q already (%s)", spec.Name, have.ID).WithHint("restore to another name, or remove that one first")
	}
	in := map[string]string{"name": spec.Name}
	from := "backup " + spec.Backup
	if spec.Backup != "" {
		in["backup_id"] = spec.Backup
	} else {
		in["pitr_time"] = spec.Time.UTC().Format(time.RFC3339)
		from = in["pitr_time"]
	}
	made, err := p.createCluster(ctx, a.org(), spec.Name, clusterPath(source)+"/restore", in)
	switch st := status(err); {
	case st == http.StatusUnprocessableEntity || st == http.StatusBadRequest:
		return nil, errs.Wrap(err, errs.Usage, "restore %q from %s", spec.Database, from).WithHint("%s\nsee what there is: opsctl backup native list", windowNote)
	case st == http.StatusNotFound && spec.Backup != "":
		return nil, errs.Wrap(err, errs.NotFound, "%q has no backup %s", spec.Database, spec.Backup).WithHint("see what there is: opsctl backup native list")
	case err != nil:
		return nil, explain(err, "restore %q from %s", spec.Database, from)
	}
	report("database %s (%s) is being restored from %s", spec.Name, made.ID, from)
	return p.awaitCluster(ctx, made.ID)
}

// clusterID finds the cluster of a name in the app's organization.
func (p *Platform) clusterID(ctx context.Context, app, name string) (string, error) {
	a, err := p.about(ctx, app)
	if err != nil {
		return "", err
	}
	c, err := p.clusterNamed(ctx, a.org(), name)
	if err != nil {
		return "", err
	}
	if c == nil {
		return "", errs.New(errs.NotFound, "no database %q in the organization %q", name, a.org()).WithHint("run: opsctl deploy")
	}
	return c.ID, nil
}

func clusterPath(id string) string { return fmt.Sprintf("/postgres/%s", url.PathEscape(id)) }
