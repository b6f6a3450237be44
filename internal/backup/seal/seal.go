// Package seal turns a plain stream into what is stored, and back: zstd, then
// age, with SHA-256 and length of both ends taken as the bytes pass. It works
// in constant memory and keeps nothing on disk.
//
// Encryption is to public keys (age recipients), so the machine that makes
// backups cannot read them. A stream without recipients is only written when
// the caller says Unencrypted.
package seal

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"
)

const (
	// writeWindow is zstd's window when sealing: beyond it the ratio of a dump
	// hardly improves, and it bounds the memory of both ends.
	writeWindow = 4 << 20
	// readWindow is the largest window accepted when opening.
	readWindow = 8 << 20
)

// Digest is the length and SHA-256 of a stream.
type Digest struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // hex
}

// Sums are the digests of both ends of a sealed stream.
type Sums struct {
	Plain  Digest // what was written by, or is read by, the caller
	Stored Digest // what is in the store
}

// Options says how to seal.
type Options struct {
	Recipients  []age.Recipient // may read it; at least one, or Unencrypted
	Unencrypted bool            // compress only
}

// Suffix is what a sealed object's name ends with.
func (o Options) Suffix() string {
	if o.Unencrypted {
		return ".zst"
	}
	return ".zst.age"
}

// Writer seals what is written to it. Without Close the result is cut off,
// which every reader notices.
type Writer struct {
	plain, stored *meter
	zstd          *zstd.Encoder
	age           io.WriteCloser // nil when unencrypted
}

// NewWriter starts a sealed stream into w.
func NewWriter(w io.Writer, o Options) (*Writer, error) {
	if o.Unencrypted != (len(o.Recipients) == 0) {
		return nil, errors.New("seal: give recipients or say unencrypted, not both and not neither")
	}
	s := &Writer{plain: newMeter(), stored: newMeter()}
	var out io.Writer = &tee{w: w, m: s.stored}
	if !o.Unencrypted {
		var err error
		if s.age, err = age.Encrypt(out, o.Recipients...); err != nil {
			return nil, fmt.Errorf("start encryption: %w", err)
		}
		out = s.age
	}
	var err error
	s.zstd, err = zstd.NewWriter(out, zstd.WithEncoderLevel(zstd.SpeedDefault),
		zstd.WithWindowSize(writeWindow), zstd.WithEncoderConcurrency(2), zstd.WithEncoderCRC(true), zstd.WithZeroFrames(true))
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Write takes plain bytes.
func (s *Writer) Write(p []byte) (int, error) {
	n, err := s.zstd.Write(p)
	s.plain.add(p[:n])
	return n, err
}

// Close ends the stream; it does not close the underlying writer.
func (s *Writer) Close() error {
	if err := s.zstd.Close(); err != nil {
		return err
	}
	if s.age == nil {
		return nil
	}
	return s.age.Close()
}

// Abort frees the writer without ending the stream.
func (s *Writer) Abort() {
	s.zstd.Reset(nil) // stops its goroutines
}

// Sums returns the digests; valid after Close.
func (s *Writer) Sums() Sums { return Sums{Plain: s.plain.digest(), Stored: s.stored.digest()} }

// meter takes length and hash.
type meter struct {
	n int64
	h hash.Hash
}

func newMeter() *meter { return &meter{h: sha256.New()} }

func (m *meter) add(p []byte) {
	m.n += int64(len(p))
	_, _ = m.h.Write(p) // never fails
}

func (m *meter) digest() Digest { return Digest{Bytes: m.n, SHA256: hex.EncodeToString(m.h.Sum(nil))} }

type tee struct {
	w io.Writer
	m *meter
}

func (t *tee) Write(p []byte) (int, error) {
	n, err := t.w.Write(p)
	t.m.add(p[:n])
	return n, err
}
