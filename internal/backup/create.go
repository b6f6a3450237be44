package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/opsctl/opsctl/internal/backup/archive"
	"github.com/opsctl/opsctl/internal/backup/seal"
	"github.com/opsctl/opsctl/internal/backup/store"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/execx"
	"github.com/opsctl/opsctl/internal/postgres"
)

// leftoverAge is how old objects without a manifest must be to be swept: a
// create that is still running has none yet.
const leftoverAge = 24 * time.Hour

// CreateOptions says what to back up, where to and for whom.
type CreateOptions struct {
	DatabaseURL string // direct, with its password
	Store       store.Store
	Recipients  []string // age public keys; none needs Unencrypted
	Unencrypted bool
	DryRun      bool // stop before anything is stored: connection and privileges are checked

	Opsctl   string           // version, for the manifest
	Now      func() time.Time // the clock
	Random   io.Reader        // for the id
	Progress Func             // may be nil
}

// Create makes a logical backup and returns its manifest, which is stored. On
// an error nothing is stored that List shows. A dry run returns a manifest
// without content.
func Create(ctx context.Context, o CreateOptions) (*Manifest, error) {
	c, err := newCreator(o)
	if err != nil {
		return nil, err
	}
	o.Progress.emit(Event{Stage: StageConnect, State: Started})
	conn, err := c.source.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if err := c.prepare(ctx, conn); err != nil {
		return nil, err
	}
	if o.DryRun {
		return c.manifest, nil
	}
	if err := c.run(ctx, conn); err != nil {
		c.discard(ctx)
		return nil, err
	}
	return c.manifest, nil
}

type creator struct {
	CreateOptions
	source   *source
	seal     seal.Options
	install  *postgres.Install
	started  time.Time
	manifest *Manifest
	progress sync.Mutex
}

func newCreator(o CreateOptions) (*creator, error) {
	src, err := parseSource(o.DatabaseURL)
	if err != nil {
		return nil, err
	}
	recipients, err := seal.ParseRecipients(o.Recipients)
	if err != nil {
		return nil, err
	}
	switch {
	case len(recipients) == 0 && !o.Unencrypted:
		return nil, errs.New(errs.Usage, "no recipient is set, so the backup would not be encrypted").
			WithHint("make a key pair with: opsctl backup keygen, and give its public key as --recipient or OPSCTL_BACKUP_RECIPIENTS; or say --unencrypted")
	case len(recipients) > 0 && o.Unencrypted:
		return nil, errs.New(errs.Usage, "recipients are set and --unencrypted is said").WithHint("give one of the two")
	}
	c := &creator{CreateOptions: o, source: src, seal: seal.Options{Recipients: recipients, Unencrypted: o.Unencrypted}, started: o.Now()}
	// The dump and the count run at the same time; the receiver gets one event at a time.
	if inner := o.Progress; inner != nil {
		c.Progress = func(e Event) {
			c.progress.Lock()
			defer c.progress.Unlock()
			inner(e)
		}
	}
	id, err := newID(c.started, o.Random)
	if err != nil {
		return nil, err
	}
	cfg := src.config
	c.manifest = &Manifest{
		Schema: ManifestSchema, ID: id, Kind: "logical", Created: c.started.UTC().Truncate(time.Second), Opsctl: o.Opsctl,
		Source:     Source{Host: cfg.Host, Port: int(cfg.Port), User: cfg.User, Database: cfg.Database},
		Recipients: append([]string{}, o.Recipients...),
	}
	return c, nil
}

// tryStore sweeps the leftovers of killed runs, and writes and removes a small
// object, so that a store that cannot be written is found before the database
// is read. A dry run only looks.
func (c *creator) tryStore(ctx context.Context) error {
	var err error
	if c.DryRun {
		_, err = c.Store.List(ctx, "")
	} else if _, err = SweepLeftovers(ctx, c.Store, c.Now().Add(-leftoverAge)); err == nil {
		if _, err = c.Store.Put(ctx, c.key("try"), strings.NewReader("opsctl")); err == nil {
			err = c.Store.Delete(ctx, c.key("try"))
		}
	}
	if err != nil && ctx.Err() == nil {
		return errs.Wrap(err, errs.Failure, "the store %s cannot be used", c.Store).
			WithHint("check its directory's owner, permissions and space, or name another with --store")
	}
	return err
}

// prepare finds everything that would fail later: programs, the store, privileges.
func (c *creator) prepare(ctx context.Context, conn *pgx.Conn) error {
	var version int
	if err := conn.QueryRow(ctx, "SELECT current_setting('server_version_num')::int").Scan(&version); err != nil {
		return err
	}
	c.Progress.emit(Event{Stage: StageConnect, State: Done, Text: fmt.Sprintf("PostgreSQL %s, database %s", conn.PgConn().ParameterStatus("server_version"), conn.Config().Database)})
	c.Progress.emit(Event{Stage: StagePreflight, State: Started})
	var err error
	c.install, err = postgres.Find(ctx, postgres.FindOptions{Major: version / 10000, Programs: postgres.DumpPrograms, NeededBy: "backup create"})
	if err != nil {
		return err
	}
	if err := c.tryStore(ctx); err != nil {
		return err
	}
	if err := pinSession(ctx, conn); err != nil {
		return err
	}
	if err := endlessTransaction(ctx, conn); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"); err != nil {
		return err
	}
	// Counting must not take the database's cores away from the app.
	if _, err := conn.Exec(ctx, "SET LOCAL max_parallel_workers_per_gather = 0"); err != nil {
		return err
	}
	if err := preflight(ctx, conn); err != nil {
		return err
	}
	c.Progress.emit(Event{Stage: StagePreflight, State: Done, Text: "every table can be read; pg_dump " + c.install.Version})
	return nil
}

