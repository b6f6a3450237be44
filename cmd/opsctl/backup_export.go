package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/backup"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/ui"
)

func newBackupExportCmd(a *app) *cobra.Command {
	var out, identity string
	cmd := &cobra.Command{
		Use:   "export ID|latest --out FILE",
		Short: "Write a backup as a plain file for pg_restore",
		Long: `Write a backup's archive, decrypted and decompressed, to a file that PostgreSQL's
own pg_restore takes, so that nobody needs opsctl to get at their data. The file
appears only when every stored byte was checked, and only you can read it: it
holds everything that the database held.

Exit status: 0 written, 3 the backup is damaged, 5 no such backup.`,
		Example: `  opsctl backup export latest --out app.dump
  opsctl backup export 20261124T030000Z-k3xa --out app.dump --identity key.txt`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return errs.New(errs.Usage, "--out is missing: which file should the backup go to").WithHint("for example: --out app.dump")
			}
			overwrite, err := a.mayOverwrite(cmd.Context(), out)
			if err != nil || !overwrite && fileExists(out) {
				return err
			}
			_, st, err := a.projectStore(cmd)
			if err != nil {
				return err
			}
			ids, err := a.identities(identity)
			if err != nil {
				return err
			}
			show := newBackupProgress(a, "opsctl.backup.export/v1")
			defer show.close()
			e, err := backup.Export(cmd.Context(), backup.ExportOptions{
				Store: st, ID: args[0], Identities: ids, Path: out, Overwrite: overwrite, DryRun: a.global.DryRun, Now: a.now, Progress: show.event,
			})
			if err != nil {
				return show.failed(err)
			}
			if a.global.DryRun {
				return show.dryRun(fmt.Sprintf("%s would be written to %s", ui.Bytes(e.Bytes), out))
			}
			return show.exported(e)
		},
	}
	f := cmd.Flags()
	f.StringVar(&out, "out", "", "`file` to write")
	f.StringVar(&identity, "identity", "", "`file` with the age secret key (default: "+identityVar+", "+identityFileVar+", or keygen's file)")
	return cmd
}

func fileExists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// mayOverwrite asks where the file is there; a directory is never replaced.
func (a *app) mayOverwrite(ctx context.Context, path string) (bool, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !info.Mode().IsRegular() {
		return false, errs.New(errs.Usage, "%s is not a file", path).WithHint("name a file with --out FILE")
	}
	if a.global.DryRun {
		return true, nil
	}
	return a.confirm(ctx, fmt.Sprintf("overwrite %s?", path))
}

// exportedResult is the last line of export's NDJSON.
type exportedResult struct {
	Schema string `json:"schema"`
	Type   string `json:"type"` // result
	OK     bool   `json:"ok"`
	*backup.Exported
	Restore string `json:"restore"` // the command that restores it
}

func (b *backupProgress) exported(e *backup.Exported) error {
	b.close()
	command := restoreCommand(e)
	if b.a.global.JSON {
		return ui.Event(b.a.io.Out, exportedResult{b.schema, "result", true, e, command})
	}
	w := b.a.io.Out
	fmt.Fprintf(w, "backup   %s\n", ui.Bold(e.ID))
	fmt.Fprintf(w, "file     %s, %s, readable by you alone\n", e.Path, ui.Bytes(e.Bytes))
	fmt.Fprintf(w, "sha256   %s\n", e.SHA256)
	_, err := fmt.Fprintf(w, "restore  %s\n", command)
	if err == nil && !b.a.global.Quiet {
		fmt.Fprintf(b.a.io.Err, "%s\n", ui.Faint(fmt.Sprintf("it is in the clear, and holds everything that the database held; it needs pg_restore %d or newer, and the roles %s (or --no-owner --no-acl)",
			e.PostgreSQL, strings.Join(e.Roles, ", "))))
	}
	return err
}

// restoreCommand makes a database and restores the file into it. Amounts of
// type money stand in the file as lc_monetary=C prints them.
func restoreCommand(e *backup.Exported) string {
	name := shellQuote(e.Database.Name)
	return fmt.Sprintf("createdb --template=template0 --encoding=%s %s && PGOPTIONS='-c lc_monetary=C' pg_restore --exit-on-error --jobs=2 --dbname=%s %s",
		shellQuote(e.Database.Encoding), name, name, shellQuote(e.Path))
}

// shellQuote quotes a word for a POSIX shell where it needs that.
func shellQuote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./:=@%+,", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
