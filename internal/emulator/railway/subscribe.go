package railway

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/vektah/gqlparser/v2/ast"
)

// The subprotocol and its close codes,
// https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md.
const (
	subprotocol       = "graphql-transport-ws"
	closeBadRequest   = websocket.StatusCode(4400)
	closeUnauthorized = websocket.StatusCode(4401)
	closeInitTimeout  = websocket.StatusCode(4408)
	closeDuplicate    = websocket.StatusCode(4409)
	closeTooManyInits = websocket.StatusCode(4429)
	initTimeout       = 10 * time.Second
)

// message is one of the subprotocol's.
type message struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// socket is one client's connection.
type socket struct {
	ctx  context.Context // the connection's: a write whose context ends takes the connection with it
	s    *Server
	c    *caller
	conn *websocket.Conn

	write sync.Mutex
	mu    sync.Mutex
	subs  map[string]context.CancelFunc
}

func (s *Server) websocket(rw http.ResponseWriter, r *http.Request, c *caller) {
	conn, err := websocket.Accept(rw, r, &websocket.AcceptOptions{Subprotocols: []string{subprotocol}, InsecureSkipVerify: true})
	if err != nil {
		return // Accept has answered
	}
	s.mu.Lock()
	s.sockets[conn] = true
	s.mu.Unlock()
	s.work.Add(1)
	defer func() {
		s.mu.Lock()
		delete(s.sockets, conn)
		s.mu.Unlock()
		_ = conn.CloseNow()
		s.work.Done()
	}()
	if conn.Subprotocol() != subprotocol {
		_ = conn.Close(websocket.StatusPolicyViolation, "the subprotocol must be "+subprotocol)
		return
	}
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	k := &socket{ctx: ctx, s: s, c: c, conn: conn, subs: map[string]context.CancelFunc{}}
	if code, reason := k.talk(); code != 0 {
		_ = conn.Close(code, reason)
	}
}

// DropSockets cuts all WebSocket connections, as a restart of the platform's
// own servers does. It returns how many there were.
func (s *Server) DropSockets() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.sockets {
		go func() { _ = conn.CloseNow() }()
	}
	return len(s.sockets)
}

// talk reads the client's messages until one is an error or the connection ends.
func (k *socket) talk() (websocket.StatusCode, string) {
	started, ctx := false, k.ctx
	for {
		rctx, cancel := ctx, context.CancelFunc(func() {})
		if !started {
			rctx, cancel = context.WithTimeout(ctx, initTimeout)
		}
		_, data, err := k.conn.Read(rctx)
		cancel()
		if err != nil {
			if !started && rctx.Err() != nil && ctx.Err() == nil {
				return closeInitTimeout, "Connection initialisation timeout"
			}
			return 0, ""
		}
		var m message
		if json.Unmarshal(data, &m) != nil {
			return closeBadRequest, "Invalid message"
		}
		switch m.Type {
		case "connection_init":
			if started {
				return closeTooManyInits, "Too many initialisation requests"
			}
			if k.c.anybody() != nil {
				return 4403, "Forbidden"
			}
			started = true
			k.send(message{Type: "connection_ack"})
		case "ping":
			k.send(message{Type: "pong", Payload: m.Payload})
		case "pong":
		case "subscribe":
			if !started {
				return closeUnauthorized, "Unauthorized"
			}
			if !k.subscribe(m) {
				return closeDuplicate, "Subscriber for " + m.ID + " already exists"
			}
		case "complete":
			k.end(m.ID)
		default:
			return closeBadRequest, "Invalid message"
		}
	}
}

func (k *socket) send(m message) {
	data, err := json.Marshal(m)
	if err != nil {
		return
	}
	k.write.Lock()
	defer k.write.Unlock()
	_ = k.conn.Write(k.ctx, websocket.MessageText, data) // the reader meets the end of the connection
}

func (k *socket) payload(id, typ string, v any) {
	data, err := json.Marshal(v)
	if err == nil {
		k.send(message{ID: id, Type: typ, Payload: data})
	}
}

func (k *socket) end(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if cancel := k.subs[id]; cancel != nil {
		cancel()
		delete(k.subs, id)
	}
}

// subscribe starts an operation; it reports false when its id is taken.
func (k *socket) subscribe(m message) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if m.ID == "" || k.subs[m.ID] != nil {
		return false
	}
	ctx, cancel := context.WithCancel(k.ctx)
	k.subs[m.ID] = cancel
	k.s.background(func(context.Context) {
		defer k.end(m.ID)
		if k.operate(ctx, m) && ctx.Err() == nil {
			k.send(message{ID: m.ID, Type: "complete"})
		}
	})
	return true
}

// operate answers one operation; it reports false when it ended with "error".
func (k *socket) operate(ctx context.Context, m message) bool {
	var in request
	var x *execution
	err := json.Unmarshal(m.Payload, &in)
	if err == nil {
		x, err = k.s.prepare(in)
	}
	if err != nil {
		k.payload(m.ID, "error", []any{k.s.errorDoc(err.Error(), codeValidation, nil)})
		return false
	}
	if x.op.Operation != ast.Subscription {
		root := k.s.queries(k.c)
		if x.op.Operation == ast.Mutation {
			root = k.s.mutations(k.c)
		}
		k.s.mu.Lock()
		out, err := x.run(root)
		k.s.mu.Unlock()
		return k.next(m.ID, out, err)
	}
	field, ok := singleField(x.op.SelectionSet)
	if !ok {
		k.payload(m.ID, "error", []any{k.s.errorDoc("A subscription must select one field", codeValidation, nil)})
		return false
	}
	src, err := k.s.subscription(k.c, x, field)
	if err != nil {
		k.payload(m.ID, "error", []any{k.s.errorDoc(err.Error(), codeInternal, []any{field.Alias})})
		return false
	}
	return k.stream(ctx, m.ID, x, field, src)
}

func singleField(sel ast.SelectionSet) (*ast.Field, bool) {
	if len(sel) != 1 {
		return nil, false
	}
	f, ok := sel[0].(*ast.Field)
	return f, ok
}

func (k *socket) next(id string, out answer, err error) bool {
	if err != nil {
		k.payload(id, "error", []any{k.s.errorDoc(err.Error(), codeValidation, nil)})
		return false
	}
	k.payload(id, "next", out)
	return true
}

// feed yields what is new since it was last asked, nil for nothing, and
// whether that was the last of it. It is called with s.mu held.
type feed func() (value any, over bool)

// stream sends what a feed yields until it is over or the client leaves.
func (k *socket) stream(ctx context.Context, id string, x *execution, field *ast.Field, src feed) bool {
	s := k.s
	tick := time.NewTicker(logInterval)
	defer tick.Stop()
	for {
		own, worlds := s.watch(), s.w.Changed()
		s.mu.Lock()
		v, over := src()
		var out answer
		var err error
		if v != nil {
			out, err = x.run(&object{"Subscription", map[string]any{field.Name: v}})
		}
		s.mu.Unlock()
		if v != nil && !k.next(id, out, err) {
			return false
		}
		if over {
			return true
		}
		select {
		case <-own:
		case <-worlds:
		case <-tick.C: // processes write without anybody being told
		case <-ctx.Done():
			return true
		}
	}
}

// logInterval is how often new lines are looked for.
const logInterval = 50 * time.Millisecond
