// Command opsctl takes a web app from a fresh repository to a production it can prove.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/opsctl/opsctl/internal/ui"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	// A reader that goes away (| head, a killed tee) must not end a deploy in the middle of
	// its undo. With a handler in place writes fail with EPIPE instead; children get the default.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	// After the first signal the default behaviour returns, so a second Ctrl-C ends at once.
	context.AfterFunc(ctx, stop)
	return newApp(ui.System(os.Getenv), os.LookupEnv).execute(ctx, os.Args[1:])
}
