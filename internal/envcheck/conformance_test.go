package envcheck

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"testing"
)

// sharedFile is a file of the shared reference folder; the test is skipped without it.
func sharedFile(tb testing.TB, path string) []byte {
	tb.Helper()
	dir := os.Getenv("OPSCTL_REFERENCE")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	data, err := os.ReadFile(filepath.Join(dir, path))
	if err != nil {
		tb.Skipf("no reference folder (set OPSCTL_REFERENCE): %v", err)
	}
	return data
}

// recorded is what a real reader made of an input.
type recorded struct {
	Vars  map[string]string `json:"vars"`
	Error string            `json:"error"`
}

// TestReadersAgreeWithTheRealOnes runs every recorded case. No case is excepted.
func TestReadersAgreeWithTheRealOnes(t *testing.T) {
	var cases []struct {
		Name    string   `json:"name"`
		Input   string   `json:"input"`
		Next    recorded `json:"next_env"`
		Compose recorded `json:"compose_go"`
		Dotenv  recorded `json:"dotenv_js"`
	}
	if err := json.Unmarshal(sharedFile(t, "fixtures/dotenv-cases.json"), &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 70 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, c := range cases {
		for reader, want := range map[Reader]recorded{Next: c.Next, Compose: c.Compose, Dotenv: c.Dotenv} {
			t.Run(string(reader)+"/"+c.Name, func(t *testing.T) {
				f, err := Read(reader, ".env", []byte(c.Input), nil)
				if want.Error != "" {
					if _, ok := errors.AsType[*ReadError](err); !ok {
						t.Fatalf("Read(%q) = %v, want an error like %q", c.Input, f.Vars, want.Error)
					}
					return
				}
				if err != nil {
					t.Fatalf("Read(%q): %v", c.Input, err)
				}
				if !maps.Equal(f.Vars, want.Vars) {
					t.Errorf("Read(%q)\n got %q\nwant %q", c.Input, f.Vars, want.Vars)
				}
			})
		}
	}
}
