package backup

import (
	"encoding/base32"
	"io"
	"regexp"
	"strings"
	"time"
)

const idTime = "20060102T150405Z"

var idPattern = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}Z-[a-z2-7]{4}$`)

// newID makes an id that sorts by time: 20261124T030000Z-k3xa.
func newID(now time.Time, random io.Reader) (string, error) {
	var raw [3]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return "", err
	}
	tail := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw[:])
	return now.UTC().Format(idTime) + "-" + strings.ToLower(tail[:4]), nil
}

// IsID tells whether s has the form of a backup's id.
func IsID(s string) bool { return idPattern.MatchString(s) }
