package nextconfig

import (
	"bytes"
	"strings"
	"testing"
)

// An edit that went wrong is not handed out, whatever went wrong with it.
func TestVerify(t *testing.T) {
	const src = "const a = { output: \"x\" };\nconst c = {\n  b: 1,\n};\n\nexport default c;\n"
	for _, tt := range []struct{ name, edited, want string }{
		{"right", strings.Replace(src, "  b", "  output: \"standalone\",\n  b", 1), ""},
		{"does not parse", strings.Replace(src, "  b", "  output: \"standalone\"\n  b", 1), "does not parse"},
		{"something else changed", strings.Replace(src, "  b: 1", "  output: \"standalone\",\n  b: 2", 1), "something else"},
		{"something else is gone", strings.Replace(src, "  b: 1", "  output: \"standalone\"", 1), "something else"},
		{"in a comment", strings.Replace(src, "  b", "  // output: \"standalone\",\n  b", 1), "something else"},
		{"in the wrong object", strings.Replace(src, "{ ", "{ output: \"standalone\", ", 1), "reads back"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := load("next.config.mjs", []byte(src))
			if err != nil {
				t.Fatal(err)
			}
			s, err := f.trace()
			if err != nil {
				t.Fatal(err)
			}
			e := &edit{shape: s, output: true, insertions: []insertion{{code: []string{`output:"standalone",`}}}}
			err = e.verify("next.config.mjs", []byte(tt.edited))
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

func TestInterleaved(t *testing.T) {
	for _, tt := range []struct {
		original, edited string
		pieces           []string
		want             bool
	}{
		{"", "", nil, true},
		{"ab", "ab", nil, true},
		{"ab", "ba", nil, false},
		{"ab", "aXb", []string{"X"}, true},
		{"ab", "abX", []string{"X"}, true},
		{"ab", "XabY", []string{"X", "Y"}, true},
		{"ab", "XabY", []string{"Y", "X"}, false},
		{"ab", "aXYb", []string{"X", "Y"}, true},
		{"aab", "aaabab", []string{"aab"}, true},
		{"aab", "aaabb", []string{"aab"}, false},
		{"o:1,", "o:1,o:1,", []string{"o:1,"}, true},
		{"ab", "aXc", []string{"X"}, false},
	} {
		if got := interleaved(tt.original, tt.edited, tt.pieces); got != tt.want {
			t.Errorf("%q in %q with %q: %v", tt.original, tt.edited, tt.pieces, got)
		}
	}
}

// What no person writes is refused before a recursive parser sees it.
func TestBounds(t *testing.T) {
	deep := func(open, end string, n int) string {
		return "export default " + strings.Repeat(open, n) + "{}" + strings.Repeat(end, n)
	}
	for _, tt := range []struct{ name, src, want string }{
		{"large", "export default {}\n//" + strings.Repeat("x", maxSize), "bytes"},
		{"nested brackets", deep("(", ")", 100_000), "line 1: brackets are nested too deep"},
		{"unary operators", deep("!", "", 100_000), "line 1: one statement goes on for too long"},
		{"functions", deep("a=>", "", 1000), "line 1: too many functions"},
		{"functions with brackets", deep("(a)=>", "", 1000), "line 1: too many functions"},
		{"names", strings.Repeat("var a;", maxDecls+1) + "export default a", "declares a 1001 times"},
		{"templates", deep("`${", "}`", 100), "line 1: its template literals are nested too deep"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Edit("next.config.mjs", []byte(tt.src), Changes{Standalone: true})
			if !strings.Contains(got.Refused, tt.want) || !strings.Contains(got.Refused, "by hand") {
				t.Errorf("refused %q, want %q", got.Refused, tt.want)
			}
			if !bytes.Equal(got.Src, []byte(tt.src)) {
				t.Error("a refused file was changed")
			}
		})
	}
}

// A template within a template is no reason to refuse; one that is no configuration's
// name is.
func TestNames(t *testing.T) {
	if got := Edit("next.config.json", []byte("{}"), Changes{Standalone: true}); !strings.Contains(got.Refused, "neither JavaScript nor TypeScript") {
		t.Errorf("refused %q", got.Refused)
	}
	if got := Edit("next.config.js", []byte("module.exports = {}"), Changes{}); got.Refused != "" || len(got.Done) > 0 {
		t.Errorf("no change asked for: %+v", got)
	}
	for _, s := range []Sentry{{Org: `a"b`}, {Project: "a\nb"}} {
		got := Edit("next.config.js", []byte("module.exports = {}"), Changes{Sentry: &s})
		if !strings.Contains(got.Refused, "not a name") {
			t.Errorf("%+v: refused %q", s, got.Refused)
		}
	}
}
