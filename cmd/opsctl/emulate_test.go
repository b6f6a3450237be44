package main

import (
	"reflect"
	"strings"
	"testing"
)

func TestSplitWords(t *testing.T) {
	tests := []struct {
		in   string
		want []string
		bad  bool
	}{
		{"", nil, false},
		{"  node   server.js ", []string{"node", "server.js"}, false},
		{`sh -c 'echo "a b" && exit 1'`, []string{"sh", "-c", `echo "a b" && exit 1`}, false},
		{`a "b 'c' d" e\ f`, []string{"a", "b 'c' d", "e f"}, false},
		{`a ""`, []string{"a", ""}, false},
		{`x'y'"z"`, []string{"xyz"}, false},
		{`'\n'`, []string{`\n`}, false},
		{`a 'b`, nil, true},
		{`a \`, nil, true},
	}
	for _, tt := range tests {
		got, err := splitWords(tt.in)
		if (err != nil) != tt.bad || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("splitWords(%q) = %q, %v; want %q, error %v", tt.in, got, err, tt.want, tt.bad)
		}
	}
}

// Words that are quoted come back as they were.
func FuzzSplitWords(f *testing.F) {
	f.Add("a b", `c"d`)
	f.Add(`\`, "")
	f.Fuzz(func(t *testing.T, a, b string) {
		if strings.ContainsRune(a+b, '\uFFFD') || strings.ToValidUTF8(a+b, "") != a+b {
			t.Skip()
		}
		quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'"'"'`) + "'" }
		got, err := splitWords(quote(a) + " " + quote(b))
		if err != nil || !reflect.DeepEqual(got, []string{a, b}) {
			t.Errorf("%q %q came back as %q, %v", a, b, got, err)
		}
	})
}
