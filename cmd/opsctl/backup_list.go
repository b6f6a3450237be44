package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/backup"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/ui"
)

func newBackupListCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the backups in the store",
		Long: `List the backups in the store, newest first. Only the store is read, so this
works when the database is gone. Exit status 5 when there is none.`,
		Example: `  opsctl backup list
  opsctl backup list --store file:/var/backups/app --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, st, err := a.projectStore(cmd)
			if err != nil {
				return err
			}
			entries, err := backup.List(cmd.Context(), st)
			if err != nil {
				return err
			}
			if err := a.printBackups(entries, st.String()); err != nil || len(entries) > 0 {
				return err
			}
			return errs.New(errs.NotFound, "no backup in %s", st).WithHint("make one with: opsctl backup create")
		},
	}
}

// backupSummary is a backup in one line, for list, info and create.
type backupSummary struct {
	ID          string     `json:"id"`
	Created     *time.Time `json:"created,omitempty"`
	Database    string     `json:"database,omitempty"`
	Host        string     `json:"host,omitempty"`
	Server      string     `json:"server,omitempty"`
	Tables      int        `json:"tables"`
	Rows        int64      `json:"rows"`
	PlainBytes  int64      `json:"plain_bytes"`
	StoredBytes int64      `json:"stored_bytes"`
	Seconds     float64    `json:"seconds"`
	Encrypted   bool       `json:"encrypted"`
	Damaged     string     `json:"damaged,omitempty"` // what the store's listing or the manifest gives away
	Unread      string     `json:"unread,omitempty"`  // why nothing is known of it
	Proven      *bool      `json:"proven"`            // null: never verified
	Verified    *time.Time `json:"verified,omitempty"`
}

func summarise(e backup.Entry) backupSummary {
	s := backupSummary{ID: e.ID, Damaged: e.Damaged()}
	if e.Unread != nil {
		s.Unread = e.Unread.Error()
	}
	if v := e.Verdict; v != nil {
		proven := v.Proven && s.Damaged == "" // damage that came later counts more
		s.Proven, s.Verified = &proven, &v.Time
	}
	m := e.Manifest
	if m == nil {
		return s
	}
	t := m.Totals()
	s.Created, s.Database, s.Host, s.Server = &m.Created, m.Source.Database, m.Source.Host, m.Server.Version
	s.Tables, s.Rows, s.PlainBytes, s.StoredBytes = t.Tables, t.Rows, t.PlainBytes, t.StoredBytes
	s.Seconds, s.Encrypted = m.Seconds, m.Objects[0].Encryption != "none"
	return s
}

func (a *app) printBackups(entries []backup.Entry, location string) error {
	list := []backupSummary{}
	for _, e := range entries {
		list = append(list, summarise(e))
	}
	if a.global.JSON {
		return ui.JSON(a.io.Out, map[string]any{"schema": "opsctl.backup.list/v1", "store": location, "backups": list})
	}
	if len(list) == 0 {
		return nil
	}
	now := a.now()
	var rows [][]string
	for _, s := range list {
		if s.Created == nil { // no manifest
			rows = append(rows, []string{s.ID, "", "", "", "", "", provenText(s, now)})
			continue
		}
		rows = append(rows, []string{
			s.ID, ui.Duration(max(0, now.Sub(*s.Created))), ui.Bytes(s.PlainBytes) + " → " + ui.Bytes(s.StoredBytes),
			ui.Number(int64(s.Tables)), ui.Number(s.Rows), ui.Duration(seconds(s.Seconds)), provenText(s, now),
		})
	}
	ui.Table(a.io.Out, a.io.Width(), []string{"ID", "AGE", "SIZE → STORED", "TABLES", "ROWS", "TOOK", "PROVEN"}, rows)
	for _, s := range list {
		switch {
		case s.Unread != "":
			a.io.Warn("%s", s.Unread)
		case s.Damaged != "":
			a.io.Warn("backup %s is damaged: %s", s.ID, s.Damaged)
		}
	}
	return nil
}

// provenText is the last verdict and how long ago it was.
func provenText(s backupSummary, now time.Time) string {
	switch {
	case s.Unread != "":
		return ui.Yellow("unknown")
	case s.Damaged != "":
		return ui.Red("damaged")
	case s.Proven == nil:
		return ui.Faint("not yet")
	case *s.Proven:
		return ui.Green("yes") + ui.Faint(" "+ui.Duration(max(0, now.Sub(*s.Verified))))
	default:
		return ui.Red("NO") + ui.Faint(" "+ui.Duration(max(0, now.Sub(*s.Verified))))
	}
}

func newBackupInfoCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "info ID|latest",
		Short: "Show what one backup holds",
		Long: `Show what one backup holds, from the store alone: where it came from, its
