package render

import (
	"bytes"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestShellCommand(t *testing.T) {
	for _, tt := range []struct {
		argv []string
		want string
	}{
		{nil, ""},
		{[]string{"pnpm", "db:migrate"}, "pnpm db:migrate"},
		{[]string{"/bin/sh", "-c", "echo hello; exit 3"}, "/bin/sh -c 'echo hello; exit 3'"},
		{[]string{"a", ""}, "a ''"},
		{[]string{"A=b", "c=d"}, "'A=b' 'c=d'"},
		{[]string{"it's"}, `'it'\''s'`},
		{[]string{"if", "if"}, "'if' if"},
		{[]string{"x", "~", "*", "$HOME", "a\nb"}, "x '~' '*' '$HOME' 'a\nb'"},
	} {
		got, err := shellCommand(tt.argv)
		if err != nil || got != tt.want {
			t.Errorf("%q: %s, %v, want %s", tt.argv, got, err, tt.want)
		}
	}
	if _, err := shellCommand([]string{"a", "b\x00c"}); err == nil {
		t.Error("a NUL passed")
	}
}

// What is quoted comes out of a real shell as it went in.
func TestShellCommandThroughAShell(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	alphabet := []rune("ab 'x\"$`\\!*?[]{}()<>|&;#~=%^\n\t\r,:@é漢🙂-+./")
	cases := [][]string{{"it's", "", " ", "$(id)", "`id`", "\\", "\\n", "!!", "a\tb", "-n", "--", "#x", "a=b"}}
	for range 30 {
		var argv []string
		for range 1 + random.IntN(8) {
			arg := make([]rune, random.IntN(12))
			for i := range arg {
				arg[i] = alphabet[random.IntN(len(alphabet))]
			}
			argv = append(argv, string(arg))
		}
		cases = append(cases, argv)
	}
	for _, argv := range cases {
		line, err := shellCommand(argv)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", `printf '%s\0' `+line)
		cmd.Stdout = &out
		if err := cmd.Run(); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		got := strings.Split(strings.TrimSuffix(out.String(), "\x00"), "\x00")
		if !slices.Equal(got, argv) {
			t.Errorf("%q came back as %q (from %s)", argv, got, line)
		}
	}
	// Each reserved word is run as a command, and found missing as one.
	for _, word := range reserved() {
		line, _ := shellCommand([]string{word})
		err := exec.CommandContext(t.Context(), "/bin/sh", "-c", line).Run()
		if code := err.(interface{ ExitCode() int }).ExitCode(); code != 127 && word != "time" {
			t.Errorf("%s: exit code %d, want 127", word, code)
		}
	}
}
