package report

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/opsctl/opsctl/internal/envcheck"
)

var update = flag.Bool("update", false, "write the golden files")

// reports are what is written in each format: of every rule, of nothing, and of odd names.
func reports(t *testing.T) map[string]*envcheck.Report {
	t.Helper()
	out := map[string]*envcheck.Report{
		"empty":   {Env: "development", OK: true, Findings: []envcheck.Finding{}},
		"nothing": {Env: "development", OK: true, Files: []string{".env"}, SchemaFile: ".env.schema", Keys: []string{"A", "B"}},
		"odd names": {Env: "production", Files: []string{"a b.env"}, SchemaFile: ".env.schema", Keys: []string{"KEY", "OTHER"}, Omitted: 3, Findings: []envcheck.Finding{
			{File: "apps/my web/.env", Line: 1, Col: 1, Rule: "type", Level: envcheck.Error, Key: "KEY", Message: "100% of ${1} {0}\r\n::error::x", Fix: "a, b: c"},
			{File: "a:b/ü%,[x]#?.env", Line: 2, Col: 3, Rule: "E-DOLLAR", Level: envcheck.Warning, Message: "\x00\x1b[31m\xff ]]> <&>\""},
			{File: "/etc/app/.env", Line: 3, Col: 1, Rule: "empty", Level: envcheck.Info, Key: "KEY", Message: "m"},
			{File: "C:/app/.env", Rule: "file", Level: envcheck.Error, Message: "as a whole"},
			{File: envcheck.ProcessName, Line: 1, Col: 1, Rule: "type", Level: envcheck.Error, Key: "OTHER", Message: "m"},
			{File: envcheck.ProcessName, Line: 1, Col: 1, Rule: "of-a-command", Level: envcheck.Info, Message: "m"},
		}},
	}
	for _, r := range envcheck.Rules() {
		for i, e := range r.Examples {
			if e.Scan {
				continue
			}
			report, err := e.Run(context.Background(), true)
			if err != nil {
				t.Fatal(err)
			}
			out[fmt.Sprintf("%s %d", r.ID, i)] = report
		}
	}
	return out
}

func write(t *testing.T, format string, r *envcheck.Report, info Info) []byte {
	t.Helper()
	info.Command, info.Version = "env check", "1.2.3"
	var b bytes.Buffer
	if err := Write(&b, format, r, info); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestSARIFIsValid holds every report to the schema of the standard.
func TestSARIFIsValid(t *testing.T) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	schema, err := c.Compile(filepath.Join("testdata", "sarif-schema-2.1.0.json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range reports(t) {
		out := write(t, SARIF, r, Info{})
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(out))
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	broken := strings.Replace(string(write(t, SARIF, reports(t)["odd names"], Info{})), `"startLine": 1`, `"startLine": 0`, 1)
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(broken))
	if err != nil {
		t.Fatal(err)
	}
	if schema.Validate(v) == nil {
		t.Error("a region on line 0 is valid: the schema checks nothing")
	}
}

// TestSARIFForGitHub holds every report to what GitHub asks for beyond the standard.
func TestSARIFForGitHub(t *testing.T) {
	for name, r := range reports(t) {
		var log sarifLog
		if err := json.Unmarshal(write(t, SARIF, r, Info{}), &log); err != nil {
			t.Fatal(err)
		}
		run := log.Runs[0]
		prints := map[string]bool{}
		for _, res := range run.Results {
			rule := run.Tool.Driver.Rules[res.RuleIndex]
			mark := res.Fingerprints["primaryLocationLineHash"]
			file := ""
			if len(res.Locations) == 1 && res.Locations[0].Physical != nil {
				file = res.Locations[0].Physical.Artifact.URI
			}
			switch {
			case rule.ID != res.RuleID:
				t.Errorf("%s: rule %d is %s, not %s", name, res.RuleIndex, rule.ID, res.RuleID)
			case len(rule.Short.Text) > 1024 || len(rule.Full.Text) > 1024:
				t.Errorf("%s: the description of %s is longer than GitHub's 1,024 characters", name, rule.ID)
			case mark == "" || prints[mark+res.RuleID+file]:
				t.Errorf("%s: a fingerprint is missing or there twice: %q", name, mark)
			case r.SchemaFile != "" && file == "":
				t.Errorf("%s: %s is nowhere, and GitHub takes no result without a file", name, res.RuleID)
			}
			prints[mark+res.RuleID+file] = true
		}
		if len(run.Results) != len(r.Findings) {
			t.Errorf("%s: %d results of %d findings", name, len(run.Results), len(r.Findings))
		}
	}
}

