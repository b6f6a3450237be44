package backup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/jackc/pgx/v5"

	"github.com/opsctl/opsctl/internal/backup/store"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/execx"
	"github.com/opsctl/opsctl/internal/postgres"
)

// RestoreOptions says which backup to restore, and where to.
type RestoreOptions struct {
	Store      store.Store
	ID         string // or Latest
	Identities []age.Identity
	TargetURL  string // direct, with its password
	Confirm    string // name of the target's database, for one that is not empty
	NoOwner    bool   // give everything to the target's user
	Jobs       int    // of pg_restore into an empty database; 0 is 2
	DryRun     bool   // read and check everything, change nothing

	// Ask is asked once the target is known and before anything else; nil is yes.
	Ask func(context.Context, RestorePlan) (bool, error)

	By       string           // who runs it, for the record
	Opsctl   string           // version, for the record
	Now      func() time.Time // the clock
	Progress Func             // may be nil
}

// RestorePlan is what a restore is about to do.
type RestorePlan struct {
	ID       string
	Created  time.Time
	Target   Source
	Version  string // of the target's server
	Mode     RestoreMode
	Holds    []string // what the target holds now
	IsSource bool     // the target is the database that the backup was made of
	Sessions int      // of others at the target
	Proven   *bool    // by the newest verify; nil: never verified
}

// Restore restores a backup into a database and compares the result with the
// manifest. An empty target is filled in parallel; one that is not, or the
// source itself, needs its name in Confirm and is replaced in one transaction.
// Nothing is changed before every stored byte was read and checked.
//
// The result is set, and stored as the audit record, also when the restore
// failed or differences were found; differences alone are no error.
func Restore(ctx context.Context, o RestoreOptions) (*Restored, error) {
	src, err := parseTarget(o.TargetURL)
	if err != nil {
		return nil, err
	}
	entry, err := Find(ctx, o.Store, o.ID)
	if err != nil {
		return nil, err
	}
	r := &restorer{
		verifier: newVerifier(VerifyOptions{
			Store: o.Store, ID: o.ID, Identities: o.Identities, Jobs: o.Jobs, Opsctl: o.Opsctl, Now: o.Now, Progress: o.Progress,
		}, entry, "restore"),
		options: o,
	}
	r.target = &target{source: src, noOwner: o.NoOwner}
	r.result = &Restored{
		Schema: RestoredSchema, ID: entry.ID, Time: r.verdict.Time, By: o.By, Opsctl: o.Opsctl, Roles: []string{},
		Target: Source{Host: src.config.Host, Port: int(src.config.Port), User: src.config.User, Database: src.config.Database},
	}
	return r.finish(ctx, r.inPrivateDir(ctx, func() error { return r.run(ctx) }))
}

type restorer struct {
	*verifier
	options RestoreOptions
	result  *Restored
	phase   phase
}

func (r *restorer) run(ctx context.Context) error {
	if err := r.must(ctx, step{StageManifest, r.checkManifest}, step{StageConnect, r.connectTarget}); err != nil {
		return err
	}
	if !r.options.DryRun {
		if ok, err := r.ask(ctx); err != nil || !ok {
			r.result.Outcome = OutcomeDeclined
			return err
		}
		r.result.Outcome = OutcomeStarted
		r.record(ctx)
	}
	if err := r.must(ctx, step{StageRead, r.readDump}, step{StagePreflight, r.checkRoles}); err != nil {
		return err
	}
	if r.options.DryRun {
		r.result.Outcome = OutcomePlanned
		return nil
	}
	_, err := r.stages(ctx, []step{{StageRestore, r.restoreInto}, {StageCompare, r.compareTarget}})
	return err
}

// must runs the steps and fails when one finds the backup damaged: what is
// damaged is not restored.
func (r *restorer) must(ctx context.Context, steps ...step) error {
	stopped, err := r.stages(ctx, steps)
	if err == nil && (stopped || len(r.verdict.Differences) > 0) {
		return damagedError(r.entry.ID, "restored", r.verdict.Differences)
	}
	return err
}

