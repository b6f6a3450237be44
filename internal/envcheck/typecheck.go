package envcheck

import (
	"encoding/json"
	"maps"
	"math"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf16"
)

// problem is what is wrong with a value; the zero problem is none. Its text
// comes from the schema and holds nothing of the value but its length.
type problem struct {
	level    Level
	msg, fix string
}

func bad(msg, fix string) problem { return problem{Error, msg, fix} }

// checkType checks a value that is not empty against a type.
func (e *evaluator) checkType(t *Type, v string) problem {
	if t == nil {
		return problem{}
	}
	switch t.Name {
	case "string":
		return e.checkString(t, v)
	case "number":
		return e.checkNumber(t, v)
	case "url":
		return e.checkURL(t, v)
	case "enum":
		return checkEnum(t, v)
	case "port":
		return e.checkPort(t, v)
	case "ip":
		return e.checkIP(t, v)
	case "duration":
		return e.checkDuration(t, v)
	case "array":
		return e.checkArray(t, v)
	case "record", "simple-object":
		return e.checkRecord(t, v)
	}
	if ok := simpleTypes[t.Name]; ok != nil && !ok(v) {
		return bad("is not "+article(typeDefs[t.Name].human), "")
	}
	return problem{}
}

func article(s string) string {
	if s == "" || strings.HasPrefix(s, "true") {
		return s
	}
	if strings.ContainsRune("aeioAEIO", rune(s[0])) {
		return "an " + s
	}
	return "a " + s
}

