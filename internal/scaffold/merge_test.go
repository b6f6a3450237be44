package scaffold

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestMerge(t *testing.T) {
	const base = "a\nb\nc\nd\ne\nf\n"
	tests := []struct {
		name, user, ours string
		want             string // "" for a conflict
	}{
		{"nobody changed it", base, base, base},
		{"only the user", "a\nB\nc\nd\ne\nf\n", base, "a\nB\nc\nd\ne\nf\n"},
		{"only init", base, "a\nb\nc\nd\nE\nf\n", "a\nb\nc\nd\nE\nf\n"},
		{"apart", "a\nB\nc\nd\ne\nf\n", "a\nb\nc\nd\nE\nf\n", "a\nB\nc\nd\nE\nf\n"},
		{"the same change", "a\nX\nc\nd\ne\nf\n", "a\nX\nc\nd\ne\nf\n", "a\nX\nc\nd\ne\nf\n"},
		{"the same line", "a\nX\nc\nd\ne\nf\n", "a\nY\nc\nd\ne\nf\n", ""},
		{"lines that touch", "a\nX\nc\nd\ne\nf\n", "a\nb\nY\nd\ne\nf\n", ""},
		{"two insertions at one place", "a\nX\nb\nc\nd\ne\nf\n", "a\nY\nb\nc\nd\ne\nf\n", ""},
		{"an insertion at each end", "X\na\nb\nc\nd\ne\nf\n", "a\nb\nc\nd\ne\nf\nY\n", "X\na\nb\nc\nd\ne\nf\nY\n"},
		{"the user took lines away elsewhere", "a\nb\nc\nf\n", "A\nb\nc\nd\ne\nf\n", "A\nb\nc\nf\n"},
		{"the user took what init changes", "a\nc\nd\ne\nf\n", "a\nB\nc\nd\ne\nf\n", ""},
		{"no newline at the end", "a\nb\nc\nd\ne\nf", "A\nb\nc\nd\ne\nf\n", "A\nb\nc\nd\ne\nf"},
		{"everything went", "", "A\nb\nc\nd\ne\nf\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := merge([]byte(base), []byte(tt.user), []byte(tt.ours))
			if ok != (tt.want != "") || ok && string(got) != tt.want {
				t.Errorf("got %q (%v), want %q", got, ok, tt.want)
			}
			// Who is asked first makes no difference.
			again, ok2 := merge([]byte(base), []byte(tt.ours), []byte(tt.user))
			if ok != ok2 || string(got) != string(again) {
				t.Errorf("the other way round: %q (%v), and %q (%v)", got, ok, again, ok2)
			}
		})
	}
}

// The laws of a merge, on random texts: a side that changed nothing takes over the
// other's, and every line of a clean merge is one of a side's.
func TestMergeLaws(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // repeatable
	text := func(from []string) []string {
		var out []string
		for _, line := range from {
			switch r.IntN(8) {
			case 0: // gone
			case 1:
				out = append(out, string(rune('A'+r.IntN(26))))
			case 2:
				out = append(out, line, string(rune('0'+r.IntN(10))))
			default:
				out = append(out, line)
			}
		}
		return out
	}
	join := func(lines []string) []byte { return []byte(strings.Join(append(lines, ""), "\n")) }
	clean := 0
	for range 3000 {
		var lines []string
		for range r.IntN(20) {
			lines = append(lines, string(rune('a'+r.IntN(26))))
		}
		user, ours := text(lines), text(lines)
		base, u, o := join(lines), join(user), join(ours)
		if got, ok := merge(base, u, base); !ok || string(got) != string(u) {
			t.Fatalf("init changed nothing, and of %q became %q", u, got)
		}
		if got, ok := merge(base, base, o); !ok || string(got) != string(o) {
			t.Fatalf("the user changed nothing, and of %q became %q", o, got)
		}
		got, ok := merge(base, u, o)
		if !ok {
			continue
		}
		clean++
		for line := range strings.Lines(string(got)) {
			if !strings.Contains(string(u)+string(o), line) {
				t.Fatalf("%q is in the merge of %q and %q, and in neither", line, u, o)
			}
		}
		// Merged once, there is nothing to merge any more.
		if again, ok := merge(o, got, o); !ok || string(again) != string(got) {
			t.Fatalf("a second merge of %q makes %q", got, again)
		}
	}
	if clean < 100 {
		t.Errorf("only %d merges were clean: this tests nothing", clean)
	}
}

func FuzzMerge(f *testing.F) {
	f.Add("a\nb\n", "a\nB\n", "A\nb\n")
	f.Add("a", "a\n", "")
	f.Fuzz(func(t *testing.T, base, user, ours string) {
		got, ok := merge([]byte(base), []byte(user), []byte(ours))
		if ok && user == base && string(got) != ours {
			t.Errorf("the user changed nothing, and got %q for %q", got, ours)
		}
	})
}
