package world

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"
)

func snapshot(tb testing.TB, w *World) string {
	tb.Helper()
	data, err := w.Snapshot()
	if err != nil {
		tb.Fatal(err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, data, "", " "); err != nil {
		tb.Fatal(err)
	}
	return out.String()
}

// withoutLogs takes the first app's log out of a snapshot.
func withoutLogs(tb testing.TB, snapshot string) (logs []LogLine, rest string) {
	tb.Helper()
	var st worldState
	if err := json.Unmarshal([]byte(snapshot), &st); err != nil {
		tb.Fatal(err)
	}
	logs = st.Apps[0].Logs
	st.Apps[0].Logs, st.Apps[0].LogSeq = nil, 0
	data, err := json.MarshalIndent(st, "", " ")
	if err != nil {
		tb.Fatal(err)
	}
	return logs, string(data)
}

// A world that is restored is the one that was kept, and its processes run.
func TestRestore(t *testing.T) {
	opts := Options{Exec: []string{self(t)}, Dir: t.TempDir(), Seed: 7}
	w := newWorld(t, opts)
	a, _ := w.NewApp("shop", "shop.localhost")
	a.AddHost("shop.example.com")
	spec := Spec{
		Env: map[string]string{"APP": "serve", "TOKEN": "x"}, Port: 8080, Restart: RestartOnFailure, MaxRetries: 3, StopTimeout: time.Second,
		Checks: []Check{{Name: "web", Type: "http", Path: "/", Interval: time.Second, Headers: http.Header{"X-A": {"1"}}, Gate: true}},
	}
	up := a.NewMachine("fra", spec, "up", true, false)
	down := a.NewMachine("ams", spec, "down", false, true)
	gone := a.NewMachine("fra", Spec{Env: map[string]string{"APP": "3"}, AutoDestroy: true}, "gone", false, false)
	for m, state := range map[*Machine]State{up: Started, down: Stopped, gone: Destroyed} {
		await(t, w, m.ID+" is "+string(state), func() bool { return m.Snapshot().State == state })
	}
	r, err := w.NewRedis(context.Background(), "cache")
	if err != nil {
		t.Fatal(err)
	}
	say(t, r, "AUTH "+r.Password, "SET k v")
	before := snapshot(t, w)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}

	again := newWorld(t, opts)
	if err := again.Restore(json.RawMessage(before)); err != nil {
		t.Fatal(err)
	}
	logs, after := withoutLogs(t, snapshot(t, again))
	keptLogs, kept := withoutLogs(t, before)
	if after != kept {
		t.Errorf("restored:\n%s\nkept:\n%s", after, kept)
	}
	if len(logs) < len(keptLogs) || !slices.Equal(logs[:len(keptLogs)], keptLogs) { // the process writes on
		t.Errorf("restored log %v, kept %v", logs, keptLogs)
	}
	m := again.App("shop").Machine("up")
	await(t, again, "the process runs and passes its check", func() bool {
		s := m.Snapshot()
		return s.Pid != 0 && s.Checks[0].Status == Passing
	})
	if len(again.App("shop").Backends()) != 0 {
		t.Error("a cordoned machine gets traffic")
	}
	m.SetCordoned(false)
	if len(again.AppByHost("shop.example.com").Backends()) != 1 {
		t.Error("no traffic for a machine that is up")
	}
	d := again.App("shop").Machine("down")
	d.Start(nil)
	await(t, again, "the stopped machine starts", func() bool { return d.Snapshot().State == Started })
	back := again.Redis(r.ID)
	if got := say(t, back, "AUTH "+r.Password, "GET k"); back.Port != r.Port || got[1] != "v" {
		t.Errorf("redis at %d (was %d) says %q", back.Port, r.Port, got)
	}
}

// What a machine was doing goes on, but a task is not done twice.
func TestRestoreInTheMiddle(t *testing.T) {
	for _, tt := range []struct {
		name  string
		state State
		spec  Spec
		event Event
		want  State
		types string
	}{
		{"a machine that was about to start", Created, Spec{Env: map[string]string{"APP": "serve"}, Port: 1}, Event{Type: "launch"}, Started, "start"},
		{"a machine that was being updated", Replacing, Spec{Env: map[string]string{"APP": "serve"}, Port: 1}, Event{Type: "update"}, Started, "start"},
		{"a machine that was stopping", Stopping, Spec{}, Event{Type: "stop"}, Stopped, "stop"},
		{"a machine that was being destroyed", Destroying, Spec{}, Event{Type: "destroy"}, Destroyed, "destroy"},
		{"a task", Started, Spec{Env: map[string]string{"APP": "0"}, AutoDestroy: true}, Event{Type: "start"}, Destroyed, "destroy"},
		{"a crashed machine that was to restart", Stopped, Spec{Env: map[string]string{"APP": "serve"}, Port: 1}, Event{Type: "exit", Again: true}, Started, "start"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, Options{Exec: []string{self(t)}})
			tt.event.Status = tt.state
			ids, err := w.ids.state()
			if err != nil {
				t.Fatal(err)
			}
			data, err := json.Marshal(worldState{IDs: ids, Apps: []appState{{Name: "a", Machines: []machineState{
				{ID: "m", Spec: tt.spec, State: tt.state, Events: []Event{tt.event}},
			}}}})
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Restore(data); err != nil {
				t.Fatal(err)
			}
			m := w.App("a").Machine("m")
			await(t, w, "it is "+string(tt.want), func() bool { return m.Snapshot().State == tt.want })
			if got := m.Snapshot().Events[0].Type; got != tt.types {
				t.Errorf("the last event is %s, want %s (%v)", got, tt.types, types(m))
			}
		})
	}
}

func TestRestoreRefuses(t *testing.T) {
	w := newWorld(t, Options{})
	good := snapshot(t, w)
	for _, bad := range []string{``, `[]`, `{}`, `{"ids":"AAAA"}`} {
		if err := w.Restore(json.RawMessage(bad)); err == nil {
			t.Errorf("%q was restored", bad)
		}
	}
	var st worldState
	if err := json.Unmarshal([]byte(good), &st); err != nil {
		t.Fatal(err)
	}
	st.Databases = []databaseState{{ID: "1"}}
	data, _ := json.Marshal(st)
	if err := w.Restore(data); !errors.Is(err, ErrNoDatabases) {
		t.Errorf("databases without servers: %v", err)
	}
	w.NewApp("a")
	if err := w.Restore(json.RawMessage(good)); err == nil {
		t.Error("a world that is not empty was restored")
	}
}
