package scaffold

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
)

// manifest is the part of package.json that detection reads.
type manifest struct {
	Name             string            `json:"name"`
	PackageManager   string            `json:"packageManager"`
	Engines          map[string]string `json:"engines"`
	Volta            map[string]string `json:"volta"`
	Scripts          map[string]string `json:"scripts"`
	Dependencies     map[string]string `json:"dependencies"`
	DevDependencies  map[string]string `json:"devDependencies"`
	PeerDependencies map[string]string `json:"peerDependencies"`
	Prisma           struct {
		Schema string `json:"schema"`
	} `json:"prisma"`
	Main       string          `json:"main"`
	Type       string          `json:"type"`
	Workspaces json.RawMessage `json:"workspaces"`
	Imports    json.RawMessage `json:"imports"`

	src []byte
}

// readManifest reads package.json. A byte-order mark is allowed, as npm allows it.
func readManifest(fsys fs.FS) (*manifest, error) {
	src, err := optional(fsys, "package.json")
	if err != nil {
		return nil, err
	}
	if src == nil {
		return nil, unknownStack("there is no package.json")
	}
	return parseManifest(src)
}

func parseManifest(src []byte) (*manifest, error) {
	src = bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))
	m := &manifest{src: src}
	if err := json.Unmarshal(src, m); err != nil {
		pos := ""
		var syntax *json.SyntaxError
		var typ *json.UnmarshalTypeError
		switch {
		case errors.As(err, &syntax):
			pos = fmt.Sprintf(":%d", lineAt(src, int(syntax.Offset)-1))
		case errors.As(err, &typ):
			pos = fmt.Sprintf(":%d", lineAt(src, int(typ.Offset)-1))
		}
		return nil, errs.Wrap(err, errs.Usage, "package.json%s", pos).WithHint("correct package.json and run init again")
	}
	return m, nil
}

// allDependencies are the names of all kinds of dependencies, in order.
func (m *manifest) allDependencies() []string {
	var names []string
	for _, deps := range []map[string]string{m.Dependencies, m.DevDependencies, m.PeerDependencies} {
		names = slices.AppendSeq(names, maps.Keys(deps))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// dep is the version range of a production or development dependency.
func (m *manifest) dep(name string) (string, bool) {
	if v, ok := m.Dependencies[name]; ok {
		return v, true
	}
	v, ok := m.DevDependencies[name]
	return v, ok
}

// line is the line of a key in package.json, or 0. Keys that occur more than once
// (a script that is named like a dependency) are told apart by section.
func (m *manifest) line(section, key string) int {
	from := 0
	if section != "" {
		loc := keyPattern(section).FindIndex(m.src)
		if loc == nil {
			return 0
		}
		from = loc[1]
	}
	loc := keyPattern(key).FindIndex(m.src[from:])
	if loc == nil {
		return 0
	}
	return lineAt(m.src, from+loc[0])
}

func (m *manifest) depLine(name string) int {
	if _, ok := m.Dependencies[name]; ok {
		return m.line("dependencies", name)
	}
	return m.line("devDependencies", name)
}

func keyPattern(key string) *regexp.Regexp {
	return regexp.MustCompile(`"` + regexp.QuoteMeta(key) + `"\s*:`)
}

// lineAt is the 1-based line of a byte offset.
func lineAt(src []byte, offset int) int {
	offset = max(0, min(offset, len(src)))
	return 1 + bytes.Count(src[:offset], []byte("\n"))
}

var versionPattern = lazily(`^\s*(?:[\^~=v]|>=)*\s*v?(\d+)(?:\.(\d+))?`)

// major is the lowest major version that a range allows, or 0 when it does not
// begin with one ("*", "latest", "<21", a git URL).
func major(version string) int { return majorMinor(version)[0] }

// majorMinor is the same with the minor version, which is a large one where the range
// leaves it open: "13" installs the newest.
func majorMinor(version string) (v [2]int) {
	match := versionPattern.FindStringSubmatch(version)
	if match == nil {
		return v
	}
	v[0], _ = strconv.Atoi(match[1]) // too large for an int is 0: no version
	if v[1], _ = strconv.Atoi(match[2]); match[2] == "" {
		v[1] = 99
	}
	return v
}

// unknownStack is the error for a repository that init cannot serve.
func unknownStack(why string) error {
	return errs.New(errs.CheckFailed, "this is not an app that opsctl init knows: %s", why).
		WithHint("%s", strings.TrimSpace(`
looked for: Next.js (package.json that depends on next); a Node.js server (a start script that runs a file with node);
Go (go.mod and one package main); Django or FastAPI (pyproject.toml or requirements.txt that names it); any other
app with a Dockerfile. Run init in the app's own folder, or write a Dockerfile and run it again.`))
}
