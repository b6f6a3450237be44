package backup

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/backup/archive"
	"github.com/opsctl/opsctl/internal/backup/seal"
	"github.com/opsctl/opsctl/internal/backup/store"
)

// ManifestSchema is the version of the manifest's form.
const ManifestSchema = "opsctl.backup.manifest/v1"

// manifestName is the object that makes a backup count; it is written last.
const manifestName = "manifest.json"

// maxManifest bounds what is read into memory: 5,000 tables take about 4 MiB.
const maxManifest = 256 << 20

// Roles of a backup's objects.
const (
	RoleDump    = "dump"
	RoleGlobals = "globals"
)

// Manifest says what a backup holds and what the source held in the dump's
// snapshot. It has no secret.
type Manifest struct {
	Schema  string    `json:"schema"`
	ID      string    `json:"id"`
	Kind    string    `json:"kind"` // logical
	Created time.Time `json:"created"`
	Seconds float64   `json:"seconds"` // how long it took
	Opsctl  string    `json:"opsctl"`  // version that made it

	Source     Source   `json:"source"`
	Dump       DumpInfo `json:"dump"`
	Objects    []Object `json:"objects"`
	Recipients []string `json:"recipients"` // public keys that it is encrypted to

	Facts
	Sequences     []Sequence      `json:"sequences"`
	LargeObjects  archive.Content `json:"large_objects"`
	SchemaHash    string          `json:"schema_hash"` // of SchemaObjects
	SchemaObjects []SchemaObject  `json:"schema_objects"`
}

// Source is where the backup came from, without the password.
type Source struct {
	Host     string `json:"host"`
	Port     int    `json:"port"`
	User     string `json:"user"`
	Database string `json:"database"`
}

// DumpInfo says which pg_dump wrote the archive.
type DumpInfo struct {
	Version string `json:"version"` // of pg_dump
	Format  string `json:"format"`  // of the archive, "1.14"
}

// dumpMajor is the major version of the pg_dump that wrote the archive.
func (m *Manifest) dumpMajor() int {
	text, _, _ := strings.Cut(m.Dump.Version, ".")
	if n, err := strconv.Atoi(strings.TrimFunc(text, func(r rune) bool { return r < '0' || r > '9' })); err == nil {
		return n
	}
	return m.Server.Major()
}

// Object is one stored object of the backup.
type Object struct {
	Name       string      `json:"name"` // its key is ID/name
	Role       string      `json:"role"`
	Encryption string      `json:"encryption"` // age or none
	Stored     seal.Digest `json:"stored"`
	Plain      seal.Digest `json:"plain"`
}

// Object returns the object of a role, or nil.
func (m *Manifest) Object(role string) *Object {
	for i := range m.Objects {
		if m.Objects[i].Role == role {
			return &m.Objects[i]
		}
	}
	return nil
}

// Totals are the sums over a manifest.
type Totals struct {
	Tables      int   `json:"tables"` // with rows of their own, so without partitioned parents and views
	Rows        int64 `json:"rows"`
	PlainBytes  int64 `json:"plain_bytes"`
	StoredBytes int64 `json:"stored_bytes"`
}

// Totals sums the manifest up.
func (m *Manifest) Totals() Totals {
	var t Totals
	for _, table := range m.Tables {
		if table.Kind == "table" {
			t.Tables++
			t.Rows += table.Rows
		}
	}
	for _, o := range m.Objects {
		t.PlainBytes += o.Plain.Bytes
		t.StoredBytes += o.Stored.Bytes
	}
	return t
}

// A stored manifest ends with the SHA-256 of everything before it. Every
// version of the form keeps this, so that damage is told from a newer form.
const (
	checksumStart = ",\n  \"sha256\": \""
	checksumEnd   = "\"\n}\n"
	checksumSize  = len(checksumStart) + 2*sha256.Size + len(checksumEnd)
)

