// Package archive reads the custom format of pg_dump as it streams past and
// takes, at no cost to the source, what proves a restore: the list of objects
// with their definitions, and per table the number of rows and a hash of their
// content that does not depend on their order.
//
// The format has no checksum of its own, so everything that does not parse is
// an error here: a damaged or cut-off archive must never look complete.
//
// Format, from PostgreSQL's src/bin/pg_dump (pg_backup_archiver.c,
// pg_backup_custom.c), versions 1.14 (PostgreSQL 12 to 15), 1.15 (16) and 1.16
// (17 and newer): a header, a table of contents, then one block for each entry
// with data: a type byte, the entry's number, chunks with a length before each,
// and a 0. Integers are a sign byte and four little-endian bytes; a string is
// its length and bytes, with length -1 for none.
package archive

import (
	"fmt"
	"io"
)

// Archive is what a custom-format archive says about itself.
type Archive struct {
	Format        string // "1.14"
	Database      string // the dumped database's name
	ServerVersion string // of the dumped server, as it says it
	DumpVersion   string // of the pg_dump that wrote it
	Entries       []Entry
	Tables        []TableData // in the order of the archive
	LargeObjects  Content
	Bytes         int64 // length of the archive
}

// Entry is one line of the table of contents.
type Entry struct {
	ID         int
	Desc       string // the kind of object: TABLE, INDEX, TABLE DATA, ...
	Schema     string
	Tag        string // the object's name, as pg_restore -l shows it
	Owner      string
	Definition string // the SQL that makes it
	Copy       string // of TABLE DATA: COPY schema.table (columns) FROM stdin;
	Tablespace string
	HasData    bool
}

// TableData is the content of one table's data entry.
type TableData struct {
	Schema, Name string
	Content
}

// Content is a multiset of rows (or large objects).
type Content struct {
	Rows  int64  `json:"rows"`
	Bytes int64  `json:"bytes"` // of the rows in COPY's text format, with a newline each
	Hash  string `json:"hash"`  // 128 bits in hex, see Sum
}

// Read copies src to dst to the end and returns what passed. It fails, and
// the copy in dst must be thrown away, when src or dst fails, when src is no
// complete archive, or when it is compressed (pg_dump -Z0 is expected).
func Read(dst io.Writer, src io.Reader) (*Archive, error) {
	r := newReader(dst, src)
	a := &Archive{}
	if err := r.header(a); err != nil {
		return nil, fmt.Errorf("archive header at byte %d: %w", r.offset(), err)
	}
	if err := r.contents(a); err != nil {
		return nil, fmt.Errorf("archive's table of contents at byte %d: %w", r.offset(), err)
	}
	if err := r.blocks(a); err != nil {
		return nil, err
	}
	a.Bytes = r.offset()
	return a, nil
}

// header reads the magic word, versions and the facts about the dump.
func (r *reader) header(a *Archive) error {
	var head [11]byte
	if err := r.full(head[:]); err != nil {
		return err
	}
	if string(head[:5]) != "PGDMP" {
		return fmt.Errorf("not a custom-format archive of pg_dump")
	}
	major, minor := head[5], head[6]
	a.Format = fmt.Sprintf("%d.%d", major, minor)
	if major != 1 || minor < 14 || minor > 16 {
		return fmt.Errorf("format %s is not known (1.14 to 1.16 are)", a.Format)
	}
	r.minor = int(minor)
	intSize, offSize, format := head[8], head[9], head[10]
	if intSize != 4 || offSize < 1 || offSize > 8 {
		return fmt.Errorf("integers of %d and offsets of %d bytes are not known", intSize, offSize)
	}
	if format != 1 {
		return fmt.Errorf("format code %d is not the custom format", format)
	}
	r.offSize = int(offSize)
	if err := r.compression(); err != nil {
		return err
	}
	for range 7 { // the time of the dump in the client's zone, as struct tm
		if _, err := r.int(); err != nil {
			return err
		}
	}
	return r.strings(&a.Database, &a.ServerVersion, &a.DumpVersion)
}

func (r *reader) compression() error {
	var level int
	if r.minor >= 15 {
		algorithm, err := r.byte()
		if err != nil {
			return err
		}
		level = int(algorithm)
	} else {
		var err error
		if level, err = r.int(); err != nil {
			return err
		}
	}
	if level != 0 {
		return fmt.Errorf("the archive is compressed; it must be made with pg_dump -Z0")
	}
	return nil
}

// contents reads the table of contents.
func (r *reader) contents(a *Archive) error {
	count, err := r.int()
	if err != nil {
		return err
	}
	if count < 0 {
		return fmt.Errorf("%d entries", count)
	}
	seen := make(map[int]bool)
	for range count {
		e, err := r.entry()
		if err != nil {
			return err
		}
		if e.ID <= 0 || seen[e.ID] {
			return fmt.Errorf("entry number %d is out of range or there twice", e.ID)
		}
		seen[e.ID] = true
		a.Entries = append(a.Entries, e)
	}
	return nil
}

func (r *reader) entry() (e Entry, err error) {
	var hasData, relkind int
	var skip string
	if e.ID, err = r.int(); err != nil {
		return e, err
	}
	if hasData, err = r.int(); err != nil {
		return e, err
	}
	e.HasData = hasData != 0
	if err = r.strings(&skip, &skip, &e.Tag, &e.Desc); err != nil { // table oid, oid
		return e, err
	}
	if _, err = r.int(); err != nil { // section
		return e, err
	}
	// definition, drop statement, copy statement, schema, tablespace, access method
	if err = r.strings(&e.Definition, &skip, &e.Copy, &e.Schema, &e.Tablespace, &skip); err != nil {
		return e, err
	}
	if r.minor >= 16 {
		if relkind, err = r.int(); err != nil || relkind < 0 {
			return e, orElse(err, "a relation kind below 0")
		}
	}
	if err = r.strings(&e.Owner, &skip); err != nil { // "false", formerly WITH OIDS
		return e, err
	}
	for { // dependencies, ended by a missing string
		_, ok, err := r.string()
		if err != nil {
			return e, err
		}
		if !ok {
			break
		}
	}
	return e, r.skip(1 + r.offSize) // where the data is; a pipe leaves it open
}

func orElse(err error, text string) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("%s", text)
}
