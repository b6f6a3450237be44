package backup

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/backup/archive"
)

func TestIDsSortByTime(t *testing.T) {
	at := time.Date(2026, 11, 24, 3, 0, 0, 0, time.FixedZone("", 3600))
	id, err := newID(at, strings.NewReader("abc"))
	if err != nil || id != "20261124T020000Z-mfrg" || !IsID(id) {
		t.Errorf("got %q, %v", id, err)
	}
	later, err := newID(at.Add(time.Second), strings.NewReader("\x00\x00\x00"))
	if err != nil || later <= id {
		t.Errorf("%q does not sort behind %q", later, id)
	}
	for _, bad := range []string{"", "latest", "20261124T020000Z", "20261124T020000Z-MFRG", "../20261124T020000Z-mfrg", "20261124T020000Z-mfrg/"} {
		if IsID(bad) {
			t.Errorf("%q counts as an id", bad)
		}
	}
}

// What printing an expression again may change must not matter; anything else must.
func TestLoosen(t *testing.T) {
	same := [][2]string{
		{`CHECK (((kind)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[])))`,
			`CHECK (((kind)::text = ANY (ARRAY[('a'::character varying)::text, ('b'::character varying)::text])))`},
		{`DEFAULT nextval('public.s'::regclass)`, `DEFAULT nextval(('public.s'::regclass))`},
		{`x  =  1`, "x = 1\n"},
		{`(a + b)::numeric(10,2)`, `(a + b)`},
		{`'x'::"My"."Type"[]`, `'x'`},
		{`x::timestamp(3) without time zone`, `x`},
	}
	for _, p := range same {
		if a, b := loosen(p[0]), loosen(p[1]); a != b {
			t.Errorf("%q and %q differ:\n%q\n%q", p[0], p[1], a, b)
		}
	}
	different := [][2]string{
		{`CHECK (kind = 'a')`, `CHECK (kind = 'b')`},
		{`CHECK (kind = 'a (b)')`, `CHECK (kind = 'a b')`},
		{`CHECK (kind = 'a::text')`, `CHECK (kind = 'a')`},
		{`CHECK (kind = 'it''s (x)')`, `CHECK (kind = 'it''s x')`},
		{`"a b" int`, `"a  b" int`},
		{`x character varying(10)`, `x character varying(20)`},
		{`a < b`, `a <= b`},
		{`E'\' (a)'`, `E'\' a'`},
	}
	for _, p := range different {
		if loosen(p[0]) == loosen(p[1]) {
			t.Errorf("%q and %q are the same: %q", p[0], p[1], loosen(p[0]))
		}
	}
}

func FuzzLoosen(f *testing.F) {
	f.Add(`CHECK ((a)::text = 'x''y'::"T"[])`)
	f.Fuzz(func(t *testing.T, s string) {
		once := loosen(s)
		if strings.ContainsAny(s, "'\":") {
			return // only the absence of a panic
		}
		if again := loosen(once); again != once {
			t.Errorf("%q becomes %q, then %q", s, once, again)
		}
	})
}

