package tool

import (
	"os/exec"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/windows"
)

// look finds a program among Windows's own first: the path of a service is
// not for others to extend.
func look(name string) (string, error) {
	if dir, err := windows.GetSystemDirectory(); err == nil {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return exec.LookPath(name)
}

// group is a job object: a program and all that it starts. Windows kills them
// when its last handle is closed, as it is when the agent dies.
type group struct{ job windows.Handle }

// start runs the program as a group of its own.
func start(cmd *exec.Cmd) (*group, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return nil, err
	}
	g := &group{job}
	limits := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{
		BasicLimitInformation: windows.JOBOBJECT_BASIC_LIMIT_INFORMATION{LimitFlags: windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE},
	}
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits)))
	if err != nil {
		g.end()
		return nil, err
	}
	cmd.Cancel = func() error { return windows.TerminateJobObject(job, 1) }
	if err := cmd.Start(); err != nil {
		g.end()
		return nil, err
	}
	// Between its start and this the program may have started another, which
	// would not be killed with it; those called here do not do so at once.
	process, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(cmd.Process.Pid))
	if err == nil {
		_ = windows.AssignProcessToJobObject(job, process) // it may have ended
		_ = windows.CloseHandle(process)
	}
	return g, nil
}

// end is called when the program has ended.
func (g *group) end() { _ = windows.CloseHandle(g.job) }
