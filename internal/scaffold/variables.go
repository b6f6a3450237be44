package scaffold

import "github.com/opsctl/opsctl/internal/envcheck"

// addVariables adds what a schema lacks to its end, and leaves all that stands there
// as it is: how a variable is described is the user's.
func addVariables(user, ours []byte) ([]byte, bool) {
	merged, _, ok := envcheck.MergeSchema(schemaFile, user, ours)
	return merged, ok
}
