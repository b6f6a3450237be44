// Package storetest is the conformance suite that every store.Store passes.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/backup/store"
)

// Run runs the suite; open gives a fresh, empty store for each test.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	tests := map[string]func(*testing.T, store.Store){
		"put and get":                        putGet,
		"put replaces":                       putReplaces,
		"a failing reader leaves nothing":    failingReader,
		"a failing reader keeps the old":     failingReaderKeeps,
		"a cancelled put leaves nothing":     cancelledPut,
		"put if absent never overwrites":     putIfAbsent,
		"of many puts if absent one wins":    putIfAbsentRace,
		"ranges":                             ranges,
		"what is not there":                  missing,
		"list by prefix, in order":           list,
		"delete":                             deletes,
		"odd keys are refused":               oddKeys,
		"a big object survives whole":        big,
		"sweep touches no finished object":   sweep,
		"puts at the same time do not meet":  concurrent,
		"the name has no user or password":   name,
		"an empty object is an object":       empty,
		"a put under way is not in the list": underWay,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func put(t *testing.T, s store.Store, key, content string) {
	t.Helper()
	o, err := s.Put(t.Context(), key, strings.NewReader(content))
	if err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
	if o.Key != key || o.Size != int64(len(content)) {
		t.Fatalf("put %s: got %+v", key, o)
	}
}

func get(t *testing.T, s store.Store, key string) string {
	t.Helper()
	r, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("get %s: %v", key, err)
	}
	return all(t, r)
}

