package errs

import "testing"

// In what a program prints a short word may be a password; a setting is none.
func TestShortWordsAreMaskedInLines(t *testing.T) {
	var r Redactor
	r.AddForLines("swordfish", "hunterabc", "production", "8080", "abc")
	const text = "swordfish hunterabc on production, port 8080, abc"
	if got, want := r.Redact(text), "*** *** on production, port 8080, abc"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
