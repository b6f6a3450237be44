package nextconfig

import (
	"bytes"
	"testing"
)

// Whatever a file holds: an edit is the file itself, or a file that parses, that has
// all of the old one's bytes in their order, and that a second edit leaves alone.
func FuzzEdit(f *testing.F) {
	for _, s := range shapes(f) {
		f.Add(s.in, s.name == "next.config.ts" || s.name == "next.config.mts", true, true)
	}
	f.Add([]byte("module.exports = withX({ a: `b`, c: /d/ })"), false, true, false)
	f.Add([]byte("export default async()=>({...a,})\n"), true, true, true)
	f.Add([]byte("const c=(a:b):c is d=>({}),e={}satisfies F;export{e as default}"), true, true, true)
	f.Fuzz(func(t *testing.T, src []byte, typeScript, standalone, sentry bool) {
		name := "next.config.js"
		if typeScript {
			name = "next.config.ts"
		}
		c := Changes{Standalone: standalone}
		if sentry {
			c.Sentry = &Sentry{Org: "acme"}
		}
		before := bytes.Clone(src)
		got := Edit(name, src, c)
		if !bytes.Equal(src, before) {
			t.Fatal("the input was written to")
		}
		if changed := !bytes.Equal(got.Src, src); changed != (len(got.Done) > 0) {
			t.Fatalf("changed: %v, done: %q", changed, got.Done)
		}
		if len(got.Done) == 0 {
			return
		}
		loader, err := loaderOf(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := normalise(string(got.Src), loader); err != nil {
			t.Fatalf("%q does not parse: %v", got.Src, err)
		}
		rest := src
		for _, b := range got.Src {
			if len(rest) > 0 && rest[0] == b {
				rest = rest[1:]
			}
		}
		if len(rest) > 0 {
			t.Fatalf("%q is not all in %q", src, got.Src)
		}
		if again := Edit(name, got.Src, c); !bytes.Equal(again.Src, got.Src) {
			t.Fatalf("not stable: %q, then %q", got.Src, again.Src)
		}
	})
}

func BenchmarkEdit(b *testing.B) {
	src := []byte("import createNextIntlPlugin from \"next-intl/plugin\";\n\n/** @type {import('next').NextConfig} */\nconst nextConfig = {\n  async redirects() {\n    return [\n")
	for range 200 {
		src = append(src, "      { source: \"/old/:path*\", destination: \"/new/:path*\", permanent: true },\n"...)
	}
	src = append(src, "    ];\n  },\n};\n\nexport default createNextIntlPlugin()(nextConfig);\n"...)
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		if r := Edit("next.config.mjs", src, Changes{Standalone: true, Sentry: &Sentry{}}); len(r.Done) != 2 {
			b.Fatal(r.Refused)
		}
	}
}
