package envcheck

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/sirupsen/logrus"
)

// seeds are inputs that once were, or might be, trouble.
var seeds = []string{
	"", "A=1\n", "A='x\nB=\"y\nC=`z\n", "P=${P}:/b\n", "A=${B}${B}\nB=${A}${A}\n", "A=\\'\n", "\ufeffA=1\r\nB=\"x\r\ny\"\r\n",
	"export A=1\nexport\nexport =x\n", "A:\nB=x\n", "A=\n'x'\n", "=x\n", "A=${B:-${C:-${D}}}\n", "A=$$$$\n", "A=\"\\0101\\08\\x\"\n",
	"A=\"\\\\\\\"\"", "A = 'b' # c\n", "A=\u2028B=1\n", "FOO", "A=${x:-a}${y}-${z-b}\n", "A=${x}${y:?m}\n", "A=${x?}", "A\tB=1\n", "\xff=\xfe\n",
	"A=" + strings.Repeat("${", 100), "A=" + strings.Repeat("$A", 50), strings.Repeat("\n", 100) + "!",
}

func addCases(f *testing.F) {
	f.Helper()
	for _, s := range seeds {
		f.Add(s)
	}
	dir := os.Getenv("OPSCTL_REFERENCE")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	var cases []struct{ Input string }
	if data, err := os.ReadFile(filepath.Join(dir, "fixtures", "dotenv-cases.json")); err == nil && json.Unmarshal(data, &cases) == nil {
		for _, c := range cases {
			f.Add(c.Input)
		}
	}
}

// mustBeInside fails when a position is not in the text.
func mustBeInside(t *testing.T, text string, p Pos) {
	t.Helper()
	lines := strings.Split(text, "\n")
	if p.Line < 1 || p.Line > len(lines) || p.Col < 1 || p.Col > len([]rune(lines[p.Line-1]))+1 {
		t.Fatalf("position %+v is outside %q", p, text)
	}
}

func FuzzReaders(f *testing.F) {
	addCases(f)
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range Readers() {
			file, err := Read(r, "f", []byte(text), map[string]string{"OUT": "$A"})
			var refused *ReadError
			if err != nil && !errors.As(err, &refused) {
				t.Fatalf("%s: %v", r, err)
			}
			body := strings.TrimPrefix(text, "\ufeff")
			if refused != nil {
				mustBeInside(t, body, refused.Pos)
			}
			last := file.Last()
			for _, e := range file.Entries {
				mustBeInside(t, body, e.Pos)
				mustBeInside(t, body, e.ValuePos)
				// A bare key that the outer environment lacks leaves what an earlier line set.
				if v := file.Vars[e.Key]; err == nil && !last[e.Key].Bare && last[e.Key].Value != v {
					t.Fatalf("%s: entry %q has %q, the file %q", r, e.Key, last[e.Key].Value, v)
				}
			}
		}
	})
}

// FuzzComposeAgreesWithComposeGo holds the compose reader to compose-go's own.
func FuzzComposeAgreesWithComposeGo(f *testing.F) {
	addCases(f)
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Count(text, "$") <= 40 { // beyond it limits of our own may apply
			agreesWithComposeGo(t, text)
		}
	})
}

// TestComposeAgreesWithComposeGo does the same on generated inputs.
func TestComposeAgreesWithComposeGo(t *testing.T) {
	for _, text := range append(generated(5000), seeds...) {
		agreesWithComposeGo(t, text)
	}
	agreesWithComposeGo(t, "A="+strings.Repeat("${B:-", 1000)+"x"+strings.Repeat("}", 1000))
}

func agreesWithComposeGo(t *testing.T, text string) {
	t.Helper()
	logrus.SetOutput(io.Discard) // compose-go logs each variable that is not set
	outer := map[string]string{"OUT": "o", "EMPTY": "", "A": "outer"}
	want := map[string]string{}
	lookup := func(k string) (string, bool) { v, ok := outer[k]; return v, ok }
	werr := dotenv.ParseWithFormat(strings.NewReader(text), "f", want, lookup, "")
	got, gerr := Read(Compose, "f", []byte(text), outer)
	if (werr != nil) != (gerr != nil) {
		t.Fatalf("%q: compose-go says %v, this reader %v", text, werr, gerr)
	}
	if werr == nil && !maps.Equal(want, got.Vars) {
		t.Fatalf("%q:\ncompose-go  %q\nthis reader %q", text, want, got.Vars)
	}
}

func FuzzPortable(f *testing.F) {
	addCases(f)
	f.Fuzz(func(t *testing.T, value string) {
		s, ok := Portable(value)
		if !ok {
			return
		}
		for _, r := range []Reader{Next, Compose} {
			if file, err := Read(r, "f", []byte("K="+s), nil); err != nil || file.Vars["K"] != value {
				t.Fatalf("%s reads K=%s as %q (%v), want %q", r, s, file.Vars["K"], err, value)
			}
		}
	})
}

func FuzzParseSchema(f *testing.F) {
	f.Add(ruleSchema)
	f.Add("# @type=enum(a,\n# b)\n# @required=if(eq($A, b), true, false)\nA=${B:-c}\nB=[a, {b=c}]\n")
	f.Add("# @import(./x, pick=[A])\n# ---\nA=\"\"\"x\ny\"\"\" # @optional\n")
	f.Add("A=" + strings.Repeat("concat(", 60))
	f.Fuzz(func(t *testing.T, text string) {
		s, findings := ParseSchema("s", []byte(text))
		body := strings.TrimPrefix(text, "\ufeff")
		for _, fd := range findings {
			mustBeInside(t, body, Pos{fd.Line, fd.Col})
		}
		for _, it := range s.Items {
			mustBeInside(t, body, it.Pos)
			mustBeInside(t, body, it.ValuePos)
		}
		if _, err := RenderExample(s); err != nil && !strings.Contains(err.Error(), "cannot be written") {
			t.Fatal(err)
		}
		p := project{".env.schema": text, ".env": "A=1\nB=2\n"}
		if _, err := Check(context.Background(), Options{ReadFile: p.read}); err != nil {
			t.Fatal(err)
		}
	})
}
