package usage

import (
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/evanw/esbuild/pkg/api"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write the golden files anew")

func corpus(t *testing.T) fstest.MapFS {
	t.Helper()
	a, err := txtar.ParseFile(filepath.Join("testdata", "corpus.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	fsys := fstest.MapFS{}
	for _, f := range a.Files {
		fsys[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	return fsys
}

func TestCorpus(t *testing.T) {
	r := scanned(t, corpus(t), Options{})
	var b strings.Builder
	for _, u := range r.Uses {
		fmt.Fprintf(&b, "%s:%d:%d %s (%s, %s)", u.File, u.Line, u.Col, u.Name, u.Lang, u.Form)
		for _, flag := range []struct {
			set  bool
			text string
		}{{u.Optional, "optional"}, {u.Asserted, "asserted"}, {u.Test, "test"}, {u.Client, "client"}, {u.Indirect, "indirect"}, {u.NotReads, "not a read"}} {
			if flag.set {
				b.WriteString(" " + flag.text)
			}
		}
		b.WriteString("\n")
	}
	for _, d := range r.Dynamic {
		fmt.Fprintf(&b, "%s:%d:%d * %s %v\n", d.File, d.Line, d.Col, d.Form, d.Whole)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "%s:%d %s\n", n.File, n.Line, n.Message)
	}
	golden := filepath.Join("testdata", "corpus.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("not as in %s (renew it with -update):\n%s", golden, b.String())
	}
}

// What a real parser makes of a file, without comments, types and JSX, uses the same
// variables as the file. OPSCTL_SCAN_TREE names a folder whose files are compared, too.
func TestTheSameAsAParserSees(t *testing.T) {
	files := map[string]string{}
	for name, f := range corpus(t) {
		files[name] = string(f.Data)
	}
	if tree := os.Getenv("OPSCTL_SCAN_TREE"); tree != "" {
		err := filepath.WalkDir(tree, func(p string, e os.DirEntry, err error) error {
			if err == nil && e.Type().IsRegular() && loaderOf(p) != api.LoaderNone && len(files) < 50_000 {
				if src, err := os.ReadFile(p); err == nil && len(src) < maxFile/2 && strings.Contains(string(src), "env") {
					files[p] = string(src)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for name, src := range files {
		if loaderOf(name) == api.LoaderNone || strings.HasSuffix(name, ".d.ts") {
			continue
		}
		out := api.Transform(src, api.TransformOptions{
			Loader: loaderOf(name), Target: api.ESNext, LogLevel: api.LogLevelSilent,
			TsconfigRaw: `{"compilerOptions":{"verbatimModuleSyntax":true}}`,
		})
		if len(out.Errors) > 0 || len(out.Code) > maxFile {
			continue
		}
		n++
		got := variablesOf(t, "a"+path.Ext(name), src)
		if want := variablesOf(t, "a.js", string(out.Code)); !slices.Equal(got, want) {
			t.Errorf("%s: found %v, in what esbuild makes of it %v", name, got, want)
		}
	}
	if n < 4 {
		t.Errorf("only %d files were compared", n)
	}
}

func loaderOf(name string) api.Loader {
	switch path.Ext(name) {
	case ".ts", ".mts", ".cts":
		return api.LoaderTS
	case ".tsx":
		return api.LoaderTSX
	case ".js", ".jsx":
		return api.LoaderJSX
	case ".mjs", ".cjs":
		return api.LoaderJS
	}
	return api.LoaderNone
}

func variablesOf(t *testing.T, name, src string) []string {
	t.Helper()
	var out []string
	for _, u := range scanned(t, fstest.MapFS{name: {Data: []byte(src)}}, Options{Workers: 1}).Uses {
		out = append(out, u.Name)
	}
	slices.Sort(out)
	return out
}
