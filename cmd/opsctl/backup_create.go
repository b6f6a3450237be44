package main

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/backup"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/ui"
)

func newBackupCreateCmd(a *app) *cobra.Command {
	var o struct {
		databaseVar string
		recipients  []string
		unencrypted bool
	}
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make a backup now",
		Long: `Make a backup now: pg_dump's archive, streamed through zstd and age into the
store, and a manifest of what the database held in the same snapshot. The
manifest is written last; what has none is no backup.

The database URL must be direct, not a pooler's, and its user must be able to
read every row: that is checked before anything is dumped.`,
		Example: `  opsctl backup create
  opsctl backup create --store file:/var/backups/app --recipient age1...
  opsctl backup create --database-var REPORTS_URL --unencrypted --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, st, err := a.projectStore(cmd)
			if err != nil {
				return err
			}
			url, err := a.databaseURL(o.databaseVar, p)
			if err != nil {
				return err
			}
			recipients := o.recipients
			if len(recipients) == 0 && !o.unencrypted {
				recipients = p.Backup.Recipients
			}
			show := newBackupProgress(a, "opsctl.backup.create/v1")
			defer show.close()
			m, err := backup.Create(cmd.Context(), backup.CreateOptions{
				DatabaseURL: url, Store: st, Recipients: recipients, Unencrypted: o.unencrypted, DryRun: a.global.DryRun,
				Opsctl: buildVersion().Version, Now: a.now, Random: rand.Reader, Progress: show.event,
			})
			if err != nil {
				return show.failed(err)
			}
			if a.global.DryRun {
				return show.dryRun("a backup would be made now; nothing was stored")
			}
			return show.created(m, st.String(), storeFlag(cmd))
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.databaseVar, "database-var", "", "`name` of the variable with the database URL (default: backup.database)")
	f.StringArrayVar(&o.recipients, "recipient", nil, "encrypt to this age public `key` (repeatable; default: backup.recipients)")
	f.BoolVar(&o.unencrypted, "unencrypted", false, "store the backup in the clear")
	return cmd
}

// backupProgress shows the stages of create and verify: a checklist, or NDJSON.
type backupProgress struct {
	a      *app
	schema string
	list   *ui.Checklist
	began  map[string]time.Time
}

func newBackupProgress(a *app, schema string) *backupProgress {
	return &backupProgress{a: a, schema: schema, list: ui.NewChecklist(a.io, a.global.Quiet || a.global.JSON), began: map[string]time.Time{}}
}

// stageEvent is a line of NDJSON while a backup or verify runs.
type stageEvent struct {
	Schema string       `json:"schema"`
	Type   string       `json:"type"` // stage
	Time   time.Time    `json:"time"`
	Stage  string       `json:"stage,omitempty"`
	State  backup.State `json:"state"`
	Bytes  int64        `json:"bytes,omitempty"`
	Total  int64        `json:"total,omitempty"`
	Text   string       `json:"text,omitempty"`
}

func (b *backupProgress) event(e backup.Event) {
	text, now := b.a.redact.Redact(e.Text), b.a.now()
	if b.a.global.JSON {
		_ = ui.Event(b.a.io.Out, stageEvent{b.schema, "stage", now.UTC(), e.Stage, e.State, e.Bytes, e.Total, text})
		return
	}
	if text == "" && e.Bytes > 0 {
		text = ui.Bytes(e.Bytes)
		if e.Total > e.Bytes {
			text += " of " + ui.Bytes(e.Total)
		}
	}
	switch e.State {
	case backup.Started:
		b.began[e.Stage] = now
		b.list.Running(e.Stage, "")
	case backup.Progress:
		b.list.Running(e.Stage, text)
	case backup.Done:
		b.list.Done(ui.OK, e.Stage, text, b.took(e.Stage, now))
	case backup.Failed:
		b.list.Done(ui.Fail, e.Stage, text, b.took(e.Stage, now))
	case backup.Skipped:
		b.list.Done(ui.Skip, e.Stage, ui.Faint("skipped"), 0)
	case backup.Note:
		b.list.Note(text)
	}
}

func (b *backupProgress) took(stage string, now time.Time) time.Duration {
	if t, ok := b.began[stage]; ok {
		return now.Sub(t)
	}
	return 0
}

func (b *backupProgress) close() { b.list.Close() }

// failed ends the event stream of a failed command; the error is printed elsewhere.
func (b *backupProgress) failed(err error) error {
	b.close()
	if b.a.global.JSON {
		_ = ui.Event(b.a.io.Out, map[string]any{"schema": b.schema, "type": "result", "ok": false, "code": errs.CodeOf(err)})
	}
	return err
}

func (b *backupProgress) dryRun(text string) error {
	b.close()
	if b.a.global.JSON {
		return ui.Event(b.a.io.Out, map[string]any{"schema": b.schema, "type": "result", "ok": true, "dry_run": true})
	}
	if !b.a.global.Quiet {
		fmt.Fprintln(b.a.io.Err, ui.Faint("dry run: "+text))
	}
	return nil
}

// createdResult is the last line of create's NDJSON.
type createdResult struct {
	Schema string `json:"schema"`
	Type   string `json:"type"` // result
	OK     bool   `json:"ok"`
	Store  string `json:"store"`
	backupSummary
}

func (b *backupProgress) created(m *backup.Manifest, location, flag string) error {
	b.close()
	s := summarise(backup.Entry{ID: m.ID, Manifest: m})
	if b.a.global.JSON {
		return ui.Event(b.a.io.Out, createdResult{b.schema, "result", true, location, s})
	}
	w := b.a.io.Out
	fmt.Fprintf(w, "backup     %s\n", ui.Bold(m.ID))
	fmt.Fprintf(w, "database   %s on %s, PostgreSQL %s\n", m.Source.Database, m.Source.Host, m.Server.Version)
	fmt.Fprintf(w, "content    %s, %s%s\n", ui.Count(int64(s.Tables), "table"), ui.Count(s.Rows, "row"), largeObjects(m))
	fmt.Fprintf(w, "size       %s\n", sizes(s))
	fmt.Fprintf(w, "encrypted  %s\n", encryption(m))
	fmt.Fprintf(w, "took       %s\n", ui.Duration(seconds(m.Seconds)))
	_, err := fmt.Fprintf(w, "store      %s\n", location)
	if err == nil && !b.a.global.Quiet {
		fmt.Fprintf(b.a.io.Err, "%s\n", ui.Faint("it counts when it is proven: opsctl backup verify "+m.ID+flag))
	}
	return err
}
