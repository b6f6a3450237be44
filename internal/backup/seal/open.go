package seal

import (
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"
)

// Layer names the part of a sealed stream that found damage.
type Layer string

// The layers, from the outside in.
const (
	LayerStore Layer = "store" // the store could not deliver the bytes
	LayerAge   Layer = "age"
	LayerZstd  Layer = "zstd"
)

// Damage is a sealed stream that cannot be opened to its end.
type Damage struct {
	Layer  Layer
	Offset int64 // stored bytes read when it was found: the damage is at or before it, within 64 KiB for age
	Cause  error
}

func (d *Damage) Error() string {
	return fmt.Sprintf("%s layer, at or before byte %d: %v", d.Layer, d.Offset, d.Cause)
}

// Unwrap returns the layer's own error.
func (d *Damage) Unwrap() error { return d.Cause }

// ErrWrongKey says that none of the identities can decrypt the stream.
var ErrWrongKey = errors.New("none of the identities can decrypt this")

// Reader opens a sealed stream. Its io.EOF means that every layer was read and
// checked to its end; any other end is an error, a *Damage where the stream is
// at fault.
type Reader struct {
	source *source
	plain  *meter
	zstd   *zstd.Decoder
}

// NewReader opens the stream in r. With no identities the stream is expected
// to be unencrypted. The error wraps ErrWrongKey for a wrong identity.
func NewReader(r io.Reader, identities []age.Identity) (*Reader, error) {
	s := &Reader{source: &source{r: r, m: newMeter()}, plain: newMeter()}
	var in io.Reader = s.source
	if len(identities) > 0 {
		dec, err := age.Decrypt(in, identities...)
		if err != nil {
			if _, none := errors.AsType[*age.NoIdentityMatchError](err); none {
				return nil, ErrWrongKey
			}
			return nil, s.damage(LayerAge, err)
		}
		in = &layer{r: dec, s: s}
	}
	var err error
	s.zstd, err = zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(readWindow), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, s.damage(LayerZstd, err)
	}
	return s, nil
}

// Read gives plain bytes.
func (s *Reader) Read(p []byte) (int, error) {
	n, err := s.zstd.Read(p)
	s.plain.add(p[:n])
	if err == nil {
		return n, nil
	}
	if errors.Is(err, io.EOF) {
		if s.plain.n == 0 && s.source.m.n == 0 {
			return n, s.damage(LayerStore, io.ErrUnexpectedEOF) // zstd takes no bytes at all for an empty stream
		}
		return n, io.EOF
	}
	return n, s.damage(LayerZstd, err)
}

// Close frees the reader; it does not close the underlying one.
func (s *Reader) Close() { s.zstd.Close() }

// Sums returns the digests; valid after io.EOF.
func (s *Reader) Sums() Sums { return Sums{Plain: s.plain.digest(), Stored: s.source.m.digest()} }

// Drain reads what is left of the stored bytes after damage, so that the
// stored digest covers the whole object.
func (s *Reader) Drain() error {
	_, err := io.Copy(io.Discard, s.source)
	return err
}

// damage attributes err to the deepest layer that failed.
func (s *Reader) damage(l Layer, err error) error {
	if s.source.err != nil {
		return &Damage{Layer: LayerStore, Offset: s.source.m.n, Cause: s.source.err}
	}
	if d, ok := errors.AsType[*Damage](err); ok {
		return d
	}
	return &Damage{Layer: l, Offset: s.source.m.n, Cause: err}
}

// layer marks the errors of the decryption, which zstd hands through.
type layer struct {
	r io.Reader
	s *Reader
}

func (l *layer) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = l.s.damage(LayerAge, err)
	}
	return n, err
}

// source meters the stored bytes and remembers the store's own error.
type source struct {
	r   io.Reader
	m   *meter
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.m.add(p[:n])
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}
