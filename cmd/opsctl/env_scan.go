package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/envcheck"
	"github.com/opsctl/opsctl/internal/envcheck/usage"
	"github.com/opsctl/opsctl/internal/envcheck/usage/audit"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/execx"
	"github.com/opsctl/opsctl/internal/ui"
)

// envScanFlags are the flags of env scan.
type envScanFlags struct {
	schema, format      string
	list, strict, tests bool
}

func newEnvScanCmd(a *app) *cobra.Command {
	var f envScanFlags
	cmd := &cobra.Command{
		Use:   "scan [DIR...]",
		Short: "Compare the variables that the source reads with the schema",
		Long: `Compare the variables that the source reads with the schema, in both directions:
what the code reads and the schema does not have (scan-undeclared), what the schema
has and nothing reads (scan-unused), and, with Next.js, what is undefined in the
browser (scan-client, scan-computed).

JavaScript and TypeScript (also in Vue, Svelte and Astro files), Python and Go are
read by their syntax: what stands in comments, strings or the text of JSX does not
count, what a validator such as t3-env or pydantic asks for does, and so do Prisma's
env() and the structs that Go libraries fill. A read whose name cannot be known is an
info. A variable that is only set, handed on or mentioned, in a
compose file for instance, counts as used. Without DIR the folder of the schema is
scanned, without what git ignores, node_modules, hidden folders and build output; of
folders that are only a part of it, what is unused is not told.

A variable whose reads all have a default or stand behind a check of it, and one that
only tests read, is a warning; a check that throws or exits makes it an error. With
--tests what tests read has to be in the schema too. A key that
something else reads is silenced with @auditIgnore above it, a path with
@auditIgnorePaths(...) in the schema's header.

--list lists every variable with its places instead, and needs no schema. Exit status:
0 no error, 2 no readable schema, 3 errors found (or warnings, with --strict).`,
		Example: `  opsctl env scan
  opsctl env scan apps/web packages/db
  opsctl env scan --list
  opsctl env scan --list --json | jq -r '.variables[].name'
  opsctl env scan --strict --format github    # in CI`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.envScan(cmd.Context(), args, f) },
	}
	cmd.Flags().StringVar(&f.schema, "schema", "", "schema `file` (default: env.schema of opsctl.yaml, .env.schema)")
	cmd.Flags().StringVar(&f.format, "format", "", "text, json, github, sarif or junit (default text)")
	cmd.Flags().BoolVar(&f.list, "list", false, "list every variable with its places")
	cmd.Flags().BoolVar(&f.strict, "strict", false, "a warning fails the command too")
	cmd.Flags().BoolVar(&f.tests, "tests", false, "what tests read has to be in the schema too")
	return cmd
}

func (a *app) envScan(ctx context.Context, args []string, f envScanFlags) error {
	if err := checkFormat(f.format); err != nil {
		return err
	}
	if f.format == "" && a.global.JSON {
		f.format = "json"
	}
	if f.list && f.format != "" && f.format != "text" && f.format != "json" {
		return errs.New(errs.Usage, "--list has no format %s", f.format).WithHint("one of: text, json")
	}
	dir, path, err := a.envPaths(f.schema)
	if err != nil {
		return err
	}
	var schema *envcheck.Schema
	if !f.list {
		var mistakes []envcheck.Finding
		schema, mistakes, err = envcheck.LoadSchema(dir, path, a.global.Env, envcheck.ReadRegular)
		if err != nil {
			return err
		}
		a.tellMistakes(mistakes)
	}
	if len(args) == 0 {
		args = []string{dir}
	}
	used, err := scanFolders(ctx, dir, args, schema, filepath.Dir(path))
	if err != nil {
		return err
	}
	for _, n := range used.Notes {
		a.io.Warn("%s: %s", used.shown(n.File), n.Message)
	}
	if f.list {
		return a.printUses(used.Result, used.shown, f.format)
	}
	found := audit.Compare(schema, used.Result, audit.Options{Tests: f.tests, Partial: used.partial})
	r := &envcheck.Report{
		Files: []string{}, Unread: []string{}, Findings: []envcheck.Finding{}, Variables: len(schema.Items),
		Silenced: found.Silenced, Keys: schema.Keys(), SchemaFile: inDir(dir, schema.Name), Strict: f.strict,
	}
	for _, finding := range found.Findings {
		if finding.Rule == audit.Unused {
			finding.File = inDir(dir, finding.File)
		} else {
			finding.File = used.shown(finding.File)
		}
		r.Findings = append(r.Findings, finding)
		switch finding.Level {
		case envcheck.Error:
			r.Errors++
		case envcheck.Warning:
			r.Warnings++
		case envcheck.Info:
			r.Infos++
		}
	}
	r.OK = r.Errors == 0 && (!f.strict || r.Warnings == 0)
	if err := a.printScan(r, used.Result, f.format); err != nil {
		return err
	}
	if !r.OK {
		return silent(errs.CheckFailed)
	}
	return nil
}