func (c *creator) key(name string) string { return c.manifest.ID + "/" + name }

// run makes the objects and, last, the manifest.
func (c *creator) run(ctx context.Context, conn *pgx.Conn) error {
	if err := c.dump(ctx, conn); err != nil {
		return err
	}
	if err := c.globals(ctx); err != nil {
		return err
	}
	c.manifest.Seconds = c.Now().Sub(c.started).Seconds()
	if err := c.manifest.check(); err != nil { // what cannot be read back must not be written
		return fmt.Errorf("made an unusable manifest: %w", err)
	}
	data, err := c.manifest.Encode()
	if err != nil {
		return err
	}
	if err := c.Store.PutIfAbsent(ctx, c.key(manifestName), data); err != nil {
		return fmt.Errorf("store the manifest: %w", err)
	}
	c.Progress.emit(Event{Stage: StageManifest, State: Done, Text: c.manifest.ID})
	return nil
}

// dump stores the archive while the server counts in the same snapshot.
func (c *creator) dump(ctx context.Context, conn *pgx.Conn) error {
	var snapshot string
	if err := conn.QueryRow(ctx, "SELECT pg_export_snapshot()").Scan(&snapshot); err != nil {
		return fmt.Errorf("export the snapshot: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	type counted struct {
		facts *Facts
		err   error
	}
	done := make(chan counted, 1)
	go func() {
		f, err := collect(ctx, conn, true)
		if err != nil {
			cancel(err) // no point in dumping on
		}
		done <- counted{f, err}
	}()
	a, sums, dumpErr := c.storeDump(ctx, snapshot)
	if dumpErr != nil {
		cancel(dumpErr)
	}
	server := <-done
	if dumpErr != nil || server.err != nil {
		return firstCause(ctx, dumpErr, server.err)
	}
	name := "dump" + c.seal.Suffix()
	c.manifest.Objects = append(c.manifest.Objects, c.object(name, RoleDump, sums))
	return c.manifest.fill(server.facts, a)
}

// firstCause is the error that came first: the other one is only its echo.
func firstCause(ctx context.Context, list ...error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return errors.Join(list...)
}

func (c *creator) storeDump(ctx context.Context, snapshot string) (*archive.Archive, seal.Sums, error) {
	c.Progress.emit(Event{Stage: StageDump, State: Started})
	var a *archive.Archive
	sums, err := sealTo(ctx, c.Store, c.key("dump"+c.seal.Suffix()), c.seal, func(w io.Writer) error {
		m := &meter{w: w, emit: c.Progress, now: c.Now, event: Event{Stage: StageDump, State: Progress}}
		var err error
		a, err = dumpThrough(ctx, c.install.Path("pg_dump"), dumpArgs(snapshot), c.source.childEnv(), m)
		return err
	})
	if err != nil {
		return nil, seal.Sums{}, fmt.Errorf("dump the database: %w", err)
	}
	c.Progress.emit(Event{Stage: StageDump, State: Done, Bytes: sums.Plain.Bytes, Total: sums.Plain.Bytes})
	return a, sums, nil
}

func (c *creator) object(name, role string, sums seal.Sums) Object {
	o := Object{Name: name, Role: role, Encryption: "age", Stored: sums.Stored, Plain: sums.Plain}
	if c.seal.Unencrypted {
		o.Encryption = "none"
	}
	return o
}

// globals stores the roles, without passwords.
func (c *creator) globals(ctx context.Context) error {
	c.Progress.emit(Event{Stage: StageGlobals, State: Started})
	name := "globals.sql" + c.seal.Suffix()
	args := []string{"--roles-only", "--no-role-passwords", "--no-password", "--database=" + conninfo(c.manifest.Database.Name)}
	sums, err := sealTo(ctx, c.Store, c.key(name), c.seal, func(w io.Writer) error {
		child, err := startChild(ctx, execx.Cmd{Path: c.install.Path("pg_dumpall"), Args: args, Env: c.source.childEnv()})
		if err != nil {
			return err
		}
		defer child.Close()
		var text bytes.Buffer // a few hundred bytes a role
		if _, err := io.Copy(io.MultiWriter(w, &text), child); err != nil {
			return err
		}
		return checkGlobals(text.String(), c.manifest.Roles)
	})
	if err != nil {
		return fmt.Errorf("dump the roles: %w", err)
	}
	c.manifest.Objects = append(c.manifest.Objects, c.object(name, RoleGlobals, sums))
	c.Progress.emit(Event{Stage: StageGlobals, State: Done, Bytes: sums.Plain.Bytes})
	return nil
}

// checkGlobals makes sure that the roles' file makes every role that the
// database needs.
func checkGlobals(sql string, roles []Role) error {
	for _, r := range roles {
		if !strings.Contains(sql, "CREATE ROLE "+quoteIdent(r.Name)+";") && !strings.Contains(sql, "CREATE ROLE "+postgres.QuoteIdent(r.Name)+";") {
			return fmt.Errorf("role %s is not in pg_dumpall's output", r.Name)
		}
	}
	return nil
}

// conninfo is a connection string for a database of any name.
func conninfo(database string) string {
	return "dbname='" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(database) + "'"
}

// discard removes what a failed create stored. When even that fails, the next
// create sweeps it after a day.
func (c *creator) discard(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if _, err := c.Store.Stat(ctx, c.key(manifestName)); err == nil {
		return // stored after all: the error came behind it
	}
	for _, name := range []string{"dump", "globals.sql"} {
		_ = c.Store.Delete(ctx, c.key(name+c.seal.Suffix()))
	}
}
