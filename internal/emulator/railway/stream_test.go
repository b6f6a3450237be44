package railway_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/opsctl/opsctl/internal/spectest"
)

func jsonNumber(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(data)
}

// stream is a client of graphql-transport-ws.
type stream struct {
	*rig
	conn *websocket.Conn
	ops  map[string]*spectest.Operation
}

func (r *rig) dial(protocols ...string) (*stream, error) {
	h := http.Header{}
	if k, v, ok := strings.Cut(r.token, ": "); ok {
		h.Set(k, v)
	}
	conn, _, err := websocket.Dial(r.ctx, "ws"+strings.TrimPrefix(r.url, "http")+"/graphql/v2", &websocket.DialOptions{Subprotocols: protocols, HTTPHeader: h})
	return &stream{r, conn, map[string]*spectest.Operation{}}, err
}

func (r *rig) connect() *stream {
	r.t.Helper()
	k, err := r.dial("graphql-transport-ws")
	if err != nil {
		r.t.Fatal(err)
	}
	k.write(m{"type": "connection_init"})
	if got, err := k.read(); err != nil || got["type"] != "connection_ack" {
		r.t.Fatalf("no connection_ack: %v %v", got, err)
	}
	return k
}

func (k *stream) write(v any) {
	k.t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		k.t.Fatal(err)
	}
	if err := k.conn.Write(k.ctx, websocket.MessageText, data); err != nil {
		k.t.Fatal(err)
	}
}

// read takes the next message; the payload of a "next" is validated.
func (k *stream) read() (m, error) {
	_, data, err := k.conn.Read(k.ctx)
	if err != nil {
		return nil, err
	}
	var msg struct {
		ID, Type string
		Payload  json.RawMessage
	}
	if err := json.Unmarshal(data, &msg); err != nil {
		return nil, err
	}
	out := m{"type": msg.Type, "id": msg.ID}
	if msg.Type == "next" {
		k.v.Answer(k.ops[msg.ID], msg.Payload)
	}
	if len(msg.Payload) > 0 {
		var p any
		if err := json.Unmarshal(msg.Payload, &p); err != nil {
			return nil, err
		}
		out["payload"] = p
	}
	return out, nil
}

func (k *stream) subscribe(id, query string, vars m) {
	k.t.Helper()
	k.ops[id] = k.v.Request(spectest.Operation{Query: query, Variables: vars})
	k.write(m{"type": "subscribe", "id": id, "payload": m{"query": query, "variables": vars}})
}

const logFields = `{ timestamp message severity attributes { key value } tags { deploymentId } }`

func TestSubscriptions(t *testing.T) {
	s := start(t).site()
	s.update(m{"healthcheckPath": "/health", "source": m{"image": "ghcr.io/acme/shop:v1"}})
	id := s.deploy()
	k := s.connect()
	k.subscribe("status", `subscription($d: String!) { deployment(id: $d) { id status url } }`, m{"d": id})
	k.subscribe("build", `subscription($d: String!) { buildLogs(deploymentId: $d, limit: 500) `+logFields+` }`, m{"d": id})
	k.subscribe("run", `subscription($d: String!, $f: String) { deploymentLogs(deploymentId: $d, filter: $f) `+logFields+` }`, m{"d": id, "f": "-asked"})
	k.subscribe("events", `subscription($d: String!) { deploymentEvents(id: $d) { id step completedAt payload { error durationMs } } }`, m{"d": id})
	k.subscribe("all", `subscription($e: String!) { environmentLogs(environmentId: $e, filter: "line") `+logFields+` }`, m{"e": s.env})
	statuses, lines, steps, completed, told := []string{}, map[string][]string{}, []string{}, map[string]bool{}, false
	for !completed["build"] || !completed["events"] || !slices.Contains(statuses, "SUCCESS") || !slices.Contains(lines["all"], "line 3") || !slices.Contains(lines["run"], "line 3") {
		msg, err := k.read()
		if err != nil {
			t.Fatalf("%v: statuses %v, lines %v, steps %v, completed %v", err, statuses, lines, steps, completed)
		}
		name := msg["id"].(string)
		switch msg["type"] {
		case "complete":
			completed[name] = true
		case "next":
			p := dig(msg, "payload.data")
			switch name {
			case "status":
				statuses = append(statuses, dig(p, "deployment.status").(string))
			case "events":
				steps = append(steps, dig(p, "deploymentEvents.step").(string))
			default:
				for _, f := range []string{"buildLogs", "deploymentLogs", "environmentLogs"} {
					list, _ := dig(p, f).([]any)
					for _, l := range list {
						lines[name] = append(lines[name], dig(l, "message").(string))
					}
				}
			}
		default:
			t.Fatalf("message %v", msg)
		}
		if slices.Contains(statuses, "SUCCESS") && !told {
			told = true
			for n := range 4 {
				s.page(fmt.Sprintf("/say?line=line+%d", n))
			}
		}
	}
	if strings.Join(lines["run"], "|") != "listening on "+strings.TrimPrefix(lines["run"][0], "listening on ")+"|structured|line 0|line 1|line 2|line 3" {
		t.Errorf("the log, each line once and in order: %q", lines["run"])
	}
	if !slices.Contains(lines["build"], "[1/1] Healthcheck succeeded!") || !slices.Contains(steps, "HEALTHCHECK") {
		t.Errorf("build log %q, steps %v", lines["build"], steps)
	}
	// One that joins later gets what there was, and a query over the socket is answered.
	k.subscribe("late", `subscription($d: String!) { deploymentLogs(deploymentId: $d, limit: 2) `+logFields+` }`, m{"d": id})
	msg, err := k.read()
	if list, _ := dig(msg, "payload.data.deploymentLogs").([]any); err != nil || len(list) != 2 || dig(list[1], "message") != "line 3" {
		t.Errorf("late: %v %v", msg, err)
	}
	k.write(m{"type": "complete", "id": "late"})
	k.write(m{"type": "ping", "payload": m{"n": 1}})
	if msg, err = k.read(); err != nil || msg["type"] != "pong" {
		t.Errorf("ping: %v %v", msg, err)
	}
	k.subscribe("query", `query($d: String!) { deployment(id: $d) { status } }`, m{"d": id})
	if msg, err = k.read(); err != nil || dig(msg, "payload.data.deployment.status") != "SUCCESS" {
		t.Errorf("query: %v %v", msg, err)
	}
	if msg, err = k.read(); err != nil || msg["type"] != "complete" {
		t.Errorf("query's end: %v %v", msg, err)
	}
	k.subscribe("nope", `subscription { deploymentLogs(deploymentId: "nope") { message } }`, nil)
	if msg, err = k.read(); err != nil || msg["type"] != "error" || dig(msg, "payload.0.message") != "Deployment not found" {
		t.Errorf("an unknown deployment: %v %v", msg, err)
	}
	if n := s.s.DropSockets(); n != 1 {
		t.Errorf("%d sockets, want 1", n)
	}
	for err == nil {
		_, err = k.read()
	}
}

