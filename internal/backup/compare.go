package backup

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/opsctl/opsctl/internal/backup/archive"
)

// compare dumps the restored database through the same tap and asks the server
// the same questions as at the source.
func (v *verifier) compare(ctx context.Context) (string, error) {
	conn, err := v.at.connect(ctx)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if err := pinSession(ctx, conn); err != nil {
		return "", err
	}
	// The rows are counted by reading them all back, below.
	facts, err := collect(ctx, conn, false)
	if err != nil {
		return "", err
	}
	m := &meter{w: io.Discard, emit: v.Progress, now: v.Now, event: Event{Stage: StageCompare, State: Progress, Total: v.archive.Bytes}}
	a, err := dumpThrough(ctx, v.at.install.Path("pg_dump"), dumpArgs(""), v.at.env, m)
	if err != nil {
		return "", fmt.Errorf("read the restored database back: %w", err)
	}
	contents := contentByTable(a)
	if err := v.rereadReordered(ctx, a, contents); err != nil {
		return "", err
	}
	v.compareTables(contents, "restored")
	v.compareContent("large objects", "all", v.m.LargeObjects, a.LargeObjects, "restored")
	if err := v.compareSequences(a); err != nil {
		return "", err
	}
	v.compareFacts(facts)
	v.compareSchema(a.Entries)
	v.compareDatabase(facts, a)
	v.noteUncompared()
	t := v.m.Totals()
	v.verdict.Tables, v.verdict.Rows = t.Tables, 0
	for _, table := range a.Tables {
		v.verdict.Rows += table.Rows
	}
	return fmt.Sprintf("%s in %s read back", count(int(v.verdict.Rows), "row"), count(t.Tables, "table")), nil
}

// compareTables compares rows and hashes of every table with the manifest.
func (v *verifier) compareTables(is map[string]archive.Content, where string) {
	for _, t := range v.m.Tables {
		if t.Kind != "table" {
			continue
		}
		c, ok := is[t.key()]
		if !ok {
			v.differ("table", t.key(), count(int(t.Rows), "row"), "", "missing %s", where)
			continue
		}
		v.compareContent("table", t.key(), archive.Content{Rows: t.Rows, Bytes: t.Bytes, Hash: t.Hash}, c, where)
	}
	for _, key := range slices.Sorted(maps.Keys(is)) {
		if !slices.ContainsFunc(v.m.Tables, func(t Table) bool { return t.key() == key }) {
			v.differ("table", key, "", count(int(is[key].Rows), "row"), "%s, but not at the source", where)
		}
	}
}

func (v *verifier) compareContent(kind, name string, was, is archive.Content, where string) {
	what := "row"
	if kind == "large objects" {
		what = "object"
	}
	switch {
	case was.Rows != is.Rows:
		v.differ(kind, name, count(int(was.Rows), what), count(int(is.Rows), what), "the number of %ss differs %s", what, where)
	case was.Hash != is.Hash || was.Bytes != is.Bytes:
		v.differ(kind, name, "hash "+was.Hash, "hash "+is.Hash, "the content of its %s differs %s", count(int(is.Rows), what), where)
	}
}

func (v *verifier) compareSequences(a *archive.Archive) error {
	list, err := sequences(a.Entries)
	if err != nil {
		return err
	}
	text := func(s Sequence) string { return fmt.Sprintf("%s, called %v", s.Last, s.Called) }
	v.compareMaps("sequence", toMap(v.m.Sequences, func(s Sequence) (string, string) { return ident(s.Schema, s.Name), text(s) }),
		toMap(list, func(s Sequence) (string, string) { return ident(s.Schema, s.Name), text(s) }))
	return nil
}

