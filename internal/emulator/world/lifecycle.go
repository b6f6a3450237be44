package world

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// defaultStopTimeout is how long a process has to end after its stop signal.
const defaultStopTimeout = 5 * time.Second

// enqueue hands work to the machine's loop, which does one thing at a time.
// Callers hold w.mu; f runs without it.
func (m *Machine) enqueue(f func()) {
	m.queue = append(m.queue, f)
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// take removes the next piece of work, or returns nil.
func (m *Machine) take() func() {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	if len(m.queue) == 0 || m.state == Destroyed {
		return nil
	}
	f := m.queue[0]
	m.queue = m.queue[1:]
	return f
}

// loop owns the machine's process until the machine is destroyed.
func (m *Machine) loop() {
	defer m.w.loops.Done()
	defer close(m.ended)
	for {
		if f := m.take(); f != nil {
			f()
			continue
		}
		m.w.mu.Lock()
		proc, state := m.proc, m.state
		m.w.mu.Unlock()
		if state == Destroyed {
			return
		}
		var done <-chan Exit
		if proc != nil {
			done = proc.Done()
		}
		select {
		case <-m.wake:
		case e := <-done:
			m.exited(e)
		case gen := <-m.alarm:
			m.restartDue(gen)
		}
	}
}

// Start starts a machine that doesn't run, with a new spec when given. It
// reports the state before.
func (m *Machine) Start(spec *Spec) State {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	prev := m.state
	if prev == Started || prev == Starting || prev == Destroyed || prev == Destroying {
		return prev
	}
	if spec != nil {
		m.spec = *spec
	}
	m.retries = 0
	m.gen++
	m.event("start", Starting, "user")
	m.enqueue(m.boot)
	return prev
}

// Update replaces the spec. A machine that runs is stopped and started again
// with it; start says whether one that doesn't run is started.
func (m *Machine) Update(spec Spec, start bool) {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	if m.state == Destroyed || m.state == Destroying {
		return
	}
	old := m.spec
	m.spec = spec
	m.retries = 0
	m.gen++
	m.event("update", Replacing, "user")
	m.resetChecks("the machine hasn't started")
	m.enqueue(func() {
		m.end(old.StopSignal, old.StopTimeout)
		if start {
			m.boot()
		} else {
			m.set(Stopped)
		}
	})
}

// Stop ends the process: sig, then SIGKILL after timeout. Zero values mean the spec's.
func (m *Machine) Stop(sig syscall.Signal, timeout time.Duration) {
	m.halt("stop", Stopped, sig, timeout)
}

// Suspend stands for a snapshot to disk; here the process simply ends.
func (m *Machine) Suspend() { m.halt("suspend", Suspended, 0, 0) }

func (m *Machine) halt(typ string, final State, sig syscall.Signal, timeout time.Duration) {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	switch m.state {
	case Stopped, Suspended, Stopping, Destroying, Destroyed:
		return
	}
	m.gen++ // a pending restart is off
	m.event(typ, Stopping, "user")
	m.enqueue(func() {
		m.end(sig, timeout)
		m.w.mu.Lock()
		destroy := m.spec.AutoDestroy
		m.setLocked(final)
		m.w.mu.Unlock()
		if destroy {
			m.destroyed()
		}
	})
}

// Restart stops and starts the process with a new spec when given.
func (m *Machine) Restart(spec *Spec, sig syscall.Signal, timeout time.Duration) {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	if m.state == Destroyed || m.state == Destroying {
		return
	}
	old := m.spec
	if spec != nil {
		m.spec = *spec
	}
	if sig == 0 {
		sig = old.StopSignal
	}
	if timeout == 0 {
		timeout = old.StopTimeout
	}
	m.retries = 0
	m.gen++
	m.event("restart", Restarting, "user")
	m.enqueue(func() {
		m.end(sig, timeout)
		m.boot()
	})
}

// Destroy ends the machine for good. Without force a running machine is
// refused. It returns at once; the state is Destroyed a little later.
func (m *Machine) Destroy(force bool) error {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	switch m.state {
	case Destroyed, Destroying:
		return nil
	case Started, Starting, Replacing, Restarting, Stopping:
		if !force {
			return fmt.Errorf("unable to destroy machine, not currently stopped or suspended")
		}
	}
	m.gen++
	m.event("destroy", Destroying, "user")
	if m.proc != nil {
		_ = m.proc.Signal(syscall.SIGKILL) // also cuts short a stop in progress
	}
	m.enqueue(func() {
		m.end(syscall.SIGKILL, 0)
		m.destroyed()
	})
	return nil
}

// Signal sends a signal to the process. The restart policy treats an end that
// it brings about like a crash.
func (m *Machine) Signal(sig syscall.Signal) error {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	if m.proc == nil {
		return fmt.Errorf("machine is not running")
	}
	return m.proc.Signal(sig)
}

// shutdown ends the machine without ceremony, when the world ends.
func (m *Machine) shutdown() {
	m.w.mu.Lock()
	m.gen++
	if m.proc != nil {
		_ = m.proc.Signal(syscall.SIGKILL)
	}
	m.enqueue(func() {
		m.end(syscall.SIGKILL, 0)
		m.set(Destroyed)
	})
	m.w.mu.Unlock()
}

// destroyed makes the machine's end final.
func (m *Machine) destroyed() {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	m.event("destroy", Destroyed, "flyd")
	_ = os.RemoveAll(m.home())
}

// end stops the process, if there is one, and waits for it. Only the loop calls it.
func (m *Machine) end(sig syscall.Signal, timeout time.Duration) {
	m.w.mu.Lock()
	proc := m.proc
	if sig == 0 {
		sig = m.spec.StopSignal
	}
	if timeout == 0 {
		timeout = m.spec.StopTimeout
	}
	m.w.mu.Unlock()
	if proc == nil {
		return
	}
	if sig == 0 {
		sig = syscall.SIGTERM
	}
	if timeout == 0 {
		timeout = defaultStopTimeout
	}
	_ = proc.Signal(sig)
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	var e Exit
	select {
	case e = <-proc.Done():
	case <-timer.C:
		m.logf("Virtual machine exited after its stop timeout of %s: killed", timeout)
		_ = proc.Signal(syscall.SIGKILL)
		e = <-proc.Done()
	}
	e.Requested = true
	m.record(e, false, false)
}

// boot starts the process. Only the loop calls it.
func (m *Machine) boot() { m.run(false) }

// resume is boot for a machine that counts as started already: its history
// shows nothing of it.
func (m *Machine) resume() { m.run(true) }

func (m *Machine) run(quiet bool) {
	m.w.mu.Lock()
	if m.w.closed || m.proc != nil || m.state == Destroyed || m.state == Destroying {
		m.w.mu.Unlock()
		return
	}
	m.gen++
	gen, spec := m.gen, m.spec
	if !quiet {
		m.setLocked(Starting)
	}
	m.w.mu.Unlock()

	port := 0
	var proc process
	var err error
	if spec.Port > 0 {
		port, err = freePort()
	}
	if err == nil {
		proc, err = m.launch(spec, port)
	}
	if err != nil {
		m.logf("ERROR: could not start the machine's process: %v", err)
		m.w.Logf("machine %s/%s: could not start: %v", m.App.Name, m.ID, err)
		m.w.mu.Lock()
		m.event("start", Started, "flyd").Retries = m.retries // as there: the machine is up, its process isn't
		m.w.mu.Unlock()
		m.exited(Exit{Code: 127, At: m.w.Now()})
		return
	}
	m.w.mu.Lock()
	m.proc, m.port = proc, port
	if !quiet {
		m.event("start", Started, "flyd").Retries = m.retries
	}
	m.w.touch()
	m.startChecks(gen)
	m.w.mu.Unlock()
}

// launch runs the spec's command, or what stands for the image.
func (m *Machine) launch(spec Spec, port int) (process, error) {
	argv := spec.Argv
	if argv == nil {
		argv = m.w.opts.Exec
	}
	if len(argv) == 0 {
		return startPlaceholder(port, spec.Identity, m.w.Now)
	}
	env, dir, err := m.surroundings(spec, port)
	if err != nil {
		return nil, err
	}
	return m.w.startProcess(argv, env, dir, func(line string) { m.App.Logs.add(m.ID, m.Region, "app", line) })
}

// exited handles an end that nobody asked for.
func (m *Machine) exited(e Exit) {
	m.w.mu.Lock()
	spec, retries := m.spec, m.retries
	asked := m.state == Destroying || m.state == Stopping
	m.w.mu.Unlock()
	again := !asked && !spec.AutoDestroy && !m.w.isClosed() &&
		(spec.Restart == RestartAlways || (spec.Restart == RestartOnFailure && e.Code != 0 && retries < spec.MaxRetries))
	m.logf("Main child exited with code: %d", e.Code)
	m.record(e, again, true)
	switch {
	case asked:
	case spec.AutoDestroy:
		m.destroyed()
	case again:
		m.w.mu.Lock()
		m.retries++
		gen := m.gen
		pause := m.w.opts.RestartBackoff << min(m.retries-1, 3)
		m.w.mu.Unlock()
		time.AfterFunc(min(pause, 10*m.w.opts.RestartBackoff), func() {
			select {
			case m.alarm <- gen:
			case <-m.ended:
			}
		})
	}
}

// record writes the exit into the history.
func (m *Machine) record(e Exit, again, final bool) {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	m.proc, m.port = nil, 0
	if m.stopCks != nil {
		m.stopCks()
		m.stopCks = nil
	}
	m.resetChecks("the machine hasn't started")
	state := m.state
	if final && state != Destroying {
		state = Stopped
	}
	ev := m.event("exit", state, "flyd")
	ev.Exit, ev.Again = &e, again
}

// restartDue starts a crashed process again, unless something else happened meanwhile.
func (m *Machine) restartDue(gen int) {
	m.w.mu.Lock()
	due := gen == m.gen && m.proc == nil
	if due {
		m.event("restart", Starting, "flyd")
	}
	m.w.mu.Unlock()
	if due {
		m.boot()
	}
}

func (w *World) isClosed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closed
}
