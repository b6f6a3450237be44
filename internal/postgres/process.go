package postgres

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// mortal makes a server's command line one that does not outlive this process,
// however that ends: the kernel sends SIGQUIT, an immediate shutdown. It needs
// Linux and util-linux' setpriv, which runs the program in its own place.
// Elsewhere the next Sweep stops the server.
func mortal(ctx context.Context, program string, args []string) (string, []string) {
	if runtime.GOOS != "linux" {
		return program, args
	}
	setpriv, err := exec.LookPath("setpriv")
	if err != nil || !mortalWorks(ctx, setpriv) {
		return program, args
	}
	return setpriv, append([]string{"--pdeathsig", "QUIT", program}, args...)
}

// mortalWorks tells util-linux' setpriv from smaller ones that lack the option.
func mortalWorks(ctx context.Context, setpriv string) bool {
	return exec.CommandContext(ctx, setpriv, "--pdeathsig", "QUIT", "true").Run() == nil
}

// processInfo reports a process's start time (opaque) and command line. ok is
// false when there is no such process; a zombie counts as gone.
func processInfo(pid int) (start, command string, ok bool) {
	if runtime.GOOS == "linux" {
		return procfsInfo("/proc", pid)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ps", "-ww", "-o", "lstart=", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	line := strings.TrimSpace(string(out))
	const stamp = len("Mon Jan  2 15:04:05 2006")
	if err != nil || len(line) < stamp {
		return "", "", false
	}
	return line[:stamp], strings.TrimSpace(line[stamp:]), true
}

// procfsInfo reads /proc/PID/stat; field 3 is the state and field 22 the start
// time (proc(5)). The name in field 2 may hold anything, so fields are counted
// behind its last parenthesis.
func procfsInfo(root string, pid int) (start, command string, ok bool) {
	dir := filepath.Join(root, strconv.Itoa(pid))
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return "", "", false
	}
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 {
		return "", "", false
	}
	fields := strings.Fields(string(stat[end+1:]))
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return "", "", false
	}
	cmdline, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	if err != nil {
		return "", "", false
	}
	return fields[19], string(bytes.ReplaceAll(cmdline, []byte{0}, []byte{' '})), true
}
