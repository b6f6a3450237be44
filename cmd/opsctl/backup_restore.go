package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/user"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/backup"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/ui"
)

const restoreLong = `Restore a backup into a database, and compare what is there then with what the
source held. NAME is the environment variable that holds the target's direct
URL; a URL without a password may be given in its place.

Every stored byte is read, decrypted and checked first; nothing is changed
before that. An empty database is filled by parallel jobs. One that is not
empty, or that the backup was made of, is refused unless --confirm says its
name: everything in it is then replaced, also what came after the backup, in
one transaction, so that a failure leaves it as it was. Stop the app before.

Roles that own something and that the target lacks are made, without the right
to log in, where the user may. The store keeps a record of every restore.

Exit status: 0 restored and compared, 1 failed (the message says what became of
the target), 3 the backup is damaged or something differs, 5 no such backup, 6
the target is not empty or is the source, 130 interrupted.`

// restoreFlags are what the command line of backup restore says.
type restoreFlags struct {
	into, confirm, identity string
	noOwner                 bool
	jobs                    int
}

func newBackupRestoreCmd(a *app) *cobra.Command {
	var o restoreFlags
	cmd := &cobra.Command{
		Use:   "restore ID|latest --into NAME",
		Short: "Restore a backup into a database and compare the result",
		Long:  restoreLong,
		Example: `  opsctl backup restore latest --into TARGET_URL
  opsctl backup restore 20261124T030000Z-k3xa --into TARGET_URL --dry-run
  opsctl backup restore latest --into DATABASE_URL --confirm app`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.runBackupRestore(cmd, args[0], o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.into, "into", "", "`name` of the environment variable with the target's URL")
	f.StringVar(&o.confirm, "confirm", "", "replace what the target holds; the `name` of its database")
	f.BoolVar(&o.noOwner, "no-owner", false, "give everything to the target's user")
	f.StringVar(&o.identity, "identity", "", "`file` with the age secret key (default: "+identityVar+", "+identityFileVar+", or keygen's file)")
	f.IntVar(&o.jobs, "jobs", 2, "parallel `jobs` into an empty database")
	return cmd
}

func (a *app) runBackupRestore(cmd *cobra.Command, id string, o restoreFlags) error {
	if o.jobs < 1 {
		return errs.New(errs.Usage, "--jobs must be at least 1")
	}
	target, err := a.restoreTarget(o.into)
	if err != nil {
		return err
	}
	_, st, err := a.projectStore(cmd)
	if err != nil {
		return err
	}
	ids, err := a.identities(o.identity)
	if err != nil {
		return err
	}
	show := newBackupProgress(a, restoreSchema)
	defer show.close()
	r, err := backup.Restore(cmd.Context(), backup.RestoreOptions{
		Store: st, ID: id, Identities: ids, TargetURL: target, Confirm: o.confirm, NoOwner: o.noOwner, Jobs: o.jobs,
		DryRun: a.global.DryRun, By: whoRuns(), Opsctl: buildVersion().Version, Now: a.now, Progress: show.event,
		Ask: func(ctx context.Context, plan backup.RestorePlan) (bool, error) {
			show.close()
			return a.askRestore(ctx, plan, o.confirm)
		},
	})
	if err != nil {
		return show.failedRestore(r, err)
	}
	return show.restored(r)
}

const restoreSchema = "opsctl.backup.restore/v1"

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// restoreTarget is the URL that --into means. A password on the command line
// is refused: the shell's history and every user of the machine can read it.
func (a *app) restoreTarget(into string) (string, error) {
	const how = "put the URL into an environment variable and give its name: --into TARGET_URL"
	if into == "" {
		return "", errs.New(errs.Usage, "--into is missing: where should the backup go").WithHint("%s", how)
	}
	if variableName.MatchString(into) {
		value := a.getenv(into)
		if value == "" {
			return "", errs.New(errs.Usage, "%s is not set, so there is no database to restore into", into).
				WithHint("set %s to the target's direct URL (postgres://USER:PASSWORD@HOST:5432/DATABASE)", into)
		}
		a.redact.Add(value)
		return value, nil
	}
	u, err := url.Parse(into)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return "", errs.New(errs.Usage, "--into is neither the name of an environment variable nor a postgres:// URL").WithHint("%s", how)
	}
	if _, has := u.User.Password(); has || u.Query().Has("password") || u.Query().Has("sslpassword") {
		return "", errs.New(errs.Usage, "the URL of --into has a password, which the shell's history and every user of this machine can read").
			WithHint("%s", how)
	}
	return into, nil
}

