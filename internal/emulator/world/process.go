package world

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Exit is how a process ended.
type Exit struct {
	Code      int // exit status; 128 + signal when a signal ended it
	Signal    int // the signal, or 0
	Requested bool
	OOM       bool
	At        time.Time
}

// process is something that runs in a machine.
type process interface {
	Pid() int
	Signal(sig syscall.Signal) error
	// Done delivers the end exactly once.
	Done() <-chan Exit
}

// osProcess is a program with a process group of its own.
type osProcess struct {
	cmd  *exec.Cmd
	done chan Exit
}

func (p *osProcess) Pid() int                        { return p.cmd.Process.Pid }
func (p *osProcess) Signal(sig syscall.Signal) error { return signalGroup(p.cmd.Process.Pid, sig) }
func (p *osProcess) Done() <-chan Exit               { return p.done }

// startProcess starts argv. Its output goes to out line by line.
func (w *World) startProcess(argv, env []string, dir string, emit func(string)) (process, error) {
	out := &lineWriter{emit: emit}
	cmd := exec.Command(argv[0], argv[1:]...) //nolint:gosec,noctx // running the user's command is the purpose; it ends by the machine's own signals
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = env, dir, out, out
	// A grandchild that keeps the pipe open must not hold up the exit.
	cmd.WaitDelay = 200 * time.Millisecond
	ownGroup(cmd)
	if err := w.spawner.start(cmd); err != nil {
		return nil, err
	}
	p := &osProcess{cmd: cmd, done: make(chan Exit, 1)}
	go func() {
		err := cmd.Wait()
		_ = signalGroup(cmd.Process.Pid, syscall.SIGKILL) // nothing it started may outlive it
		out.flush()
		e := Exit{At: w.Now()}
		var ee *exec.ExitError
		switch {
		case errors.As(err, &ee):
			e.Code, e.Signal = exitStatus(ee)
		case err != nil && !errors.Is(err, exec.ErrWaitDelay):
			e.Code = 1
		}
		p.done <- e
	}()
	return p, nil
}

// spawner starts all processes from one thread that lives as long as the
// world. On Linux the kernel is asked to kill a child when that thread ends,
// so that not even a killed emulator leaves a process behind.
type spawner struct {
	jobs chan func()
	end  chan struct{}
}

func newSpawner() *spawner {
	s := &spawner{jobs: make(chan func()), end: make(chan struct{})}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		for {
			select {
			case job := <-s.jobs:
				job()
			case <-s.end:
				return
			}
		}
	}()
	return s
}

func (s *spawner) start(cmd *exec.Cmd) error {
	errc := make(chan error, 1)
	select {
	case s.jobs <- func() { errc <- cmd.Start() }:
		return <-errc
	case <-s.end:
		return errors.New("the emulator is shutting down")
	}
}

func (s *spawner) close() { close(s.end) }

// placeholder stands for an image when no command was given: it answers every
// request with 200 and the machine's identity.
type placeholder struct {
	srv  *http.Server
	done chan Exit
	stop chan syscall.Signal
}

func startPlaceholder(port int, identity map[string]string, now func() time.Time) (process, error) {
	p := &placeholder{done: make(chan Exit, 1), stop: make(chan syscall.Signal, 8)}
	body, err := json.Marshal(identity)
	if err != nil {
		return nil, err
	}
	if port > 0 {
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return nil, err
		}
		p.srv = &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			_, _ = rw.Write(body)
		})}
		go func() { _ = p.srv.Serve(ln) }()
	}
	go func() {
		sig := <-p.stop
		if p.srv != nil {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			if p.srv.Shutdown(ctx) != nil {
				_ = p.srv.Close()
			}
		}
		e := Exit{At: now()}
		if sig == syscall.SIGKILL {
			e.Code, e.Signal = 137, 9
		}
		p.done <- e
	}()
	return p, nil
}

func (p *placeholder) Pid() int { return 0 }

func (p *placeholder) Signal(sig syscall.Signal) error {
	select {
	case p.stop <- sig:
	default:
	}
	return nil
}

func (p *placeholder) Done() <-chan Exit { return p.done }

// freePort asks the kernel for a port on the loopback interface.
func freePort() (int, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func(c io.Closer) { _ = c.Close() }(ln)
	return ln.Addr().(*net.TCPAddr).Port, nil
}