objects, its tables with rows and size, and the last verdict. With --json the
whole manifest is printed, with the hashes.`,
		Example: `  opsctl backup info latest
  opsctl backup info 20261124T030000Z-k3xa --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, st, err := a.projectStore(cmd)
			if err != nil {
				return err
			}
			e, err := backup.Find(cmd.Context(), st, args[0])
			if err != nil {
				return err
			}
			if e.Unread != nil {
				return e.Unread
			}
			if e.Err != nil {
				return errs.Wrap(e.Err, errs.CheckFailed, "backup %s is damaged", e.ID).WithHint("see: opsctl backup verify %s", e.ID)
			}
			if a.global.JSON {
				return ui.JSON(a.io.Out, map[string]any{"schema": "opsctl.backup.info/v1", "store": st.String(), "manifest": e.Manifest, "verdict": e.Verdict, "damaged": e.Damaged()})
			}
			a.printBackupInfo(e)
			return nil
		},
	}
}

func (a *app) printBackupInfo(e *backup.Entry) {
	m, s, w := e.Manifest, summarise(*e), a.io.Out
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-11s%s\n", name, fmt.Sprintf(format, args...))
	}
	line("backup", "%s", ui.Bold(m.ID))
	line("created", "%s, took %s, opsctl %s", m.Created.Format(time.DateTime+" MST"), ui.Duration(seconds(m.Seconds)), m.Opsctl)
	line("database", "%s on %s as %s", m.Source.Database, m.Source.Host, m.Source.User)
	line("server", "PostgreSQL %s, %s, collation %s", m.Server.Version, m.Database.Encoding, m.Database.Collate)
	line("content", "%s, %s%s, %s", ui.Count(int64(s.Tables), "table"), ui.Count(s.Rows, "row"), largeObjects(m), ui.Count(int64(len(m.Sequences)), "sequence"))
	line("size", "%s", sizes(s))
	line("encrypted", "%s", encryption(m))
	line("proven", "%s", provenText(s, a.now()))
	for _, d := range e.Damage {
		line("", "%s", d)
	}
	if e.Verdict != nil && !e.Verdict.Proven {
		for _, d := range e.Verdict.Differences {
			line("", "%s", d)
		}
	}
	for _, o := range m.Objects {
		line("object", "%s, %s, sha256 %s…", o.Name, ui.Bytes(o.Stored.Bytes), o.Stored.SHA256[:16])
	}
	var rows [][]string
	for _, t := range m.Tables {
		if t.Kind == "table" {
			rows = append(rows, []string{t.Schema + "." + t.Name, ui.Number(t.Rows), ui.Bytes(t.Bytes), rowSecurity(t)})
		}
	}
	if len(rows) > 0 {
		fmt.Fprintln(w)
		ui.Table(w, a.io.Width(), []string{"TABLE", "ROWS", "SIZE", "ROW SECURITY"}, rows)
	}
}

func rowSecurity(t backup.Table) string {
	switch {
	case t.RLS && t.Forced:
		return "forced"
	case t.RLS:
		return "on"
	default:
		return ""
	}
}

func sizes(s backupSummary) string {
	text := ui.Bytes(s.PlainBytes) + " → " + ui.Bytes(s.StoredBytes)
	if s.PlainBytes > 0 {
		text += fmt.Sprintf(" (%d %%)", (100*s.StoredBytes+s.PlainBytes/2)/s.PlainBytes)
	}
	return text
}

func encryption(m *backup.Manifest) string {
	if len(m.Recipients) == 0 {
		return "no"
	}
	return "to " + cmp.Or(strings.Join(m.Recipients, ", "), "nobody")
}

func largeObjects(m *backup.Manifest) string {
	if m.LargeObjects.Rows == 0 {
		return ""
	}
	return ", " + ui.Count(m.LargeObjects.Rows, "large object")
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
