package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/opsctl/opsctl/internal/deploy"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/execx"
	"github.com/opsctl/opsctl/internal/platform"
)

// hooksDir is where a project keeps the programs for moments of a deploy.
const hooksDir = ".opsctl/hooks"

// hooks are the programs of a project.
type hooks struct {
	dir, root string
	timeout   time.Duration
}

func (a *app) hooks(t target) hooks {
	root := filepath.Dir(t.project.Path)
	return hooks{dir: filepath.Join(root, filepath.FromSlash(hooksDir)), root: root, timeout: t.project.Deploy.HookTimeout.D()}
}

// Has tells whether there is a program for the moment. One that is there and cannot be
// run counts: Run says so.
func (h hooks) Has(m deploy.Moment) bool {
	info, err := os.Stat(filepath.Join(h.dir, string(m)))
	return err == nil && info.Mode().IsRegular()
}

// Run runs the program in the project's directory, with opsctl's own environment and vars.
func (h hooks) Run(ctx context.Context, m deploy.Moment, vars map[string]string, report platform.Report) error {
	path := filepath.Join(h.dir, string(m))
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode()&0o111 == 0 && runtime.GOOS != "windows" {
		return errs.New(errs.Usage, "%s is not executable", filepath.Join(hooksDir, string(m))).WithHint("chmod +x %s, or rename it to have it ignored", filepath.Join(hooksDir, string(m)))
	}
	env := os.Environ()
	for name, value := range vars {
		env = append(env, name+"="+value)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, h.timeout, errs.New(errs.Timeout, "it did not end within %s", h.timeout).WithHint("raise deploy.hook_timeout in opsctl.yaml"))
	defer cancel()
	lines, done := reporter(report)
	defer done()
	err = execx.Run(ctx, execx.Cmd{Path: path, Dir: h.root, Env: env, Stdout: lines, Stderr: lines})
	if errors.Is(err, exec.ErrWaitDelay) { // it ended well itself
		report("a program that the hook left in the background holds its output open")
		return nil
	}
	if cause := context.Cause(ctx); err != nil && cause != nil && ctx.Err() == context.DeadlineExceeded {
		return cause
	}
	return err
}

// reporter is a writer whose lines become reports; done waits for the last one.
func reporter(report platform.Report) (w io.Writer, done func()) {
	r, pipe := io.Pipe()
	var wait sync.WaitGroup
	wait.Go(func() {
		scanner := bufio.NewScanner(r)
		scanner.Buffer(nil, 1<<20)
		for scanner.Scan() {
			report("%s", scanner.Text())
		}
		_, _ = io.Copy(io.Discard, r) // a line that is too long must not stop the program
	})
	return pipe, func() {
		_ = pipe.Close()
		wait.Wait()
	}
}

// stray are the files in the hooks' directory that no moment is named after: a
// hook that never runs is worse than none.
func (h hooks) stray() []string {
	entries, err := os.ReadDir(h.dir)
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		known := slices.Contains(deploy.Moments(), deploy.Moment(e.Name()))
		if info, err := e.Info(); err == nil && !known && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			names = append(names, e.Name())
		}
	}
	return names
}
