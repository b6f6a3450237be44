package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"filippo.io/age"

	"github.com/opsctl/opsctl/internal/backup/archive"
	"github.com/opsctl/opsctl/internal/backup/store"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/postgres"
)

// VerifyOptions says which backup to prove and how.
type VerifyOptions struct {
	Store      store.Store
	ID         string         // or Latest
	Identities []age.Identity // that open it; none for an unencrypted one
	Checks     []Check        // run on the restored database
	Jobs       int            // of pg_restore; 0 is 2
	CacheDir   string         // for the scratch cluster's template; "" keeps none
	DryRun     bool           // do not store the verdict

	Opsctl   string           // version, for the verdict
	Now      func() time.Time // the clock
	Progress Func             // may be nil
}

// Verify proves a backup: it reads every stored byte, restores into a scratch
// cluster and compares all that the manifest says. The verdict is stored
// beside the backup. The error is nil even when the verdict is not proven; it
// is set when no verdict could be reached (no such backup, a key that does not
// fit, no PostgreSQL here, interrupted), and then nothing is stored.
func Verify(ctx context.Context, o VerifyOptions) (*Verdict, error) {
	entry, err := Find(ctx, o.Store, o.ID)
	if err != nil {
		return nil, err
	}
	v := newVerifier(o, entry, "verify")
	if err := v.inPrivateDir(ctx, func() error { return v.run(ctx) }); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, err
	}
	v.verdict.Seconds = o.Now().Sub(v.started).Seconds()
	if o.DryRun {
		return v.verdict, nil
	}
	return v.verdict, v.store(ctx)
}

func newVerifier(o VerifyOptions, entry *Entry, command string) *verifier {
	return &verifier{VerifyOptions: o, command: command, started: o.Now(), entry: entry, verdict: &Verdict{
		Schema: VerdictSchema, ID: entry.ID, Opsctl: o.Opsctl, Time: o.Now().UTC().Truncate(time.Millisecond),
		Differences: []Difference{}, Notes: []string{}, Stages: []StageTime{},
	}}
}

// verifier reads a backup and compares a restored database with it. Restore
// and Export use the parts that they share with Verify.
type verifier struct {
	VerifyOptions
	command string // verify, restore or export, for messages
	started time.Time
	entry   *Entry
	m       *Manifest
	verdict *Verdict

	dir      string // private, holds the spooled archive
	archive  *archive.Archive
	cluster  *postgres.Cluster
	restored string  // name of the restored database
	at       place   // how to reach it
	target   *target // what it was before; nil for a scratch database
}

// inPrivateDir runs with a directory for the decrypted dump, which is gone afterwards.
func (v *verifier) inPrivateDir(ctx context.Context, run func() error) error {
	dir, remove, err := postgres.TempDir(ctx)
	if err != nil {
		return err
	}
	v.dir = dir
	err = run()
	return errors.Join(err, remove())
}

// step is a stage and what it does; the text says how it went.
type step struct {
	name string
	run  func(context.Context) (string, error)
}

// errStop ends the run early: the verdict has the reason as a difference.
var errStop = errors.New("stop")

// run goes through the stages. A stage that finds the backup wanting adds
// differences; the later ones run as long as they can still find more.
func (v *verifier) run(ctx context.Context) (err error) {
	defer func() {
		if v.cluster != nil {
			err = errors.Join(err, v.cluster.Stop(context.WithoutCancel(ctx)))
		}
	}()
	stopped, err := v.stages(ctx, []step{
		{StageManifest, v.checkManifest}, {StageRead, v.readObjects}, {StageCluster, v.startCluster},
		{StageRestore, v.restore}, {StageCompare, v.compare}, {StageChecks, v.runChecks},
	})
	v.verdict.Proven = err == nil && !stopped && len(v.verdict.Differences) == 0
	return err
}

