package sentry

import (
	"testing"
	"time"
)

func TestCrontabNext(t *testing.T) {
	from := time.Date(2026, 11, 24, 3, 17, 30, 0, time.UTC) // a Tuesday
	for expr, want := range map[string]string{
		"* * * * *":            "2026-11-24 03:18",
		"17 3 * * *":           "2026-11-25 03:17",
		"*/15 * * * *":         "2026-11-24 03:30",
		"0 9-17/4 * * mon-fri": "2026-11-24 09:00",
		"0 0 1 jan *":          "2027-01-01 00:00",
		"0 0 13 * 5":           "2026-11-27 00:00", // the 13th or a Friday
		"0 0 29 2 *":           "2028-02-29 00:00",
		"0 0 * * 7":            "2026-11-29 00:00",
		"@daily":               "2026-11-25 00:00",
		"5/20 * * * *":         "2026-11-24 03:25",
		"0 0 30 2 *":           "2031-11-24 03:17", // never
	} {
		c, err := parseCrontab(expr)
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		if got := c.next(from).Format("2006-01-02 15:04"); got != want {
			t.Errorf("%s: %s, want %s", expr, got, want)
		}
	}
	for _, expr := range []string{"", "* * * *", "60 * * * *", "5-1 * * * *", "*/0 * * * *", "x * * * *", "0 0 0 * *"} {
		if _, err := parseCrontab(expr); err == nil {
			t.Errorf("%q was taken", expr)
		}
	}
}
