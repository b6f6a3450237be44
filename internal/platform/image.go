package platform

import "strings"

// SameImage tells whether two references name the same content: equal digests
// where both have one, else equal text.
func SameImage(a, b string) bool {
	_, da, oka := strings.Cut(a, "@")
	_, db, okb := strings.Cut(b, "@")
	if oka && okb {
		return da == db
	}
	return a == b
}

// ShortImage is a reference for people: the digest cut to twelve characters.
func ShortImage(ref string) string {
	name, digest, ok := strings.Cut(ref, "@sha256:")
	if !ok {
		return ref
	}
	return name + "@" + digest[:min(12, len(digest))]
}
