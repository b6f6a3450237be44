package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/deploy"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/ui"
)

// nativeOptions are the flags of backup native.
type nativeOptions struct {
	platform string
	database string
	backup   string
	at       string
	name     string
}

func newBackupNativeCmd(a *app) *cobra.Command {
	var o nativeOptions
	cmd := &cobra.Command{
		Use:   "native",
		Short: "The platform's own backups of the managed database",
		Long: `List, make and restore the backups that the platform itself keeps of the app's managed
PostgreSQL, and see to which time it can be restored. They lie with the same provider as
the database, and nobody has restored and compared them: keep backups of your own too
(opsctl backup create). A restore makes a new database; what runs is not touched.`,
		Example: `  opsctl backup native list
  opsctl backup native window
  opsctl backup native restore --to 2026-11-24T02:59:00Z --name erp-then`,
	}
	sub := func(use, short, long, example string, run func(context.Context) error) *cobra.Command {
		c := &cobra.Command{Use: use, Short: short, Long: long, Example: example, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context()) }}
		c.Flags().StringVar(&o.platform, "platform", "", "platform (default: the environment's)")
		c.Flags().StringVar(&o.database, "database", "", "the managed database, by `name` (default: the app's)")
		cmd.AddCommand(c)
		return c
	}
	sub("list", "List the platform's backups", "List the platform's backups of the database, newest first.", "  opsctl backup native list --json",
		func(ctx context.Context) error { return a.nativeList(ctx, o) })
	sub("create", "Have the platform make a backup", "Have the platform make a backup now, and wait for it.", "  opsctl backup native create",
		func(ctx context.Context) error { return a.nativeCreate(ctx, o) })
	sub("window", "Say to which time the database can be restored", "Say to which time the database can be restored (point-in-time recovery).", "  opsctl backup native window",
		func(ctx context.Context) error { return a.nativeWindow(ctx, o) })
	restore := sub("restore", "Make a new database from a backup or a time", `Make a new database from one of the platform's backups, or as it was at a time, and wait
until it is ready. The database that the app uses stays as it is. It costs money as long
as it exists: remove it on the platform when it has served.`,
		"  opsctl backup native restore --to 2026-11-24T02:59:00Z --name erp-then\n  opsctl backup native restore --backup ID --name erp-then",
		func(ctx context.Context) error { return a.nativeRestore(ctx, o) })
	restore.Flags().StringVar(&o.at, "to", "", "`time` to go back to, with its zone, such as 2026-11-24T02:59:00Z")
	restore.Flags().StringVar(&o.backup, "backup", "", "backup to restore, by `id`")
	restore.Flags().StringVar(&o.name, "name", "", "`name` of the new database")
	restore.MarkFlagsMutuallyExclusive("to", "backup")
	return cmd
}

// native finds the app's database on its platform.
func (a *app) native(ctx context.Context, o *nativeOptions) (target, platform.NativeBackups, error) {
	t, err := a.target("backup native", o.platform)
	if err != nil {
		return t, nil, err
	}
	p, err := a.platform(ctx, t)
	if err != nil {
		return t, nil, err
	}
	backups, err := ability[platform.NativeBackups](p, "native backups")
	if o.database == "" {
		o.database = t.env.App + "-db"
	}
	return t, backups, err
}

func (a *app) nativeList(ctx context.Context, o nativeOptions) error {
	t, backups, err := a.native(ctx, &o)
	if err != nil {
		return err
	}
	list, err := backups.Backups(ctx, t.env.App, o.database)
	if err != nil {
		return err
	}
	if a.global.JSON {
		return ui.JSON(a.io.Out, map[string]any{"schema": "opsctl.backup.native/v1", "database": o.database, "backups": nonNil(list)})
	}
	if len(list) == 0 {
		_, err := fmt.Fprintf(a.io.Out, "%s has no backup of %s yet\n", t.env.Platform, o.database)
		return err
	}
	rows := make([][]string, 0, len(list))
	for _, b := range list {
		mark, size := ui.Info, "-"
		if b.Ready {
			mark = ui.OK
		}
		if b.Size > 0 {
			size = ui.Bytes(b.Size)
		}
		rows = append(rows, []string{mark.String() + " " + b.ID, b.Kind, a.ago(b.Created), b.Status, size})
	}
	ui.Table(a.io.Out, a.io.Width(), []string{"  backup", "kind", "made", "status", "size"}, rows)
	return nil
}

