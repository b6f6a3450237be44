package postgres

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func contains(list []string, s string) bool { return slices.Contains(list, s) }

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

func TestSweepRemovesTheClusterOfAKilledRun(t *testing.T) {
	needServer(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "OPSCTL_TEST_HOLD_CLUSTER=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	dir, pidText, ok := strings.Cut(strings.TrimSpace(line), " ")
	if err != nil || !ok {
		t.Fatalf("helper said %q: %v", line, err)
	}
	pid, err := strconv.Atoi(pidText)
	if err != nil {
		t.Fatalf("helper said %q", line)
	}

	if stale(dir) {
		t.Fatal("a live owner's directory counts as stale")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if _, _, ok := processInfo(pid); !ok {
		t.Fatal("the server should have survived its owner for this test to mean something")
	}
	// Another test process may sweep it first; the outcome is what counts.
	Sweep(t.Context(), "")
	deadline := time.Now().Add(10 * time.Second)
	for {
		_, statErr := os.Stat(dir)
		_, _, running := processInfo(pid)
		if errors.Is(statErr, os.ErrNotExist) && !running {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("directory: %v, server running: %v", statErr, running)
		}
		time.Sleep(20 * time.Millisecond)
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
			if got := stale(dir); got != tt.want {
				t.Errorf("stale = %v, want %v", got, tt.want)
			}
		})
	}
	t.Run("symlink", func(t *testing.T) {
		link := filepath.Join(t.TempDir(), "x")
		if err := os.Symlink(t.TempDir(), link); err != nil {
			t.Fatal(err)
		}
		if stale(link) {
			t.Error("a symbolic link must never be swept")
		}
	})
}
