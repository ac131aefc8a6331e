package tool

import (
	"os/exec"
	"syscall"
)

// look finds a program on the path, then in the sbin folders, which hold
// mkntfs and mkfs.fat and are not on every path.
func look(name string) (path string, err error) {
	if path, err = exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/local/sbin/", "/usr/sbin/", "/sbin/"} {
		if path, err := exec.LookPath(dir + name); err == nil {
			return path, nil
		}
	}
	return "", err
}

// group is a process group, which is killed as one, and whose first process
// the kernel kills when the agent dies.
type group struct{}

// start runs the program as a group of its own.
func start(cmd *exec.Cmd) (*group, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return &group{}, cmd.Start()
}

// end is called when the program has ended.
func (*group) end() {}
