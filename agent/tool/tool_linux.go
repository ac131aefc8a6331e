package tool

import (
	"os/exec"
	"syscall"
)

// isolate puts the program into a process group of its own, which is killed
// as one, and ties its life to the agent's.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
