package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/backup/archive"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/execx"
	"github.com/opsctl/opsctl/internal/postgres"
)

// makeRoom decides what becomes of the target's schemas: pg_restore's options
// for what it must leave out, and the statements to run before it.
func (r *restorer) makeRoom() (options, statements []string, err error) {
	makes := func(schema string) int {
		i := slices.IndexFunc(r.archive.Entries, func(e archive.Entry) bool {
			return e.Desc == "SCHEMA" && e.Tag == schema && strings.Contains(e.Definition, "CREATE SCHEMA")
		})
		if i < 0 {
			return 0
		}
		return r.archive.Entries[i].ID
	}
	var skip []int
	public := false
	for _, s := range r.target.schemas {
		public = public || s.Name == "public"
		id := makes(s.Name)
		switch {
		case s.HasExtensions && id > 0:
			skip = append(skip, id) // stays, with the extensions in it
		case s.HasExtensions, s.Name == "public" && id == 0 && slices.Contains(r.m.Schemas, "public"):
		case r.result.Mode == ModeReplace:
			statements = append(statements, "DROP SCHEMA "+postgres.QuoteIdent(s.Name)+" CASCADE")
		default: // only public can be there in an empty database
			statements = append(statements, "DROP SCHEMA "+postgres.QuoteIdent(s.Name))
		}
	}
	if !public && makes("public") == 0 && slices.Contains(r.m.Schemas, "public") {
		statements = append(statements, "CREATE SCHEMA public")
	}
	if r.options.NoOwner {
		options = append(options, "--no-owner")
	}
	if r.target.noPrivileges {
		options = append(options, "--no-privileges")
	}
	if len(skip) > 0 {
		path := filepath.Join(r.dir, "list")
		if err := os.WriteFile(path, r.entryList(skip), 0o600); err != nil {
			return nil, nil, err
		}
		options = append(options, "--use-list="+path)
	}
	return options, statements, nil
}

// entryList is a list for pg_restore -L: every entry but some, in the archive's order.
func (r *restorer) entryList(skip []int) []byte {
	var out bytes.Buffer
	for _, e := range r.archive.Entries {
		if !slices.Contains(skip, e.ID) {
			fmt.Fprintf(&out, "%d;\n", e.ID)
		}
	}
	return out.Bytes()
}

// prologue begins the transaction and empties the target: the objects of
// schemas that stay, one by one, and the other schemas as a whole. Extensions
// stay, since not everybody may make them again; their configuration goes.
func (r *restorer) prologue(statements []string) string {
	var b strings.Builder
	b.WriteString(`BEGIN READ WRITE;
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
SET LOCAL lock_timeout = '60s';
SET LOCAL client_min_messages = warning;
SET LOCAL search_path = pg_catalog;
SELECT 'opsctl', txid_current(), pg_backend_pid();
`)
	dropped := func(schema string) bool {
		return slices.Contains(statements, "DROP SCHEMA "+postgres.QuoteIdent(schema)+" CASCADE")
	}
	var stay []string
	for _, s := range r.target.schemas {
		if !dropped(s.Name) {
			stay = append(stay, "'"+strings.ReplaceAll(s.Name, "'", "''")+"'")
		}
	}
	run := func(sql string) { b.WriteString(sql + "\n\\gexec\n") }
	run(`SELECT format('DROP %s IF EXISTS %I CASCADE', upper(kind), name) FROM (` + sqlOutside + `) o`)
	if len(stay) > 0 {
		run(`SELECT format('DROP %s IF EXISTS %s CASCADE', upper(type), identity) FROM (` +
			sqlOwn + `) own WHERE nspname IN (` + strings.Join(stay, ", ") + `) ORDER BY rank`)
	}
	b.WriteString("SELECT count(lo_unlink(oid)) FROM pg_largeobject_metadata;\n")
	for _, sql := range statements {
		b.WriteString(sql + ";\n")
	}
	run(`SELECT format('DELETE FROM ONLY %s %s', x.rel::regclass, x.condition)
FROM pg_extension e CROSS JOIN unnest(e.extconfig, e.extcondition) x(rel, condition) JOIN pg_class c ON c.oid = x.rel WHERE c.relkind = 'r'`)
	for _, sql := range r.roleStatements() {
		b.WriteString(sql + ";\n")
	}
	return b.String()
}

// replace runs pg_restore's script behind the prologue in one transaction.
// The script's own COMMIT is its last statement, and a stream that ends before
// it ends the session, which rolls back.
func (r *restorer) replace(ctx context.Context, statements, options []string) error {
	script, err := startChild(ctx, execx.Cmd{
		Path: r.at.install.Path("pg_restore"), Env: r.at.env,
		Args: append(append([]string{"--file=-", "--single-transaction", "--no-tablespaces"}, options...), r.spoolPath()),
	})
	if err != nil {
		return err
	}
	defer script.Close()
	m := &meter{w: io.Discard, emit: r.Progress, now: r.Now, event: Event{Stage: StageRestore, State: Progress, Total: r.archive.Bytes}}
	var out head
	err = new(stderrLines).run(ctx, execx.Cmd{
		Path: r.at.install.Path("psql"), Env: r.at.env, Stdout: &out,
		Args:  []string{"--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--no-password", "--set=ON_ERROR_STOP=1", "--dbname=" + conninfo(r.at.name) + " " + keepalives},
		Stdin: io.MultiReader(strings.NewReader(r.prologue(statements)), io.TeeReader(script, m)),
	})
	var tx, pid int64
	if n, _ := fmt.Sscanf(out.text.String(), "opsctl|%d|%d", &tx, &pid); n < 2 {
		r.phase = untouched
		if err == nil {
			err = errors.New("psql did not begin the restore")
		}
		return err
	}
	return r.settle(ctx, tx, pid, err)
}

// head keeps the first bytes that are written to it.
type head struct{ text bytes.Buffer }

func (h *head) Write(p []byte) (int, error) {
	if room := 200 - h.text.Len(); room > 0 {
		h.text.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// settle asks the server what became of the transaction, and ends it where a
// stopped psql left it behind: only the server knows whether it committed.
func (r *restorer) settle(ctx context.Context, tx, pid int64, err error) error {
	r.phase = undecided
	quiet, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	conn, connErr := r.at.connect(quiet)
	if connErr != nil {
		return errors.Join(err, connErr)
	}
	defer func() { _ = conn.Close(quiet) }()
	for {
		var status string
		if askErr := conn.QueryRow(quiet, "SELECT coalesce(txid_status($1), '')", tx).Scan(&status); askErr != nil {
			return errors.Join(err, askErr)
		}
		switch status {
		case "committed":
			r.phase = restored
			return err
		case "aborted":
			r.phase = rolledBack
			if err == nil {
				err = errs.New(errs.Failure, "the server rolled the restore back")
			}
			return err
		}
		// The process may have ended by now, and its id be another's.
		_, _ = conn.Exec(quiet, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND application_name = 'opsctl restore' AND datname = current_database()", pid)
		select {
		case <-quiet.Done():
			return errors.Join(err, quiet.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