// simpleTypes are the types without options of consequence.
var simpleTypes = map[string]func(string) bool{
	"boolean": func(v string) bool { _, ok := parseBool(v); return ok },
	"email":   lazyMatch(`^[^\s@"]+@[^\s@]+\.[^\s@.]+$`),
	"semver":  lazyMatch(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`),
	"isoDate": isISODate,
	"uuid":    lazyMatch(`^(?i:[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|00000000-0000-0000-0000-000000000000)$`),
	"md5":     lazyMatch(`^[0-9a-f]{32}$`),
}

// lazyMatch compiles the pattern at its first use: most checks need few of them.
func lazyMatch(pattern string) func(string) bool {
	re := sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
	return func(v string) bool { return re().MatchString(v) }
}

func parseBool(v string) (value, ok bool) {
	switch strings.ToLower(v) {
	case "t", "true", "yes", "on", "1":
		return true, true
	case "f", "false", "no", "off", "0":
		return false, true
	}
	return false, false
}

func isISODate(v string) bool {
	for _, layout := range []string{time.DateOnly, time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02T15:04Z07:00"} {
		if _, err := time.Parse(layout, v); err == nil {
			return true
		}
	}
	return false
}

// opt evaluates an option; undefined when it is not given.
func (e *evaluator) opt(t *Type, name string) val { return e.eval(t.Opts[name]) }

func (e *evaluator) number(t *Type, name string) (float64, bool) {
	f, err := strconv.ParseFloat(e.opt(t, name).text, 64)
	return f, err == nil
}

// length is the length as JavaScript counts it.
func length(s string) int { return len(utf16.Encode([]rune(s))) }

func (e *evaluator) checkLength(t *Type, n int, prefix, unit string) problem {
	names := []string{"isLength", "minLength", "maxLength"}
	if prefix != "" {
		names = []string{prefix + "IsLength", prefix + "MinLength", prefix + "MaxLength"}
	}
	if want, ok := e.number(t, names[0]); ok && n != int(want) {
		return bad("has "+itoa(n)+" "+unit+", must have "+itoa(int(want)), "")
	}
	if least, ok := e.number(t, names[1]); ok && n < int(least) {
		return bad("has "+itoa(n)+" "+unit+", must have at least "+itoa(int(least)), "")
	}
	if most, ok := e.number(t, names[2]); ok && n > int(most) {
		return bad("has "+itoa(n)+" "+unit+", may have at most "+itoa(int(most)), "")
	}
	return problem{}
}

func (e *evaluator) checkString(t *Type, v string) problem {
	if e.opt(t, "toUpperCase").truthy() {
		v = strings.ToUpper(v)
	}
	if e.opt(t, "toLowerCase").truthy() {
		v = strings.ToLower(v)
	}
	if p := e.checkLength(t, length(v), "", "characters"); p.msg != "" {
		return p
	}
	if s := e.opt(t, "startsWith").text; !strings.HasPrefix(v, s) {
		return bad("does not start with "+shown(t.Opts["startsWith"], s), "")
	}
	if s := e.opt(t, "endsWith").text; !strings.HasSuffix(v, s) {
		return bad("does not end with "+shown(t.Opts["endsWith"], s), "")
	}
	return e.checkMatches(t, v)
}

// shown is a text from the schema that may be printed: one that stands in the
// schema as it is. What was made from other variables may hold a secret.
func shown(n *Node, s string) string {
	if isText(n) && n.Text == s {
		return s
	}
	if n != nil {
		for _, a := range n.Args {
			if shown(a.Value, s) == s {
				return s
			}
		}
	}
	return "what the schema asks for"
}

func (e *evaluator) checkMatches(t *Type, v string) problem {
	m := e.opt(t, "matches")
	if m.kind == valText { // a text stands for a pattern, in the old spelling
		m = e.pattern(m.text, "")
	}
	if m.kind == valPattern && m.re != nil && !m.re.MatchString(v) {
		return bad("does not match "+shown(t.Opts["matches"], m.text), "")
	}
	return problem{}
}

var numberPattern = lazyMatch(`^-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$`)

func (e *evaluator) checkNumber(t *Type, v string) problem {
	f, err := strconv.ParseFloat(v, 64)
	if err != nil || !numberPattern(v) {
		return bad("is not a number", "")
	}
	rounded := f
	if e.opt(t, "isInt").truthy() {
		rounded = math.Round(f)
	} else if digits, ok := e.number(t, "precision"); ok {
		scale := math.Pow(10, digits)
		rounded = math.Round(f*scale) / scale
	}
	if least, ok := e.number(t, "min"); ok && rounded < least && !e.opt(t, "coerceToMinMaxRange").truthy() {
		return bad("is less than "+number(least), "")
	}
	if most, ok := e.number(t, "max"); ok && rounded > most && !e.opt(t, "coerceToMinMaxRange").truthy() {
		return bad("is more than "+number(most), "")
	}
	if by, ok := e.number(t, "isDivisibleBy"); ok && by != 0 && math.Mod(rounded, by) != 0 {
		return bad("is not divisible by "+number(by), "")
	}
	if rounded != f {
		return problem{Warning, "is rounded when varlock reads it, but not when the app reads the variable itself", "write the rounded number"}
	}
	return problem{}
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func (e *evaluator) checkURL(t *Type, v string) problem {
	if e.opt(t, "prependHttps").truthy() && !strings.Contains(v, "://") {
		v = "https://" + v
	}
	u, err := url.Parse(v)
	switch {
	case err != nil && !strings.Contains(err.Error(), "invalid URL escape"):
		return bad("is not a URL", "percent-encode special characters in the user name and the password")
	case err != nil:
		return problem{}
	case u.Scheme == "":
		return bad("is not an absolute URL", "begin it with its scheme, such as https://")
	case u.Host == "" && (u.Scheme == "http" || u.Scheme == "https"):
		return bad("is a URL without a host", "")
	}
	if list := t.Opts["allowedDomains"]; list != nil {
		if domains := texts(list); !slices.Contains(domains, u.Host) {
			return bad("is a URL of a host that is not among "+strings.Join(domains, ", "), "the port counts as part of the host")
		}
	}
	if e.opt(t, "noTrailingSlash").truthy() && strings.HasSuffix(v, "/") {
		return bad("ends with a slash", "remove the slash at the end")
	}
	return e.checkMatches(t, v)
}

func checkEnum(t *Type, v string) problem {
	var names []string
	for _, n := range t.Values {
		if n.Text == v {
			return problem{}
		}
		names = append(names, n.Text)
	}
	return bad("is not one of "+strings.Join(names, ", "), "")
}

func (e *evaluator) checkPort(t *Type, v string) problem {
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 || n > 65535 || strings.Trim(v, "0123456789") != "" {
		return bad("is not a port number (0 to 65535)", "")
	}
	if least, ok := e.number(t, "min"); ok && float64(n) < least {
		return bad("is a port below "+number(least), "")
	}
	if most, ok := e.number(t, "max"); ok && float64(n) > most {
		return bad("is a port above "+number(most), "")
	}
	return problem{}
}

func (e *evaluator) checkIP(t *Type, v string) problem {
	version := e.opt(t, "version").text
	if version == "" {
		version = "4"
	}
	ip := net.ParseIP(v)
	if ip == nil || (version == "6") != strings.Contains(v, ":") {
		return bad("is not an IP address of version "+version, "")
	}
	return problem{}
}

func (e *evaluator) checkDuration(t *Type, v string) problem {
	d, ok := parseDuration(v)
	if !ok {
		return bad("is not a duration", "write 30s, 500ms, 2days or bare milliseconds")
	}
	if least, ok := parseDuration(e.opt(t, "min").text); ok && d < least {
		return bad("is shorter than "+e.opt(t, "min").text, "")
	}
	if most, ok := parseDuration(e.opt(t, "max").text); ok && d > most {
		return bad("is longer than "+e.opt(t, "max").text, "")
	}
	return problem{}
}

func (e *evaluator) checkArray(t *Type, v string) problem {
	sep := e.opt(t, "separator").text
	if sep == "" {
		sep = ","
	}
	var items []string
	if e.opt(t, "format").text == "json" {
		var raw []any
		if json.Unmarshal([]byte(v), &raw) != nil {
			return bad("is not a JSON array", "")
		}
		for _, r := range raw {
			items = append(items, jsonText(r))
		}
	} else {
		for s := range strings.SplitSeq(v, sep) {
			items = append(items, strings.TrimSpace(s))
		}
	}
	if t.Opts["minLength"] == nil && len(items) == 0 {
		return bad("is an empty list", "")
	}
	if p := e.checkLength(t, len(items), "", "elements"); p.msg != "" {
		return p
	}
	seen := map[string]bool{}
	for i, item := range items {
		if e.opt(t, "unique").truthy() && seen[item] {
			return bad("has the same element twice (number "+itoa(i+1)+")", "")
		}
		seen[item] = true
		if p := e.checkType(t.Elem, item); p.msg != "" {
			p.msg = "element " + itoa(i+1) + " " + p.msg
			return p
		}
	}
	return problem{}
}

func (e *evaluator) checkRecord(t *Type, v string) problem {
	var raw map[string]any
	if json.Unmarshal([]byte(v), &raw) != nil {
		return bad("is not a JSON object", "")
	}
	if t.Name == "simple-object" {
		return problem{}
	}
	if p := e.checkLength(t, len(raw), "entries", "entries"); p.msg != "" {
		return p
	}
	for _, k := range slices.Sorted(maps.Keys(raw)) {
		if p := e.checkType(t.Key, k); p.msg != "" {
			p.msg = "a key " + p.msg
			return p
		}
		if p := e.checkType(t.Elem, jsonText(raw[k])); p.msg != "" {
			p.msg = "an entry " + p.msg
			return p
		}
	}
	return problem{}
}

// jsonText is the text of a JSON scalar; other values as JSON.
func jsonText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, _ := json.Marshal(v)
	return string(b)
}
