package railway

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

type volumeBackup struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Created    time.Time  `json:"createdAt"`
	Expires    *time.Time `json:"expiresAt"`
	UsedMB     int64      `json:"usedMB"`
	TotalMB    int64      `json:"referencedMB"`
	ScheduleID string     `json:"scheduleId"`
}

type backupSchedule struct {
	ID   string `json:"id"`
	Kind string `json:"kind"`
}

const backupsText = `query($volume: String!) {
	list: volumeInstanceBackupList(volumeInstanceId: $volume) { id name createdAt expiresAt usedMB referencedMB scheduleId }
	schedules: volumeInstanceBackupScheduleList(volumeInstanceId: $volume) { id kind }
}`

// source is a database with its volume, whose backups are the database's.
// Railway wants the id of the volume's instance in the environment, and refuses
// that of the volume.
func (p *Platform) source(ctx context.Context, app, database string) (*dataServices, *dataService, error) {
	d, err := p.dataOf(ctx, app, database)
	if err != nil {
		return nil, nil, err
	}
	s := d.named(database)
	if s == nil {
		return nil, nil, errs.New(errs.NotFound, "no database %q on Railway", database).WithHint("run: opsctl deploy")
	}
	if s.volume == nil {
		return nil, nil, errs.New(errs.Failure, "%q has no volume, so that there is nothing to back up", database).WithHint("use: opsctl backup create")
	}
	return d, s, nil
}

func (p *Platform) volumeBackups(ctx context.Context, s *dataService) ([]volumeBackup, []backupSchedule, error) {
	var data struct {
		List      []volumeBackup   `json:"list"`
		Schedules []backupSchedule `json:"schedules"`
	}
	if err := p.query(ctx, backupsText, map[string]any{"volume": s.volume.ID}, &data); err != nil {
		return nil, nil, p.explain(err, "list the backups of %q", s.Name)
	}
	slices.SortFunc(data.List, func(a, b volumeBackup) int { return b.Created.Compare(a.Created) })
	return data.List, data.Schedules, nil
}

func (b volumeBackup) native(schedules []backupSchedule) platform.NativeBackup {
	out := platform.NativeBackup{
		ID: b.ID, Kind: "volume, manual", Status: "complete", Ready: true, Created: b.Created, Size: cmp.Or(b.TotalMB, b.UsedMB) << 20,
	}
	if b.ScheduleID != "" {
		out.Kind = "volume, scheduled"
	}
	for _, s := range schedules {
		if s.ID == b.ScheduleID {
			out.Kind = "volume, " + strings.ToLower(s.Kind)
		}
	}
	if b.Expires != nil {
		out.Expires = *b.Expires
	}
	return out
}

// Backups lists the backups of the database's volume.
func (p *Platform) Backups(ctx context.Context, app, database string) ([]platform.NativeBackup, error) {
	_, s, err := p.source(ctx, app, database)
	if err != nil {
		return nil, err
	}
	list, schedules, err := p.volumeBackups(ctx, s)
	if err != nil {
		return nil, err
	}
	out := make([]platform.NativeBackup, 0, len(list))
	for _, b := range list {
		out = append(out, b.native(schedules))
	}
	return out, nil
}

// CreateBackup backs the database's volume up. The call gives no id of the
// backup, so it is the one that was not in the list before.
func (p *Platform) CreateBackup(ctx context.Context, app, database string, report platform.Report) (platform.NativeBackup, error) {
	_, s, err := p.source(ctx, app, database)
	if err != nil {
		return platform.NativeBackup{}, err
	}
	before, _, err := p.volumeBackups(ctx, s)
	if err != nil {
		return platform.NativeBackup{}, err
	}
	made := func() (*platform.NativeBackup, error) {
		list, schedules, err := p.volumeBackups(ctx, s)
		if err != nil {
			return nil, err
		}
		for _, b := range list {
			if b.ScheduleID == "" && !slices.ContainsFunc(before, func(old volumeBackup) bool { return old.ID == b.ID }) {
				out := b.native(schedules)
				return &out, nil
			}
		}
		return nil, nil
	}
	workflow := ""
	create := func() error {
		var data struct {
			Made struct {
				WorkflowID string `json:"workflowId"`
			} `json:"volumeInstanceBackupCreate"`
		}
		const text = "mutation($volume: String!, $name: String) { volumeInstanceBackupCreate(volumeInstanceId: $volume, name: $name) { workflowId } }"
		err := p.mutate(ctx, text, map[string]any{"volume": s.volume.ID, "name": "opsctl " + p.o.Now().UTC().Format("2006-01-02 15:04:05")}, &data, false)
		workflow = data.Made.WorkflowID
		return err
	}
	report("back up the volume of %s", database)
	if err := p.once(ctx, create, func() (bool, error) { b, err := made(); return b != nil, err }); err != nil {
		return platform.NativeBackup{}, p.explain(err, "back up %q", database)
	}
	if err := p.awaitWorkflow(ctx, workflow); err != nil {
		return platform.NativeBackup{}, p.explain(err, "back up %q", database)
	}
	for round := 0; round <= lagRounds; round++ {
		if b, err := made(); err != nil || b != nil {
			return *cmp.Or(b, &platform.NativeBackup{}), err
		}
		if err := p.pause(ctx, round); err != nil {
			return platform.NativeBackup{}, err
		}
	}
	return platform.NativeBackup{}, errs.New(errs.Failure, "the backup of %q is not in the list", database).WithHint("look into Railway's dashboard: a backup may have at most half the size of the volume")
}

