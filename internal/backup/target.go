package backup

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/opsctl/opsctl/internal/backup/archive"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/postgres"
)

// place is where the restored database is, and how to reach it.
type place struct {
	install *postgres.Install // the programs that restore and read back
	major   int               // of the server
	name    string            // of the database
	env     []string          // how PostgreSQL's programs connect
	connect func(context.Context) (*pgx.Conn, error)
}

// target is a database that somebody has, as it was before the restore.
type target struct {
	*source
	before     *Facts
	superuser  bool
	createRole bool
	holds      []string // what users made there, by name
	schemas    []targetSchema
	sessions   int  // of others
	isSource   bool // it is the database that the backup was made of

	roles        []string // that the restore makes
	noOwner      bool
	noPrivileges bool
}

// targetSchema is a schema that users made, or public.
type targetSchema struct {
	Name          string
	HasExtensions bool // an extension lives there, so the schema stays
}

func (t *target) empty() bool { return len(t.holds) == 0 }

// where names the database for people.
func (t *target) where() string {
	return fmt.Sprintf("database %s on %s", t.before.Database.Name, t.config.Host)
}

func (t *target) describe() Source {
	return Source{Host: t.config.Host, Port: int(t.config.Port), User: t.config.User, Database: t.before.Database.Name}
}

// parseTarget is parseSource for the database to restore into.
func parseTarget(raw string) (*source, error) {
	s, err := parseSource(raw)
	if err != nil {
		hint := strings.ReplaceAll(errs.HintOf(err), ": set it as DIRECT_DATABASE_URL", ", in the variable that --into names")
		return nil, errs.Wrap(err, errs.CodeOf(err), "the restore's target").WithHint("%s", hint)
	}
	return s, nil
}

// sqlOwn lists the objects in schemas that users made, in an order in which
// they can be dropped: not what an extension or another object brought.
const sqlOwn = `
SELECT o.rank, i.type, i.identity, n.nspname
FROM (SELECT CASE WHEN relkind IN ('r', 'p', 'f') THEN 1 WHEN relkind = 'S' THEN 3 ELSE 2 END AS rank, 'pg_class'::regclass AS class, oid, relnamespace AS ns
        FROM pg_class WHERE relkind IN ('r', 'p', 'f', 'v', 'm', 'S') AND relpersistence <> 't'
      UNION ALL SELECT 4, 'pg_type'::regclass, oid, typnamespace FROM pg_type WHERE typtype IN ('b', 'c', 'd', 'e', 'r', 'p')
      UNION ALL SELECT 5, 'pg_proc'::regclass, oid, pronamespace FROM pg_proc
      UNION ALL SELECT 6, 'pg_operator'::regclass, oid, oprnamespace FROM pg_operator
      UNION ALL SELECT 7, 'pg_opclass'::regclass, oid, opcnamespace FROM pg_opclass
      UNION ALL SELECT 8, 'pg_opfamily'::regclass, oid, opfnamespace FROM pg_opfamily
      UNION ALL SELECT 9, 'pg_collation'::regclass, oid, collnamespace FROM pg_collation
      UNION ALL SELECT 9, 'pg_conversion'::regclass, oid, connamespace FROM pg_conversion
      UNION ALL SELECT 9, 'pg_ts_config'::regclass, oid, cfgnamespace FROM pg_ts_config
      UNION ALL SELECT 9, 'pg_ts_dict'::regclass, oid, dictnamespace FROM pg_ts_dict) o
     JOIN pg_namespace n ON n.oid = o.ns CROSS JOIN LATERAL pg_identify_object(o.class, o.oid, 0) i
WHERE ` + userSchemas + `
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = o.class AND d.objid = o.oid AND d.objsubid = 0 AND d.deptype IN ('e', 'i'))`

// sqlOutside lists what users made outside of schemas.
const sqlOutside = `
SELECT kind, name FROM (
  SELECT 'event trigger' AS kind, evtname::text AS name, 'pg_event_trigger'::regclass AS class, oid FROM pg_event_trigger
  UNION ALL SELECT 'publication', pubname, 'pg_publication'::regclass, oid FROM pg_publication
  UNION ALL SELECT 'server', srvname, 'pg_foreign_server'::regclass, oid FROM pg_foreign_server
  UNION ALL SELECT 'foreign data wrapper', fdwname, 'pg_foreign_data_wrapper'::regclass, oid FROM pg_foreign_data_wrapper) x
WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = x.class AND d.objid = x.oid AND d.deptype = 'e')`

const sqlTargetSchemas = `
SELECT n.nspname, EXISTS (SELECT FROM pg_extension e WHERE e.extnamespace = n.oid)
FROM pg_namespace n
WHERE ` + userSchemas + `
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e')
ORDER BY n.nspname COLLATE "C"`

