package backup

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/postgres"
)

// roleUse says what an archive needs a role for.
type roleUse struct{ owner, privilege, policy bool }

// rolesOf finds the roles that pg_restore will name. PostgreSQL's own (pg_...)
// are everywhere.
func (v *verifier) rolesOf() map[string]roleUse {
	out := make(map[string]roleUse)
	for _, e := range v.archive.Entries {
		if isDatabaseEntry(e) {
			continue // left out by pg_restore
		}
		if e.Owner != "" && !strings.HasPrefix(e.Owner, "pg_") {
			use := out[e.Owner]
			use.owner = true
			out[e.Owner] = use
		}
		privilege := e.Desc == "ACL" || e.Desc == "DEFAULT ACL"
		if !privilege && e.Desc != "POLICY" {
			continue
		}
		for _, r := range v.m.Roles {
			if !mentions(e.Definition, r.Name) {
				continue
			}
			use := out[r.Name]
			use.privilege, use.policy = use.privilege || privilege, use.policy || !privilege
			out[r.Name] = use
		}
	}
	return out
}

// mentions tells whether SQL that pg_dump wrote names the role: behind a blank,
// and ended as names are.
func mentions(sql, role string) bool {
	for _, name := range []string{quoteIdent(role), postgres.QuoteIdent(role)} {
		for rest := sql; ; {
			_, after, ok := strings.Cut(rest, " "+name)
			if !ok {
				break
			}
			if after == "" || strings.ContainsAny(after[:1], " ,;\n)") {
				return true
			}
			rest = after
		}
	}
	return false
}

// planRoles decides which roles the restore makes. It fails, before anything
// is changed, where objects could not be given to their owners.
func (v *verifier) planRoles(ctx context.Context, conn *pgx.Conn) error {
	t, uses := v.target, v.rolesOf()
	mine, err := rolesAt(ctx, conn, t)
	if err != nil {
		return err
	}
	var missing, foreign, grantees, policies []string
	for _, name := range slices.Sorted(maps.Keys(uses)) {
		member, exists := mine[name]
		switch use := uses[name]; {
		case !exists && use.policy:
			policies = append(policies, name)
		case !exists && use.owner && !t.noOwner:
			missing = append(missing, name)
		case !exists && use.privilege:
			grantees = append(grantees, name)
		case exists && use.owner && !member:
			foreign = append(foreign, name)
		}
	}
	may := t.superuser || t.createRole
	if may {
		t.roles = slices.Concat(missing, grantees, policies)
	}
	if err := v.rolesFit(may, slices.Concat(missing, grantees), foreign, policies); err != nil {
		return err
	}
	if len(t.roles) > 0 {
		v.note("roles that the target lacks are made, without the right to log in: %s", names(t.roles))
	}
	if t.noOwner {
		v.note("with --no-owner everything belongs to %s; owners are not compared", t.config.User)
	}
	if t.noPrivileges = t.noOwner && !may && len(grantees) > 0; t.noPrivileges {
		v.note("privileges are not restored, since the target lacks %s", names(grantees))
	}
	return nil
}

// rolesFit is the refusal of planRoles.
func (v *verifier) rolesFit(may bool, missing, foreign, policies []string) error {
	t := v.target
	if !may && len(policies) > 0 {
		return errs.New(errs.Failure, "policies of the backup are for roles that the target lacks and user %s may not make: %s", t.config.User, names(policies)).
			WithHint("make them there first: CREATE ROLE ... NOLOGIN")
	}
	if t.noOwner {
		return nil
	}
	if !may && len(missing) > 0 {
		return errs.New(errs.Failure, "the target lacks roles of the backup, and user %s may not make them: %s", t.config.User, names(missing)).
			WithHint("make them there first (CREATE ROLE ... NOLOGIN), restore as a user with CREATEROLE, or give everything to %s with --no-owner", t.config.User)
	}
	if len(foreign) > 0 {
		return errs.New(errs.Failure, "user %s is not a member of roles that own objects of the backup, so it cannot give them these: %s", t.config.User, names(foreign)).
			WithHint("there, as an administrator: GRANT %s TO %s; or give everything to %s with --no-owner", postgres.QuoteIdent(foreign[0]), postgres.QuoteIdent(t.config.User), t.config.User)
	}
	return nil
}

// rolesAt lists the target's roles, and which of them the user may act as.
func rolesAt(ctx context.Context, conn *pgx.Conn, t *target) (map[string]bool, error) {
	right := "MEMBER"
	if t.before.Server.Major() >= 16 { // membership alone does not let it become the role
		right = "SET"
	}
	rows, err := conn.Query(ctx, "SELECT rolname, pg_has_role(oid, $1) FROM pg_roles", right)
	if err != nil {
		return nil, err
	}
	out := make(map[string]bool)
	var name string
	var member bool
	_, err = pgx.ForEachRow(rows, []any{&name, &member}, func() error {
		out[name] = member
		return nil
	})
	return out, err
}

// roleStatements make the roles of planRoles. A superuser gives them back the
// right to pass by row-level security, which filling a materialised view may need.
func (v *verifier) roleStatements() []string {
	var out []string
	for _, name := range v.target.roles {
		sql := "CREATE ROLE " + postgres.QuoteIdent(name) + " NOLOGIN"
		i := slices.IndexFunc(v.m.Roles, func(r Role) bool { return r.Name == name })
		if v.target.superuser {
			if i >= 0 && (slices.Contains(v.m.Roles[i].Attributes, "bypassrls") || slices.Contains(v.m.Roles[i].Attributes, "superuser")) {
				sql += " BYPASSRLS"
			}
			out = append(out, sql)
			continue
		}
		out = append(out, sql, "GRANT "+postgres.QuoteIdent(name)+" TO CURRENT_USER")
	}
	return out
}
