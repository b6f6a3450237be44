package world

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"sort"
	"strconv"
	"syscall"
	"time"
)

// ErrNotRunning is a command for a machine that does not run.
var ErrNotRunning = errors.New("machine is not running")

// ExecResult is how a command in a machine ended.
type ExecResult struct {
	Code           int
	Signal         int
	Stdout, Stderr string
}

// Exec runs a program beside the machine's process, with the same environment
// and directory. A program that does not exist ends with 127, as in a shell; one
// that does not end in time is killed, with all it started, and is ctx's error.
func (m *Machine) Exec(ctx context.Context, argv []string, stdin string) (ExecResult, error) {
	m.w.mu.Lock()
	spec, port, running := m.spec, m.port, m.state == Started && m.proc != nil
	m.w.mu.Unlock()
	if !running {
		return ExecResult{}, ErrNotRunning
	}
	env, dir, err := m.surroundings(spec, port)
	if err != nil {
		return ExecResult{}, err
	}
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...) //nolint:gosec // running the user's command is the purpose
	cmd.Env, cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = env, dir, bytes.NewReader([]byte(stdin)), &out, &errOut
	cmd.WaitDelay = 200 * time.Millisecond
	ownGroup(cmd)
	cmd.Cancel = func() error { return signalGroup(cmd.Process.Pid, syscall.SIGKILL) }
	if err := m.w.spawner.start(cmd); err != nil {
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
			return ExecResult{Code: 127, Stderr: argv[0] + ": not found\n"}, nil
		}
		return ExecResult{}, err
	}
	err = cmd.Wait()
	_ = signalGroup(cmd.Process.Pid, syscall.SIGKILL) // nothing it started may outlive it
	res := ExecResult{Stdout: out.String(), Stderr: errOut.String()}
	var ee *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return res, ctx.Err()
	case errors.As(err, &ee):
		res.Code, res.Signal = exitStatus(ee)
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return res, err
	}
	return res, nil
}

// surroundings are the environment and the directory of a machine's processes.
func (m *Machine) surroundings(spec Spec, port int) (list []string, dir string, err error) {
	if err := os.MkdirAll(m.home(), 0o700); err != nil {
		return nil, "", err
	}
	dir = m.w.opts.WorkDir
	if dir == "" {
		dir = m.home()
	}
	env := map[string]string{"PATH": os.Getenv("PATH"), "HOME": m.home()}
	maps.Copy(env, spec.Env)
	if port > 0 {
		env["PORT"] = strconv.Itoa(port)
	}
	list = make([]string, 0, len(env))
	for k, v := range env {
		list = append(list, k+"="+v)
	}
	sort.Strings(list)
	return list, dir, nil
}
