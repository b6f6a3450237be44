package nextconfig

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite what the shapes in testdata want")

// shapeFile is a case of testdata: what it is about, the edit, the file, and then what is
// read, what is written and what is refused. Without a want, nothing is written.
type shapeFile struct {
	path, name string
	archive    *txtar.Archive
	changes    Changes
	in         []byte
	want       []byte
	facts      string
	refused    string
	done       string
}

func shapes(tb testing.TB) []shapeFile {
	tb.Helper()
	paths, err := filepath.Glob("testdata/shapes/*.txtar")
	if err != nil || len(paths) == 0 {
		tb.Fatalf("no shapes: %v", err)
	}
	var out []shapeFile
	for _, p := range paths {
		a, err := txtar.ParseFile(p)
		if err != nil {
			tb.Fatal(err)
		}
		s := shapeFile{path: p, archive: a, changes: changesOf(string(a.Comment))}
		for _, f := range a.Files {
			switch f.Name {
			case "want":
				s.want = f.Data
			case "facts":
				s.facts = string(f.Data)
			case "refused":
				s.refused = string(f.Data)
			case "done":
				s.done = string(f.Data)
			default:
				s.name, s.in = f.Name, f.Data
			}
		}
		if s.want == nil {
			s.want = s.in
		}
		out = append(out, s)
	}
	return out
}

// changesOf reads the edit: line of a case.
func changesOf(comment string) Changes {
	var c Changes
	_, line, _ := strings.Cut(comment, "edit:")
	for word := range strings.FieldsSeq(line) {
		key, value, _ := strings.Cut(word, "=")
		if key == "standalone" {
			c.Standalone = true
			continue
		}
		if c.Sentry == nil {
			c.Sentry = &Sentry{}
		}
		switch key {
		case "org":
			c.Sentry.Org = value
		case "project":
			c.Sentry.Project = value
		}
	}
	return c
}

func factsText(name string, src []byte) string {
	facts, err := Read(name, src)
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	var b strings.Builder
	for _, o := range []struct {
		key, value string
		line       int
	}{{"output", facts.Output, facts.OutputLine}, {"basePath", facts.BasePath, facts.BasePathLine}, {"distDir", facts.DistDir, facts.DistDirLine}} {
		switch {
		case o.line > 0 && o.value == "":
			fmt.Fprintf(&b, "%s: computed in line %d\n", o.key, o.line)
		case o.line > 0:
			fmt.Fprintf(&b, "%s: %s in line %d\n", o.key, o.value, o.line)
		}
	}
	for _, o := range []struct {
		key string
		is  bool
	}{{"CommonJS", facts.CommonJS}, {"Sentry", facts.Sentry}, {"tracing root", facts.TracingRoot}} {
		if o.is {
			fmt.Fprintln(&b, o.key)
		}
	}
	return b.String()
}

// Each shape that configurations are seen in is read and edited as its file says.
func TestShapes(t *testing.T) {
	for _, s := range shapes(t) {
		t.Run(strings.TrimSuffix(filepath.Base(s.path), ".txtar"), func(t *testing.T) {
			got := Edit(s.name, s.in, s.changes)
			facts := factsText(s.name, s.in)
			refused, done := "", ""
			if got.Refused != "" {
				refused = got.Refused + "\n"
			}
			if len(got.Done) > 0 {
				done = strings.Join(got.Done, "\n") + "\n"
			}
			if *update {
				s.rewrite(t, facts, got.Src, done, refused)
				return
			}
			for _, c := range []struct{ what, got, want string }{
				{"facts", facts, s.facts}, {"file", string(got.Src), string(s.want)}, {"done", done, s.done}, {"refused", refused, s.refused},
			} {
				if c.got != c.want {
					t.Errorf("%s:\n%s\nwant:\n%s", c.what, c.got, c.want)
				}
			}
			if again := Edit(s.name, got.Src, s.changes); !bytes.Equal(again.Src, got.Src) || len(again.Done) > 0 || (again.Refused == "") != (got.Refused == "") {
				t.Errorf("a second edit did something else: %q, refused %q", again.Done, again.Refused)
			}
		})
	}
}

func (s *shapeFile) rewrite(t *testing.T, facts string, src []byte, done, refused string) {
	t.Helper()
	a := &txtar.Archive{Comment: s.archive.Comment, Files: []txtar.File{{Name: s.name, Data: s.in}}}
	add := func(name, data string) {
		if data != "" {
			a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(data)})
		}
	}
	add("facts", facts)
	if !bytes.Equal(src, s.in) {
		add("want", string(src))
	}
	add("done", done)
	add("refused", refused)
	if err := os.WriteFile(s.path, txtar.Format(a), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A file for Windows, or one with a byte order mark, is edited the same, and keeps
// both.
func TestLineEndsAndByteOrderMark(t *testing.T) {
	for _, s := range shapes(t) {
		plain := Edit(s.name, s.in, s.changes)
		for _, v := range []struct {
			name string
			of   func(string) string
		}{
			{"CRLF", func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }},
			{"BOM", func(s string) string { return "\ufeff" + s }},
			{"no line end at the end", func(s string) string { return strings.TrimSuffix(s, "\n") }},
		} {
			if v.name == "BOM" && bytes.HasPrefix(s.in, []byte("#!")) {
				continue // a mark before a shebang is an error
			}
			got := Edit(s.name, []byte(v.of(string(s.in))), s.changes)
			if want := v.of(string(plain.Src)); string(got.Src) != want || got.Refused != plain.Refused {
				t.Errorf("%s, %s:\n%q\nwant:\n%q\nrefused %q, want %q", s.path, v.name, got.Src, want, got.Refused, plain.Refused)
			}
		}
	}
}
