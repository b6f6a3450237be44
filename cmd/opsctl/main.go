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
	// After the first signal the default behaviour returns, so a second Ctrl-C ends at once.
	context.AfterFunc(ctx, stop)
	return newApp(ui.System(os.Getenv), os.LookupEnv).execute(ctx, os.Args[1:])
}
