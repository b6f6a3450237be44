package world

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary be the machines' process (APP=...) and a whole
// emulator that a test kills (HOST=1).
func TestMain(m *testing.M) {
	switch {
	case os.Getenv("HOST") != "":
		os.Exit(hostMain())
	case os.Getenv("APP") == "serve":
		fmt.Println("serving")
		_ = http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})) //nolint:gosec // a test
		os.Exit(9)
	case os.Getenv("APP") != "":
		code, _ := strconv.Atoi(os.Getenv("APP"))
		os.Exit(code)
	}
	os.Exit(m.Run())
}

func self(tb testing.TB) string {
	tb.Helper()
	path, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	return path
}

func newWorld(tb testing.TB, opts Options) *World {
	tb.Helper()
	opts.RestartBackoff = 5 * time.Millisecond
	w, err := New(opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := w.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	return w
}

func await(tb testing.TB, w *World, what string, cond func() bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := w.Await(ctx, cond); err != nil {
		tb.Fatalf("gave up waiting until %s", what)
	}
}

func types(m *Machine) (out []string) {
	for _, e := range m.Snapshot().Events {
		s := e.Type
		if e.Exit != nil {
			s += ":" + strconv.Itoa(e.Exit.Code)
		}
		out = append(out, s)
	}
	slices.Reverse(out)
	return out
}

func TestRestartPolicies(t *testing.T) {
	tests := []struct {
		name   string
		spec   Spec
		exit   int
		events string
		state  State
	}{
		{"no", Spec{Restart: RestartNo}, 3, "launch start exit:3", Stopped},
		{"on failure, clean end", Spec{Restart: RestartOnFailure, MaxRetries: 5}, 0, "launch start exit:0", Stopped},
		{"on failure", Spec{Restart: RestartOnFailure, MaxRetries: 2}, 3, "launch start exit:3 restart start exit:3 restart start exit:3", Stopped},
		{"one shot", Spec{Restart: RestartNo, AutoDestroy: true}, 4, "launch start exit:4 destroy", Destroyed},
		{"no such program", Spec{Argv: []string{"/no/such/program"}, Restart: RestartNo}, 127, "launch start exit:127", Stopped},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, Options{Exec: []string{self(t)}})
			app, _ := w.NewApp("shop")
			tt.spec.Env = map[string]string{"APP": strconv.Itoa(tt.exit)}
			m := app.NewMachine("fra", tt.spec, "m1", false, false)
			await(t, w, "the machine has settled", func() bool {
				return m.Snapshot().State == tt.state && strings.Join(types(m), " ") == tt.events
			})
			time.Sleep(60 * time.Millisecond) // nothing more may follow
			if got := strings.Join(types(m), " "); got != tt.events {
				t.Errorf("events %q, want %q", got, tt.events)
			}
		})
	}
}

func TestRestartAlways(t *testing.T) {
	w := newWorld(t, Options{Exec: []string{self(t)}})
	app, _ := w.NewApp("shop")
	m := app.NewMachine("fra", Spec{Restart: RestartAlways, Env: map[string]string{"APP": "0"}}, "m1", false, false)
	await(t, w, "it has started again three times", func() bool { return strings.Count(strings.Join(types(m), " "), "restart") >= 3 })
	m.Stop(0, 0)
	await(t, w, "it is stopped", func() bool { return m.Snapshot().State == Stopped })
	n := len(types(m))
	time.Sleep(60 * time.Millisecond)
	if len(types(m)) != n {
		t.Errorf("a stopped machine went on: %v", types(m))
	}
}

// Whatever is asked of a machine, in whatever order, it ends where the last
// request sent it, and the processes end with the world.
func TestAnyOrderOfRequests(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	w := newWorld(t, Options{Exec: []string{self(t)}})
	app, _ := w.NewApp("shop")
	spec := Spec{Port: 3000, Restart: RestartOnFailure, MaxRetries: 3, Env: map[string]string{"APP": "serve"},
		Checks: []Check{{Name: "up", Type: "http", Path: "/", Interval: 10 * time.Millisecond, Gate: true}}}
	var machines []*Machine
	for i := range 6 {
		machines = append(machines, app.NewMachine("fra", spec, fmt.Sprintf("m%d", i), false, i%2 == 0))
	}
	var wg sync.WaitGroup
	for _, m := range machines {
		ops := make([]int, 25)
		for i := range ops {
			ops[i] = rng.IntN(6)
		}
		wg.Go(func() {
			for _, op := range ops {
				switch op {
				case 0:
					m.Start(&spec)
				case 1:
					m.Stop(syscall.SIGKILL, 0)
				case 2:
					m.Update(spec, true)
				case 3:
					m.Restart(nil, syscall.SIGKILL, 0)
				case 4:
					_ = m.Signal(syscall.SIGKILL)
				case 5:
					m.SetCordoned(!m.Snapshot().Cordoned)
				}
			}
			m.SetCordoned(false)
			m.Update(spec, true)
		})
	}
	wg.Wait()
	await(t, w, "all take traffic", func() bool { return len(app.Backends()) == len(machines) })
	var pids []int
	for _, m := range machines {
		pids = append(pids, m.Snapshot().Pid)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		if pid == 0 || syscall.Kill(pid, 0) == nil {
			t.Errorf("process %d is left", pid)
		}
	}
}

func TestNothingStartsAfterClose(t *testing.T) {
	w := newWorld(t, Options{Exec: []string{self(t)}})
	app, _ := w.NewApp("shop")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	m := app.NewMachine("fra", Spec{Env: map[string]string{"APP": "serve"}}, "m1", false, false)
	if got := m.Snapshot().State; got != Destroyed {
		t.Errorf("a machine of a closed world is %s", got)
	}
	m.Start(nil)
	m.Update(Spec{}, true)
}

