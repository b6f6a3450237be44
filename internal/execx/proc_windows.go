package execx

import "os/exec"

func isolate(*exec.Cmd, *User) {}

func terminate(cmd *exec.Cmd) error { return cmd.Process.Kill() }

func killGroup(*exec.Cmd) {}
