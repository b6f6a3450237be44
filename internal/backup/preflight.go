package backup

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/opsctl/opsctl/internal/errs"
)

// userSchemas is the condition for schemas that pg_dump dumps.
const userSchemas = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`

// sqlProblems lists, for the current user, each table and sequence that a dump
// would stop at. row_security_active knows owners, FORCE and BYPASSRLS.
const sqlProblems = `
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname),
       CASE WHEN NOT has_schema_privilege(n.oid, 'USAGE') THEN 'usage'
            WHEN NOT has_table_privilege(c.oid, 'SELECT') AND c.relkind <> 'S' THEN 'select'
            WHEN c.relkind = 'S' AND NOT has_sequence_privilege(c.oid, 'SELECT') THEN 'select'
            ELSE CASE WHEN c.relforcerowsecurity THEN 'rls forced' ELSE 'rls' END END,
       pg_get_userbyid(c.relowner)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'S') AND c.relpersistence <> 't' AND ` + userSchemas + `
  AND NOT EXISTS (SELECT FROM pg_depend d LEFT JOIN pg_extension e ON e.oid = d.refobjid
                  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
                    AND NOT (c.oid = ANY (coalesce(e.extconfig, '{}'))))
  AND (NOT has_schema_privilege(n.oid, 'USAGE')
       OR CASE WHEN c.relkind = 'S' THEN NOT has_sequence_privilege(c.oid, 'SELECT')
               ELSE NOT has_table_privilege(c.oid, 'SELECT') OR row_security_active(c.oid) END)
ORDER BY 1`

// shown is how many objects an error names.
const shown = 5

// preflight checks that the user may read everything, before pg_dump starts
// and fails in the middle. It names what cannot be read.
func preflight(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, sqlProblems)
	if err != nil {
		return fmt.Errorf("check privileges: %w", err)
	}
	problems := make(map[string][]string)
	var name, kind, owner string
	owners := make(map[string]string)
	_, err = pgx.ForEachRow(rows, []any{&name, &kind, &owner}, func() error {
		problems[kind] = append(problems[kind], name)
		owners[kind] = owner
		return nil
	})
	if err != nil {
		return fmt.Errorf("check privileges: %w", err)
	}
	user := conn.Config().User
	if list := append(problems["usage"], problems["select"]...); len(list) > 0 {
		owner := owners["select"]
		if owner == "" {
			owner = owners["usage"]
		}
		return errs.New(errs.Failure, "user %s cannot read %s", user, names(list)).WithHint(
			"as %s: GRANT USAGE ON SCHEMA ... TO %s; GRANT SELECT ON ALL TABLES IN SCHEMA ... TO %s; the same on SEQUENCES; and ALTER DEFAULT PRIVILEGES for new tables; or back up as the owner", owner, user, user)
	}
	if list := append(problems["rls forced"], problems["rls"]...); len(list) > 0 {
		e := errs.New(errs.Failure, "row-level security hides rows of %s from user %s, so a backup would be incomplete", names(list), user)
		if len(problems["rls forced"]) > 0 {
			return e.WithHint("FORCE ROW LEVEL SECURITY binds even the owner: back up as a role with BYPASSRLS (ALTER ROLE ... BYPASSRLS by a superuser)")
		}
		return e.WithHint("back up as the tables' owner (%s), or as a role with BYPASSRLS", owners["rls"])
	}
	return nil
}

// names lists the first few names for people.
func names(list []string) string {
	if len(list) <= shown {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:shown], ", "), len(list)-shown)
}
