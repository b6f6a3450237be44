package main

import (
	"testing"

	"github.com/opsctl/opsctl/internal/ui"
)

// What is advised in one environment works on that one.
func TestAdviceIsForTheEnvironment(t *testing.T) {
	io, _, _ := ui.Test()
	a := newApp(io, func(string) (string, bool) { return "", false })
	for _, tt := range [][3]string{
		{"staging", "run: opsctl deploy", "run: opsctl deploy --env staging"},
		{"staging", "opsctl rollback --to 2\nsee: opsctl domains add x", "opsctl rollback --env staging --to 2\nsee: opsctl domains add --env staging x"},
		{"staging", "opsctl history --env qa", "opsctl history --env qa"},
		{"staging", "opsctl init, or opsctl platforms", "opsctl init, or opsctl platforms"},
		{"production", "run: opsctl deploy", "run: opsctl deploy"},
	} {
		a.global.Env = tt[0]
		if got := a.forEnv(tt[1]); got != tt[2] {
			t.Errorf("%s: %q, want %q", tt[0], got, tt[2])
		}
	}
}
