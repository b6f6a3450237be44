package envcheck

import (
	"sort"
	"strings"
	"testing"
)

func sortStrings(s []string) { sort.Strings(s) }

// TestReaderDifferences has one line for each way in which Next.js and compose
// part, with the spelling that is offered. The keys are not sensitive.
func TestReaderDifferences(t *testing.T) {
	tests := []struct{ name, file, rule, fix string }{
		{"single quotes do not protect", `P='pa$word'`, "E-DOLLAR", `write P="pa\$word"`},
		{"bcrypt", `P='$2b$10$abcdefghij'`, "E-DOLLAR", `write P="\$2b\$10\$abcdefghij"`},
		{"bcrypt unquoted", `P=$2b$10$abcdefghij`, "E-DOLLAR", `write P="\$2b\$10\$abcdefghij"`},
		{"backslash", `P=pa\$word`, "E-DOLLAR-ESC", `write P="pa\$word"`},
		{"doubled", `P=pa$$word`, "E-DOLLAR-ESC", `write P="pa\$word"`},
		{"url with a hash", `P=postgresql://u:p#a$1s@h/db`, "E-HASH", `write P="postgresql://u:p#a\$1s@h/db"`},
		{"fragment", `P=https://example.com/#/route`, "E-HASH", `write P="https://example.com/#/route"`},
		{"comment as value", `P= # required in production`, "E-EMPTY-COMMENT", "line of its own"},
		{"comment after a tab", "P=bar\t# comment", "E-HASH-TAB", "blank before #"},
		{"backticks", "P=`bar baz`", "E-BACKTICK", "write P=bar baz"},
		{"escaped quotes", `P="say \"hi\""`, "E-ESCAPE", `write P=say "hi"`},
		{"windows path", `P="C:\\Users"`, "E-ESCAPE", `write P=C:\Users`},
		{"escaped apostrophe", `P='it\'s'`, "E-ESCAPE", `write P=it's`},
		{"default", "Q=db\nP=\"postgres://${Q:-localhost}/app\"", "E-DEFAULT", "without a default"},
		{"operator", "Q=one\nP=${Q:+alt}", "E-OPERATOR", "${NAME} alone"},
		{"adjacent", "Q=one\nR=two\nP=$Q$R", "E-ADJACENT", "${A}${B}"},
		{"forward", "P=${Q}\nQ=one", "E-FORWARD", "below that of Q"},
		{"self", "P=/a\nP=${P}:/b", "E-SELF", "reference to itself"},
		{"unterminated", "P=\"bar\nQ=x", "E-SYNTAX", "close the quote"},
		{"junk", "P=bar\nthis is not an assignment", "E-SYNTAX", "start a comment"},
		{"yaml", "P:bar", "E-KEY", "write KEY=value"},
		{"no =", "P\nQ=x", "E-BARE", "write KEY=value"},
		{"crlf in quotes", "P=\"a\r\nb\"\r\n", "E-CRLF", "LF line ends"},
		{"no portable spelling", `P='a"b$c'`, "E-DOLLAR", "no spelling is read alike"},
		{"follows from another line", "Q='pa$x'\nP=${Q}", "E-DOLLAR", `write Q="pa\$x"`},
	}
	schema := "# @defaultSensitive=false @defaultRequired=false\n# ---\nP=\nQ=\nR=\n"
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, text := project{".env.schema": schema, ".env": tt.file + "\n"}.check(t, Options{})
			var hits []Finding
			for _, f := range r.Findings {
				if strings.HasPrefix(f.Rule, "E-") {
					hits = append(hits, f)
				}
			}
			if len(hits) != 1 || hits[0].Rule != tt.rule || !strings.Contains(hits[0].Fix, tt.fix) {
				t.Errorf("want one %s with fix %q, got:\n%s", tt.rule, tt.fix, text)
			}
		})
	}
}

// TestTheFixReadsAlike takes each offered spelling and checks the file again.
func TestTheFixReadsAlike(t *testing.T) {
	for _, v := range []string{"a#b", "a b ", "it's", `say "hi"`, `C:\new`, "pa$word", "$2b$10$x", "a\nb", "#", "", "p#a$1s'x", "\u00a0x"} {
		s, ok := Portable(v)
		if !ok {
			t.Errorf("Portable(%q) found nothing", v)
			continue
		}
		_, text := project{".env.schema": "# @defaultSensitive=false\n# ---\nP=\n", ".env": "P=" + s + "\n"}.check(t, Options{})
		if strings.Contains(text, "E-") {
			t.Errorf("Portable(%q) = %s, which is still read differently:\n%s", v, s, text)
		}
	}
	for _, v := range []string{`a"b$c`, `a\$b`, "a\x00b"} {
		if s, ok := Portable(v); ok {
			t.Errorf("Portable(%q) = %s, want none", v, s)
		}
	}
}