// stages runs the steps until one cannot go on; the rest is skipped.
func (v *verifier) stages(ctx context.Context, steps []step) (stopped bool, err error) {
	for _, s := range steps {
		if stopped {
			v.verdict.Stages = append(v.verdict.Stages, StageTime{Stage: s.name, State: Skipped})
			v.Progress.emit(Event{Stage: s.name, State: Skipped})
			continue
		}
		if err := v.stage(ctx, s.name, s.run); errors.Is(err, errStop) {
			stopped = true
		} else if err != nil {
			return stopped, err
		}
	}
	return stopped, nil
}

func (v *verifier) stage(ctx context.Context, name string, run func(context.Context) (string, error)) error {
	v.Progress.emit(Event{Stage: name, State: Started})
	before, start := len(v.verdict.Differences), v.Now()
	text, err := run(ctx)
	if err != nil && !errors.Is(err, errStop) {
		v.Progress.emit(Event{Stage: name, State: Failed})
		return err
	}
	state := Done
	if n := len(v.verdict.Differences) - before; n > 0 {
		state, text = Failed, count(n, "difference")
	}
	v.verdict.Stages = append(v.verdict.Stages, StageTime{Stage: name, State: state, Seconds: v.Now().Sub(start).Seconds(), Text: text})
	v.Progress.emit(Event{Stage: name, State: state, Text: text})
	return err
}

func (v *verifier) differ(kind, name, was, is, format string, args ...any) {
	v.verdict.Differences = append(v.verdict.Differences, Difference{Kind: kind, Name: name, Was: was, Is: is, Text: errs.Redact(fmt.Sprintf(format, args...))})
}

func (v *verifier) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	v.verdict.Notes = append(v.verdict.Notes, text)
	v.Progress.emit(Event{State: Note, Text: text})
}

func (v *verifier) checkManifest(context.Context) (string, error) {
	if v.entry.Unread != nil { // that says nothing of the backup
		return "", v.entry.Unread
	}
	if v.entry.Err != nil {
		v.differ("object", manifestName, "", "", "cannot be read: %v", v.entry.Err)
		return "", errStop
	}
	v.m = v.entry.Manifest
	if hash := schemaHash(v.m.SchemaObjects); hash != v.m.SchemaHash {
		v.differ("object", manifestName, v.m.SchemaHash, hash, "its schema hash is not that of its schema")
	}
	if err := v.checkKeys(); err != nil {
		return "", err
	}
	t := v.m.Totals()
	return fmt.Sprintf("%s, %s", count(t.Tables, "table"), count(int(t.Rows), "row")), nil
}

// checkKeys refuses to go on without a key where one is needed: that says
// nothing of the backup, so it is an error and no verdict.
func (v *verifier) checkKeys() error {
	for i := range v.m.Objects {
		if v.m.Objects[i].Encryption == "age" && len(v.Identities) == 0 {
			return errs.New(errs.Usage, "backup %s is encrypted, and no identity is set to open it", v.m.ID).
				WithHint("give --identity FILE, OPSCTL_BACKUP_IDENTITY_FILE, or the key itself in OPSCTL_BACKUP_IDENTITY")
		}
	}
	return nil
}

// store writes the verdict beside the backup.
func (v *verifier) store(ctx context.Context) error {
	data, err := json.MarshalIndent(v.verdict, "", "  ")
	if err != nil {
		return err
	}
	key := v.entry.ID + "/" + verifyPrefix + v.verdict.Time.Format("20060102T150405.000Z") + ".json"
	if err := v.Store.PutIfAbsent(ctx, key, append(data, '\n')); err != nil {
		return fmt.Errorf("store the verdict: %w", err)
	}
	return nil
}

func (v *verifier) spoolPath() string { return filepath.Join(v.dir, "dump") }

// spool opens the private file for the decrypted archive.
func (v *verifier) spool() (*os.File, error) {
	return os.OpenFile(v.spoolPath(), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
}

// count is "1 table", "2 tables".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