func TestSocketsAreStrict(t *testing.T) {
	r := start(t)
	for _, tt := range []struct {
		name     string
		rig      *rig
		messages []m
		code     websocket.StatusCode
	}{
		{"subscribe before init", r, []m{{"type": "subscribe", "id": "1", "payload": m{"query": "{ me { id } }"}}}, 4401},
		{"no token", r.as(""), []m{{"type": "connection_init"}}, 4403},
		{"init twice", r, []m{{"type": "connection_init"}, {"type": "connection_init"}}, 4429},
		{"an unknown message", r, []m{{"type": "start"}}, 4400},
		{"an id twice", r, []m{{"type": "connection_init"}, {"type": "subscribe", "id": "1", "payload": m{"query": "subscription { environmentStagedPatch(environmentId: \"x\") { id } }"}}, {"type": "subscribe", "id": ""}}, 4409},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k, err := tt.rig.dial("graphql-transport-ws")
			if err != nil {
				t.Fatal(err)
			}
			for _, msg := range tt.messages {
				k.write(msg)
			}
			for err == nil {
				_, err = k.read()
			}
			if got := websocket.CloseStatus(err); got != tt.code {
				t.Errorf("closed with %d (%v), want %d", got, err, tt.code)
			}
		})
	}
	k, err := r.dial()
	if err == nil {
		for err == nil {
			_, err = k.read()
		}
	}
	if websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("without the subprotocol: %v", err)
	}
}

func TestLogQueries(t *testing.T) {
	s := start(t).site()
	id := s.release("ghcr.io/acme/shop:v1")
	s.ends(id, "SUCCESS")
	s.says("/", "ghcr.io/acme/shop:v1")
	for n := range 5 {
		s.page(fmt.Sprintf("/say?line=line+%d", n))
	}
	s.eventually("all lines are there", func() bool { return slices.Contains(s.lines("deploymentLogs", id), "line 4") })
	q := `query($d: String!, $l: Int, $f: String) { deploymentLogs(deploymentId: $d, limit: $l, filter: $f) ` + logFields + ` }`
	for _, tt := range []struct {
		limit  int
		filter string
		want   string
	}{
		{2, "", "line 3|line 4"}, {100, "line 3", "line 3"}, {100, `"line 3"`, "line 3"}, {100, "@level:warn", "structured"}, {100, "-line @user:7", "structured"}, {3, "@deployment:nope", ""},
	} {
		list := s.must("deploymentLogs", q, m{"d": id, "l": tt.limit, "f": tt.filter}).([]any)
		var got []string
		for _, l := range list {
			got = append(got, dig(l, "message").(string))
		}
		if strings.Join(got, "|") != tt.want {
			t.Errorf("%+v: %q", tt, got)
		}
	}
	s.refused("limit", q, m{"d": id, "l": 5001})
	env := `query($e: String!, $a: String, $b: Int, $n: Int) { environmentLogs(environmentId: $e, anchorDate: $a, beforeLimit: $b, afterLimit: $n) { timestamp message tags { serviceId } } }`
	all := s.must("environmentLogs", env, m{"e": s.env, "b": 500}).([]any)
	anchor := dig(all[len(all)-3], "timestamp").(string)
	part := s.must("environmentLogs", env, m{"e": s.env, "a": anchor, "b": 1, "n": 1}).([]any)
	if len(part) != 2 || dig(part, "0.message") != "line 2" || dig(part, "1.message") != "line 3" {
		t.Errorf("around %s: %v of %v", anchor, part, all)
	}
}
