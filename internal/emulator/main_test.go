package emulator_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/emulator"
)

// TestMain lets the test binary stand for the deployed app: the emulator runs
// it with APP_MODE set.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "app" {
		os.Exit(testApp(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// testApp is a small web app. It is broken when its image is, so that a test
// chooses the behaviour by the image alone, as a real deployment does.
func testApp(args []string) int {
	image := os.Getenv("FLY_IMAGE_REF")
	if len(args) > 0 { // a release command
		switch args[0] {
		case "migrate":
			fmt.Println("migrating with", os.Getenv("RELEASE_COMMAND"), os.Getenv("DATABASE_URL"))
			return 0
		case "fail":
			fmt.Fprintln(os.Stderr, "migration failed: relation exists")
			return 3
		case "sleep":
			time.Sleep(time.Minute)
			return 0
		}
	}
	fmt.Println("listening on", os.Getenv("PORT"))
	if strings.Contains(image, ":crash") {
		return 7
	}
	stop := make(chan os.Signal, 1)
	if strings.Contains(image, ":stubborn") {
		signal.Ignore(syscall.SIGTERM)
		// A child that would outlive a careless parent.
		child := exec.Command("sleep", "300")
		if err := child.Start(); err == nil {
			fmt.Println("child", child.Process.Pid)
		}
	} else {
		signal.Notify(stop, syscall.SIGTERM)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	srv := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/health":
			if strings.Contains(image, ":sick") {
				http.Error(rw, "database unreachable", http.StatusServiceUnavailable)
				return
			}
			fmt.Fprintln(rw, "ok")
		case "/env":
			fmt.Fprint(rw, os.Getenv(r.URL.Query().Get("name")))
		default:
			fmt.Fprintf(rw, "%s %s host=%s", image, os.Getenv("FLY_MACHINE_ID"), r.Host)
		}
	})}
	go func() { _ = srv.Serve(ln) }()
	<-stop
	_ = srv.Shutdown(context.Background())
	fmt.Println("bye")
	return 0
}

// start runs an emulator for one test.
func start(t *testing.T, change ...func(*emulator.Options)) *emulator.Server {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	opts := emulator.Options{
		Exec: []string{self, "app"}, SeedImages: []string{"shop:v1", "shop:v2", "shop:sick", "shop:crash", "shop:stubborn"},
		RestartBackoff: 20 * time.Millisecond, NoPostgres: true, Seed: 1,
	}
	for _, c := range change {
		c(&opts)
	}
	s, err := emulator.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	for k, v := range s.Env() {
		t.Setenv(k, v)
	}
	return s
}

func selfPath(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return self
}
