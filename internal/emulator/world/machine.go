package world

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// State is where a machine is in its life.
type State string

// The states, with the names that the platforms' documents share.
const (
	Created    State = "created"
	Starting   State = "starting"
	Started    State = "started"
	Stopping   State = "stopping"
	Stopped    State = "stopped"
	Suspended  State = "suspended"
	Replacing  State = "replacing"
	Restarting State = "restarting"
	Destroying State = "destroying"
	Destroyed  State = "destroyed"
)

// Transient reports whether the state will change by itself.
func (s State) Transient() bool {
	switch s {
	case Created, Starting, Stopping, Replacing, Restarting, Destroying:
		return true
	}
	return false
}

// RestartPolicy says what happens when a process ends by itself.
type RestartPolicy string

// The policies.
const (
	RestartNo        RestartPolicy = "no"
	RestartOnFailure RestartPolicy = "on-failure"
	RestartAlways    RestartPolicy = "always"
)

// Spec is what a machine runs.
type Spec struct {
	Argv []string          // nil: the world's Exec, which stands for the image
	Env  map[string]string // everything but PATH, HOME and PORT
	// Port is the port the app is configured to listen on. The process gets a
	// free one in PORT instead, since all machines share one address. 0: none.
	Port        int
	Identity    map[string]string // what the placeholder answers with
	Checks      []Check
	Restart     RestartPolicy
	MaxRetries  int
	StopSignal  syscall.Signal
	StopTimeout time.Duration
	AutoDestroy bool // destroyed when its process ends
}

// Event is one entry of a machine's history.
type Event struct {
	ID      string
	Type    string // launch, start, restart, exit, stop, update, suspend, destroy
	Status  State  // the state it led to
	Source  string // "user" or "flyd": asked for, or happened
	Time    time.Time
	Exit    *Exit // with Type exit
	Again   bool  // with Type exit: the restart policy starts it again
	Retries int   // with Type start: how many restarts came before
}

// Machine is one virtual machine: a process with a restart policy and checks.
type Machine struct {
	ID     string
	Region string
	App    *App

	w     *World
	wake  chan struct{} // something was added to queue
	alarm chan int      // a restart whose pause is over, by generation

	// Guarded by w.mu.
	queue    []func()
	spec     Spec
	state    State
	cordoned bool
	events   []Event // oldest first
	checks   []CheckStatus
	proc     process
	port     int // where the process really listens
	gen      int // counts starts, so that stale timers and checks are ignored
	retries  int
	reached  map[State]bool // states since the last launch, update or start
	stopCks  func()
	ended    chan struct{} // closed when the loop has ended
}

// NewMachine adds a machine to the app. It starts unless stopped is true; a
// stopped one passes through created to stopped.
func (a *App) NewMachine(region string, spec Spec, id string, cordoned, stopped bool) *Machine {
	m := a.blankMachine(region, spec, id, cordoned)
	a.w.mu.Lock()
	defer a.w.mu.Unlock()
	if a.w.closed {
		m.state = Destroyed
		close(m.ended)
		return m
	}
	a.machines = append(a.machines, m)
	m.resetChecks("the machine hasn't started")
	m.event("launch", Created, "user")
	a.w.loops.Add(1)
	go m.loop()
	if stopped {
		m.enqueue(func() { m.set(Stopped) })
	} else {
		m.enqueue(m.boot)
	}
	return m
}

// blankMachine is a machine that is not in the app yet.
func (a *App) blankMachine(region string, spec Spec, id string, cordoned bool) *Machine {
	return &Machine{
		ID: id, Region: region, App: a, w: a.w, spec: spec, cordoned: cordoned, state: Created,
		wake: make(chan struct{}, 1), alarm: make(chan int, 16), ended: make(chan struct{}), reached: map[State]bool{},
	}
}

// Machine returns the app's machine with that id, or nil.
func (a *App) Machine(id string) *Machine {
	for _, m := range a.Machines() {
		if m.ID == id {
			return m
		}
	}
	return nil
}

// Snapshot is a machine at one moment.
type Snapshot struct {
	State    State
	Cordoned bool
	Checks   []CheckStatus
	Events   []Event // newest first
	Addr     string  // host:port of the process; empty when it has no port or doesn't run
	Pid      int     // 0 when it doesn't run or is a placeholder
	Changed  time.Time
	Reached  map[State]bool // states passed since the last launch, update or start
}

// Snapshot returns the machine's present state.
func (m *Machine) Snapshot() Snapshot {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	s := Snapshot{State: m.state, Cordoned: m.cordoned, Checks: append([]CheckStatus(nil), m.checks...), Reached: map[State]bool{}}
	maps.Copy(s.Reached, m.reached)
	for _, v := range slices.Backward(m.events) {
		s.Events = append(s.Events, v)
	}
	if len(s.Events) > 0 {
		s.Changed = s.Events[0].Time
	}
	if m.proc != nil {
		s.Pid = m.proc.Pid()
		if m.port > 0 {
			s.Addr = m.addr()
		}
	}
	return s
}

func (m *Machine) addr() string { return fmt.Sprintf("127.0.0.1:%d", m.port) }

// routable: started, not cordoned, and no gating check fails. Callers hold w.mu.
func (m *Machine) routable() bool {
	if m.state != Started || m.cordoned || m.port == 0 || m.proc == nil {
		return false
	}
	for i, c := range m.checks {
		if m.spec.Checks[i].Gate && c.Status != Passing {
			return false
		}
	}
	return true
}

// SetCordoned takes the machine out of the routing or puts it back.
func (m *Machine) SetCordoned(c bool) {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	m.cordoned = c
	m.w.touch()
}

// set changes the state and wakes waiters.
func (m *Machine) set(s State) {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	m.setLocked(s)
}

func (m *Machine) setLocked(s State) {
	m.state = s
	m.reached[s] = true
	m.w.touch()
}

// event appends to the history and changes the state. Callers hold w.mu.
func (m *Machine) event(typ string, s State, source string) *Event {
	m.events = append(m.events, Event{ID: m.w.ids.ulid(), Type: typ, Status: s, Source: source, Time: m.w.Now()})
	if typ == "launch" || typ == "update" || (typ == "start" && source == "user") {
		m.reached = map[State]bool{}
	}
	m.setLocked(s)
	m.w.Logf("machine %s/%s: %s, %s", m.App.Name, m.ID, typ, s)
	return &m.events[len(m.events)-1]
}

// home is the machine's private directory.
func (m *Machine) home() string { return filepath.Join(m.w.opts.Dir, "machines", m.ID) }

func (m *Machine) logf(format string, args ...any) {
	m.App.Logs.add(m.ID, m.Region, "runner", fmt.Sprintf(format, args...))
}
