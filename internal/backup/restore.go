package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/opsctl/opsctl/internal/backup/archive"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/execx"
	"github.com/opsctl/opsctl/internal/postgres"
)

// scratchUser is the scratch cluster's superuser: a name that no source has,
// so that every role of the source is made like any other.
const scratchUser = "opsctl_scratch"

// startCluster starts the server that the dump is restored into: of the
// source's own major version where it is installed, else newer.
func (v *verifier) startCluster(ctx context.Context) (string, error) {
	major := max(v.m.Server.Major(), v.m.dumpMajor()) // an older pg_restore refuses a newer archive
	in, err := postgres.Find(ctx, postgres.FindOptions{Major: major, Programs: postgres.RestorePrograms, NeededBy: "backup verify"})
	if err != nil {
		return "", err
	}
	v.cluster, err = postgres.StartScratch(ctx, postgres.ScratchOptions{
		Install: in, User: scratchUser, CacheDir: v.CacheDir,
		Settings: map[string]string{"autovacuum": "off", "maintenance_work_mem": "256MB", "max_wal_senders": "0", "wal_level": "minimal"},
	})
	if err != nil {
		return "", err
	}
	if err := v.checkSpace(v.cluster.DataDir(), v.m.restoredBytes()); err != nil {
		return "", err
	}
	v.verdict.PostgreSQL = in.Version
	if in.Major != v.m.Server.Major() {
		v.note("restored with PostgreSQL %d, the source has %d: definitions are compared in part only", in.Major, v.m.Server.Major())
	}
	return "PostgreSQL " + in.Version, nil
}

// restore makes roles and the database and runs pg_restore.
func (v *verifier) restore(ctx context.Context) (string, error) {
	admin, err := pgx.Connect(ctx, v.cluster.SocketURL("template1"))
	if err != nil {
		return "", err
	}
	defer func() { _ = admin.Close(context.WithoutCancel(ctx)) }()
	if missing, err := v.missingExtensions(ctx, admin); err != nil || len(missing) > 0 {
		if err == nil {
			err = errs.New(errs.Failure, "backup %s needs extensions that PostgreSQL %s here does not have: %s", v.m.ID, v.verdict.PostgreSQL, strings.Join(missing, ", ")).
				WithHint("install them in %s, or verify on a machine that has them", v.cluster.Install().Dir)
		}
		return "", err
	}
	if err := v.createRoles(ctx, admin); err != nil {
		return "", err
	}
	if err := v.createDatabase(ctx, admin); err != nil {
		return "", err
	}
	v.at = place{
		install: v.cluster.Install(), major: v.cluster.Install().Major, name: v.restored, env: append(v.scratchEnv(), "PGDATABASE="+v.restored),
		connect: func(ctx context.Context) (*pgx.Conn, error) { return pgx.Connect(ctx, v.cluster.SocketURL(v.restored)) },
	}
	if err := v.preparePublic(ctx); err != nil {
		return "", err
	}
	if err := v.pgRestore(ctx); err != nil {
		return "", err
	}
	if err := v.databaseEntries(ctx, admin); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s into a scratch database", count(v.m.Totals().Tables, "table")), nil
}

func (v *verifier) missingExtensions(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	rows, err := conn.Query(ctx, "SELECT name FROM pg_available_extensions")
	if err != nil {
		return nil, err
	}
	have, err := pgx.CollectRows(rows, pgx.RowTo[string])
	var missing []string
	for _, e := range v.m.Extensions {
		if !slices.Contains(have, e.Name) {
			missing = append(missing, e.Name)
		}
	}
	return missing, err
}

// restoredAttributes are the attributes that change what a restore may do: a
// materialised view, for instance, is filled with its owner's rights, and
// forced row-level security stops that for an owner without BYPASSRLS.
func restoredAttributes(r Role) string {
	var list []string
	for _, a := range r.Attributes {
		if a == "superuser" || a == "bypassrls" || a == "noinherit" {
			list = append(list, strings.ToUpper(a))
		}
	}
	return strings.Join(list, " ")
}

// createRoles makes every role of the source, without the right to log in,
// and their memberships.
func (v *verifier) createRoles(ctx context.Context, conn *pgx.Conn) error {
	known := make(map[string]bool)
	for _, r := range v.m.Roles {
		known[r.Name] = true
		if r.Name == scratchUser {
			continue
		}
		if _, err := conn.Exec(ctx, "CREATE ROLE "+postgres.QuoteIdent(r.Name)+" NOLOGIN "+restoredAttributes(r)); err != nil {
			return fmt.Errorf("create role %s: %w", r.Name, err)
		}
	}
	for _, r := range v.m.Roles {
		for _, parent := range r.MemberOf {
			if !known[parent] && !strings.HasPrefix(parent, "pg_") {
				continue
			}
			if _, err := conn.Exec(ctx, "GRANT "+postgres.QuoteIdent(parent)+" TO "+postgres.QuoteIdent(r.Name)); err != nil {
				v.note("role %s could not be made a member of %s: %v", r.Name, parent, err)
			}
		}
	}
	return nil
}

