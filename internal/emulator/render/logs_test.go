package render_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// logs asks for a page and returns its lines and the answer.
func (f *fixture) logs(q url.Values) (lines []object, answer object) {
	f.t.Helper()
	answer = f.call(200, "GET", "/logs?"+q.Encode(), nil)
	for _, l := range answer["logs"].([]any) {
		lines = append(lines, object(l.(map[string]any)))
	}
	return lines, answer
}

// Paging in either direction loses no line and gives none twice.
func TestLogPages(t *testing.T) {
	f := start(t)
	id, _ := f.create(web("shop", "v1"), "live")
	for range 3 {
		f.deploy(id, object{}, "live")
	}
	f.eventually("all is quiet", func() bool { return strings.Count(f.log(id), "bye") == 3 })
	base := url.Values{"ownerId": {"tea-1"}, "resource": {id}, "endTime": {time.Now().Add(time.Second).Format(time.RFC3339Nano)}}
	all, whole := f.logs(with(base, "limit", "100", "direction", "forward"))
	if whole["hasMore"] != false || len(all) < 15 {
		t.Fatalf("%d lines, %v", len(all), whole["hasMore"])
	}
	for _, direction := range []string{"forward", "backward"} {
		var got []string
		q := with(base, "limit", "4", "direction", direction)
		for range 50 {
			lines, answer := f.logs(q)
			for _, l := range lines {
				got = append(got, l.str("id"))
			}
			if answer["hasMore"] != true {
				break
			}
			q = with(q, "startTime", answer.str("nextStartTime"), "endTime", answer.str("nextEndTime"))
		}
		if len(got) != len(all) {
			t.Fatalf("%s: %d lines, want %d", direction, len(got), len(all))
		}
		for i, l := range all {
			at := i
			if direction == "backward" {
				at = len(got) - 1 - i
			}
			if got[at] != l.str("id") {
				t.Errorf("%s: line %d is %s, want %s", direction, i, got[at], l.str("id"))
			}
		}
	}
	for name, value := range map[string]string{"type": "build", "level": "error", "text": "*live", "instance": "srv-none", "method": "GET"} {
		lines, _ := f.logs(with(base, name, value, "limit", "100"))
		want := 0
		for _, l := range all {
			switch {
			case name == "text" && strings.HasSuffix(l.str("message"), "live"), label(l, name) == value:
				want++
			}
		}
		if len(lines) != want {
			t.Errorf("%s=%s: %d lines, want %d", name, value, len(lines), want)
		}
	}
	code, body, _ := f.send("GET", "/logs/values?label=type&"+base.Encode(), nil)
	if code != 200 || strings.TrimSpace(string(body)) != `["app","build"]` {
		t.Errorf("%d %s", code, body)
	}
	f.call(404, "GET", "/logs?ownerId=tea-1&resource=srv-none", nil)
}

func with(q url.Values, kv ...string) url.Values {
	out := url.Values{}
	maps.Copy(out, q)
	for i := 0; i < len(kv); i += 2 {
		out.Set(kv[i], kv[i+1])
	}
	return out
}

func label(l object, name string) string {
	for _, e := range l["labels"].([]any) {
		if o := object(e.(map[string]any)); o.str("name") == name {
			return o.str("value")
		}
	}
	return ""
}

// A subscription sends what is written from now on, or since a moment.
func TestSubscribe(t *testing.T) {
	f := start(t)
	id, _ := f.create(web("shop", "v1"), "live")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	dial := func(extra string) *websocket.Conn {
		t.Helper()
		conn, resp, err := websocket.Dial(ctx, f.srv.URL+"/v1/logs/subscribe?ownerId=tea-1&resource="+id+extra, &websocket.DialOptions{
			HTTPClient: f.http, HTTPHeader: http.Header{"Authorization": {"Bearer " + key}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusSwitchingProtocols {
			t.Errorf("%d", resp.StatusCode)
		}
		t.Cleanup(func() { _ = conn.CloseNow() })
		return conn
	}
	next := func(conn *websocket.Conn) object {
		t.Helper()
		_, data, err := conn.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var l object
		if err := json.Unmarshal(data, &l); err != nil {
			t.Fatal(err)
		}
		return l
	}
	fresh := dial("&type=build")
	f.deploy(id, object{"imageUrl": "registry.example.com/shop:v2"}, "live")
	if got := next(fresh).str("message"); !strings.Contains(got, "shop:v2") {
		t.Errorf("the first line is %q", got)
	}
	all, _ := f.logs(url.Values{"ownerId": {"tea-1"}, "resource": {id}, "limit": {"100"}, "direction": {"forward"}})
	since := dial("&startTime=" + url.QueryEscape(all[3].str("timestamp")))
	for _, want := range all[3:] {
		if got := next(since); got.str("id") != want.str("id") || got.str("timestamp") != want.str("timestamp") {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
	_, resp, err := websocket.Dial(ctx, f.srv.URL+"/v1/logs/subscribe?ownerId=tea-1&resource=srv-none", &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + key}}})
	if err == nil || resp == nil || resp.StatusCode != 404 {
		t.Errorf("an unknown resource: %v %v", resp, err)
	}
	f.api.Close()
	if _, _, err := since.Read(ctx); err == nil {
		t.Log("one more line before the end")
		if _, _, err = since.Read(ctx); err == nil {
			t.Error("the stream outlives the API")
		}
	}
}
