// Command app is the app that the containers of the tests run.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/opsctl/opsctl/internal/platform/platformtest"
)

func main() {
	switch {
	case len(os.Args) > 1:
		fmt.Println("hello")
		os.Exit(map[string]int{"fail": 3, "crash": 7}[os.Args[1]])
	case os.Getenv("SLOW") != "":
		slow()
	default:
		platformtest.Serve(os.Getenv("IMAGE"))
	}
}

// slow answers after a while, and drops what is under way when it is told to end.
func slow() {
	wait, err := time.ParseDuration(os.Getenv("SLOW"))
	if err != nil {
		panic(err)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		<-stop
		os.Exit(0)
	}()
	server := &http.Server{Addr: ":" + os.Getenv("PORT"), ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		if r.Method == http.MethodPost {
			time.Sleep(wait)
		}
		fmt.Fprintf(w, "%s %d", os.Getenv("OPSCTL_RELEASE"), n)
	})}
	fmt.Println(server.ListenAndServe())
}
