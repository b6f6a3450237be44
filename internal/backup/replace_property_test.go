package backup

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// A backup of one database, restored over any other, leaves the one: nothing
// of the other stays, and nothing of it stands in the way.
func TestAnyDatabaseCanBeReplacedByAnyBackup(t *testing.T) {
	seed := *propertySeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	for i := range *propertyRuns {
		seed := seed + uint64(i)
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			f := newFixture(t)
			generated := func(stream uint64) string {
				g := &generator{Rand: rand.New(rand.NewPCG(seed, stream)), names: map[string]bool{}}
				url := database(t, fmt.Sprintf(`replace 'x' "%d" \ %d`, stream, seed))
				exec(t, url, g.database()...)
				return url
			}
			m, target := f.create(t, generated(1)), generated(2)
			o := f.restoreOptions(m.ID, target)
			o.Confirm = fmt.Sprintf(`replace 'x' "2" \ %d`, seed)
			r, err := Restore(t.Context(), o)
			same(t, r, err)
			if r.Mode != ModeReplace {
				t.Errorf("mode %s", r.Mode)
			}
			if t.Failed() {
				t.Logf("again with: -run TestAnyDatabaseCanBeReplacedByAnyBackup -runs 1 -seed %d", seed)
			}
		})
	}
}