// damagedError says why a backup is not used.
func damagedError(id, verb string, found []Difference) error {
	text := make([]string, len(found))
	for i, d := range found {
		text[i] = d.String()
	}
	return errs.New(errs.CheckFailed, "backup %s is damaged, so it is not %s: %s", id, verb, names(text)).
		WithHint("take an older one that is proven: opsctl backup list")
}

func (r *restorer) connectTarget(ctx context.Context) (string, error) {
	t := r.target
	conn, err := t.connect(ctx)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if err := t.inspect(ctx, conn, r.m); err != nil {
		return "", err
	}
	r.result.Target, r.result.PostgreSQL, r.result.Mode = t.describe(), t.before.Server.Version, ModeFill
	if !t.empty() {
		r.result.Mode = ModeReplace
	}
	if err := r.checkConfirm(); err != nil {
		return "", err
	}
	missing, err := r.missingExtensions(ctx, conn)
	if err == nil && len(missing) > 0 {
		err = errs.New(errs.Failure, "backup %s needs extensions that the target's server does not have: %s", r.m.ID, strings.Join(missing, ", ")).
			WithHint("install them there, or restore into a server that has them")
	}
	if err != nil {
		return "", err
	}
	major := t.before.Server.Major()
	in, err := postgres.Find(ctx, postgres.FindOptions{
		Major: max(major, r.m.dumpMajor()), Programs: []string{"pg_dump", "pg_restore", "psql"}, NeededBy: "backup restore",
	})
	if err != nil {
		return "", err
	}
	r.at = place{
		install: in, major: major, name: t.before.Database.Name, connect: t.connect,
		env: append(t.childEnv(), "PGAPPNAME=opsctl restore", "PGCLIENTENCODING=UTF8"),
	}
	return fmt.Sprintf("PostgreSQL %s, %s", t.before.Server.Version, t.where()), nil
}

// checkConfirm refuses to touch what somebody may need, unless it was named.
func (r *restorer) checkConfirm() error {
	t, name := r.target, r.target.before.Database.Name
	switch said := r.options.Confirm; {
	case said != "" && said != name:
		return errs.New(errs.Usage, "--confirm says %q, and the target's database is %q", said, name).
			WithHint("the URL that --into names leads to %s, port %d; is that the right one?", t.config.Host, t.config.Port)
	case said == name:
		return nil
	case !t.empty():
		what := "is not empty"
		if t.isSource {
			what = "is the backup's source and not empty"
		}
		return errs.New(errs.Conflict, "%s %s: %s", t.where(), what, names(t.holds)).
			WithHint("restore into an empty database, or say --confirm %s: everything in it is then replaced, in one transaction", name)
	case t.isSource:
		return errs.New(errs.Conflict, "%s is the backup's source, though it is empty now", t.where()).
			WithHint("to restore into it, say --confirm %s", name)
	}
	return nil
}

func (r *restorer) ask(ctx context.Context) (bool, error) {
	t := r.target
	if t.sessions > 0 {
		r.note("%s of others open at the target: stop the app before, or it sees the data change", count(t.sessions, "session"))
	}
	plan := RestorePlan{
		ID: r.m.ID, Created: r.m.Created, Target: r.result.Target, Version: t.before.Server.Version, Mode: r.result.Mode,
		Holds: t.holds, IsSource: t.isSource, Sessions: t.sessions,
	}
	if v := r.entry.Verdict; v != nil {
		plan.Proven = &v.Proven
	}
	switch {
	case plan.Proven == nil:
		r.note("backup %s was never verified; its bytes are checked now, before anything is changed", r.m.ID)
	case !*plan.Proven:
		r.note("the last verify of backup %s did not prove it: opsctl backup info %s", r.m.ID, r.m.ID)
	}
	if r.options.Ask == nil {
		return true, nil
	}
	return r.options.Ask(ctx, plan)
}

