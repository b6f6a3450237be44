package postgres

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func contains(list []string, s string) bool { return slices.Contains(list, s) }

func isStale(dir string) bool {
	release, ok := claim(dir)
	release()
	return ok
}

func ownPid() string { return `"pid":` + strconv.Itoa(os.Getpid()) + "," }

// TestMain lets the test binary play the opsctl that is killed.
func TestMain(m *testing.M) {
	if os.Getenv("OPSCTL_TEST_HOLD_CLUSTER") != "" {
		c, err := StartScratch(context.Background(), ScratchOptions{})
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		fmt.Println(c.dir, c.process.Pid())
		time.Sleep(time.Minute)
		return
	}
	os.Exit(m.Run())
}

// killedRun starts a process that holds a cluster, and kills it with SIGKILL.
// It returns the cluster's directory and its server's process id.
func killedRun(t *testing.T, env ...string) (dir string, server int) {
	t.Helper()
	needServer(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = slices.Concat(os.Environ(), []string{"OPSCTL_TEST_HOLD_CLUSTER=1"}, env)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	dir, pid, ok := strings.Cut(strings.TrimSpace(line), " ")
	if err != nil || !ok {
		t.Fatalf("helper said %q: %v", line, err)
	}
	if server, err = strconv.Atoi(pid); err != nil {
		t.Fatalf("helper said %q", line)
	}
	if isStale(dir) {
		t.Error("a live owner's directory counts as stale")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	return dir, server
}

// ends waits until the condition holds.
func ends(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
	}
}

func running(pid int) bool {
	_, _, ok := processInfo(pid)
	return ok
}

func TestSweepRemovesTheClusterOfAKilledRun(t *testing.T) {
	needServer(t)
	in, err := Find(t.Context(), FindOptions{Programs: ServerPrograms})
	if err != nil {
		t.Fatal(err)
	}
	dir, server := killedRun(t, "PATH="+in.Dir) // without setpriv, so that the server lives on
	if !running(server) {
		t.Fatal("the server should have survived its owner for this test to mean something")
	}
	Sweep(t.Context(), "") // another test process may sweep it first; the outcome is what counts
	ends(t, "the directory or the server is still there", func() bool {
		_, err := os.Stat(dir)
		return errors.Is(err, os.ErrNotExist) && !running(server)
	})
}

func TestTheServerDiesWithAKilledRun(t *testing.T) {
	if program, _ := mortal(t.Context(), "postgres", nil); program == "postgres" {
		t.Skip("needs Linux and setpriv")
	}
	_, server := killedRun(t)
	ends(t, "the server outlives its owner", func() bool { return !running(server) })
	Sweep(t.Context(), "")
}

// The end of the thread that a cluster was asked for on is not the end of opsctl.
func TestTheServerOutlivesAThread(t *testing.T) {
	needServer(t)
	var clusters [2]*Cluster
	var locked, done sync.WaitGroup
	locked.Add(len(clusters))
	for i := range clusters {
		done.Go(func() {
			runtime.LockOSThread() // never unlocked: the thread ends with this goroutine, but for the first thread
			locked.Done()
			locked.Wait() // so that one of them is on another thread than the first
			var err error
			if clusters[i], err = StartScratch(t.Context(), ScratchOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
	time.Sleep(300 * time.Millisecond)
	for _, c := range clusters {
		if c == nil {
			continue
		}
		select {
		case <-c.Done():
			t.Error("the server died with the thread")
		default:
		}
		if err := c.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

// What another container's opsctl holds must stay, though its process ids say
// nothing here; what nobody holds goes, though the id is somebody's by now.
func TestTheLockDecides(t *testing.T) {
	parent := t.TempDir()
	dir, lock, err := ownedDir(parent)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, ownerFile)
	foreign := []byte(`{"pid":4194305,"start":"1","locked":true}`)
	if err := os.WriteFile(path, foreign, 0o600); err != nil { // the same file, the lock stays
		t.Fatal(err)
	}
	if removed := Sweep(t.Context(), parent); contains(removed, dir) || isStale(dir) {
		t.Errorf("a held directory was swept: %q", removed)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	start, _, _ := processInfo(os.Getpid())
	own := fmt.Sprintf(`{"pid":%d,"start":%q,"locked":true}`, os.Getpid(), start)
	if err := os.WriteFile(path, []byte(own), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if removed := Sweep(t.Context(), parent); !contains(removed, dir) {
		t.Errorf("an abandoned directory was not swept: %q", removed)
	}
}

func TestStale(t *testing.T) {
	start, _, _ := processInfo(os.Getpid())
	old := time.Now().Add(-time.Hour)
	tests := []struct {
		name  string
		owner string // "" writes no record
		old   bool
		want  bool
	}{
		{"alive", fmt.Sprintf(`{"pid":%d,"start":%q}`, os.Getpid(), start), true, false},
		{"pid reused", fmt.Sprintf(`{"pid":%d,"start":"1"}`, os.Getpid()), false, true},
		{"dead", `{"pid":4194305,"start":"1"}`, false, true},
		{"no record, young", "", false, false},
		{"no record, old", "", true, true},
		{"damaged record, old", "{", true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if tt.owner != "" {
				if err := os.WriteFile(filepath.Join(dir, ownerFile), []byte(tt.owner), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if tt.old {
				if err := os.Chtimes(dir, old, old); err != nil {
					t.Fatal(err)
				}
			}
			if got := isStale(dir); got != tt.want {
				t.Errorf("stale = %v, want %v", got, tt.want)
			}
		})
	}
	t.Run("symlink", func(t *testing.T) {
		link := filepath.Join(t.TempDir(), "x")
		if err := os.Symlink(t.TempDir(), link); err != nil {
			t.Fatal(err)
		}
		if isStale(link) {
			t.Error("a symbolic link must never be swept")
		}
	})
}
