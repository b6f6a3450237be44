package archive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// writer makes archives as pg_dump does, for every format version.
type writer struct {
	bytes.Buffer
	minor int
}

func (w *writer) int(n int) {
	sign := byte(0)
	if n < 0 {
		sign, n = 1, -n
	}
	w.WriteByte(sign)
	_ = binary.Write(&w.Buffer, binary.LittleEndian, uint32(n))
}

func (w *writer) str(list ...string) {
	for _, s := range list {
		w.int(len(s))
		w.WriteString(s)
	}
}

func (w *writer) header() {
	w.WriteString("PGDMP")
	w.Write([]byte{1, byte(w.minor), 0, 4, 8, 1})
	if w.minor >= 15 {
		w.WriteByte(0)
	} else {
		w.int(0)
	}
	for range 7 {
		w.int(1)
	}
	w.str("app", "15.18", "15.18")
}

func (w *writer) entry(e Entry) {
	w.int(e.ID)
	if e.HasData {
		w.int(1)
	} else {
		w.int(0)
	}
	w.str("1259", "16384", e.Tag, e.Desc)
	w.int(2)
	w.str(e.Definition, "DROP", e.Copy)
	w.str(e.Schema)
	if e.Tablespace == "" {
		w.int(-1)
	} else {
		w.str(e.Tablespace)
	}
	w.str("heap")
	if w.minor >= 16 {
		w.int('r')
	}
	w.str(e.Owner, "false", "3", "4")
	w.int(-1)
	w.Write(make([]byte, 9))
}

func (w *writer) data(kind byte, id int, chunks ...string) {
	w.WriteByte(kind)
	w.int(id)
	for _, c := range chunks {
		w.str(c)
	}
	w.int(0)
}

var sample = []Entry{
	{ID: 7, Desc: "TABLE", Schema: "public", Tag: "t", Owner: "boss", Definition: "CREATE TABLE t ();"},
	{ID: 8, Desc: "TABLE DATA", Schema: "public", Tag: "t", Owner: "boss", Copy: "COPY public.t (a) FROM stdin;", Tablespace: "fast", HasData: true},
	{ID: 9, Desc: "TABLE DATA", Schema: "a.b", Tag: "x\ny", Owner: "boss", HasData: true},
	{ID: 10, Desc: "BLOBS", Tag: "BLOBS", HasData: true},
}

func whole(minor int) *writer {
	w := &writer{minor: minor}
	w.header()
	w.int(len(sample))
	for _, e := range sample {
		w.entry(e)
	}
	w.data(blockData, 8, "1\tone\n", "2\ttw", "o\n", "\n", `\.`+"\n\n", "\n")
	w.data(blockData, 9, `\.`+"\n", "\n\n")
	w.WriteByte(blockBlobs)
	w.int(10)
	w.int(16500)
	w.str("some ", "bytes")
	w.int(0)
	w.int(16501)
	w.int(0)
	w.int(0)
	return w
}

func TestReadEveryFormatVersion(t *testing.T) {
	for _, minor := range []int{14, 15, 16} {
		src := whole(minor).Bytes()
		for name, r := range map[string]io.Reader{"at once": bytes.NewReader(src), "byte by byte": iotest.OneByteReader(bytes.NewReader(src))} {
			t.Run(fmt.Sprintf("1.%d %s", minor, name), func(t *testing.T) {
				var out bytes.Buffer
				a, err := Read(&out, r)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(out.Bytes(), src) || a.Bytes != int64(len(src)) {
					t.Errorf("copied %d of %d bytes, says %d", out.Len(), len(src), a.Bytes)
				}
				if a.Format != fmt.Sprintf("1.%d", minor) || a.Database != "app" || a.DumpVersion != "15.18" {
					t.Errorf("header %+v", a)
				}
				if !slices.Equal(a.Entries, sample) {
					t.Errorf("entries %+v", a.Entries)
				}
				want := NewSum()
				for _, row := range []string{"2\ttwo", "", "1\tone"} { // another order
					want.Add([]byte(row))
				}
				if len(a.Tables) != 2 || a.Tables[0].Content != want.Content() || a.Tables[1].Rows != 0 || a.Tables[1].Name != "x\ny" {
					t.Errorf("tables %+v, want %+v", a.Tables, want.Content())
				}
				if a.LargeObjects.Rows != 2 || a.LargeObjects.Bytes != 10 {
					t.Errorf("large objects %+v", a.LargeObjects)
				}
			})
		}
	}
}

func TestACutArchiveNeverLooksComplete(t *testing.T) {
	src := whole(14).Bytes()
	for i := range src {
		if _, err := Read(io.Discard, bytes.NewReader(src[:i])); err == nil {
			t.Errorf("cut at %d of %d was accepted", i, len(src))
		}
	}
}

