package fly

import (
	"testing"
	"time"

	"github.com/superfly/fly-go"
)

func TestSetAfter(t *testing.T) {
	began := time.Date(2026, 11, 24, 3, 0, 5, 400e6, time.UTC)
	tests := []struct {
		name, updated string
		after, known  bool
	}{
		{"before", "2026-11-24T03:00:05.399Z", false, true},
		{"after", "2026-11-24T03:00:05.401Z", true, true},
		{"in the same millisecond", "2026-11-24T03:00:05.400999Z", false, true},
		{"another zone", "2026-11-24T04:00:05.401+01:00", true, true},
		{"whole seconds, before", "2026-11-24T03:00:04Z", false, true},
		{"whole seconds, in the same one", "2026-11-24T03:00:05Z", true, true}, // it may be
		{"whole seconds, after", "2026-11-24T03:00:06Z", true, true},
		{"no time", "soon", false, false},
		{"the zero time", "0001-01-01T00:00:00Z", false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if after, known := setAfter(fly.AppSecret{UpdatedAt: &tt.updated}, began); after != tt.after || known != tt.known {
				t.Errorf("after %v, known %v", after, known)
			}
		})
	}
	if _, known := setAfter(fly.AppSecret{}, began); known {
		t.Error("Fly says nothing, and it counts as known")
	}
	if _, known := setAfter(fly.AppSecret{UpdatedAt: &tests[0].updated}, time.Time{}); known {
		t.Error("nobody knows when the machine began, and it counts as known")
	}
}

// A secret is pending while any machine is without it: of two, an old one is enough.
func TestPending(t *testing.T) {
	at := func(s string) *fly.Machine { return &fly.Machine{CreatedAt: s} }
	secret := fly.AppSecret{Name: "A", UpdatedAt: new("2026-11-24T03:00:05.5Z")}
	older, newer := at("2026-11-24T03:00:00.1Z"), at("2026-11-24T03:00:09.1Z")
	for _, tt := range []struct {
		name     string
		secret   fly.AppSecret
		machines []*fly.Machine
		want     bool
	}{
		{"no machine", secret, nil, true},
		{"all began after it", secret, []*fly.Machine{newer, newer}, false},
		{"none did", secret, []*fly.Machine{older}, true},
		{"one did not", secret, []*fly.Machine{newer, older}, true},
		{"it is not known when it was set", fly.AppSecret{Name: "A"}, []*fly.Machine{older}, false},
	} {
		if got := pending(tt.secret, tt.machines); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
