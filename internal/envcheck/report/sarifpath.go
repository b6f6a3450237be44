package report

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/opsctl/opsctl/internal/envcheck"
)

// artifact is a path as a URI: relative to the root of the repository, or absolute for a
// file outside of it.
func artifact(file string) sarifArtifact {
	u := url.URL{Path: path.Clean(file)}
	if !strings.HasPrefix(u.Path, "/") && !isDrive(u.Path) {
		return sarifArtifact{URI: u.String(), BaseID: srcRoot}
	}
	u.Scheme, u.Path = "file", "/"+strings.TrimPrefix(u.Path, "/")
	return sarifArtifact{URI: "file://" + u.EscapedPath()}
}

// isDrive reports a path that begins with a drive of Windows.
func isDrive(p string) bool {
	return len(p) > 2 && p[1] == ':' && p[2] == '/' && (p[0]|0x20 >= 'a' && p[0]|0x20 <= 'z')
}

// fingerprints counts the findings that are alike but for their place.
type fingerprints map[string]int

// of identifies a finding across runs, wherever its line has moved. It is made of what
// anybody may know: rule, file, key, and which one of several it is. Nothing of the line
// goes into it, for a hash of a line with a password tells a guesser when he is right.
//
// primaryLocationLineHash is the name that GitHub looks at. Without it, its upload action
// would make one from the line's text.
func (p fingerprints) of(f envcheck.Finding, info Info) map[string]string {
	id := strings.Join([]string{f.Rule, info.path(f.File), f.Key}, "\x00")
	p[id]++
	sum := sha256.Sum256([]byte(id))
	mark := hex.EncodeToString(sum[:8]) + ":" + strconv.Itoa(p[id])
	return map[string]string{"opsctlFinding/v1": mark, "primaryLocationLineHash": mark}
}
