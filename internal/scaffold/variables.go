package scaffold

import (
	"bytes"
	"slices"

	"github.com/opsctl/opsctl/internal/envcheck"
)

// addVariables adds what a schema lacks to its end, and leaves all that stands there
// as it is: how a variable is described is the user's.
func addVariables(user, ours []byte) ([]byte, bool) {
	mine, findings := envcheck.ParseSchema(schemaFile, user)
	if len(findings) > 0 {
		return nil, false
	}
	theirs, findings := envcheck.ParseSchema(schemaFile, ours)
	if len(findings) > 0 {
		return nil, false
	}
	out := user
	lines := bytes.SplitAfter(ours, []byte("\n"))
	for _, item := range theirs.Items {
		if slices.Contains(mine.Keys(), item.Key) {
			continue
		}
		first := item.Pos.Line
		for first > 1 && bytes.HasPrefix(lines[first-2], []byte("#")) {
			first--
		}
		if len(out) > 0 && !bytes.HasSuffix(out, []byte("\n")) {
			out = append(out, '\n')
		}
		out = append(append(slices.Clip(out), '\n'), bytes.Join(lines[first-1:item.Pos.Line], nil)...)
	}
	return out, true
}
