package report

import (
	"encoding/xml"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/opsctl/opsctl/internal/envcheck"
)

// The elements of JUnit's XML that Jenkins, GitLab, GitHub's test reporters and others
// agree on (Jenkins's junit-10.xsd).
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		Failure *junitFailure `xml:"failure"`
		Out     string        `xml:"system-out,omitempty"`
	}
	junitFailure struct {
		Type    string `xml:"type,attr"`
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// writeJUnit writes a suite for each file, one for the schema and one for the process.
// A finding is a test case that fails, or one that passes and says something. A file
// without finding, and a key of the schema without one, is a case that passes.
func writeJUnit(w io.Writer, r *envcheck.Report, info Info) error {
	all := junitSuites{Name: "opsctl " + info.Command}
	names := slices.Concat(r.Files, r.Unread)
	if r.SchemaFile != "" {
		names = append(names, r.SchemaFile)
	}
	byFile, found := map[string][]envcheck.Finding{}, map[string]bool{}
	for _, f := range r.Findings {
		byFile[f.File] = append(byFile[f.File], f)
		found[f.Key] = true
		names = append(names, f.File)
	}
	seen := map[string]bool{}
	for _, name := range names {
		if seen[name] {
			continue
		}
		seen[name] = true
		s := suite(r, info, name, byFile[name])
		if name == r.SchemaFile {
			for _, key := range r.Keys {
				if !found[key] {
					s.Cases = append(s.Cases, junitCase{Name: printable(key), Class: s.Name})
				}
			}
		}
		s.Tests = len(s.Cases)
		all.Tests += s.Tests
		all.Failures += s.Failures
		all.Suites = append(all.Suites, s)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// suite has a case for each finding of a file, or one that passes.
func suite(r *envcheck.Report, info Info, name string, findings []envcheck.Finding) junitSuite {
	s := junitSuite{Name: printable(info.path(name))}
	if len(findings) == 0 {
		s.Cases = []junitCase{{Name: "file", Class: s.Name}}
	}
	count := map[string]int{}
	for _, f := range findings {
		// The name has no line in it, so that a test keeps its history when lines move.
		id := strings.TrimSpace(f.Rule + " " + f.Key)
		if count[id]++; count[id] > 1 {
			id += " (" + strconv.Itoa(count[id]) + ")"
		}
		c := junitCase{Name: printable(id), Class: s.Name}
		full := printable(info.place(f) + " " + string(f.Level) + " " + f.Rule + " " + text(f))
		if fails(r, f.Level) {
			s.Failures++
			c.Failure = &junitFailure{Type: f.Rule, Message: printable(f.Message), Text: full}
		} else {
			c.Out = full
		}
		s.Cases = append(s.Cases, c)
	}
	return s
}
