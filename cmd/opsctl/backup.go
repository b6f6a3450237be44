package main

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/backup/seal"
	"github.com/opsctl/opsctl/internal/backup/store"
	"github.com/opsctl/opsctl/internal/config"
	"github.com/opsctl/opsctl/internal/errs"
)

// The variables that only backups read; the others are settings of opsctl.yaml.
const (
	identityVar     = "OPSCTL_BACKUP_IDENTITY"
	identityFileVar = "OPSCTL_BACKUP_IDENTITY_FILE"
	directVar       = "DIRECT_DATABASE_URL"
)

func newBackupCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "backup",
		Short:   "Back up a PostgreSQL database and prove the backup",
		GroupID: "data",
		Long: `Back up a PostgreSQL database, and prove the backup: a backup counts when it has
been restored and its content compared with the source.

No opsctl.yaml is needed: the database is DIRECT_DATABASE_URL or DATABASE_URL,
the store is --store file:DIR or OPSCTL_BACKUP_STORE. PostgreSQL's own programs
(pg_dump, pg_restore, initdb, postgres) do the work; no Docker.`,
		Example: `  opsctl backup keygen
  opsctl backup create --store file:/var/backups/app --recipient age1...
  opsctl backup verify --store file:/var/backups/app
  opsctl backup restore latest --into TARGET_URL
  opsctl backup list --json`,
	}
	cmd.PersistentFlags().String("store", "", "where backups are kept: `file:DIR` (default: backup.store)")
	cmd.AddCommand(newBackupCreateCmd(a), newBackupListCmd(a), newBackupInfoCmd(a), newBackupVerifyCmd(a),
		newBackupRestoreCmd(a), newBackupExportCmd(a), newBackupNativeCmd(a), newBackupKeygenCmd(a))
	return cmd
}

// projectStore loads the project and opens its store.
func (a *app) projectStore(cmd *cobra.Command) (*config.Project, store.Store, error) {
	p, err := a.project()
	if err != nil {
		return nil, nil, err
	}
	st, err := a.backupStore(cmd, p)
	return p, st, err
}

// storeFlag is --store as it was given, for the next command that is printed.
func storeFlag(cmd *cobra.Command) string {
	if location, err := cmd.Flags().GetString("store"); err == nil && location != "" {
		return " --store " + location
	}
	return ""
}

// backupStore opens the store of the flag, the environment or opsctl.yaml. A
// relative directory in opsctl.yaml is relative to that file.
func (a *app) backupStore(cmd *cobra.Command, p *config.Project) (store.Store, error) {
	location, err := cmd.Flags().GetString("store")
	if err != nil {
		return nil, err
	}
	if location != "" {
		return store.Open(location)
	}
	location = p.Backup.Store
	dir, isFile := strings.CutPrefix(location, "file:")
	if isFile && p.Path != "" && a.getenv("OPSCTL_BACKUP_STORE") == "" && dir != "" && !filepath.IsAbs(dir) {
		location = "file:" + filepath.Join(filepath.Dir(p.Path), dir)
	}
	return store.Open(location)
}

// databaseURL is the value of the variable that holds the direct URL.
func (a *app) databaseURL(named string, p *config.Project) (string, error) {
	name := cmp.Or(named, p.Backup.Database, "DATABASE_URL")
	if named == "" && name == "DATABASE_URL" && a.getenv(directVar) != "" {
		name = directVar
	}
	url := a.getenv(name)
	if url == "" {
		return "", errs.New(errs.Usage, "%s is not set, so there is no database to back up", name).
			WithHint("set %s to the database's direct URL (postgres://USER:PASSWORD@HOST:5432/DATABASE), or name another variable with --database-var", name)
	}
	a.redact.Add(url)
	return url, nil
}

// identities are the secret keys: of the flag's file, the variables, or the
// file that keygen writes. None at all is fine for backups that need none.
func (a *app) identities(file string) ([]age.Identity, error) {
	value := a.getenv(identityVar)
	if file == "" && value != "" {
		a.redact.Add(strings.Fields(value)...)
		return seal.ParseIdentities(strings.NewReader(value))
	}
	path := cmp.Or(file, a.getenv(identityFileVar))
	usual := path == ""
	if usual {
		if path = a.identityPath(); path == "" {
			return nil, nil
		}
	}
	f, err := os.Open(path)
	if usual && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, errs.Wrap(err, errs.Usage, "read the identity").WithHint("give the file that opsctl backup keygen wrote: --identity FILE or %s", identityFileVar)
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err == nil && info.Mode().Perm()&0o077 != 0 && info.Mode().IsRegular() {
		a.io.Warn("others on this machine may read the identity %s; run: chmod 600 %s", path, path)
	}
	return seal.ParseIdentities(f)
}

// identityPath is where keygen puts the secret key: beside the user file. It
// is "" when there is no home directory.
func (a *app) identityPath() string {
	dir := a.getenv("XDG_CONFIG_HOME")
	if dir == "" {
		home := a.getenv("HOME")
		if home == "" {
			return ""
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "opsctl", "backup-identity.txt")
}