// readDump reads every stored byte and spools the dump. Damage of another
// object, which no restore needs, is said and does not stop it.
func (v *verifier) readDump(ctx context.Context) (string, error) {
	text, err := v.readObjects(ctx)
	dump := v.m.Object(RoleDump).Name
	var found []Difference
	for _, d := range v.verdict.Differences {
		if d.Kind == "object" && d.Name != dump && d.Name != manifestName {
			v.note("%s", d)
			continue
		}
		found = append(found, d)
	}
	v.verdict.Differences = append([]Difference{}, found...)
	if err == nil && len(found) > 0 {
		err = errStop
	}
	return text, err
}

func (r *restorer) checkRoles(ctx context.Context) (string, error) {
	conn, err := r.at.connect(ctx)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if err := r.planRoles(ctx, conn); err != nil {
		return "", err
	}
	if settings := r.settingsLeftOut(); len(settings) > 0 {
		r.note("settings of the database itself are not restored (ALTER DATABASE ... SET): %s", names(settings))
	}
	if r.result.Mode == ModeReplace {
		return "everything is replaced in one transaction", nil
	}
	return "the target is empty", nil
}

// settingsLeftOut names settings of the source that the target has not.
func (r *restorer) settingsLeftOut() []string {
	have := toMap(r.target.before.Settings, settingText)
	var out []string
	for _, s := range r.m.Settings {
		if name, _ := settingText(s); have[name] == "" {
			out = append(out, name)
		}
	}
	return out
}

func (r *restorer) restoreInto(ctx context.Context) (string, error) {
	options, statements, err := r.makeRoom()
	if err != nil {
		return "", err
	}
	if r.result.Mode == ModeReplace {
		err = r.replace(ctx, statements, options)
	} else {
		err = r.fill(ctx, statements, options)
	}
	if err != nil {
		return "", restoreError(ctx, err)
	}
	r.phase = restored
	r.result.Roles = append(r.result.Roles, r.target.roles...)
	return count(r.m.Totals().Tables, "table") + " into " + r.target.where(), nil
}

// restoreError shows what the program said.
func restoreError(ctx context.Context, err error) error {
	var failed *execx.Error
	if ctx.Err() == nil && errors.As(err, &failed) && failed.Exit > 0 && failed.Stderr != "" {
		return errs.New(errs.Failure, "%s failed: %s", failed.Program, strings.Join(strings.Fields(failed.Stderr), " "))
	}
	return err
}

// fill restores into the empty target by parallel jobs.
func (r *restorer) fill(ctx context.Context, statements, options []string) error {
	conn, err := r.at.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for _, sql := range append(r.roleStatements(), statements...) {
		r.phase = filling
		if _, err := conn.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	r.phase = filling
	done := make(chan error, 1)
	go func() { done <- r.runRestore(ctx, options...) }()
	tick := time.NewTicker(5 * reportEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-tick.C: // how much of the database is there, indexes included
			var size int64
			if conn.QueryRow(ctx, "SELECT pg_database_size(current_database())").Scan(&size) == nil {
				r.Progress.emit(Event{Stage: StageRestore, State: Progress, Bytes: size, Total: r.m.Database.Bytes})
			}
		}
	}
}

// compareTarget reads the target back. Rows that its user cannot read are not proven.
func (r *restorer) compareTarget(ctx context.Context) (string, error) {
	conn, err := r.at.connect(ctx)
	if err != nil {
		return "", err
	}
	err = preflight(ctx, conn)
	_ = conn.Close(context.WithoutCancel(ctx))
	if err != nil && ctx.Err() == nil {
		r.differ("database", r.at.name, "", "", "restored, but cannot be compared: %v", err)
		return "", nil
	}
	return r.compare(ctx)
}
