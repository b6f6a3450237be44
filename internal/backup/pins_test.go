package backup

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/opsctl/opsctl/internal/postgres"
)

// everyFormat has values and constants whose text depends on settings.
const everyFormat = `
CREATE TABLE formats (id int PRIMARY KEY, at timestamptz DEFAULT '2026-03-29 02:30:00+02', raw bytea, price money, span interval, x float8, tags text[],
  CHECK (at > '2000-01-01 00:00:00+01'::timestamptz));
INSERT INTO formats SELECT i, timestamptz '2026-01-01 12:00+00' + i * interval '7 days', decode(md5(i::text), 'hex'), i * 1.5::money,
  make_interval(days => i, hours => -i), i / 3.0, ARRAY['a', NULL, 'null'] FROM generate_series(1, 30) i;
ALTER TABLE formats ENABLE ROW LEVEL SECURITY;
CREATE POLICY recent ON formats USING (at > '2026-02-01 00:00:00+01'::timestamptz);
CREATE VIEW "View" AS SELECT id AS "Id", at FROM formats WHERE at < '2027-01-01 00:00:00+01'::timestamptz;
`

var oddSettings = []string{
	"timezone = 'Europe/Berlin'", "datestyle = 'German, DMY'", "intervalstyle = 'sql_standard'", "extra_float_digits = 0", "bytea_output = 'escape'",
	"xmloption = 'document'", "lc_monetary = 'POSIX'", "quote_all_identifiers = on", "array_nulls = off", "transform_null_equals = on",
}

// Settings of the server, the database or the role must not decide whether a
// backup can be proven.
func TestSettingsThatChangeHowValuesArePrinted(t *testing.T) {
	for _, tt := range []struct{ name, sql string }{
		{"database", "ALTER DATABASE %[1]s SET %[2]s"},
		{"role", "ALTER ROLE boss IN DATABASE %[1]s SET %[2]s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			url := database(t, "")
			name := value(t, url, "SELECT quote_ident(current_database())")
			exec(t, url, everyFormat)
			for _, s := range oddSettings {
				exec(t, url, fmt.Sprintf(tt.sql, name, s))
			}
			m := f.create(t, url)
			proven(t, f.verify(t, m.ID))
			to := database(t, "")
			for _, s := range oddSettings {
				exec(t, to, fmt.Sprintf("ALTER DATABASE %s SET %s", value(t, to, "SELECT quote_ident(current_database())"), s))
			}
			r, err := Restore(t.Context(), f.restoreOptions(m.ID, to))
			same(t, r, err)
		})
	}
	t.Run("server", func(t *testing.T) {
		cluster(t) // skips without PostgreSQL
		c, err := postgres.StartScratch(t.Context(), postgres.ScratchOptions{
			Listen: "127.0.0.1", User: "boss", Password: sourcePassword, Database: "app", CacheDir: shared.cache,
			Settings: map[string]string{"timezone": "Europe/Berlin", "bytea_output": "escape"},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Stop(t.Context()) }()
		f := newFixture(t)
		exec(t, c.URL(), everyFormat)
		proven(t, f.verify(t, f.create(t, c.URL()).ID))
	})
}

func TestPinsComeBehindTheOptionsOfTheURL(t *testing.T) {
	s, err := parseSource("postgres://u:p@h/db?options=-c%20timezone%3DAsia/Tokyo%20-c%20geqo%3Doff")
	if err != nil {
		t.Fatal(err)
	}
	env := s.childEnv()
	i := slices.IndexFunc(env, func(e string) bool {
		return strings.HasPrefix(e, "PGOPTIONS=-c timezone=Asia/Tokyo -c geqo=off -c timezone=UTC ")
	})
	first := slices.IndexFunc(env, func(e string) bool { return strings.HasPrefix(e, "PGOPTIONS=") })
	if i <= first || !slices.Contains(env, "PGTZ=UTC") { // the URL's own comes first, and the later one wins
		t.Errorf("environment %q", env)
	}
}
