package backup

import (
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opsctl/opsctl/internal/errs"
)

func TestWhatProgramsSayIsCutToTheError(t *testing.T) {
	long := strings.Repeat("SELECT 'CANARY'; ", 1000)
	for _, tt := range []struct{ name, in, want string }{
		{"nothing", "", ""},
		{"a query", "pg_restore: while PROCESSING TOC:\npg_restore: from TOC entry 201; 1259 16400 TABLE a boss\npg_restore: error: could not execute query: ERROR:  relation \"b\" does not exist\nLINE 1: SELECT CANARY\nQUERY:  SELECT 'CANARY'\nCONTEXT:  PL/pgSQL function f() line 1 at IF\nCommand was: CREATE TABLE a AS SELECT 'CANARY';\n" + long,
			`could not execute query: ERROR: relation "b" does not exist (TABLE a boss)`},
		{"a row", "pg_restore: error: COPY failed for table \"t\": ERROR:  invalid input syntax for type integer: \"CANARY\"\nCONTEXT:  COPY t, line 1, column x: \"CANARY\"\n",
			`COPY failed for table "t": ERROR: invalid input syntax for type integer`},
		{"a key", "pg_restore: error: COPY failed for table \"t\": ERROR:  duplicate key value violates unique constraint \"t_pkey\"\nDETAIL:  Key (x)=(CANARY) already exists.\n",
			`COPY failed for table "t": ERROR: duplicate key value violates unique constraint "t_pkey"`},
		{"a value first", "psql:<stdin>:12: ERROR:  value \"CANARY\" is out of range for type integer\n", "ERROR: a value is out of range for type integer"},
		{"a function's own words", "pg_restore: error: could not execute query: ERROR:  CANARY is not allowed\nCONTEXT:  PL/pgSQL function f() line 3 at RAISE\n",
			"could not execute query: ERROR: raised by a function of the database, whose text is not shown"},
		{"without a newline", "pg_restore: error: could not open input file", "could not open input file"},
		{"SQL that looks like an error", "Command was: SELECT 'CANARY ERROR:  x';\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, size := range []int{1, 7, len(tt.in) + 1} {
				s := &stderrLines{}
				for r := strings.NewReader(tt.in); ; {
					buf := make([]byte, size)
					n, err := r.Read(buf)
					_, _ = s.Write(buf[:n])
					if err == io.EOF {
						break
					}
				}
				if got := s.String(); got != tt.want {
					t.Errorf("in pieces of %d: got %q, want %q", size, got, tt.want)
				}
			}
		})
	}
}

func FuzzStderrLines(f *testing.F) {
	f.Add("pg_restore: error: could not execute query: ERROR:  invalid input: \"x\"\nDETAIL:  y\n", 3)
	f.Fuzz(func(t *testing.T, text string, at int) {
		at = min(max(at, 0), len(text))
		whole, parts := &stderrLines{}, &stderrLines{}
		_, _ = whole.Write([]byte(text))
		_, _ = parts.Write([]byte(text[:at]))
		_, _ = parts.Write([]byte(text[at:]))
		got := whole.String()
		if other := parts.String(); got != other {
			t.Errorf("%q in two pieces gives %q, in one %q", text, other, got)
		}
		if strings.Contains(got, "\n") {
			t.Errorf("%q: more than a line", got)
		}
	})
}

