package archive

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"

	"github.com/cespare/xxhash/v2"
)

// Sum hashes a multiset of rows. Each row is hashed with XXH64 (seed 0); the
// result is two sums modulo 2^64, of the hashes and of the hashes mixed once
// more, so that the order of rows does not matter but every row, and how often
// it is there, does. It finds damage and mistakes; the SHA-256 of the stored
// objects is what stands against a forger.
type Sum struct {
	rows, bytes int64
	a, b        uint64
	digest      *xxhash.Digest
}

// NewSum makes an empty Sum.
func NewSum() *Sum { return &Sum{digest: xxhash.New()} }

// Add adds one row, without its newline.
func (s *Sum) Add(row []byte) { s.add(xxhash.Sum64(row), int64(len(row))+1) }

func (s *Sum) add(h uint64, size int64) {
	s.rows++
	s.bytes += size
	s.a += h
	s.b += mix(h)
}

// begin, part and end add a row that comes in pieces.
func (s *Sum) begin()        { s.digest.Reset() }
func (s *Sum) part(p []byte) { _, _ = s.digest.Write(p) } // never fails
func (s *Sum) end(size int64) {
	s.add(s.digest.Sum64(), size)
}

// Content is the state of the sum.
func (s *Sum) Content() Content {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], s.a)
	binary.BigEndian.PutUint64(raw[8:], s.b)
	return Content{Rows: s.rows, Bytes: s.bytes, Hash: hex.EncodeToString(raw[:])}
}

// mix is the finaliser of SplitMix64: a bijection without linear structure.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// rows splits a table's COPY data into rows. The data ends with a line `\.`
// and blank lines; a blank line before it is a row (of an empty text, or of a
// table without columns).
type rows struct {
	sum    *Sum
	ended  bool
	broken bool // in the middle of a row that spans chunks
	held   int64
	prefix []byte // the first bytes of a broken row, to tell `\.`
}

func newRows() *rows { return &rows{sum: NewSum(), prefix: make([]byte, 0, 3)} }

var (
	endOfData  = []byte(`\.`)
	errTail    = errors.New(`bytes after the end mark of the rows`)
	errNoMark  = errors.New(`the rows have no end mark`)
	errHalfRow = errors.New(`the last row has no end`)
)

func (r *rows) write(p []byte) error {
	for len(p) > 0 {
		if r.ended {
			if len(bytes.Trim(p, "\n")) > 0 {
				return errTail
			}
			return nil
		}
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			r.hold(p)
			return nil
		}
		r.line(p[:i])
		p = p[i+1:]
	}
	return nil
}

func (r *rows) hold(p []byte) {
	if !r.broken {
		r.broken, r.held, r.prefix = true, 0, r.prefix[:0]
		r.sum.begin()
	}
	r.held += int64(len(p))
	r.prefix = append(r.prefix, p[:min(len(p), cap(r.prefix)-len(r.prefix))]...)
	r.sum.part(p)
}

func (r *rows) line(p []byte) {
	if !r.broken {
		if bytes.Equal(p, endOfData) {
			r.ended = true
			return
		}
		r.sum.Add(p)
		return
	}
	r.hold(p)
	r.broken = false
	if r.held == int64(len(endOfData)) && bytes.Equal(r.prefix, endOfData) {
		r.ended = true
		return
	}
	r.sum.end(r.held + 1)
}

func (r *rows) content() (Content, error) {
	switch {
	case r.broken:
		return Content{}, errHalfRow
	case !r.ended:
		return Content{}, errNoMark
	}
	return r.sum.Content(), nil
}