func TestSequencesOfTheArchive(t *testing.T) {
	got, err := sequences([]archive.Entry{
		{Desc: "SEQUENCE SET", Schema: "a", Tag: "s", Definition: "SELECT pg_catalog.setval('a.s', -5, false);\n"},
		{Desc: "SEQUENCE", Tag: "t"},
		{Desc: "SEQUENCE SET", Schema: "a", Tag: `o'd, 1, true`, Definition: `SELECT pg_catalog.setval('a."o''d, 1, true"', 9223372036854775807, true);` + "\n"},
	})
	want := []Sequence{{"a", `o'd, 1, true`, "9223372036854775807", true}, {"a", "s", "-5", false}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := sequences([]archive.Entry{{Desc: "SEQUENCE SET", Definition: "SELECT 1"}}); err == nil {
		t.Error("nonsense was accepted")
	}
}

func TestCheckExpectations(t *testing.T) {
	for _, tt := range []struct {
		expect, value string
		want          bool
	}{
		{"> 0", "1", true}, {"> 0", "0", false}, {">0", "10", true}, {"5", "5.0", true}, {"= 5", "6", false},
		{">= 9", "10", true}, {"<= 9", "10", false}, {"!= x", "y", true}, {"<> x", "x", false}, {"t", "t", true},
		{"== a b", "a b", true}, {"< 2", "10", false}, {"", "", true},
	} {
		if got := (Check{Expect: tt.expect}).met(tt.value); got != tt.want {
			t.Errorf("%q of %q: %v", tt.expect, tt.value, got)
		}
	}
	if (Check{Name: "x", SQL: "select 1"}).Valid() == nil {
		t.Error("a check that expects nothing is valid")
	}
}

const digest = `{"bytes": 1, "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}`

const smallManifest = `{"schema": "opsctl.backup.manifest/v1", "id": "20261124T030000Z-aaaa", "kind": "logical",
 "created": "2026-11-24T03:00:00Z", "seconds": 1.5, "opsctl": "dev",
 "source": {"host": "h", "port": 5432, "user": "u", "database": "d"}, "dump": {"version": "15.18", "format": "1.14"},
 "objects": [{"name": "dump.zst", "role": "dump", "encryption": "none", "stored": ` + digest + `, "plain": ` + digest + `},
             {"name": "globals.sql.zst", "role": "globals", "encryption": "none", "stored": ` + digest + `, "plain": ` + digest + `}],
 "recipients": [], "server": {"version": "15.18", "number": 150018}, "database": {"name": "d"},
 "schemas": ["public"], "tables": [{"schema": "public", "name": "t", "kind": "table", "rows": 1, "bytes": 2, "hash": "00000000000000000000000000000000", "columns": "x"}],
 "extensions": [], "roles": [], "policies": [], "settings": [], "catalog": {}, "sequences": [],
 "large_objects": {"rows": 0, "bytes": 0, "hash": ""}, "schema_hash": "", "schema_objects": []}`

// sealed gives a manifest its checksum.
func sealed(manifest string) []byte {
	return withChecksum([]byte(strings.TrimSuffix(manifest, "}")))
}

func TestParseManifest(t *testing.T) {
	if _, err := ParseManifest(sealed(smallManifest)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, old, new, want string }{
		{"a newer form", "manifest/v1", "manifest/v2", "form opsctl.backup.manifest/v2 is of a newer opsctl"},
		{"another form", "manifest/v1", "manifest/v1x", `form "opsctl.backup.manifest/v1x" is not known`},
		{"another time", "2026-11-24T03:00:00Z", "2026-11-24T04:00:00Z", "created 2026-11-24T04:00:00Z is not the time of id"},
		{"an unknown field", `"kind"`, `"extra": 1, "kind"`, "unknown field"},
		{"an id that is a path", "20261124T030000Z-aaaa", "../x", "has no known form"},
		{"an object that is a path", "dump.zst", "../dump.zst", "hidden part"},
		{"an object that is the manifest", `"globals.sql.zst"`, `"manifest.json"`, "there twice"},
		{"two objects of one name", "globals.sql.zst", "dump.zst", "there twice"},
		{"no dump", `"role": "dump"`, `"role": "other"`, "no dump"},
		{"a short digest", "e3b0c4", "e3b0", "no valid digest"},
		{"another encryption", `"none"`, `"rot13"`, "encryption"},
		{"another kind", `"logical"`, `"physical"`, `kind "physical"`},
		{"negative rows", `"rows": 1`, `"rows": -1`, "no valid rows"},
		{"bytes behind it", `"schema_objects": []}`, `"schema_objects": []} {}`, ""},
		{"cut", `"schema_objects": []}`, ``, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			changed := strings.Replace(smallManifest, tt.old, tt.new, 1)
			if changed == smallManifest {
				t.Fatal("nothing was changed")
			}
			if _, err := ParseManifest(sealed(changed)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// Whoever changes, cuts or lengthens a stored manifest by any byte is found out.
func TestEveryByteOfAManifestCounts(t *testing.T) {
	m, err := ParseManifest(sealed(smallManifest))
	if err != nil {
		t.Fatal(err)
	}
	good, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseManifest(good); err != nil {
		t.Fatal(err)
	}
	for i := range good {
		for _, bit := range []byte{0x01, 0x20} { // another letter, another case
			bad := bytes.Clone(good)
			bad[i] ^= bit
			if _, err := ParseManifest(bad); err == nil {
				t.Errorf("byte %d, %q for %q, is accepted", i, bad[i], good[i])
			}
		}
		if _, err := ParseManifest(good[:i]); err == nil {
			t.Errorf("%d bytes of it are accepted", i)
		}
	}
	if _, err := ParseManifest(append(bytes.Clone(good), '\n')); err == nil {
		t.Error("a byte more is accepted")
	}
}

func FuzzParseManifest(f *testing.F) {
	f.Add(sealed(smallManifest))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseManifest(data)
		if err != nil {
			return
		}
		out, err := m.Encode()
		if err != nil {
			t.Fatalf("accepted, but cannot be written: %v", err)
		}
		again, err := ParseManifest(out)
		if err != nil {
			t.Fatalf("accepted once, then refused: %v", err)
		}
		second, err := again.Encode()
		if err != nil || !bytes.Equal(out, second) {
			t.Errorf("not stable: %v", err)
		}
		for _, o := range m.Objects {
			if strings.Contains(o.Name, "..") && strings.Contains(o.Name, "/") {
				t.Errorf("object %q", o.Name)
			}
		}
	})
}

func FuzzParseVerdict(f *testing.F) {
	f.Add([]byte(`{"schema": "opsctl.backup.verdict/v1", "id": "20261124T030000Z-aaaa", "proven": true}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := parseVerdict(data, "20261124T030000Z-aaaa")
		if err == nil && (v.ID != "20261124T030000Z-aaaa" || !json.Valid(data)) {
			t.Errorf("accepted %q", data)
		}
	})
}

// Bodies and filters in SQL are printed from their parse tree; text behind AS is not.
func TestDefinitionsThatAreLoosened(t *testing.T) {
	for _, tt := range []struct {
		desc, a, b string
		same       bool
	}{
		{"PUBLICATION TABLE", "ALTER PUBLICATION p ADD TABLE ONLY t WHERE (((k)::text = 'a'::text));", "ALTER PUBLICATION p ADD TABLE ONLY t WHERE ((k = 'a'));", true},
		{"PUBLICATION TABLE", "ALTER PUBLICATION p ADD TABLE ONLY t WHERE ((k = 'a'));", "ALTER PUBLICATION p ADD TABLE ONLY t WHERE ((k = 'b'));", false},
		{"FUNCTION", "CREATE FUNCTION f() RETURNS boolean\n    LANGUAGE sql\n    BEGIN ATOMIC\n SELECT ((k)::text = 'a'::text);\nEND;", "CREATE FUNCTION f() RETURNS boolean\n    LANGUAGE sql\n    BEGIN ATOMIC\n SELECT (k = 'a');\nEND;", true},
		{"FUNCTION", "CREATE FUNCTION f() RETURNS boolean\n    LANGUAGE sql\n    AS $$SELECT (1)::int$$;", "CREATE FUNCTION f() RETURNS boolean\n    LANGUAGE sql\n    AS $$SELECT 1$$;", false},
		{"PROCEDURE", "CREATE PROCEDURE p()\n    LANGUAGE sql\n    RETURN (1);", "CREATE PROCEDURE p()\n    LANGUAGE sql\n    RETURN 2;", false},
	} {
		a, b := definition(archive.Entry{Desc: tt.desc, Definition: tt.a}), definition(archive.Entry{Desc: tt.desc, Definition: tt.b})
		if (a == b) != tt.same {
			t.Errorf("%s: same %v, want %v:\n%s\n%s", tt.desc, a == b, tt.same, a, b)
		}
	}
}
