//go:build unix

package notify

import (
	"os/exec"
	"syscall"
)

// killAsGroup makes a command the head of a process group that is killed
// whole: a script's children would outlive it.
func killAsGroup(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
}
