package sentry

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// crontab is the five fields of a crontab line (crontab(5)), each as the set of
// its values.
type crontab struct {
	minute, hour, day, month, weekday map[int]bool
	anyDay, anyWeekday                bool // the field is *
}

// macros are the lines that have a name.
var macros = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}

var (
	monthNames   = []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
	weekdayNames = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
)

func parseCrontab(expr string) (*crontab, error) {
	if line, found := macros[strings.TrimSpace(expr)]; found {
		expr = line
	}
	fields := strings.Fields(strings.ToLower(expr))
	if len(fields) != 5 {
		return nil, fmt.Errorf("%q has %d fields, not 5", expr, len(fields))
	}
	c := &crontab{anyDay: fields[2] == "*", anyWeekday: fields[4] == "*"}
	for i, f := range []struct {
		set       *map[int]bool
		low, high int
		names     []string
	}{{&c.minute, 0, 59, nil}, {&c.hour, 0, 23, nil}, {&c.day, 1, 31, nil}, {&c.month, 1, 12, monthNames}, {&c.weekday, 0, 7, weekdayNames}} {
		set, err := cronField(fields[i], f.low, f.high, f.names)
		if err != nil {
			return nil, err
		}
		*f.set = set
	}
	if c.weekday[7] { // Sunday has two numbers
		c.weekday[0] = true
	}
	return c, nil
}

func cronField(field string, low, high int, names []string) (map[int]bool, error) {
	set := map[int]bool{}
	for part := range strings.SplitSeq(field, ",") {
		span, stepText, stepped := strings.Cut(part, "/")
		step := 1
		if stepped {
			var err error
			if step, err = strconv.Atoi(stepText); err != nil || step < 1 {
				return nil, fmt.Errorf("step %q is not a number from 1", stepText)
			}
		}
		from, to := low, high
		if span != "*" {
			a, b, isRange := strings.Cut(span, "-")
			var err error
			if from, err = cronValue(a, low, high, names); err != nil {
				return nil, err
			}
			switch {
			case isRange:
				if to, err = cronValue(b, low, high, names); err != nil {
					return nil, err
				}
			case !stepped:
				to = from
			}
		}
		if from > to {
			return nil, fmt.Errorf("range %q runs backwards", span)
		}
		for v := from; v <= to; v += step {
			set[v] = true
		}
	}
	return set, nil
}

func cronValue(s string, low, high int, names []string) (int, error) {
	for i, n := range names {
		if s == n {
			return low + i, nil
		}
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("%q is not from %d to %d", s, low, high)
	}
	return n, nil
}

// next is the first minute after t that the line means, or t five years on
// when there is none (30 February).
func (c *crontab) next(t time.Time) time.Time {
	end := t.AddDate(5, 0, 0)
	at := t.Truncate(time.Minute).Add(time.Minute)
	for at.Before(end) {
		switch {
		case !c.month[int(at.Month())] || !c.onDay(at):
			at = time.Date(at.Year(), at.Month(), at.Day()+1, 0, 0, 0, 0, at.Location())
		case !c.hour[at.Hour()]:
			at = at.Add(time.Hour - time.Duration(at.Minute())*time.Minute)
		case !c.minute[at.Minute()]:
			at = at.Add(time.Minute)
		default:
			return at
		}
	}
	return end
}

// onDay: where both the day and the weekday are given, either is enough.
func (c *crontab) onDay(t time.Time) bool {
	day, weekday := c.day[t.Day()], c.weekday[int(t.Weekday())]
	if c.anyDay || c.anyWeekday {
		return day && weekday
	}
	return day || weekday
}