func TestWhatDoesNotParseIsAnError(t *testing.T) {
	build := func(change func(w *writer)) []byte {
		w := &writer{minor: 14}
		w.header()
		w.int(1)
		w.entry(sample[1])
		change(w)
		return w.Bytes()
	}
	tests := []struct {
		name string
		src  []byte
		want string
	}{
		{"empty", nil, "unexpected EOF"},
		{"plain SQL", []byte("--\n-- PostgreSQL database dump\n--\n"), "not a custom-format archive"},
		{"newer format", append([]byte("PGDMP\x01\x11\x00\x04\x08\x01"), 0), "format 1.17 is not known"},
		{"compressed", []byte("PGDMP\x01\x0f\x00\x04\x08\x01\x01"), "pg_dump -Z0"},
		{"tar", []byte("PGDMP\x01\x0e\x00\x04\x08\x03"), "not the custom format"},
		{"no data block", build(func(*writer) {}), "without the data of public.t"},
		{"rows without end mark", build(func(w *writer) { w.data(blockData, 8, "1\n") }), "no end mark"},
		{"half a row", build(func(w *writer) { w.data(blockData, 8, "1\n2") }), "last row has no end"},
		{"rows behind the end mark", build(func(w *writer) { w.data(blockData, 8, "1\n\\.\n2\n") }), "after the end mark"},
		{"data twice", build(func(w *writer) { w.data(blockData, 8, "\\.\n"); w.data(blockData, 8, "\\.\n") }), "twice"},
		{"data of an unknown entry", build(func(w *writer) { w.data(blockData, 99, "\\.\n") }), "entry 99"},
		{"wrong block type", build(func(w *writer) { w.data(7, 8, "\\.\n") }), "type 7"},
		{"negative chunk", build(func(w *writer) { w.WriteByte(blockData); w.int(8); w.int(-5) }), "chunk of -5 bytes"},
		{"bad sign", build(func(w *writer) { w.WriteByte(blockData); w.Write([]byte{9, 8, 0, 0, 0}) }), "sign byte 9"},
		{"garbage behind the end", append(whole(14).Bytes(), "garbage"...), "archive block"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Read(io.Discard, bytes.NewReader(tt.src)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestErrorsOfBothEndsComeThrough(t *testing.T) {
	src := whole(14).Bytes()
	died, full := errors.New("pg_dump died"), errors.New("disk full")
	if _, err := Read(io.Discard, io.MultiReader(bytes.NewReader(src), iotest.ErrReader(died))); !errors.Is(err, died) {
		t.Errorf("source: %v", err)
	}
	if _, err := Read(errWriter{full}, bytes.NewReader(src)); !errors.Is(err, full) {
		t.Errorf("target: %v", err)
	}
}

type errWriter struct{ err error }

func (w errWriter) Write([]byte) (int, error) { return 0, w.err }

// The sum is of a multiset: order never matters, everything else always does.
func TestSumLaws(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	sum := func(list []string) Content {
		s := NewSum()
		for _, x := range list {
			s.Add([]byte(x))
		}
		return s.Content()
	}
	for range 200 {
		list := make([]string, 1+r.IntN(20))
		for i := range list {
			list[i] = strings.Repeat("x", r.IntN(4)) + fmt.Sprint(r.IntN(5))
		}
		base := sum(list)
		shuffled := slices.Clone(list)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if got := sum(shuffled); got != base {
			t.Fatalf("seed %d: the order of %q matters: %+v %+v", seed, list, base, got)
		}
		i := r.IntN(len(list))
		changed := slices.Clone(list)
		changed[i] += "!"
		if got := sum(changed); got.Hash == base.Hash {
			t.Fatalf("seed %d: a changed row in %q does not matter", seed, list)
		}
		if got := sum(append(slices.Clone(list), list[i])); got.Hash == base.Hash {
			t.Fatalf("seed %d: a row more in %q does not matter", seed, list)
		}
	}
}

// The hash is part of every manifest ever written, so it must never change.
func TestHashIsStable(t *testing.T) {
	s := NewSum()
	s.Add([]byte("1\tone"))
	s.Add([]byte(""))
	if got := s.Content(); got.Hash != stableHash || got.Rows != 2 || got.Bytes != 7 {
		t.Errorf("got %+v, want hash %s", got, stableHash)
	}
}

// XXH64's published value for no bytes and seed 0.
func TestRowHashIsXXH64(t *testing.T) {
	s := NewSum()
	s.Add(nil)
	if got := s.Content().Hash[:16]; got != "ef46db3751d8e999" {
		t.Errorf("got %s", got)
	}
}

const stableHash = "8e4822fed23ef114bc51bbf228756aa6"

// Rows give the same sum however the stream is cut into pieces.
func TestRowsDoNotDependOnTheChunks(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	text := "a\tb\n\n\\\\.\n\\N\n\\.x\n" + strings.Repeat("long ", 50) + "\n\\.\n\n\n"
	at := func(cut func(rest int) int) Content {
		rows := newRows()
		for rest := text; rest != ""; {
			n := cut(len(rest))
			if err := rows.write([]byte(rest[:n])); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			rest = rest[n:]
		}
		c, err := rows.content()
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		return c
	}
	want := at(func(rest int) int { return rest })
	if want.Rows != 6 {
		t.Fatalf("%d rows", want.Rows)
	}
	for range 300 {
		if got := at(func(rest int) int { return 1 + r.IntN(min(rest, 9)) }); got != want {
			t.Fatalf("seed %d: %+v, want %+v", seed, got, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, minor := range []int{14, 15, 16} {
		f.Add(whole(minor).Bytes())
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		var out bytes.Buffer
		a, err := Read(&out, bytes.NewReader(src))
		if !bytes.HasPrefix(src, out.Bytes()) {
			t.Error("the copy differs from the source")
		}
		if err != nil {
			return
		}
		if out.Len() != len(src) || a.Bytes != int64(len(src)) {
			t.Errorf("accepted, but copied %d of %d bytes", out.Len(), len(src))
		}
		b, err := Read(io.Discard, iotest.OneByteReader(bytes.NewReader(src)))
		if err != nil || !slices.Equal(a.Tables, b.Tables) || !slices.Equal(a.Entries, b.Entries) {
			t.Errorf("reads differently byte by byte: %v", err)
		}
	})
}
