package archive

import (
	"errors"
	"fmt"
	"io"
)

const (
	bufferSize = 256 << 10
	// maxString bounds one definition; PostgreSQL itself cannot hold more than 1 GiB in a value.
	maxString = 1 << 30
)

// reader reads the archive and hands every byte on to dst, once, as it reads it.
type reader struct {
	src        io.Reader
	dst        io.Writer
	buf        []byte // unread bytes are buf[pos:end]
	pos, end   int
	passed     int64 // bytes before buf[0]
	minor      int
	offSize    int
	scratchInt [5]byte
}

func newReader(dst io.Writer, src io.Reader) *reader {
	return &reader{src: src, dst: dst, buf: make([]byte, bufferSize)}
}

func (r *reader) offset() int64 { return r.passed + int64(r.pos) }

// fill makes at least one byte available. io.EOF only at the end of src.
func (r *reader) fill() error {
	if r.pos < r.end {
		return nil
	}
	r.passed += int64(r.end)
	r.pos, r.end = 0, 0
	for range 100 {
		n, err := r.src.Read(r.buf)
		if n > 0 {
			// The error, if any, comes again with the next read.
			if _, werr := r.dst.Write(r.buf[:n]); werr != nil {
				return werr
			}
			r.end = n
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// must is fill where the archive may not end.
func (r *reader) must() error {
	err := r.fill()
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (r *reader) byte() (byte, error) {
	if err := r.must(); err != nil {
		return 0, err
	}
	b := r.buf[r.pos]
	r.pos++
	return b, nil
}

func (r *reader) full(p []byte) error {
	for len(p) > 0 {
		if err := r.must(); err != nil {
			return err
		}
		n := copy(p, r.buf[r.pos:r.end])
		r.pos += n
		p = p[n:]
	}
	return nil
}

func (r *reader) skip(n int) error {
	for range n {
		if _, err := r.byte(); err != nil {
			return err
		}
	}
	return nil
}

// int reads a sign byte and four little-endian bytes.
func (r *reader) int() (int, error) {
	b := r.scratchInt[:]
	if r.end-r.pos >= len(b) {
		b = r.buf[r.pos : r.pos+len(b)]
		r.pos += len(b)
	} else if err := r.full(b); err != nil {
		return 0, err
	}
	v := int(b[1]) | int(b[2])<<8 | int(b[3])<<16 | int(b[4])<<24
	switch b[0] {
	case 0:
		return v, nil
	case 1:
		return -v, nil
	default:
		return 0, fmt.Errorf("sign byte %d of an integer at byte %d", b[0], r.offset()-int64(len(b)))
	}
}

// string reads a string; ok is false for a missing one.
func (r *reader) string() (s string, ok bool, err error) {
	n, err := r.int()
	if err != nil {
		return "", false, err
	}
	if n < 0 {
		return "", false, nil
	}
	if n > maxString {
		return "", false, fmt.Errorf("a string of %d bytes at byte %d", n, r.offset())
	}
	// Grows with what really comes, so that a damaged length costs no memory.
	var out []byte
	for len(out) < n {
		if err := r.must(); err != nil {
			return "", false, err
		}
		part := r.buf[r.pos:min(r.end, r.pos+n-len(out))]
		out = append(out, part...)
		r.pos += len(part)
	}
	return string(out), true, nil
}

// strings reads one string into each target; a missing one becomes "".
func (r *reader) strings(targets ...*string) error {
	for _, t := range targets {
		s, _, err := r.string()
		if err != nil {
			return err
		}
		*t = s
	}
	return nil
}
