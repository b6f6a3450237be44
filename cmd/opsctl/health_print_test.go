package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/colorprofile"

	"github.com/opsctl/opsctl/internal/health"
)

// On a terminal the phases form a staircase; every phase shows, however short.
func TestHealthBars(t *testing.T) {
	var out bytes.Buffer
	b := healthBlock{out: &colorprofile.Writer{Forward: &out, Profile: colorprofile.NoTTY}, bars: true}
	b.print(health.Result{
		Name: "https://erp.example.com/", State: health.Pass, Status: 200, HTTPVersion: "HTTP/2.0", Remote: "192.0.2.7:443", Total: 101 * time.Millisecond,
		Phases: health.Phases{DNS: 10 * time.Microsecond, Connect: 25 * time.Millisecond, TLS: 25 * time.Millisecond, FirstByte: 50 * time.Millisecond, Transfer: 20 * time.Microsecond},
	}, nil)
	want := strings.TrimPrefix(`
✓ https://erp.example.com/
  status    200, HTTP/2.0 from 192.0.2.7:443, 0 B
  time      101ms
    dns           0.0ms  ▏
    connect        25ms  ██████████
    tls            25ms            █████████
    first byte     50ms                     ████████████████████
    transfer      0.0ms                                         █
`, "\n")
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A bar never leaves its field.
func TestBarStaysInItsField(t *testing.T) {
	for _, total := range []time.Duration{1, 7, 1000, time.Hour} {
		for at := time.Duration(0); at < total; at += max(1, total/9) {
			if n := len([]rune(plain(bar(at, total-at, total)))); n > barWidth {
				t.Errorf("bar(%d, %d, %d) is %d wide", at, total-at, total, n)
			}
			if n := len([]rune(plain(bar(at, 1, total)))); n > barWidth {
				t.Errorf("bar(%d, 1, %d) is %d wide", at, total, n)
			}
		}
	}
}

func plain(s string) string {
	var out bytes.Buffer
	w := &colorprofile.Writer{Forward: &out, Profile: colorprofile.NoTTY}
	_, _ = w.WriteString(s)
	return out.String()
}
