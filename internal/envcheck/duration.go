package envcheck

import (
	"math"
	"regexp"
	"strconv"
	"sync"
)

var durationPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(-?\d+(?:\.\d+)?)\s*(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?)?$`)
})

// parseDuration reads a duration as env-spec does, in milliseconds: 30s, 500ms, 2days, or bare milliseconds.
func parseDuration(s string) (float64, bool) {
	m := durationPattern().FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	f, err := strconv.ParseFloat(m[1], 64)
	if err != nil || math.IsInf(f, 0) {
		return 0, false
	}
	unit := 1.0
	if m[2] != "" && m[2] != "ms" && m[2][:min(3, len(m[2]))] != "mil" {
		unit = map[byte]float64{'s': 1e3, 'm': 6e4, 'h': 3.6e6, 'd': 8.64e7, 'w': 6.048e8}[m[2][0]]
	}
	return f * unit, true
}
