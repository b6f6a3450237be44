package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/opsctl/opsctl/internal/atomicfile"
	"github.com/opsctl/opsctl/internal/deploy"
	"github.com/opsctl/opsctl/internal/envcheck"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/execx"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/ui"
)

type envPullOptions struct {
	platform string
	out      string
	force    bool
	reveal   bool
}

// envPullReport is the data of env pull into a file.
type envPullReport struct {
	Schema   string            `json:"schema"` // opsctl.env.pull/v1
	App      string            `json:"app"`
	Platform string            `json:"platform"`
	Env      string            `json:"environment"`
	Source   string            `json:"source"`
	File     string            `json:"file"`
	DryRun   bool              `json:"dry_run"`
	Written  []string          `json:"written"`
	Left     map[string]string `json:"left"` // name to reason
}

// stdoutName is what --out says for standard output.
const stdoutName = "-"

func newEnvPullCmd(a *app) *cobra.Command {
	var o envPullOptions
	cmd := &cobra.Command{
		Use:   "pull",
		Short: "Write an environment's variables to a file",
		Long: `Write the variables that the app runs with to a dotenv file that only you can read.
Without --out it is .env.MODE.local beside opsctl.yaml, the file that Next.js prefers
in that mode here (.env.production.local for production and staging). An existing
file is replaced with --force only.

Fly.io does not give secrets back by its API, but a started machine has them: its
environment is read there, and the app's secrets and the plain variables of its
release are kept. An image without cat or env cannot be read.

The file reads as exactly these values, in Next.js and in docker compose. A variable
for which no spelling does, or whose value is not the one that was set last, is left
out, named in a comment of the file, and the exit status is 9.

Exit status: 0 written, 5 no such app, 6 the file exists, 9 some were left out.`,
		Example: `  opsctl env pull --platform fly --env production
  opsctl env pull --out backup.env --force
  opsctl env pull --out - | age -r age1... > production.env.age`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.envPull(cmd.Context(), o) },
	}
	cmd.Flags().StringVar(&o.platform, "platform", "", "platform to read from (default: the environment's)")
	cmd.Flags().StringVar(&o.out, "out", "", "`file` to write, - for standard output (default .env.MODE.local)")
	cmd.Flags().BoolVar(&o.force, "force", false, "replace an existing file")
	cmd.Flags().BoolVar(&o.reveal, "reveal", false, "with --out -: show the values on a terminal too")
	return cmd
}

func (a *app) envPull(ctx context.Context, o envPullOptions) error {
	t, err := a.target("env pull", o.platform)
	if err != nil {
		return err
	}
	if o.out == "" {
		o.out = filepath.Join(a.projectDir(t), ".env."+envcheck.Mode(t.name)+".local")
	}
	if err := a.mayPull(o); err != nil {
		return err
	}
	p, err := a.platform(ctx, t)
	if err != nil {
		return err
	}
	reader, ok := p.(platform.Variables)
	if !ok {
		return errs.New(errs.Usage, "%s gives no values back", p.Name()).WithHint("keep them where they were set from")
	}
	set, err := reader.ReadVariables(ctx, t.env.App)
	if err != nil {
		return err
	}
	for _, v := range set.Values {
		a.redact.Add(v.Value)
	}
	header := []string{fmt.Sprintf("%s on %s (%s), as %s had it on %s. Secrets: keep this file out of git.", t.env.App, t.env.Platform, t.name, set.Source, a.now().UTC().Format(time.DateTime))}
	text, left := deploy.RenderDotenv(envcheck.ReaderOf(t.project.Stack), header, set)
	report := envPullReport{
		Schema: "opsctl.env.pull/v1", App: t.env.App, Platform: t.env.Platform, Env: t.name,
		Source: set.Source, File: o.out, DryRun: a.global.DryRun, Written: []string{}, Left: left,
	}
	for _, v := range set.Values {
		if left[v.Name] == "" {
			report.Written = append(report.Written, v.Name)
		}
	}
	return a.writePulled(ctx, o, text, report)
}