// hostMain is an emulator that runs one process and is killed.
func hostMain() int {
	path, _ := os.Executable()
	w, err := New(Options{Exec: []string{path}, Dir: os.Getenv("HOST")})
	if err != nil {
		return 1
	}
	app, _ := w.NewApp("shop")
	m := app.NewMachine("fra", Spec{Port: 3000, Env: map[string]string{"APP": "serve"}}, "m1", false, false)
	_ = w.Await(context.Background(), func() bool { return m.Snapshot().Pid > 0 })
	if err := os.WriteFile(filepath.Join(os.Getenv("HOST"), "pid"), []byte(strconv.Itoa(m.Snapshot().Pid)+"\n"), 0o600); err != nil {
		return 1
	}
	time.Sleep(time.Minute)
	return 0
}

// On Linux not even kill -9 of the emulator leaves a machine's process.
func TestAKilledEmulatorLeavesNoProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux can tie a process to its parent")
	}
	dir := t.TempDir()
	cmd := exec.Command(self(t))
	cmd.Env = append(os.Environ(), "HOST="+dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := 0
	for end := time.Now().Add(10 * time.Second); pid == 0 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if text, err := os.ReadFile(filepath.Join(dir, "pid")); err == nil && strings.HasSuffix(string(text), "\n") {
			pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		}
	}
	if pid == 0 || !running(pid) {
		t.Fatalf("the machine's process %d doesn't run", pid)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	for end := time.Now().Add(5 * time.Second); running(pid); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatalf("process %d outlived the emulator", pid)
		}
	}
}

// running reports whether a process exists and isn't a zombie that waits for its reaper.
func running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	rest := string(stat[strings.LastIndex(string(stat), ")")+1:])
	return !strings.HasPrefix(strings.TrimSpace(rest), "Z")
}

func TestHosts(t *testing.T) {
	w := newWorld(t, Options{})
	shop, fresh := w.NewApp("shop", "Shop.localhost", "shop.fly.dev")
	if again, second := w.NewApp("shop"); !fresh || second || again != shop {
		t.Error("a name was given twice")
	}
	shop.AddHost("ERP.example.com")
	for host, want := range map[string]*App{"shop.localhost": shop, "SHOP.fly.dev": shop, "erp.example.com": shop, "localhost": nil, "": nil} {
		if got := w.AppByHost(host); got != want {
			t.Errorf("host %q: %v", host, got)
		}
	}
	shop.RemoveHost("erp.EXAMPLE.com")
	if w.AppByHost("erp.example.com") != nil {
		t.Error("a removed host still answers")
	}
	w.DeleteApp("shop")
	if w.App("shop") != nil || w.AppByHost("shop.fly.dev") != nil {
		t.Error("a deleted app is there")
	}
}

func TestLogsKeepTheLastLines(t *testing.T) {
	w := newWorld(t, Options{})
	app, _ := w.NewApp("shop")
	for i := range maxLogLines + 10 {
		app.Logs.add("m1", "fra", "app", strconv.Itoa(i))
	}
	lines, last := app.Logs.After(0, 0, nil)
	if len(lines) != maxLogLines || lines[0].Message != "10" || last != int64(maxLogLines+10) || app.Logs.Last() != last {
		t.Errorf("%d lines from %s, last %d", len(lines), lines[0].Message, last)
	}
	some, next := app.Logs.After(last-3, 2, nil)
	if len(some) != 2 || next != last-1 {
		t.Errorf("%d lines, next %d; want 2 and %d", len(some), next, last-1)
	}
}

// Lines come out the same, wherever the writes happen to be cut.
func FuzzLineWriter(f *testing.F) {
	f.Add("a\nb\r\nc", uint8(2))
	f.Add("\n\n", uint8(1))
	f.Add(strings.Repeat("x", maxLineLen+5)+"\ny", uint8(200))
	f.Fuzz(func(t *testing.T, text string, cut uint8) {
		collect := func(step int) (out []string) {
			w := &lineWriter{emit: func(s string) { out = append(out, s) }}
			for rest := text; rest != ""; {
				n := min(step, len(rest))
				if k, err := w.Write([]byte(rest[:n])); k != n || err != nil {
					t.Fatalf("Write = %d, %v", k, err)
				}
				rest = rest[n:]
			}
			w.flush()
			return out
		}
		got := collect(int(cut) + 1)
		if len(text) < maxLineLen {
			var want []string
			if text != "" {
				want = strings.Split(strings.TrimSuffix(text, "\n"), "\n")
				for i := range want[:len(want)-1] {
					want[i] = strings.TrimRight(want[i], "\r")
				}
				if strings.HasSuffix(text, "\n") {
					want[len(want)-1] = strings.TrimRight(want[len(want)-1], "\r")
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%q cut at %d: %q, want %q", text, cut, got, want)
			}
		}
	})
}

func TestIDsRepeatWithTheSeed(t *testing.T) {
	now := func() time.Time { return time.UnixMilli(1_700_000_000_000) }
	a, b := newIDSource(7, now), newIDSource(7, now)
	if x, y := a.ulid(), b.ulid(); x != y || len(x) != 26 || !strings.HasPrefix(x, "01HF7YAT00") {
		t.Errorf("%s and %s", x, y)
	}
	if x := a.hex(14); len(x) != 14 || x != b.hex(14) {
		t.Errorf("%s", x)
	}
	if newIDSource(8, now).hex(14) == newIDSource(7, now).hex(14) {
		t.Error("two seeds give the same identifiers")
	}
}