// tellMistakes says that the schema has mistakes; env check lists them.
func (a *app) tellMistakes(findings []envcheck.Finding) {
	for _, f := range findings {
		if f.Level == envcheck.Error {
			a.io.Warn("%s:%d:%d: %s (opsctl env check lists the mistakes of the schema)", f.File, f.Line, f.Col, f.Message)
			return
		}
	}
}

// scannedFolders is what a scan of folders found.
type scannedFolders struct {
	*usage.Result
	shown   func(string) string // how a file of the result is shown
	partial bool                // the schema's folder is not among them as a whole
}

// scanFolders scans folders, which may be outside of the one of the schema: what is
// shared in a monorepo often is.
func scanFolders(ctx context.Context, dir string, folders []string, schema *envcheck.Schema, schemaDir string) (*scannedFolders, error) {
	base, err := filepath.Abs(filepath.Join(dir, schemaDir))
	if err != nil {
		return nil, err
	}
	home, roots := base, make([]string, len(folders))
	for i, folder := range folders {
		if folder == "" {
			folder = "."
		}
		if info, err := os.Stat(folder); err != nil || !info.IsDir() {
			return nil, errs.New(errs.Usage, "%s is no folder", folder).WithHint("name the folders that hold the source")
		}
		if roots[i], err = filepath.Abs(folder); err != nil {
			return nil, err
		}
		for !isBelow(base, roots[i]) {
			base = filepath.Dir(base)
		}
	}
	o := usage.Options{Ignored: gitIgnored(ctx, base)}
	for _, root := range roots {
		rel, err := filepath.Rel(base, root)
		if err != nil {
			return nil, err
		}
		o.Roots = append(o.Roots, filepath.ToSlash(rel))
	}
	o.Roots = outermost(o.Roots)
	if schema != nil {
		o.Names = schema.Keys()
		if excluded := audit.IgnoredPaths(schema); excluded != nil {
			o.Exclude = func(name string) bool {
				rel, err := filepath.Rel(home, filepath.Join(base, filepath.FromSlash(name)))
				return err == nil && excluded(filepath.ToSlash(rel))
			}
		}
	}
	used, err := usage.Scan(ctx, os.DirFS(base), o)
	if err != nil {
		return nil, err
	}
	here, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	out := &scannedFolders{Result: used, partial: !slices.ContainsFunc(roots, func(r string) bool { return isBelow(r, home) })}
	out.shown = func(name string) string {
		path := filepath.Join(base, filepath.FromSlash(name))
		if rel, err := filepath.Rel(here, path); err == nil {
			return rel
		}
		return path
	}
	return out, nil
}

// outermost leaves out folders that are in others of the list.
func outermost(roots []string) []string {
	var out []string
	slices.Sort(roots)
	for _, r := range slices.Compact(roots) {
		if !slices.ContainsFunc(out, func(o string) bool { return o == "." || strings.HasPrefix(r+"/", o+"/") }) {
			out = append(out, r)
		}
	}
	return out
}

// gitIgnored asks git once what it ignores, by the repository's own rules; nil where
// there is no repository.
func gitIgnored(ctx context.Context, dir string) func(string) bool {
	if _, ok := repositoryRoot(dir); !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	out, err := execx.Output(ctx, execx.Cmd{Path: "git", Dir: dir, Args: []string{
		"-c", "core.excludesFile=", "ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z",
	}})
	if err != nil {
		return nil
	}
	ignored := map[string]bool{}
	for name := range strings.SplitSeq(string(out), "\x00") {
		ignored[strings.TrimSuffix(name, "/")] = true
	}
	return func(name string) bool { return ignored[name] }
}

