package envcheck

import "strings"

// Portable finds a spelling of the value that Next.js and compose both read
// back unchanged, by trying and reading. False when there is none: then the
// value has to be percent-encoded, base64-encoded or set outside the file.
func Portable(value string) (string, bool) {
	return PortableFor(Next, value)
}

// PortableFor is Portable for an app whose own reader is another one than Next.js's.
func PortableFor(app Reader, value string) (string, bool) {
	s, _, ok := portable(value, app)
	return s, ok
}

// portable is Portable for an app's own reader, with the form of the spelling in
// words, for a value that must not be shown.
func portable(value string, app Reader) (spelling, form string, ok bool) {
	for i, s := range spellings(value) {
		if readsAs(s, value, app) {
			return s, spellingForms[i], true
		}
	}
	return "", "", false
}

var spellingForms = []string{
	"without quotes", "in double quotes", "in single quotes", `in double quotes with \$ for each dollar sign`,
	`in double quotes with \n for each line end and \$ for each dollar sign`,
}

// spellings lists the ways to write a value, the plainest first.
func spellings(v string) []string {
	escaped := strings.ReplaceAll(v, `$`, `\$`)
	return []string{
		v,
		`"` + v + `"`,
		`'` + v + `'`,
		`"` + escaped + `"`,
		`"` + strings.ReplaceAll(escaped, "\n", `\n`) + `"`,
	}
}

// readsAs reports whether the app's reader and compose read the spelling as the value and nothing
// else, whatever follows it: a stray quote may be paired with one further down.
func readsAs(spelling, value string, app Reader) bool {
	if strings.ContainsAny(spelling, "\r\x00") {
		return false
	}
	for _, tail := range []string{"", "T=x'\"`\n"} {
		src := []byte("K=" + spelling + "\n" + tail + "END=1\n")
		for _, r := range app.With() {
			f, err := Read(r, "", src, nil)
			if err != nil || f.Vars["K"] != value || f.Vars["END"] != "1" || len(f.Entries) != 2+strings.Count(tail, "\n") {
				return false
			}
		}
	}
	return true
}
