// Package wine runs the Windows agent on a Linux machine, under Wine.
//
// What Wine has is tested for real: the program itself, its data directory, its
// connection to a real console, the service manager, virtual sticks. What Wine
// lacks is not: it has no disks to list or lock (the structures and guards are
// tested in agent/disk/drive), no diskpart, DISM or bcdboot (what they are told
// is held by golden files in agent/stick and agent/capture). Stand-ins of these
// programs, built from the folder standin, write down what they were called with,
// and have programs of Linux do it (programs.go).
package wine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Program is where Debian's package wine64 has it; it is not on the path.
const Program = "/usr/lib/wine/wine64"

// Windows is a Windows of its own: a Wine prefix.
type Windows struct {
	Dir   string // of the prefix
	Exe   string // the agent
	Tests string // those of agent/disk

	hold *exec.Cmd
	end  io.Closer // ends hold
}

// prng is bcryptprimitives.dll, which Go's runtime needs and Wine 8 lacks.
const prng = `
#include <windows.h>
#include <ntsecapi.h>
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T length) { return RtlGenRandom(data, (ULONG)length); }
`

// New makes a Windows in dir, an empty folder, and builds the agent for it.
func New(ctx context.Context, dir string) (*Windows, error) {
	w := &Windows{Dir: filepath.Join(dir, "prefix"), Exe: filepath.Join(dir, "stickpress-agent.exe"), Tests: filepath.Join(dir, "disk.test.exe")}
	if _, err := os.Stat(Program); err != nil {
		return nil, fmt.Errorf("wine is not installed: install the package wine64: %w", err)
	}
	source := filepath.Join(dir, "prng.c")
	if err := os.WriteFile(source, []byte(prng), 0o600); err != nil {
		return nil, err
	}
	library := filepath.Join(dir, "bcryptprimitives.dll")
	build := func(program string, what ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, "go", append(what[:len(what)-1:len(what)-1], "-o", program, what[len(what)-1])...)
		cmd.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
		_, here, _, _ := runtime.Caller(0)
		cmd.Dir = filepath.Join(filepath.Dir(here), "..", "..", "..")
		return cmd
	}
	for _, cmd := range []*exec.Cmd{
		exec.CommandContext(ctx, "x86_64-w64-mingw32-gcc", "-shared", "-o", library, source, "-ladvapi32"),
		build(w.Exe, "build", "./cmd/stickpress-agent"),
		build(filepath.Join(dir, "standin.exe"), "build", "./cmd/e2e/wine/standin"),
		build(w.Tests, "test", "-c", "./agent/disk"),
		w.Command(ctx, "wineboot", "-i"),
	} {
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", cmd, err, out)
		}
	}
	if err := copyFile(filepath.Join(w.System(), "bcryptprimitives.dll"), library); err != nil {
		return nil, err
	}
	for _, name := range []string{"diskpart.exe", "dism.exe", "bcdboot.exe", "icacls.exe"} {
		if err := copyFile(filepath.Join(w.System(), name), filepath.Join(dir, "standin.exe")); err != nil {
			return nil, err
		}
	}
	return w, w.keep(filepath.Join(dir, "standin.exe"))
}

// keep keeps this Windows running: it would end with its last program and begin
// with the next one, which starts all services.
func (w *Windows) keep(program string) (err error) {
	w.hold = w.Command(context.Background(), program)
	if w.end, err = w.hold.StdinPipe(); err != nil {
		return err
	}
	return w.hold.Start()
}

// System is the folder of Windows's own programs.
func (w *Windows) System() string { return filepath.Join(w.Dir, "drive_c", "windows", "system32") }

// Path is how Windows names a file of this machine.
func (w *Windows) Path(file string) string { return "Z:" + strings.ReplaceAll(file, "/", `\`) }

// Agent is a call of the agent.
func (w *Windows) Agent(ctx context.Context, args ...string) *exec.Cmd {
	return w.Command(ctx, append([]string{w.Exe}, args...)...)
}

// Command is a call of any program.
func (w *Windows) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, Program, args...)
	cmd.Env = append(os.Environ(), w.Env()...)
	return cmd
}

// Env is the environment of every program in this Windows, whose server lays its
// socket into TMPDIR.
func (w *Windows) Env() []string {
	return []string{
		"WINEPREFIX=" + w.Dir, "TMPDIR=" + w.Dir, "WINEDEBUG=-all", "DISPLAY=",
		// Ours before theirs, and nobody asks to install .NET or a browser.
		"WINEDLLOVERRIDES=bcryptprimitives,dism.exe,diskpart.exe,bcdboot.exe,icacls.exe=n,b;mscoree=;mshtml=",
	}
}

// Close ends everything that runs in this Windows.
func (w *Windows) Close() error {
	_ = errors.Join(w.end.Close(), w.hold.Wait()) // whatever it says, it ends
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(filepath.Dir(Program), "wineserver64"), "--kill", "--wait")
	cmd.Env = append(os.Environ(), w.Env()...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) { // it had ended
		return nil
	}
	if err != nil {
		return fmt.Errorf("end wine: %w\n%s", err, out)
	}
	return nil
}

func copyFile(to, from string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.Remove(to); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.WriteFile(to, data, 0o755)
}
