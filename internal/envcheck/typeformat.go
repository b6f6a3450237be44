package envcheck

import (
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"time"
)

// simpleTypes are the types that one pattern decides.
var simpleTypes = map[string]func(string) bool{
	"email":  lazyMatch(emailPattern),
	"semver": lazyMatch(`^` + version + `\.` + version + `\.` + version + `(-` + prerelease + `(\.` + prerelease + `)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`),
	"uuid":   lazyMatch(`^(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-5][0-9a-f]{3}-[089ab][0-9a-f]{3}-[0-9a-f]{12}$`),
	"md5":    lazyMatch(`^[0-9a-f]{32}$`),
}

const (
	emailAtom    = `[^<>()\[\]\\.,;:@"\s\v\p{Z}\x{feff}]+`
	emailPattern = `^(` + emailAtom + `(\.` + emailAtom + `)*|"[^\n\r\x{2028}\x{2029}]+")@(\[[0-9]{1,3}(\.[0-9]{1,3}){3}\]|([a-zA-Z0-9-]+\.)+[a-zA-Z]{2,})$`
	version      = `(0|[1-9][0-9]*)`
	prerelease   = `(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)`
)

// lazyMatch compiles the pattern at its first use: most checks need few of them.
func lazyMatch(pattern string) func(string) bool {
	re := sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
	return func(v string) bool { return re().MatchString(v) }
}

// isoDatePattern is ISO 8601 as far as varlock goes: calendar, week and
// ordinal dates, with or without separators, and a time with a zone.
var isoDatePattern = sync.OnceValue(func() func(string) bool {
	month, day := `(?:0[1-9]|1[0-2])`, `(?:[12][0-9]|0[1-9]|3[01])`
	hour, sixty, fraction := `(?:[01][0-9]|2[0-3])`, `[0-5][0-9]`, `(?:[.,][0-9]+)`
	date := func(sep string) string {
		return sep + `(?:` + month + `(?:` + sep + day + `)?|W(?:[0-4][0-9]|5[0-2])(?:-?[1-7])?|(?:00[1-9]|0[1-9][0-9]|[12][0-9]{2}|3(?:[0-5][0-9]|6[1-6])))`
	}
	time := func(sep string) string {
		return `(?:` + hour + sep + sixty + `(?:` + fraction + `|` + sep + sixty + fraction + `?)?)`
	}
	bare := `(?:` + hour + `|24:?00)` + fraction + `?(?:` + sixty + fraction + `?)?`
	zone := `(?:[zZ]|[+-]` + hour + `:?(?:` + sixty + `)?)?`
	clock := `(?:[T\s](?:` + time(`:`) + `|` + time(``) + `|` + bare + `|` + sixty + fraction + `?)?` + zone + `)?`
	pattern := `^[+-]?[0-9]{4}(?:(?:` + date(`-`) + `|` + date(``) + `)` + clock + `)?$`
	return regexp.MustCompile(pattern).MatchString
})

// isISODate reports a date of ISO 8601 that exists.
func isISODate(v string) bool { return checkISODate(v).msg == "" }

// checkISODate also warns of a day that no calendar has.
func checkISODate(v string) problem {
	if !isoDatePattern()(v) || yearMonth(strings.TrimLeft(v, "+-")) {
		return bad("is not an ISO date", "")
	}
	if len(v) >= 10 && v[4] == '-' && v[7] == '-' {
		if _, err := time.Parse(time.DateOnly, v[:10]); err != nil {
			return problem{Warning, "names a day that the month does not have", ""}
		}
	}
	return problem{}
}

// yearMonth reports six digits at the beginning, which could be a year and a
// month or a short date.
func yearMonth(v string) bool {
	return len(v) >= 6 && strings.Trim(v[:6], "0123456789") == "" && (len(v) == 6 || !isWord(v[6]))
}

func (e *evaluator) checkIP(t *Type, v string) problem {
	version := "4"
	if n, ok := e.number(t, "version"); ok && n == 6 {
		version = "6"
	}
	addr, err := netip.ParseAddr(v)
	zone := addr.Zone()
	if err != nil || addr.Is4() != (version == "4") || strings.Trim(zone, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return bad("is not an IP address of version "+version, "")
	}
	return problem{}
}
