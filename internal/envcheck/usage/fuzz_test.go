package usage

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

var fuzzFiles = []string{"a.tsx", "a.ts", "a.py", "a.go", "a.vue", "a.svelte", "a.astro", "a.prisma", "Dockerfile", "compose.yml", "package.json", ".github/a.yml"}

func fuzzScan(t *testing.T, name, src string) *Result {
	t.Helper()
	r, err := Scan(t.Context(), fstest.MapFS{name: {Data: []byte(src)}}, Options{Workers: 1, Names: []string{"A", "KNOWN"}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Whatever a file holds: no crash, every name is one, and every place is in the text.
func FuzzScan(f *testing.F) {
	for _, src := range []string{
		"", "process.env.A", "const { A = `${process.env.B}`, ...r } = process.env; r.C", "createEnv({server:{A:z.string()}})", "f(env=>env=>env.A)",
		"const a={...b},b={...a};a.parse(process.env)", "import os\nos.environ['A']\nf\"{os.getenv('B')}\"\nclass S(BaseSettings):\n a: int", "f'{{{'", "'''",
		"package a\nimport \"os\"\nfunc f(k string){os.Getenv(k)}\nvar x=os.Getenv(\"A\")", "package a\ntype T struct{A string `env:\"A\"`}",
		"---\nimport.meta.env.A\n---\n<p>{process.env.B}</p><script>x</script>", "<script", "<style/><!--", "env(\"A\") env( ", "ARG A\nENV B=${C", `{"scripts":{"a":"$A"}}`,
		"import{env as e}from'process';e.A", "class{get(a){return process.env[a]}}", "((((process.env as any).A", "environ=os.environ\nenviron[", "secrets.A vars.", "é process.env.A",
	} {
		for i := range fuzzFiles {
			f.Add(i, src)
		}
	}
	f.Fuzz(func(t *testing.T, lang int, src string) {
		if lang < 0 {
			lang = -(lang + 1)
		}
		r := fuzzScan(t, fuzzFiles[lang%len(fuzzFiles)], src)
		lines := strings.Split(src, "\n")
		inside := func(line, col int) {
			if line < 1 || line > len(lines) || col < 1 || col > len([]rune(lines[line-1]))+1 {
				t.Fatalf("%d:%d is outside of %q", line, col, src)
			}
		}
		for _, u := range r.Uses {
			if inside(u.Line, u.Col); !isName(u.Name) {
				t.Fatalf("%q is no name", u.Name)
			}
		}
		for _, d := range r.Dynamic {
			inside(d.Line, d.Col)
		}
	})
}

// A comment or a string that speaks of a variable is no use, wherever it stands.
func TestTextIsNoUse(t *testing.T) {
	tests := []struct {
		name, src string
		insert    []string
	}{
		{"a.tsx", "const { A, B: b } = process.env ;\nfunction f ( x = 1 ) { if ( x ) { return <p title = {process.env.C} /> ; } }\n const y = { z : [ process.env [ 'D' ] ] } ;\n export default f ( `a${ process.env.E }` ) ;\n",
			[]string{"/* process.env.FAKE */", "/* it's ` process.env.FAKE */", "// process.env.FAKE ' \" `\n"}},
		{"a.py", "import os\nA = os.environ [ 'A' ] \ndef f ( x = 1 ) :\n    return [ os.getenv ( 'B' , 'b' ) ] \n", []string{"# os.environ['FAKE'] ' \"\"\"\n"}},
		{"a.go", "package a\nimport \"os\"\nvar a = f ( os.Getenv ( \"A\" ) , x [ 1 ] ) \n", []string{"/* os.Getenv(\"FAKE\") */", "/* ` os.Getenv(\"FAKE\") */"}},
	}
	for _, tt := range tests {
		want := fuzzScan(t, tt.name, tt.src)
		if len(want.Uses) == 0 {
			t.Fatalf("%s: nothing found", tt.name)
		}
		for i := range len(tt.src) {
			if tt.src[i] != ' ' && tt.src[i] != '\n' {
				continue
			}
			for _, text := range tt.insert {
				src := tt.src[:i] + " " + text + tt.src[i:]
				if got := fuzzScan(t, tt.name, src); slices.ContainsFunc(got.Uses, func(u Use) bool { return u.Name == "FAKE" }) {
					t.Errorf("%s: found in\n%s", tt.name, src)
				}
			}
		}
	}
	// A string takes the place of a value.
	for name, cases := range map[string][]string{
		"a.tsx": {"x = %s;", "f(a, %s)", "const y = { z: %s }", "<p a=%s/>", "`${%s}`", "if (x === %s) {}", "return %s"},
		"a.py":  {"x = %s", "f(a, %s)", "f'{%s}'", "y = {%s: 1}"},
		"a.go":  {"package a\nvar x = %s", "package a\nvar x = f(a, %s)"},
	} {
		for _, format := range cases {
			for _, text := range []string{`"process.env.FAKE os.environ[1] os.Getenv(FAKE)"`, "\"it's process.env.FAKE\""} {
				if r := fuzzScan(t, name, fmt.Sprintf(format, text)); len(r.Uses)+len(r.Dynamic) > 0 {
					t.Errorf("%s: %s gives %v", name, fmt.Sprintf(format, text), r.Uses)
				}
			}
		}
	}
}

// However a file repeats itself, what looks for checks takes no longer than the file is
// long: eight times the text may take eight times as long, with room for a busy machine,
// and not the sixty-four that a square would.
func TestChecksAreBounded(t *testing.T) {
	for _, c := range []struct{ name, before, unit, after string }{
		{"a.js", "", "if (process.env.A) return; ", ""},
		{"a.js", "", "process.env.A && ", "x"},
		{"a.js", "", "process.env.A ? a : ", "x"},
		{"a.js", "", "(process.env.A || ", ""},
		{"a.js", "", "if (!process.env.A) {", ""},
		{"a.js", "", "const a = process.env.A; if (!a) { b() }\n", ""},
		{"a.py", "import os\nx = ", "os.getenv('A') and ", "y"},
		{"a.py", "import os\n", "a = os.getenv('A')\nif not a: b\n", ""},
		{"a.py", "import os\n", " try:\n  os.environ['A']\n except X: pass\n", ""},
		{"a.go", "package a\nimport \"os\"\nfunc f() { if ", "os.Getenv(\"A\") == \"\" || ", "x {} }"},
		{"a.go", "package a\nimport \"os\"\nfunc f() {\n", "if v := os.Getenv(\"A\"); v != \"\" { f() }\n", "}"},
	} {
		took := func(size int) time.Duration {
			src := c.before + strings.Repeat(c.unit, size/len(c.unit)) + c.after
			best := time.Hour
			for range max(1, 225_000/size) { // the short one more often, for it is the measure
				start := time.Now()
				r := fuzzScan(t, c.name, src)
				best = min(best, time.Since(start))
				if size == 600_000 && len(r.Uses) != maxUses {
					t.Errorf("%s of %q: %d uses", c.name, c.unit, len(r.Uses))
				}
			}
			return best
		}
		if small, large := took(75_000), took(600_000); large > 24*small {
			t.Errorf("%s of %q: %s for 75 kB, %s for 600 kB", c.name, c.unit, small, large)
		}
	}
}
