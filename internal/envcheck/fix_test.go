package envcheck

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	fixSchema  = "# @defaultSensitive=false @defaultRequired=false\n# ---\nP=\nQ=\nR=\n# @sensitive\nS=\n"
	schemaEnds = "\x00" // a file may begin with more of the schema
)

// fix repairs one file, and says what was done.
func fix(t *testing.T, text string) (string, []string) {
	t.Helper()
	more, rest, ok := strings.Cut(text, schemaEnds)
	if ok {
		text = rest
	} else {
		more = ""
	}
	p := project{".env.schema": fixSchema + more, ".env": text}
	fixed, err := Fix(context.Background(), Options{ReadFile: p.read})
	if err != nil {
		t.Fatal(err)
	}
	if len(fixed) == 0 {
		return text, nil
	}
	var said []string
	for _, r := range fixed[0].Repairs {
		said = append(said, fmt.Sprintf("%d:%d %s %s", r.Line, r.Col, r.Rule, r.Message))
		for _, c := range r.Changes {
			said = append(said, "  "+c)
		}
	}
	return string(fixed[0].Text), said
}

// TestFix has a file, the file repaired, and what is said about it.
func TestFix(t *testing.T) {
	const nothing = ""
	tests := []struct{ name, before, after, said string }{
		{"single quotes", `P='pa$word'`, `P="pa\$word"`,
			`1:3 E-DOLLAR the value is written in double quotes with \$ for each dollar sign now|  Next.js gets 7 characters for P instead of 2 characters`},
		{"escaped for Next.js", `P=pa\$word`, `P="pa\$word"`,
			`1:3 E-DOLLAR-ESC the value is written in double quotes with \$ for each dollar sign now|  docker compose gets 7 characters for P instead of 3 characters`},
		{"hash", "# c\nP=https://example.com/#/x # why\n", "# c\nP=\"https://example.com/#/x\" # why\n",
			`2:3 E-HASH the value is written in double quotes now|  Next.js gets 23 characters for P instead of 20 characters`},
		{"comment as value", "export P= # required\r\nQ=1\r\n", "# required\r\nexport P=\r\nQ=1\r\n",
			`1:11 E-EMPTY-COMMENT the comment stands on a line of its own now|  docker compose gets nothing for P instead of 10 characters`},
		{"comment after a tab", "P=bar\t# c\n", "P=bar # c\n", `1:3 E-HASH-TAB a blank stands before the comment now|  docker compose gets 3 characters for P instead of 7 characters`},
		{"backticks", "P=`bar 'baz'`\n", "P=bar 'baz'\n", `1:3 E-BACKTICK the value is written without quotes now|  docker compose gets 9 characters for P instead of 11 characters`},
		{"a key in backticks", "P=`-----BEGIN KEY-----\nabc\n-----END KEY-----`\nQ=1\n", "P=\"-----BEGIN KEY-----\nabc\n-----END KEY-----\"\nQ=1\n",
			`1:3 E-SYNTAX the value is written in double quotes now|  docker compose gets 41 characters for P instead of 20 characters`},
		{"a dollar sign in backticks", "P=`$ecret`\n", "P=\"\\$ecret\"\n",
			`1:3 E-BACKTICK the value is written in double quotes with \$ for each dollar sign now|  Next.js gets 6 characters for P instead of nothing|  docker compose gets 6 characters for P instead of 2 characters`},
		{"a reference in backticks", "Q=h.de\nP=`https://${Q}/v1`\n", "Q=h.de\nP=\"https://${Q}/v1\"\n",
			`2:3 E-BACKTICK the value is written in double quotes, in which both expand it now|  docker compose gets 15 characters for P instead of 17 characters`},
		{"a comment behind backticks", "P=`x`# why\n", "P=`x`# why\n", nothing},
		{"a comment mark in backticks", "P=`pw #x`\n", "P=\"pw #x\"\n", `1:3 E-BACKTICK the value is written in double quotes now|  docker compose gets 5 characters for P instead of 3 characters`},
		{"ends that differ", "P=\"ß)[ #\\\\\" # c\"\n", "P=\"ß)[ #\\\\\" # c\"\n", nothing},
		{"an escaped quote and a dollar sign", `P='it\'s $5'`, `P="it's \$5"`,
			`1:3 E-DOLLAR the value is written in double quotes with \$ for each dollar sign now|  Next.js gets 7 characters for P instead of 6 characters`},
		{"escapes", `P="say \"hi\""`, `P=say "hi"`, `1:3 E-ESCAPE the value is written without quotes now|  Next.js gets 8 characters for P instead of 10 characters`},
		{"an escape with two meanings", `P="a\tb"`, `P="a\tb"`, nothing},
		{"default", "Q=db\nP=\"postgres://${Q:-localhost}/app\"\n", "Q=db\nP=\"postgres://${Q}/app\"\n",
			`2:3 E-DEFAULT the reference has no default any more, for the file sets the variable|  Next.js gets 17 characters for P instead of 24 characters`},
		{"a reference in single quotes", "Q=db\nP='postgres://${Q}/app'\n", "Q=db\nP=\"postgres://${Q}/app\"\n",
			`2:3 E-DOLLAR the value is written in double quotes, in which both expand it now|  docker compose gets 17 characters for P instead of 19 characters`},
		{"a reference and a hash", "Q=u\nP=postgres://${Q}:a#b@h/d\n", "Q=u\nP=\"postgres://${Q}:a#b@h/d\"\n",
			`2:3 E-HASH the value is written in double quotes, in which both expand it now|  Next.js gets 20 characters for P instead of 14 characters`},
		{"doubled in single quotes", `P='a$$b'`, `P="a\$\$b"`,
			`1:3 E-DOLLAR-ESC the value is written in double quotes with \$ for each dollar sign now|  Next.js gets 4 characters for P instead of 2 characters`},
		{"doubled, once or twice", `P=a$$b`, `P=a$$b`, nothing},
		{"two escapes", `P=\$\$ =)`, `P='$$ =)'`,
			`1:3 E-DOLLAR-ESC the value is written in single quotes now|  docker compose gets 5 characters for P instead of 7 characters`},
		{"escapes of both kinds", `P='$/ #\$$?'`, `P='$/ #\$$?'`, nothing},
		{"an address", "https://user:pw@example.com/x\n", "https://user:pw@example.com/x\n", nothing},
		{"a comment by its type", "# @type=number\nN=\n" + schemaEnds + "N=3000#default port\n", "N=3000 #default port\n",
			`1:3 E-HASH a blank stands before the comment now|  docker compose gets 4 characters for N instead of 17 characters`},
		{"a comment or not", "P=secret#1 rotate monthly\n", "P=secret#1 rotate monthly\n", nothing},
		{"the same line with a comment", "P=\"x#y\" # first\nP=\"x#y\" # keep this\n", "P=\"x#y\" # first\n# P=\"x#y\" # keep this\n",
			`2:1 duplicate the line that did not count is a comment now`},
		{"a variable that only the schema has", `P='a$R'`, `P='a$R'`, nothing},
		{"what may be a secret", "S='a$P'\nP=1\n", "S='a$P'\nP=1\n", nothing},
		{"what may be a secret, braced", "P=1\nS=a${P}#b\n", "P=1\nS=\"a${P}#b\"\n",
			`2:3 E-HASH the value is written in double quotes, in which both expand it now|  Next.js gets 4 characters for S instead of 2 characters`},
		{"half references", "Q=u\nP='$Q$word'\n", "Q=u\nP='$Q$word'\n", nothing},
		{"adjacent", "Q=one\nR=two\nP=$Q$R\n", "Q=one\nR=two\nP=${Q}${R}\n", `3:3 E-ADJACENT the references have braces now|  Next.js gets 6 characters for P instead of nothing`},
		{"what refers to it", "Q=a#b\nP=x${Q}\n", "Q=\"a#b\"\nP=x${Q}\n",
			`1:3 E-HASH the value is written in double quotes now|  Next.js gets 3 characters for Q instead of 1 character|  Next.js gets another value of P too, which refers to it`},
		{"CRLF in quotes", "# c\r\nP=\"a\r\nb\"\r\nQ='x$y'\r\n", "# c\r\nP=\"a\nb\"\r\nQ=\"x\\$y\"\r\n", "2:3 E-CRLF the line ends in the quotes are LF now|  docker compose gets 3 characters for P instead of 4 characters|" +
			`4:3 E-DOLLAR the value is written in double quotes with \$ for each dollar sign now|  Next.js gets 3 characters for Q instead of 1 character`},
		{"a colon", "P:bar\n", "P=bar\n", `1:1 E-KEY the line is an assignment with = now|  Next.js gets P now`},
		{"the same line twice", "P=1\nQ=2\nP=1\n", "P=1\nQ=2\n", `3:1 duplicate the same line once more is gone`},
		{"another value", "P=1\nQ=2\nP=3\n", "# P=1\nQ=2\nP=3\n", `1:1 duplicate the line that did not count is a comment now`},
		{"three times", "P=1\nP=2\nP=1\n", "# P=1\n# P=2\nP=1\n", `1:1 duplicate the line that did not count is a comment now|2:1 duplicate the line that did not count is a comment now`},
		{"a duplicate that is used in between", "P=1\nQ=$P\nP=3\n", "P=1\nQ=$P\nP=3\n", nothing},
		{"byte order mark", "\ufeffP=1\n", "P=1\n", `1:1 E-BOM the byte order mark is gone`},
		{"no portable spelling", `P='a"b$c'`, `P='a"b$c'`, nothing},
		{"an open quote", "P=\"bar\nQ=x\n", "P=\"bar\nQ=x\n", nothing},
		{"itself", "P=${P}:/b\nQ='a$b'\n", "P=${P}:/b\nQ='a$b'\n", nothing},
		{"nothing to do", "P=1\n", "P=1\n", nothing},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			after, said := fix(t, tt.before)
			if after != tt.after {
				t.Errorf("got  %q\nwant %q", after, tt.after)
			}
			if got := strings.Join(said, "|"); got != tt.said && !strings.HasPrefix(got, tt.said) || tt.said == "" && got != "" {
				t.Errorf("said %s\nwant %s", got, tt.said)
			}
			if schema, _, ok := strings.Cut(tt.before, schemaEnds); ok {
				after = schema + schemaEnds + after
			}
			if again, said := fix(t, after); !strings.HasSuffix(after, again) {
				t.Errorf("a second run makes it %q: %q", again, said)
			}
		})
	}
}

