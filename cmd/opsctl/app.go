package main

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/config"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/ui"
)

// app is what every command gets: the streams, the environment, the global
// settings, and the project file, loaded when a command first asks for it.
type app struct {
	io     *ui.Streams
	lookup func(string) (string, bool) // environment
	now    func() time.Time
	redact errs.Redactor
	global config.Global // resolved before a command runs

	running bool // a command's RunE was reached, so an error is its own
	loader  *config.Loader
}

func newApp(io *ui.Streams, lookup func(string) (string, bool)) *app {
	return &app{io: io, lookup: lookup, now: time.Now, loader: config.NewLoader(lookup)}
}

// getenv is the value of an environment variable, or "".
func (a *app) getenv(name string) string {
	v, _ := a.lookup(name)
	return v
}

// project loads opsctl.yaml with everything that overrides it. Without a file the
// defaults are returned; a command that cannot do without calls requireProject.
func (a *app) project() (*config.Project, error) { return a.loader.Project(a.global) }

// requireProject is project, and a usage error when there is no file.
func (a *app) requireProject(command string) (*config.Project, error) {
	p, err := a.project()
	if err != nil {
		return nil, err
	}
	if p.Path == "" {
		return nil, errs.New(errs.Usage, "%s needs an opsctl.yaml, and there is none here or above", command).
			WithHint("run: opsctl init")
	}
	return p, nil
}

// execute runs the command line and returns the exit status. It is the only
// place that prints an error.
func (a *app) execute(ctx context.Context, args []string) int {
	root := newRootCmd(a)
	root.SetArgs(args)
	root.SetOut(a.io.Out)
	root.SetErr(a.io.Err)
	root.SetIn(a.io.In)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	if status := exitStatus(0); errors.As(err, &status) {
		return int(status)
	}
	if !a.running && errs.CodeOf(err) == errs.Failure {
		err = usageError(cmd, err)
	}
	// An interrupted command says so, whatever the cancellation looked like further down.
	if ctx.Err() != nil && errs.CodeOf(err) == errs.Failure {
		err = errs.Wrap(err, errs.Interrupted, "")
	}
	if errors.Is(err, syscall.EPIPE) { // whoever read the output has seen enough
		return brokenPipe
	}
	if !errors.Is(err, errSilent) {
		a.io.PrintError(err, a.global.JSON || slices.Contains(args, "--json"), func(s string) string { return a.forEnv(a.redact.Redact(s)) })
	}
	return errs.ExitCode(err)
}

// brokenPipe is the exit status of a program that SIGPIPE ended, as shells show it.
const brokenPipe = 141

// errSilent marks an error whose text the command has already printed as its
// result (a failed check, for instance): only the exit status is left to give.
var errSilent = errors.New("")

// silent is an error of the given code that prints nothing.
func silent(code errs.Code) error { return errs.Wrap(errSilent, code, "") }

// parseError is what Go's number parser says of a flag's value; the value and
// the flag stand before it.
var parseError = regexp.MustCompile(`: (strconv\.\w+|time): .*$`)

// together is what cobra says of flags that are not used together; the group of all
// such flags stands before it.
var together = regexp.MustCompile(`none of the others can be; \[([^]]*)\] were all set`)

// usageError turns what cobra says of a command line into a usage error with a way on.
func usageError(cmd *cobra.Command, err error) error {
	msg, _, _ := strings.Cut(err.Error(), "\n\nDid you mean")
	msg = parseError.ReplaceAllString(msg, "")
	if match := together.FindStringSubmatch(msg); match != nil {
		msg = "flags that exclude each other: --" + strings.Join(strings.Fields(match[1]), ", --")
	}
	e := errs.New(errs.Usage, "%s", strings.TrimSpace(msg))
	if name, ok := strings.CutPrefix(msg, "unknown flag: --"); ok {
		if near := errs.Closest(name, flagNames(cmd)); near != "" {
			return e.WithHint("did you mean --%s?", near)
		}
	}
	return e.WithHint("run: %s --help", cmd.CommandPath())
}
