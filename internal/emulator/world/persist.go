package world

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// keptLogLines is how many lines of an app's log are kept.
const keptLogLines = 1000

// worldState is a world on paper. It holds the machines' environments and the
// databases' passwords, so it is as secret as they are.
type worldState struct {
	IDs       []byte          `json:"ids"` // state of the identifiers' source, so that none comes twice
	Apps      []appState      `json:"apps,omitempty"`
	Databases []databaseState `json:"databases,omitempty"`
	Redis     []redisState    `json:"redis,omitempty"`
}

type appState struct {
	Name     string         `json:"name"`
	Hosts    []string       `json:"hosts,omitempty"`
	LogSeq   int64          `json:"log_seq"`
	Logs     []LogLine      `json:"logs,omitempty"`
	Machines []machineState `json:"machines,omitempty"`
}

type machineState struct {
	ID       string         `json:"id"`
	Region   string         `json:"region"`
	Spec     Spec           `json:"spec"`
	State    State          `json:"state"`
	Cordoned bool           `json:"cordoned,omitempty"`
	Events   []Event        `json:"events"`
	Retries  int            `json:"retries,omitempty"`
	Reached  map[State]bool `json:"reached,omitempty"`
}

type databaseState struct {
	ID         string       `json:"id"`
	Spec       DatabaseSpec `json:"spec"`
	PoolerPort int          `json:"pooler_port"`
}

type redisState struct {
	ID       string     `json:"id"`
	Name     string     `json:"name"`
	Password string     `json:"password"`
	Port     int        `json:"port"`
	Data     *redisData `json:"data"`
}

// Snapshot describes the world for Restore: apps with their logs and machines,
// the Redis servers with their data, and which database servers there are (their
// data is in Options.Dir). Images are their own matter: see OpenImages. It may be
// called at any time.
func (w *World) Snapshot() (json.RawMessage, error) {
	st, err := w.state()
	if err != nil {
		return nil, err
	}
	return json.Marshal(st)
}

func (w *World) state() (worldState, error) {
	var st worldState
	var err error
	for _, a := range w.Apps() {
		st.Apps = append(st.Apps, a.state())
	}
	for _, db := range w.Databases() {
		spec := db.Spec
		_, spec.Port = db.Addr()
		spec.Home, spec.Cache = "", ""
		_, pooler := db.PoolerAddr()
		st.Databases = append(st.Databases, databaseState{db.ID, spec, pooler})
	}
	for _, r := range w.Redises() {
		st.Redis = append(st.Redis, redisState{r.ID, r.Name, r.Password, r.Port, dumpRedis(r.srv, time.Now())})
	}
	st.IDs, err = w.ids.state()
	return st, err
}

func (a *App) state() appState {
	st := appState{Name: a.Name}
	st.Logs, st.LogSeq = a.Logs.tail(keptLogLines)
	a.w.mu.Lock()
	defer a.w.mu.Unlock()
	st.Hosts = append(st.Hosts, a.hosts...)
	for _, m := range a.machines {
		ms := machineState{
			ID: m.ID, Region: m.Region, Spec: m.spec, State: m.state, Cordoned: m.cordoned, Retries: m.retries,
			Events: append([]Event(nil), m.events...), Reached: map[State]bool{},
		}
		maps.Copy(ms.Reached, m.reached)
		st.Machines = append(st.Machines, ms)
	}
	return st
}

