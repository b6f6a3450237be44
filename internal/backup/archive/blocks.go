package archive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Types of data blocks.
const (
	blockData  = 1
	blockBlobs = 3
)

// blocks reads the data behind the table of contents and checks that every
// entry that announces data has its block, once. The format has no end mark,
// so this is what tells a complete archive from one cut between blocks.
func (r *reader) blocks(a *Archive) error {
	open := make(map[int]*Entry)
	for i := range a.Entries {
		if a.Entries[i].HasData {
			open[a.Entries[i].ID] = &a.Entries[i]
		}
	}
	blobs := NewSum()
	for {
		err := r.fill()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := r.block(a, open, blobs); err != nil {
			return err
		}
	}
	for i := range a.Entries { // in order, so that the error is the same each time
		if e := &a.Entries[i]; open[e.ID] != nil {
			return fmt.Errorf("archive ends at byte %d without the data of %s (%s)", r.offset(), e.Name(), e.Desc)
		}
	}
	a.LargeObjects = blobs.Content()
	return nil
}

// Name is the entry's qualified name for people.
func (e *Entry) Name() string {
	if e.Schema == "" {
		return e.Tag
	}
	return e.Schema + "." + e.Tag
}

func (r *reader) block(a *Archive, open map[int]*Entry, blobs *Sum) error {
	start := r.offset()
	kind, err := r.byte()
	if err != nil {
		return err
	}
	id, err := r.int()
	if err != nil {
		return fmt.Errorf("archive block at byte %d: %w", start, err)
	}
	e := open[id]
	if e == nil {
		return fmt.Errorf("archive block at byte %d: entry %d has no data, or its data is there twice", start, id)
	}
	delete(open, id)
	switch {
	case kind == blockData && e.Desc == "TABLE DATA":
		var c Content
		if c, err = r.table(); err == nil {
			a.Tables = append(a.Tables, TableData{Schema: e.Schema, Name: e.Tag, Content: c})
		}
	case kind == blockBlobs && (e.Desc == "BLOBS" || e.Desc == "LARGE OBJECTS"):
		err = r.blobs(blobs)
	default:
		err = fmt.Errorf("type %d is not the type of %s", kind, e.Desc)
	}
	if err != nil {
		return fmt.Errorf("archive block of %s at byte %d: %w", e.Name(), r.offset(), err)
	}
	return nil
}

// chunks calls use with the block's bytes, in pieces, up to its end.
func (r *reader) chunks(use func([]byte) error) error {
	for {
		n, err := r.int()
		if err != nil {
			return err
		}
		if n < 0 {
			return fmt.Errorf("a chunk of %d bytes", n)
		}
		if n == 0 {
			return nil
		}
		for n > 0 {
			if err := r.must(); err != nil {
				return err
			}
			part := r.buf[r.pos:min(r.end, r.pos+n)]
			r.pos += len(part)
			n -= len(part)
			if err := use(part); err != nil {
				return err
			}
		}
	}
}

func (r *reader) table() (Content, error) {
	rows := newRows()
	if err := r.chunks(rows.write); err != nil {
		return Content{}, err
	}
	return rows.content()
}

// blobs reads large objects: number, chunks, 0; a number 0 ends them.
func (r *reader) blobs(sum *Sum) error {
	for {
		oid, err := r.int()
		if err != nil {
			return err
		}
		if oid == 0 {
			return nil
		}
		var key [8]byte
		binary.BigEndian.PutUint64(key[:], uint64(uint32(oid)))
		sum.begin()
		sum.part(key[:])
		size := int64(0)
		err = r.chunks(func(p []byte) error {
			size += int64(len(p))
			sum.part(p)
			return nil
		})
		if err != nil {
			return err
		}
		sum.end(size)
	}
}