// TestFixKeepsWhatIsSilenced: a rule with a reason not to be reported is none to repair.
func TestFixKeepsWhatIsSilenced(t *testing.T) {
	p := project{".env.schema": "# @defaultSensitive=false @defaultRequired=false\n# ---\n# opsctl: ignore=E-DOLLAR only compose reads it\nP=\n", ".env": `P='a$b'`}
	fixed, err := Fix(context.Background(), Options{ReadFile: p.read})
	if err != nil || len(fixed) > 0 {
		t.Errorf("repaired %v, %v", fixed, err)
	}
}

// TestFixAsksNobody: what the process has is another thing elsewhere, so that it decides nothing.
func TestFixAsksNobody(t *testing.T) {
	for _, text := range []string{`P='abc$HOME'`, `S='abc$HOME'`, `P=abc$HOME#x`} {
		var got []string
		for _, has := range []bool{false, true} {
			p := project{".env.schema": fixSchema, ".env": text}
			fixed, err := Fix(context.Background(), Options{ReadFile: p.read, InProcess: func(string) bool { return has }})
			if err != nil || len(fixed) != 1 {
				t.Fatalf("%q: %v, %v", text, fixed, err)
			}
			got = append(got, string(fixed[0].Text))
		}
		if got[0] != got[1] {
			t.Errorf("%q becomes %q or %q", text, got[0], got[1])
		}
	}
}

