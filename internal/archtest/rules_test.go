package archtest

import (
	"fmt"
	"strings"
	"testing"
)

// reporter takes a violation, formatted like fmt.Sprintf.
type reporter func(format string, args ...any)

var rules = []struct {
	name  string
	check func([]file, reporter)
}{
	{"imports only go down", importsGoDown},
	{"leaves import only the standard library", leavesAreLeaves},
	{"imports that belong to one place", importsInTheirPlace},
	{"adapters and emulator do not know each other", strangersStayStrangers},
	{"files and functions stay short", shortFiles},
	{"every package says what it is for", documented},
	{"nothing happens on import", noInit},
	{"domain packages leave the process alone", processLeftAlone},
	{"no foreign paths in comments", noForeignPaths},
}

func TestRules(t *testing.T) {
	files := sources(t)
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) { r.check(files, t.Errorf) })
	}
}

// Each rule finds its violation.
func TestRulesFindViolations(t *testing.T) {
	const doc = "// Package x is for this test.\npackage x\n"
	imports := func(p string) string { return doc + `import _ "` + p + `"` }
	long := strings.Repeat("\n", maxFuncLines)
	tests := []struct{ rule, name, src, want string }{
		{"imports only go down", "internal/health/a.go", imports(module + "internal/deploy"), "internal/health/a.go imports internal/deploy, which is not below it"},
		{"imports only go down", "internal/health/a.go", imports(module + "internal/httpx"), "which is not below it"},
		{"imports only go down", "internal/errs/a.go", imports(module + "cmd/opsctl"), "which is not below it"},
		{"imports only go down", "internal/new/a.go", doc, "package internal/new has no layer"},
		{"leaves import only the standard library", "internal/httpx/a.go", imports("golang.org/x/net/http2"), "a leaf needs only the standard library"},
		{"imports that belong to one place", "internal/backup/a.go", imports("github.com/spf13/cobra"), "imports github.com/spf13/cobra, which is for [cmd/opsctl]"},
		{"imports that belong to one place", "internal/deploy/a.go", imports(module + "internal/ui"), "imports internal/ui"},
		{"imports that belong to one place", "cmd/opsctl/a.go", imports("charm.land/lipgloss/v2"), "imports charm.land/lipgloss/v2"},
		{"imports that belong to one place", "internal/emulator/fly/a.go", imports("github.com/superfly/fly-go/flaps"), "written from the API's reference"},
		{"adapters and emulator do not know each other", "internal/platform/fly/a.go", imports(module + "internal/platform/render"), "an adapter knows no other"},
		{"adapters and emulator do not know each other", "internal/emulator/fly/a.go", imports(module + "internal/platform/fly"), "must not become the other's truth"},
		{"adapters and emulator do not know each other", "internal/deploy/a.go", imports(module + "internal/platform/fly"), "it knows the interface"},
		{"adapters and emulator do not know each other", "internal/platform/a.go", imports(module + "internal/platform/fly"), "it knows the interface"},
		{"files and functions stay short", "internal/errs/a.go", doc + strings.Repeat("\n", maxFileLines), "lines; the limit is 420"},
		{"files and functions stay short", "internal/errs/a.go", doc + "func f() {" + long + "}", "function f has 71 lines"},
		{"every package says what it is for", "internal/errs/a.go", "package x", "package internal/errs has no doc comment"},
		{"nothing happens on import", "internal/errs/a.go", doc + "func init() {}", "internal/errs/a.go:3: func init"},
		{"domain packages leave the process alone", "internal/errs/a.go", doc + "func f() { fmt.Println(1) }", "internal/errs/a.go:3: fmt.Println"},
		{"domain packages leave the process alone", "internal/errs/a.go", doc + "var w = os.Stderr", "os.Stderr"},
		{"no foreign paths in comments", "internal/errs/a.go", doc + "// see /work/x", "a comment names /work/"},
	}
	for _, tt := range tests {
		t.Run(tt.rule+": "+tt.name, func(t *testing.T) {
			f, err := read(tt.name, []byte(tt.src))
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rules {
				if r.name != tt.rule {
					continue
				}
				var got []string
				r.check([]file{f}, func(format string, args ...any) { got = append(got, fmt.Sprintf(format, args...)) })
				if len(got) != 1 || !strings.Contains(got[0], tt.want) {
					t.Errorf("found %q, want %q", got, tt.want)
				}
			}
		})
	}
}
