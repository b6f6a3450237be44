// Package report writes what a check of the environment found in the formats that other
// programs read: GitHub's annotations, SARIF for code scanning, and JUnit for the test
// view of CI systems; and the pages of documentation about the rules.
//
// A report holds no value of a variable, and neither does what this package makes of it:
// fingerprints are made of rule, file and key only.
package report

import (
	"io"
	"strconv"
	"strings"

	"github.com/opsctl/opsctl/internal/envcheck"
	"github.com/opsctl/opsctl/internal/errs"
)

// The formats that Write knows.
const (
	GitHub = "github"
	SARIF  = "sarif"
	JUnit  = "junit"
)

// Info is what a report says of the program that made it.
type Info struct {
	Command string // such as "env check"
	Version string // of opsctl
	// Path gives a file's path from the root of the repository, with slashes, where the
	// other program looks for it; nil leaves paths as they are.
	Path func(file string) string
}

// Write writes a report in the given format.
func Write(w io.Writer, format string, r *envcheck.Report, info Info) error {
	switch format {
	case GitHub:
		return writeGitHub(w, r, info)
	case SARIF:
		return writeSARIF(w, r, info)
	case JUnit:
		return writeJUnit(w, r, info)
	}
	return errs.New(errs.Usage, "unknown format %q", format).WithHint("one of: %s, %s, %s", GitHub, SARIF, JUnit)
}

func (i Info) path(file string) string {
	if i.Path == nil || file == envcheck.ProcessName {
		return file
	}
	return i.Path(file)
}

// fails reports whether a finding of this level fails the check.
func fails(r *envcheck.Report, l envcheck.Level) bool {
	return l == envcheck.Error || r.Strict && l == envcheck.Warning
}

// text is the message with what to do.
func text(f envcheck.Finding) string {
	if f.Fix == "" {
		return f.Message
	}
	return f.Message + "\n" + f.Fix
}

// place is file:line:col as editors know it.
func (i Info) place(f envcheck.Finding) string {
	if f.File == envcheck.ProcessName || f.Line < 1 {
		return i.path(f.File)
	}
	return i.path(f.File) + ":" + strconv.Itoa(f.Line) + ":" + strconv.Itoa(f.Col)
}

// printable drops what XML 1.0 has no way to write and a terminal may obey: control
// characters, and bytes that are not UTF-8.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return r
		case r < 0x20 || r >= 0xD800 && r < 0xE000 || r == 0xFFFD || r == 0xFFFE || r == 0xFFFF || r > 0x10FFFF:
			return -1
		}
		return r
	}, s)
}

// PageURL is the section of a rule in the documentation.
func PageURL(id string) string {
	return homeURL + "/blob/main/docs/reference/env-rules.md#" + anchor(id)
}

const homeURL = "https://github.com/opsctl/opsctl"
