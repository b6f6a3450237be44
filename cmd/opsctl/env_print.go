package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/envcheck"
	"github.com/opsctl/opsctl/internal/envcheck/report"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/ui"
)

// reportFormats are the formats of what a command finds.
func reportFormats() []string {
	return []string{"text", "json", report.GitHub, report.SARIF, report.JUnit}
}

// checkFormat is the usage error for a format that does not exist; "" is text.
func checkFormat(format string) error {
	if format == "" || slices.Contains(reportFormats(), format) {
		return nil
	}
	err := errs.New(errs.Usage, "unknown format %q", format)
	if near := errs.Closest(format, reportFormats()); near != "" {
		return err.WithHint("did you mean %s?", near)
	}
	return err.WithHint("one of: %s", strings.Join(reportFormats(), ", "))
}

// findings is what a command that reports findings has to print.
type findings struct {
	command string // such as "env check"
	report  *envcheck.Report
	json    any    // the object of --format json
	summary string // the last line of text
}

// printEnvReport prints the result of env check.
func (a *app) printEnvReport(r *envcheck.Report, format string) error {
	return a.printFindings(format, findings{
		command: "env check", report: r, summary: envSummary(r),
		json: struct {
			Schema string `json:"schema"`
			*envcheck.Report
			DryRun bool `json:"dry_run,omitempty"` // what is in fixed would be repaired
		}{"opsctl.env.check/v1", r, a.global.DryRun},
	})
}

// printFindings prints what a command found in one of reportFormats.
func (a *app) printFindings(format string, f findings) error {
	switch format {
	case "json":
		return ui.JSON(a.io.Out, f.json)
	case "", "text":
		for _, finding := range f.report.Findings {
			printFinding(a.io.Out, finding)
		}
		if f.report.Omitted > 0 {
			fmt.Fprintf(a.io.Out, "and %s more of the same rules\n", ui.Count(int64(f.report.Omitted), "finding"))
		}
		_, err := fmt.Fprintln(a.io.Out, f.summary)
		return err
	}
	return report.Write(a.io.Out, format, f.report, report.Info{
		Command: f.command, Version: buildVersion().Version, Path: a.fromRoot(),
	})
}

// fromRoot gives paths as the services that read reports know them: from the root of the
// repository (GITHUB_WORKSPACE, or the folder with .git), with slashes. A file outside of
// it keeps its absolute path.
func (a *app) fromRoot() func(string) string {
	here, err := os.Getwd()
	if err != nil {
		return filepath.ToSlash
	}
	here = resolved(here)
	root, ok := repositoryRoot(here)
	if !ok {
		root = here
	}
	if ws := a.getenv("GITHUB_WORKSPACE"); ws != "" {
		if ws = resolved(ws); isBelow(ws, here) {
			root = ws
		}
	}
	return func(file string) string {
		if !filepath.IsAbs(file) {
			file = filepath.Join(here, file)
		} else {
			file = filepath.Join(resolved(filepath.Dir(file)), filepath.Base(file))
		}
		rel, err := filepath.Rel(root, file)
		if err != nil || !filepath.IsLocal(rel) {
			return filepath.ToSlash(file)
		}
		return filepath.ToSlash(rel)
	}
}

// resolved is a path without symbolic links, where it exists.
func resolved(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// isBelow reports whether a path is a folder or inside it.
func isBelow(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// printFinding writes one line that editors can jump to, and the fix below it.
func printFinding(w io.Writer, f envcheck.Finding) {
	where := f.File
	if f.File != envcheck.ProcessName {
		where = fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Col)
	}
	fmt.Fprintf(w, "%s %s %s %s\n", where, envLevel(f.Level), ui.Bold(f.Rule), f.Message)
	if f.Fix != "" {
		fmt.Fprintf(w, "    %s\n", ui.Faint(strings.ReplaceAll(f.Fix, "\n", "\n    ")))
	}
}

func envLevel(l envcheck.Level) string {
	switch l {
	case envcheck.Error:
		return ui.Red(string(l))
	case envcheck.Warning:
		return ui.Yellow(string(l))
	}
	return ui.Cyan(string(l))
}

func envSummary(r *envcheck.Report) string {
	files := strings.Join(r.Files, ", ")
	if files == "" && len(r.Unread) > 0 {
		files = "no readable file"
	} else if files == "" {
		files = "no file"
	}
	scope := fmt.Sprintf("%s, %s, %s", r.Env, files, ui.Count(int64(r.Variables), "variable"))
	if len(r.Findings) == 0 {
		return fmt.Sprintf("%s ok: %s", ui.OK, scope)
	}
	mark := ui.OK
	if !r.OK {
		mark = ui.Fail
	}
	text := fmt.Sprintf("%s %s, %s (%s)", mark, ui.Count(int64(r.Errors), "error"), ui.Count(int64(r.Warnings), "warning"), scope)
	if r.NotChecked > 0 {
		text += fmt.Sprintf("; %s not checked: %s cannot be read", ui.Count(int64(r.NotChecked), "required variable"), strings.Join(r.Unread, ", "))
	}
	return text
}