// mayPull refuses before anything is read what could not be written after.
func (a *app) mayPull(o envPullOptions) error {
	if o.out == stdoutName {
		switch {
		case a.global.JSON:
			return errs.New(errs.Usage, "--json says what was written to a file, and --out - writes the file itself").WithHint("take one of them")
		case a.onTerminal() && !o.reveal:
			return errs.New(errs.Usage, "the values of secrets would be shown on this terminal").WithHint("write them to a file with --out FILE, pipe them on, or say --reveal")
		}
		return nil
	}
	info, err := os.Lstat(o.out)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return errs.Wrap(err, errs.Usage, "look at %s", o.out)
	case info.IsDir():
		return errs.New(errs.Usage, "%s is a directory", o.out).WithHint("name a file with --out")
	case !o.force:
		return outExists(o.out)
	}
	return nil
}

// onTerminal tells whether what goes to stdout is shown, also by a terminal that CI or
// TERM says to leave plain.
func (a *app) onTerminal() bool {
	out, _ := a.io.Raw()
	f, ok := out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func outExists(path string) error {
	return errs.New(errs.Conflict, "%s exists, and is left as it is", path).WithHint("write another file with --out, or replace this one with --force")
}

func (a *app) writePulled(ctx context.Context, o envPullOptions, text []byte, r envPullReport) error {
	switch {
	case len(r.Written)+len(r.Left) == 0:
		a.io.Warn("%s has no variables; nothing was written", r.App)
	case len(r.Written) == 0: // a file without a variable is none
		if o.out == stdoutName {
			return pulledPartly(r)
		}
		r.File = ""
	case o.out == stdoutName:
		if a.global.DryRun {
			break
		}
		out, _ := a.io.Raw() // byte for byte: no escape code of a value is taken for one of ours
		if _, err := out.Write(text); err != nil {
			return err
		}
		return pulledPartly(r)
	default:
		a.warnOfGit(ctx, o.out)
		if a.global.DryRun {
			break
		}
		if err := writeSecretFile(o.out, text, o.force); err != nil {
			return err
		}
	}
	if err := a.printPulled(r); err != nil {
		return err
	}
	return pulledPartly(r)
}

// writeSecretFile has the mode of a secret from the moment it exists. A file in its
// place is replaced as a whole, and only when that was asked for.
func writeSecretFile(path string, text []byte, force bool) error {
	write := atomicfile.Create
	if force {
		write = atomicfile.Write
	}
	err := write(path, text, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return outExists(path)
	}
	if err != nil {
		return errs.Wrap(err, errs.Failure, "write %s", path)
	}
	return nil
}

// warnOfGit says when git would take the file.
func (a *app) warnOfGit(ctx context.Context, path string) {
	dir, name := filepath.Dir(path), filepath.Base(path)
	if _, ok := repositoryRoot(dir); !ok {
		return
	}
	if tracked, err := gitTracked(ctx, dir, []string{name}); err == nil && len(tracked) > 0 {
		a.io.Warn("git tracks %s: take it out with git rm --cached %s, or secrets get into the history", path, path)
		return
	}
	if err := execx.Run(ctx, execx.Cmd{Path: "git", Args: []string{"check-ignore", "--quiet", "--", name}, Dir: dir}); err != nil {
		a.io.Warn("git does not ignore %s: add %s to .gitignore before you commit", path, name)
	}
}

func (a *app) printPulled(r envPullReport) error {
	if a.global.JSON {
		return ui.JSON(a.io.Out, r)
	}
	if len(r.Written) == 0 {
		return nil
	}
	verb := "written to"
	if r.DryRun {
		verb = "would be written to"
	}
	_, err := fmt.Fprintf(a.io.Out, "%s of %s (%s) %s %s\n", ui.Count(int64(len(r.Written)), "variable"), r.App, r.Source, verb, r.File)
	if err == nil && r.DryRun && !a.global.Quiet {
		fmt.Fprintln(a.io.Err, ui.Faint("dry run: nothing was changed"))
	}
	return err
}

// pulledPartly is the error of a pull that left something out; nil when it did not.
func pulledPartly(r envPullReport) error {
	if len(r.Left) == 0 {
		return nil
	}
	names := slices.Sorted(maps.Keys(r.Left))
	var why []string
	for _, name := range names {
		why = append(why, name+": "+r.Left[name])
	}
	verb := "was"
	if len(names) > 1 {
		verb = "were"
	}
	nothing := ""
	if len(r.Written) == 0 {
		nothing = "nothing was written: "
	}
	return errs.New(errs.Partial, "%s%s %s left out", nothing, joinWords(names), verb).WithHint("%s", strings.Join(why, "\n"))
}