// RecoveryWindow says whether point-in-time recovery is on. Railway's API does
// not tell since when.
func (p *Platform) RecoveryWindow(ctx context.Context, app, database string) (platform.Window, error) {
	_, s, err := p.source(ctx, app, database)
	if err != nil {
		return platform.Window{}, err
	}
	_, schedules, err := p.volumeBackups(ctx, s)
	if err != nil {
		return platform.Window{}, err
	}
	note := "Railway does not tell how far back; not before " + s.volume.Created.UTC().Format(time.RFC3339)
	if s.vars.get(varArchive) == "" {
		note = "point-in-time recovery is off, as far as the variables of " + database + " show: switch it on with `railway postgres pitr enable --service " + database + "`"
	}
	kinds := make([]string, 0, len(schedules))
	for _, sc := range schedules {
		kinds = append(kinds, strings.ToLower(sc.Kind))
	}
	slices.Sort(kinds)
	note += "; volume backups: " + cmp.Or(strings.Join(kinds, ", "), "no schedule")
	return platform.Window{Note: note}, nil
}

// RestoreDatabase makes a sibling of the database as it was at a moment. A
// backup of a volume can be restored only over the volume itself, which would
// destroy what the source has now.
func (p *Platform) RestoreDatabase(ctx context.Context, spec platform.RestoreSpec, report platform.Report) (*platform.Database, error) {
	if spec.Backup != "" {
		return nil, errs.New(errs.Usage, "Railway restores a volume backup only in place, over %q itself", spec.Database).
			WithHint("restore a moment to a new database with --to TIME, or a backup of opsctl's own: opsctl backup restore;\nto put the volume back in place, use the Backups page of the service in Railway's dashboard")
	}
	d, s, err := p.source(ctx, spec.App, spec.Database)
	if err != nil {
		return nil, err
	}
	if now := p.o.Now(); spec.Time.After(now) || spec.Time.Before(s.volume.Created) {
		return nil, errs.New(errs.Usage, "%q cannot be restored to %s", spec.Database, spec.Time.Format(time.RFC3339)).
			WithHint("give a time between %s, when it was made, and now", s.volume.Created.UTC().Format(time.RFC3339))
	}
	l, err := p.reread(ctx, spec.App, d.place)
	if err != nil {
		return nil, err
	}
	if l.service(spec.Name) != "" {
		return nil, errs.New(errs.Conflict, "there is a service %q already", spec.Name).WithHint("choose another name for the restored database, or delete that one")
	}
	report("restore %s as it was at %s to %s", spec.Database, spec.Time.UTC().Format(time.RFC3339), spec.Name)
	if err := p.restoreTo(ctx, l, s, spec); err != nil {
		return nil, err
	}
	if d, err = p.awaitData(ctx, spec.App, spec.Name); err != nil {
		return nil, err
	}
	return d.database(spec.Name), nil
}

func (p *Platform) restoreTo(ctx context.Context, l *place, s *dataService, spec platform.RestoreSpec) error {
	workflow := ""
	create := func() error {
		var data struct {
			Made struct {
				WorkflowID string `json:"workflowId"`
			} `json:"volumeInstancePITRRestore"`
		}
		const text = `mutation($volume: String!, $at: DateTime!, $name: String) {
			volumeInstancePITRRestore(volumeInstanceId: $volume, targetTimestamp: $at, newServiceName: $name) { workflowId } }`
		err := p.mutate(ctx, text, map[string]any{"volume": s.volume.ID, "at": spec.Time.UTC().Format(time.RFC3339Nano), "name": spec.Name}, &data, false)
		workflow = data.Made.WorkflowID
		return err
	}
	find := func() (bool, error) {
		now, err := p.reread(ctx, spec.App, l)
		return err == nil && now.service(spec.Name) != "", err
	}
	err := p.once(ctx, create, find)
	if err == nil {
		err = p.awaitWorkflow(ctx, workflow)
	}
	if err == nil {
		_, err = p.reread(ctx, spec.App, l)
	}
	if err != nil && outsideWindow(err) {
		return errs.Wrap(err, errs.Usage, "%q cannot be restored to %s", spec.Database, spec.Time.Format(time.RFC3339)).
			WithHint("give a time within the window of recovery: since it was switched on, and some minutes ago")
	}
	return p.explain(err, "restore %q", spec.Database)
}

// outsideWindow tells by its text that the moment, not the call, is wrong.
func outsideWindow(err error) bool {
	text := strings.ToLower(err.Error())
	return slices.ContainsFunc([]string{"window", "outside", "earliest", "out of range", "no backup before", "not covered"}, func(w string) bool { return strings.Contains(text, w) })
}
