package envcheck

import (
	"fmt"
	"slices"
	"strings"
	"testing"
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