// What goes wrong on this machine is an error and no verdict: nobody must throw
// a good backup away for a full disk.
func TestLocalFailuresAreNotTheBackups(t *testing.T) {
	for _, tt := range []struct{ name, script, want string }{
		{"disk full", `echo 'pg_restore: error: COPY failed for table "t": ERROR:  could not extend file "base/1": No space left on device' >&2; exit 1`, "No space left"},
		{"memory", `echo 'pg_restore: error: could not execute query: ERROR:  out of memory' >&2; exit 1`, "out of memory"},
		{"library", `echo 'pg_restore: error: could not execute query: ERROR:  pg_cron can only be loaded via shared_preload_libraries' >&2; exit 1`, "shared_preload_libraries"},
		{"server died", `kill -9 $(head -1 "$PGHOST"/../data/postmaster.pid); sleep 0.2; echo 'pg_restore: error: nobody there' >&2; exit 1`, "the scratch server ended"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			m := f.create(t, database(t, ""))
			fakeProgram(t, "pg_restore", tt.script)
			v, err := Verify(t.Context(), f.verifyOptions(m.ID))
			if v != nil || errs.CodeOf(err) != errs.Failure || errs.HintOf(err) == "" || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("verdict %+v, error %v", v, err)
			}
			if e, err := Find(t.Context(), f.store, m.ID); err != nil || e.Verdict != nil {
				t.Errorf("a verdict was stored: %+v, %v", e, err)
			}
		})
	}
}

// A canary stands wherever people keep what must not leak. It may be in the
// encrypted objects and nowhere else: not in manifest, verdict, record, event
// or error, also when the restore fails on the very row.
func TestNothingLeaksFromTheDatabase(t *testing.T) {
	const canary = "CANARY-7f3a"
	leaky := `
CREATE TABLE t (id int, secret text DEFAULT '` + canary + `', CHECK (secret <> '` + canary + `x'));
INSERT INTO t VALUES (1, '` + canary + `');
COMMENT ON TABLE t IS '` + canary + `';
CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$ SELECT '` + canary + `' $$;
CREATE VIEW w AS SELECT * FROM t WHERE secret = '` + canary + `';
CREATE POLICY p ON t USING (secret <> '` + canary + `');
SELECT lo_from_bytea(0, '` + canary + `');
`
	for _, tt := range []struct{ name, sql string }{
		{"proven", ""},
		{"a check that reads another table", `CREATE TABLE zz (x int); INSERT INTO zz VALUES (1);
CREATE FUNCTION has_zz(s text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
  IF EXISTS (SELECT FROM public.zz) THEN RETURN true; END IF; RAISE 'no luck with %', s; END $$;
ALTER TABLE t ADD CHECK (has_zz(secret))`},
		{"a type that reads another table", `CREATE TABLE zz (x int); INSERT INTO zz VALUES (1);
CREATE FUNCTION has_zz(s text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
  IF EXISTS (SELECT FROM public.zz) THEN RETURN true; END IF; RETURN s::int > 0; END $$;
ALTER TABLE t ADD CHECK (has_zz(secret))`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			url := database(t, "")
			exec(t, url, leaky, tt.sql, "ALTER DATABASE "+value(t, url, "SELECT quote_ident(current_database())")+" SET app.key = '"+canary+"'")
			m := f.create(t, url)
			o := f.verifyOptions(m.ID)
			o.Jobs = 1
			o.Progress = func(e Event) { f.events = append(f.events, e) }
			o.Checks = []Check{
				{Name: "text", SQL: "SELECT secret FROM t", Expect: "x"}, {Name: "cast", SQL: "SELECT secret::int FROM t", Expect: "1"},
				{Name: "number", SQL: "SELECT count(*) FROM t", Expect: "> 5"},
			}
			v, err := Verify(t.Context(), o)
			if err != nil || v.Proven {
				t.Fatalf("%+v %v", v, err)
			}
			if v.Tables > 0 && !strings.Contains(v.Differences[2].String(), "was > 5, is 1") {
				t.Errorf("differences %v", v.Differences)
			}
			restored, restoreErr := Restore(t.Context(), f.restoreOptions(m.ID, database(t, "")))
			text, err := json.Marshal([]any{v, restored, f.events})
			if err != nil {
				t.Fatal(err)
			}
			if restoreErr != nil {
				text = append(text, restoreErr.Error()+errs.HintOf(restoreErr)...)
			}
			if strings.Contains(string(text), canary) {
				t.Errorf("leaked: %s", text)
			}
			leaksNothing(t, f.store.Path(""), canary)
		})
	}
}

// leaksNothing wants the canary in no file below dir.
func leaksNothing(t *testing.T, dir, canary string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), canary) {
			t.Errorf("%s has it: %s", path, data)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