func (a *app) printScan(r *envcheck.Report, used *usage.Result, format string) error {
	read := map[string]bool{}
	for _, u := range used.Uses {
		if !u.NotReads {
			read[u.Name] = true
		}
	}
	mark := ui.OK
	if !r.OK {
		mark = ui.Fail
	}
	summary := fmt.Sprintf("%s %s, %s (%s read in %s, %d in the schema)", mark, ui.Count(int64(r.Errors), "error"), ui.Count(int64(r.Warnings), "warning"),
		ui.Count(int64(len(read)), "variable"), ui.Count(int64(used.Files), "file"), r.Variables)
	return a.printFindings(format, findings{
		command: "env scan", report: r, summary: summary,
		json: struct {
			Schema   string             `json:"schema"`
			OK       bool               `json:"ok"`
			Errors   int                `json:"errors"`
			Warnings int                `json:"warnings"`
			Infos    int                `json:"infos"`
			Silenced int                `json:"silenced"`
			Files    int                `json:"files"`
			Read     int                `json:"read"`      // variables that the source reads
			Declared int                `json:"variables"` // keys of the schema
			Findings []envcheck.Finding `json:"findings"`
		}{"opsctl.env.scan/v1", r.OK, r.Errors, r.Warnings, r.Infos, r.Silenced, used.Files, len(read), r.Variables, r.Findings},
	})
}

// usesOf is a variable with its places, as --list shows it.
type usesOf struct {
	Name   string      `json:"name"`
	Places []usage.Use `json:"places"`
}

func (a *app) printUses(used *usage.Result, shown func(string) string, format string) error {
	variables, at := []usesOf{}, map[string]int{}
	for _, u := range used.Uses {
		u.File = shown(u.File)
		i, ok := at[u.Name]
		if !ok {
			i = len(variables)
			at[u.Name], variables = i, append(variables, usesOf{Name: u.Name})
		}
		variables[i].Places = append(variables[i].Places, u)
	}
	slices.SortFunc(variables, func(a, b usesOf) int { return strings.Compare(a.Name, b.Name) })
	dynamic := append([]usage.Dynamic{}, used.Dynamic...)
	for i := range dynamic {
		dynamic[i].File = shown(dynamic[i].File)
	}
	if format == "json" {
		return ui.JSON(a.io.Out, struct {
			Schema    string          `json:"schema"`
			Files     int             `json:"files"`
			Variables []usesOf        `json:"variables"`
			Dynamic   []usage.Dynamic `json:"dynamic"`
		}{"opsctl.env.scan.list/v1", used.Files, variables, dynamic})
	}
	return writeUses(a.io.Out, variables, dynamic, used.Files)
}

func writeUses(w io.Writer, variables []usesOf, dynamic []usage.Dynamic, files int) error {
	for _, v := range variables {
		fmt.Fprintln(w, ui.Bold(v.Name))
		for _, u := range v.Places {
			var about []string
			for _, flag := range []struct {
				set  bool
				text string
			}{{u.Optional, "optional"}, {u.Test, "test"}, {u.Client, "client"}, {u.NotReads, "not a read"}} {
				if flag.set {
					about = append(about, flag.text)
				}
			}
			text := u.Form
			if len(about) > 0 {
				text += " (" + strings.Join(about, ", ") + ")"
			}
			fmt.Fprintf(w, "  %s:%d:%d %s\n", u.File, u.Line, u.Col, ui.Faint(text))
		}
	}
	if len(dynamic) > 0 {
		fmt.Fprintln(w, ui.Faint("names that cannot be known"))
		for _, d := range dynamic {
			fmt.Fprintf(w, "  %s:%d:%d %s\n", d.File, d.Line, d.Col, ui.Faint(d.Form))
		}
	}
	_, err := fmt.Fprintf(w, "%s %s in %s\n", ui.OK, ui.Count(int64(len(variables)), "variable"), ui.Count(int64(files), "file"))
	return err
}
