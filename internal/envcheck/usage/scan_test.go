package usage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/opsctl/opsctl/internal/errs"
)

func scanned(t *testing.T, fsys fs.FS, o Options) *Result {
	t.Helper()
	r, err := Scan(t.Context(), fsys, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func names(r *Result) string {
	var out []string
	for _, u := range r.Uses {
		out = append(out, u.Name)
	}
	return strings.Join(out, " ")
}

func TestScanPassesOver(t *testing.T) {
	fsys := fstest.MapFS{}
	add := func(name, src string) { fsys[name] = &fstest.MapFile{Data: []byte(src)} }
	for _, dir := range []string{"node_modules", ".git", ".next", "dist", "build", "out", "coverage", "vendor", "venv", ".venv", "__pycache__", ".hidden", "ignored", "excluded"} {
		add(dir+"/a.js", "process.env."+strings.ToUpper(strings.TrimLeft(dir, "._")))
		add("src/"+dir+"/a.js", "process.env.X")
	}
	add("src/a.js", "process.env.HERE")
	add("large.js", "process.env.LARGE;"+strings.Repeat(" ", maxFile))
	add("binary.js", "process.env.BINARY\x00")
	add("latin1.js", "process.env.LATIN1 // \xe9")
	add("a.d.ts", "process.env.DECLARED")
	add("lib.min.js", "process.env.MINIFIED")
	add("ignored.js", "process.env.IGNORED")
	add("link.js", "a.js")
	fsys["link.js"].Mode = fs.ModeSymlink
	r := scanned(t, fsys, Options{
		Ignored: func(name string) bool { return strings.Contains(name, "ignored") },
		Exclude: func(name string) bool { return strings.HasSuffix(name, "excluded") },
	})
	if names(r) != "HERE" || r.Files != 1 {
		t.Errorf("found %q in %d files", names(r), r.Files)
	}
}

func TestScanIsTheSameEachTime(t *testing.T) {
	fsys := fstest.MapFS{}
	for i := range 200 {
		fsys[fmt.Sprintf("d%d/f%d.ts", i%7, i)] = &fstest.MapFile{Data: fmt.Appendf(nil, "process.env.A%d; process.env[x]; process.env.B", i)}
	}
	want := scanned(t, fsys, Options{Workers: 1})
	for range 5 {
		if got := scanned(t, fsys, Options{Workers: 8}); !reflect.DeepEqual(got, want) {
			t.Fatal("two scans of the same files differ")
		}
	}
}

func TestScanEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Scan(ctx, fstest.MapFS{"a.js": {Data: []byte("x")}}, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	_, err := Scan(t.Context(), os.DirFS(filepath.Join(t.TempDir(), "none")), Options{})
	if errs.CodeOf(err) != errs.Usage {
		t.Errorf("a folder that is not there: %v", err)
	}
}

func TestScanKeepsAFileInBounds(t *testing.T) {
	src := strings.Repeat("process.env.A;\n", 3*maxUses)
	r := scanned(t, fstest.MapFS{"a.js": {Data: []byte(src)}}, Options{})
	if len(r.Uses) != maxUses || len(r.Notes) != 1 {
		t.Errorf("%d uses, notes %v", len(r.Uses), r.Notes)
	}
}

func TestTestFiles(t *testing.T) {
	for name, want := range map[string]bool{
		"a.test.ts": true, "a.spec.tsx": true, "e2e/a.ts": true, "__tests__/a.js": true, "a_test.go": true, "test_a.py": true,
		"conftest.py": true, "vitest.config.ts": true, "src/tests/a.py": true, "src/a.ts": false, "latest.ts": false, "a/contest.go": false,
	} {
		if isTest(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

func TestClientAndPackages(t *testing.T) {
	r := scanned(t, fstest.MapFS{
		"a.tsx":          {Data: []byte("'use strict';\n\"use client\"\nprocess.env.A")},
		"b.tsx":          {Data: []byte("const x = 1; 'use client'; process.env.B")},
		"package.json":   {Data: []byte(`{"dependencies": {"@clerk/nextjs": "6"}, "devDependencies": {"prisma": "6"}}`)},
		"next.config.js": {Data: []byte("module.exports = { env: { C: process.env.D } }")},
	}, Options{})
	if !r.Uses[0].Client || r.Uses[1].Client {
		t.Errorf("%+v", r.Uses)
	}
	if !r.DependsOn("prisma") || !r.DependsOn("@clerk/") || r.DependsOn("next") || !r.Inlined("C") || r.Inlined("D") {
		t.Errorf("packages %v, inlined %v", r.packages, r.inlined)
	}
}

func BenchmarkScan(b *testing.B) {
	fsys := fstest.MapFS{}
	var size int64
	for i := range 100 {
		src := strings.Repeat("export function Page({ id }: Props) {\n  const url = `${process.env.NEXT_PUBLIC_APP_URL}/orders/${id}`; // it's here\n  return <p className=\"x\">Don't {url} <b>{t('a')}</b></p>;\n}\n", 25)
		fsys[fmt.Sprintf("d/f%d.tsx", i)] = &fstest.MapFile{Data: []byte(src)}
		size += int64(len(src))
	}
	b.SetBytes(size)
	for b.Loop() {
		if _, err := Scan(b.Context(), fsys, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
