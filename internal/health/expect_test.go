package health

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/opsctl/opsctl/internal/errs"
)

func TestParseStatuses(t *testing.T) {
	tests := []struct {
		in   string
		want []StatusRange // nil: an error
	}{
		{"200", []StatusRange{{200, 200}}},
		{"200-299", []StatusRange{{200, 299}}},
		{"2xx", []StatusRange{{200, 299}}},
		{"204, 3XX,401-403", []StatusRange{{204, 204}, {300, 399}, {401, 403}}},
		{"", nil}, {"200,", nil}, {"99", nil}, {"600", nil}, {"299-200", nil}, {"0xx", nil}, {"6xx", nil}, {"xx", nil}, {"ok", nil}, {"200-", nil},
	}
	for _, tt := range tests {
		got, err := ParseStatuses(tt.in)
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("ParseStatuses(%q) = %v, %v", tt.in, got, err)
		}
		if tt.want == nil && (errs.CodeOf(err) != errs.Usage || errs.HintOf(err) == "") {
			t.Errorf("ParseStatuses(%q): err = %v, want a usage error with a hint", tt.in, err)
		}
	}
}

func TestParseJSONAssert(t *testing.T) {
	tests := []struct{ in, path, value string }{
		{"status=pass", "status", "pass"},
		{"$.a.b[0] = 1", "$.a.b[0]", "1"},
		{"a=b=c", "a", "b=c"},
		{"a=", "a", ""},
		{`['x=y']=1`, `['x=y']`, "1"},
		{"status", "", ""},
		{"a..b=1", "", ""},
		{"=1", "", ""},
	}
	for _, tt := range tests {
		got, err := ParseJSONAssert(tt.in)
		if tt.path == "" {
			if errs.CodeOf(err) != errs.Usage {
				t.Errorf("%q: err = %v, want a usage error", tt.in, err)
			}
			continue
		}
		if err != nil || got.Path != tt.path || got.Value != tt.value {
			t.Errorf("%q = %+v, %v", tt.in, got, err)
		}
	}
}

func TestPathLookup(t *testing.T) {
	doc, err := decodeJSON([]byte(`{"status":"pass","a":{"b":[{"c":12.50},{"c":null}]},"checks":{"db:responseTime":[{"status":"up"}]},
		"x.y":1,"":{"z":true},"$n":"d","big":12345678901234567890,"list":[[1,2],[3]],"obj":{"k":[1]}}`))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ path, value, err string }{
		{"status", "pass", ""},
		{"$.status", "pass", ""},
		{"a.b[0].c", "12.5", ""},
		{"a.b[1].c", "null", ""},
		{"checks.db:responseTime[0].status", "up", ""},
		{"['x.y']", "1", ""},
		{`$["x.y"]`, "1", ""},
		{"$[''].z", "true", ""},
		{"$n", "d", ""},
		{"big", "12345678901234567890", ""},
		{"list[0][1]", "2", ""},
		{"obj", `{"k":[1]}`, ""},
		{"status", `"pass"`, ""},
		{"a.x", "", `$.a has no member "x"`},
		{"a.b[2]", "", "$.a.b has only 2 elements"},
		{"a.b.c", "", "$.a.b is not an object"},
		{"a[0]", "", "$.a is not an array"},
		{"status.x", "", "$.status is not an object"},
	}
	for _, tt := range tests {
		p, err := ParsePath(tt.path)
		if err != nil {
			t.Errorf("ParsePath(%q): %v", tt.path, err)
			continue
		}
		got, err := p.Lookup(doc)
		if tt.err != "" {
			if err == nil || err.Error() != tt.err {
				t.Errorf("%q: err = %v, want %q", tt.path, err, tt.err)
			}
			continue
		}
		if err != nil || !equalJSON(got, tt.value) || equalJSON(got, tt.value+"x") {
			t.Errorf("%q = %v (%v), want %q and nothing else", tt.path, got, err, tt.value)
		}
	}
}

func TestParsePathRefuses(t *testing.T) {
	for _, s := range []string{"", ".", "a.", "a..b", "a[", "a[]", "a[-1]", "a[+1]", "a[x]", "a['x]", "a]b", "a[0]b", "$.", "$..a"} {
		if p, err := ParsePath(s); errs.CodeOf(err) != errs.Usage {
			t.Errorf("ParsePath(%q) = %v, %v, want a usage error", s, p, err)
		}
	}
}

// A path that parses can be printed and read back as the same path, and
// looking it up never panics.
func FuzzParsePath(f *testing.F) {
	for _, s := range []string{"a.b[0].c", "$", "$['x.y'].z", `["a'b"][12]`, "$$", "['\"]x']"} {
		f.Add(s, `{"a":{"b":[{"c":1}]}}`)
	}
	f.Fuzz(func(t *testing.T, s, doc string) {
		p, err := ParsePath(s)
		if err != nil {
			return
		}
		again, err := ParsePath(p.String())
		if err != nil || len(again) != len(p) || len(p) > 0 && !reflect.DeepEqual(again, p) {
			t.Fatalf("%q is %v, printed %q, read back as %v (%v)", s, p, p.String(), again, err)
		}
		var v any
		if json.Unmarshal([]byte(doc), &v) == nil {
			if _, err := p.Lookup(v); err != nil && strings.Contains(err.Error(), "%!") {
				t.Errorf("badly formatted error: %v", err)
			}
		}
	})
}

func TestSameRelease(t *testing.T) {
	const sha = "0123456789abcdef0123456789abcdef01234567"
	tests := []struct {
		got, want string
		same      bool
	}{
		{"1.2.3", "1.2.3", true},
		{sha, sha[:7], true},
		{sha[:8], sha, true},
		{strings.ToUpper(sha), sha, true},
		{sha, sha[:6], false},
		{"1.2.30", "1.2.3", false},
		{"release-1", "release-12", false},
		{"", "", false},
	}
	for _, tt := range tests {
		if got := sameRelease(tt.got, tt.want); got != tt.same {
			t.Errorf("sameRelease(%q, %q) = %v", tt.got, tt.want, got)
		}
	}
}
