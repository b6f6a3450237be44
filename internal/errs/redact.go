package errs

import (
	"regexp"
	"slices"
	"sort"
	"strings"
)

// mask replaces a secret in any text that opsctl prints or stores.
const mask = "***"

// patterns find secrets by their shape: passwords in URLs, keyword/value
// connection strings, authorization headers, and the token prefixes of the
// services that opsctl talks to.
var patterns = []struct {
	re   *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://[^:/?#\s"'@]*):[^\s"'/?#]*(?:[^\s"']*)?@`), "${1}:" + mask + "@"},
	{regexp.MustCompile(`(?i)\b(password|passwd|pwd)=('[^']*'|[^\s'&]+)`), "${1}=" + mask},
	{regexp.MustCompile(`(?i)\b(bearer|basic|flyv1)\s+[A-Za-z0-9+/=_.,:-]{6,}`), "${1} " + mask},
	{regexp.MustCompile(`\b(sk_(?:live|test)_|rk_live_|whsec_|sntr[ysu]{1,2}s?_|rnd_|fo1_|fm2_|fm1[ra]_|gh[pos]_|github_pat_|npm_|xox[abp]-)[A-Za-z0-9+/=_.-]+`), "${1}" + mask},
	{regexp.MustCompile(`\bAKIA[0-9A-Z]{16}\b`), "AKIA" + mask},
	{regexp.MustCompile(`AGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]+`), "AGE-SECRET-KEY-" + mask},
}

// Redact masks everything in text that has the shape of a secret.
func Redact(text string) string {
	for _, p := range patterns {
		text = p.re.ReplaceAllString(text, p.with)
	}
	return text
}

// Redactor masks known secret values as well as secret shapes. The zero value
// masks shapes only. It is not safe for concurrent Add.
type Redactor struct{ values []string }

// word is a value such as production, true or 3000: masking it would destroy
// ordinary text, and it is no secret worth the name.
var word = regexp.MustCompile(`^([A-Za-z]{1,12}|[0-9]{1,5})$`)

// Add registers secret values. Values under 4 bytes, short words and short
// numbers are ignored: masking them would destroy ordinary text.
func (r *Redactor) Add(values ...string) {
	for _, v := range values {
		if len(v) >= 4 && !word.MatchString(v) {
			r.values = append(r.values, v)
		}
	}
	// Longest first, so that a value that contains another is masked whole.
	sort.Slice(r.values, func(i, j int) bool { return len(r.values[i]) > len(r.values[j]) })
}

// settings are values of variables that are settings and no secrets, by any account.
var settings = []string{"true", "false", "info", "warn", "error", "debug", "trace", "none", "production", "development", "staging", "test", "localhost"}

// AddForLines registers values for text that a program printed, where a short word may
// well be a secret: all of 4 bytes and more but numbers of up to 5 digits and common settings.
func (r *Redactor) AddForLines(values ...string) {
	for _, v := range values {
		number := strings.Trim(v, "0123456789") == "" && len(v) <= 5
		if len(v) >= 4 && !number && !slices.Contains(settings, strings.ToLower(v)) {
			r.values = append(r.values, v)
		}
	}
	sort.Slice(r.values, func(i, j int) bool { return len(r.values[i]) > len(r.values[j]) })
}

// Redact masks the registered values and everything with the shape of a secret.
func (r *Redactor) Redact(text string) string {
	if r != nil {
		for _, v := range r.values {
			text = strings.ReplaceAll(text, v, mask)
		}
	}
	return Redact(text)
}
