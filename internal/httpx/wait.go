package httpx

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// epochFrom tells "seconds left" from "seconds since 1970" in a rate-limit
// header: Render documents the latter and shows the former.
const epochFrom = 1_000_000_000

// RetryAfter is how long the server asks the client to stay away, and whether
// it asks at all: Retry-After in seconds or as a date (RFC 9110, section
// 10.2.3), else, on a 429, Ratelimit-Reset or X-Ratelimit-Reset in seconds left
// or seconds since 1970. A moment that has passed is 0.
func RetryAfter(resp *http.Response, now time.Time) (time.Duration, bool) {
	if v := strings.TrimSpace(resp.Header.Get("Retry-After")); v != "" {
		if d, ok := seconds(v); ok {
			return d, true
		}
		if at, err := http.ParseTime(v); err == nil {
			// Against the server's own clock where it tells it, so that a
			// clock that is wrong here does not turn 5 s into an hour.
			if date, derr := http.ParseTime(resp.Header.Get("Date")); derr == nil {
				now = date
			}
			return max(0, at.Sub(now)), true
		}
	}
	if resp.StatusCode != http.StatusTooManyRequests {
		return 0, false
	}
	for _, name := range []string{"Ratelimit-Reset", "X-Ratelimit-Reset"} {
		d, ok := seconds(strings.TrimSpace(resp.Header.Get(name)))
		if !ok {
			continue
		}
		if d >= epochFrom*time.Second {
			return max(0, time.Unix(0, int64(d)).Sub(now)), true
		}
		return d, true
	}
	return 0, false
}

// seconds parses a non-negative, possibly fractional number of seconds.
func seconds(s string) (time.Duration, bool) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || f < 0 {
		return 0, false
	}
	if f >= math.MaxInt64/float64(time.Second) {
		return math.MaxInt64, true
	}
	return time.Duration(f * float64(time.Second)), true
}

// wait is the pause after the given failed attempt: what the server asks for,
// plus up to a tenth (at most one second) so that many clients do not return
// at the same moment; else an exponential backoff, jittered to 50-100 %.
func (t *Transport) wait(resp *http.Response, attempt int) (d time.Duration, asked bool) {
	own := t.backoff(attempt)
	if resp == nil {
		return own, false
	}
	d, ok := RetryAfter(resp, t.o.Now())
	if !ok {
		return own, false
	}
	if d < t.o.MinBackoff {
		return own, true // "0" and dates in the past: soon, but not in a busy loop
	}
	spread := min(d/10, time.Second)
	return d + min(time.Duration(t.o.Rand()*float64(spread)), math.MaxInt64-d), true
}

func (t *Transport) backoff(attempt int) time.Duration {
	d := t.o.MaxBackoff
	if shift := attempt - 1; shift < 30 && t.o.MinBackoff<<shift < d {
		d = t.o.MinBackoff << shift
	}
	return d/2 + time.Duration(t.o.Rand()*float64(d/2))
}