// whoRuns is the user and machine, for the record of a restore.
func whoRuns() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}

// askRestore says what is about to happen and asks; --confirm has answered.
func (a *app) askRestore(ctx context.Context, p backup.RestorePlan, confirmed string) (bool, error) {
	if confirmed != "" {
		return true, nil
	}
	return a.confirm(ctx, restoreQuestion(p, a.now()))
}

// restoreQuestion is asked about empty targets only; others need their name.
func restoreQuestion(p backup.RestorePlan, now time.Time) string {
	return fmt.Sprintf("restore backup %s (%s old) into the empty database %s on %s as %s?",
		p.ID, ui.Duration(max(0, now.Sub(p.Created))), p.Target.Database, p.Target.Host, p.Target.User)
}

// restoredResult is the last line of restore's NDJSON.
type restoredResult struct {
	Schema string `json:"schema"`
	Type   string `json:"type"` // result
	OK     bool   `json:"ok"`
	*backup.Restored
	RecordSchema string `json:"record_schema"`
}

func (b *backupProgress) restoredEvent(r *backup.Restored, ok bool) error {
	return ui.Event(b.a.io.Out, restoredResult{b.schema, "result", ok, r, r.Schema})
}

func (b *backupProgress) failedRestore(r *backup.Restored, err error) error {
	if r == nil || !b.a.global.JSON {
		return b.failed(err)
	}
	b.close()
	_ = b.restoredEvent(r, false)
	return err
}

func (b *backupProgress) restored(r *backup.Restored) error {
	b.close()
	differs := r.Outcome == backup.OutcomeDiffers
	var err error
	if differs {
		err = errs.New(errs.CheckFailed, "backup %s was restored into database %s on %s, and %s found", r.ID, r.Target.Database, r.Target.Host,
			ui.Count(int64(len(r.Differences)), "difference")).
			WithHint("is somebody else writing to the target? stop that, and restore again with --confirm %s", r.Target.Database)
	}
	w := b.a.io.Out
	switch {
	case b.a.global.JSON:
		if eventErr := b.restoredEvent(r, r.Outcome == backup.OutcomeRestored || r.Outcome == backup.OutcomePlanned); eventErr != nil {
			return eventErr
		}
	case r.Outcome == backup.OutcomePlanned:
		fmt.Fprintln(b.a.io.Err, ui.Faint("dry run: "+plannedText(r)))
	case r.Outcome == backup.OutcomeRestored:
		fmt.Fprintf(w, "%s %s: %s and %s, into database %s on %s, in %s\n", ui.Green("restored and compared"), r.ID,
			ui.Count(int64(r.Tables), "table"), ui.Count(r.Rows, "row"), r.Target.Database, r.Target.Host, ui.Duration(seconds(r.Seconds)))
	}
	if !b.a.global.JSON {
		for _, d := range r.Differences {
			fmt.Fprintf(w, "%s %s\n", ui.Fail, b.a.redact.Redact(d.String()))
		}
	}
	return err
}

func plannedText(r *backup.Restored) string {
	how := "would be filled"
	if r.Mode == backup.ModeReplace {
		how = "would be emptied and filled in one transaction"
	}
	return fmt.Sprintf("database %s on %s %s from backup %s, which is whole; nothing was changed", r.Target.Database, r.Target.Host, how, r.ID)
}
