package backup

import (
	"fmt"
	"strings"

	"github.com/opsctl/opsctl/internal/backup/archive"
)

// fill joins what the server said with what the archive holds, and fails where
// the two disagree: they saw the same snapshot.
func (m *Manifest) fill(f *Facts, a *archive.Archive) error {
	m.Facts = *f
	m.Dump = DumpInfo{Version: a.DumpVersion, Format: a.Format}
	m.LargeObjects = a.LargeObjects
	m.SchemaObjects = schemaObjects(a.Entries)
	m.SchemaHash = schemaHash(m.SchemaObjects)
	var err error
	if m.Sequences, err = sequences(a.Entries); err != nil {
		return err
	}
	var wrong []string
	contents := contentByTable(a)
	for i := range m.Tables {
		t := &m.Tables[i]
		if t.Kind != "table" {
			continue
		}
		c, ok := contents[t.key()]
		switch {
		case !ok:
			wrong = append(wrong, fmt.Sprintf("%s is not in the dump", t.key()))
			continue
		case c.Rows != t.Rows:
			wrong = append(wrong, fmt.Sprintf("%s has %d rows, its dump %d", t.key(), t.Rows, c.Rows))
		}
		delete(contents, t.key())
		t.Rows, t.Bytes, t.Hash = c.Rows, c.Bytes, c.Hash
	}
	for key := range contents {
		wrong = append(wrong, fmt.Sprintf("%s is in the dump, but not in the catalog", key))
	}
	if n := m.Catalog["large objects"]; n != a.LargeObjects.Rows {
		wrong = append(wrong, fmt.Sprintf("%d large objects, in the dump %d", n, a.LargeObjects.Rows))
	}
	if len(wrong) > 0 {
		return fmt.Errorf("the dump does not match the database in its own snapshot: %s", strings.Join(wrong, "; "))
	}
	return nil
}

func contentByTable(a *archive.Archive) map[string]archive.Content {
	out := make(map[string]archive.Content, len(a.Tables))
	for _, t := range a.Tables {
		out[ident(t.Schema, t.Name)] = t.Content
	}
	return out
}

func schemaHash(objects []SchemaObject) string {
	var b strings.Builder
	for _, o := range objects {
		fmt.Fprintf(&b, "%q %q %s\n", o.Kind, o.Name, o.Hash)
	}
	return fullHash(b.String())
}
