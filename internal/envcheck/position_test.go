package envcheck

import (
	"fmt"
	"strings"
	"testing"
)

// TestPositions gives key@line:col and value@line:col of each entry; columns count characters.
func TestPositions(t *testing.T) {
	tests := []struct{ text, next, compose string }{
		{"A=1\nB = 2\n", "A@1:1 1:3, B@2:1 2:5", "A@1:1 1:3, B@2:1 2:5"},
		{"\ufeffA=1\n", "A@1:1 1:3", "A@1:1 1:3"},
		{"# é\n  export A='x\ny'\nB=\n", "A@2:10 2:12, B@4:1 4:3", "A@2:10 2:12, B@4:1 4:3"},
		{"A=1\r\nB=\"x\r\ny\"\r\nC=3\r\n", "A@1:1 1:3, B@2:1 2:3, C@4:1 4:3", "A@1:1 1:3, B@2:1 2:3, C@4:1 4:3"},
		{"A=é B=1\n", "A@1:1 1:3", "A@1:1 1:3"},
		{`A="é" B="x"`, "A@1:1 1:3", "A@1:1 1:3, B@1:7 1:9"},
		{"A\nB=1\n", "B@2:1 2:3", "A@1:1 1:2, B@2:1 2:3"},
		{"A=1\rB=2", "A@1:1 1:3, B@1:5 1:7", "A@1:1 1:3"},
	}
	for _, tt := range tests {
		for reader, want := range map[Reader]string{Next: tt.next, Compose: tt.compose} {
			f, err := Read(reader, "f", []byte(tt.text), nil)
			if err != nil {
				t.Errorf("%q: %v", tt.text, err)
				continue
			}
			var got []string
			for _, e := range f.Entries {
				got = append(got, fmt.Sprintf("%s@%d:%d %d:%d", e.Key, e.Pos.Line, e.Pos.Col, e.ValuePos.Line, e.ValuePos.Col))
			}
			if s := strings.Join(got, ", "); s != want {
				t.Errorf("%s %q\n got %s\nwant %s", reader, tt.text, s, want)
			}
		}
	}
}