const sqlHolds = `
SELECT what FROM (
  SELECT 0 AS rank, type || ' ' || identity AS what FROM (` + sqlOwn + `) own WHERE rank = 1
  UNION ALL SELECT 1, 'schema ' || quote_ident(nspname) FROM (` + sqlTargetSchemas + `) s WHERE nspname <> 'public'
  UNION ALL SELECT rank, type || ' ' || identity FROM (` + sqlOwn + `) own WHERE rank > 1
  UNION ALL SELECT 10, kind || ' ' || quote_ident(name) FROM (` + sqlOutside + `) o
  UNION ALL SELECT 11, 'large object ' || oid FROM pg_largeobject_metadata
) h ORDER BY rank, what COLLATE "C"`

const sqlTargetUser = `
SELECT rolsuper, rolcreaterole, (SELECT count(*) FROM pg_stat_activity a
  WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.backend_type = 'client backend')
FROM pg_roles WHERE rolname = current_user`

// inspect looks at the target and changes nothing.
func (t *target) inspect(ctx context.Context, conn *pgx.Conn, m *Manifest) error {
	if err := pinSession(ctx, conn); err != nil {
		return err
	}
	var err error
	if t.before, err = collect(ctx, conn, false); err != nil {
		return err
	}
	if err := list(ctx, conn, sqlHolds, &t.holds, scanString); err != nil {
		return fmt.Errorf("look at what the target holds: %w", err)
	}
	if err := list(ctx, conn, sqlTargetSchemas, &t.schemas, pgx.RowToStructByPos[targetSchema]); err != nil {
		return fmt.Errorf("look at the target's schemas: %w", err)
	}
	if err := conn.QueryRow(ctx, sqlTargetUser).Scan(&t.superuser, &t.createRole, &t.sessions); err != nil {
		return fmt.Errorf("look at the target's user: %w", err)
	}
	t.isSource = t.sameAs(m)
	return t.fits(m)
}

// sameAs tells whether the target is the backup's source. Where a server hides
// its identifier, the address decides.
func (t *target) sameAs(m *Manifest) bool {
	is, was := t.before.Server.SystemIdentifier, m.Server.SystemIdentifier
	if is != "" && was != "" {
		return is == was && t.before.Database.Name == m.Database.Name
	}
	d := t.describe()
	return d.Host == m.Source.Host && d.Port == m.Source.Port && d.Database == m.Database.Name
}

// fits refuses what cannot end well: an older server, another encoding.
func (t *target) fits(m *Manifest) error {
	if is, was := t.before.Server.Major(), m.Server.Major(); is < was {
		return errs.New(errs.Failure, "the target is PostgreSQL %d and backup %s is of PostgreSQL %d, which an older server cannot take", is, m.ID, was).
			WithHint("restore into a server of version %d or newer", was)
	}
	if is, was := t.before.Database.Encoding, m.Database.Encoding; is != was {
		return errs.New(errs.Failure, "the target's encoding is %s and that of backup %s is %s", is, m.ID, was).
			WithHint("make the target with: CREATE DATABASE ... TEMPLATE template0 ENCODING '%s'", was)
	}
	return nil
}

// ownOnly leaves out of is what the target had of its own before: extensions
// of the platform and the schemas that hold them.
func (t *target) ownOnly(was, is *Facts) *Facts {
	if t == nil {
		return is
	}
	c := *is
	c.Schemas = slices.DeleteFunc(slices.Clone(is.Schemas), func(s string) bool {
		return slices.Contains(t.before.Schemas, s) && !slices.Contains(was.Schemas, s) && (s == "public" || t.keeps(s))
	})
	has := func(f *Facts, name string) bool {
		return slices.ContainsFunc(f.Extensions, func(e Extension) bool { return e.Name == name })
	}
	c.Extensions = slices.DeleteFunc(slices.Clone(is.Extensions), func(e Extension) bool {
		return has(t.before, e.Name) && !has(was, e.Name)
	})
	return &c
}

// keeps tells whether a schema of the target stays when the rest is replaced.
func (t *target) keeps(schema string) bool {
	i := slices.IndexFunc(t.schemas, func(s targetSchema) bool { return s.Name == schema })
	return i < 0 || t.schemas[i].HasExtensions
}

// comparable leaves out of the archive's entries what a target has of its own
// or was told not to take: the platform's extensions, the schema public's
// owner, and with noOwner owners and privileges.
func (t *target) comparable(m *Manifest, entries []archive.Entry) []archive.Entry {
	var out []archive.Entry
	for _, e := range entries {
		extension, ok := strings.CutPrefix(e.Tag, "EXTENSION ")
		if e.Desc == "EXTENSION" {
			extension, ok = e.Tag, true
		}
		if ok && (e.Desc == "EXTENSION" || e.Desc == "COMMENT") &&
			!slices.ContainsFunc(m.Extensions, func(x Extension) bool { return quoteIdent(x.Name) == quoteIdent(strings.Trim(extension, `"`)) }) {
			continue
		}
		if e.Desc == "SCHEMA" && (e.Tag == "public" || !slices.Contains(m.Schemas, e.Tag) && t.keeps(e.Tag)) || e.Tag == "SCHEMA public" {
			continue
		}
		if t.noOwner {
			e.Owner = ""
		}
		if (t.noOwner || t.noPrivileges) && (e.Desc == "ACL" || e.Desc == "DEFAULT ACL") {
			continue
		}
		out = append(out, e)
	}
	return out
}
