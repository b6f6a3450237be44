package backup

import (
	"slices"
	"strings"
	"testing"
)

// Databases of shapes that a restore changes on the way, though nothing is lost.
func TestShapesThatARestoreChanges(t *testing.T) {
	for _, tt := range []struct {
		name, note string
		sql        []string
	}{
		{"tables and indexes in a tablespace", "tablespaces are left out", []string{
			"SET allow_in_place_tablespaces = on", "CREATE TABLESPACE fast LOCATION ''", `
CREATE TABLE t (id int PRIMARY KEY USING INDEX TABLESPACE fast, x text) TABLESPACE fast;
CREATE INDEX ON t (x) TABLESPACE fast; INSERT INTO t VALUES (1, 'a');
CREATE TABLE p (k int) PARTITION BY LIST (k) TABLESPACE fast; CREATE TABLE p1 PARTITION OF p DEFAULT;
CREATE MATERIALIZED VIEW m TABLESPACE fast AS SELECT * FROM t`}},
		{"an inherited table whose parent grew", "stand in another order", []string{`
CREATE TABLE parent (id int, name text);
CREATE TABLE child (own text, "odd, (name" int) INHERITS (parent);
CREATE TABLE grandchild (more int) INHERITS (child);
ALTER TABLE parent ADD COLUMN late text DEFAULT 'l';
INSERT INTO parent VALUES (1, 'p', 'x'); INSERT INTO child VALUES (2, E'c\\t\\n', 'own', 3, 'y'); INSERT INTO grandchild VALUES (3, 'g', 'o', 4, 5, 'z')`}},
		{"functions with a body in SQL and publications with a row filter", "", []string{`
CREATE TABLE o (id int PRIMARY KEY, kind varchar(10), at date);
CREATE FUNCTION known(k varchar DEFAULT 'x') RETURNS boolean BEGIN ATOMIC SELECT k IN ('a', 'b') OR EXISTS (SELECT FROM o WHERE kind IN ('a', k)); END;
CREATE FUNCTION plain(k varchar) RETURNS boolean RETURN k IN ('a', 'b');
CREATE PROCEDURE p(k varchar) BEGIN ATOMIC INSERT INTO o VALUES (1, k, '2026-01-01'); END;
CREATE PUBLICATION few FOR TABLE o WHERE (kind = 'a' AND id > 1)`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			url := database(t, "")
			exec(t, url, tt.sql...)
			m := f.create(t, url)
			v := f.verify(t, m.ID)
			proven(t, v)
			to := database(t, "")
			r, err := Restore(t.Context(), f.restoreOptions(m.ID, to))
			same(t, r, err)
			for _, notes := range [][]string{v.Notes, r.Notes} {
				if !slices.ContainsFunc(notes, func(n string) bool { return strings.Contains(n, tt.note) }) && tt.note != "" {
					t.Errorf("no note %q in %q", tt.note, notes)
				}
			}
		})
	}
	t.Run("a changed row of an inherited table is still found", func(t *testing.T) {
		f := newFixture(t)
		url := database(t, "")
		exec(t, url, `CREATE TABLE parent (id int); CREATE TABLE child (own text) INHERITS (parent); ALTER TABLE parent ADD COLUMN late text;
INSERT INTO child VALUES (1, 'own', 'late')`)
		m := f.create(t, url)
		fakeProgram(t, "psql", `"$REAL" "$@" && "$REAL" -Xqc "UPDATE child SET own = late, late = own"`)
		o := f.restoreOptions(m.ID, url)
		o.Confirm = m.Database.Name
		r, err := Restore(t.Context(), o)
		if err != nil || r.Outcome != OutcomeDiffers || len(r.Differences) != 1 || r.Differences[0].Name != "public.child" {
			t.Errorf("result %+v, error %v", r, err)
		}
	})
}
