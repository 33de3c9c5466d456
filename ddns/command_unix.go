//go:build unix

package ddns

import (
	"os/exec"
	"syscall"
)

// killAsGroup makes a command the head of a process group that is killed
// whole: a script's children would outlive it.
func killAsGroup(run *exec.Cmd) {
	run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	run.Cancel = func() error { return syscall.Kill(-run.Process.Pid, syscall.SIGKILL) }
}
