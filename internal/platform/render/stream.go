package render

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/opsctl/opsctl/internal/httpx"
	"github.com/opsctl/opsctl/internal/platform"
)

// While a stream is open, what was printed is also read by request: soon after it
// was opened, and then every recheck times the pause of a poll (30 s). A stream
// that does not answer a ping within pongWait is taken for dead.
const (
	recheck     = 30
	openWait    = 30 * time.Second
	pongWait    = 10 * time.Second
	streamLimit = 1 << 20 // bytes of a message
	overlap     = 2 * time.Second
	keptIDs     = 50_000
)

// follower gives log lines as they come, each once. A stream may break at any
// moment, may begin a moment after it says so, and tells nothing of what it
// missed. So what was printed since the last time is read by request as well,
// whenever a stream is opened and now and then, and ids sort out what came on
// both ways. While no stream can be opened the log is polled.
type follower struct {
	*Platform
	app   string
	query logQuery
	line  func(platform.LogLine) error

	last    time.Time       // of the newest line
	checked time.Time       // up to here nothing is missing
	seen    map[string]bool // ids, the newest keptIDs of them
	ids     []string
	count   int // of lines
}

// emit passes a line on unless it was passed on before.
func (f *follower) emit(e logEntry) error {
	if f.seen[e.ID] {
		return nil
	}
	if f.seen == nil {
		f.seen = map[string]bool{}
	}
	f.seen[e.ID] = true
	f.count++
	if f.ids = append(f.ids, e.ID); len(f.ids) > keptIDs {
		delete(f.seen, f.ids[0])
		f.ids = f.ids[1:]
	}
	if e.Timestamp.After(f.last) {
		f.last = e.Timestamp
	}
	if err := f.line(e.line()); err != nil {
		return &callerError{err}
	}
	return nil
}

// callerError is an error of who takes the lines: it ends the following.
type callerError struct{ err error }

func (e *callerError) Error() string { return e.err.Error() }
func (e *callerError) Unwrap() error { return e.err }

// run follows until ctx ends, the caller has enough, or Render refuses.
func (f *follower) run(ctx context.Context) error {
	wait := f.pause()
	for {
		lines := f.count
		streamed, err := f.stream(ctx)
		if final := f.final(ctx, err); final != nil {
			return final
		}
		if !streamed {
			err := f.catchUp(ctx)
			if final := f.final(ctx, err); final != nil {
				return final
			}
		}
		if streamed || f.count != lines {
			wait = f.pause()
		}
		if err := wait.wait(ctx); err != nil {
			return err
		}
	}
}

// final is the error that ends the following; nil for trouble that may pass.
func (f *follower) final(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if ce, ok := errors.AsType[*callerError](err); ok {
		return ce.err
	}
	switch status(err) {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusGone:
		return explain(err, "follow the logs of %q", f.app)
	}
	return nil
}

// catchUp reads what was printed since it was called before.
func (f *follower) catchUp(ctx context.Context) error {
	q, upTo := f.query, f.last
	if f.checked.IsZero() {
		f.checked = f.last
	}
	q.from, q.to = f.checked.Add(-overlap), f.now().Add(time.Minute)
	var failed error
	err := f.readLogs(ctx, q, func(page []logEntry) bool {
		slices.SortStableFunc(page, func(a, b logEntry) int { return a.Timestamp.Compare(b.Timestamp) })
		for _, e := range page {
			if failed = f.emit(e); failed != nil {
				return true
			}
		}
		return false
	})
	if err == nil && failed == nil {
		f.checked = upTo
	}
	return errors.Join(failed, err)
}

// stream opens the WebSocket and passes on what comes until it breaks. The result
// tells whether it was open.
func (f *follower) stream(ctx context.Context) (bool, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	q := f.query
	q.from, q.to = f.last, time.Time{}
	address := "ws" + strings.TrimPrefix(f.base, "http") + "/logs/subscribe?" + q.values(f.o.PageSize).Encode()
	header := http.Header{"Authorization": {"Bearer " + f.key}, "User-Agent": {f.agent}}
	open, cancel := context.WithTimeout(httpx.WithoutRetry(ctx), openWait)
	defer cancel()
	conn, resp, err := websocket.Dial(open, address, &websocket.DialOptions{HTTPClient: f.http, HTTPHeader: header}) //nolint:bodyclose // Dial closes it
	if err != nil {
		if resp != nil {
			return false, &apiError{status: resp.StatusCode, requestID: requestID(resp.Header)}
		}
		return false, fmt.Errorf("open the log stream: %w", httpx.RedactError(err))
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(streamLimit)
	entries, broken := make(chan logEntry, 256), make(chan error, 2)
	tell := func(err error) {
		select {
		case broken <- err:
		default: // one is enough
		}
	}
	go func() { tell(receive(ctx, conn, entries)) }()
	if err := f.catchUp(ctx); err != nil {
		return true, err
	}
	pause := f.o.Poll
	check := time.NewTimer(pause)
	defer check.Stop()
	for {
		select {
		case e := <-entries:
			err = f.emit(e)
		case err = <-broken:
		case <-check.C:
			pause = min(2*pause, recheck*f.o.Poll)
			check.Reset(pause)
			err = f.catchUp(ctx)
			go func() { // beside the loop: the answer comes behind the lines that it takes
				if perr := ping(ctx, conn); perr != nil {
					tell(perr)
				}
			}()
		}
		if err != nil {
			return true, err
		}
	}
}

// receive sends on what comes, until it breaks or ctx ends.
func receive(ctx context.Context, conn *websocket.Conn, entries chan<- logEntry) error {
	for {
		_, data, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		var e logEntry
		if json.Unmarshal(data, &e) != nil || e.ID == "" {
			continue // not a line
		}
		select {
		case entries <- e:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ping asks for an answer, which the receiver of the connection takes.
func ping(ctx context.Context, conn *websocket.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, pongWait)
	defer cancel()
	return conn.Ping(ctx)
}
