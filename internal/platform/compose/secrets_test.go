package compose

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
)

// Whatever the values, what is read back is what was set.
func TestSecretsFile(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	pieces := []string{"\n", "\r\n", "#at 7\n", "NAME=\"x\"\n", `"`, `\`, `\n`, "$HOME", "'", " ", "\t", "=", "#salt x", "<&>", "\u2028", "漢", "🙂", "a"}
	s := secrets{values: map[string]secret{}}
	want := map[string]string{}
	for n := range 200 {
		changes := map[string]*string{}
		for range 1 + random.IntN(3) {
			name := fmt.Sprintf("N%d", random.IntN(10))
			if changes[name] = nil; random.IntN(4) > 0 {
				var b strings.Builder
				for range random.IntN(6) {
					b.WriteString(pieces[random.IntN(len(pieces))])
				}
				value := b.String()
				changes[name] = &value
			}
		}
		before := s.change
		s.edit(changes)
		for name, value := range changes {
			if delete(want, name); value != nil {
				want[name] = *value
			}
		}
		back, err := parseSecrets(s.String())
		if err != nil {
			t.Fatalf("seed %d, step %d: %v\n%s", seed, n, err, s)
		}
		if back.String() != s.String() || len(back.values) != len(want) || s.change > before+1 {
			t.Fatalf("seed %d, step %d:\n%s\nbecame\n%s", seed, n, s, back)
		}
		for name, value := range want {
			if back.values[name].value != value {
				t.Fatalf("seed %d, step %d: %s is %q, want %q", seed, n, name, back.values[name].value, value)
			}
		}
		s = back
	}
	if _, err := parseSecrets("A=plain-canary\n"); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("a damaged file: %v", err)
	}
}

func TestSecretsDigests(t *testing.T) {
	one, two := "one", "two"
	s := secrets{values: map[string]secret{}}
	s.edit(map[string]*string{"A": &one, "B": &one})
	first := s.digest("A")
	if first == s.digest("B") {
		t.Error("equal values of two names have one digest")
	}
	s.edit(map[string]*string{"A": &one})
	if s.digest("A") != first || s.change != 1 {
		t.Error("setting the same value is a change")
	}
	s.edit(map[string]*string{"A": &two})
	if s.digest("A") == first || s.values["A"].change != 2 || s.values["B"].change != 1 {
		t.Errorf("%+v", s)
	}
}

func TestVariablesArePassedOutsideTheArguments(t *testing.T) {
	v, err := passVariables(map[string]string{"KEY": "canary\nsecond", "PATH": "/canary"})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(v.file)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(v.file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if !slices.Equal(v.args, []string{"--env", "KEY", "--env-file", v.file}) || !slices.Equal(v.env, []string{"KEY=canary\nsecond"}) || string(raw) != "PATH=/canary\n" {
		t.Errorf("%q %q %q", v.args, v.env, raw)
	}
	v.discard()
	if _, err := os.Stat(v.file); err == nil {
		t.Error("the file stays")
	}
	for name, value := range map[string]string{"HOME": "canary\n", "docker_host": "canary\r", "A-B": "canary", "NUL": "canary\x00", "BYTES": "canary\xff", "LONG": "canary" + strings.Repeat("x", maxValue)} {
		if _, err := passVariables(map[string]string{name: value}); errs.CodeOf(err) != errs.Usage || strings.Contains(err.Error(), "canary") || errs.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