// compareFacts compares what the two servers say.
func (v *verifier) compareFacts(is *Facts) {
	was := &v.m.Facts
	same := v.sameMajor()
	is = v.target.ownOnly(was, is)
	v.compareMaps("schema", toMap(was.Schemas, named), toMap(is.Schemas, named))
	v.compareMaps("table", toMap(was.Tables, tableText), toMap(is.Tables, tableText))
	v.compareMaps("policy", toMap(was.Policies, policyText), toMap(is.Policies, policyText))
	if v.target == nil { // a target's settings and memberships are its own
		v.compareMaps("setting", toMap(was.Settings, settingText), toMap(is.Settings, settingText))
		v.compareRoles(was.Roles, is.Roles)
	}
	v.compareMaps("extension", toMap(was.Extensions, extensionText), toMap(is.Extensions, extensionText))
	for _, e := range was.Extensions {
		i := slices.IndexFunc(is.Extensions, func(x Extension) bool { return x.Name == e.Name })
		if i >= 0 && is.Extensions[i].Version != e.Version {
			v.note("extension %s is version %s at the source and %s here", e.Name, e.Version, is.Extensions[i].Version)
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(merged(was.Catalog, is.Catalog))) {
		if kind == "other constraints" && !same { // PostgreSQL 18 counts NOT NULL there
			continue
		}
		if was.Catalog[kind] != is.Catalog[kind] {
			v.differ("catalog", kind, strconv.FormatInt(was.Catalog[kind], 10), strconv.FormatInt(is.Catalog[kind], 10), "their number differs")
		}
	}
}

// compareRoles looks at the roles that own something; the attributes are not
// restored (no role may log in to a scratch cluster) but are in the globals.
func (v *verifier) compareRoles(was, is []Role) {
	for _, r := range was {
		i := slices.IndexFunc(is, func(x Role) bool { return x.Name == r.Name })
		if i >= 0 && !slices.Equal(r.MemberOf, is[i].MemberOf) {
			v.differ("role", r.Name, strings.Join(r.MemberOf, ", "), strings.Join(is[i].MemberOf, ", "), "its memberships differ")
		}
	}
}

func (v *verifier) compareSchema(entries []archive.Entry) {
	text := func(o SchemaObject) (string, string) { return o.key(), o.Hash }
	objects := v.m.SchemaObjects
	if v.target != nil {
		objects, entries = schemaObjects(v.target.comparable(v.m, v.archive.Entries)), v.target.comparable(v.m, entries)
	}
	was, now := toMap(objects, text), toMap(schemaObjects(entries), text)
	if v.sameMajor() {
		v.compareMaps("definition", was, now)
		return
	}
	for _, key := range slices.Sorted(maps.Keys(was)) {
		if _, ok := now[key]; !ok {
			v.note("%s is not in a dump of the newer version under that name", key)
		}
	}
}

// compareDatabase compares the database's own properties by their text in the
// two archives, which holds the settings' values.
func (v *verifier) compareDatabase(is *Facts, a *archive.Archive) {
	was := v.m.Database
	if was.Encoding != is.Database.Encoding {
		v.differ("database", was.Name, was.Encoding, is.Database.Encoding, "its encoding differs")
	}
	if v.target != nil {
		return
	}
	if was.Owner != is.Database.Owner {
		v.differ("database", was.Name, was.Owner, is.Database.Owner, "its owner differs")
	}
	if v.restored != was.Name || !v.sameMajor() {
		return
	}
	if properties(v.archive) != properties(a) {
		v.differ("database", was.Name, "", "", "its settings, privileges or comment differ")
	}
}

func properties(a *archive.Archive) string {
	var list []string
	for _, e := range a.Entries {
		if isDatabaseEntry(e) && e.Desc != "DATABASE" {
			lines := strings.Split(e.Definition, "\n")
			slices.Sort(lines)
			list = append(list, e.Desc+"\x00"+strings.Join(lines, "\n"))
		}
	}
	slices.Sort(list)
	return strings.Join(list, "\x00")
}

// sameMajor tells whether definitions are printed as they were at the source:
// by a server and a pg_dump of the same versions.
func (v *verifier) sameMajor() bool {
	return v.at.major == v.m.Server.Major() && v.at.install.Major == v.m.dumpMajor()
}

// compareMaps names every key whose text differs or that only one side has.
func (v *verifier) compareMaps(kind string, was, is map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(merged(was, is))) {
		a, inA := was[key]
		b, inB := is[key]
		switch {
		case inA && !inB:
			v.differ(kind, key, a, "", "missing in the restored database")
		case !inA && inB:
			v.differ(kind, key, "", b, "in the restored database, but not at the source")
		case a != b:
			v.differ(kind, key, a, b, "differs in the restored database")
		}
	}
}

func merged[V any](a, b map[string]V) map[string]V {
	out := maps.Clone(a)
	if out == nil {
		out = map[string]V{}
	}
	maps.Copy(out, b)
	return out
}

func toMap[T any](list []T, text func(T) (string, string)) map[string]string {
	out := make(map[string]string, len(list))
	for _, x := range list {
		k, t := text(x)
		out[k] = t
	}
	return out
}

func named(s string) (string, string) { return s, "there" }

func tableText(t Table) (string, string) {
	text := t.Kind + ", columns " + t.Columns
	if t.RLS {
		text += ", row-level security"
	}
	if t.Forced {
		text += " forced"
	}
	if t.Filled != nil && !*t.Filled {
		text += ", not populated"
	}
	return t.key(), text
}

func policyText(p Policy) (string, string) {
	return ident(p.Schema, p.Table) + " " + quoteIdent(p.Name),
		fmt.Sprintf("for %s to %s, permissive %v, expressions %s", p.Command, strings.Join(p.Roles, ", "), p.Permissive, p.Hash)
}

func settingText(s Setting) (string, string) {
	return strings.TrimSpace(s.Role + " " + s.Name), "there"
}

func extensionText(e Extension) (string, string) { return e.Name, "in schema " + e.Schema }
