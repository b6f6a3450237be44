package envcheck

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// bigProject is a schema and a .env of n variables of eight types.
func bigProject(n int) project {
	kinds := []struct{ dec, value string }{
		{"string(minLength=3)", "some text %d"}, {"number(min=0)", "%d"}, {"boolean", "true"}, {"url", "https://example.com/%d"},
		{"enum(a, b)", "a"}, {"email", "user%d@example.com"}, {"port", "80"}, {`string(matches=regex("^v"))`, "v%d"},
	}
	var schema, env strings.Builder
	schema.WriteString("# @defaultSensitive=false\n# ---\n\n")
	for i := range n {
		k := kinds[i%len(kinds)]
		fmt.Fprintf(&schema, "# Variable number %d.\n# @type=%s @required\nVAR_%d=\n\n", i, k.dec, i)
		value := k.value
		if strings.Contains(value, "%d") {
			value = fmt.Sprintf(value, i)
		}
		fmt.Fprintf(&env, "VAR_%d=%s\n", i, value)
	}
	return project{".env.schema": schema.String(), ".env": env.String()}
}

// BenchmarkCheck is a whole check. The aim is a few milliseconds for 50
// variables and less than 150 for 10,000.
func BenchmarkCheck(b *testing.B) {
	for _, n := range []int{50, 10_000} {
		b.Run(fmt.Sprintf("%d", n), func(b *testing.B) {
			p := bigProject(n)
			b.ReportAllocs()
			for b.Loop() {
				r, err := Check(context.Background(), Options{ReadFile: p.read})
				if err != nil || len(r.Findings) != 0 {
					b.Fatal(err, r.Findings)
				}
			}
		})
	}
	b.Run("10000-other", func(b *testing.B) { // a file of which the schema knows nothing
		p := bigProject(10_000)
		p[".env"] = strings.ReplaceAll(p[".env"], "VAR_", "OTHER_")
		for b.Loop() {
			if _, err := Check(context.Background(), Options{ReadFile: p.read}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkFix repairs a file of which every line is read differently.
func BenchmarkFix(b *testing.B) {
	for _, n := range []int{50, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var env strings.Builder
			for i := range n {
				fmt.Fprintf(&env, "P%d='a$b%d'\n", i, i)
			}
			p := project{".env.schema": "A=\n", ".env": env.String()}
			for b.Loop() {
				if fixed, err := Fix(context.Background(), Options{ReadFile: p.read}); err != nil || len(fixed) != 1 || len(fixed[0].Repairs) != n {
					b.Fatal(err, len(fixed))
				}
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	src := []byte(bigProject(10_000)[".env"])
	for _, r := range Readers() {
		b.Run(string(r), func(b *testing.B) {
			b.SetBytes(int64(len(src)))
			for b.Loop() {
				if _, err := Read(r, "f", src, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
