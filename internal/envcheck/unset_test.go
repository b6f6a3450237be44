package envcheck

import (
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

const unsetSchema = `# @defaultSensitive=false @defaultRequired=false
# ---
P=
OTHER=
# @sensitive
API_SECRET=
# @sensitive
# opsctl: ignore=E-UNSET the platform sets it
QUIET=
`

// TestUnset: a reference that nothing stands behind is dropped by both readers
// without a word, so that a password with a dollar sign loses its end.
func TestUnset(t *testing.T) {
	const fixSecret = `write the value in double quotes with \$ for each dollar sign; if a variable is meant`
	tests := []struct{ name, file, want string }{ // want: the beginning of the finding; "" for none
		{"secret", "API_SECRET=abc$def", `.env:1:15 error E-UNSET API_SECRET refers to a variable that is set nowhere, and the reference is dropped: the value loses 4 characters | ` + fixSecret},
		{"secret in double quotes", `API_SECRET="abc$def"`, `.env:1:16 error E-UNSET API_SECRET refers to a variable that is set nowhere, and the reference is dropped: the value loses 4 characters | write \$ for each dollar sign`},
		{"not sensitive", "P=abc$def", `.env:1:6 warning E-UNSET P refers to $def, which is set nowhere, and the reference is dropped: the value loses 4 characters | write P="abc\$def"; if`},
		{"braces", "P=abc${HOST}/x", `.env:1:6 warning E-UNSET P refers to $HOST, which is set nowhere, and the reference is dropped: the value loses 7 characters`},
		{"two", "API_SECRET=a$bc-$d", `.env:1:13 error E-UNSET API_SECRET refers to 2 variables that are set nowhere, and the references are dropped: the value loses 5 characters`},
		{"beside a real one", "P=$OTHER/$def", `.env:1:10 warning E-UNSET P refers to $def, which is set nowhere, and the reference is dropped: the value loses 4 characters | write \$ for each`},
		{"second line of a value", "P=\"a\nb $def\"", `.env:2:3 warning E-UNSET P refers to $def`},
		{"of a key that the schema lacks", "X=a$def\n", `.env:1:4 error E-UNSET X refers to a variable`},
		{"the offered spelling", `API_SECRET="abc\$def"`, ""},
		{"schema key", "P=abc$OTHER", ""},
		{"schema key that is not set", "P=${API_SECRET}", ""},
		{"key of the file", "def=1\nP=abc$def", ""},
		{"key of another file", "P=$ELSEWHERE", ""},
		{"process", "P=$HOME/x", ""},
		{"Next.js sets it", "P=$NODE_ENV", ""},
		{"default", "P=${HOST:-localhost}", ""},
		{"empty default", "P=${HOST:-}", ""},
		{"silenced", "QUIET=abc$def", ""},
		{"dollar without a name", "P=a$", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := Options{Files: []string{".env", "other.env"}, InProcess: func(name string) bool { return name == "HOME" }}
			_, text := project{".env.schema": unsetSchema, ".env": tt.file + "\n", "other.env": "ELSEWHERE=1\n"}.check(t, o)
			got := ""
			for line := range strings.Lines(text) {
				if strings.Contains(line, "E-UNSET") {
					got += line
				}
			}
			if !strings.HasPrefix(got, tt.want) || (got == "") != (tt.want == "") || strings.Count(got, "\n") > 1 {
				t.Errorf("want %s\ngot\n%s", tt.want, text)
			}
		})
	}
}

// TestUnsetTellsOneStory: where the readers differ because of the dollar sign, that alone is said.
func TestUnsetTellsOneStory(t *testing.T) {
	for _, file := range []string{`P='abc$def'`, `P=abc\$x$def`, `P=abc$def#x`, `P=${HOST:+x}`} {
		r, text := project{".env.schema": unsetSchema, ".env": file + "\n"}.check(t, Options{})
		if len(r.Findings) != 1 || r.Findings[0].Rule == "E-UNSET" {
			t.Errorf("%s: want one difference, got\n%s", file, text)
		}
	}
}

func TestUnsetIsListed(t *testing.T) {
	if !slices.ContainsFunc(Rules(), func(r RuleDoc) bool { return r.ID == "E-UNSET" && r.Level == Error }) {
		t.Error("Rules() lacks E-UNSET")
	}
}

func TestUnsetLooksAtTheProcess(t *testing.T) {
	p := project{".env.schema": unsetSchema, ".env": "P=abc$def\n"}
	if _, text := p.check(t, Options{Process: map[string]string{"def": "x"}}); text != "" {
		t.Errorf("got\n%s", text)
	}
	if _, text := p.check(t, Options{NamesOnly: true}); text != "" {
		t.Errorf("values were looked at:\n%s", text)
	}
}

