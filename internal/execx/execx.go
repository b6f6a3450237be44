// Package execx runs other programs: bound to a context, with the end of
// their standard error in the error, and stopped as a whole process group.
package execx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
)

// stopGrace is how long a program has between SIGTERM and SIGKILL.
const stopGrace = 5 * time.Second

// tailSize is how much of standard error an Error keeps.
const tailSize = 4 << 10

// Cmd is a program to run. Secrets belong into Env, never into Args.
type Cmd struct {
	Path   string   // program, looked up on PATH when it has no slash
	Args   []string // without the program's name
	Env    []string // whole environment, KEY=VALUE; nil means the parent's
	Dir    string
	Stdin  io.Reader
	Stdout io.Writer // nil discards
	Stderr io.Writer // nil keeps only the tail for the error; a file is handed over as it is, without a tail
	User   *User     // run as another user; nil means the current one
}

// User is the identity to run a program as (only root can change it).
type User struct {
	UID, GID uint32
	Home     string
}

// Error is a program that could not be started or ended with a status other than 0.
type Error struct {
	Program string
	Exit    int    // exit status; -1 when killed by a signal or not started
	Stderr  string // the last lines it wrote, redacted
	Cause   error
}

func (e *Error) Error() string {
	msg := fmt.Sprintf("%s: %v", e.Program, e.Cause)
	if e.Stderr != "" {
		msg += ": " + e.Stderr
	}
	return msg
}

// Unwrap returns what os/exec or the context reported.
func (e *Error) Unwrap() error { return e.Cause }

// Run runs the program to its end. When ctx ends first, the process group
// gets SIGTERM, then SIGKILL after five seconds, and the error wraps ctx.Err().
func Run(ctx context.Context, c Cmd) error {
	p, err := Start(ctx, c)
	if err != nil {
		return err
	}
	return p.Wait()
}

// Output runs the program and returns its standard output.
func Output(ctx context.Context, c Cmd) ([]byte, error) {
	var out bytes.Buffer
	c.Stdout = &out
	err := Run(ctx, c)
	return out.Bytes(), err
}

// Process is a started program.
type Process struct {
	cmd  *exec.Cmd
	ctx  context.Context //nolint:containedctx // only to tell cancellation from failure in Wait
	tail *tail
}

// Start starts the program; the caller must call Wait.
func Start(ctx context.Context, c Cmd) (*Process, error) {
	cmd := exec.CommandContext(ctx, c.Path, c.Args...)
	t := &tail{max: tailSize}
	cmd.Env, cmd.Dir, cmd.Stdin, cmd.Stdout = c.Env, c.Dir, c.Stdin, c.Stdout
	switch w := c.Stderr.(type) {
	case nil:
		cmd.Stderr = t
	case *os.File:
		cmd.Stderr = w
	default:
		cmd.Stderr = io.MultiWriter(w, t)
	}
	isolate(cmd, c.User)
	cmd.Cancel = func() error { return terminate(cmd) }
	cmd.WaitDelay = stopGrace
	if err := cmd.Start(); err != nil {
		return nil, &Error{Program: filepath.Base(c.Path), Exit: -1, Cause: err}
	}
	return &Process{cmd: cmd, ctx: ctx, tail: t}, nil
}

// Pid is the process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Wait waits for the program's end; nil means exit status 0.
func (p *Process) Wait() error {
	err := p.cmd.Wait()
	killGroup(p.cmd) // nothing the program started may outlive it
	if err == nil {
		return nil
	}
	exit := -1
	if ee, ok := errors.AsType[*exec.ExitError](err); ok {
		exit = ee.ExitCode()
	}
	if ctxErr := context.Cause(p.ctx); ctxErr != nil {
		err = ctxErr
	}
	return &Error{
		Program: filepath.Base(p.cmd.Path),
		Exit:    exit,
		Stderr:  errs.Redact(strings.TrimSpace(p.tail.String())),
		Cause:   err,
	}
}

// Terminate sends SIGTERM to the process group.
func (p *Process) Terminate() error { return terminate(p.cmd) }

// Look finds a program in dirs first, then on PATH. The error has code
// Failure and a hint that is install, the command that brings it.
func Look(name, neededBy, install string, dirs ...string) (string, error) {
	for _, d := range dirs {
		if p, err := exec.LookPath(filepath.Join(d, name)); err == nil {
			return p, nil
		}
	}
	if p, err := exec.LookPath(name); err == nil {
		return p, nil
	}
	return "", errs.New(errs.Failure, "%s needs %s, which was not found", neededBy, name).WithHint("%s", install)
}

// tail keeps the last max bytes written to it.
type tail struct {
	buf []byte
	max int
}

func (t *tail) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - t.max; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return string(t.buf) }
