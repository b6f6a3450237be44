package postgres

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// needServer skips visibly where PostgreSQL is not installed.
func needServer(t *testing.T) {
	t.Helper()
	if _, err := Find(t.Context(), FindOptions{Programs: ServerPrograms}); err != nil {
		t.Skip(err)
	}
}

func query(t *testing.T, url, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	var out string
	if err := conn.QueryRow(t.Context(), sql).Scan(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestScratchOnASocketServesAndLeavesNothing(t *testing.T) {
	needServer(t)
	c, err := StartScratch(t.Context(), ScratchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := query(t, c.URL(), "select current_user || ' ' || current_database() || ' ' || current_setting('listen_addresses')"); got != "postgres postgres " {
		t.Errorf("got %q", got)
	}
	for _, dir := range []string{c.DataDir(), c.SocketDir()} {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v %v, want mode 0700", dir, info.Mode(), err)
		}
	}
	pid := c.process.Pid()
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, ok := processInfo(pid); ok {
		t.Error("the server still runs")
	}
	if _, err := os.Stat(c.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory is still there: %v", err)
	}
	if err := c.Stop(t.Context()); err != nil {
		t.Errorf("second Stop: %v", err)
	}
}

func TestScratchOnTCPNeedsThePassword(t *testing.T) {
	needServer(t)
	c, err := StartScratch(t.Context(), ScratchOptions{
		Listen: "127.0.0.1", User: "boss", Password: `it's "odd" \ /?#`, Database: "App db",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Stop(context.Background()) }()
	if got := query(t, c.URL(), "select current_user || '/' || current_database()"); got != "boss/App db" {
		t.Errorf("got %q", got)
	}
	u, err := url.Parse(c.URL())
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("boss", "wrong")
	if conn, err := pgx.Connect(t.Context(), u.String()); err == nil {
		_ = conn.Close(t.Context())
		t.Error("a wrong password was accepted")
	} else if !strings.Contains(err.Error(), "28P01") {
		t.Errorf("want an authentication failure, got %v", err)
	}
}

func TestScratchGoesWithItsContext(t *testing.T) {
	needServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	c, err := StartScratch(ctx, ScratchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	select {
	case <-c.Done():
	case <-time.After(20 * time.Second):
		t.Fatal("the server outlived its context")
	}
	if err := c.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(c.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory is still there: %v", err)
	}
}

func TestCancelledStartLeavesNothing(t *testing.T) {
	needServer(t)
	before, _ := filepath.Glob(filepath.Join(os.TempDir(), dirPrefix+"*"))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := StartScratch(ctx, ScratchOptions{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("want the deadline, got %v", err)
	}
	after, _ := filepath.Glob(filepath.Join(os.TempDir(), dirPrefix+"*"))
	for _, dir := range after {
		if data, err := os.ReadFile(filepath.Join(dir, ownerFile)); err == nil && !contains(before, dir) && strings.Contains(string(data), ownPid()) {
			t.Errorf("%s was left", dir)
		}
	}
}

func TestATakenPortIsAnError(t *testing.T) {
	needServer(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, err = StartScratch(t.Context(), ScratchOptions{Listen: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, Password: "secret-pw"})
	if err == nil || !strings.Contains(err.Error(), "Address already in use") {
		t.Errorf("want the server's reason, got %v", err)
	}
}
