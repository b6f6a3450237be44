package world

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

func ownGroup(*exec.Cmd) {}

// signalGroup ends the process whatever the signal: Windows has no others.
func signalGroup(pid int, _ syscall.Signal) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Kill()
}

func exitStatus(ee *exec.ExitError) (code, signal int) { return ee.ExitCode(), 0 }

// ParseSignal reads a signal's name; Windows knows only those that end a process.
func ParseSignal(s string) (syscall.Signal, error) {
	switch strings.TrimPrefix(strings.ToUpper(s), "SIG") {
	case "KILL", "9":
		return syscall.SIGKILL, nil
	case "TERM", "INT", "HUP", "QUIT", "15", "2", "1", "3":
		return syscall.SIGTERM, nil
	}
	return 0, fmt.Errorf("unknown signal %q", s)
}
