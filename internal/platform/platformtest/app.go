package platformtest

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// Role is the variable that makes a test binary serve the suite's app: call
// Serve in TestMain when it is "app".
const Role = "OPSCTL_TEST_ROLE"

// Serve is the app that the suite deploys. image is what it stands for: one
// whose name ends in "sick" is never healthy. It ends at SIGTERM.
func Serve(image string) {
	sick := strings.Contains(image, "sick")
	mux := http.NewServeMux()
	mux.HandleFunc("/api/health", func(w http.ResponseWriter, _ *http.Request) {
		if sick {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = fmt.Fprintf(w, `{"status":"pass","releaseId":%q}`, os.Getenv("OPSCTL_RELEASE"))
	})
	mux.HandleFunc("/env", func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, os.Getenv(r.URL.Query().Get("name"))) //nolint:gosec // a test's app
	})
	mux.HandleFunc("/say", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintln(os.NewFile(1, "out"), r.URL.Query().Get("line"))
	})
	server := &http.Server{Addr: os.Getenv("HOST") + ":" + os.Getenv("PORT"), Handler: mux, ReadHeaderTimeout: time.Second}
	go func() {
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
		<-stop
		_ = server.Close()
	}()
	_ = server.ListenAndServe()
}