// TestUnreadableFile: of a file that cannot be read nothing is known, so that
// nothing of it can be missing.
func TestUnreadableFile(t *testing.T) {
	schema := "# @defaultRequired=true\n# ---\nA=\nB=\nC=\n# @optional\n# opsctl: pair=PASS\nUSER=\n# @optional\nPASS=\n"
	read := func(broken string, p project) func(string) ([]byte, error) {
		return func(path string) ([]byte, error) {
			if path == broken {
				return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrPermission}
			}
			return p.read(path)
		}
	}
	tests := []struct {
		name       string
		p          project
		broken     string
		want       string
		notChecked int
	}{
		{"the only one", project{}, ".env", ".env: file", 3},
		{"one of two", project{".env": "A=1\nUSER=u\nB=$NOWHERE\n"}, ".env.local", ".env.local: file", 2},
		{"NUL byte", project{".env": "A=\x00"}, "", ".env: file", 3},
		{"not UTF-8", project{".env": "A=\xff"}, "", ".env: file", 3},
		{"wrong in the readable one", project{".env": "A=1\nB=2\nZ=1\n"}, ".env.local", ".env.local: file, .env: unknown-key", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.p[".env.schema"] = schema
			r, err := Check(t.Context(), Options{ReadFile: read(tt.broken, tt.p)})
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]bool{}
			for _, f := range r.Findings {
				got[f.File+": "+f.Rule] = true
			}
			for want := range strings.SplitSeq(tt.want, ", ") {
				if !got[want] {
					t.Errorf("want %s in %+v", want, r.Findings)
				}
				delete(got, want)
			}
			if len(got) > 0 || r.NotChecked != tt.notChecked || len(r.Unread) != 1 || r.OK {
				t.Errorf("also %v; %d not checked, want %d; unread %v, ok %v", got, r.NotChecked, tt.notChecked, r.Unread, r.OK)
			}
		})
	}
}

// TestDuplicateLines: each line is compared with itself, and has one story.
func TestDuplicateLines(t *testing.T) {
	schema := "# @defaultSensitive=false @defaultRequired=false\n# ---\nP=\nQ=\n"
	tests := []struct{ name, file, want string }{
		{"compose refuses the later line", "P=ab\nP=\"cd\nQ=1", "2:1 duplicate, 2:3 E-SYNTAX"},
		{"and the readers differ on the earlier", "P='a$b'\nP=\"cd\nQ=1", "2:1 duplicate, 2:3 E-SYNTAX"},
		{"compose refuses the earlier line", "P=${X:?e}abc\nP=abcd", "1:1 E-SYNTAX, 2:1 duplicate"},
		{"the later is read differently", "P=ab\nP=c#d", "2:1 duplicate, 2:3 E-HASH"},
		{"only the earlier is", "P=a#b\nP=cd", "2:1 duplicate"},
		{"only compose sees the later", "P=ab\nP:cd", "2:1 E-KEY"},
		{"two on one line to compose", `P="ab" Q=1`, "1:3 E-QUOTE, 1:8 E-KEY"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, text := project{".env.schema": schema, ".env": tt.file + "\n"}.check(t, Options{})
			var got []string
			for _, f := range r.Findings {
				got = append(got, itoa(f.Line)+":"+itoa(f.Col)+" "+f.Rule)
			}
			if strings.Join(got, ", ") != tt.want {
				t.Errorf("got %q, want %q\n%s", got, tt.want, text)
			}
		})
	}
	if got := (&differ{}).lengths("ab", "cd"); got != "both get 2 characters, but not the same" {
		t.Errorf("lengths = %q", got)
	}
}

// TestLostCharactersAreThoseThatAreGone: where both readers agree on a value
// whose references all lead nowhere, it is shorter by what is said to be lost.
func TestLostCharactersAreThoseThatAreGone(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	pieces := []string{"a", "b", "_", "$", "$a", "${ab}", "é", "-", "/", "}", "$bé"}
	looked := 0
	for range 20_000 {
		raw := "x"
		for range 1 + rng.IntN(6) {
			raw += pieces[rng.IntN(len(pieces))]
		}
		next, nerr := Read(Next, "", []byte("K="+raw+"\n"), nil)
		compose, cerr := Read(Compose, "", []byte("K="+raw+"\n"), nil)
		if nerr != nil || cerr != nil || next.Vars["K"] != compose.Vars["K"] {
			continue
		}
		d := droppedFrom(raw, func(string) bool { return false })
		if lost := length32(raw) - length32(next.Vars["K"]); lost != d.chars {
			t.Fatalf("%s: %d characters are lost, %d are reported", raw, lost, d.chars)
		}
		if d.chars > 0 {
			looked++
		}
	}
	if looked < 500 {
		t.Errorf("only %d values lost anything", looked)
	}
}
