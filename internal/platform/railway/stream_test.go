package railway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/opsctl/opsctl/internal/platform"
)

// journal is a log that is asked for and streamed, by a server whose streams break.
type journal struct {
	mu     sync.Mutex
	lines  []logNode
	closed bool // no streams at all
	after  int  // a stream breaks after that many messages
	dials  int
}

func (j *journal) write(n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	at := time.Now().UTC()
	if last := len(j.lines) - 1; last >= 0 && !at.After(j.lines[last].Timestamp) {
		at = j.lines[last].Timestamp.Add(1)
	}
	j.lines = append(j.lines, logNode{Timestamp: at, Message: fmt.Sprint(n)})
}

func (j *journal) from(n int) ([]logNode, int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.lines[min(n, len(j.lines)):]), len(j.lines)
}

func (j *journal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != "" {
		j.stream(w, r)
		return
	}
	var in struct {
		Variables struct {
			Anchor        time.Time `json:"anchor"`
			Before, After int
		} `json:"variables"`
	}
	_ = json.NewDecoder(r.Body).Decode(&in)
	all, _ := j.from(0)
	at := slices.IndexFunc(all, func(l logNode) bool { return l.Timestamp.After(in.Variables.Anchor) })
	if at < 0 {
		at = len(all)
	}
	list := append(slices.Clone(all[max(0, at-in.Variables.Before):at]), all[at:min(len(all), at+in.Variables.After)]...)
	_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"environmentLogs": wire(list)}})
}

func wire(list []logNode) []map[string]any {
	out := []map[string]any{}
	for _, l := range list {
		out = append(out, map[string]any{"timestamp": l.Timestamp.Format(time.RFC3339Nano), "message": l.Message})
	}
	return out
}

func (j *journal) stream(w http.ResponseWriter, r *http.Request) {
	j.mu.Lock()
	j.dials++
	closed := j.closed
	j.mu.Unlock()
	if closed {
		http.Error(w, "no", http.StatusBadGateway)
		return
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{subprotocol}})
	if err != nil {
		return
	}
	defer conn.CloseNow()
	ctx := r.Context()
	say := func(text string) { _ = conn.Write(ctx, websocket.MessageText, []byte(text)) }
	for range 2 { // init, subscribe
		if _, text, err := conn.Read(ctx); err == nil && strings.Contains(string(text), "connection_init") {
			say(`{"type":"ping"}`)
			say(`{"type":"connection_ack"}`)
			_, _, _ = conn.Read(ctx) // the pong
		}
	}
	// It begins with the last two lines, as a backlog.
	_, next := j.from(0)
	next = max(0, next-2)
	for n := 0; n < j.after && ctx.Err() == nil; {
		var list []logNode
		if list, next = j.from(next); len(list) > 0 {
			payload, _ := json.Marshal(map[string]any{"data": map[string]any{"environmentLogs": wire(list)}})
			say(`{"id":"1","type":"next","payload":` + string(payload) + `}`)
			n++
		}
		time.Sleep(time.Millisecond)
	}
}

// Each line is shown once and in its place, however often the stream breaks,
// and also where there is none.
func TestFollowingLosesAndDoublesNothing(t *testing.T) {
	for name, j := range map[string]*journal{"breaks": {after: 2}, "none": {closed: true}, "holds": {after: 1 << 30}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := range 5 {
				j.write(n)
			}
			p := connect(t, j, Options{Poll: 200 * time.Millisecond}, map[string]string{envAPIToken: "t"})
			p.views["shop"] = &view{place: &place{}, app: "shop", service: "s", at: time.Now()}
			const last = 60
			enough := errors.New("enough")
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			go func() {
				for n := 5; n <= last; n++ {
					j.write(n)
					time.Sleep(3 * time.Millisecond)
				}
			}()
			var shown []string
			err := p.Logs(ctx, "shop", platform.LogQuery{Follow: true, Limit: 2}, func(l platform.LogLine) error {
				shown = append(shown, l.Message)
				if l.Message == fmt.Sprint(last) {
					return enough
				}
				return nil
			})
			if !errors.Is(err, enough) {
				t.Fatalf("%v after %q", err, shown)
			}
			for i := 1; i < len(shown); i++ {
				var a, b int
				_, _ = fmt.Sscan(shown[i-1], &a)
				_, _ = fmt.Sscan(shown[i], &b)
				if b != a+1 {
					t.Fatalf("%d after %d in %q", b, a, shown)
				}
			}
			if j.dials == 0 || name == "breaks" && j.dials < 3 {
				t.Errorf("%d streams", j.dials)
			}
		})
	}
}
