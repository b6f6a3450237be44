package backup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/backup/seal"
	"github.com/opsctl/opsctl/internal/backup/store"
	"github.com/opsctl/opsctl/internal/errs"
)

// reseal replaces an object's content by change's result, sealed again for the
// same recipients, as somebody with access to the store could.
func (f *fixture) reseal(t *testing.T, m *Manifest, role string, change func([]byte) []byte) *Object {
	t.Helper()
	o := m.Object(role)
	key := m.ID + "/" + o.Name
	stored, err := os.ReadFile(f.store.Path(key))
	if err != nil {
		t.Fatal(err)
	}
	r, err := seal.NewReader(bytes.NewReader(stored), f.identities)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	recipients, err := seal.ParseRecipients([]string{f.recipient})
	if err != nil {
		t.Fatal(err)
	}
	sums, err := sealTo(t.Context(), f.store, key, seal.Options{Recipients: recipients}, func(w io.Writer) error {
		_, err := w.Write(change(plain))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	o.Stored, o.Plain = sums.Stored, sums.Plain
	return o
}

// rewrite stores a changed manifest.
func (f *fixture) rewrite(t *testing.T, m *Manifest) {
	t.Helper()
	data, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.store.Put(t.Context(), m.ID+"/"+manifestName, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
}

// notProven wants a difference of that kind and name.
func notProven(t *testing.T, v *Verdict, kind, name string) {
	t.Helper()
	if v.Proven {
		t.Error("proven")
	}
	if !slices.ContainsFunc(v.Differences, func(d Difference) bool { return d.Kind == kind && d.Name == name }) {
		t.Errorf("no difference of %s %s in %v", kind, name, v.Differences)
	}
}

func TestAChangedRowIsFoundAndNamed(t *testing.T) {
	f := newFixture(t)
	url := database(t, "")
	exec(t, url, "CREATE TABLE people (id int, name text); INSERT INTO people VALUES (1, 'alice'), (2, 'bobby')", "CREATE TABLE other AS SELECT 1 AS x")
	m := f.create(t, url)
	swap := func(plain []byte) []byte { return bytes.Replace(plain, []byte("2\tbobby\n"), []byte("2\tbilly\n"), 1) }

	t.Run("the dump was altered and sealed again", func(t *testing.T) {
		f.reseal(t, m, RoleDump, swap)
		v := f.verify(t, m.ID)
		notProven(t, v, "table", "public.people")
		notProven(t, v, "object", m.Object(RoleDump).Name) // the manifest still has the old digests
		if slices.ContainsFunc(v.Differences, func(d Difference) bool { return d.Name == "public.other" }) {
			t.Errorf("an untouched table is named: %v", v.Differences)
		}
	})
	t.Run("the digests in the manifest as well", func(t *testing.T) {
		f.rewrite(t, m)
		v := f.verify(t, m.ID)
		notProven(t, v, "table", "public.people")
		if slices.ContainsFunc(v.Differences, func(d Difference) bool { return d.Kind == "object" }) {
			t.Errorf("an object is named though all digests fit: %v", v.Differences)
		}
	})
}

func TestAChangedManifestIsFound(t *testing.T) {
	f := newFixture(t)
	url := database(t, "")
	exec(t, url, shop)
	m := f.create(t, url)
	fresh := func(t *testing.T) *Manifest {
		data, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		c, err := ParseManifest(data)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	index := func(c *Manifest, name string) *Table {
		i := slices.IndexFunc(c.Tables, func(t Table) bool { return t.Name == name })
		return &c.Tables[i]
	}
	// All changes at once would do for finding; one verify for each would take a minute.
	c := fresh(t)
	index(c, "orders").Rows++
	index(c, "empty").Forced = true
	index(c, "tenants").Columns = "0000000000000000"
	c.Tables = append(c.Tables, Table{Schema: "public", Name: "gone", Kind: "table", Hash: strings.Repeat("0", 32)})
	c.Sequences[0].Last = "77"
	c.LargeObjects.Hash = strings.Repeat("0", 32)
	c.Policies[0].Hash = "0000000000000000"
	c.Extensions[0].Schema = "elsewhere"
	c.Catalog["indexes"]++
	c.SchemaObjects[0].Hash = "0000000000000000"
	c.SchemaHash = schemaHash(c.SchemaObjects)
	c.Settings = append(c.Settings, Setting{Name: "work_mem"})
	c.Schemas = append(c.Schemas, "more")
	f.rewrite(t, c)
	v := f.verify(t, m.ID)
	for _, want := range [][2]string{
		{"table", "public.orders"}, {"table", "public.empty"}, {"table", "public.tenants"}, {"table", "public.gone"},
		{"sequence", ident(c.Sequences[0].Schema, c.Sequences[0].Name)}, {"large objects", "all"},
		{"policy", `public.orders "by tenant"`}, {"extension", c.Extensions[0].Name}, {"catalog", "indexes"},
		{"definition", c.SchemaObjects[0].key()}, {"setting", "work_mem"}, {"schema", "more"},
	} {
		notProven(t, v, want[0], want[1])
	}
	f.rewrite(t, fresh(t))
	proven(t, f.verify(t, m.ID))
}

// Pain 1 and 4 of other tools: damage that a listing or a restore does not see.
func TestEveryDamagedRegionIsFound(t *testing.T) {
	f := newFixture(t)
	url := database(t, "")
	exec(t, url, "CREATE TABLE t AS SELECT i, md5(i::text) AS x FROM generate_series(1, 20000) i")
	m := f.create(t, url)
	for _, o := range m.Objects {
		path := f.store.Path(m.ID + "/" + o.Name)
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for name, bad := range map[string][]byte{
			"first byte": flip(good, 0), "middle": flip(good, len(good)/2), "last byte": flip(good, len(good)-1),
			"cut": good[:len(good)/2], "longer": append(bytes.Clone(good), 1), "empty": {},
		} {
			if o.Role == RoleGlobals && name != "middle" && name != "cut" {
				continue // the dump is still restored in full for each; the layers are the same
			}
			t.Run(o.Role+" "+name, func(t *testing.T) {
				if err := os.WriteFile(path, bad, 0o600); err != nil {
					t.Fatal(err)
				}
				v := f.verify(t, m.ID)
				notProven(t, v, "object", o.Name)
			})
		}
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("swapped with another backup's", func(t *testing.T) {
		other := f.create(t, url)
		copyFile(t, f.store.Path(other.ID+"/"+other.Object(RoleDump).Name), f.store.Path(m.ID+"/"+m.Object(RoleDump).Name))
		notProven(t, f.verify(t, m.ID), "object", m.Object(RoleDump).Name)
		copyFile(t, f.store.Path(other.ID+"/"+manifestName), f.store.Path(m.ID+"/"+manifestName))
		notProven(t, f.verify(t, m.ID), "object", manifestName)
	})
}

func flip(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 0x20
	return b
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Pain 1: a dump that dies must not become a backup, whatever it wrote before.
func TestADyingPgDumpLeavesNothing(t *testing.T) {
	for name, script := range map[string]string{
		"at once": "exit 1", "no output": "exit 0", "after some output": `"$REAL" "$@" | head -c 5000; echo 'server closed the connection' >&2; exit 1`,
		"cut short with exit 0": `"$REAL" "$@" | head -c 5000; exit 0`, "killed": `"$REAL" "$@" | head -c 5000; kill -9 $$`,
		"everything and exit 1": `"$REAL" "$@"; exit 1`,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			url := database(t, "")
			exec(t, url, "CREATE TABLE t AS SELECT i, md5(i::text) AS x FROM generate_series(1, 1000) i")
			fakePgDump(t, script)
			if _, err := Create(t.Context(), f.createOptions(url)); err == nil {
				t.Fatal("reported as success")
			}
			nothingStored(t, f)
		})
	}
}

// fakePgDump puts a script in place of pg_dump; $REAL is the real one.
func fakePgDump(t *testing.T, script string) {
	t.Helper()
	real := cluster(t).Install()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} { // the server's user must get there
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(real.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "pg_dump" {
			if err := os.Symlink(real.Path(e.Name()), filepath.Join(dir, e.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
	text := "#!/bin/sh\nREAL='" + real.Path("pg_dump") + "'\n" + `[ "$1" = --version ] && exec "$REAL" --version` + "\n" + script + "\n"
	if err := os.WriteFile(filepath.Join(dir, "pg_dump"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("OPSCTL_PG_BINDIR", dir)
}

func nothingStored(t *testing.T, f *fixture) {
	t.Helper()
	list, err := List(t.Context(), f.store)
	if err != nil || len(list) != 0 {
		t.Errorf("list: %v, %v", list, err)
	}
	objects, err := f.store.List(t.Context(), "")
	if err != nil || len(objects) != 0 {
		t.Errorf("objects: %v, %v", objects, err)
	}
}

// A store that fails, at any point, fails the backup.
func TestAFailingStoreLeavesNothing(t *testing.T) {
	url := database(t, "")
	exec(t, url, "CREATE TABLE t AS SELECT i, md5(random()::text) AS x FROM generate_series(1, 5000) i")
	for _, key := range []string{"dump.zst.age", "globals.sql.zst.age", manifestName} {
		t.Run(key, func(t *testing.T) {
			f := newFixture(t)
			full := errors.New("no space left on device")
			o := f.createOptions(url)
			o.Store = &failingStore{Store: f.store, name: key, err: full}
			if _, err := Create(t.Context(), o); !errors.Is(err, full) {
				t.Errorf("got %v", err)
			}
			nothingStored(t, f)
		})
	}
}

// failingStore fails the put of one object, after some bytes.
type failingStore struct {
	store.Store
	name string
	err  error
}

func (s *failingStore) Put(ctx context.Context, key string, r io.Reader) (store.Object, error) {
	if strings.HasSuffix(key, "/"+s.name) {
		_, _ = io.CopyN(io.Discard, r, 100)
		return store.Object{}, s.err
	}
	return s.Store.Put(ctx, key, r)
}

func (s *failingStore) PutIfAbsent(ctx context.Context, key string, data []byte) error {
	if strings.HasSuffix(key, "/"+s.name) {
		return s.err
	}
	return s.Store.PutIfAbsent(ctx, key, data)
}

func TestAnInterruptedCreateLeavesNothing(t *testing.T) {
	f := newFixture(t)
	url := database(t, "")
	exec(t, url, "CREATE TABLE t AS SELECT i, md5(i::text) AS x FROM generate_series(1, 1000) i")
	fakePgDump(t, `"$REAL" "$@" | head -c 5000; sleep 60`)
	ctx, cancel := context.WithCancel(t.Context())
	o := f.createOptions(url)
	inner := o.Progress
	o.Progress = func(e Event) {
		inner(e)
		if e.Stage == StageDump && e.State == Progress {
			cancel()
		}
	}
	start := time.Now()
	_, err := Create(ctx, o)
	if errs.CodeOf(err) != errs.Interrupted {
		t.Errorf("want interrupted, got %v", err)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("took %s", took)
	}
	nothingStored(t, f)
}

func TestVerifyNeedsTheKeyAndSaysSo(t *testing.T) {
	f := newFixture(t)
	url := database(t, "")
	m := f.create(t, url)
	o := f.verifyOptions(m.ID)
	o.Identities = nil
	_, errNone := Verify(t.Context(), o)
	o.Identities = newFixture(t).identities
	_, errWrong := Verify(t.Context(), o)
	for _, err := range []error{errNone, errWrong} {
		if errs.CodeOf(err) != errs.Usage || errs.HintOf(err) == "" {
			t.Errorf("got %v", err)
		}
	}
	// A wrong key says nothing of the backup: no verdict may be stored.
	if e, err := Find(t.Context(), f.store, m.ID); err != nil || e.Verdict != nil {
		t.Errorf("%+v %v", e, err)
	}
}

func TestVerdictIsStoredAsJSON(t *testing.T) {
	f := newFixture(t)
	url := database(t, "")
	m := f.create(t, url)
	v := f.verify(t, m.ID)
	proven(t, v)
	objects, err := f.store.List(t.Context(), m.ID+"/"+verifyPrefix)
	if err != nil || len(objects) != 1 {
		t.Fatalf("%v %v", objects, err)
	}
	data, err := readAll(t.Context(), f.store, objects[0].Key)
	if err != nil {
		t.Fatal(err)
	}
	var stored map[string]any
	if err := json.Unmarshal(data, &stored); err != nil || stored["schema"] != VerdictSchema || stored["proven"] != true || len(stored["stages"].([]any)) != 6 {
		t.Errorf("%s %v", data, err)
	}
}
