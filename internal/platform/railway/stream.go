package railway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/opsctl/opsctl/internal/httpx"
)

// The protocol of GraphQL over WebSocket that Railway speaks.
const subprotocol = "graphql-transport-ws"

const (
	handshakeTimeout = 20 * time.Second
	pingInterval     = 30 * time.Second // a connection that is dead without saying so
	backlog          = 100              // lines that the subscription begins with
)

const logsSubscription = `subscription($environment: String!, $filter: String, $before: Int) {
	environmentLogs(environmentId: $environment, filter: $filter, beforeLimit: $before) {` + logFields + `} }`

// message is one of the protocol's.
type message struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// stream shows new lines until the connection ends. got tells that it worked at first.
func (p *Platform) stream(ctx context.Context, t *tail) (got bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	conn, err := p.subscribe(ctx, logsSubscription, map[string]any{
		"environment": t.v.environment.ID, "filter": "@service:" + t.v.service, "before": backlog,
	})
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.CloseNow() }()
	batches, ended := make(chan []logNode), make(chan error, 1)
	go func() { ended <- readBatches(ctx, conn, batches) }()
	// What came between the last question and the subscription is asked for once.
	gap := time.NewTimer(p.o.Poll)
	defer gap.Stop()
	ping := time.NewTicker(pingInterval)
	defer ping.Stop()
	for {
		select {
		case list := <-batches:
			got = true
			err = t.add(list)
		case <-gap.C:
			if err = p.newLines(ctx, t); transient(err) {
				err = nil // the next one will be seen anyway
			}
		case <-ping.C:
			one, stop := context.WithTimeout(ctx, handshakeTimeout)
			err = conn.Ping(one)
			stop()
		case err = <-ended:
			return got, err
		case <-ctx.Done():
			return got, ctx.Err()
		}
		if err != nil {
			return got, err
		}
	}
}

// subscribe opens a connection and one subscription on it.
func (p *Platform) subscribe(ctx context.Context, text string, vars map[string]any) (*websocket.Conn, error) {
	handshake, cancel := context.WithTimeout(httpx.WithoutRetry(ctx), handshakeTimeout)
	defer cancel()
	header := p.header()
	target := "ws" + strings.TrimPrefix(p.base, "http") + graphqlPath
	//nolint:bodyclose // the library closes it
	conn, resp, err := websocket.Dial(handshake, target, &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: p.transport}, HTTPHeader: header, Subprotocols: []string{subprotocol},
	})
	if err != nil {
		if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
			return nil, &apiError{status: resp.StatusCode, request: httpx.RequestID(resp.Header)}
		}
		return nil, httpx.RedactError(err)
	}
	conn.SetReadLimit(maxAnswer)
	payload, err := json.Marshal(map[string]any{"query": text, "variables": vars})
	if err == nil {
		err = send(handshake, conn, message{Type: "connection_init", Payload: json.RawMessage("{}")})
	}
	if err == nil {
		err = acknowledged(handshake, conn)
	}
	if err == nil {
		err = send(handshake, conn, message{ID: "1", Type: "subscribe", Payload: payload})
	}
	if err != nil {
		_ = conn.CloseNow()
		return nil, err
	}
	return conn, nil
}

func send(ctx context.Context, conn *websocket.Conn, m message) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return conn.Write(ctx, websocket.MessageText, text)
}

// receive reads the next message that is no ping, and answers those that are.
func receive(ctx context.Context, conn *websocket.Conn) (message, error) {
	for {
		var m message
		_, text, err := conn.Read(ctx)
		if err != nil {
			return m, err
		}
		if err := json.Unmarshal(text, &m); err != nil {
			return m, fmt.Errorf("understand the stream: %w", err)
		}
		switch m.Type {
		case "ping":
			if err := send(ctx, conn, message{Type: "pong"}); err != nil {
				return m, err
			}
		case "pong":
		default:
			return m, nil
		}
	}
}

func acknowledged(ctx context.Context, conn *websocket.Conn) error {
	m, err := receive(ctx, conn)
	if err == nil && m.Type != "connection_ack" {
		err = fmt.Errorf("the stream began with %q", m.Type)
	}
	return err
}

// readBatches hands on the lines of each message until the connection ends.
func readBatches(ctx context.Context, conn *websocket.Conn, batches chan<- []logNode) error {
	for {
		m, err := receive(ctx, conn)
		if err != nil {
			return err
		}
		switch m.Type {
		case "complete":
			return errStreamOver
		case "error":
			var list []gqlError
			_ = json.Unmarshal(m.Payload, &list) // an error that cannot be read is one, too
			return &apiError{status: http.StatusOK, errors: list, text: "the subscription was refused"}
		case "next":
			var in struct {
				Data struct {
					Logs []logNode `json:"environmentLogs"`
				} `json:"data"`
			}
			if err := json.Unmarshal(m.Payload, &in); err != nil {
				return fmt.Errorf("understand the stream: %w", err)
			}
			select {
			case batches <- in.Data.Logs:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}
