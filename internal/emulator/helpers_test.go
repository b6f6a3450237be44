package emulator_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/opsctl/opsctl/internal/emulator"
)

// call sends a request through the validator and reads an object.
func (c *clients) call(method, path string, body any, header ...string) (int, map[string]any) {
	c.t.Helper()
	code, answer, _ := c.send(method, path, body, header...)
	doc := map[string]any{}
	if len(answer) > 0 {
		if err := json.Unmarshal(answer, &doc); err != nil {
			c.t.Errorf("%s %s: %d %s", method, path, code, answer)
		}
	}
	return code, doc
}

// callList sends a request without a body and reads a list.
func (c *clients) callList(method, path string) (int, []any) {
	c.t.Helper()
	code, answer, _ := c.send(method, path, nil)
	var list []any
	if err := json.Unmarshal(answer, &list); err != nil {
		c.t.Errorf("%s %s: %d %s", method, path, code, answer)
	}
	return code, list
}

func (c *clients) send(method, path string, body any, header ...string) (int, []byte, http.Header) {
	c.t.Helper()
	var rd io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			c.t.Fatal(err)
		}
		rd = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(c.ctx, method, c.s.URL()+path, rd)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+emulator.Token)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := (&http.Client{Transport: c.v}).Do(req)
	if err != nil {
		c.t.Errorf("%s %s: %v", method, path, err)
		return 0, nil, nil
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Errorf("%s %s: %v", method, path, err)
	}
	return resp.StatusCode, answer, resp.Header
}

// clock is a time that only a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock(now time.Time) *clock { return &clock{now: now} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// gone reports whether a process has ended; one that nobody has reaped yet
// (no longer our child) counts as ended.
func gone(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return !alive(pid)
	}
	rest := string(stat[bytes.LastIndexByte(stat, ')')+1:])
	return strings.HasPrefix(strings.TrimSpace(rest), "Z")
}
