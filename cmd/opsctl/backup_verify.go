package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/backup"
	"github.com/opsctl/opsctl/internal/config"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/ui"
)

func newBackupVerifyCmd(a *app) *cobra.Command {
	var identity string
	var jobs int
	cmd := &cobra.Command{
		Use:   "verify [ID|latest]",
		Short: "Prove a backup: restore it and compare everything",
		Long: `Prove a backup: read and decrypt every stored byte, restore it into a scratch
PostgreSQL server that is removed afterwards, and compare everything with what
the source held: every table's rows and content, the schema, sequences, large
objects, extensions, policies, settings. Then backup.verify.checks of
opsctl.yaml run. The source database is not touched.

Not compared, and said so: what the server makes anew from the rows (content of
materialised views, generated columns), rows behind foreign tables, tablespaces,
and the roles' attributes and passwords, which belong to the server.

When this machine is at fault (disk full, memory, a missing library, a store
that cannot be read) that is exit 1 and no verdict.

The verdict is stored beside the backup, where "backup list" shows it.

Exit status: 0 proven, 3 not proven (each difference is printed), 5 no such backup.`,
		Example: `  opsctl backup verify
  opsctl backup verify 20261124T030000Z-k3xa --identity key.txt
  opsctl backup verify --store file:/var/backups/app --json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id := backup.Latest
			if len(args) > 0 {
				id = args[0]
			}
			return a.runBackupVerify(cmd, id, identity, jobs)
		},
	}
	f := cmd.Flags()
	f.StringVar(&identity, "identity", "", "`file` with the age secret key (default: "+identityVar+", "+identityFileVar+", or keygen's file)")
	f.IntVar(&jobs, "jobs", 2, "parallel `jobs` of the restore")
	return cmd
}

func (a *app) runBackupVerify(cmd *cobra.Command, id, identity string, jobs int) error {
	if jobs < 1 {
		return errs.New(errs.Usage, "--jobs must be at least 1")
	}
	p, st, err := a.projectStore(cmd)
	if err != nil {
		return err
	}
	ids, err := a.identities(identity)
	if err != nil {
		return err
	}
	checks, err := backupChecks(p)
	if err != nil {
		return err
	}
	show := newBackupProgress(a, "opsctl.backup.verify/v1")
	defer show.close()
	v, err := backup.Verify(cmd.Context(), backup.VerifyOptions{
		Store: st, ID: id, Identities: ids, Checks: checks, Jobs: jobs, DryRun: a.global.DryRun, CacheDir: a.cacheDir("postgres"),
		Opsctl: buildVersion().Version, Now: a.now, Progress: show.event,
	})
	if v == nil {
		return show.failed(err)
	}
	// A verdict that could not be stored is still the verdict; not proven counts more.
	if verdictErr := show.verdict(v); verdictErr != nil {
		return verdictErr
	}
	return err
}

func backupChecks(p *config.Project) ([]backup.Check, error) {
	var out []backup.Check
	for _, c := range p.Backup.Verify.Checks {
		check := backup.Check{Name: c.Name, SQL: c.SQL, Expect: c.Expect}
		if err := check.Valid(); err != nil {
			return nil, err
		}
		out = append(out, check)
	}
	return out, nil
}

// cacheDir is a directory of the user's cache; "" when there is no home.
func (a *app) cacheDir(name string) string {
	dir := a.getenv("XDG_CACHE_HOME")
	if dir == "" {
		home := a.getenv("HOME")
		if home == "" {
			return ""
		}
		dir = filepath.Join(home, ".cache")
	}
	return filepath.Join(dir, "opsctl", name)
}

// verdictResult is the last line of verify's NDJSON.
type verdictResult struct {
	Schema string `json:"schema"`
	Type   string `json:"type"` // result
	OK     bool   `json:"ok"`
	*backup.Verdict
	VerdictSchema string `json:"verdict_schema"`
}

func (b *backupProgress) verdict(v *backup.Verdict) error {
	b.close()
	failed := errs.New(errs.CheckFailed, "backup %s is not proven: %s", v.ID, ui.Count(int64(len(v.Differences)), "difference")).
		WithHint("do not rely on it: make a new one with opsctl backup create, and see opsctl backup list for older ones that are proven")
	if b.a.global.JSON {
		if err := ui.Event(b.a.io.Out, verdictResult{b.schema, "result", v.Proven, v, v.Schema}); err != nil || v.Proven {
			return err
		}
		return failed
	}
	for _, d := range v.Differences {
		fmt.Fprintf(b.a.io.Out, "%s %s\n", ui.Fail, b.a.redact.Redact(d.String()))
	}
	if !v.Proven {
		return failed
	}
	_, err := fmt.Fprintf(b.a.io.Out, "%s %s: %s and %s restored and compared, in %s\n", ui.Green("proven"), v.ID,
		ui.Count(int64(v.Tables), "table"), ui.Count(v.Rows, "row"), ui.Duration(seconds(v.Seconds)))
	return err
}