// createDatabase makes the database with the source's encoding and locale, or
// the nearest one that this machine has, and says so.
func (v *verifier) createDatabase(ctx context.Context, conn *pgx.Conn) error {
	d := v.m.Database
	v.restored = d.Name
	switch d.Name {
	case "template1", "template0":
		v.restored = "opsctl_restored"
	case "postgres":
		if _, err := conn.Exec(ctx, "DROP DATABASE postgres"); err != nil {
			return err
		}
	}
	q := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	base := "CREATE DATABASE " + postgres.QuoteIdent(v.restored) + " TEMPLATE template0 ENCODING " + q(d.Encoding)
	libc := func(collate, ctype string) string { return " LC_COLLATE " + q(collate) + " LC_CTYPE " + q(ctype) }
	tries := []string{libc(d.Collate, d.Ctype)}
	if d.Provider == "i" && d.Locale != "" {
		tries = append([]string{libc(d.Collate, d.Ctype) + " LOCALE_PROVIDER icu ICU_LOCALE " + q(d.Locale)}, tries...)
	}
	if d.Provider == "b" && d.Locale != "" {
		tries = append([]string{libc(d.Collate, d.Ctype) + " LOCALE_PROVIDER builtin BUILTIN_LOCALE " + q(d.Locale)}, tries...)
	}
	tries = append(tries, libc("C.UTF-8", "C.UTF-8"), libc("C", "C"))
	var first error
	for i, options := range tries {
		_, err := conn.Exec(ctx, base+options)
		if err == nil {
			if i > 0 {
				v.note("collation %s is not available here, so the order of texts is not proven", strings.TrimSpace(d.Collate+" "+d.Locale))
			}
			return nil
		}
		if first == nil {
			first = err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return fmt.Errorf("create the scratch database: %w", first)
}

// preparePublic removes the schema public, which every new database has,
// where the source has none or the archive makes it.
func (v *verifier) preparePublic(ctx context.Context) error {
	if slices.Contains(v.m.Schemas, "public") && !v.makesPublic() {
		return nil
	}
	conn, err := v.at.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	_, err = conn.Exec(ctx, "DROP SCHEMA public")
	return err
}

// makesPublic tells whether the archive makes the schema public itself.
func (v *verifier) makesPublic() bool {
	return slices.ContainsFunc(v.archive.Entries, func(e archive.Entry) bool {
		return e.Desc == "SCHEMA" && e.Tag == "public" && strings.Contains(e.Definition, "CREATE SCHEMA")
	})
}

// pgRestore restores the spooled archive. Its failure is the backup's: it does
// not restore.
func (v *verifier) pgRestore(ctx context.Context) error {
	err := v.runRestore(ctx)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	failed, ok := errors.AsType[*execx.Error](err)
	if !ok || failed.Exit <= 0 {
		return err
	}
	if local := v.localFailure(ctx, failed.Stderr); local != nil {
		return local
	}
	v.differ("restore", v.m.ID, "", "", "pg_restore failed: %s", failed.Stderr)
	return errStop
}

// localFailure is the error when pg_restore failed because of this machine: the
// server died, a disk is full, a library is missing. That says nothing of the backup.
func (v *verifier) localFailure(ctx context.Context, said string) error {
	conn, err := v.at.connect(ctx)
	if err == nil {
		err = conn.Close(ctx)
	}
	why := "pg_restore says"
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		why = "the scratch server ended, and pg_restore says"
	case !isLocalText(said):
		return nil
	}
	return errs.New(errs.Failure, "this machine could not restore backup %s, which says nothing of the backup: %s: %s", v.m.ID, why, said).
		WithHint("%s", localHint(said))
}

func localHint(said string) string {
	switch {
	case strings.Contains(said, "shared_preload_libraries"), strings.Contains(said, "could not load library"), strings.Contains(said, "could not access file"):
		return "an extension of the backup needs a library that is not loaded here: verify on a machine that has it"
	case strings.Contains(said, "No space left"), strings.Contains(said, "quota"):
		return "set TMPDIR to a directory with more space, and verify again"
	default:
		return "look at this machine's memory and disk, and verify again"
	}
}

// runRestore runs pg_restore on the spooled archive, in parallel jobs.
func (v *verifier) runRestore(ctx context.Context, options ...string) error {
	jobs := v.Jobs
	if jobs < 1 {
		jobs = 2
	}
	args := []string{"--exit-on-error", "--no-password", "--no-tablespaces", "--jobs=" + strconv.Itoa(jobs), "--dbname=" + conninfo(v.at.name) + " " + keepalives}
	return new(stderrLines).run(ctx, execx.Cmd{
		Path: v.at.install.Path("pg_restore"), Args: append(append(args, options...), v.spoolPath()), Env: v.at.env,
	})
}

// scratchEnv points PostgreSQL's programs at the scratch cluster.
func (v *verifier) scratchEnv() []string {
	return append(pinnedEnv(""),
		"LC_ALL=C", "PGHOST="+v.cluster.SocketDir(), "PGPORT="+strconv.Itoa(v.cluster.Port()),
		"PGUSER="+scratchUser, "PGAPPNAME=opsctl verify")
}

// databaseEntries applies what the archive says of the database itself
// (settings, privileges, comment), which pg_restore leaves out for a database
// that is there already. A failure is a difference.
func (v *verifier) databaseEntries(ctx context.Context, conn *pgx.Conn) error {
	for _, e := range v.archive.Entries {
		if !isDatabaseEntry(e) || e.Desc == "DATABASE" || v.restored != v.m.Database.Name {
			continue
		}
		if _, err := conn.Exec(ctx, e.Definition, pgx.QueryExecModeSimpleProtocol); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if isLocal(conn, err) {
				return fmt.Errorf("restore the database's %s: %w", strings.ToLower(e.Desc), err)
			}
			v.differ("database", v.m.Database.Name, "", "", "%s cannot be restored: %s", strings.ToLower(e.Desc), sqlError(err))
		}
	}
	owner := "ALTER DATABASE " + postgres.QuoteIdent(v.restored) + " OWNER TO " + postgres.QuoteIdent(v.m.Database.Owner)
	if _, err := conn.Exec(ctx, owner); isLocal(conn, err) {
		return fmt.Errorf("restore the database's owner: %w", err)
	} else if err != nil {
		v.differ("database", v.m.Database.Name, v.m.Database.Owner, "", "its owner cannot be restored: %v", err)
	}
	return ctx.Err()
}