func all(t *testing.T, r io.ReadCloser) string {
	t.Helper()
	defer func() { _ = r.Close() }()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func keys(t *testing.T, s store.Store, prefix string) []string {
	t.Helper()
	objects, err := s.List(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, o := range objects {
		out = append(out, o.Key)
	}
	return out
}

func putGet(t *testing.T, s store.Store) {
	put(t, s, "a/b.json", "content")
	if got := get(t, s, "a/b.json"); got != "content" {
		t.Errorf("got %q", got)
	}
	o, err := s.Stat(t.Context(), "a/b.json")
	if err != nil || o.Size != 7 || o.Key != "a/b.json" || time.Since(o.Modified).Abs() > time.Hour {
		t.Errorf("stat: %+v %v", o, err)
	}
}

func putReplaces(t *testing.T, s store.Store) {
	put(t, s, "k", "a longer first content")
	put(t, s, "k", "second")
	if got := get(t, s, "k"); got != "second" {
		t.Errorf("got %q", got)
	}
}

var errBroken = errors.New("the source broke")

// broken gives some bytes and then fails.
func broken(n int) io.Reader {
	return io.MultiReader(bytes.NewReader(make([]byte, n)), errReader{errBroken})
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func failingReader(t *testing.T, s store.Store) {
	for _, n := range []int{0, 1, 3 << 20} {
		if _, err := s.Put(t.Context(), "dir/k", broken(n)); !errors.Is(err, errBroken) {
			t.Errorf("after %d bytes: want the reader's error, got %v", n, err)
		}
		if _, err := s.Stat(t.Context(), "dir/k"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("after %d bytes: want nothing stored, got %v", n, err)
		}
	}
	if got := keys(t, s, ""); len(got) != 0 {
		t.Errorf("list shows %v", got)
	}
}

func failingReaderKeeps(t *testing.T, s store.Store) {
	put(t, s, "k", "old")
	if _, err := s.Put(t.Context(), "k", broken(10)); err == nil {
		t.Fatal("no error")
	}
	if got := get(t, s, "k"); got != "old" {
		t.Errorf("got %q", got)
	}
}

func cancelledPut(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	go func() {
		_, _ = w.Write([]byte("some"))
		cancel()
		_, _ = w.Write([]byte("more"))
		_ = w.Close()
	}()
	_, err := s.Put(ctx, "k", r)
	_ = r.Close()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("want context.Canceled, got %v", err)
	}
	if got := keys(t, s, ""); len(got) != 0 {
		t.Errorf("list shows %v", got)
	}
}

func putIfAbsent(t *testing.T, s store.Store) {
	if err := s.PutIfAbsent(t.Context(), "x/manifest.json", []byte("one")); err != nil {
		t.Fatal(err)
	}
	if err := s.PutIfAbsent(t.Context(), "x/manifest.json", []byte("two")); !errors.Is(err, store.ErrExists) {
		t.Errorf("want ErrExists, got %v", err)
	}
	if got := get(t, s, "x/manifest.json"); got != "one" {
		t.Errorf("got %q", got)
	}
}

func putIfAbsentRace(t *testing.T, s store.Store) {
	const n = 16
	won := make(chan string, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			content := fmt.Sprint("writer ", i)
			switch err := s.PutIfAbsent(t.Context(), "race", []byte(content)); {
			case err == nil:
				won <- content
			case !errors.Is(err, store.ErrExists):
				t.Errorf("writer %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	close(won)
	var winners []string
	for w := range won {
		winners = append(winners, w)
	}
	if len(winners) != 1 || get(t, s, "race") != winners[0] {
		t.Errorf("winners %v, stored %q", winners, get(t, s, "race"))
	}
}

func ranges(t *testing.T, s store.Store) {
	put(t, s, "k", "0123456789")
	for _, tt := range []struct {
		offset, length int64
		want           string
	}{{0, 4, "0123"}, {3, 4, "3456"}, {8, 100, "89"}, {6, -1, "6789"}, {0, 10, "0123456789"}} {
		r, err := s.GetRange(t.Context(), "k", tt.offset, tt.length)
		if err != nil {
			t.Errorf("%d+%d: %v", tt.offset, tt.length, err)
			continue
		}
		if got := all(t, r); got != tt.want {
			t.Errorf("%d+%d: got %q, want %q", tt.offset, tt.length, got, tt.want)
		}
	}
}

func missing(t *testing.T, s store.Store) {
	put(t, s, "a/b", "x")
	for _, key := range []string{"nothing", "a", "a/b/c", "a/c"} {
		if r, err := s.Get(t.Context(), key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("get %s: want ErrNotFound, got %v", key, err)
			if r != nil {
				_ = r.Close()
			}
		}
		if _, err := s.Stat(t.Context(), key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("stat %s: want ErrNotFound, got %v", key, err)
		}
		if err := s.Delete(t.Context(), "nothing"); err != nil {
			t.Errorf("delete: %v", err)
		}
	}
}

func list(t *testing.T, s store.Store) {
	if got := keys(t, s, ""); len(got) != 0 {
		t.Errorf("empty store lists %v", got)
	}
	for _, k := range []string{"b/2", "a/1", "b/10", "b-side", "b/c/d", "c"} {
		put(t, s, k, k)
	}
	for prefix, want := range map[string][]string{
		"":     {"a/1", "b-side", "b/10", "b/2", "b/c/d", "c"},
		"b":    {"b-side", "b/10", "b/2", "b/c/d"},
		"b/":   {"b/10", "b/2", "b/c/d"},
		"b/c/": {"b/c/d"},
		"b/1":  {"b/10"},
		"z":    nil,
	} {
		if got := keys(t, s, prefix); !slices.Equal(got, want) {
			t.Errorf("list %q: got %v, want %v", prefix, got, want)
		}
	}
}

func deletes(t *testing.T, s store.Store) {
	put(t, s, "a/1", "x")
	put(t, s, "a/2", "y")
	if err := s.Delete(t.Context(), "a/1"); err != nil {
		t.Fatal(err)
	}
	if got := keys(t, s, ""); !slices.Equal(got, []string{"a/2"}) {
		t.Errorf("left: %v", got)
	}
}

func oddKeys(t *testing.T, s store.Store) {
	for _, key := range []string{"", "/a", "a/", "a//b", "../a", "a/../b", ".hidden", "a/.b", "a b", "a\x00b", `a\b`, strings.Repeat("k", 600)} {
		if _, err := s.Put(t.Context(), key, strings.NewReader("x")); err == nil {
			t.Errorf("put %q was accepted", key)
		}
		if err := s.PutIfAbsent(t.Context(), key, nil); err == nil {
			t.Errorf("put if absent %q was accepted", key)
		}
		if err := s.Delete(t.Context(), key); err == nil {
			t.Errorf("delete %q was accepted", key)
		}
	}
}

func big(t *testing.T, s store.Store) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 5<<20/16)
	content = append(content, "tail"...)
	if _, err := s.Put(t.Context(), "big", bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, "big"); got != string(content) {
		t.Errorf("%d bytes differ from %d", len(got), len(content))
	}
}

func sweep(t *testing.T, s store.Store) {
	put(t, s, "a/1", "x")
	if _, err := s.SweepIncomplete(t.Context(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, "a/1"); got != "x" {
		t.Errorf("got %q", got)
	}
}

func concurrent(t *testing.T, s store.Store) {
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			key := fmt.Sprintf("c/%02d/x", i)
			if _, err := s.Put(t.Context(), key, strings.NewReader(key)); err != nil {
				t.Error(err)
			}
			if i%2 == 0 {
				if err := s.Delete(t.Context(), key); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := keys(t, s, "c/"); len(got) != 8 {
		t.Errorf("left: %v", got)
	}
}

func name(t *testing.T, s store.Store) {
	if n := s.String(); n == "" || strings.Contains(n, "@") {
		t.Errorf("name %q", n)
	}
}

func empty(t *testing.T, s store.Store) {
	put(t, s, "e", "")
	if got := get(t, s, "e"); got != "" {
		t.Errorf("got %q", got)
	}
}

func underWay(t *testing.T, s store.Store) {
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := s.Put(t.Context(), "a/slow", r)
		done <- err
	}()
	if _, err := w.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	if got := keys(t, s, ""); len(got) != 0 {
		t.Errorf("list shows %v", got)
	}
	_ = w.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, "a/slow"); got != "half" {
		t.Errorf("got %q", got)
	}
}
