package ui

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
)

// No escape code may reach a pipe, NO_COLOR users, dumb terminals or CI.
func TestColorIsDroppedAtTheStream(t *testing.T) {
	env := func(vars map[string]string) func(string) string { return func(k string) string { return vars[k] } }
	tests := []struct {
		name  string
		color Color
		tty   bool
		env   map[string]string
		want  bool
	}{
		{"pipe", ColorAuto, false, nil, false},
		{"terminal", ColorAuto, true, nil, true},
		{"NO_COLOR", ColorAuto, true, map[string]string{"NO_COLOR": "1"}, false},
		{"dumb", ColorAuto, true, map[string]string{"TERM": "dumb"}, false},
		{"CI", ColorAuto, true, map[string]string{"CI": "true"}, false},
		{"CI=false", ColorAuto, true, map[string]string{"CI": "false"}, true},
		{"forced into a pipe", ColorAuto, false, map[string]string{"CLICOLOR_FORCE": "1"}, true},
		{"NO_COLOR beats force", ColorAuto, false, map[string]string{"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, false},
		{"always", ColorAlways, false, map[string]string{"NO_COLOR": "1"}, true},
		{"never", ColorNever, true, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, out, _ := Test()
			s.outTTY, s.getenv = tt.tty, env(tt.env)
			s.SetColor(tt.color)
			Line(s.Out, OK.String()+" "+Red("x")+Bold("y"))
			if got := strings.Contains(out.String(), "\x1b"); got != tt.want {
				t.Errorf("escape codes: %v, want %v (%q)", got, tt.want, out)
			}
			if !strings.Contains(out.String(), "✓") {
				t.Errorf("the mark was lost: %q", out)
			}
		})
	}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	Table(&b, 40, []string{"name", "when", "what"}, [][]string{
		{"a", "1s", "short"}, {"longer-name", "10m", "a text that is too long for the terminal"}, {"ü", "1s", ""},
	})
	want := strings.Join([]string{
		"name         when  what",
		"a            1s    short",
		"longer-name  10m   a text that is too l…",
		"ü            1s",
	}, "\n") + "\n"
	s, out, _ := Test()
	_, _ = s.Out.Write(b.Bytes())
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

func TestFormats(t *testing.T) {
	for d, want := range map[time.Duration]string{
		7 * time.Millisecond: "7ms", 1234 * time.Millisecond: "1.2s", 185 * time.Second: "3m05s",
		130 * time.Minute: "2h10m", 99 * time.Hour: "4d3h", 0: "0ms",
	} {
		if got := Duration(d); got != want {
			t.Errorf("Duration(%v) = %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 5 << 30: "5.0 GiB", 3 << 50: "3072.0 TiB"} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 rows", 1: "1 row", 1234567: "1,234,567 rows", -1000: "-1,000 rows"} {
		if got := Count(n, "row"); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestPrintError(t *testing.T) {
	err := errs.Wrap(errors.New("dial postgres://u:hunter22@h/db"), errs.Auth, "connect").WithHint("set X\nor Y")
	s, _, out := Test()
	s.PrintError(err, false, errs.Redact)
	if want := "error: connect: dial postgres://u:***@h/db\nhint: set X\n      or Y\n"; out.String() != want {
		t.Errorf("text: %q", out)
	}
	s, _, out = Test()
	s.PrintError(err, true, errs.Redact)
	if want := `{"error":{"code":"auth","message":"connect: dial postgres://u:***@h/db","hint":"set X\nor Y","exit":4}}` + "\n"; out.String() != want {
		t.Errorf("JSON: %q", out)
	}
	s, _, out = Test()
	s.PrintError(context.Canceled, false, errs.Redact)
	if out.String() != "error: interrupted\n" {
		t.Errorf("interrupted: %q", out)
	}
}

func TestChecklist(t *testing.T) {
	s, _, out := Test()
	c := NewChecklist(s, false)
	c.Running("lock", "") // no terminal: not shown
	c.Done(OK, "lock", "", 12*time.Millisecond)
	c.Done(Skip, "database", "skipped: exists", 0)
	c.Done(Fail, "roll out", "it crashed", time.Second)
	want := "✓ lock          12ms\n- database      skipped: exists\n✗ roll out      it crashed  1.0s\n"
	if out.String() != want {
		t.Errorf("got %q", out)
	}
	s, _, out = Test()
	c = NewChecklist(s, true)
	c.Done(OK, "lock", "", 0)
	c.Done(Fail, "roll out", "it crashed", 0)
	if out.String() != "✗ roll out      it crashed\n" {
		t.Errorf("quiet: %q", out)
	}
}

func TestConfirm(t *testing.T) {
	s, _, _ := Test()
	if _, err := s.Confirm(t.Context(), "drop it?", "--yes"); errs.ExitCode(err) != 2 || errs.HintOf(err) != "say --yes to go ahead" {
		t.Errorf("without a terminal: %v", err)
	}
	for answer, want := range map[string]bool{"y\n": true, "YES\n": true, "n\n": false, "\n": false, "": false, "yes": true} {
		s, _, _ := Test()
		s.inTTY, s.errTTY, s.In = true, true, strings.NewReader(answer)
		if got, err := s.Confirm(t.Context(), "drop it?", "--yes"); err != nil || got != want {
			t.Errorf("%q: %v, %v", answer, got, err)
		}
	}
}
