package emulator

import (
	"encoding/json"
	"net/http"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// control is the emulator's own API, for tests and scripts:
//
//	GET    /_emulator/info     where the platforms answer, and the variables that say so to clients
//	GET    /_emulator/state    apps, machines, requests so far
//	GET    /_emulator/requests all of the requests
//	GET    /_emulator/faults   what is in force
//	POST   /_emulator/faults   {"spec": "..."} or a Fault, or a list of either
//	DELETE /_emulator/faults   back to normal
//	GET    /_emulator/incidents none: for clients that ask a platform's status page
//	POST   /_emulator/images   {"ref": "shop:v2"} makes an image exist
func (s *Server) control(rw http.ResponseWriter, r *http.Request) {
	switch r.Method + " " + r.URL.Path {
	case "GET /_emulator/info":
		writeJSON(rw, http.StatusOK, s.Info())
	case "GET /_emulator/state":
		writeJSON(rw, http.StatusOK, s.State())
	case "GET /_emulator/requests":
		writeJSON(rw, http.StatusOK, s.Requests())
	case "GET /_emulator/faults":
		writeJSON(rw, http.StatusOK, s.faults.specs())
	case "GET /_emulator/incidents":
		writeJSON(rw, http.StatusOK, map[string]any{"incidents": []any{}})
	case "DELETE /_emulator/faults":
		s.ClearFaults()
		rw.WriteHeader(http.StatusNoContent)
	case "POST /_emulator/faults":
		list, err := readFaults(r)
		if err != nil {
			writeJSON(rw, http.StatusBadRequest, map[string]string{"error": err.Error()})
			return
		}
		s.AddFaults(list...)
		writeJSON(rw, http.StatusCreated, s.faults.specs())
	case "POST /_emulator/images":
		var in struct {
			Ref string `json:"ref"`
		}
		err := json.NewDecoder(r.Body).Decode(&in)
		if err == nil {
			err = s.SeedImage(in.Ref)
		}
		if err != nil {
			writeJSON(rw, http.StatusBadRequest, map[string]string{"error": err.Error()})
			return
		}
		rw.WriteHeader(http.StatusCreated)
	default:
		writeJSON(rw, http.StatusNotFound, map[string]string{"error": "no such control endpoint"})
	}
}

// readFaults reads one fault or a list of them, as specs or as objects.
func readFaults(r *http.Request) ([]Fault, error) {
	var raw json.RawMessage
	if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<20)).Decode(&raw); err != nil {
		return nil, err
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		list = []json.RawMessage{raw}
	}
	var out []Fault
	for _, item := range list {
		in := struct {
			Spec string `json:"spec"`
			Fault
		}{}
		if err := json.Unmarshal(item, &in); err != nil {
			return nil, err
		}
		f := in.Fault
		if in.Spec != "" {
			var err error
			if f, err = ParseFault(in.Spec); err != nil {
				return nil, err
			}
		}
		out = append(out, f)
	}
	return out, nil
}

func (fs *faults) specs() []map[string]any {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	out := []map[string]any{}
	for _, f := range fs.list {
		out = append(out, map[string]any{"spec": f.String(), "hits": f.hits})
	}
	return out
}

// State is what the emulator holds.
type State struct {
	Schema   string     `json:"schema"`
	Apps     []AppState `json:"apps"`
	Requests int        `json:"requests"`
}

// AppState is one app.
type AppState struct {
	Platform string         `json:"platform"` // fly, railway or render
	Name     string         `json:"name"`
	URL      string         `json:"url"`
	Machines []MachineState `json:"machines"`
}

// MachineState is one machine, destroyed ones included.
type MachineState struct {
	ID       string            `json:"id"`
	Region   string            `json:"region"`
	State    string            `json:"state"`
	Cordoned bool              `json:"cordoned"`
	Addr     string            `json:"addr,omitempty"`
	Pid      int               `json:"pid,omitempty"`
	Checks   map[string]string `json:"checks"`
}

// State returns what the emulator holds at this moment.
func (s *Server) State() State {
	st := State{Schema: "opsctl.emulator-state/v1", Apps: []AppState{}, Requests: len(s.Requests())}
	for _, f := range s.fronts {
		if f.world == nil {
			continue
		}
		for _, a := range f.world.Apps() {
			st.Apps = append(st.Apps, AppState{Platform: f.name, Name: a.Name, URL: f.appURL(a.Name), Machines: machineStates(a)})
		}
	}
	return st
}

func machineStates(a *world.App) []MachineState {
	list := []MachineState{}
	for _, m := range a.Machines() {
		snap := m.Snapshot()
		ms := MachineState{
			ID: m.ID, Region: m.Region, State: string(snap.State), Cordoned: snap.Cordoned, Addr: snap.Addr, Pid: snap.Pid, Checks: map[string]string{},
		}
		for _, c := range snap.Checks {
			ms.Checks[c.Name] = c.Status
		}
		list = append(list, ms)
	}
	return list
}
