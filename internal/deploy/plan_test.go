package deploy

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/opsctl/opsctl/internal/platform"
)

// baseRelease is the release that the cases below change one thing of.
func baseRelease() platform.Release {
	return platform.Release{
		Image: "r/shop:1@sha256:aaaaaaaaaaaaaaaa", Port: 3000, Health: "/api/health", Instances: 2, Region: "fra",
		Env: map[string]string{"LOG_LEVEL": "info"},
	}
}

func desired(change func(*Desired)) Desired {
	d := Desired{App: "shop", Release: baseRelease(), Command: []string{"migrate"}, Secrets: map[string]SecretChange{"KEY": SecretSame}}
	if change != nil {
		change(&d)
	}
	return d
}

func observed(change func(*Observed)) Observed {
	r := baseRelease()
	o := Observed{State: &platform.State{App: "shop", Current: &r}, HasPostgres: true}
	if change != nil {
		change(&o)
	}
	return o
}

func TestPlan(t *testing.T) {
	tests := []struct {
		name string
		want Desired
		have Observed
		plan []string
	}{
		{"as wanted", desired(nil), observed(nil), nil},
		{"nothing there", desired(func(d *Desired) {
			d.Postgres = &platform.DatabaseSpec{Name: "shop-db", Version: 16, PoolMode: "transaction"}
			d.Secrets["KEY"] = SecretNew
		}), Observed{}, []string{
			"create app shop", "create database shop-db", "create secret KEY", "create task release command", "create release image",
		}},
		{"another image", desired(func(d *Desired) { d.Release.Image = "r/shop:2@sha256:bbbbbbbbbbbbbbbb" }), observed(nil),
			[]string{"create task release command", "update release image"}},
		{"the tag moved, the content did not", desired(func(d *Desired) { d.Release.Image = "r/shop:2@sha256:aaaaaaaaaaaaaaaa" }), observed(nil), nil},
		{"port and health", desired(func(d *Desired) { d.Release.Port, d.Release.Health = 8080, "/healthz"; d.Command = nil }), observed(nil),
			[]string{"update release port", "update release health"}},
		{"scale", desired(func(d *Desired) { d.Release.Instances = 3; d.Command = nil }), observed(nil), []string{"update release instances"}},
		{"variables", desired(func(d *Desired) { d.Release.Env = map[string]string{"NEW": "1"}; d.Command = nil }), observed(nil),
			[]string{"delete variable LOG_LEVEL", "create variable NEW"}},
		{"a secret changed", desired(func(d *Desired) { d.Secrets["KEY"] = SecretChanged; d.Command = nil }), observed(nil),
			[]string{"update secret KEY", "replace release image"}},
		{"a secret cannot be compared", desired(func(d *Desired) { d.Secrets["KEY"] = SecretUnknown; d.Command = nil }), observed(nil),
			[]string{"update secret KEY", "replace release image"}},
		{"instances differ", desired(func(d *Desired) { d.Command = nil }), observed(func(o *Observed) { o.State.Mixed = true }), []string{"replace release image"}},
		{"an earlier run was cut off", desired(func(d *Desired) { d.Command = nil }), observed(func(o *Observed) { o.Unfinished = true }), []string{"replace release image"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, c := range Plan(tt.want, tt.have) {
				got = append(got, strings.TrimSpace(strings.Join(strings.Fields(fmt.Sprint(c.Action, " ", c.Object, " ", c.Name, " ", c.Field)), " ")))
			}
			if strings.Join(got, "\n") != strings.Join(tt.plan, "\n") {
				t.Errorf("plan:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(tt.plan, "\n"))
			}
		})
	}
}

// Whatever is wanted: once it runs, the plan is empty.
func TestPlanOfWhatRunsIsEmpty(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 500 {
		want := desired(func(d *Desired) {
			d.Release.Port, d.Release.Instances = 1+r.IntN(65535), 1+r.IntN(9)
			d.Release.Image = fmt.Sprintf("r/shop:%d@sha256:%016x", r.IntN(9), r.Uint64())
			d.Release.Env = map[string]string{}
			for range r.IntN(5) {
				d.Release.Env[fmt.Sprintf("V%d", r.IntN(9))] = fmt.Sprint(r.IntN(9))
			}
		})
		runs := want.Release
		have := observed(func(o *Observed) { o.State.Current = &runs })
		if changes := Plan(want, have); len(changes) > 0 {
			t.Fatalf("wanted and running are the same, but: %+v", changes)
		}
	}
}

func TestFingerprints(t *testing.T) {
	dir := t.TempDir()
	f, err := OpenFingerprints(dir)
	if err != nil {
		t.Fatal(err)
	}
	have := []platform.Secret{{Name: "A", Digest: "d1"}, {Name: "B", Digest: "d2"}}
	if err := f.Save(map[string]string{"A": "one"}, have); err != nil {
		t.Fatal(err)
	}
	f, err = OpenFingerprints(dir) // what is on disk counts
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, value string
		have        []platform.Secret
		want        SecretChange
	}{
		{"A", "one", have, SecretSame},
		{"A", "two", have, SecretChanged},
		{"A", "one", []platform.Secret{{Name: "A", Digest: "set elsewhere"}}, SecretUnknown},
		{"B", "x", have, SecretUnknown},
		{"C", "x", have, SecretNew},
		{"A", "one", nil, SecretNew},
		// Whoever set it, it waits for a roll-out.
		{"A", "one", []platform.Secret{{Name: "A", Digest: "d1", Pending: true}}, SecretPending},
		{"A", "two", []platform.Secret{{Name: "A", Digest: "d1", Pending: true}}, SecretChanged},
		{"A", "one", []platform.Secret{{Name: "A", Digest: "set elsewhere", Pending: true}}, SecretUnknown},
		// A platform that gives values back needs no memory; a sealed value nobody knows.
		{"V", "one", []platform.Secret{{Name: "V", Digest: f.digest("V", "one")}}, SecretSame},
		{"V", "two", []platform.Secret{{Name: "V", Digest: f.digest("V", "one")}}, SecretChanged},
		{"V", "one", []platform.Secret{{Name: "V"}}, SecretUnknown},
	}
	for _, tt := range tests {
		if got := f.Compare(map[string]string{tt.name: tt.value}, tt.have)[tt.name]; got != tt.want {
			t.Errorf("%s=%s against %v: %s, want %s", tt.name, tt.value, tt.have, got, tt.want)
		}
	}
	others := f.Compare(nil, []platform.Secret{{Name: "P", Digest: "x", Pending: true}, {Name: "Q", Digest: "y"}})
	if len(others) != 1 || others["P"] != SecretPending {
		t.Errorf("of what nobody here wants: %v, want the one that waits", others)
	}
}
