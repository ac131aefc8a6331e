package world

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Process is one running program whose output is kept.
type Process struct {
	cmd  *exec.Cmd
	out  *output
	done chan struct{}
	err  error // set before done is closed
}

// start runs a program and takes it down with the test. What it prints goes
// into a file as well.
func start(t *testing.T, program, log string, args ...string) *Process {
	t.Helper()
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	p := &Process{out: &output{file: file}, done: make(chan struct{})}
	p.cmd = exec.CommandContext(t.Context(), program, args...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	p.cmd.Cancel = func() error {
		_ = p.cmd.Process.Signal(syscall.SIGCONT)
		return p.cmd.Process.Signal(syscall.SIGTERM)
	}
	p.cmd.WaitDelay = 90 * time.Second
	// Tests that are killed take it down as well. The kernel does that when the
	// thread that started it ends, which must be no sooner than the program.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Stop()
		_ = file.Close()
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(program), p.Output())
		}
	})
	return p
}

// Stop asks the program to end and waits for it; one that has ended is left
// alone.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	_ = p.cmd.Process.Signal(syscall.SIGCONT) // it may stand still
	select {
	case <-p.done:
	case <-time.After(90 * time.Second):
		p.Kill()
	}
}

// Kill ends the program at once, as kill -9 does.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
}

// PID is the program's process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends the program a signal; syscall.SIGSTOP makes it stand still and
// syscall.SIGCONT go on, for as long as a test needs to look at that moment.
func (p *Process) Signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// Stopped reports whether every thread stands still after SIGSTOP: one that
// was in the middle of a system call finishes it first.
func (p *Process) Stopped() (bool, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.cmd.Process.Pid))
	if err != nil {
		return false, err
	}
	for _, thread := range threads {
		raw, err := os.ReadFile(thread)
		if err != nil {
			return false, err
		}
		// proc(5): the state follows the name, which may hold anything.
		if _, state, _ := bytes.Cut(raw[bytes.LastIndexByte(raw, ')')+1:], []byte(" ")); state[0] != 'T' {
			return false, nil
		}
	}
	return len(threads) > 0, nil
}

// Wait returns what the program ended with: nil, or an *exec.ExitError.
func (p *Process) Wait() error {
	<-p.done
	return p.err
}

// Ended returns why a program ended, or nil while it runs.
func (p *Process) Ended() error {
	select {
	case <-p.done:
		return errors.Join(errors.New("it is not running"), p.err)
	default:
		return nil
	}
}

// Output is what the program printed so far; of no program it is empty.
func (p *Process) Output() string {
	if p == nil {
		return ""
	}
	return p.out.String()
}

// output keeps what a program prints, in memory and in a file.
type output struct {
	mu   sync.Mutex
	kept bytes.Buffer
	file *os.File
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, _ = o.file.Write(b) // the copy in memory is what tests read
	return o.kept.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.kept.String()
}

var (
	buildOnce sync.Once
	buildDir  string
	errBuild  error
	cleanups  []string // folders that Main removes
)

// build compiles both programs, once per test process.
func build(t *testing.T) string {
	t.Helper()
	buildOnce.Do(func() {
		if buildDir, errBuild = os.MkdirTemp("", "stickpress-bin-"); errBuild != nil {
			return
		}
		cleanups = append(cleanups, buildDir)
		_, here, _, _ := runtime.Caller(0)
		cmd := exec.CommandContext(t.Context(), "go", "build", "-o", buildDir, "./cmd/stickpress", "./cmd/stickpress-agent")
		cmd.Dir = filepath.Join(filepath.Dir(here), "..", "..", "..")
		if out, err := cmd.CombinedOutput(); err != nil {
			errBuild = errors.Join(err, errors.New(string(out)))
		}
	})
	if errBuild != nil {
		t.Fatal(errBuild)
	}
	return buildDir
}

// Main runs a package's tests and removes what they shared. A package that
// uses this one calls it from TestMain.
func Main(m *testing.M) {
	code := m.Run()
	Cleanup()
	os.Exit(code)
}

// Cleanup is what Main does after the tests, for a package whose TestMain is
// another one's.
func Cleanup() {
	for _, dir := range cleanups {
		_ = os.RemoveAll(dir)
	}
}

// folder is a folder with a short path: t.TempDir's are long.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "stickpress-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
