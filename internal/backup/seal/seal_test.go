package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"filippo.io/age"

	"github.com/opsctl/opsctl/internal/errs"
)

// keys gives a key pair as callers get it.
func keys(t *testing.T) ([]age.Recipient, []age.Identity) {
	t.Helper()
	k, err := NewKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	r, err := ParseRecipients([]string{k.Recipient})
	if err != nil {
		t.Fatal(err)
	}
	i, err := ParseIdentities(strings.NewReader(k.File(time.Now())))
	if err != nil {
		t.Fatal(err)
	}
	return r, i
}

func sealed(t *testing.T, plain []byte, o Options) ([]byte, Sums) {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), w.Sums()
}

func digest(b []byte) Digest {
	s := sha256.Sum256(b)
	return Digest{Bytes: int64(len(b)), SHA256: hex.EncodeToString(s[:])}
}

func incompressible(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestRoundTrip(t *testing.T) {
	recipients, identities := keys(t)
	second, secondIDs := keys(t)
	for name, plain := range map[string][]byte{
		"empty": nil, "short": []byte("x"), "compressible": bytes.Repeat([]byte("row\n"), 1<<20), "random": incompressible(300 << 10),
	} {
		for mode, o := range map[string]struct {
			Options
			ids []age.Identity
		}{
			"encrypted":        {Options{Recipients: recipients}, identities},
			"to two, by first": {Options{Recipients: append(recipients, second...)}, identities},
			"to two, by other": {Options{Recipients: append(recipients, second...)}, secondIDs},
			"unencrypted":      {Options{Unencrypted: true}, nil},
		} {
			t.Run(name+" "+mode, func(t *testing.T) {
				stored, sums := sealed(t, plain, o.Options)
				if sums.Plain != digest(plain) || sums.Stored != digest(stored) {
					t.Errorf("sums %+v", sums)
				}
				r, err := NewReader(iotest.OneByteReader(bytes.NewReader(stored)), o.ids)
				if len(plain) > 1<<20 {
					r, err = NewReader(bytes.NewReader(stored), o.ids)
				}
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				got, err := io.ReadAll(r)
				if err != nil || !bytes.Equal(got, plain) {
					t.Fatalf("%d bytes, %v", len(got), err)
				}
				if r.Sums() != sums {
					t.Errorf("read sums %+v, written %+v", r.Sums(), sums)
				}
			})
		}
	}
}

func TestEncryptionIsAnExplicitChoice(t *testing.T) {
	recipients, _ := keys(t)
	for _, o := range []Options{{}, {Recipients: recipients, Unencrypted: true}} {
		if _, err := NewWriter(io.Discard, o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}

func TestWrongKey(t *testing.T) {
	recipients, _ := keys(t)
	_, other := keys(t)
	stored, _ := sealed(t, []byte("x"), Options{Recipients: recipients})
	if _, err := NewReader(bytes.NewReader(stored), other); !errors.Is(err, ErrWrongKey) {
		t.Errorf("got %v", err)
	}
}

// Every flipped byte and every cut must be found: nothing may read as complete.
func TestDamageIsAlwaysFound(t *testing.T) {
	recipients, identities := keys(t)
	plain := incompressible(3000)
	for mode, o := range map[string]struct {
		Options
		ids []age.Identity
	}{
		"encrypted":   {Options{Recipients: recipients}, identities},
		"unencrypted": {Options{Unencrypted: true}, nil},
	} {
		stored, sums := sealed(t, plain, o.Options)
		open := func(b []byte) error {
			r, err := NewReader(bytes.NewReader(b), o.ids)
			if err != nil {
				return err
			}
			defer r.Close()
			if _, err = io.Copy(io.Discard, r); err == nil && r.Sums() != sums {
				err = errors.New("sums differ") // the caller's check against the manifest
			}
			return err
		}
		if err := open(stored); err != nil {
			t.Fatal(err)
		}
		for i := range stored {
			bad := bytes.Clone(stored)
			bad[i] ^= 0x10
			if open(bad) == nil {
				t.Errorf("%s: flipped byte %d of %d was not found", mode, i, len(stored))
			}
			if err := open(stored[:i]); err == nil {
				t.Errorf("%s: cut at %d of %d was not found", mode, i, len(stored))
			}
		}
		if open(append(bytes.Clone(stored), 0)) == nil {
			t.Errorf("%s: a byte too many was not found", mode)
		}
	}
}

func TestDamageNamesLayerAndPlace(t *testing.T) {
	recipients, identities := keys(t)
	plain := incompressible(1 << 20)
	encrypted, _ := sealed(t, plain, Options{Recipients: recipients})
	compressed, _ := sealed(t, plain, Options{Unencrypted: true})
	flip := func(b []byte, at int) []byte {
		b = bytes.Clone(b)
		b[at] ^= 1
		return b
	}
	const at = 500 << 10
	for _, tt := range []struct {
		name  string
		r     io.Reader
		ids   []age.Identity
		layer Layer
	}{
		{"age", bytes.NewReader(flip(encrypted, at)), identities, LayerAge},
		{"zstd", bytes.NewReader(flip(compressed, at)), nil, LayerZstd},
		{"store", io.MultiReader(bytes.NewReader(encrypted[:at]), iotest.ErrReader(errors.New("gone"))), identities, LayerStore},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := NewReader(tt.r, tt.ids)
			if err == nil {
				defer r.Close()
				_, err = io.Copy(io.Discard, r)
			}
			var d *Damage
			if !errors.As(err, &d) || d.Layer != tt.layer {
				t.Fatalf("got %v", err)
			}
			if tt.layer == LayerAge && (d.Offset < at || d.Offset > at+(64<<10)+64) {
				t.Errorf("offset %d is not within a chunk behind %d", d.Offset, at)
			}
		})
	}
}

func TestWriterPassesTheStoresErrorOn(t *testing.T) {
	recipients, _ := keys(t)
	full := errors.New("disk full")
	w, err := NewWriter(&failAfter{n: 1000, err: full}, Options{Recipients: recipients})
	if err == nil {
		_, err = w.Write(incompressible(8 << 20))
		if err == nil {
			err = w.Close()
		}
	}
	if !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
}

type failAfter struct {
	n   int
	err error
}

func (f *failAfter) Write(p []byte) (int, error) {
	if f.n -= len(p); f.n < 0 {
		return 0, f.err
	}
	return len(p), nil
}

func TestKeyErrorsNeverShowTheSecret(t *testing.T) {
	k, err := NewKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	_, errR := ParseRecipients([]string{k.identity})
	_, errI := ParseIdentities(strings.NewReader(k.identity + "X"))
	for _, err := range []error{errR, errI} {
		if err == nil || errs.CodeOf(err) != errs.Usage || errs.HintOf(err) == "" {
			t.Fatalf("want a usage error with a hint, got %v", err)
		}
		if strings.Contains(err.Error()+errs.HintOf(err), k.identity[20:40]) {
			t.Errorf("the secret is in %q", err)
		}
	}
	if _, err := ParseRecipients([]string{"age1nonsense"}); errs.CodeOf(err) != errs.Usage {
		t.Errorf("got %v", err)
	}
}
