package backup

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/postgres"
)

// as is the database's URL for another user.
func as(t *testing.T, raw, user string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(user, "pw-of-"+user)
	return u.String()
}

// Pain 10 of other tools: privileges and row-level security, found in the
// middle of the night by a dump that stops, or not found at all.
func TestWhatTheUserCannotReadIsNamedBeforeTheDump(t *testing.T) {
	raw := database(t, "")
	n := shared.count.Add(1)
	reader, owner, bypass := fmt.Sprint("reader", n), fmt.Sprint("owner", n), fmt.Sprint("bypass", n)
	exec(t, raw, fmt.Sprintf(`
		CREATE ROLE %[1]s LOGIN PASSWORD 'pw-of-%[1]s'; CREATE ROLE %[2]s LOGIN PASSWORD 'pw-of-%[2]s';
		CREATE ROLE %[3]s LOGIN BYPASSRLS PASSWORD 'pw-of-%[3]s';
		CREATE SCHEMA app AUTHORIZATION %[2]s; SET ROLE %[2]s;
		CREATE TABLE app.open AS SELECT 1 AS x; CREATE TABLE app."Later" (id serial); CREATE TABLE app.tenants (id int);
		GRANT USAGE ON SCHEMA app TO %[1]s, %[3]s; GRANT SELECT ON app.open TO %[1]s;
		GRANT SELECT ON ALL TABLES IN SCHEMA app TO %[3]s; GRANT SELECT ON ALL SEQUENCES IN SCHEMA app TO %[3]s;`, reader, owner, bypass))
	dropLater(t, raw, reader, owner, bypass)
	refused := func(t *testing.T, user string, parts ...string) {
		t.Helper()
		f := newFixture(t)
		_, err := Create(t.Context(), f.createOptions(as(t, raw, user)))
		if err == nil {
			t.Fatal("accepted")
		}
		for _, p := range parts {
			if !strings.Contains(err.Error()+" "+errs.HintOf(err), p) {
				t.Errorf("want %q in %q, hint %q", p, err, errs.HintOf(err))
			}
		}
		nothingStored(t, f)
	}
	accepted := func(t *testing.T, user string) {
		t.Helper()
		f := newFixture(t)
		m, err := Create(t.Context(), f.createOptions(as(t, raw, user)))
		if err != nil {
			t.Fatal(err)
		}
		proven(t, f.verify(t, m.ID))
	}
	t.Run("no SELECT on a new table and its sequence", func(t *testing.T) {
		refused(t, reader, `cannot read app."Later", app."Later_id_seq", app.tenants`, "GRANT SELECT", "ALTER DEFAULT PRIVILEGES", owner)
	})
	t.Run("the owner may", func(t *testing.T) { accepted(t, owner) })
	exec(t, raw, "ALTER TABLE app.tenants ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON app.tenants USING (id = 1); INSERT INTO app.tenants VALUES (1), (2)")
	t.Run("the owner may with row-level security", func(t *testing.T) { accepted(t, owner) })
	exec(t, raw, "ALTER TABLE app.tenants FORCE ROW LEVEL SECURITY")
	t.Run("not with FORCE", func(t *testing.T) {
		refused(t, owner, "row-level security hides rows of app.tenants", "BYPASSRLS")
	})
	t.Run("BYPASSRLS may", func(t *testing.T) { accepted(t, bypass) })
	exec(t, raw, "REVOKE USAGE ON SCHEMA app FROM "+bypass)
	t.Run("not without USAGE on the schema", func(t *testing.T) { refused(t, bypass, "cannot read app.", "GRANT USAGE") })
}

// dropLater drops the database and then the roles that own things in it.
func dropLater(t *testing.T, raw string, roles ...string) {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	admin := cluster(t).URLFor("postgres")
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), admin)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close(context.Background()) }()
		statements := []string{"DROP DATABASE IF EXISTS " + postgres.QuoteIdent(u.Path[1:]) + " WITH (FORCE)"}
		for _, r := range roles {
			statements = append(statements, "DROP ROLE "+postgres.QuoteIdent(r))
		}
		for _, s := range statements {
			if _, err := conn.Exec(context.Background(), s); err != nil {
				t.Errorf("%s: %v", s, err)
			}
		}
	})
}