// TestFixFollowsAChain: each value refers to the one before and has a mistake of its own.
func TestFixFollowsAChain(t *testing.T) {
	text := "P0=a#b\n"
	for i := range 30 {
		text += fmt.Sprintf("P%d=${P%d}#x\n", i+1, i)
	}
	schema := "# @defaultSensitive=false @defaultRequired=false\n# ---\nA=\n"
	for range 2 {
		p := project{".env.schema": schema, ".env": text}
		fixed, err := Fix(context.Background(), Options{ReadFile: p.read})
		if err != nil {
			t.Fatal(err)
		}
		if len(fixed) == 0 {
			return
		}
		text = string(fixed[0].Text)
	}
	t.Errorf("the second run still repairs: %q", text)
}

// TestFixLaws repairs files made of the pieces that readers stumble over. What is
// repaired stays repaired, comments stay in their order, and each reader gets the
// values of before but for the keys that are said to change.
func TestFixLaws(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("OPSCTL_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("OPSCTL_SEED=%d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	repaired := 0
	for i := range 1500 {
		text := someFile(rng)
		p := project{".env.schema": fixSchema, ".env": text}
		fixed, err := Fix(context.Background(), Options{ReadFile: p.read})
		if err != nil {
			t.Fatalf("input %d %q: %v", i, text, err)
		}
		if len(fixed) == 0 {
			continue
		}
		repaired++
		after := string(fixed[0].Text)
		if again, said := fix(t, after); again != after {
			t.Errorf("input %d %q\nbecomes %q\nand then %q: %q", i, text, after, again, said)
		}
		if a, b := comments(text), comments(after); !subsequence(a, b) {
			t.Errorf("input %d %q\nbecomes %q\nwith other comments: %q, were %q", i, text, after, b, a)
		}
		said := fmt.Sprint(fixed[0].Repairs)
		invents(t, text, after)
		for _, r := range []Reader{Next, Compose} {
			was, wasErr := Read(r, "", []byte(text), nil)
			is, isErr := Read(r, "", []byte(after), nil)
			if wasErr == nil && isErr != nil {
				t.Errorf("input %d %q\nbecomes %q\nwhich %s refuses", i, text, after, r)
			}
			for _, key := range keysOf(was, is) {
				a, had := was.Vars[key]
				b, has := is.Vars[key]
				if (a != b || had != has) && !strings.Contains(said, readerNames[r]+" gets") {
					t.Errorf("input %d %q\nbecomes %q\n%s reads %s as %q, was %q, and nothing says so: %s", i, text, after, r, key, b, a, said)
				}
			}
		}
	}
	if repaired < 400 {
		t.Errorf("only %d files of 1500 had something to repair", repaired)
	}
}

// invents fails when a value is neither what one of the readers got before nor what
// stood between the quotes, and does not follow from another that changed.
func invents(t *testing.T, text, after string) {
	t.Helper()
	next, _ := Read(Next, "", []byte(text), nil)
	compose, _ := Read(Compose, "", []byte(text), nil)
	is, err := Read(Next, "", []byte(after), nil)
	if err != nil || !sameLines(next, compose) {
		return // with an open quote one repair changes what the next one finds
	}
	for key, e := range is.Last() {
		known := []string{next.Vars[key], compose.Vars[key]}
		for _, f := range []*File{next, compose} {
			if was := f.Last()[key]; was != nil {
				known = append(known, inside(was))
			}
		}
		if !slices.Contains(known, e.Value) && len(refersTo(e.Raw, func(string) bool { return true }, "")) == 0 {
			t.Errorf("%q\nbecomes %q\nwith a value of %s that nobody read: %q, known were %q", text, after, key, e.Value, known)
		}
	}
}

// sameLines reports whether two readers find the same keys on the same lines, each once.
func sameLines(a, b *File) bool {
	return len(a.Entries) == len(a.Last()) && slices.EqualFunc(a.Entries, b.Entries, func(x, y Entry) bool { return x.Key == y.Key && x.Pos.Line == y.Pos.Line })
}

// someFile is a .env file with mistakes.
func someFile(rng *rand.Rand) string {
	values := []string{
		"x", "'a$b'", `"a$b"`, "$2b$10$x", "a#b", "a #b", " # c", "a\t# c", "`a b`", "`a\nb`", "`a$b`", "`pw #x`", "`${Q}/x`", "`x`# keep 7", "'it\\'s $5'", `"say \"hi\""`, `'it\'s'`, `"C:\\x"`, `"a\tb"`, "${P}", "${Q:-d}", "$P$Q", "${R:+x}",
		"'${Q}/x'", `pa\$x`, "a$$b", `"a`, "'b", `"x` + "\r\n" + `y"`, "", "''", `"p#${Q}"`, "p#${Q}", `a"b$c`, `'a$$b'`, `"a$$b"`, `\$\$ =)`, `'$/ #\$$?'`, `a\$b#c`, "é$é", "${P", "x y 'z'",
	}
	lines := []string{"# comment", "", "#P=1", "junk", "P", "P:1", "é=1", "  # indented"}
	ends := []string{"\n", "\n", "\n", "\r\n"}
	var b strings.Builder
	if rng.IntN(20) == 0 {
		b.WriteString(bom)
	}
	end := ends[rng.IntN(len(ends))]
	for range 1 + rng.IntN(6) {
		if rng.IntN(5) == 0 {
			b.WriteString(lines[rng.IntN(len(lines))])
		} else {
			b.WriteString([]string{"", "export "}[rng.IntN(2)] + []string{"P", "Q", "R"}[rng.IntN(3)] + "=" + values[rng.IntN(len(values))])
			if rng.IntN(6) == 0 {
				fmt.Fprintf(&b, " # keep %d", rng.IntN(1000))
			}
		}
		b.WriteString(end)
	}
	return b.String()
}

func keysOf(files ...*File) []string {
	var keys []string
	for _, f := range files {
		for key := range f.Vars {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// comments are the lines that are comments as a whole, and what is marked as one
// behind a value.
func comments(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		_, marked, ok := strings.Cut(line, "# keep")
		switch {
		case ok:
			out = append(out, marked)
		case strings.HasPrefix(line, "#"):
			out = append(out, line)
		}
	}
	return out
}

// subsequence reports whether all of a is in b, in order.
func subsequence(a, b []string) bool {
	for _, s := range b {
		if len(a) > 0 && a[0] == s {
			a = a[1:]
		}
	}
	return len(a) == 0
}
