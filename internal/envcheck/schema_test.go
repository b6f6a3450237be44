package envcheck

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestHeaderRules: the header may silence a rule for the whole schema, with a reason, and nothing else.
func TestHeaderRules(t *testing.T) {
	s, fs := ParseSchema("s", []byte(`# opsctl: ignore=tls the network is private, ignore=file
# opsctl: pooled
# opsctl: ignore=nosuch reason

# opsctl: ignore=group not a pair
A=

# opsctl: ignore=tls too late

# opsctl: ignore=tls
B=
`))
	var got []string
	for _, f := range fs {
		got = append(got, fmt.Sprintf("%d:%d %s %s %s: %s", f.Line, f.Col, f.Level, f.Rule, f.Key, f.Message))
	}
	want := []string{
		"1:46 warning schema-rule : ignore without a reason silences nothing",
		"2:11 error schema-placement : the opsctl rule pooled is attached to no item",
		"3:11 error schema-rule : ignore names an unknown rule nosuch",
		"8:11 error schema-placement : the opsctl rule ignore is attached to no item",
		"10:11 warning schema-rule : ignore without a reason silences nothing",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(s.Rules) != 2 || s.Rules[0].Value != "tls" || s.Rules[0].Reason != "the network is private" || s.Rules[0].Pos != (Pos{1, 11}) {
		t.Errorf("rules of the header: %+v", s.Rules)
	}
	if r, ok := s.Item("A").Rule("ignore"); !ok || r.Reason != "not a pair" {
		t.Errorf("rules of A: %+v", s.Item("A").Rules)
	}
}

func TestSeedSchemaParsesWithoutFinding(t *testing.T) {
	s, fs := ParseSchema(".env.schema", sharedFile(t, "fixtures/seed.env.schema"))
	for _, f := range fs {
		t.Errorf("finding: %+v", f)
	}
	if len(s.Items) != 10 {
		t.Errorf("%d items, want 10", len(s.Items))
	}
	out, err := RenderExample(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", out)
}

// TestSchemaFindings: each mistake is reported where it stands.
func TestSchemaFindings(t *testing.T) {
	tests := []struct{ schema, want string }{
		{"A=1 x\nB=\"x\" y\n", "2:7 error schema-syntax B text after the value"},
		{"A= \"x\"\n", "1:4 error schema-syntax A a quoted value must follow = at once"},
		{"# é\nA='x\n", "2:3 error schema-syntax A the quote is never closed"},
		{"A=\"\"\"x\"\"\"\n", "1:5 error schema-syntax A text after the value"},
		{"A=[a] b\n", "1:7 error schema-syntax A text after the value"},
		{"A=1 # ---\n", "1:5 error schema-syntax A a divider cannot follow a value"},
		{"A=concat(a b)\n", "1:12 warning schema-syntax A read as plain text, because of this: expected , or )"},
		{"A= concat(a, b)\n", "1:4 warning schema-syntax A read as plain text, because of this: a call must follow = at once"},
		{"export\tA=1\n", "1:1 error schema-syntax  expected KEY="},
		{"A: b\n", "1:1 error schema-syntax  KEY: value is not a schema line"},
		{"# @type=string(minLength=1\nA=\n", "1:9 warning schema-syntax  read as plain text, because of this: not closed: ) is missing|1:9 error schema-type A unknown type string(minLength=1"},
		{"# @type=string(matches=/^a(b|c)$/)\nA=\n", "1:32 error schema-syntax  expected a blank after @type"},
		{"# @type=string(minLenght=1)\nA=\n", "1:16 error schema-option A the type string has no option minLenght"},
		{"# @type=string(minLength=a)\nA=\n", "1:26 error schema-option A the option minLength of string is a number"},
		{"# @type=array(number, minLength=x)\nA=\n", "1:33 error schema-type A the option minLength of array is a number"},
		{"# @type=array(nope)\nA=\n", "1:15 error schema-type A unknown type nope"},
		{"# @type=enum\nA=\n", "1:9 error schema-type A enum needs at least one value"},
		{"# @type=string(matches=regex(\"(\"))\nA=\n", "1:31 error schema-pattern A this is no regular expression: a ( has no )"},
		{"# @type=string(matches=regex(\"^(?=a)\"))\nA=\n", "1:31 warning schema-pattern A this pattern is not checkable here: opsctl's regular expressions have no look-around"},
		{"# @type=string(matches=regex('(a)\\1'))\nA=\n", "1:31 warning schema-pattern A this pattern is not checkable here: opsctl's regular expressions have no back-references"},
		{"# @type=string(matches=regex(\"/a/\"))\nA=\n", "1:31 error schema-pattern A regex() takes the pattern itself"},
		{"# @type=if(true, url, string)\nA=\n", "1:9 error schema-plugin A a type that depends on if()"},
		{"# @required @optional\nA=\n", "1:13 error schema-conflict A @required and @optional exclude each other"},
		{"# @required @required\nA=\n", "1:13 error schema-duplicate A @required is given twice"},
		{"# @required=yes\nA=\n", "1:13 error schema-decorator A @required is true or false"},
		{"# @required=if(true, yes)\nA=\n", "1:13 error schema-function A @required is true or false"},
		{"# @required=eq($B, 1)\nA=\n", "1:16 error schema-reference A $B is no item of this file"},
		{"# @required=forEnv(test)\nA=\n", "1:13 error schema-function A forEnv() needs @currentEnv in the header"},
		{"# @required=false\t@public\nA=\n", "1:13 error schema-decorator A @required is true or false|1:18 warning schema-syntax  read as plain text, because of this: a tab does not end the value of @required"},
		{"# @example=\"pa$word\"\nA=\n", "1:15 error schema-reference A $word is no item of this file"},
		{"# @tag(a, -b)\nA=\n", "1:11 error schema-decorator A a tag begins with a letter or digit"},
		{"# @docs=x\nA=\n", "1:3 error schema-decorator A @docs takes arguments, not a value"},
		{"# @requird\nA=\n", "1:3 error schema-decorator A unknown decorator @requird"},
		{"# @sensitive @type=port\nA=\n", "1:3 error schema-conflict A a port cannot be sensitive"},
		{"# @sensitive={nope=1}\nA=abc\n", "1:15 error schema-decorator A @sensitive has no option nope"},
		{"# @todo write it\nA=\n", "1:3 warning schema-note A @todo is read as a decorator without effect"},
		{"A=1\n# @required\n\nB=\n", "2:3 error schema-placement  @required is attached to no item"},
		{"# @defaultRequired=maybe\n# ---\nA=\n", "1:20 error schema-decorator  @defaultRequired is one of true, false, infer"},
		{"# @currentEnv=$B\n# ---\nA=\n", "1:15 error schema-reference  @currentEnv names B"},
		{"# @plugin(x)\n# ---\nA=\n", "1:3 error schema-plugin  @plugin needs varlock's run time or a plugin"},
		{"# @initOp(token=$A)\n# ---\nA=\n", "1:3 error schema-plugin  @initOp needs varlock's run time or a plugin"},
		{"# @import(npm:x)\n# ---\nA=\n", "1:11 error schema-import  only a local file can be imported"},
		{"# @import(./.env.x, pick=A)\n# ---\nA=\n", "1:26 error schema-import  pick is a list of keys"},
		{"A=op(x)\n", "1:3 error schema-plugin A op() needs a plugin"},
		{"A=\"x $(date)\"\n", "1:6 error schema-command A exec() and $(...) run a command"},
		{"A=randomUuid()\n", "1:3 info schema-dynamic A randomUuid() is made by varlock at run time"},
		{"A=concat(a, nope(b))\n", "1:13 error schema-function A unknown function nope()"},
		{"A=eq(a)\n", "1:3 error schema-function A eq() has 1 arguments"},
		{"A=$B\nB=$A\n", "2:3 error schema-cycle B B refers to itself through $A"},
		{"A=fallback($B, x)\n", "1:12 error schema-reference A $B is no item of this file"},
		{"A=\"x-${B:-y}\"\n", "1:6 error schema-reference A $B is no item of this file"},
		{"A=if(true, regex(\"a\"))\n", "1:12 error schema-function A a pattern is no value"},
		{"A=1\nA=2\n", "2:1 error schema-duplicate A defined twice; the first is on line 1"},
	}
	for _, tt := range tests {
		_, fs := ParseSchema("s", []byte(tt.schema))
		var got []string
		for _, f := range fs {
			got = append(got, fmt.Sprintf("%d:%d %s %s %s %s", f.Line, f.Col, f.Level, f.Rule, f.Key, f.Message))
		}
		want := strings.Split(tt.want, "|")
		ok := len(got) == len(want)
		for i := range want {
			ok = ok && strings.HasPrefix(got[i], want[i])
		}
		if !ok {
			t.Errorf("%q\n got %s\nwant %s", tt.schema, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
		}
	}
}

// TestSchemaInBoundedTime: what is never closed is tried once at each place, not
// once for each of the ways in which what stands before it can be read.
func TestSchemaInBoundedTime(t *testing.T) {
	for _, text := range []string{
		"A=[" + strings.Repeat("[x,", 45) + "\n", "A=" + strings.Repeat("f(x,", 45) + "\n", "# @type=" + strings.Repeat("f(a=[x,", 20) + "\nA=\n",
		"# @a=" + strings.Repeat("{a=[", 20) + strings.Repeat("x,[", 2000) + "\nA=\n", "A=\"" + strings.Repeat("${A:-", 5000) + "\"\n",
		"A=" + strings.Repeat("$(", 500000) + "\n", "A=" + strings.Repeat("${A:-$B", 50000) + "\n",
		strings.Repeat("# @todo\nA=\n", 2000) + "B=$C\n", "A=" + strings.Repeat("[", 10000) + "\n",
		"# @type=string(matches=regex('" + strings.Repeat("(?:", 5000) + "'))\nA=\n", "# @type=string(matches=regex('" + strings.Repeat("[a-b", 5000) + "'))\nA=\n",
	} {
		start := time.Now()
		_, fs := ParseSchema("s", []byte(text))
		if len(fs) > maxSchemaFindings+1 {
			t.Errorf("%.60s... has %d findings", text, len(fs))
		}
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("%.60s... took %s", text, d)
		}
	}
}

// TestSchemaFindingsAreBounded: a thousand are enough, but an error is never among those left out.
func TestSchemaFindingsAreBounded(t *testing.T) {
	var b strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&b, "# @todo\nA%d=\n", i)
	}
	_, fs := ParseSchema("s", []byte(b.String()+"B=$C\nD=$E\n"))
	if len(fs) != maxSchemaFindings+1 || fs[maxSchemaFindings].Message != "$C is no item of this file" {
		t.Errorf("%d findings, the last %+v", len(fs), fs[len(fs)-1])
	}
}

