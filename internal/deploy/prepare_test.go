package deploy

import (
	"strconv"
	"testing"

	"github.com/opsctl/opsctl/internal/platform"
)

func TestChooseRestore(t *testing.T) {
	type ledger = map[int]platform.ReleaseStatus
	const done, open, bad = platform.Complete, platform.Running, platform.Failed
	tests := []struct {
		name       string
		current    int
		instances  []int
		unfinished bool
		from       int // of a run that was cut off
		ledger     ledger
		restorable bool
		previous   int
	}{
		{"one finished release", 3, []int{3, 3}, false, 0, ledger{3: done, 2: done}, true, 3},
		{"what ran before opsctl", 0, []int{0, 0}, false, 0, ledger{}, true, 0},
		{"an unfinished first release", 1, []int{1, 1}, true, 0, ledger{1: open}, false, 0},
		{"killed in the middle", 4, []int{4, 2}, true, 2, ledger{4: open, 3: done, 2: done}, true, 2},
		{"killed after all were updated", 4, []int{4, 4}, true, 2, ledger{4: open, 3: done, 2: done}, true, 2},
		{"the same, on another machine", 4, []int{4, 4}, true, 0, ledger{4: open, 3: bad, 2: done}, true, 2},
		{"killed over what ran before opsctl", 1, []int{1, 0}, true, 0, ledger{1: open}, true, 0},
		{"mixed, and the newest was finished", 3, []int{3, 2}, false, 0, ledger{3: done, 2: done}, true, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name := func(n int) string { // 0 is what ran before opsctl
				if n == 0 {
					return ""
				}
				return strconv.Itoa(n)
			}
			state := &platform.State{Current: &platform.Release{Version: name(tt.current)}}
			for _, r := range tt.instances {
				state.Instances = append(state.Instances, platform.Instance{Release: name(r)})
				state.Mixed = state.Mixed || r != tt.current
			}
			p := &Prepared{Observed: Observed{State: state, Unfinished: tt.unfinished}}
			if tt.from != 0 {
				p.CutOff = &Run{From: name(tt.from)}
			}
			var entries []platform.Release
			for version := 9; version > 0; version-- { // newest first
				if status, ok := tt.ledger[version]; ok {
					entries = append(entries, platform.Release{Version: name(version), Status: status})
				}
			}
			p.chooseRestore(entries)
			if p.restorable != tt.restorable || p.previous.Version != name(tt.previous) {
				t.Errorf("restorable %v, previous %q; want %v, %d", p.restorable, p.previous.Version, tt.restorable, tt.previous)
			}
		})
	}
}
