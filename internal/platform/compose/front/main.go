package front

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

// Streams are the standard streams of the command line.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Main runs a command and returns its exit code. args come without Command; ctx
// ends the long ones.
func Main(ctx context.Context, args []string, std Streams) int {
	return run(ctx, Dir, fmt.Sprintf(":%d", Port), args, std)
}

func run(ctx context.Context, dir, address string, args []string, std Streams) int {
	if len(args) == 0 {
		fmt.Fprintln(std.Err, "front: no command")
		return ExitUsage
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	code, err := command(ctx, dir, address, args, std)
	if err != nil {
		fmt.Fprintf(std.Err, "front: %v\n", err)
	}
	return code
}

func command(ctx context.Context, dir, address string, args []string, std Streams) (int, error) {
	name, args := args[0], args[1:]
	switch {
	case name == "serve" && len(args) == 0:
		if err := serve(ctx, dir, address, std.Err); err != nil {
			return ExitFailure, err
		}
		return 0, nil
	case name == "set" && len(args) == 0:
		return forward(ctx, dir, http.MethodPost, "/set", nil, std)
	case name == "status" && len(args) == 0:
		return forward(ctx, dir, http.MethodGet, "/status", nil, std)
	case name == "drain" && len(args) > 1:
		return forward(ctx, dir, http.MethodPost, "/drain", url.Values{"seconds": args[:1], "name": args[1:]}, std)
	case name == "dump" && len(args) == 0:
		return dump(ctx, dir, std)
	case name == "put" && len(args) == 2:
		return put(dir, args[0], args[1], std)
	case name == "hold" && len(args) == 1:
		seconds, err := strconv.Atoi(args[0])
		if err != nil || seconds < 1 {
			return ExitUsage, fmt.Errorf("hold: %q are no seconds", args[0])
		}
		hold(ctx, time.Duration(seconds)*time.Second)
		return 0, nil
	default:
		return ExitUsage, fmt.Errorf("no command %q with %d arguments", name, len(args))
	}
}

// forward hands a command to the proxy that runs, and prints its answer.
func forward(ctx context.Context, dir, method, path string, query url.Values, std Streams) (int, error) {
	var in io.Reader
	if method == http.MethodPost && query == nil {
		in = std.In
	}
	status, body, err := ask(ctx, dir, method, path, query, in)
	switch {
	case err != nil:
		return ExitFailure, err
	case status == http.StatusGatewayTimeout:
		return ExitTimeout, fmt.Errorf("%s", body)
	case status != http.StatusOK:
		return ExitFailure, fmt.Errorf("%s", body)
	}
	_, err = std.Out.Write(body)
	return 0, err
}

func dump(ctx context.Context, dir string, std Streams) (int, error) {
	files, err := store{dir}.all()
	if err != nil {
		return ExitFailure, err
	}
	d := Dump{Files: files}
	if status, body, err := ask(ctx, dir, http.MethodGet, "/status", nil, nil); err == nil && status == http.StatusOK {
		d.Status = &Status{}
		if err := json.Unmarshal(body, d.Status); err != nil {
			return ExitFailure, err
		}
	}
	if err := json.NewEncoder(std.Out).Encode(d); err != nil {
		return ExitFailure, err
	}
	return 0, nil
}

func put(dir, name, sum string, std Streams) (int, error) {
	content, err := readAll(std.In)
	if err != nil {
		return ExitFailure, err
	}
	switch err := (store{dir}).put(name, sum, content); {
	case errors.Is(err, errChanged):
		return ExitConflict, fmt.Errorf("%s: %w", name, err)
	case err != nil:
		return ExitFailure, err
	}
	return 0, nil
}

// hold is a lock with an end: the process is there as long as somebody renews it.
func hold(ctx context.Context, ttl time.Duration) {
	renewed := make(chan os.Signal, 1)
	signal.Notify(renewed, syscall.SIGHUP)
	defer signal.Stop(renewed)
	for {
		timer := time.NewTimer(ttl)
		select {
		case <-renewed:
			timer.Stop()
		case <-timer.C:
			return
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}