func TestSARIFPaths(t *testing.T) {
	tests := []struct{ file, uri, base string }{
		{".env", ".env", srcRoot},
		{"./apps/web/.env", "apps/web/.env", srcRoot},
		{"my app/.env", "my%20app/.env", srcRoot},
		{"a:b.env", "./a:b.env", srcRoot},
		{"ü#?%.env", "%C3%BC%23%3F%25.env", srcRoot},
		{"\xff.env", "%FF.env", srcRoot},
		{"/etc/app/.env", "file:///etc/app/.env", ""},
		{"C:/app/.env", "file:///C:/app/.env", ""},
		{"../other/.env", "../other/.env", srcRoot},
	}
	for _, tt := range tests {
		if got := artifact(tt.file); got.URI != tt.uri || got.BaseID != tt.base {
			t.Errorf("%s: %+v", tt.file, got)
		}
	}
}

// TestFingerprints: they stay when lines move, and hold nothing of a value.
func TestFingerprints(t *testing.T) {
	prints := func(env string) string {
		e := envcheck.Example{Schema: "# @optional\nDB_PASS=\n\n# @optional\nDB_PASS_2=\n", Bad: env}
		r, err := e.Run(context.Background(), true)
		if err != nil || len(r.Findings) == 0 {
			t.Fatal("nothing found", err)
		}
		var log sarifLog
		if err := json.Unmarshal(write(t, SARIF, r, Info{}), &log); err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, res := range log.Runs[0].Results {
			out = append(out, fmt.Sprint(res.RuleID, res.Fingerprints))
		}
		return strings.Join(out, "\n")
	}
	first := prints("DB_PASS='pa$word'\nDB_PASS_2='x$yz'")
	if moved := prints("# a comment\n\nDB_PASS='pa$word'\n\nDB_PASS_2='x$yz'"); moved != first {
		t.Errorf("lines moved:\n%s\n%s", first, moved)
	}
	if other := prints("DB_PASS='other$secret'\nDB_PASS_2='x$yz'"); other != first {
		t.Errorf("the value is in the fingerprint:\n%s\n%s", first, other)
	}
	if first == prints("DB_PASS='pa$word'") {
		t.Error("all fingerprints are the same")
	}
}

// TestNoValue: no format holds a piece of a value that the check kept to itself.
func TestNoValue(t *testing.T) {
	e := envcheck.Example{Bad: "DB_PASS='hunter22$word'\nDB_PASS=hunter22#x\nURL=postgres://u:hunter22/x@db/app\nhunter22 hunter22\nKEY='hunter22"}
	r, err := e.Run(context.Background(), true)
	if err != nil || len(r.Findings) < 4 {
		t.Fatal("too little found", err, r.Findings)
	}
	for _, format := range []string{GitHub, SARIF, JUnit} {
		if out := write(t, format, r, Info{}); bytes.Contains(out, []byte("hunter")) {
			t.Errorf("%s:\n%s", format, out)
		}
	}
}

func TestJUnit(t *testing.T) {
	for name, r := range reports(t) {
		for _, strict := range []bool{false, true} {
			r.Strict = strict
			out := write(t, JUnit, r, Info{})
			if bytes.ContainsAny(out, "\x00\x1b") {
				t.Errorf("%s: control characters\n%q", name, out)
			}
			var all junitSuites
			if err := xml.Unmarshal(out, &all); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, out)
			}
			tests, failures, want := 0, 0, 0
			for _, s := range all.Suites {
				failed := 0
				for _, c := range s.Cases {
					if c.Failure != nil {
						failed++
					}
				}
				if s.Tests != len(s.Cases) || s.Failures != failed {
					t.Errorf("%s: the counts of the suite %s are wrong\n%s", name, s.Name, out)
				}
				tests, failures = tests+s.Tests, failures+s.Failures
			}
			for _, f := range r.Findings {
				if f.Level == envcheck.Error || strict && f.Level == envcheck.Warning {
					want++
				}
			}
			if all.Tests != tests || all.Failures != failures || failures != want || tests < len(r.Findings) {
				t.Errorf("%s: %d tests, %d failures, want %d\n%s", name, tests, failures, want, out)
			}
		}
	}
}

