package errs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestExitCode(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want int
	}{
		{"nil", nil, 0},
		{"plain", errors.New("x"), 1},
		{"usage", New(Usage, "x"), 2},
		{"check", New(CheckFailed, "x"), 3},
		{"auth", New(Auth, "x"), 4},
		{"not found", New(NotFound, "x"), 5},
		{"conflict", New(Conflict, "x"), 6},
		{"timeout", New(Timeout, "x"), 7},
		{"rolled back", New(RolledBack, "x"), 8},
		{"partial", New(Partial, "x"), 9},
		{"wrapped", fmt.Errorf("outer: %w", New(Auth, "x")), 4},
		{"outermost wins", Wrap(New(Auth, "inner"), RolledBack, "outer"), 8},
		{"cancelled", fmt.Errorf("x: %w", context.Canceled), 130},
		{"deadline", context.DeadlineExceeded, 7},
		{"unknown code", New(Code("new"), "x"), 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := ExitCode(tt.err); got != tt.want {
				t.Errorf("ExitCode = %d, want %d", got, tt.want)
			}
		})
	}
}

func TestHintOfFindsTheInnerHint(t *testing.T) {
	err := fmt.Errorf("a: %w", Wrap(New(Auth, "b").WithHint("set %s", "X"), Failure, "c"))
	if got := HintOf(err); got != "set X" {
		t.Errorf("HintOf = %q", got)
	}
}

func TestRedact(t *testing.T) {
	tests := []struct{ in, want string }{
		{"connect postgres://app:s3cr3t@db:5432/x failed", "connect postgres://app:***@db:5432/x failed"},
		{"postgres://app:p@ss/w@db/x", "postgres://app:***@db/x"},
		{"redis://:hunter22@cache:6379", "redis://:***@cache:6379"},
		{"https://example.com/a:b@c", "https://example.com/a:b@c"},
		{"https://example.com:8080/path", "https://example.com:8080/path"},
		{"host=db password='a b' user=x", "host=db password=*** user=x"},
		{"Authorization: Bearer abc.def-ghi", "Authorization: Bearer ***"},
		{"key sk_live_abcDEF123 end", "key sk_live_*** end"},
		{"AGE-SECRET-KEY-1QQQQ", "AGE-SECRET-KEY-***"},
		{"nothing here", "nothing here"},
	}
	for _, tt := range tests {
		if got := Redact(tt.in); got != tt.want {
			t.Errorf("Redact(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestRedactorMasksKnownValuesLongestFirst(t *testing.T) {
	var r Redactor
	r.Add("ab-1", "ab-1efgh", "x", "production", "3000")
	got := r.Redact("ab-1efgh ab-1 x production 3000")
	if got != "*** *** x production 3000" {
		t.Errorf("got %q", got)
	}
}

func FuzzRedactNeverKeepsAURLPassword(f *testing.F) {
	f.Add("hunter2")
	f.Add("p@ss")
	f.Fuzz(func(t *testing.T, pw string) {
		if len(pw) < 4 || strings.ContainsAny(pw, " \t\r\n\v\f\"'/?#:@") || strings.Contains("user:***@host.example/db postgres://", pw) {
			t.Skip()
		}
		in := "postgres://user:" + pw + "@host.example/db"
		if out := Redact(in); strings.Contains(out, pw) {
			t.Errorf("Redact(%q) = %q", in, out)
		}
	})
}
