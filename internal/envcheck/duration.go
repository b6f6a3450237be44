package envcheck

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

var durationPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)$`)
})

// durationUnits lists the spellings of each unit, with its milliseconds.
var durationUnits = []struct {
	ms    float64
	names string
}{
	{1, " ms millis millisecond milliseconds "},
	{1e3, " s sec secs second seconds "},
	{6e4, " m min mins minute minutes "},
	{3.6e6, " h hr hrs hour hours "},
	{8.64e7, " d day days "},
	{6.048e8, " w wk wks week weeks "},
}

// parseDuration reads a duration as env-spec does, in whole milliseconds: 30s,
// 500ms, 2days, or bare milliseconds. Less than half of one is no duration.
func parseDuration(s string) (float64, bool) {
	m := durationPattern().FindStringSubmatch(strings.ToLower(strings.TrimFunc(s, isJSSpace)))
	if m == nil {
		return 0, false
	}
	f, err := strconv.ParseFloat(m[1], 64)
	unit := durationUnit(m[2])
	if m[2] == "" {
		unit = 1
	}
	ms := math.Floor(f*unit + 0.5)
	if err != nil || unit == 0 || f > 0 && ms == 0 {
		return 0, false
	}
	return ms, true
}

// durationUnit is the milliseconds of a unit, 0 for none.
func durationUnit(name string) float64 {
	for _, u := range durationUnits {
		if name != "" && strings.Contains(u.names, " "+name+" ") {
			return u.ms
		}
	}
	return 0
}
