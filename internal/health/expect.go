package health

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
)

// StatusRange is a span of HTTP statuses, both ends included.
type StatusRange struct{ From, To int }

func (r StatusRange) String() string {
	if r.From == r.To {
		return strconv.Itoa(r.From)
	}
	return fmt.Sprintf("%d-%d", r.From, r.To)
}

// defaultStatus is what is expected when nothing is said.
var defaultStatus = []StatusRange{{200, 299}}

// ParseStatuses reads a comma-separated list of statuses ("204"), ranges
// ("200-299") and classes ("2xx"). The error is a usage error.
func ParseStatuses(s string) ([]StatusRange, error) {
	var out []StatusRange
	for part := range strings.SplitSeq(s, ",") {
		r, ok := parseStatus(strings.ToLower(strings.TrimSpace(part)))
		if !ok {
			return nil, errs.New(errs.Usage, "invalid status %q", part).
				WithHint("write statuses as 200, 200-299 or 2xx, separated by commas")
		}
		out = append(out, r)
	}
	return out, nil
}

func parseStatus(s string) (StatusRange, bool) {
	if class, found := strings.CutSuffix(s, "xx"); found {
		n, err := strconv.Atoi(class)
		return StatusRange{n * 100, n*100 + 99}, err == nil && n >= 1 && n <= 5
	}
	from, to, isRange := strings.Cut(s, "-")
	if !isRange {
		to = from
	}
	a, aerr := strconv.Atoi(strings.TrimSpace(from))
	b, berr := strconv.Atoi(strings.TrimSpace(to))
	return StatusRange{a, b}, aerr == nil && berr == nil && 100 <= a && a <= b && b <= 599
}

func inRanges(status int, ranges []StatusRange) bool {
	for _, r := range ranges {
		if r.From <= status && status <= r.To {
			return true
		}
	}
	return false
}

func joinRanges(ranges []StatusRange) string {
	parts := make([]string, len(ranges))
	for i, r := range ranges {
		parts[i] = r.String()
	}
	return strings.Join(parts, ",")
}

// JSONAssert demands that the value at Path equals Value: strings by their
// text, numbers by their value, true, false and null by name, arrays and
// objects by their compact JSON.
type JSONAssert struct{ Path, Value string }

// ParseJSONAssert reads PATH=VALUE. The first "=" outside of brackets ends the
// path. The error is a usage error.
func ParseJSONAssert(s string) (JSONAssert, error) {
	depth, quote := 0, rune(0)
	for i, c := range s {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case depth > 0 && (c == '"' || c == '\''):
			quote = c
		case c == '[':
			depth++
		case c == ']':
			depth--
		case c == '=' && depth <= 0:
			a := JSONAssert{Path: strings.TrimSpace(s[:i]), Value: strings.TrimSpace(s[i+1:])}
			_, err := ParsePath(a.Path)
			return a, err
		}
	}
	return JSONAssert{}, errs.New(errs.Usage, "invalid JSON assertion %q: no =", s).
		WithHint("write it as PATH=VALUE, for example checks.db[0].status=pass")
}
