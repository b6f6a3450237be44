package emulator_test

import (
	"net/http"
	"strings"
	"testing"
)

// A command sees what the app sees, and how it ends is in the answer, not in its status.
func TestExec(t *testing.T) {
	s := start(t)
	c := connect(t, s)
	c.app("shop")
	if code, _ := c.call("POST", "/v1/apps/shop/secrets", map[string]any{"values": map[string]any{"KEY": "one\ntwo"}}); code != 200 {
		t.Fatal(code)
	}
	m := c.launch("shop", web("shop:v1"))
	c.wait("shop", m, "started")
	path := "/v1/apps/shop/machines/" + m.ID + "/exec"
	tests := map[string]struct {
		in             map[string]any
		code           int
		exit           float64
		stdout, stderr string
	}{
		"environment":  {in: map[string]any{"command": []string{"/bin/sh", "-c", `printf %s "$KEY $FLY_APP_NAME $PLAIN"`}}, code: 200, stdout: "one\ntwo shop yes"},
		"as one line":  {in: map[string]any{"cmd": `/bin/sh -c "printf '%s|' 'a b' \"c\""`, "timeout": 5}, code: 200, stdout: "a b|c|"},
		"input":        {in: map[string]any{"command": []string{"cat"}, "stdin": "hello"}, code: 200, stdout: "hello"},
		"both outputs": {in: map[string]any{"command": []string{"/bin/sh", "-c", "echo out; echo err >&2; exit 3"}}, code: 200, exit: 3, stdout: "out\n", stderr: "err\n"},
		"a signal":     {in: map[string]any{"command": []string{"/bin/sh", "-c", "kill -9 $$"}}, code: 200, exit: 137},
		"no program":   {in: map[string]any{"command": []string{"no-such-program"}}, code: 200, exit: 127, stderr: "no-such-program: not found\n"},
		"too long":     {in: map[string]any{"command": []string{"/bin/sh", "-c", "sleep 30 & wait"}, "timeout": 1}, code: http.StatusRequestTimeout},
		"no command":   {in: map[string]any{}, code: http.StatusBadRequest},
		"open quotes":  {in: map[string]any{"cmd": `cat "x`}, code: http.StatusBadRequest},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			code, doc := c.call("POST", path, tt.in)
			if code != tt.code {
				t.Fatalf("%d %v, want %d", code, doc, tt.code)
			}
			if code == 200 && (doc["exit_code"] != tt.exit || doc["stdout"] != tt.stdout || doc["stderr"] != tt.stderr) {
				t.Errorf("%v, want %+v", doc, tt)
			}
		})
	}
	if code, _ := c.call("POST", "/v1/apps/shop/machines/"+m.ID+"/stop", nil); code != 200 {
		t.Fatal(code)
	}
	c.wait("shop", m, "stopped")
	if code, doc := c.call("POST", path, map[string]any{"command": []string{"cat"}}); code != http.StatusPreconditionFailed || !strings.Contains(doc["error"].(string), "not started") {
		t.Errorf("exec in a stopped machine: %d %v", code, doc)
	}
	if code, _ := c.call("POST", "/v1/apps/shop/machines/nope/exec", map[string]any{"command": []string{"cat"}}); code != http.StatusNotFound {
		t.Errorf("exec in no machine: %d", code)
	}
}
