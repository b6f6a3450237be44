//go:build unix

package execx

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// isolate puts the program into a process group of its own, so that Ctrl-C in
// the terminal reaches opsctl alone and opsctl decides the order of stopping.
func isolate(cmd *exec.Cmd, u *User) {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if u != nil {
		attr.Credential = &syscall.Credential{Uid: u.UID, Gid: u.GID, NoSetGroups: os.Geteuid() != 0}
	}
	cmd.SysProcAttr = attr
}

func terminate(cmd *exec.Cmd) error {
	err := syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

func killGroup(cmd *exec.Cmd) {
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
}
