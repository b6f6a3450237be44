package render_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/platform/render"
)

// logServer has lines, gives them by page, and streams new ones. A stream ends
// after breakAfter lines, and loses the line that comes next.
type logServer struct {
	mu         sync.Mutex
	lines      []time.Time
	streams    map[chan int]bool
	breakAfter int
	refuse     int // status of the stream
	opened     int
}

func (l *logServer) entry(i int) object {
	return object{"id": fmt.Sprintf("log-%d", i), "timestamp": l.lines[i], "message": fmt.Sprintf("line-%d", i), "labels": []object{{"name": "instance", "value": "srv-1-abc"}, {"name": "level", "value": "info"}}}
}

func (l *logServer) say() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, time.Now())
	for c := range l.streams {
		select {
		case c <- len(l.lines) - 1:
		default: // it is broken: the line is lost on it
		}
	}
}

// pages answers GET /logs, with two lines on a page.
func (l *logServer) pages(rw http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := r.URL.Query()
	from, _ := time.Parse(time.RFC3339Nano, q.Get("startTime"))
	to, _ := time.Parse(time.RFC3339Nano, q.Get("endTime"))
	var in []int
	for i, at := range l.lines {
		if !at.Before(from) && !at.After(to) {
			in = append(in, i)
		}
	}
	if q.Get("direction") == "backward" {
		slices.Reverse(in)
	}
	const size = 2
	more := len(in) > size
	out := object{"hasMore": more, "nextStartTime": from, "nextEndTime": to}
	if more {
		in = in[:size]
		if last := l.lines[in[size-1]]; q.Get("direction") == "backward" {
			out["nextEndTime"] = last.Add(-time.Nanosecond)
		} else {
			out["nextStartTime"] = last.Add(time.Nanosecond)
		}
	}
	logs := []object{}
	for _, i := range in {
		logs = append(logs, l.entry(i))
	}
	out["logs"] = logs
	answer(rw, 200, out)
}

func (l *logServer) subscribe(rw http.ResponseWriter, r *http.Request) {
	if l.refuse != 0 {
		rw.WriteHeader(l.refuse)
		return
	}
	if r.Header.Get("Authorization") != "Bearer rnd_test" {
		rw.WriteHeader(401)
		return
	}
	conn, err := websocket.Accept(rw, r, nil)
	if err != nil {
		return
	}
	defer conn.CloseNow()
	c := make(chan int, min(l.breakAfter, 100)/3) // one that breaks loses lines before
	l.mu.Lock()
	l.opened++
	l.streams[c] = true
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.streams, c)
		l.mu.Unlock()
	}()
	ctx := conn.CloseRead(r.Context())
	for n := 0; n < l.breakAfter; n++ {
		select {
		case <-ctx.Done():
			return
		case i := <-c:
			l.mu.Lock()
			e := l.entry(i)
			l.mu.Unlock()
			for range 2 { // twice: it is to be passed on once
				if wsjson.Write(ctx, conn, e) != nil {
					return
				}
			}
		}
	}
}

func logClient(t *testing.T, l *logServer) *render.Platform {
	t.Helper()
	l.streams = map[chan int]bool{}
	f, _, _ := running(t)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/logs":
			l.pages(rw, r)
		case "/v1/logs/subscribe":
			l.subscribe(rw, r)
		default:
			f.ServeHTTP(rw, r)
		}
	}))
	t.Cleanup(server.Close)
	return f.client(func(o *render.Options) {
		o.Lookup = func(name string) (string, bool) {
			return map[string]string{"RENDER_API_KEY": "rnd_test", "RENDER_HOST": server.URL + "/v1/", "RENDER_WORKSPACE": "tea-1"}[name], true
		}
	})
}

func TestPastLogs(t *testing.T) {
	l := &logServer{}
	p := logClient(t, l)
	for range 9 {
		l.say()
	}
	for limit, want := range map[int]string{0: "line-0", 3: "line-6", 50: "line-0", 1: "line-8"} {
		var got []string
		must(t, p.Logs(t.Context(), app, platform.LogQuery{Limit: limit}, func(line platform.LogLine) error {
			got = append(got, line.Message)
			if line.Instance != "srv-1-abc" || line.Level != "info" {
				t.Errorf("%+v", line)
			}
			return nil
		}))
		if n := map[int]int{0: 9, 3: 3, 50: 9, 1: 1}[limit]; len(got) != n || got[0] != want || got[n-1] != "line-8" {
			t.Errorf("limit %d: %v", limit, got)
		}
	}
	if err := p.Logs(t.Context(), "nobody-has-this", platform.LogQuery{}, nil); errs.CodeOf(err) != errs.NotFound {
		t.Errorf("%v", err)
	}
}

// Each line comes once, in order, over streams that break and lose lines; and also
// when there is no stream at all.
func TestFollowedLogs(t *testing.T) {
	for name, l := range map[string]*logServer{"streams that break": {breakAfter: 3}, "a stream that lasts": {breakAfter: 1000}, "no stream": {refuse: 502}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := logClient(t, l)
			l.say()
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			const n = 40
			var got []string
			lines := make(chan string, 10*n)
			done := make(chan error, 1)
			go func() {
				done <- p.Logs(ctx, app, platform.LogQuery{Follow: true, Limit: 10}, func(line platform.LogLine) error {
					lines <- line.Message
					return nil
				})
			}()
			got = append(got, <-lines) // it has begun
			for range n - 1 {
				l.say()
				if len(got) < n/2 { // at first one by one, then faster than the streams bear
					got = append(got, <-lines)
				}
			}
			for len(got) < n {
				select {
				case line := <-lines:
					got = append(got, line)
				case <-ctx.Done():
					t.Fatalf("%d of %d lines: %v", len(got), n, got)
				}
			}
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
			close(lines)
			for line := range lines {
				t.Errorf("%s came again", line)
			}
			slices.Sort(got)
			if got = slices.Compact(got); len(got) != n {
				t.Errorf("%d different lines of %d", len(got), n)
			}
			if name == "streams that break" && l.opened < 3 {
				t.Errorf("%d streams", l.opened)
			}
		})
	}
}

func TestARefusedKeyEndsTheFollowing(t *testing.T) {
	l := &logServer{refuse: 401}
	p := logClient(t, l)
	err := p.Logs(t.Context(), app, platform.LogQuery{Follow: true}, func(platform.LogLine) error { return nil })
	if errs.CodeOf(err) != errs.Auth || strings.Contains(fmt.Sprint(err), "rnd_test") {
		t.Errorf("%v", err)
	}
	l.refuse, l.breakAfter = 0, 1000
	stop := errors.New("enough")
	l.say()
	if err := p.Logs(t.Context(), app, platform.LogQuery{Follow: true, Limit: 1}, func(platform.LogLine) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
}