func (a *app) nativeCreate(ctx context.Context, o nativeOptions) error {
	t, backups, err := a.native(ctx, &o)
	if err != nil {
		return err
	}
	if a.global.DryRun {
		_, err := fmt.Fprintf(a.io.Out, "%s would be asked to back up %s\n", t.env.Platform, o.database)
		return err
	}
	made, err := backups.CreateBackup(ctx, t.env.App, o.database, a.report())
	if err != nil {
		return err
	}
	if a.global.JSON {
		return ui.JSON(a.io.Out, map[string]any{"schema": "opsctl.backup.native/v1", "database": o.database, "backups": []platform.NativeBackup{made}})
	}
	_, err = fmt.Fprintf(a.io.Out, "%s: backup %s (%s) is %s\n", o.database, made.ID, made.Kind, made.Status)
	return err
}

func (a *app) nativeWindow(ctx context.Context, o nativeOptions) error {
	t, backups, err := a.native(ctx, &o)
	if err != nil {
		return err
	}
	w, err := backups.RecoveryWindow(ctx, t.env.App, o.database)
	if err != nil {
		return err
	}
	if a.global.JSON {
		return ui.JSON(a.io.Out, map[string]any{"schema": "opsctl.backup.window/v1", "database": o.database, "window": w})
	}
	from, to := "not told by the platform", "now"
	if !w.From.IsZero() {
		from = w.From.UTC().Format(time.RFC3339)
	}
	if !w.To.IsZero() {
		to = w.To.UTC().Format(time.RFC3339)
	}
	fmt.Fprintf(a.io.Out, "%s can be restored to a time\n  from  %s\n  to    %s\n", o.database, from, to)
	if w.Note != "" {
		fmt.Fprintln(a.io.Out, "  "+wrap(w.Note, a.io.Width(), 2))
	}
	return nil
}

func (a *app) nativeRestore(ctx context.Context, o nativeOptions) error {
	spec := platform.RestoreSpec{Backup: o.backup, Name: o.name}
	if o.at != "" {
		at, err := time.Parse(time.RFC3339, o.at)
		if err != nil {
			return errs.New(errs.Usage, "--to: %q is no time with a zone", o.at).WithHint("such as 2026-11-24T02:59:00Z")
		}
		spec.Time = at
	}
	if (spec.Backup == "") == spec.Time.IsZero() {
		return errs.New(errs.Usage, "say what to restore").WithHint("--to TIME (see: opsctl backup native window) or --backup ID (see: opsctl backup native list)")
	}
	t, backups, err := a.native(ctx, &o)
	if err != nil {
		return err
	}
	spec.App, spec.Database = t.env.App, o.database
	if spec.Name == "" {
		spec.Name = o.database + "-restored-" + a.now().UTC().Format("20060102-150405")
	}
	what := "backup " + spec.Backup
	if !spec.Time.IsZero() {
		what = spec.Time.Format(time.RFC3339)
	}
	if a.global.DryRun {
		_, err := fmt.Fprintf(a.io.Out, "%s would be made from %s as of %s\n", spec.Name, spec.Database, what)
		return err
	}
	if ok, err := a.confirm(ctx, fmt.Sprintf("make the database %s from %s as of %s?", spec.Name, spec.Database, what)); err != nil || !ok {
		return err
	}
	db, err := backups.RestoreDatabase(ctx, spec, a.report())
	if err != nil {
		return err
	}
	if a.global.JSON {
		return ui.JSON(a.io.Out, map[string]any{"schema": "opsctl.backup.restored/v1", "database": db.Name, "id": db.ID, "status": db.Status})
	}
	fmt.Fprintf(a.io.Out, "%s (%s) is %s; %s stays as it is\n", db.Name, db.ID, db.Status, spec.Database)
	if !a.global.Quiet {
		fmt.Fprintf(a.io.Err, "to use it, set %s and %s to its URLs (on the platform's dashboard) in the environment's env file, then: opsctl deploy\n", deploy.PooledURL, directVar)
	}
	return nil
}
