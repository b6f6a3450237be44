package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/backup/seal"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/ui"
)

func newBackupKeygenCmd(a *app) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "keygen",
		Short: "Make the key pair that backups are encrypted with",
		Long: `Make an age key pair. The public key (age1...) is printed: give it to "backup
create", which then cannot read what it writes. The secret key goes to a file
that only you can read, and is never printed; an existing file is kept.

Whoever loses the secret key loses every backup that was encrypted to it. Keep
a copy where losing this machine does not lose it too.`,
		Example: `  opsctl backup keygen
  opsctl backup keygen --out /secure/backup-identity.txt`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path := out
			if path == "" {
				path = a.identityPath()
			}
			if path == "" {
				return errs.New(errs.Usage, "there is no home directory to put the key in").WithHint("name a file with --out FILE")
			}
			if a.global.DryRun {
				fmt.Fprintln(a.io.Err, ui.Faint("dry run: a key pair would be made, its secret key in "+path))
				return nil
			}
			k, err := seal.NewKeyPair()
			if err != nil {
				return err
			}
			if err := writeSecret(path, k.File(a.now())); err != nil {
				return err
			}
			if a.global.JSON {
				return ui.JSON(a.io.Out, map[string]any{"schema": "opsctl.backup.keygen/v1", "recipient": k.Recipient, "identity_file": path})
			}
			fmt.Fprintln(a.io.Out, k.Recipient)
			if !a.global.Quiet {
				fmt.Fprintf(a.io.Err, "the secret key is in %s; keep a copy of it outside this machine:\nwithout it no backup can be opened\n", path)
				fmt.Fprintf(a.io.Err, "next: opsctl backup create --recipient %s%s\n", k.Recipient, storeFlag(cmd))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "`file` for the secret key (default: opsctl/backup-identity.txt in the user's configuration directory)")
	return cmd
}

// writeSecret writes a new file that only the user can read; it never
// overwrites one.
func writeSecret(path, content string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return errs.New(errs.Conflict, "%s exists and is not overwritten: it may be the only key to your backups", path).
			WithHint("name another file with --out FILE")
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		_ = os.Remove(path)
	}
	return err
}
