package envcheck

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestHostileInputEndsInTime gives the readers and the check inputs made to
// take for ever. The bound is loose: a quadratic reader needs minutes.
func TestHostileInputEndsInTime(t *testing.T) {
	const mb = 1 << 20
	inputs := map[string]string{
		"a 10 MB line":              "A=" + strings.Repeat("x", 10*mb),
		"a 10 MB line of dollars":   "A=" + strings.Repeat("$", 10*mb),
		"a 10 MB line of refs":      "A=" + strings.Repeat("${B}", 10*mb/4),
		"2 MB of quoted values":     strings.Repeat(`A="b" `, 2*mb/6),
		"10 MB of blank lines":      strings.Repeat("\n", 10*mb) + "!",
		"2 MB of open quotes":       strings.Repeat("A='x\nB=\"y\nC=`z\n", 2*mb/15),
		"10 MB of escaped quotes":   `A="` + strings.Repeat(`\"x `, 10*mb/4),
		"10 MB of CR":               "A='" + strings.Repeat("\r", 10*mb) + "'",
		"a self-referring variable": "A=${A}x\n",
		"growing references":        "A=${B}${B}\nB=${C}${C}\nC=${A}${A}\n",
		"1,000 nested references":   "A=" + strings.Repeat("${B:-", 1000) + "x" + strings.Repeat("}", 1000),
		"10,000 unknown keys":       strings.ReplaceAll(bigProject(10_000)[".env"], "VAR", "RAV"),
	}
	schema := bigProject(2000)[".env.schema"]
	for name, text := range inputs {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			project{".env.schema": schema, ".env": text}.check(t, Options{})
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

// TestHostileSchemaEndsInTime gives the check schemas whose values hang on each other.
func TestHostileSchemaEndsInTime(t *testing.T) {
	chain := func(n int, value string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString("K" + itoa(i) + "=" + strings.ReplaceAll(value, "$N", "$K"+itoa(i+1)) + "\n")
		}
		return b.String() + "K" + itoa(n) + "=b\n"
	}
	tests := []struct{ name, schema, want string }{
		{"each twice", chain(200, "if(eq($N,$N),$N,b)"), ""},
		{"one after the other", chain(5000, "$N"), ""},
		{"twice as long each time", chain(60, "concat($N,$N)"), "K39 has no end in sight"},
		{"too many in a row", chain(30_000, "$N"), "no end in sight"},
		{"options", strings.ReplaceAll(chain(200, "x"), "K", "# @type=string(startsWith=if(eq($K1,$K1),$K2,b))\nK")[:9000], ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			start := time.Now()
			_, text := project{".env.schema": tt.schema, ".env": "X=1\n"}.check(t, Options{})
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %s", took)
			}
			if !strings.Contains(text, tt.want) {
				t.Errorf("nothing says %q: %.500s", tt.want, text)
			}
		})
	}
}

func TestReadRegular(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Skipf("no FIFO here: %v", err)
	}
	big := filepath.Join(dir, "big")
	f, err := os.Create(big)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(1 << 30); err != nil {
		t.Skipf("no sparse file here: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{dir: "is a directory", fifo: "not a regular file", big: "more than the 16 MiB"} {
		if _, err := ReadRegular(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ReadRegular(%s) = %v, want %q", path, err, want)
		}
	}
}