// withChecksum ends the members of a JSON object with their checksum.
func withChecksum(members []byte) []byte {
	sum := sha256.Sum256(members)
	return fmt.Appendf(bytes.Clone(members), "%s%x%s", checksumStart, sum, checksumEnd)
}

// Encode writes the manifest as it is stored.
func (m *Manifest) Encode() ([]byte, error) {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, err
	}
	return withChecksum(bytes.TrimSuffix(b, []byte("\n}"))), nil
}

// newerError is a manifest of a form that only a newer opsctl knows.
type newerError struct{ form string }

func (e newerError) Error() string {
	return fmt.Sprintf("manifest: form %s is of a newer opsctl, this one knows %s", e.form, ManifestSchema)
}

// isNewer tells whether a form is a later version of ours.
func isNewer(form string) bool {
	name, version, _ := strings.Cut(ManifestSchema, "/v")
	ours, _ := strconv.Atoi(version)
	rest, ok := strings.CutPrefix(form, name+"/v")
	theirs, err := strconv.Atoi(rest)
	return ok && err == nil && theirs > ours
}

// ParseManifest reads a stored manifest and checks that it can be used: its
// checksum, a known form, an id, and objects with sane names and digests.
func ParseManifest(data []byte) (*Manifest, error) {
	members := data[:max(0, len(data)-checksumSize)]
	if !bytes.Equal(withChecksum(members), data) {
		return nil, errors.New("manifest: its bytes are not those that were written (the checksum at its end does not fit)")
	}
	object := append(bytes.Clone(members), '}')
	var head struct {
		Schema string `json:"schema"`
	}
	if err := json.Unmarshal(object, &head); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	if isNewer(head.Schema) {
		return nil, newerError{head.Schema}
	}
	if head.Schema != ManifestSchema {
		return nil, fmt.Errorf("manifest: form %q is not known, want %s", head.Schema, ManifestSchema)
	}
	d := json.NewDecoder(bytes.NewReader(object))
	d.DisallowUnknownFields()
	m := &Manifest{}
	if err := d.Decode(m); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	return m, nil
}

func (m *Manifest) check() error {
	if !IsID(m.ID) {
		return fmt.Errorf("id %q has no known form", m.ID)
	}
	if m.Kind != "logical" {
		return fmt.Errorf("kind %q is not known", m.Kind)
	}
	if m.Created.IsZero() || m.Server.Number < 90000 {
		return fmt.Errorf("time or server version is missing")
	}
	if when, _, _ := strings.Cut(m.ID, "-"); m.Created.UTC().Format(idTime) != when {
		return fmt.Errorf("created %s is not the time of id %s", m.Created.UTC().Format(time.RFC3339), m.ID)
	}
	if m.Object(RoleDump) == nil || m.Object(RoleGlobals) == nil {
		return fmt.Errorf("it names no dump or no globals")
	}
	var seen []string
	for _, o := range m.Objects {
		if err := store.CheckKey(m.ID + "/" + o.Name); err != nil {
			return err
		}
		if slices.Contains(seen, o.Name) || o.Name == manifestName {
			return fmt.Errorf("object %q is there twice", o.Name)
		}
		seen = append(seen, o.Name)
		if o.Encryption != "age" && o.Encryption != "none" {
			return fmt.Errorf("object %s: encryption %q is not known", o.Name, o.Encryption)
		}
		for _, d := range []seal.Digest{o.Stored, o.Plain} {
			if raw, err := hex.DecodeString(d.SHA256); err != nil || len(raw) != 32 || d.Bytes < 0 {
				return fmt.Errorf("object %s: no valid digest", o.Name)
			}
		}
	}
	return m.checkTables()
}

func (m *Manifest) checkTables() error {
	seen := make(map[string]bool)
	for _, t := range m.Tables {
		if seen[t.key()] {
			return fmt.Errorf("table %s is there twice", t.key())
		}
		seen[t.key()] = true
		if t.Rows < 0 || t.Kind == "table" && len(t.Hash) != 32 {
			return fmt.Errorf("table %s: no valid rows or hash", t.key())
		}
	}
	return nil
}
