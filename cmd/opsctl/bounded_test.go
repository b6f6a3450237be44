package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// What a command may take in a script on bad input: the time is for a busy
// machine, the memory for a binary with the race detector in it.
const (
	boundedTime   = 60 * time.Second
	boundedMemory = 600 << 20 // bytes
)

// boundedMain is the scripts' program "bounded": it runs a command and fails when
// that takes too long, or more memory than a file of its size could explain.
func boundedMain() {
	ctx, cancel := context.WithTimeout(context.Background(), boundedTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[1], os.Args[2:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited || ctx.Err() != nil {
		fmt.Fprintln(os.Stderr, "bounded:", errors.Join(err, ctx.Err()))
		os.Exit(99)
	}
	if used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		memory := used.Maxrss
		if runtime.GOOS == "linux" { // elsewhere it is in bytes
			memory <<= 10
		}
		if memory > boundedMemory {
			fmt.Fprintf(os.Stderr, "bounded: %d MiB of memory\n", memory>>20)
			os.Exit(99)
		}
	}
	os.Exit(cmd.ProcessState.ExitCode())
}