func TestGlobMatch(t *testing.T) {
	tests := []struct {
		pattern, name string
		want          bool
	}{
		{"A", "A", true}, {"A", "AB", false}, {"A*", "A", true}, {"*_URL", "DATABASE_URL", true}, {"*_URL", "URL", false}, {"?B", "AB", true}, {"?B", "B", false},
		{"A*B*C", "AxxBxBC", true}, {"A*B*C", "AxxBxB", false}, {"*", "", true}, {"", "", true}, {"", "A", false}, {"**A", "A", true},
	}
	for _, tt := range tests {
		if got := globMatch(tt.pattern, tt.name); got != tt.want {
			t.Errorf("globMatch(%q, %q) = %v", tt.pattern, tt.name, got)
		}
	}
	if globMatch(strings.Repeat("*A", 1000)+"B", strings.Repeat("A", 10_000)) { // seconds, were it to try each way
		t.Error("matched")
	}
}

// TestExampleHasWhatIsImported: a key that another file defines is asked for too.
func TestExampleHasWhatIsImported(t *testing.T) {
	p := project{".env.schema": "# @import(./shared/.env.schema, pick=[SHARED])\n# ---\n\nOWN=\n", "shared/.env.schema": "# For all apps.\nSHARED=\nOTHER=\n"}
	s, findings, err := LoadSchema("", ".env.schema", "", p.read)
	if err != nil || len(findings) > 0 {
		t.Fatal(findings, err)
	}
	out, err := RenderExample(s)
	if err != nil || !strings.HasSuffix(string(out), "OWN=\n\n# --- from shared/.env.schema ---\n\n# For all apps.\n# required; secret\nSHARED=\n") || strings.Contains(string(out), "OTHER") {
		t.Errorf("%v\n%s", err, out)
	}
}
