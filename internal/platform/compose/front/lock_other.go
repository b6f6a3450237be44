//go:build !unix

package front

import "errors"

// lockFile is for the front's container alone, which is a Linux one.
func lockFile(string) (func(), error) {
	return nil, errors.New("the front runs in a Linux container only")
}
