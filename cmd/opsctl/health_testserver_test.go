package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// healthServer is the app that scripts ask how it is.
type healthServer struct {
	status, thenStatus int
	body, thenBody     string
	contentType        string
	flipAfter          int64
	delay              time.Duration
	requests           atomic.Int64
}

func (s *healthServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/loop":
		http.Redirect(w, r, "/loop", http.StatusFound)
		return
	case "/moved":
		http.Redirect(w, r, "/", http.StatusMovedPermanently)
		return
	case "/host":
		fmt.Fprint(w, "asked for "+r.Host)
		return
	case "/drip":
		for r.Context().Err() == nil {
			fmt.Fprint(w, "x")
			w.(http.Flusher).Flush()
			time.Sleep(10 * time.Millisecond)
		}
		return
	}
	time.Sleep(s.delay)
	status, body := s.status, s.body
	if n := s.requests.Add(1); s.flipAfter > 0 && n > s.flipAfter {
		status, body = s.thenStatus, s.thenBody
	}
	w.Header().Set("Content-Type", s.contentType)
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}

// healthServerMain is the program `healthserver` of the scripts. It serves
// answers made of its flags on a free port of loopback until it is stopped, and
// writes its address to a file for waitenv:
//
//	exec healthserver -addr-file up.env -var UP -status 200 &
//	waitenv up.env
//	exec opsctl health $UP/api/health
//
// The file sets UP to http://host:port and UP_ADDR to host:port. The paths
// /loop, /moved, /host and /drip have answers of their own.
func healthServerMain() {
	s := &healthServer{}
	addrFile := flag.String("addr-file", "", "write the address here")
	name := flag.String("var", "URL", "name of the variable in the file")
	flag.IntVar(&s.status, "status", 200, "status of the first answers")
	flag.StringVar(&s.body, "body", "", "body of the first answers")
	flag.StringVar(&s.contentType, "content-type", "application/json", "of all answers")
	flag.Int64Var(&s.flipAfter, "flip-after", 0, "number of first answers; 0 means all")
	flag.IntVar(&s.thenStatus, "then-status", 200, "status of later answers")
	flag.StringVar(&s.thenBody, "then-body", "", "body of later answers")
	flag.DurationVar(&s.delay, "delay", 0, "wait before each answer")
	flag.Parse()
	if err := s.run(*addrFile, *name); err != nil {
		fmt.Fprintln(os.Stderr, "healthserver:", err)
		os.Exit(1)
	}
}

func (s *healthServer) run(addrFile, name string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = srv.Serve(ln) }()
	defer srv.Close()
	if addrFile != "" {
		addr := ln.Addr().String()
		text := fmt.Sprintf("%s=http://%s\n%s_ADDR=%s\n", name, addr, name, addr)
		if err := os.WriteFile(addrFile, []byte(text), 0o600); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}
