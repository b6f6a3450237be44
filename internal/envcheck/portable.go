package envcheck

import "strings"

// Portable finds a spelling of the value that Next.js and compose both read
// back unchanged, by trying and reading. False when there is none: then the
// value has to be percent-encoded, base64-encoded or set outside the file.
func Portable(value string) (string, bool) {
	for _, s := range spellings(value) {
		if readsAs(s, value) {
			return s, true
		}
	}
	return "", false
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

// readsAs reports whether both readers read the spelling as the value and nothing else.
func readsAs(spelling, value string) bool {
	if strings.ContainsAny(spelling, "\r\x00") {
		return false
	}
	src := []byte("K=" + spelling + "\nEND=1\n")
	for _, r := range []Reader{Next, Compose} {
		f, err := Read(r, "", src, nil)
		if err != nil || len(f.Entries) != 2 || f.Vars["K"] != value || f.Vars["END"] != "1" {
			return false
		}
	}
	return true
}
