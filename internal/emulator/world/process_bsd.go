//go:build unix && !linux

package world

import "syscall"

func dieWithParent(*syscall.SysProcAttr) {}