// Restore makes an empty world what Snapshot described, in the same Dir.
// Machines that ran are started again without a trace in their history, and
// database and Redis servers, on their old ports where these are free. It returns
// when the servers accept connections. After an error the world is only good
// for Close, which leaves the databases as they are.
func (w *World) Restore(state json.RawMessage) error {
	var st worldState
	if err := json.Unmarshal(state, &st); err != nil {
		return fmt.Errorf("read the kept world: %w", err)
	}
	if len(w.Apps())+len(w.Databases()) > 0 {
		return errors.New("the world is not empty")
	}
	if err := w.ids.setState(st.IDs); err != nil {
		return fmt.Errorf("read the kept world: %w", err)
	}
	if err := w.restoreDatabases(st.Databases); err != nil {
		return err
	}
	for _, r := range st.Redis {
		if _, err := w.startRedis(context.Background(), &Redis{ID: r.ID, Name: r.Name, Password: r.Password, Port: r.Port}, r.Data); err != nil {
			return err
		}
	}
	for _, as := range st.Apps {
		a, fresh := w.NewApp(as.Name, as.Hosts...)
		if !fresh {
			return fmt.Errorf("read the kept world: the app %s is there twice", as.Name)
		}
		a.Logs.set(as.Logs, as.LogSeq)
		for _, ms := range as.Machines {
			a.restoreMachine(ms)
		}
	}
	return nil
}

// restoreDatabases starts all servers at once; the order stays.
func (w *World) restoreDatabases(list []databaseState) error {
	if len(list) > 0 && w.opts.StartDatabase == nil {
		return fmt.Errorf("restore %d databases: %w", len(list), ErrNoDatabases)
	}
	if !w.ownDir {
		w.removeStrays(list)
	}
	servers := make([]DatabaseServer, len(list))
	failed := make([]error, len(list))
	var all sync.WaitGroup
	for i := range list {
		all.Go(func() {
			spec := &list[i].Spec
			w.place(list[i].ID, spec)
			servers[i], failed[i] = w.opts.StartDatabase(context.Background(), *spec)
		})
	}
	all.Wait()
	err := errors.Join(failed...)
	for i, db := range list {
		switch {
		case servers[i] == nil:
		case err != nil:
			err = errors.Join(err, servers[i].Stop(true))
		default:
			_, err = w.addDatabase(db.ID, db.Spec, servers[i], db.PoolerPort)
		}
	}
	return err
}

// removeStrays removes the directories of databases that nothing knows: the
// emulator was killed before it could note them, or after it forgot them.
func (w *World) removeStrays(list []databaseState) {
	known := map[string]bool{}
	for _, db := range list {
		known[db.ID] = true
	}
	dir := filepath.Join(w.opts.Dir, databasesDir)
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if !known[e.Name()] && !strings.HasPrefix(e.Name(), ".") {
			_ = os.RemoveAll(filepath.Join(dir, e.Name())) // it only takes room
		}
	}
}

// restoreMachine adds a machine in the state that it had, and starts its
// process again if it had one.
func (a *App) restoreMachine(ms machineState) {
	m := a.blankMachine(ms.Region, ms.Spec, ms.ID, ms.Cordoned)
	a.w.mu.Lock()
	defer a.w.mu.Unlock()
	m.state, m.events, m.retries, m.reached = ms.State, ms.Events, ms.Retries, ms.Reached
	if m.reached == nil {
		m.reached = map[State]bool{}
	}
	a.machines = append(a.machines, m)
	m.resetChecks("the machine hasn't started")
	a.w.touch()
	if m.state == Destroying {
		m.state = Destroyed
	}
	if m.state == Destroyed {
		close(m.ended)
		return
	}
	a.w.loops.Add(1)
	go m.loop()
	m.goOn()
}

// goOn takes up what the machine was doing when the emulator ended. Callers hold w.mu.
func (m *Machine) goOn() {
	last := Event{}
	if n := len(m.events); n > 0 {
		last = m.events[n-1]
	}
	switch {
	case m.state == Stopping:
		m.setLocked(Stopped)
	case m.state == Started && m.spec.AutoDestroy:
		// A task, such as a migration, must not run twice: it was killed.
		m.enqueue(func() { m.exited(Exit{Code: 137, Signal: 9, At: m.w.Now()}) })
	case m.state == Started:
		m.enqueue(m.resume)
	case m.state.Transient():
		m.enqueue(m.boot)
	case m.state == Stopped && last.Again:
		m.alarm <- m.gen
	}
}