// TestJUnitForJenkins walks through the elements: what stands in the report is what
// Jenkins's junit-10.xsd, the strictest of the readers, allows.
func TestJUnitForJenkins(t *testing.T) {
	type element struct{ required, optional, inside []string }
	allowed := map[string]element{
		"testsuites": {nil, []string{"name", "time", "tests", "failures", "errors"}, []string{""}},
		"testsuite": {[]string{"name", "tests", "failures", "errors"},
			[]string{"group", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"}, []string{"testsuites", "testsuite"}},
		"testcase":   {[]string{"name"}, []string{"time", "classname", "group"}, []string{"testsuite"}},
		"failure":    {nil, []string{"type", "message"}, []string{"testcase"}},
		"system-out": {nil, nil, []string{"testcase", "testsuite"}},
	}
	for name, r := range reports(t) {
		d := xml.NewDecoder(bytes.NewReader(write(t, JUnit, r, Info{})))
		var open []string
		for {
			token, err := d.Token()
			if err != nil {
				break
			}
			switch e := token.(type) {
			case xml.StartElement:
				parent := strings.Join(open[max(0, len(open)-1):], "")
				def, ok := allowed[e.Name.Local]
				if !ok || !slices.Contains(def.inside, parent) {
					t.Errorf("%s: <%s> in <%s>", name, e.Name.Local, parent)
				}
				has := map[string]bool{}
				for _, a := range e.Attr {
					has[a.Name.Local] = true
					if !slices.Contains(slices.Concat(def.required, def.optional), a.Name.Local) {
						t.Errorf("%s: <%s> has no attribute %s", name, e.Name.Local, a.Name.Local)
					}
				}
				for _, a := range def.required {
					if !has[a] {
						t.Errorf("%s: <%s> lacks %s", name, e.Name.Local, a)
					}
				}
				open = append(open, e.Name.Local)
			case xml.EndElement:
				open = open[:len(open)-1]
			}
		}
	}
}

// TestGolden shows the formats as they are.
func TestGolden(t *testing.T) {
	r := reports(t)["odd names"]
	for _, format := range []string{GitHub, SARIF, JUnit} {
		golden(t, filepath.Join("testdata", "odd."+format), write(t, format, r, Info{}))
	}
}

// TestRulesPage keeps the page of the documentation as the rules are.
func TestRulesPage(t *testing.T) {
	var b bytes.Buffer
	if err := RulesPage(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join("..", "..", "..", "docs", "reference", "env-rules.md"), b.Bytes())
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := diff.Diff(path, want, "as it should be", got); len(d) > 0 {
		t.Errorf("%s is not up to date: run this test with -update and read the diff\n%s", path, d)
	}
}

// TestGitHubLimit: GitHub shows ten annotations of a kind. Errors come first, the last
// notice counts what is left, and the log has it.
func TestGitHubLimit(t *testing.T) {
	r := &envcheck.Report{Omitted: 5}
	for i := range 13 {
		for _, l := range []envcheck.Level{envcheck.Info, envcheck.Warning, envcheck.Error} {
			r.Findings = append(r.Findings, envcheck.Finding{File: ".env", Line: i + 1, Col: 1, Rule: "type", Level: l, Message: fmt.Sprintf("number %d\nof %s", i, l)})
		}
	}
	lines := strings.Split(strings.TrimSuffix(string(write(t, GitHub, r, Info{})), "\n"), "\n")
	count := map[string]int{}
	for _, line := range lines {
		kind, _, _ := strings.Cut(strings.TrimPrefix(line, "::"), " ")
		count[kind]++
	}
	if count["error"] != 10 || count["warning"] != 10 || count["notice"] != 10 || count["-"] != 10 {
		t.Errorf("counts %v\n%s", count, strings.Join(lines, "\n"))
	}
	if !strings.HasPrefix(lines[9], "::error ") || !strings.HasPrefix(lines[10], "::warning ") {
		t.Error("errors come first")
	}
	if last := lines[len(lines)-1]; !strings.HasPrefix(last, "::notice title=opsctl::15 more: ") {
		t.Errorf("the last line is %q", last)
	}
}

func TestPathsFromTheRoot(t *testing.T) {
	r := &envcheck.Report{Files: []string{".env"}, Findings: []envcheck.Finding{
		{File: ".env", Line: 2, Col: 3, Rule: "type", Level: envcheck.Error, Message: "m"},
		{File: envcheck.ProcessName, Line: 1, Col: 1, Rule: "type", Level: envcheck.Error, Message: "m"},
	}}
	info := Info{Path: func(file string) string { return "apps/web/" + file }}
	for format, want := range map[string]string{
		GitHub: "::error file=apps/web/.env,line=2,col=3,title=type::m\n::error title=type::m\n",
		SARIF:  `"uri": "apps/web/.env"`,
		JUnit:  `<testsuite name="apps/web/.env"`,
	} {
		if out := string(write(t, format, r, info)); !strings.Contains(out, want) {
			t.Errorf("%s: no %q in\n%s", format, want, out)
		}
	}
}

func TestUnknownFormat(t *testing.T) {
	if err := Write(&bytes.Buffer{}, "yaml", &envcheck.Report{}, Info{}); err == nil {
		t.Error("no error")
	}
}
