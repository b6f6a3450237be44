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

// The stream is taken for dead when nothing comes for streamIdle, and opened
// anew; while it cannot be opened, the log is polled.
const (
	streamIdle  = time.Minute
	streamLimit = 1 << 20 // bytes of a message
	overlap     = 2 * time.Second
	keptIDs     = 5000
)

// follower gives log lines as they come, each once. A stream may break at any
// moment, and says nothing of what it missed: so each time it is opened, what was
// printed since the last line is read by request as well, and ids sort out what
// came on both ways.
type follower struct {
	*Platform
	app   string
	query logQuery
	line  func(platform.LogLine) error

	last time.Time       // of the newest line
	seen map[string]bool // ids, the newest keptIDs of them
	ids  []string
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
		lines := len(f.ids)
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
		if streamed || len(f.ids) != lines {
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

// catchUp reads what was printed since the last line.
func (f *follower) catchUp(ctx context.Context) error {
	q := f.query
	q.from, q.to = f.last.Add(-overlap), f.now().Add(time.Minute)
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
	return errors.Join(failed, err)
}

// stream opens the WebSocket and passes on what comes until it breaks. The result
// tells whether it was open.
func (f *follower) stream(ctx context.Context) (bool, error) {
	q := f.query
	q.from, q.to = f.last, time.Time{}
	address := "ws" + strings.TrimPrefix(f.base, "http") + "/logs/subscribe?" + q.values(f.o.PageSize).Encode()
	header := http.Header{"Authorization": {"Bearer " + f.key}, "User-Agent": {f.agent}}
	open, cancel := context.WithTimeout(httpx.WithoutRetry(ctx), streamIdle)
	defer cancel()
	conn, resp, err := websocket.Dial(open, address, &websocket.DialOptions{HTTPClient: f.http, HTTPHeader: header})
	if err != nil {
		if resp != nil {
			return false, &apiError{status: resp.StatusCode, requestID: requestID(resp.Header)}
		}
		return false, fmt.Errorf("open the log stream: %w", httpx.RedactError(err))
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(streamLimit)
	// Only now: what is printed between is on the stream already.
	if err := f.catchUp(ctx); err != nil {
		return true, err
	}
	for {
		if err := f.next(ctx, conn); err != nil {
			return true, err
		}
	}
}

func (f *follower) next(ctx context.Context, conn *websocket.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, streamIdle)
	defer cancel()
	_, data, err := conn.Read(ctx)
	if err != nil {
		return err
	}
	var e logEntry
	if json.Unmarshal(data, &e) != nil || e.ID == "" {
		return nil // not a line
	}
	return f.emit(e)
}
