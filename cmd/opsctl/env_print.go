package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/opsctl/opsctl/internal/envcheck"
	"github.com/opsctl/opsctl/internal/ui"
)

func (a *app) printEnvReport(r *envcheck.Report, format string) error {
	switch format {
	case "json":
		return ui.JSON(a.io.Out, struct {
			Schema string `json:"schema"`
			*envcheck.Report
		}{"opsctl.env.check/v1", r})
	case "github":
		for _, f := range r.Findings {
			if _, err := fmt.Fprintln(a.io.Out, githubAnnotation(f)); err != nil {
				return err
			}
		}
		return nil
	}
	for _, f := range r.Findings {
		printFinding(a.io.Out, f)
	}
	if r.Omitted > 0 {
		fmt.Fprintf(a.io.Out, "and %s more of the same rules\n", ui.Count(int64(r.Omitted), "finding"))
	}
	_, err := fmt.Fprintln(a.io.Out, envSummary(r))
	return err
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

// githubAnnotation is a workflow command of GitHub Actions, which shows the
// finding on its line of the pull request.
func githubAnnotation(f envcheck.Finding) string {
	kind := map[envcheck.Level]string{envcheck.Error: "error", envcheck.Warning: "warning", envcheck.Info: "notice"}[f.Level]
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	message := f.Message
	if f.Fix != "" {
		message += "\n" + f.Fix
	}
	return fmt.Sprintf("::%s file=%s,line=%d,col=%d,title=%s::%s", kind, property.Replace(f.File), f.Line, f.Col,
		property.Replace(f.Rule), data.Replace(message))
}
